"""Hook of the acct server: a record in, `ok` only after it is durably charged (rule U1)."""

from __future__ import annotations

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.network import NasTraits
from billing.services.acct_journal import Record
from billing.services.metering import RowLocked, prepare
from radius_plugin import codes, runtime
from radius_plugin.attributes import accounting_record
from radius_plugin.batcher import Overloaded, TimedOut
from radius_plugin.client import client
from radius_plugin.pairs import Pairs, source_address
from radius_plugin.runtime import Runtime

__all__ = ["accounting", "client", "detach", "instantiate"]

_UNKNOWN_NAS = NasTraits(nas_id=0)


def instantiate(_p: object) -> int:
    """Once per module instance: −1 stops the server (radius.md F7)."""
    return runtime.instantiate("acct")


def detach(_p: object = None) -> int:
    """Once per module instance at the end."""
    return runtime.detach()


def accounting(p: Pairs) -> int:
    """Meter one Accounting-Request. HANDLED leaves it unanswered: the NAS sends it again."""
    parts = runtime.runtime()
    known = parts.clients.remembered(source_address(p) or "")
    record = accounting_record(p, utc_now(), known.traits if known else _UNKNOWN_NAS)
    if parts.watch.shut or (parts.keeper is not None and parts.keeper.goes_first):
        return _kept(parts, record, "the database does not answer")
    try:
        parts.usage.submit(prepare(record))
    except RowLocked as error:
        return _unanswered(parts, error.message)
    except (Overloaded, TimedOut, Unavailable) as error:
        return _kept(parts, record, runtime.named(error))
    return codes.OK


def _kept(parts: Runtime, record: Record, problem: str) -> int:
    """Answered when the local journal has it; else the NAS sends it again (rule A8)."""
    if parts.keeper is not None and parts.keeper.keep(record):
        parts.records["journal"] += 1
        return codes.OK
    return _unanswered(parts, problem)


def _unanswered(parts: Runtime, problem: str) -> int:
    parts.records["unanswered"] += 1
    parts.complaints.say("accounting", f"{problem}; not answered (rule U1)")
    return codes.HANDLED
