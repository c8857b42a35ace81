"""RADIUS requests as bytes, encoded before the clock runs (RFC 2865, 2866, 2869)."""

from __future__ import annotations

import hmac
import os
import struct
import time
from hashlib import md5
from typing import Literal

from . import workload

Kind = Literal["auth", "start", "interim", "stop"]
KINDS: tuple[Kind, ...] = ("auth", "start", "interim", "stop")

ACCESS_REQUEST, ACCESS_ACCEPT = 1, 2
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
_STATUS_TYPE: dict[Kind, int] = {"start": 1, "stop": 2, "interim": 3}
_HEADER_OCTETS = 20


def _text(code: int, value: str) -> bytes:
    data = value.encode()
    return bytes((code, len(data) + 2)) + data


def _number(code: int, value: int) -> bytes:
    return struct.pack("!BBI", code, 6, value)


def _octets(code: int, gigawords_code: int, value: int) -> bytes:
    return _number(code, value & 0xFFFFFFFF) + _number(gigawords_code, value >> 32)


def _hide_password(password: str, authenticator: bytes, secret: bytes) -> bytes:
    data = password.encode()
    data += b"\0" * (-len(data) % 16)
    hidden = b""
    last = authenticator
    for at in range(0, len(data), 16):
        mask = md5(secret + last, usedforsecurity=False).digest()
        last = bytes(a ^ b for a, b in zip(data[at : at + 16], mask, strict=True))
        hidden += last
    return bytes((2, len(hidden) + 2)) + hidden


def _port(user: int, generation: int) -> bytes:
    """What a PPPoE concentrator sends about the port in both kinds of requests."""
    return b"".join(
        (
            _text(1, workload.user_name(user)),
            _number(4, int(workload.NAS_ADDRESS)),
            _number(5, user),
            _number(61, 15),  # NAS-Port-Type = Ethernet
            _number(6, 2),  # Service-Type = Framed-User
            _number(7, 1),  # Framed-Protocol = PPP
            _text(30, "bench-uplink"),
            _text(31, workload.mac(user)),
            _text(44, workload.session_id(user, generation)),
        )
    )


def access_request(identifier: int, user: int, generation: int) -> bytes:
    """A PAP Access-Request with Message-Authenticator, as a patched NAS sends it."""
    secret = workload.SECRET
    authenticator = os.urandom(16)
    attributes = _port(user, generation) + _hide_password(
        workload.password(user), authenticator, secret
    )
    length = _HEADER_OCTETS + 18 + len(attributes)
    header = struct.pack("!BBH", ACCESS_REQUEST, identifier, length) + authenticator
    unsigned = header + b"\x50\x12" + bytes(16) + attributes
    signature = hmac.digest(secret, unsigned, "md5")
    return header + b"\x50\x12" + signature + attributes


def accounting_request(
    kind: Kind, identifier: int, user: int, generation: int, step: int, began_at: int
) -> bytes:
    """An Accounting-Request whose counters are those of *step*.

    *began_at*: start of the session, Unix seconds. The clock of the sessions is one of its own;
    the delay tells so, as a NAS that was cut off from its server does.
    """
    usage = workload.usage_at(user, step)
    event_at = began_at + usage.seconds
    parts = [
        _number(40, _STATUS_TYPE[kind]),
        _port(user, generation),
        _number(45, 1),  # Acct-Authentic = RADIUS
        _number(8, int(workload.framed_address(user))),
        _number(55, event_at),
        _number(41, max(0, int(time.time()) - event_at)),
    ]
    if kind != "start":
        parts.append(_number(46, usage.seconds))
        parts.append(_octets(42, 52, usage.input_octets))
        parts.append(_octets(43, 53, usage.output_octets))
    if kind == "stop":
        parts.append(_number(49, 1))  # Acct-Terminate-Cause = User-Request
    attributes = b"".join(parts)
    start = struct.pack("!BBH", ACCOUNTING_REQUEST, identifier, _HEADER_OCTETS + len(attributes))
    unsigned = start + bytes(16) + attributes
    authenticator = md5(unsigned + workload.SECRET, usedforsecurity=False).digest()
    return start + authenticator + attributes


def request(
    kind: Kind, identifier: int, user: int, generation: int, step: int, began_at: int
) -> bytes:
    """The request of one phase."""
    if kind == "auth":
        return access_request(identifier, user, generation)
    return accounting_request(kind, identifier, user, generation, step, began_at)


def answer_is_genuine(answer: bytes, asked: bytes) -> bool:
    """Whether *answer* carries the Response Authenticator for the request *asked*."""
    expected = md5(
        answer[:4] + asked[4:20] + answer[20:] + workload.SECRET, usedforsecurity=False
    ).digest()
    return answer[4:20] == expected
