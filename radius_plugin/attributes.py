"""RADIUS pairs → typed requests (rules U4, U6, U8, U12, F5). Nothing here raises on any packet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from billing.model.events import (
    COUNTER_LIMIT,
    USERNAME_LIMIT,
    AccessRequest,
    AccountingRecord,
    Status,
    Unusable,
    UnusableRecord,
    fold_station,
    fold_username,
)
from billing.model.making import maker
from billing.model.network import VOUCHER_NAME, Link, NasTraits, is_vouchers
from billing.model.vouchers import LOGIN_PREFIX
from billing.services.metering import event_time, total_octets
from radius_plugin import pairs as p

RAW_LIMIT = 1_000
DEAD_LETTER_LIMIT = 4_000
# Sessions longer than ten years are a NAS's −1, not time that anybody was online.
SESSION_SECONDS_LIMIT = 10 * 366 * 86_400
# A value for "no source"; nothing listens on it.
UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  # nosec B104

_STATUSES = {
    "Start": Status.START,
    "Stop": Status.STOP,
    "Interim-Update": Status.INTERIM,
    "Alive": Status.INTERIM,
    "Accounting-On": Status.ON,
    "Accounting-Off": Status.OFF,
}
# An attribute of a wrong length arrives under its number, as octets (radius.md F4).
_NUMBERED = {
    "Attr-8": "Framed-IP-Address",
    "Attr-41": "Acct-Delay-Time",
    "Attr-42": "Acct-Input-Octets",
    "Attr-43": "Acct-Output-Octets",
    "Attr-46": "Acct-Session-Time",
    "Attr-52": "Acct-Input-Gigawords",
    "Attr-53": "Acct-Output-Gigawords",
    "Attr-55": "Event-Timestamp",
    "Attr-97": "Framed-IPv6-Prefix",
    "Attr-123": "Delegated-IPv6-Prefix",
    "Attr-168": "Framed-IPv6-Address",
}
_NUMBERS = frozenset(_NUMBERED)
# What a NAS sends while it has no address to tell (RFC 2865 5.8).
_NO_ADDRESS = frozenset({"0.0.0.0", "255.255.255.254", "255.255.255.255"})  # noqa: S104  # nosec B104


_make_request, _make_record = maker(AccessRequest), maker(AccountingRecord)


class _Oddities:
    """What could not be used of one record: codes, and the values as they came."""

    __slots__ = ("codes", "kept")

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.kept: list[str] = []

    def add(self, code: str, name: str, value: str) -> None:
        self.codes.append(code)
        self.kept.append(f"{name}={value}")

    def raw(self) -> str | None:
        return p.storable("; ".join(self.kept), RAW_LIMIT) if self.kept else None


def access_request(pairs: p.Pairs) -> AccessRequest:
    """An Access-Request. `username` is empty when it is absent, too long or not UTF-8
    (Reason.BAD_REQUEST); `nas_address` is empty when the source is not known."""
    values = p.first_values(pairs)
    get = values.get
    sent_username = p.storable(get("User-Name", ""), USERNAME_LIMIT + 1)
    username = fold_username(sent_username)
    return _make_request(
        username if len(username) <= USERNAME_LIMIT else "",
        p.address(get("Tollway-Client-Address")) or "",
        _station(get("Calling-Station-Id")),
        _station(get("Called-Station-Id")),
        _text(get("NAS-Port-Id")),
        _link(values),
        sent_username,
    )


def _link(values: dict[str, str]) -> Link:
    """PPP says so; a hotspot gateway tells the address of a host that has one before it logs in."""
    if values.get("Framed-Protocol") == "PPP":
        return Link.PPP
    return Link.HOTSPOT if "Mikrotik-Host-IP" in values else Link.OTHER


def accounting_record(
    pairs: p.Pairs, arrived_at: datetime, nas: NasTraits
) -> AccountingRecord | UnusableRecord:
    """An Accounting-Request, bounded and typed; absent or absurd values are None (rule U4)."""
    values = p.first_values(pairs)
    get = values.get
    nas_address = p.address(get("Tollway-Client-Address"))
    status = _STATUSES.get(get("Acct-Status-Type", ""))
    if status is None or nas_address is None:
        reason = Unusable.UNKNOWN_STATUS if status is None else Unusable.NO_SOURCE
        return _unusable(reason, pairs, arrived_at, nas_address)
    if status >= Status.ON:
        sent_username = username = session_id = ""
    else:
        sent_username = get("User-Name", "")
        username = fold_username(p.storable(sent_username, USERNAME_LIMIT + 1))
        session_id = p.storable(get("Acct-Session-Id", ""), p.TEXT_LIMIT + 1)
        if not (0 < len(username) <= USERNAME_LIMIT and 0 < len(session_id) <= p.TEXT_LIMIT):
            reason = _why_unusable(values, username, session_id)
            return _unusable(reason, pairs, arrived_at, nas_address)

    if not _NUMBERS.isdisjoint(values):
        _restore_numbered(values)
    odd = _Oddities()
    if "Tollway-Malformed" in values:
        _note_unreadable(values, odd)
    event = event_time(
        arrived_at,
        _number(values, "Acct-Delay-Time", COUNTER_LIMIT, odd),
        _instant(values, "Event-Timestamp", odd),
    )
    if event.anomalies:
        _keep_times(values, event.anomalies, odd)
    input_octets, input_high = _octets(values, "Acct-Input-Octets", "Acct-Input-Gigawords", odd)
    output_octets, output_high = _octets(values, "Acct-Output-Octets", "Acct-Output-Gigawords", odd)
    if nas.swap_octets:
        input_octets, output_octets = output_octets, input_octets
    session_seconds = _number(values, "Acct-Session-Time", SESSION_SECONDS_LIMIT, odd)
    if status is Status.INTERIM or status is Status.STOP:
        _note_absent(values, odd)
    session_class = get("Class")
    if session_class is not None:
        session_class = _class_text(session_class)
        if is_vouchers(session_class) and not username.startswith(LOGIN_PREFIX):
            # The name is the code, which is kept nowhere: the Class tells whose it is (rule R3).
            sent_username = username = VOUCHER_NAME
    return _make_record(
        status=status,
        username=username,
        nas_address=nas_address,
        acct_session_id=session_id,
        arrived_at=arrived_at,
        event_at=event.at,
        precise_time=event.precise,
        session_seconds=session_seconds,
        input_octets=input_octets,
        output_octets=output_octets,
        has_gigawords=input_high or output_high,
        framed_ip=_framed_ip(values, odd),
        framed_ipv6_prefix=_checked(values, "Framed-IPv6-Prefix", p.ipv6_prefix, odd),
        framed_ipv6_address=_checked(values, "Framed-IPv6-Address", p.ipv6_address, odd),
        delegated_ipv6_prefix=_checked(values, "Delegated-IPv6-Prefix", p.ipv6_prefix, odd),
        framed_interface_id=_text(get("Framed-Interface-Id")),
        calling_station=_station(get("Calling-Station-Id")),
        called_station=_station(get("Called-Station-Id")),
        nas_port_id=_text(get("NAS-Port-Id")),
        session_class=session_class,
        terminate_cause=_text(get("Acct-Terminate-Cause")),
        anomalies=tuple(odd.codes),
        raw=odd.raw(),
        sent_username=p.storable(sent_username),
    )


def _octets(
    values: dict[str, str], low_name: str, high_name: str, odd: _Oddities
) -> tuple[int | None, bool]:
    """One direction's counter, and whether its gigawords were sent."""
    low = _number(values, low_name, COUNTER_LIMIT, odd)
    if high_name not in values:
        return (None if low is None else _bounded(low, 0, low_name, odd)), False
    high = _number(values, high_name, COUNTER_LIMIT, odd)
    if low is None or high is None:
        return None, True
    return _bounded(low, high, low_name, odd), True


def _bounded(low: int, high: int, low_name: str, odd: _Oddities) -> int | None:
    total = total_octets(low, high)
    if total is None:
        odd.add(f"bad-{low_name.lower()}", low_name, f"{high}*2^32+{low}")
    return total


def _number(values: dict[str, str], name: str, limit: int, odd: _Oddities) -> int | None:
    text = values.get(name)
    if text is None:
        return None
    value = p.number(text, limit)
    if value is None:
        odd.add(f"bad-{name.lower()}", name, text)
    return value


def _instant(values: dict[str, str], name: str, odd: _Oddities) -> datetime | None:
    text = values.get(name)
    if text is None:
        return None
    value = p.instant(text)
    if value is None:
        odd.add(f"bad-{name.lower()}", name, text)
    return value


def _checked(
    values: dict[str, str], name: str, check: Callable[[str], str | None], odd: _Oddities
) -> str | None:
    text = values.get(name)
    if text is None:
        return None
    value = check(text)
    if value is None:
        odd.add(f"bad-{name.lower()}", name, text)
    return value


def _framed_ip(values: dict[str, str], odd: _Oddities) -> str | None:
    framed_ip = _checked(values, "Framed-IP-Address", p.ipv4_address, odd)
    return None if framed_ip in _NO_ADDRESS else framed_ip


def _restore_numbered(values: dict[str, str]) -> None:
    """Put octets of a wrong length under the attribute's name, where they count as malformed."""
    for number in _NUMBERS.intersection(values):
        values.setdefault(_NUMBERED[number], values[number])


def _note_unreadable(values: dict[str, str], odd: _Oddities) -> None:
    """Texts that stay octets because they are not UTF-8 (radius.md F5)."""
    for raw_name, name in p.RAW_TEXTS:
        if raw_name in values and name not in values:
            odd.add(f"bad-{name.lower()}", name, values[raw_name])


def _note_absent(values: dict[str, str], odd: _Oddities) -> None:
    """An Interim or Stop has to carry these (RFC 2866 5.13); absent is not zero (rule U4)."""
    for name in ("Acct-Session-Time", "Acct-Input-Octets", "Acct-Output-Octets"):
        if name not in values:
            odd.codes.append(f"no-{name.lower()}")


def _keep_times(values: dict[str, str], codes: tuple[str, ...], odd: _Oddities) -> None:
    """Raw values of a time that was corrected (rule U6)."""
    odd.codes.extend(codes)
    for name in ("Acct-Delay-Time", "Event-Timestamp"):
        if name in values:
            odd.kept.append(f"{name}={values[name]}")


def _text(value: str | None) -> str | None:
    return p.storable(value) if value else None


def _station(value: str | None) -> str | None:
    return fold_station(p.storable(value)) if value else None


def _class_text(value: str) -> str:
    """Our own Class is ASCII; anybody else's stays in hexadecimal."""
    text = p.octets_as_text(value)
    return p.storable(text if text is not None and text.isprintable() else value)


def _of_voucher(pairs: p.Pairs) -> bool:
    return any(name == "Class" and is_vouchers(_class_text(text)) for name, text in pairs or ())


def _why_unusable(values: dict[str, str], username: str, session_id: str) -> Unusable:
    unreadable_name = "User-Name" not in values and "Tollway-Raw-User-Name" in values
    if unreadable_name or len(username) > USERNAME_LIMIT:
        return Unusable.BAD_USERNAME
    if not username:
        return Unusable.NO_USERNAME
    if session_id or "Tollway-Raw-Acct-Session-Id" in values:
        return Unusable.BAD_SESSION_ID
    return Unusable.NO_SESSION_ID


def _unusable(
    reason: Unusable, pairs: p.Pairs, arrived_at: datetime, nas_address: str | None
) -> UnusableRecord:
    hidden = "User-Name" if _of_voucher(pairs) else "Password"
    shown = "; ".join(
        f"{name}={value}"
        for name, value in pairs or ()
        if "Password" not in name and hidden not in name
    )
    return UnusableRecord(
        reason, nas_address or UNKNOWN_ADDRESS, arrived_at, p.storable(shown, DEAD_LETTER_LIMIT)
    )
