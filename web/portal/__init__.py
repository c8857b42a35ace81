"""The captive portal (rule B13): where guests of a hotspot log in, before they have the internet.

No script; a page and its style are small. It has a cookie and, where one is set, a host name of
its own, at which there is nothing else (security.md 6). Guests are sent here by their NAS with the
key of its hotspot; what they log in with goes to the addresses of that NAS only.
"""

from __future__ import annotations

from flask import Blueprint, Flask, abort, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from web.options import Options
from web.sessions import GUESTS, of_guests

blueprint = Blueprint("portal", __name__, url_prefix=GUESTS)

from web.portal import arriving, buying, login, style  # noqa: E402 (they add routes)

__all__ = ["arriving", "blueprint", "buying", "init_app", "login", "style"]


def init_app(app: Flask, options: Options) -> None:
    """Keep the portal's host name and the panel's apart."""

    def keep_apart() -> ResponseReturnValue | None:
        host = request.host.rpartition(":")[0] if ":" in request.host else request.host
        at_hotspots = host == options.hotspot_host
        g.at_hotspots = at_hotspots or of_guests(request.path)
        if at_hotspots and request.path == "/":
            return redirect(url_for("portal.lost"))
        if options.hotspot_host and at_hotspots != of_guests(request.path):
            abort(404)
        return None

    app.before_request(keep_apart)
