"""A customer redeems a voucher itself (rules R3, M5)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.vouchers import Redemption
from billing.services import voucher_redeem
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OnceForm
from web.formats import money
from web.forms import needed, show_errors
from web.guards import subscribers_only
from web.language import words

_AS_PRINTED = {"autocapitalize": "characters", "spellcheck": "false"}


class VoucherForm(OnceForm):
    """What is printed on the card."""

    code = StringField(
        "Code",
        [needed],
        description="As it is printed; blanks, hyphens and small letters do not matter.",
        render_kw=_AS_PRINTED,
    )
    password = StringField(
        "Password", description="Only where one is printed beside the code.", render_kw=_AS_PRINTED
    )


@blueprint.route("/voucher", methods=["GET", "POST"])
@subscribers_only
def voucher() -> ResponseReturnValue:
    """For the subscription that is logged in: money goes to its wallet, a package begins."""
    form = VoucherForm()
    if form.validate_on_submit():
        try:
            done = voucher_redeem.redeem_own(
                parts.login_context(),
                subscribers.me(),
                form.code.data,
                idempotency_key=form.command_key(),
                now=parts.now(),
                password=form.password.data or "",
            )
        except (InvalidInput, Conflict, NotFound, Refused) as error:
            show_errors(form, error, {"idempotency_key": "code"})
        else:
            flash(_done(done), "success")
            return redirect(url_for("customer.home"))
    form.renew_key()
    return render_template("customer/voucher.html", form=form), 422 if form.errors else 200


def _done(done: Redemption) -> str:
    left = money(done.available_micros, done.currency)
    if done.plan_name:
        said = words("{plan} is yours. In your wallet: {left}.", plan=done.plan_name, left=left)
    else:
        said = words(
            "{amount} was put into your wallet: {left} now.",
            amount=money(done.face_micros, done.currency),
            left=left,
        )
    again = words("It had been redeemed already; nothing was given twice.")
    return f"{said} {again}" if done.repeated else said
