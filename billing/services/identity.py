"""Checks of what makes a subscriber known: user name, credential, addresses (rules A1, A2)."""

from __future__ import annotations

import re
from ipaddress import ip_address

from billing.errors import InvalidInput
from billing.model.account import Credential
from billing.model.events import USERNAME_LIMIT, fold_station, fold_username
from billing.model.login_hours import parse_login_hours

PASSWORD_LIMIT_OCTETS = 128  # RFC 2865 5.2: User-Password
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAC = re.compile(r"[0-9a-f]{12}")
_PBKDF2 = re.compile(r"[A-Za-z0-9+\-_]+:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def checked_username(name: str) -> str:
    """Folded, 1 to 253 octets of UTF-8 without control characters; anything else is allowed."""
    folded = fold_username(_text(name, "username"))
    if not folded:
        raise InvalidInput("a user name is needed", field="username")
    if len(folded.encode()) > USERNAME_LIMIT:
        raise InvalidInput(f"longer than {USERNAME_LIMIT} octets", field="username")
    return folded


def checked_password(password: str) -> str:
    """1 to 128 octets of UTF-8 without control characters, kept as it is."""
    if not _text(password, "password"):
        raise InvalidInput("a password is needed", field="password")
    if len(password.encode()) > PASSWORD_LIMIT_OCTETS:
        raise InvalidInput(
            f"longer than {PASSWORD_LIMIT_OCTETS} octets, which RADIUS cannot carry",
            field="password",
        )
    return password


def checked_credential(password: str | None, nt_hash: str | None, pbkdf2: str | None) -> Credential:
    """At most one of: a password, an NT hash as 32 hex digits, a salted hash as rlm_pap reads it
    (`HMACSHA2+256:iterations:salt:hash`, each base64)."""
    if sum(value is not None for value in (password, nt_hash, pbkdf2)) > 1:
        raise InvalidInput("give one of password, NT hash and PBKDF2 hash", field="password")
    if password is not None:
        return Credential(cleartext=checked_password(password))
    if nt_hash is not None:
        if not re.fullmatch(r"[0-9a-fA-F]{32}", nt_hash):
            raise InvalidInput("an NT hash is 32 hex digits", field="nt_hash")
        return Credential(nt_hash=bytes.fromhex(nt_hash))
    if pbkdf2 is not None and not _PBKDF2.fullmatch(pbkdf2):
        raise InvalidInput(
            "write it like HMACSHA2+256:iterations:salt:hash, each part in base64", field="pbkdf2"
        )
    return Credential(pbkdf2=pbkdf2)


def checked_address(address: str, field: str = "framed_ip") -> str:
    """One IPv4 or IPv6 address, in its usual form."""
    try:
        return str(ip_address(address.strip()))
    except ValueError:
        raise InvalidInput(f"{address!r} is not an address", field=field) from None


def checked_mac(mac: str) -> str:
    """A MAC with any separator as 12 lower-case hex digits."""
    folded = fold_station(mac)
    if not is_mac(folded):
        raise InvalidInput(f"{mac!r} is not a MAC address (write 02:00:5e:10:00:01)", field="mac")
    return folded


def is_mac(station: str) -> bool:
    """Whether a station, folded, is a MAC address."""
    return _MAC.fullmatch(station) is not None


def checked_login_hours(text: str) -> str:
    """Login-hours like `mon-fri 08:00-20:00, sat 09:00-24:00` (rule A4)."""
    try:
        parse_login_hours(text)
    except ValueError as error:
        raise InvalidInput(str(error), field="login_hours") from None
    return text


def checked_number(value: int | None, field: str) -> None:
    """Raises InvalidInput where a limit is not a whole number from 1 on; None is no limit."""
    if value is not None and not 1 <= value < 2**32:
        raise InvalidInput("must be at least 1", field=field)


def checked_name(name: str, field: str = "name") -> str:
    """A name for people to read: not empty, at most 200 characters, no control characters."""
    name = _text(name, field).strip()
    if not name:
        raise InvalidInput("a name is needed", field=field)
    if len(name) > 200:
        raise InvalidInput("longer than 200 characters", field=field)
    return name


def checked_optional(text: str | None, field: str) -> str | None:
    """Free text; blank counts as absent."""
    stripped = _text(text or "", field).strip()
    if len(stripped) > 200:
        raise InvalidInput("longer than 200 characters", field=field)
    return stripped or None


def _text(text: str, field: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("not UTF-8", field=field) from None
    if _CONTROL.search(text):
        raise InvalidInput("control characters are not allowed", field=field)
    return text
