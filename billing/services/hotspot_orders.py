"""A guest of a hotspot buys a package (rules B13, P1, R3): he becomes a customer of his own, pays
by a gateway into its wallet, and gets a voucher when the money has come (`hotspot_issue`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.hotspots import Guest, Hotspot, HotspotOffer, HotspotOrder
from billing.model.payments import PaymentView
from billing.rules.vouchers import canonical, grouped
from billing.services import customers, gateways, hotspot_logins, hotspot_offers, payments
from billing.services.catalog import hotspot_profile
from billing.services.context import Context
from billing.services.hotspot_issue import sealed_for
from billing.services.messages import checked_email, checked_number
from billing.store import gateways as gateway_store
from billing.store import hotspots as store
from billing.store import self_care as throttle
from billing.store import tables
from billing.store.guard import Transaction

KEPT_FOR = timedelta(days=30)
"""So long a guest's browser is shown the code that he bought."""
LISTED_MOST = 200
ORDERS_MOST = 60
"""From one address within the window, behind which all guests of a hotspot may be."""
_WINDOW = timedelta(minutes=15)
_NAME = "Hotspot guest"
_TOKEN = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a guest has chosen. `shown_micros`: the price that he saw; `secret`: 32 hex digits of
    the form, which act once (rule M5); `address`: where the request comes from."""

    plan_id: int
    shown_micros: int
    gateway_id: int
    email: str
    phone: str
    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its guest sees it; `token` stands in its page's address."""

    order: HotspotOrder
    payment: PaymentView
    token: str
    hotspot_key: str


def payer_of(nobody: Context, hotspot: Hotspot) -> Context:
    """What the portal acts with when somebody pays: the hotspot's organisation, and the gateways of
    those above it."""
    with nobody.transaction() as tx:
        org_ids = gateway_store.organisations_above(tx, hotspot.org_id)
    return replace(
        nobody, actor=f"hotspot:{hotspot.nas_id}", home_org_id=hotspot.org_id, org_ids=org_ids
    )


def begin(
    payer: Context, hotspot: Hotspot, wanted: Wanted, back: Callable[[str], str], now: datetime
) -> tuple[str, PaymentView]:
    """Order a package and begin its payment; its provider is not called yet. Returns the order's
    token; `back`: the address at which its payer comes back.

    Raises InvalidInput (an address, a number, the form), NotFound (not for sale, no such gateway),
    Refused (another price than shown, too many at once), Conflict (rule M5).
    """
    if not re.fullmatch(r"[0-9a-f]{32}", wanted.secret):
        raise InvalidInput("This form is not complete: open this page again. Nothing was ordered.")
    if wanted.email:
        checked_email(wanted.email, "email")
    if wanted.phone:
        checked_number(wanted.phone)
    _count(payer, wanted.address, now)
    with payer.together() as joined, joined.transaction() as tx:
        known = store.order_of_token(tx, _digest(wanted.secret))
        if known is not None:
            return f"{known.customer_id}-{wanted.secret}", _same(joined, known, wanted)
        sold, batch = hotspot_offers.batch_for(joined, tx, hotspot, wanted.plan_id, now)
        _check(tx, wanted, sold)
        customer_id = _customer(joined, tx, wanted, now)
        token = f"{customer_id}-{wanted.secret}"
        made = payments.top_up(
            joined,
            customer_id,
            wanted.gateway_id,
            sold.total_micros,
            idempotency_key="hotspot",
            now=now,
            return_url=back(token),
            text=sold.terms.plan_name,
        )
        row = tables.HotspotOrder(
            customer_id=customer_id,
            org_id=hotspot.org_id,
            nas_id=hotspot.nas_id,
            batch_id=batch.batch_id,
            plan_name=sold.terms.plan_name,
            price_micros=sold.total_micros,
            currency=sold.currency,
            token_sha256=_digest(wanted.secret),
            attempt_id=made.attempt_id,
            created_at=now,
        )
        store.insert_order(tx, row)
        return token, made


def find(nobody: Context, token: str) -> Placed:
    """The order of a page's address. Raises NotFound."""
    found = _TOKEN.fullmatch(token)
    row = None
    if found is not None:
        with replace(nobody, customer_id=int(found[1])).transaction() as tx:
            row = store.order_of_token(tx, _digest(found[2]))
            seen = None if row is None else store.order_view(row, code=_code(nobody, row))
    if found is None or row is None or seen is None:
        raise NotFound("there is no such order", field="order")
    context = replace(nobody, home_org_id=seen.org_id, org_ids=(seen.org_id,))
    with context.together() as joined, joined.transaction() as tx:
        key = store.key_of(tx, seen.nas_id)
        payment = payments.history(joined, seen.attempt_id).payment
    return Placed(
        order=replace(seen, state=payment.state),
        payment=payment,
        token=token,
        hotspot_key=key or "",
    )


def guest_of(nobody: Context, placed: Placed, now: datetime) -> Guest | None:
    """Who logs in by what was bought; None: its code is not kept any more. Raises Refused: it is
    not good any more."""
    code = placed.order.code
    return None if code is None else hotspot_logins.holder(nobody, canonical(code), "", now)


def listed(context: Context, wanted: str = "") -> list[HotspotOrder]:
    """The newest, for support; `wanted`: a mail address, phone number, number of the payment or the
    voucher, or the provider's reference."""
    with context.transaction() as tx:
        return store.orders(tx, wanted.strip(), LISTED_MOST)


def forget_codes(context: Context, now: datetime) -> None:
    """Of what was bought KEPT_FOR ago: what is stored then is its hash only (rule R3)."""
    with context.transaction() as tx:
        store.forget_codes(tx, now - KEPT_FOR)


def _same(context: Context, known: tables.HotspotOrder, wanted: Wanted) -> PaymentView:
    """The payment of an order that is sent again. Raises Conflict: it is another (rule M5)."""
    payment = payments.history(context, known.attempt_id).payment
    asked = (wanted.gateway_id, wanted.shown_micros)
    if asked != (payment.gateway_id, payment.amount_micros):
        raise Conflict("This form was sent before, with something else in it: open it again.")
    return payment


def _check(tx: Transaction, wanted: Wanted, sold: HotspotOffer) -> None:
    if sold.total_micros != wanted.shown_micros:
        raise Refused("its price has changed; look at it again. Nothing was ordered.")
    gateway = gateways.usable(tx, wanted.gateway_id)
    if gateway.channel == MoneyChannel.MOBILE_MONEY and not wanted.phone:
        raise InvalidInput("your phone is asked to pay: its number is needed", field="phone")


def _customer(context: Context, tx: Transaction, wanted: Wanted, now: datetime) -> int:
    """The guest, as a customer without a service."""
    view = customers.add_customer(
        context,
        name=_NAME,
        profile_id=hotspot_profile(context, now).profile_id,
        now=now,
        email=wanted.email or None,
        phone=wanted.phone or None,
    )
    row = tx.get_one(tables.Customer, view.customer_id)
    row.monthly_statement = False
    tx.flush()
    return view.customer_id


def _count(context: Context, address: str, now: datetime) -> None:
    """Raises Refused: providers are not asked for pages without end."""
    with context.transaction() as tx:
        throttle.allow_counting(tx)
        throttle.forget_tried_before(tx, now - _WINDOW)
        tried = throttle.count_tried(tx, (f"orders:{address}",), now, _WINDOW)
    if max(tried.values()) > ORDERS_MOST:
        raise Refused("too much is being ordered here; try again in 15 minutes")


def _code(nobody: Context, row: tables.HotspotOrder) -> str | None:
    if row.code_sealed is None:
        return None
    return grouped(nobody.box.open(row.code_sealed, sealed_for(row.order_id)))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
