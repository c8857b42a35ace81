"""Hooks that answer at once: the right password, nothing decided, nothing kept."""

from __future__ import annotations

from typing import Any

Pairs = tuple[tuple[str, str], ...]

_OK = 2
_SECRET = "bench-shared-secret-0123456789ab"


def instantiate(_: Any) -> int:
    """Nothing to prepare."""
    return 0


def detach(_: Any = None) -> int:
    """Nothing to end."""
    return 0


def client(pairs: Pairs) -> tuple[int, dict[str, Any]]:
    """Every address of the allowed networks is the bench."""
    address = dict(pairs)["Tollway-Client-Address"]
    config = (
        ("FreeRADIUS-Client-IP-Address", ":=", address),
        ("FreeRADIUS-Client-Secret", ":=", _SECRET),
        ("FreeRADIUS-Client-Shortname", ":=", "bench"),
        ("FreeRADIUS-Client-Require-MA", ":=", "yes"),
    )
    return _OK, {"config": config}


def authorize(pairs: Pairs) -> tuple[int, dict[str, Any]]:
    """The password follows from the name (tests/bench/workload.py)."""
    for name, value in pairs:
        if name == "User-Name":
            password = f"secret-{int(value[5:]) * 7919 % 1_000_003:06d}"
            return _OK, {"config": (("Cleartext-Password", ":=", password),)}
    return 0, {}


def post_auth(_: Pairs) -> int:
    """Accept."""
    return _OK


def accounting(_: Pairs) -> int:
    """Acknowledge."""
    return _OK
