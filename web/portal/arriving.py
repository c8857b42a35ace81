"""Where guests arrive: sent by their NAS, with an error of it perhaps, or logged in already."""

from __future__ import annotations

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from billing.services import hotspot_logins
from web import parts
from web.guards import public
from web.portal import blueprint
from web.portal.guests import hotspot, known_guest, page, seen, take_arrival
from web.portal.login import welcome
from web.portal.words import advice


@blueprint.get("/")
@public
def lost() -> ResponseReturnValue:
    """Public: for who came without a hotspot."""
    return render_template("portal/lost.html")


@blueprint.get("/<key>")
@public
def arrive(key: str) -> ResponseReturnValue:
    """Public: guests have no account here. What the NAS says of them is checked."""
    place = hotspot(key)
    found = take_arrival(place)
    if found is not None and found.arrival.is_in:
        return redirect(url_for("portal.online", key=key))
    going = session.pop("going", None)
    if going and found is not None and not found.arrival.said:
        return redirect(url_for("portal.ordered", token=going))
    refused = None
    if found is not None and found.arrival.said:
        refused = advice(hotspot_logins.told_reason(found.arrival.said))
    return welcome(place, refused=refused)


@blueprint.get("/<key>/online")
@public
def online(key: str) -> ResponseReturnValue:
    """Public: where the NAS sends who is logged in. His browser is shown what is left."""
    place, guest = hotspot(key), known_guest()
    before = seen(place)
    left = None
    if guest is not None:
        left = hotspot_logins.left(parts.login_context(), guest, parts.now())
    arrival = None if before is None else before.arrival
    return page(
        "online",
        place,
        left=left,
        wanted="" if arrival is None else arrival.wanted,
        log_off=hotspot_logins.exit_page(place, arrival),
    )
