"""Hook of the acct server: a record in, `ok` only after it is durably charged (rule U1)."""

from __future__ import annotations

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.network import NasTraits
from billing.services.metering import prepare
from radius_plugin import codes, runtime
from radius_plugin.attributes import accounting_record
from radius_plugin.batcher import Overloaded, TimedOut
from radius_plugin.client import client
from radius_plugin.pairs import Pairs, source_address

__all__ = ["accounting", "client", "detach", "instantiate"]

_UNKNOWN_NAS = NasTraits(nas_id=0)


def instantiate(_p: object) -> int:
    """Once per module instance: −1 stops the server (radius.md F7)."""
    return runtime.instantiate("acct")


def detach(_p: object = None) -> int:
    """Once per module instance at the end."""
    return runtime.detach()


def accounting(p: Pairs) -> int:
    """Meter one Accounting-Request. FAIL leaves it unanswered, so that the NAS sends it again."""
    parts = runtime.runtime()
    known = parts.clients.remembered(source_address(p) or "")
    record = accounting_record(p, utc_now(), known.traits if known else _UNKNOWN_NAS)
    try:
        parts.usage.submit(prepare(record))
    except (Overloaded, TimedOut, Unavailable) as error:
        runtime.log(runtime.L_ERR, f"accounting: {runtime.named(error)}; not answered (rule U1)")
        return codes.FAIL
    return codes.OK
