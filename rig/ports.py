"""Free ports on loopback."""

from __future__ import annotations

import secrets
import socket

# Below what the kernel gives to sockets that ask for no port: one found free here is not taken by
# somebody's outgoing packet before it is used.
_FIRST_PORT = 15_000
_PORTS = 15_000
_ATTEMPTS = 1_000


def free_udp_port(address: str = "127.0.0.1") -> int:
    """A UDP port nobody has bound on *address* at this moment; OSError when there is none."""
    return _free_port(address, udp=True)


def free_tcp_port(address: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment; OSError when there is none."""
    return _free_port(address, udp=False)


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


def _free_port(address: str, *, udp: bool) -> int:
    for _ in range(_ATTEMPTS):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        if port_is_free(port, udp=udp, address=address):
            return port
    raise OSError(f"no free port on {address}")
