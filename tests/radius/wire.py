"""Requests octet by octet, for what no honest NAS would send."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from functools import partial
from hashlib import md5 as hashlib_md5

from rig.nas import SimulatedNas

USER_NAME, USER_PASSWORD, STATUS_TYPE, DELAY_TIME = 1, 2, 40, 41
INPUT_OCTETS, OUTPUT_OCTETS, SESSION_ID, SESSION_TIME = 42, 43, 44, 46
INPUT_GIGAWORDS, OUTPUT_GIGAWORDS, EVENT_TIMESTAMP, EAP_MESSAGE = 52, 53, 55, 79
START, STOP, INTERIM = (number.to_bytes(4, "big") for number in (1, 2, 3))

Attribute = tuple[int, bytes]
md5 = partial(hashlib_md5, usedforsecurity=False)  # the protocol's own


def account(nas: SimulatedNas, *attributes: Attribute, seconds: float = 8.0) -> bool:
    """Send one Accounting-Request; True when a genuine Accounting-Response came in time."""
    body = _encode(attributes)
    head = bytes((4, secrets.randbelow(256))) + (20 + len(body)).to_bytes(2, "big")
    authenticator = md5(head + bytes(16) + body + nas.secret).digest()
    answer = _exchange(nas, nas.acct_port, head + authenticator + body, seconds)
    if answer is None:
        return False
    expected = md5(answer[:4] + authenticator + answer[20:] + nas.secret).digest()
    return answer[0] == 5 and answer[1] == head[1] and answer[4:20] == expected


def log_in(
    nas: SimulatedNas, username: bytes, password: bytes, *attributes: Attribute
) -> tuple[int, bytes] | None:
    """Send one PAP login; the code and the Reply-Message of the answer, None when none came."""
    authenticator = os.urandom(16)
    padded = password.ljust(-(-len(password) // 16) * 16, b"\0")
    hidden, last = b"", authenticator
    for at in range(0, len(padded), 16):
        pad = md5(nas.secret + last).digest()
        last = bytes(a ^ b for a, b in zip(padded[at : at + 16], pad, strict=True))
        hidden += last
    names = [(USER_NAME, username)] if username else []
    return _ask(nas, authenticator, [*names, (USER_PASSWORD, hidden), *attributes])


def begin_eap(nas: SimulatedNas, name: bytes) -> tuple[int, bytes] | None:
    """Send the first packet of EAP (an Identity) and leave it at that; as `log_in`."""
    identity = bytes((2, 1)) + (5 + len(name)).to_bytes(2, "big") + b"\x01" + name
    return _ask(nas, os.urandom(16), [(USER_NAME, name), (EAP_MESSAGE, identity)])


def _ask(
    nas: SimulatedNas, authenticator: bytes, attributes: list[Attribute]
) -> tuple[int, bytes] | None:
    """An Access-Request with its Message-Authenticator."""
    body = _encode(attributes) + bytes((80, 18))
    head = bytes((1, secrets.randbelow(256))) + (20 + len(body) + 16).to_bytes(2, "big")
    signature = hmac.new(nas.secret, head + authenticator + body + bytes(16), "md5").digest()
    answer = _exchange(nas, nas.auth_port, head + authenticator + body + signature, 8.0)
    if answer is None:
        return None
    return answer[0], _decode(answer[20:]).get(18, b"")


def _exchange(nas: SimulatedNas, port: int, datagram: bytes, seconds: float) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((nas.address, 0))
        wire.settimeout(seconds)
        wire.sendto(datagram, (nas.server, port))
        try:
            return wire.recv(4096)
        except TimeoutError:
            return None


def _encode(attributes: tuple[Attribute, ...] | list[Attribute]) -> bytes:
    return b"".join(bytes((number, 2 + len(value))) + value for number, value in attributes)


def _decode(body: bytes) -> dict[int, bytes]:
    found = {}
    while body:
        found.setdefault(body[0], body[2 : body[1]])
        body = body[body[1] :]
    return found
