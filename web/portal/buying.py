"""A guest buys a package: what is on offer, how to pay, what has become of it (B13, P1, R3, M5).

Money is paid at the gateway's page. The order's address, and the guest's cookie, show what was
bought whenever he comes back, by whichever browser.
"""

from __future__ import annotations

from contextlib import suppress

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, StringField

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.hotspots import Hotspot, HotspotOffer
from billing.model.vouchers import serial_text
from billing.services import hotspot_offers, hotspot_orders, hotspots, online
from billing.services.context import Context
from billing.services.hotspot_orders import Placed, Wanted
from web import parts
from web.customer.fields import PayForm
from web.customer.payment_words import told
from web.forms import show_errors
from web.guards import public
from web.language import sentence, words
from web.portal import blueprint
from web.portal.guests import address, hotspot, page, place_of
from web.portal.login import connected, welcome

_ORDERS, _GOING = "orders", "going"
_ORDERS_MOST = 5


class OrderForm(PayForm):
    """`shown`: the price that was seen, in micros."""

    shown = HiddenField()
    email = StringField(
        "Mail address",
        description="Optional: the code and the receipt are sent there.",
        render_kw={"type": "email", "autocomplete": "email"},
    )
    phone = StringField(
        "Phone number",
        description="With its country code. Optional, unless you pay by phone.",
        render_kw={"type": "tel", "autocomplete": "tel"},
    )


@blueprint.get("/<key>/buy")
@public
def offers(key: str) -> ResponseReturnValue:
    """Public: what is on offer at a hotspot."""
    place = hotspot(key)
    return page("offers", place, offers=_offered(place))


@blueprint.route("/<key>/buy/<int:plan_id>", methods=["GET", "POST"])
@public
def order(key: str, plan_id: int) -> ResponseReturnValue:
    """Public: guests have no account. What is begun is stored first, and its provider called."""
    place = hotspot(key)
    offer = next((one for one in _offered(place) if one.plan_id == plan_id), None)
    if offer is None:
        return redirect(url_for("portal.offers", key=key))
    payer = hotspot_orders.payer_of(parts.login_context(), place)
    known = parts.parts()
    form, ways = OrderForm(), online.ways(payer, known.gateways, 0)
    form.offer(ways)
    if form.validate_on_submit():
        try:
            token = _begun(payer, place, offer, form, form.chosen(ways)[0])
        except (InvalidInput, Conflict, NotFound, Refused) as error:
            show_errors(form, error, {"gateway": "way", "method": "way", "address": "email"})
        else:
            return redirect(token)
    form.renew_key()
    form.shown.data = str(offer.total_micros)
    return page("order", place, form=form, offer=offer, ways=ways), 422 if form.errors else 200


def _begun(
    payer: Context, place: Hotspot, offer: HotspotOffer, form: OrderForm, gateway_id: int
) -> str:
    """Begin it and call the provider: where to go on to."""
    known, shown = parts.parts(), str(form.shown.data)
    wanted = Wanted(
        plan_id=offer.plan_id,
        shown_micros=int(shown) if shown.isascii() and shown.isdecimal() else 0,
        gateway_id=gateway_id,
        email=(form.email.data or "").strip(),
        phone=(form.phone.data or "").strip(),
        secret=str(form.key.data),
        address=address(),
    )
    token, payment = hotspot_orders.begin(payer, place, wanted, _way_back, parts.now())
    session[_ORDERS] = [token, *(one for one in _own() if one != token)][:_ORDERS_MOST]
    session.permanent = True
    online.call(known.nobody, payer, known.gateways, payment, known.clock)
    placed = hotspot_orders.find(parts.login_context(), token)
    go_on = told(placed.payment).go_on
    return url_for("portal.to_provider" if go_on else "portal.ordered", token=token)


def _way_back(token: str) -> str:
    return url_for("portal.came_back", token=token, _external=True)


@blueprint.get("/orders/<token>")
@public
def ordered(token: str) -> ResponseReturnValue:
    """Public: the token in the address is the credential. What was bought, as it stands."""
    placed = hotspot_orders.find(parts.login_context(), token)
    place = place_of(placed.hotspot_key)
    if placed.order.serial is not None:
        return _bought(place, placed)
    said = told(placed.payment)
    return page("waiting", place, placed=placed, told=said)


def _bought(place: Hotspot, placed: Placed) -> ResponseReturnValue:
    """The code, and the button."""
    try:
        guest = hotspot_orders.guest_of(parts.login_context(), placed, parts.now())
    except Refused as error:
        return welcome(
            place,
            refused=(f"{sentence(error.message)}.", words("Use another voucher, or buy one.")),
        )
    if guest is None:
        return page("kept", place, placed=placed)
    answer, goes = connected(place, guest, placed)
    if not goes:  # its NAS is asked again, and brings the guest back here
        session[_GOING] = placed.token
    return answer


@blueprint.get("/orders/<token>/pay")
@public
def to_provider(token: str) -> ResponseReturnValue:
    """Public, as `ordered`: on to the provider's page. A form must not lead there by itself."""
    placed = hotspot_orders.find(parts.login_context(), token)
    if not told(placed.payment).go_on:
        return redirect(url_for("portal.ordered", token=token))
    return render_template("portal/to_provider.html", url=placed.payment.redirect_url)


@blueprint.get("/orders/<token>/back")
@public
def came_back(token: str) -> ResponseReturnValue:
    """Public, as `ordered`: where providers send payers to, whatever has become of it. They are
    asked."""
    known = parts.parts()
    placed = hotspot_orders.find(known.nobody, token)
    place = hotspots.at(known.nobody, placed.hotspot_key, parts.now())
    payer = hotspot_orders.payer_of(known.nobody, place)
    with suppress(Refused):  # its outcome has come meanwhile
        online.ask(known.nobody, payer, known.gateways, placed.payment, known.clock)
    return redirect(url_for("portal.ordered", token=token))


def _offered(place: Hotspot) -> tuple[HotspotOffer, ...]:
    context = hotspots.context_of(parts.login_context(), place)
    return hotspot_offers.offered(context, place, parts.now())


def _own() -> list[str]:
    """Tokens of what this browser has ordered, newest first."""
    return list(session.get(_ORDERS, ()))


blueprint.add_app_template_filter(serial_text, "serial")


@blueprint.app_template_global("guest_order")
def guest_order() -> str | None:
    """The last order of this browser."""
    return next(iter(_own()), None)


@blueprint.app_template_global("guest_may_buy")
def guest_may_buy(place: Hotspot) -> bool:
    """Whether a hotspot sells anything."""
    return bool(_offered(place))
