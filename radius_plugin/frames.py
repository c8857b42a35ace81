"""Messages between radiusd and its decision processes: marshalled, with their length before them.

Both ends are the same interpreter and the same code; nobody else has the socket.
"""

from __future__ import annotations

import marshal
from socket import socket
from typing import Any

_LENGTH_OCTETS = 4


def send(wire: socket, message: Any) -> None:
    """Send plain values: tuples, lists, texts, octets, numbers. Raises OSError."""
    body = marshal.dumps(message)
    wire.sendall(len(body).to_bytes(_LENGTH_OCTETS, "big") + body)


def receive(wire: socket) -> Any:
    """Wait for a message. Raises EOFError when the other end has gone, OSError."""
    length = int.from_bytes(_exactly(wire, _LENGTH_OCTETS), "big")
    return marshal.loads(_exactly(wire, length))  # noqa: S302  # nosec B302


def _exactly(wire: socket, octets: int) -> bytes:
    part = wire.recv(octets)
    if len(part) == octets:  # nearly always
        return part
    parts = [part]
    left = octets - len(part)
    while left:
        if not part:
            raise EOFError("the other end has closed the connection")
        part = wire.recv(left)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
