"""Who is logged in at the customers' pages, and with what it acts."""

from __future__ import annotations

from flask import Response, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from billing.model.self_care import SubscriberLogin
from billing.model.views import SubscriptionView
from billing.services import brands, self_care, subscribers
from billing.services.context import Context
from web import devices, parts

_SESSION = "subscriber_session"
BRAND = "brand"
"""The key of the reseller's brand that this browser's login page shows: of no customer's data."""
DEVICE = "my-device"
LIVE = ("customer.now_part", "customer.payment_part")
"""What pages ask for by themselves: it keeps nobody logged in."""


def login() -> SubscriberLogin | None:
    """The subscription of this browser, looked up once a request."""
    if "subscriber" not in g:
        held = session.get(_SESSION)
        g.subscriber = None
        if held is not None:
            customer_id, token = held
            g.subscriber = self_care.session_login(
                parts.login_context(),
                int(customer_id),
                str(token),
                parts.now(),
                used=request.endpoint not in LIVE,
            )
    found: SubscriberLogin | None = g.subscriber
    return found


def me() -> SubscriberLogin:
    """Only behind `subscribers_only`."""
    found = login()
    if found is None:
        raise RuntimeError("nobody is logged in")
    return found


def context() -> Context:
    """Sees and changes the customer who is logged in, and no other: it comes from the session only,
    and the database holds to it (security.md 7)."""
    return self_care.context_of(parts.login_context(), me())


def payer() -> Context:
    """The same, for what the customer pays: it sees the gateways that take its money, too."""
    if "payer" not in g:
        g.payer = self_care.payer_of(parts.login_context(), me())
    found: Context = g.payer
    return found


def view() -> SubscriptionView:
    """What is logged in, as it stood when the request first asked."""
    if "subscription_view" not in g:
        g.subscription_view = subscribers.show(context(), me().subscription_id, parts.now())
    found: SubscriptionView = g.subscription_view
    return found


def begin(found: SubscriberLogin, token: str) -> None:
    """A new session and a new CSRF secret at each login."""
    session.clear()
    session[_SESSION] = [found.customer_id, token]
    g.subscriber = found
    keep_brand(brands.of(context(), found.org_id).key)


def keep_brand(key: str | None) -> None:
    """For the login page, when the customer comes back; None: the operator's."""
    if key is None:
        session.pop(BRAND, None)
    elif session.get(BRAND) != key:
        session[BRAND] = key


def end() -> None:
    """Log this browser out."""
    held = session.get(_SESSION)
    if held is not None:
        self_care.close_session(parts.login_context(), me(), str(held[1]))
    kept = session.get(BRAND)
    session.clear()
    keep_brand(kept)
    g.subscriber = None


def remember(response: Response, found: SubscriberLogin) -> Response:
    """The browser has its own budget of wrong passwords from now on (security.md 8)."""
    device = devices.known(DEVICE)
    if device is None or device[0] != found.subscription_id:
        devices.remember(response, found.subscription_id, DEVICE)
    return response


def ask_to_log_in() -> ResponseReturnValue:
    """The login page, which leads back; a part of a page is told to load it as a whole."""
    if "HX-Request" in request.headers:
        return Response(status=401, headers={"HX-Redirect": url_for("customer.log_in")})
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("customer.log_in", next=target, brand=request.args.get("brand")))
