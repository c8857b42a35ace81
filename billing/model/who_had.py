"""Who had an address at a time (rule U12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Held(StrEnum):
    """By what of a session an address was its. An address inside of a prefix counts."""

    ADDRESS = "address"
    PREFIX_AND_INTERFACE = "framed prefix and interface id"
    FRAMED_PREFIX = "framed prefix"
    DELEGATED_PREFIX = "delegated prefix"
    INTERFACE = "interface id"
    """The NAS told no prefix: only the lower half of the address is known."""
    PORT_BLOCK = "port block"
    """The session had the inner address that the port belonged to behind carrier-grade NAT."""


class Certainty(StrEnum):
    """How the session lies to the instant asked for."""

    THEN = "then"
    """It ran at that instant."""
    SILENT = "silent"
    """It has no end yet, and was not heard of up to that instant."""
    NEAR = "near"
    """It ended before or began after, within the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAddress:
    """What is looked for, in the forms in which sessions hold it; `text`: as it is written."""

    text: str
    ipv4: str | None = None
    ipv6: str | None = None
    prefixes: tuple[str, ...] = ()
    interface_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A session with the addresses it reported last, whose it is and where it ran."""

    customer_id: int
    customer_name: str | None
    subscription_id: int
    username: str
    session_id: int
    acct_session_id: str
    nas_name: str
    nas_port_id: str | None
    calling_station: str | None
    started_at: datetime
    last_event_at: datetime
    closed_at: datetime | None
    terminate_cause: str | None
    framed_ip: str | None
    framed_ipv6_address: str | None
    framed_ipv6_prefix: str | None
    delegated_ipv6_prefix: str | None
    framed_interface_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NatBlock:
    """Ports of an outer address that NAT gave to an inner one; `until` None: still."""

    outer_address: str
    first_port: int
    last_port: int
    inner_address: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A session that held the address, by what, and how sure. `block`: by which port block."""

    session: Holding
    held: Held
    certainty: Certainty
    block: NatBlock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoHad:
    """The answer to one request, which is in the audit log. Surest first.

    `more`: there are others that are not listed; ask for a shorter tolerance. `blocks`: the port
    blocks that the outer address and port belonged to, whoever had their inner addresses.
    """

    address: str
    port: int | None
    at: datetime
    tolerance_seconds: int
    reason: str
    holders: tuple[Holder, ...]
    blocks: tuple[NatBlock, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NatImport:
    """What became of a file of port blocks. `changed`: those that were known and end otherwise."""

    blocks: int
    added: int
    changed: int
    dry_run: bool
