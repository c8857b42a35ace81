"""Hook `client`: which NAS is behind a source address (radius.md F11)."""

from __future__ import annotations

from billing.errors import TollwayError, Unavailable
from billing.services.clients import Client
from radius_plugin import codes, runtime
from radius_plugin.pairs import Pairs, source_address
from radius_plugin.vendors.codec import escaped
from radius_plugin.watch import SHUT

_SAID: set[tuple[str, str]] = set()


def client(p: Pairs) -> codes.Answer:
    """The NAS's name and secret for FreeRADIUS; anything but OK leaves the NAS unknown.

    While the database is out, a NAS that was known goes on with what was read last.
    """
    address = source_address(p)
    if address is None:
        return codes.FAIL
    parts = runtime.runtime()
    try:
        if parts.watch.shut:
            raise SHUT
        found = parts.lookups.find(address)
    except Unavailable as error:
        found = parts.clients.remembered(address)
        then = "not known before, not answered" if found is None else "using what was known"
        parts.complaints.say("NAS", f"{address}: {error.message}; {then}")
        if found is None:
            return codes.FAIL
    except TollwayError as error:
        runtime.log(runtime.L_ERR, f"NAS {address}: {error.message}")
        return codes.FAIL
    if found is None:
        runtime.log(
            runtime.L_WARN, f"packet from unknown NAS {address}; add it with: tollway nas add"
        )
        return codes.NOTFOUND
    _say_what_is_spoken(found)
    return codes.OK, {"config": _client_pairs(address, found)}


def _say_what_is_spoken(found: Client) -> None:
    """Once for each NAS and vendor that has no dialect here: it gets standard attributes."""
    said = (found.name, found.vendor)
    if found.vendor == found.traits.vendor or said in _SAID:
        return
    _SAID.add(said)
    runtime.log(
        runtime.L_WARN,
        f"NAS {found.name}: the vendor {found.vendor!r} is not known;"
        f" it is spoken to with standard attributes ({found.traits.vendor})",
    )


def _client_pairs(address: str, found: Client) -> codes.Pairs:
    required = "yes" if found.require_message_authenticator else "no"
    kind = "IPv6" if ":" in address else "IP"
    return (
        (f"FreeRADIUS-Client-{kind}-Address", ":=", address),
        ("FreeRADIUS-Client-Secret", ":=", escaped(found.secret)),
        ("FreeRADIUS-Client-Shortname", ":=", escaped(found.name)),
        ("FreeRADIUS-Client-Require-MA", ":=", required),
    )
