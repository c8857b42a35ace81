"""A guest of a hotspot: where he came from, and what his cookie tells of it.

The cookie is signed, and holds nothing that is secret to its guest. What a NAS said in it was
checked when it came, and is used for the guest's own login only.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import g, render_template, request, session, url_for

from billing.errors import NotFound
from billing.model.brands import Brand
from billing.model.hotspots import Arrival, Guest, Handover, Hotspot
from billing.model.self_care import SubscriberLogin
from billing.services import brands, hotspot_logins, hotspots
from web import parts
from web.headers import send_forms_to

KNOWN_FOR = timedelta(hours=24)
_ARRIVAL, _GUEST = "arrival", "guest"
_TOLD = ("link-login-only", "login_url", "uamip", "res", "link-orig", "userurl", "error", "mac")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a NAS said, and when."""

    arrival: Arrival
    at: datetime


def hotspot(key: str) -> Hotspot:
    """Of this request. Raises NotFound."""
    if "hotspot" not in g:
        g.hotspot = hotspots.at(parts.login_context(), key, parts.now())
    found: Hotspot = g.hotspot
    return found


def place_of(key: str) -> Hotspot:
    """Where this browser is, as its NAS said; else the hotspot of `key`. Raises NotFound."""
    held = session.get(_ARRIVAL)
    if held is not None:
        with suppress(NotFound):  # it was closed meanwhile
            return hotspot(held[0])
    return hotspot(key)


def address() -> str:
    """Where a request comes from, for throttles."""
    return request.remote_addr or "unknown"


def brand(place: Hotspot) -> Brand:
    """Whose hotspot it is."""
    return brands.of(hotspots.context_of(parts.login_context(), place), place.org_id)


def take_arrival(place: Hotspot) -> Seen | None:
    """What the NAS says in this request, or said before. Raises Refused: it is forged."""
    told = request.args.to_dict()
    if not any(name in told for name in _TOLD):
        return seen(place)
    found = Seen(hotspot_logins.arrival(place, told), parts.now())
    one = found.arrival
    session[_ARRIVAL] = [
        place.key,
        int(found.at.timestamp()),
        one.address,
        one.wanted,
        one.mac,
        one.chap_id.hex(),
        one.challenge.hex(),
    ]
    return found


def seen(place: Hotspot) -> Seen | None:
    """What the NAS of this hotspot said of this browser last."""
    held = session.get(_ARRIVAL)
    if held is None or held[0] != place.key or held[2] not in place.addresses:
        return None
    _, at, address, wanted, mac, chap_id, challenge = held
    arrival = Arrival(
        address=address,
        wanted=wanted,
        mac=mac,
        chap_id=bytes.fromhex(chap_id),
        challenge=bytes.fromhex(challenge),
    )
    return Seen(arrival, datetime.fromtimestamp(at, UTC))


def remember(guest: SubscriberLogin) -> None:
    """Who has proved to be somebody, to be shown what is left."""
    session[_GUEST] = [
        int(parts.now().timestamp()),
        guest.customer_id,
        guest.subscription_id,
        guest.org_id,
        guest.username,
    ]


def known_guest() -> SubscriberLogin | None:
    """Who logged in last by this browser."""
    held = session.get(_GUEST)
    if held is None or parts.now() - datetime.fromtimestamp(held[0], UTC) > KNOWN_FOR:
        return None
    _, customer_id, subscription_id, org_id, username = held
    return SubscriberLogin(
        customer_id=customer_id,
        subscription_id=subscription_id,
        org_id=org_id,
        username=username,
    )


def handover(place: Hotspot, guest: Guest) -> Handover | None:
    """What this browser is to send to its NAS; forms of this answer may go there. None: the NAS has
    to send it here again first."""
    before = seen(place)
    made = hotspot_logins.handover(
        place,
        Arrival(address=place.addresses[0]) if before is None else before.arrival,
        parts.now() if before is None else before.at,
        guest,
        back=url_for("portal.online", key=place.key, _external=True),
        now=parts.now(),
    )
    if made is not None and made.posts:
        send_forms_to("/".join(made.url.split("/", 3)[:3]))
    return made


def page(name: str, place: Hotspot, **facts: object) -> str:
    """A page of the hotspot, in the brand of whose it is."""
    return render_template(f"portal/{name}.html", place=place, brand=brand(place), **facts)
