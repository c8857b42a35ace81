"""A guest logs in: by a voucher, or as a subscriber (rules B13, R3, security.md 8)."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.decision import Reason
from billing.model.hotspots import Guest, Hotspot
from billing.model.self_care import SubscriberAttempt
from billing.services import hotspot_logins
from billing.services.hotspot_orders import Placed
from web import devices, parts, subscribers
from web.forms import needed
from web.guards import public
from web.portal import blueprint
from web.portal.guests import address, handover, hotspot, page, remember, seen
from web.portal.words import advice

_AS_PRINTED = {"autocapitalize": "characters", "spellcheck": "false", "autocomplete": "off"}


class VoucherForm(FlaskForm):
    """What is printed on a card."""

    code = StringField("Voucher code", [needed], render_kw=_AS_PRINTED)
    pin = StringField("Password of the voucher, if it has one", render_kw=_AS_PRINTED)


class AccountForm(FlaskForm):
    """What a subscriber's router has, too."""

    username = StringField("User name", [needed])
    password = PasswordField("Password", [needed])


def welcome(
    place: Hotspot,
    *,
    refused: tuple[str, str] | None = None,
    voucher: VoucherForm | None = None,
    account: AccountForm | None = None,
) -> ResponseReturnValue:
    """The first page. `refused`: why a login was, and what to do."""
    forms = {
        "voucher": voucher or VoucherForm(formdata=None),
        "account": account or AccountForm(formdata=None),
    }
    status = 422 if any(form.errors for form in forms.values()) else 200
    return page("welcome", place, refused=refused, **forms), status


@blueprint.post("/<key>/voucher")
@public
def by_voucher(key: str) -> ResponseReturnValue:
    """Public: the code is the credential; wrong ones count by the address that they come from, so
    that a guesser shuts out his own hotspot at most."""
    place, form = hotspot(key), VoucherForm()
    if form.validate_on_submit():
        try:
            guest = hotspot_logins.by_voucher(
                parts.login_context(),
                str(form.code.data),
                password=form.pin.data or "",
                source=f"hotspot:{address()}",
                now=parts.now(),
            )
        except (InvalidInput, NotFound, Refused) as error:
            form.code.errors = [error.message]
        else:
            return connect(place, guest)
    return welcome(place, voucher=form)


@blueprint.post("/<key>/account")
@public
def by_password(key: str) -> ResponseReturnValue:
    """Public: here a subscriber proves who it is, as at the customers' pages."""
    place, form = hotspot(key), AccountForm()
    if form.validate_on_submit():
        device = devices.known(subscribers.DEVICE)
        attempt = SubscriberAttempt(
            username=str(form.username.data),
            password=str(form.password.data),
            address=address(),
            device=device[1] if device else None,
            device_subscription_id=device[0] if device else None,
        )
        try:
            guest = hotspot_logins.by_password(parts.login_context(), attempt, parts.now())
        except (InvalidInput, Refused) as error:
            form.form_errors.append(error.message)
        else:
            return connect(place, guest)
    return welcome(place, account=form)


def connect(place: Hotspot, guest: Guest) -> ResponseReturnValue:
    """What is left, and the button that sends the login to the NAS."""
    return connected(place, guest)[0]


def connected(
    place: Hotspot, guest: Guest, placed: Placed | None = None
) -> tuple[ResponseReturnValue, bool]:
    """The same, of what was bought, too; and whether the button goes to the NAS at once. Who would
    not be let in is told so here."""
    left = hotspot_logins.left(parts.login_context(), guest.login, parts.now())
    if not left.is_on:
        return welcome(place, refused=advice(Reason(left.reason))), True
    remember(guest.login)
    made = handover(place, guest)
    before = seen(place)
    again = hotspot_logins.entry_page(place, None if before is None else before.arrival)
    answer = page("connect", place, left=left, handover=made, again=again, placed=placed)
    return answer, made is not None
