"""RADIUS pairs as FreeRADIUS hands them to a hook, and the checks of single values (F5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

Pairs = Sequence[tuple[str, str]] | None
TEXT_LIMIT = 253  # the longest text one RADIUS attribute holds

# When any text of a request is not UTF-8, its texts arrive as octets under these names.
RAW_TEXTS = (
    ("Tollway-Raw-User-Name", "User-Name"),
    ("Tollway-Raw-Acct-Session-Id", "Acct-Session-Id"),
    ("Tollway-Raw-Calling-Station-Id", "Calling-Station-Id"),
    ("Tollway-Raw-Called-Station-Id", "Called-Station-Id"),
    ("Tollway-Raw-NAS-Port-Id", "NAS-Port-Id"),
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


def first_values(pairs: Pairs) -> dict[str, str]:
    """Attribute → its first value; texts that came as octets are put back where they are UTF-8."""
    values = dict(reversed(pairs)) if pairs else {}
    if "Tollway-Malformed" in values:
        for raw_name, name in RAW_TEXTS:
            octets = values.get(raw_name)
            text = None if octets is None else octets_as_text(octets)
            if text is not None:
                values[name] = text
    return values


def source_address(pairs: Pairs) -> str | None:
    """Where the packet came from: what a NAS is looked up by. None when it isn't known."""
    for name, value in reversed(pairs or ()):  # set by the policy, after what the NAS sent
        if name == "Tollway-Client-Address":
            return address(value)
    return None


def octets_as_text(value: str) -> str | None:
    """`0x626f62` → `bob`; None when it is not hexadecimal or not UTF-8."""
    try:
        return bytes.fromhex(value[2:]).decode() if value.startswith("0x") else None
    except ValueError:
        return None


def storable(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text that PostgreSQL can hold: NUL becomes U+FFFD, and it is cut at `limit` characters."""
    if text.isascii() and "\0" not in text:
        return text[:limit]
    return text[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def number(text: str, limit: int) -> int | None:
    """A decimal number from 0 to below `limit`; None for anything else."""
    if len(text) > 19 or not text.isascii() or not text.isdecimal():
        return None
    value = int(text)
    return value if value < limit else None


@lru_cache(maxsize=1024)  # records of one second have the same
def instant(text: str) -> datetime | None:
    """`Nov  1 2026 20:44:23 UTC`, as FreeRADIUS prints dates when it runs with TZ=UTC (F5)."""
    month = _MONTHS.get(text[:3])
    if month is None or len(text) != 24 or text[20:] != " UTC":
        return None
    try:
        return datetime(
            int(text[7:11]),
            month,
            int(text[4:6]),
            int(text[12:14]),
            int(text[15:17]),
            int(text[18:20]),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def address(text: str | None) -> str | None:
    """An IPv4 or IPv6 address; None for anything else."""
    if text is None:
        return None
    try:
        inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return None
    return text


def ipv4_address(text: str) -> str | None:
    """An IPv4 address; None for anything else."""
    return address(text) if ":" not in text else None


def ipv6_address(text: str) -> str | None:
    """An IPv6 address; None for anything else."""
    return address(text) if ":" in text else None


def ipv6_prefix(text: str) -> str | None:
    """An IPv6 prefix, host bits cleared; None for anything else."""
    network, _, length_text = text.partition("/")
    length = number(length_text, 129)
    if length is None or ipv6_address(network) is None:
        return None
    bits = int.from_bytes(inet_pton(AF_INET6, network), "big")
    host_bits = 128 - length
    return f"{inet_ntop(AF_INET6, (bits >> host_bits << host_bits).to_bytes(16, 'big'))}/{length}"
