"""What a bank answers to a file of direct debits (pain.002), carried out (rules P1, M5).

What it refuses has failed, as a return says; what it accepts changes nothing, as the money comes by
a statement. Sent again it finds all of it done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.errors import InvalidInput
from billing.model.money import Money
from billing.model.payments import PaymentState
from billing.model.sepa import Sequence as Kind
from billing.model.sepa_status import (
    Status,
    StatusEffect,
    StatusImport,
    StatusItem,
    StatusLine,
    StatusReport,
)
from billing.rules.sepa import (
    batch_id,
    batches,
    collections_named,
    end_to_end_id,
    is_duplicate,
    message_id,
    reason_words,
    revokes,
)
from billing.services import bank_files, gateways, sepa_files, sepa_returns
from billing.services.context import Context
from billing.services.settling import check_takes_money
from billing.store import sepa as store
from billing.store import tables
from billing.store.guard import Transaction

_CREDITOR = "creditor_id"
_ID_LIMIT = 2**63
_NOT_OURS = "is no collection of this file: look into it"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A collection that the bank has refused. `alone`: by itself, not with its file or batch."""

    row: tables.PaymentAttempt
    line: tables.SepaCollection
    status: Status
    alone: bool


def import_status(
    context: Context, body: bytes, now: datetime, *, dry_run: bool = False
) -> StatusImport:
    """Raises InvalidInput: it is no pain.002, or of another file, creditor or number of debits;
    Refused (a reseller's, rule R1)."""
    report = bank_files.status(body)
    with context.transaction() as tx:
        file = _answered(tx, report)
        check_takes_money(tx, file.org_id)
        collected = store.collected(tx, file.file_id)
        refused, said = _read(file, report, collected)
    lines = list(said)
    for one in refused:
        lines.append(_planned(one) if dry_run else _carried_out(context, one, now))
    if not dry_run:
        with context.transaction() as tx:
            _note(tx, context, file, report, lines, now)
    return StatusImport(
        file_id=file.file_id, original_id=report.original_id, dry_run=dry_run, lines=tuple(lines)
    )


def _answered(tx: Transaction, report: StatusReport) -> tables.SepaFile:
    """The file of ours that it answers."""
    named = collections_named(report.original_id)
    file_id = next((one[0] for one in named if one[1:] == (None, None)), _ID_LIMIT)
    file = store.file(tx, file_id) if file_id < _ID_LIMIT else None
    if file is None or message_id(file_id) != report.original_id or file.body_sealed is None:
        raise InvalidInput(
            f"answers {report.original_id[:60]!r}, which is no file of direct debits of ours",
            field="file",
        )
    own = gateways.found(tx, file.gateway_id).settings.get(_CREDITOR, "").replace(" ", "").upper()
    others = sorted(report.creditor_ids - {own})
    if others:
        raise InvalidInput(f"is of the creditor {others[0][:35]}; {own} has made it", field="file")
    if report.collections not in (None, file.collections):
        raise InvalidInput(
            f"speaks of {report.collections} debits; {report.original_id} has {file.collections}",
            field="file",
        )
    return file


def _read(
    file: tables.SepaFile, report: StatusReport, collected: list[store.Collected]
) -> tuple[list[_Refusal], list[StatusLine]]:
    """What it refuses, each collection once; and what it says beside."""
    name = message_id(file.file_id)
    said: list[StatusLine] = []
    refused: dict[int, _Refusal] = {}
    kinds = batches(Kind(line.sequence) for line, _ in collected)
    wholes = [(name, report.group), *report.batches] if report.group else list(report.batches)
    for reference, status in wholes:
        names = {batch_id(file.file_id, place): kind for place, kind in enumerate(kinds, 1)}
        problem = _whole_problem(reference, status, {name, *names})
        if problem is not None or not status.is_refused:
            said.append(problem or _noted(reference, status))
            continue
        for line, row in collected:
            if reference == name or names[reference] == line.sequence:
                refused[row.attempt_id] = _Refusal(row, line, status, alone=False)
    own = {end_to_end_id(line.file_id, line.attempt_id): (line, row) for line, row in collected}
    for item in report.items:
        found = own.get(item.end_to_end_id)
        if found is None or item.status is None:
            said.append(_unplaced(item))
        elif item.amount not in (None, Money(found[1].amount_micros, found[1].currency)):
            words = f"is said to be of {item.amount}: nothing was done, look into it"
            said.append(_unplaced(item, words))
            refused.pop(found[1].attempt_id, None)
        elif item.status.is_refused:
            refused[found[1].attempt_id] = _Refusal(found[1], found[0], item.status, alone=True)
        else:
            said.append(_noted(item.end_to_end_id, item.status))
    return list(refused.values()), said


def _whole_problem(reference: str, status: Status, known: set[str]) -> StatusLine | None:
    """Why what is said of a file or batch is not carried out; None: it is."""
    if reference not in known:
        words = "is no batch of this file: nothing was done, look into it"
    elif status.is_refused and is_duplicate(status.reason):
        words = (
            f"{status.code}, {reason_words(status.reason)}: the bank had it already, and that one"
            " counts: nothing was done, look into it"
        )
    else:
        return None
    return StatusLine(reference=reference, effect=StatusEffect.UNPLACED, words=words)


def _unplaced(item: StatusItem, words: str = _NOT_OURS) -> StatusLine:
    reference = item.end_to_end_id or f"number {item.number}"
    if item.status is None:
        words = "says no status: look into it"
    return StatusLine(reference=reference, effect=StatusEffect.UNPLACED, words=words)


def _noted(reference: str, status: Status) -> StatusLine:
    return StatusLine(
        reference=reference,
        effect=StatusEffect.NOTED,
        words=" ".join((f"{status.code}: nothing is to be done", status.words)).strip(),
    )


def _planned(one: _Refusal) -> StatusLine:
    effect = StatusEffect.FAILED
    if one.line.returned_at is not None:
        effect = StatusEffect.KNOWN
    elif PaymentState(one.row.state).has_paid:
        effect = StatusEffect.CHARGED_BACK
    ends = one.alone and revokes(one.status.reason) and effect is not StatusEffect.KNOWN
    return _line(one, effect, one.line.returned_for or one.status.reason, ends=ends)


def _carried_out(context: Context, one: _Refusal, now: datetime) -> StatusLine:
    done = sepa_returns.take_back(
        context,
        one.row.customer_id,
        one.row.attempt_id,
        one.status.reason,
        now,
        alone=one.alone,
    )
    effect = StatusEffect(done.effect.value)
    return _line(one, effect, done.reason[:4], ends=done.mandate_revoked)


def _line(one: _Refusal, effect: StatusEffect, code: str, *, ends: bool) -> StatusLine:
    return StatusLine(
        reference=end_to_end_id(one.line.file_id, one.line.attempt_id),
        effect=effect,
        words=" ".join(word for word in (reason_words(code), one.status.words) if word),
        attempt_id=one.row.attempt_id,
        customer_id=one.row.customer_id,
        amount_micros=one.row.amount_micros,
        mandate_revoked=ends,
    )


def _note(
    tx: Transaction,
    context: Context,
    file: tables.SepaFile,
    report: StatusReport,
    lines: list[StatusLine],
    now: datetime,
) -> None:
    """Also what fits nothing is kept, in the audit log."""
    detail: dict[str, object] = {
        "message": report.message_id,
        "refused": sum(one.attempt_id is not None for one in lines),
        "unplaced": [
            f"{one.reference}: {one.words}"[:200]
            for one in lines
            if one.effect is StatusEffect.UNPLACED
        ][:50],
    }
    sepa_files.note(tx, context, file.org_id, "sepa.status", file.file_id, now, detail)
