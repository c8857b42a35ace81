"""NAS and the names a session goes by there: what encoders, CoA and accounting need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

COA_PORT = 3799  # RFC 5176 2.1


class Vendor(StrEnum):
    """What an operator may choose for a NAS; which of them has an encoder of its own is decided
    in `radius_plugin.vendors`."""

    MIKROTIK = "mikrotik"
    CHILLI = "chilli"
    WISPR = "wispr"
    CISCO = "cisco"
    JUNIPER = "juniper"
    HUAWEI = "huawei"
    GENERIC = "generic"


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
    nas_ip: str | None = None
    calling_station: str | None = None
    nas_port_id: str | None = None
