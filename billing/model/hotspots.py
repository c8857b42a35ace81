"""Hotspots whose guests come to the captive portal (rule B13), and what their NAS tell of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.model.network import Vendor, dialect_of
from billing.model.plan import PlanTerms
from billing.model.self_care import SubscriberLogin


class LoginDialect(StrEnum):
    """How a NAS sends guests to the portal, and takes what they log in with. `GENERIC`: a form is
    posted to its address."""

    MIKROTIK = "mikrotik"
    CHILLI = "chilli"
    GENERIC = "generic"


_DIALECTS = {Vendor.MIKROTIK: LoginDialect.MIKROTIK, Vendor.CHILLI: LoginDialect.CHILLI}


def login_dialect(vendor: str) -> LoginDialect:
    """Of a NAS registered as `vendor`."""
    return _DIALECTS.get(dialect_of(vendor), LoginDialect.GENERIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotspot:
    """`key` stands in the address that its NAS sends guests to; it is no secret. `addresses`: where
    this NAS takes logins, the only ones that anything is sent to. `org_id`: whose guests they are.
    """

    nas_id: int
    org_id: int
    key: str
    nas_name: str
    dialect: LoginDialect
    addresses: tuple[str, ...]
    uam_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotspotView:
    """A hotspot as the operator sees it."""

    nas_id: int
    org_id: int
    key: str
    nas_name: str
    dialect: LoginDialect
    addresses: tuple[str, ...]
    has_uam_secret: bool
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a NAS said of a guest when it sent him to the portal, checked; anybody may have written
    it. `address` is one of the hotspot's. `wanted`: the page that he asked for. `challenge` and
    `chap_id`: for a login that does not carry the password itself; empty: it does."""

    address: str
    wanted: str = ""
    mac: str = ""
    chap_id: bytes = b""
    challenge: bytes = b""
    said: str = ""
    """The NAS's words on a login that it refused."""
    is_in: bool = False
    """The NAS says that the guest is logged in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What a guest's browser sends to its NAS: the fields of a form, or a link (`posts` false)."""

    url: str
    posts: bool
    fields: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who is about to log in, and by what at the NAS."""

    login: SubscriberLogin
    username: str = field(repr=False)
    """A voucher's code, for one."""
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a guest has: `is_on`, or why not (`reason`, of `Reason`). None: not limited."""

    is_on: bool
    reason: str
    plan_name: str | None
    seconds_left: int | None
    octets_left: int | None
    valid_until: datetime | None
    validity_minutes: int | None
    begins_at_login: bool
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HotspotOffer:
    """A plan that guests of a hotspot may buy, with its price in full."""

    plan_id: int
    terms: PlanTerms
    total_micros: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HotspotOrder:
    """What a guest has bought or is about to. `serial`: of the voucher that it became; `problem`:
    why it is paid and there is none. `code`: as long as it is kept, for the guest alone."""

    order_id: int
    customer_id: int
    org_id: int
    nas_id: int
    plan_name: str
    price_micros: int
    currency: str
    attempt_id: int
    serial: int | None
    problem: str | None
    created_at: datetime
    issued_at: datetime | None
    email: str | None = None
    phone: str | None = None
    state: str = ""
    """Of its payment."""
    code: str | None = field(default=None, repr=False)
