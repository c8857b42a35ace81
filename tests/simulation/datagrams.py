"""Accounting-Requests octet by octet, as NAS of all kinds send them (RFC 2866, 2869)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import md5 as hashlib_md5
from random import Random

from tests.simulation.traffic import NOBODY, START, Nas, Packet

ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
USER_NAME, NAS_ADDRESS, STATUS_TYPE, DELAY_TIME = 1, 4, 40, 41
INPUT, OUTPUT, SESSION_ID, SESSION_TIME, CAUSE = 42, 43, 44, 46, 49
INPUT_HIGH, OUTPUT_HIGH, EVENT_TIMESTAMP = 52, 53, 55
CAUSES = {"User-Request": 1, "Lost-Carrier": 2, "NAS-Reboot": 11}
_MALFORMED = b"\x01\x02"
md5 = partial(hashlib_md5, usedforsecurity=False)  # the protocol's own


@dataclass(frozen=True)
class Sent:
    """A request, and what it tells about its instant (U6)."""

    packet: Packet
    delay_seconds: int | None
    stamp: datetime | None
    octets: bytes


def accounting_request(
    packet: Packet,
    nas: Nas,
    sent_at: datetime,
    *,
    username: str,
    secret: bytes,
    identifier: int,
    swaps: bool,
    rng: Random,
) -> Sent:
    """One copy of a packet, sent now: another one has another delay, a resend has not."""
    delay, stamp = nas.clock.told(packet.happened_at, sent_at)
    body = [_number(STATUS_TYPE, packet.status)]
    if packet.subscriber != NOBODY:
        body += [_attribute(USER_NAME, username.encode())]
        body += [_attribute(SESSION_ID, packet.sid.encode())]
        body += _counters(packet, swaps, rng)
    if delay is not None:
        body.append(_number(DELAY_TIME, delay))
    if stamp is not None:
        body.append(_number(EVENT_TIMESTAMP, int(stamp.timestamp())))
    if packet.cause is not None:
        body.append(_number(CAUSE, CAUSES[packet.cause]))
    attributes = b"".join(body)
    head = struct.pack("!BBH", ACCOUNTING_REQUEST, identifier, 20 + len(attributes))
    authenticator = md5(head + bytes(16) + attributes + secret).digest()
    return Sent(packet, delay, stamp, head + authenticator + attributes)


def _counters(packet: Packet, swaps: bool, rng: Random) -> list[bytes]:
    found = []
    if packet.seconds is not None:
        found.append(_number(SESSION_TIME, packet.seconds))
    sent, received = packet.input_octets, packet.output_octets
    if swaps:
        sent, received = received, sent
    for octets, low, high in ((sent, INPUT, INPUT_HIGH), (received, OUTPUT, OUTPUT_HIGH)):
        if octets is not None:
            found.append(_number(low, octets % 2**32))
        elif packet.status != START and rng.random() < 0.5:
            found.append(_attribute(low, _MALFORMED))  # as good as absent (U4)
        if packet.has_gigawords:
            found.append(_number(high, (octets or 0) >> 32))
    return found


def is_answer(answer: bytes, asked: bytes, secret: bytes) -> bool:
    """Whether this is the genuine Accounting-Response to a request."""
    signed = md5(answer[:4] + asked[4:20] + answer[20:] + secret).digest()
    return answer[0] == ACCOUNTING_RESPONSE and answer[1] == asked[1] and answer[4:20] == signed


def _attribute(number: int, value: bytes) -> bytes:
    return bytes((number, 2 + len(value))) + value


def _number(number: int, value: int) -> bytes:
    return struct.pack("!BBI", number, 6, value)
