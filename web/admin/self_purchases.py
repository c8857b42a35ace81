"""What customers of a reseller bought themselves, and to undo one of it (rule R1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from billing.services import resellers
from billing.services import self_purchases as service
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import money
from web.guards import ABOVE, EVERYONE, staff_only
from web.once import OnceForm, send


@blueprint.get("/resellers/<int:org_id>/purchases")
@staff_only(EVERYONE)
def reseller_purchases(org_id: int) -> ResponseReturnValue:
    """Newest first, with what it earned by each."""
    context = parts.context()
    return render_template(
        "admin/self_purchases.html",
        shop=resellers.show(context, org_id),
        purchases=service.listed(context, org_id, limit=200),
    )


@blueprint.route("/resellers/purchases/<int:purchase_id>/undo", methods=["GET", "POST"])
@staff_only(ABOVE)
def purchase_undo(purchase_id: int) -> ResponseReturnValue:
    """What goes back is shown first; in the reseller's window, later by who is above it."""
    context, form = parts.context(), OnceForm()
    one = service.show(context, purchase_id)
    sent = send(context, form, lambda within: _undo(within, purchase_id, form), quoted=True)
    if sent.done:
        return redirect(url_for("admin.reseller_purchases", org_id=one.org_id))
    page = render_template(
        "admin/self_purchase_undo.html",
        shop=resellers.show(context, one.org_id),
        one=one,
        form=form,
        quote=sent.quote,
    )
    return page, 422 if form.form_errors else 200


def _undo(context: Context, purchase_id: int, form: OnceForm) -> Sequence[str]:
    done = service.undo(context, purchase_id, idempotency_key=form.key.data or "", now=parts.now())
    back, lost = money(done.back_micros, done.currency), money(done.lost_micros, done.currency)
    return [f"The package ends; {back} back into the customer's wallet, {lost} out of the "
            "reseller's."]  # fmt: skip
