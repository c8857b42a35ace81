"""Which reply attributes a subscription may have of its own, and with what values (rule A6).

FreeRADIUS sends a value that it cannot read as zero (radius.md F6), so each is read here first.
Everything raises ValueError with a text that says what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from billing.model.dictionary import DictionaryAttribute
from billing.model.own_reply import Operator

COUNT_LIMIT = 16
TOTAL_OCTETS_LIMIT = 1_500
"""Of all values together: a RADIUS packet holds 4,096 octets (RFC 2865 3)."""
TAG_LIMIT = 31

_VALUE_OCTETS_LIMIT = 253
_VENDOR_OCTETS_LIMIT = 247
_LARGEST_STANDARD_NUMBER = 255
_SECRET_FLAGS = frozenset({"encrypt=1", "encrypt=2", "encrypt=3", "secret"})
# Vendors of FreeRADIUS's own that are never on the wire to a NAS.
_INTERNAL_VENDORS = frozenset({"FreeRADIUS", "DHCP", "VQP"})

_FIXED = "is set with `tollway subscriber ipv6`"
_LOGIN = "belongs to the login itself"
_ALLOWANCE = "is what Tollway ends a session by"
_POOL = "is decided by the plan and the profile: change their pool"
REFUSED: dict[str, str] = {
    "User-Name": _LOGIN,
    "User-Password": _LOGIN,
    "CHAP-Password": _LOGIN,
    "CHAP-Challenge": _LOGIN,
    "State": _LOGIN,
    "Proxy-State": _LOGIN,
    "EAP-Message": _LOGIN,
    "Message-Authenticator": _LOGIN,
    "EAP-Key-Name": _LOGIN,
    "Vendor-Specific": "is written by the name of the vendor's attribute",
    "Reply-Message": "says why a login was granted or refused",
    "Class": "is how Tollway knows the session again",
    "Session-Timeout": _ALLOWANCE,
    "Termination-Action": _ALLOWANCE,
    "WISPr-Session-Terminate-Time": _ALLOWANCE,
    "WISPr-Session-Terminate-End-Of-Day": _ALLOWANCE,
    "Acct-Interim-Interval": "is set in the plan: charging depends on it",
    "Framed-Pool": _POOL,
    "Huawei-Framed-Pool": _POOL,
    "ERX-Address-Pool-Name": _POOL,
    "Framed-IP-Address": "is set with --framed-ip, or leased from a pool",
    "Framed-IP-Netmask": "comes with an address of a pool",
    "Framed-IPv6-Prefix": _FIXED,
    "Framed-IPv6-Address": _FIXED,
    "Delegated-IPv6-Prefix": _FIXED,
    "Mikrotik-Recv-Limit": _ALLOWANCE,
    "Mikrotik-Recv-Limit-Gigawords": _ALLOWANCE,
    "Mikrotik-Xmit-Limit": _ALLOWANCE,
    "Mikrotik-Xmit-Limit-Gigawords": _ALLOWANCE,
    "Mikrotik-Total-Limit": _ALLOWANCE,
    "Mikrotik-Total-Limit-Gigawords": _ALLOWANCE,
    "ChilliSpot-Max-Input-Octets": _ALLOWANCE,
    "ChilliSpot-Max-Input-Gigawords": _ALLOWANCE,
    "ChilliSpot-Max-Output-Octets": _ALLOWANCE,
    "ChilliSpot-Max-Output-Gigawords": _ALLOWANCE,
    "ChilliSpot-Max-Total-Octets": _ALLOWANCE,
    "ChilliSpot-Max-Total-Gigawords": _ALLOWANCE,
    "Huawei-Remanent-Volume": _ALLOWANCE,
    **{
        f"Cambium-Traffic-Quota-Limit-{way}{high}": _ALLOWANCE
        for way in ("Up", "Down", "Total")
        for high in ("", "-Gigwords")
    },
}
# Only in requests and accounting (RFC 2865 5.44, 2866 5.13).
_OF_REQUESTS = re.compile(
    r"(Acct|NAS|Called-Station|Calling-Station|Event|Connect|Error)-.*", re.IGNORECASE
)
_IN_ACCEPTS = frozenset({"NAS-Filter-Rule", "NAS-Traffic-Rule"})
# They carry settings of all kinds, a pool among them, and are sent more than once.
_CARRIERS = frozenset({"Cisco-AVPair"})
_CARRIED = re.compile(r"(ip:)?(addr-pool|session-timeout|addr)\b", re.IGNORECASE)

_BITS = {
    "byte": 8, "uint8": 8, "short": 16, "uint16": 16, "integer": 32, "uint32": 32,
    "integer64": 64, "uint64": 64,
}  # fmt: skip
_IFID = re.compile(r"[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3}", re.IGNORECASE)
_ETHER = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_OCTETS = re.compile(r"0x(?:[0-9a-f]{2})+", re.IGNORECASE)
_OCTETS_TYPE = re.compile(r"octets(?:\[(\d+)\])?")


def check_allowed(
    attribute: DictionaryAttribute, find: Callable[[str], DictionaryAttribute | None]
) -> None:
    """Whether it may be set at all. `find` looks names up: what is refused under one name is
    refused under every other name of the same number."""
    name, vendor = attribute.name, attribute.vendor
    whole = attribute.number.partition(".")[0]
    number = int(whole, 0) if re.fullmatch(r"(0x)?[0-9a-fA-F]+", whole) else -1
    internal = not vendor and not 0 < number <= _LARGEST_STANDARD_NUMBER
    if internal or vendor in _INTERNAL_VENDORS or attribute.flags & {"virtual", "internal"}:
        raise ValueError(f"{name} is internal to FreeRADIUS and never sent to a NAS")
    for refused, why in REFUSED.items():
        known = find(refused)
        same = known is not None and (known.vendor, known.number) == (vendor, attribute.number)
        if same or refused == name:
            raise ValueError(f"{name} {why}")
    if vendor == "Microsoft" and name.upper().startswith("MS-"):
        raise ValueError(f"{name} {_LOGIN}")
    if attribute.flags & _SECRET_FLAGS:
        raise ValueError(f"{name} carries a secret, which is not kept in clear")
    if not vendor and name not in _IN_ACCEPTS and _OF_REQUESTS.fullmatch(name):
        raise ValueError(f"{name} is sent by a NAS, never to one")


def checked_tag(attribute: DictionaryAttribute, tag: str) -> str:
    """A tag (RFC 2868 3.1) as a number; '' is none."""
    if not tag:
        return ""
    if "has_tag" not in attribute.flags:
        raise ValueError(f"{attribute.name} has no tag: write the name without ':{tag}'")
    if not (tag.isascii() and tag.isdigit() and len(tag) < 3 and 1 <= int(tag) <= TAG_LIMIT):
        raise ValueError(f"the tag of {attribute.name} must be 1 to {TAG_LIMIT}")
    return str(int(tag))


def checked_operator(attribute: DictionaryAttribute, operator: str, value: str) -> str:
    """One of `Operator`; an attribute that carries many settings can only be added to."""
    if operator not in set(Operator):
        raise ValueError(
            "must be := (replaces what Tollway sends), = (only where it sends none) or += (beside)"
        )
    if attribute.name in _CARRIERS:
        if operator != Operator.ADD:
            raise ValueError(f"{attribute.name} can only be added: use +=")
        if _CARRIED.match(value):
            raise ValueError(f"{value.partition('=')[0]} of {attribute.name} is Tollway's to send")
    return operator


def checked_value(attribute: DictionaryAttribute, value: str) -> str:
    """The value in the form that FreeRADIUS reads for the attribute's type."""
    name, kind = attribute.name, attribute.type
    named = attribute.names.get(value.lower())
    if named is not None:
        return named
    limit = _VENDOR_OCTETS_LIMIT if attribute.vendor else _VALUE_OCTETS_LIMIT
    limit -= "has_tag" in attribute.flags
    if kind == "string":
        if not value or not value.isprintable() or len(value.encode()) > limit:
            raise ValueError(f"{name} takes 1 to {limit} octets of printable text")
        return value
    if sized := _OCTETS_TYPE.fullmatch(kind):
        octets = (len(value) - 2) // 2
        wanted = int(sized[1]) if sized[1] else octets
        if not _OCTETS.fullmatch(value) or not 0 < octets <= limit or octets != wanted:
            size = sized[1] or f"1 to {limit}"
            raise ValueError(f"{name} takes 0x and the hex digits of {size} octets")
        return value.lower()
    if kind in _BITS or kind == "signed":
        return _number(attribute, value)
    if kind in ("ether", "ifid"):
        pattern, example = {
            "ether": (_ETHER, "02:00:5e:10:00:01"),
            "ifid": (_IFID, "0:0:0:1"),
        }[kind]
        if not pattern.fullmatch(value):
            raise ValueError(f"{name} is written like {example}")
        return value.lower()
    return _address(attribute, value)


def _number(attribute: DictionaryAttribute, value: str) -> str:
    if attribute.type == "signed":
        low, high = -(2**31), 2**31 - 1
    else:
        bits = _BITS[attribute.type]
        low, high = 0, 2 ** (24 if "has_tag" in attribute.flags and bits == 32 else bits) - 1
    if re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII) and low <= int(value) <= high:
        return str(int(value))
    known = sorted(attribute.names.values())
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    raise ValueError(
        f"{attribute.name} takes a number from {low} to {high}"
        + (f", or a name: {shown}" if known else "")
    )


_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "ipaddr": (IPv4Address, "an IPv4 address"),
    "ipv6addr": (IPv6Address, "an IPv6 address"),
    "ipv4prefix": (IPv4Network, "an IPv4 prefix like 192.0.2.0/24, host bits clear"),
    "ipv6prefix": (IPv6Network, "an IPv6 prefix like 2001:db8:1::/48, host bits clear"),
}


def _address(attribute: DictionaryAttribute, value: str) -> str:
    kind = attribute.type
    if kind == "combo-ip":
        kind = "ipv6addr" if ":" in value else "ipaddr"
    if kind not in _READERS:
        raise ValueError(f"{attribute.name} is of type {attribute.type}, which cannot be set here")
    reader, wanted = _READERS[kind]
    if "%" in value:
        raise ValueError(f"{attribute.name} takes {wanted}, without a zone")
    try:
        return str(reader(value))
    except (AddressValueError, ValueError):
        raise ValueError(f"{attribute.name} takes {wanted}") from None
