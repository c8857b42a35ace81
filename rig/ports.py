"""Free ports on loopback."""

from __future__ import annotations

import socket


def free_udp_port(address: str = "127.0.0.1") -> int:
    """A UDP port nobody has bound on *address* at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def free_tcp_port(address: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int, *, udp: bool, address: str = "127.0.0.1") -> bool:
    """Whether *port* could be bound right now."""
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if not udp:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
