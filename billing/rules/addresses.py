"""Which email addresses and telephone numbers can be written to."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address

ADDRESS_LIMIT = 254  # RFC 5321 4.5.3.1.3, less the brackets
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def address_problem(address: str) -> str | None:
    """Why this is no email address that mail can be sent to (RFC 5321); None when it is one."""
    if len(address) > ADDRESS_LIMIT:
        return f"longer than {ADDRESS_LIMIT} characters"
    if not address.isascii() or not address.isprintable() or " " in address:
        return "must be plain ASCII without spaces"
    try:
        parsed = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        return "is not an email address (write it like name@example.net)"
    if not parsed.username or not parsed.domain or parsed.addr_spec != address:
        return "is not an email address (write it like name@example.net)"
    return None


def number_problem(number: str) -> str | None:
    """Why this is no telephone number that the whole world can dial (E.164: the country first, 15
    digits at most); None when it is one."""
    if _NUMBER.fullmatch(number) is None:
        return "is not a telephone number with its country (write it like +34600123456)"
    return None
