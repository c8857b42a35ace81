"""NAS and the names a session goes by there: what encoders, CoA and accounting need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

COA_PORT = 3799  # RFC 5176 2.1


class Vendor(StrEnum):
    """Dialects of NAS, each with an encoder of its own in `radius_plugin.vendors`."""

    MIKROTIK = "mikrotik"
    CHILLI = "chilli"
    WISPR = "wispr"
    UBIQUITI = "ubiquiti"
    CAMBIUM = "cambium"
    CISCO = "cisco"
    JUNIPER = "juniper"
    HUAWEI = "huawei"
    GENERIC = "generic"


ENDS_AT_OCTETS = frozenset({Vendor.MIKROTIK, Vendor.CHILLI, Vendor.CAMBIUM, Vendor.HUAWEI})
"""Whose NAS end a session at a number of octets by themselves, as strict sharing wants it (rule
Q4). RouterOS does for PPP and hotspot users, each in a way of its own."""

WITHOUT_GARDEN = frozenset({Vendor.CHILLI, Vendor.WISPR, Vendor.UBIQUITI, Vendor.CAMBIUM})
"""Whose NAS have neither pools by name nor a policy for who is suspended (rule B10): only an
address that we lease tells such a subscriber from others."""

_KNOWN_VENDORS = {vendor.value: vendor for vendor in Vendor}
_COA_PORTS = {Vendor.CISCO: 1700}


def dialect_of(vendor: str) -> Vendor:
    """What is spoken to a NAS registered as `vendor`: an unknown one gets the standard dialect."""
    return _KNOWN_VENDORS.get(vendor, Vendor.GENERIC)


def ends_at_octets(vendor: str) -> bool:
    """Whether a NAS registered as `vendor` can be given a limit of octets at login (rule Q4)."""
    return dialect_of(vendor) in ENDS_AT_OCTETS


def has_garden(vendor: str) -> bool:
    """Whether a NAS registered as `vendor` fences in who is suspended by itself (rule B10)."""
    return dialect_of(vendor) not in WITHOUT_GARDEN


def default_coa_port(vendor: str) -> int:
    """Where a vendor's NAS listens for CoA and Disconnect unless it was told otherwise."""
    return _COA_PORTS.get(dialect_of(vendor), COA_PORT)


class Link(StrEnum):
    """How a subscriber is connected, as far as its NAS treats these differently."""

    PPP = "ppp"
    HOTSPOT = "hotspot"
    OTHER = ""


_VOUCHER = "v"
VOUCHER_NAME = "@voucher"
"""Stands for a code in accounting: a name that nobody has to himself, so that the Class counts."""
_LINKS = {link.value: link for link in Link}


def link_of(session_class: str | None) -> Link:
    """What our Class `tw1:<subscription>:<n or s>:<link>` says of a session, if anything. Before
    the link there is `v` where a voucher logged in."""
    parts = (session_class or "").split(":")
    if parts[3:4] == [_VOUCHER]:
        del parts[3]
    return _LINKS.get(parts[3], Link.OTHER) if len(parts) == 4 else Link.OTHER


def is_vouchers(session_class: str) -> bool:
    """Whether our Class says that a voucher logged in, by its code or under its number (R3)."""
    return ":v" in session_class and session_class.split(":")[3:4] == [_VOUCHER]


def of_voucher(session_class: str) -> str:
    """The same Class, for a login by a voucher."""
    return f"{session_class}:{_VOUCHER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NasTraits:
    """What decides how a NAS's packets are read and answered.

    `swap_octets`: it reports Input as seen by the subscriber, against RFC 2866 (rule U8).
    """

    nas_id: int
    vendor: Vendor = Vendor.GENERIC
    swap_octets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NasAddress:
    """Where a CoA or Disconnect goes (rule C1). The secret stays out of logs and tracebacks."""

    address: str
    coa_port: int = COA_PORT
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIdentity:
    """The names of one running session, as its NAS wrote them (rule C3).

    `username` is User-Name exactly as sent: a NAS compares it with letter case and separators.
    """

    username: str
    acct_session_id: str
    framed_ip: str | None = None
