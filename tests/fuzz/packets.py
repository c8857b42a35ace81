"""Random RADIUS packets: genuine ones with any content, and broken ones that no NAS would sign.

All is drawn from one seeded generator, so that a seed replays its packets.
"""

from __future__ import annotations

import hmac
from functools import partial
from hashlib import md5 as hashlib_md5
from random import Random

ACCESS_REQUEST, ACCESS_ACCEPT, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 2, 4, 5
USER_NAME, CHAP_PASSWORD, PROXY_STATE, STATUS_TYPE, SESSION_ID = 1, 3, 33, 40, 44
CHAP_CHALLENGE, EAP_MESSAGE, MESSAGE_AUTHENTICATOR, FILTER_RULE = 60, 79, 80, 92
HEAD_OCTETS = 20
PACKET_OCTETS = 4096

Attribute = tuple[int, bytes]
md5 = partial(hashlib_md5, usedforsecurity=False)  # the protocol's own

# Those that a hook or a module reads: numbers, addresses, texts, credentials, EAP, vendors' own.
_READ = [
    *(1, 2, 3, 4, 5, 6, 7, 8, 18, 24, 25, 26, 27, 30, 31, 32, 33, 40, 41, 42, 43, 44, 45, 46, 47),
    *(48, 49, 50, 51, 52, 53, 55, 60, 61, 79, 87, 95, 96, 97, 123, 168, 241, 245, 246),
]
_NUMBERS = [0, 1, 2, 3, 7, 8, 60, 2**31 - 1, 2**31, 2**32 - 1]
_VENDORS = [14988, 311, 11344, 14122, 9999]
_STATUSES = [1, 2, 3, 3, 3, 7, 8, 99]
_TEXTS = [b"", b"\0", b"caf\xe9\xff", b"%{User-Name}`id`", "ж€\U0001f600".encode(), b"a" * 253]
_FOREIGN_CODES = (0, 2, 3, 5, 11, 12, 13, 40, 43, 255)


def record(draw: Random, usernames: list[bytes]) -> list[Attribute]:
    """Content of an Accounting-Request; most could be meant seriously.

    FreeRADIUS drops packets with EAP-Message and no Message-Authenticator (RFC 3579 3.1), and with
    an empty NAS-Filter-Rule (RFC 4849): neither is drawn.
    """
    head: list[Attribute] = []
    if draw.random() < 0.8:
        head = [
            (STATUS_TYPE, draw.choice(_STATUSES).to_bytes(4, "big")),
            (USER_NAME, draw.choice([*usernames, _value(draw)])),
            (SESSION_ID, draw.choice([b"a", b"b", b"c", _value(draw)])),
        ]
    more = [pair for pair in _attributes(draw) if pair[0] not in (EAP_MESSAGE, FILTER_RULE)]
    return _fitting(head + more)


def login(draw: Random, usernames: list[bytes]) -> list[Attribute]:
    """Content of an Access-Request that holds no right password."""
    name = draw.choice([*usernames, _value(draw)])
    return _fitting([(USER_NAME, name), *_attributes(draw)])


def accounting(identifier: int, attributes: list[Attribute], key: bytes) -> bytes:
    """An Accounting-Request as a NAS with this secret sends it."""
    return _signed(ACCOUNTING_REQUEST, identifier, _encoded(attributes), key)


def access(draw: Random, identifier: int, attributes: list[Attribute], key: bytes) -> bytes:
    """An Access-Request with a right Message-Authenticator."""
    body = bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16) + _encoded(attributes)
    head = _head(ACCESS_REQUEST, identifier, body) + draw.randbytes(16)
    signature = hmac.new(key, head + body, "md5").digest()
    return head + body[:2] + signature + body[18:]


def broken(
    draw: Random, code: int, identifier: int, attributes: list[Attribute], key: bytes
) -> bytes:
    """A packet that no NAS sends: changed after it was signed, or signed although it is none."""
    way = draw.choice(["flip", "cut", "length", "attribute", "garbage", "code"])
    if way == "garbage":
        return draw.randbytes(draw.randrange(80))
    if way == "code":
        return _signed(draw.choice(_FOREIGN_CODES), identifier, _encoded(attributes), key)
    if way == "attribute":
        # Lengths that cannot be, and the number that is none.
        tail = draw.choice([b"\1\0", b"\1\1", b"\1\xff", b"\1", b"\0\6abcd"])
        return _signed(ACCOUNTING_REQUEST, identifier, _encoded(attributes) + tail, key)
    if code == ACCESS_REQUEST:
        whole = bytearray(access(draw, identifier, attributes, key))
    else:
        whole = bytearray(accounting(identifier, attributes, key))
    at = draw.randrange(len(whole))
    if way == "cut":
        return bytes(whole[:at])
    if way == "length":
        whole[2:4] = (len(whole) ^ draw.randrange(1, 2**16)).to_bytes(2, "big")
    else:
        whole[at] ^= draw.randrange(1, 256)
    return bytes(whole)


def _attributes(draw: Random) -> list[Attribute]:
    count = draw.choice([0, 1, 3, 6, 12, 40])
    return [
        (draw.choice(_READ) if draw.random() < 0.8 else draw.randrange(1, 256), _value(draw))
        for _ in range(count)
    ]


def _value(draw: Random) -> bytes:
    way = draw.random()
    if way < 0.3:
        return draw.choice(_NUMBERS).to_bytes(4, "big")
    if way < 0.4:
        return draw.randbytes(4)
    if way < 0.6:
        return draw.choice(_TEXTS)
    if way < 0.7:
        return draw.choice(_VENDORS).to_bytes(4, "big") + draw.randbytes(draw.randrange(60))
    return draw.randbytes(draw.randrange(254))


def _encoded(attributes: list[Attribute]) -> bytes:
    return b"".join(bytes((number, 2 + len(value))) + value for number, value in attributes)


def _head(code: int, identifier: int, body: bytes) -> bytes:
    return bytes((code, identifier)) + (HEAD_OCTETS + len(body)).to_bytes(2, "big")


def _signed(code: int, identifier: int, body: bytes, key: bytes) -> bytes:
    head = _head(code, identifier, body)
    return head + md5(head + bytes(16) + body + key).digest() + body


def _fitting(attributes: list[Attribute]) -> list[Attribute]:
    """Without a Message-Authenticator (which would be wrong), and as many as one packet holds."""
    left, chosen = PACKET_OCTETS - HEAD_OCTETS - 40, []
    for number, value in attributes:
        left -= 2 + len(value)
        if number != MESSAGE_AUTHENTICATOR and left >= 0:
            chosen.append((number, value))
    return chosen
