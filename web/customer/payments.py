"""What has become of payments: paid, on the way, or not (rules P1, P7)."""

from __future__ import annotations

from contextlib import suppress

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from billing.errors import Refused
from billing.model.payments import PaymentView
from billing.services import online, payments
from web import parts, subscribers
from web.customer import blueprint
from web.customer.payment_words import told
from web.guards import subscribers_only

SHOWN = 20


@blueprint.get("/payments")
@subscribers_only
def payments_list() -> ResponseReturnValue:
    """By gateways, newest first."""
    found = payments.listed(
        subscribers.payer(), customer_id=subscribers.me().customer_id, limit=SHOWN
    )
    return render_template("customer/payments.html", lines=[(one, told(one)) for one in found])


@blueprint.get("/payments/<int:attempt_id>")
@subscribers_only
def payment(attempt_id: int) -> ResponseReturnValue:
    """As it stands."""
    return render_template("customer/payment.html", **_facts(attempt_id))


@blueprint.get("/payments/<int:attempt_id>/now")
@subscribers_only
def payment_part(attempt_id: int) -> ResponseReturnValue:
    """What of that page changes by itself."""
    return render_template("customer/_payment.html", **_facts(attempt_id))


@blueprint.get("/payments/<int:attempt_id>/page")
@subscribers_only
def to_provider(attempt_id: int) -> ResponseReturnValue:
    """On to the provider's page."""
    one = _own(attempt_id)
    if not told(one).go_on:
        return redirect(url_for("customer.payment", attempt_id=attempt_id))
    return render_template("customer/to_provider.html", url=one.redirect_url)


@blueprint.get("/payments/back")
@subscribers_only
def came_back() -> ResponseReturnValue:
    """Where providers send payers to, whatever has become of it: the provider is asked."""
    key = f"my-{request.args.get('form', '')}"
    customer_id = subscribers.me().customer_id
    one = online.payment_of_command(subscribers.context(), customer_id, key)
    known = parts.parts()
    with suppress(Refused):  # its outcome has come meanwhile
        online.ask(known.nobody, subscribers.payer(), known.gateways, one, known.clock)
    return redirect(url_for("customer.payment", attempt_id=one.attempt_id))


def _own(attempt_id: int) -> PaymentView:
    """Raises NotFound."""
    return online.payment(subscribers.payer(), subscribers.me().customer_id, attempt_id)


def _facts(attempt_id: int) -> dict[str, object]:
    one = _own(attempt_id)
    return {"payment": one, "told": told(one), "view": subscribers.view()}
