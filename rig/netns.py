"""Network namespaces joined by virtual cables: networks of their own for real NAS software.

Only root can make them; they are gone with `close`, and nothing of the machine's own network is
touched.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CLONE_NEWNET = 0x40000000
_NAMED = Path("/run/netns")
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One named namespace with loopback up, IPv4 only and forwarding on.

    IPv6 is off, as its neighbour discovery would add packets of its own to every counter.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        _command("ip", "netns", "add", name)
        try:
            for path, value in (
                ("ipv6/conf/all/disable_ipv6", 1),
                ("ipv6/conf/default/disable_ipv6", 1),
                ("ipv4/ip_forward", 1),
            ):
                self.set(path, value)
            self.run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give it up; the kernel ends it when the last process in it has ended."""
        _command("ip", "netns", "delete", self.name)

    def argv(self, *command: str) -> list[str]:
        """The command line that runs *command* inside; its process id is the program's own."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str) -> str:
        """Run a short command inside; its output. Raises RuntimeError with it on failure."""
        return _command(*self.argv(*command))

    def set(self, path: str, value: int) -> None:
        """Set a value below /proc/sys/net of this namespace."""
        with self.entered():
            Path("/proc/sys/net", path).write_text(f"{value}\n", encoding="ascii")

    def cable(self, other: Namespace, here: str, there: str) -> None:
        """Join two namespaces: *here* and *there* are the ends' addresses, with prefix length.

        The ends are named after the namespace at the other side.
        """
        peer = ("peer", "name", self.name, "netns", other.name)
        self.run("ip", "link", "add", other.name, "type", "veth", *peer)
        for end, interface, address in ((self, other.name, here), (other, self.name, there)):
            end.run("ip", "address", "add", address, "dev", interface)
            end.run("ip", "link", "set", interface, "up")

    def interface(self, name: str) -> dict[str, Any]:
        """What `ip` tells of one interface, its statistics included."""
        (found,) = json.loads(self.run("ip", "-json", "-statistics", "link", "show", name))
        return dict(found)

    def addresses(self) -> set[str]:
        """Every IPv4 address of every interface."""
        interfaces = json.loads(self.run("ip", "-json", "-4", "address", "show"))
        return {info["local"] for each in interfaces for info in each.get("addr_info", ())}

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside: the sockets it makes and the processes it starts stay there."""
        with _open("/proc/thread-self/ns/net") as before, _open(_NAMED / self.name) as inside:
            _enter(inside)
            try:
                yield
            finally:
                _enter(before)


@contextmanager
def _open(path: str | Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


def _command(*argv: str) -> str:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
