"""Money of direct debits that has come, as a person or a statement says (P1, M4).

It is credited as any payment is. What comes back is in `sepa_returns`. Each counts once, whoever
tells of it, and how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.model.bank import BankLine, LineMatch, LineOutcome
from billing.model.money import Money
from billing.model.payments import EventOutcome, PaymentEvent, PaymentState, ProviderEvent
from billing.model.sepa import CURRENCY, FileView
from billing.model.sepa import Sequence as Kind
from billing.rules.sepa import batches, collections_named, message_id
from billing.services import payment_calls, sepa_files
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import advance
from billing.services.settling import check_takes_money
from billing.store import customers, tables
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction

_ID_LIMIT = 2**63


def arrived(context: Context, file_id: int, now: datetime) -> tuple[FileView, int]:
    """The money of a file has come, of all that was not returned; says of how many. One after the
    other: who dies on the way begins anew. Raises NotFound, Refused (a reseller's, rule R1)."""
    with context.transaction() as tx:
        check_takes_money(tx, sepa_files.seen(tx, file_id).org_id)
        found = store.collected(tx, file_id)
        still_open = [
            (row.customer_id, row.attempt_id)
            for row, attempt in found
            if PaymentState(attempt.state).is_open
        ]
    credited = 0
    for customer_id, attempt_id in still_open:
        with changing_customer(context, customer_id) as (tx, customer):
            credited += _came(tx, context, customer, attempt_id, now)
    with context.transaction() as tx:
        return sepa_files.seen(tx, file_id), credited


def of_line(
    tx: Transaction, org_ids: Sequence[int], line: BankLine
) -> tuple[LineMatch, list[tuple[int, int]]] | None:
    """What a statement's line is, where it names a file, a batch or a collection of these
    organisations: the payments whose money it is, where its amount says so. None: it names none."""
    named = collections_named(line.reference)
    found = []
    for file_id, batch, attempt_id in sorted(named, key=str):
        row = store.file(tx, file_id) if file_id < _ID_LIMIT else None
        if row is not None and row.org_id in org_ids:
            lines = store.collected(tx, file_id)
            kinds = batches(Kind(line.sequence) for line, _ in lines)
            meant = [
                (line, one)
                for line, one in lines
                if attempt_id in (None, line.attempt_id)
                and (batch is None or kinds[batch - 1 : batch] == [line.sequence])
            ]
            found.append((row, meant))
    if not found:
        return None
    if len(found) > 1:
        return _waits(LineOutcome.SEVERAL, "names several files or collections"), []
    row, lines = found[0]
    name = message_id(row.file_id)
    still_open = [one for _, one in lines if PaymentState(one.state).is_open]
    if not still_open:
        return _waits(LineOutcome.NOTHING_OPEN, f"nothing of {name} is awaited any more"), []
    awaited = sum(one.amount_micros for one in still_open)
    # The bank books all of it, and what is returned by itself; or what is left of it.
    whole = sum(one.amount_micros for _, one in lines)
    if line.amount not in (Money(awaited, CURRENCY), Money(whole, CURRENCY)):
        words = f"{Money(awaited, CURRENCY)} of {name} is awaited"
        return _waits(LineOutcome.UNKNOWN, words), []
    count = len(still_open)
    words = f"{count} direct {'debit' if count == 1 else 'debits'} of {name}"
    one_payer = still_open[0].customer_id if count == 1 else None
    matched = LineMatch(
        outcome=LineOutcome.COLLECTED, named=None, words=words, customer_id=one_payer
    )
    return matched, [(one.customer_id, one.attempt_id) for one in still_open]


def came(
    tx: Transaction, context: Context, payments: Iterable[tuple[int, int]], now: datetime
) -> None:
    """The money of these collections has come, as part of another command that has locked their
    customers."""
    for customer_id, attempt_id in payments:
        customer = customers.lock_customer(tx, customer_id)
        if customer is not None:
            _came(tx, context, customer, attempt_id, now)


def _came(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    attempt_id: int,
    now: datetime,
) -> bool:
    row = payment_store.attempt(tx, customer.customer_id, attempt_id)
    if row is None or not PaymentState(row.state).is_open:
        return False
    told = ProviderEvent(
        event_id="",
        event=PaymentEvent.PAID,
        kind="collected",
        amount=Money(row.amount_micros, row.currency),
        provider_ref=row.provider_ref,
    )
    told_by = payment_calls.by_gateway(context, row.gateway_id)
    return advance(tx, told_by, customer, row, told, now).outcome is EventOutcome.APPLIED


def _waits(outcome: LineOutcome, words: str) -> LineMatch:
    return LineMatch(outcome=outcome, named=None, words=words)
