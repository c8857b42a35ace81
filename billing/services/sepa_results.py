"""What banks say of direct debits: that money came, or that it was not paid or went back (P1, M4).

What came is credited as any payment is. What is returned before that has failed; what is returned
later is a chargeback, taken from the wallet. Each counts once, whoever tells of it, and how often.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from io import StringIO

from billing.errors import BadLines, InvalidInput, NotFound
from billing.model.bank import BankLine, LineMatch, LineOutcome
from billing.model.money import Money
from billing.model.payments import EventOutcome, PaymentEvent, PaymentState, ProviderEvent
from billing.model.sepa import CURRENCY, FileView, ReturnEffect, ReturnReport, Sequence
from billing.rules.sepa import (
    batches,
    collections_named,
    decline_of,
    end_to_end_id,
    message_id,
    reason_problem,
    reason_words,
    revokes,
)
from billing.services import payment_calls, sepa_files, sepa_mandates
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import advance
from billing.services.settling import check_takes_money
from billing.store import customers, tables
from billing.store import gateways as gateway_store
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction

FILE_LIMIT = 4 * 1024 * 1024
"""Octets of a file of returns."""
_COLUMNS = ("reference", "reason")
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


def returned(context: Context, reference: str, reason: str, now: datetime) -> ReturnReport:
    """A collection was not paid, or was taken back. `reference`: its end-to-end id, or the number
    of its payment. Raises NotFound, InvalidInput."""
    code = reason.strip().upper()
    if problem := reason_problem(code):
        raise InvalidInput(problem, field="reason")
    with context.transaction() as tx:
        customer_id, attempt_id = _meant(tx, reference)
    return _take_back(context, customer_id, attempt_id, code, now)


def import_returns(context: Context, body: bytes, now: datetime) -> list[ReturnReport]:
    """Returns of a CSV file with the columns `reference` and `reason`. A bad line refuses the whole
    file; then each is a transaction of its own. Raises BadLines, InvalidInput."""
    lines = _read(body)
    bad: list[tuple[int, str, str]] = []
    meant: list[tuple[int, int, str]] = []
    with context.transaction() as tx:
        for number, reference, code in lines:
            if problem := reason_problem(code):
                bad.append((number, "reason", problem))
            try:
                meant.append((*_meant(tx, reference), code))
            except (NotFound, InvalidInput) as error:
                bad.append((number, "reference", error.message))
    if bad:
        raise BadLines(bad)
    return [_take_back(context, *one, now) for one in meant]


def of_line(
    tx: Transaction, org_id: int, line: BankLine
) -> tuple[LineMatch, list[tuple[int, int]]] | None:
    """What a statement's line is, where it names a file, a batch or a collection of these
    organisations: the payments whose money it is, where its amount says so. None: it names none."""
    named = collections_named(line.reference)
    org_ids = set(gateway_store.organisations_served(tx, org_id)) if named else set()
    found = []
    for file_id, batch, attempt_id in sorted(named, key=str):
        row = store.file(tx, file_id) if file_id < _ID_LIMIT else None
        if row is not None and row.org_id in org_ids:
            lines = store.collected(tx, file_id)
            kinds = batches(Sequence(line.sequence) for line, _ in lines)
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


def _take_back(
    context: Context, customer_id: int, attempt_id: int, code: str, now: datetime
) -> ReturnReport:
    with changing_customer(context, customer_id) as (tx, customer):
        row = payment_store.attempt(tx, customer_id, attempt_id)
        line = store.collection(tx, customer_id, attempt_id)
        if row is None or line is None:
            raise NotFound(f"no file collects payment {attempt_id}", field="reference")
        effect = ReturnEffect.KNOWN
        ends = False
        if line.returned_at is None:
            line.returned_at, line.returned_for = now, code
            ends = _revoke(tx, row, code, now)
            has_paid = PaymentState(row.state).has_paid
            effect = ReturnEffect.CHARGED_BACK if has_paid else ReturnEffect.FAILED
            told_by = payment_calls.by_gateway(context, row.gateway_id)
            advance(tx, told_by, customer, row, _told(row, line, code, has_paid=has_paid), now)
        return ReturnReport(
            attempt_id=attempt_id,
            customer_id=customer_id,
            amount_micros=row.amount_micros,
            effect=effect,
            reason=reason_words(line.returned_for or code),
            mandate_revoked=ends,
        )


def _told(
    row: tables.PaymentAttempt, line: tables.SepaCollection, code: str, *, has_paid: bool
) -> ProviderEvent:
    words = reason_words(code)
    if not has_paid:
        return ProviderEvent(
            event_id="",
            event=PaymentEvent.DECLINED,
            kind="returned",
            decline=decline_of(code),
            reason=words,
        )
    left = row.amount_micros - row.refunded_micros - row.charged_back_micros
    return ProviderEvent(
        event_id="",
        event=PaymentEvent.CHARGED_BACK,
        kind="returned",
        amount=Money(left or row.amount_micros, row.currency),
        reason=words,
        reversal_ref=f"return of {end_to_end_id(line.file_id, line.attempt_id)}",
    )


def _revoke(tx: Transaction, row: tables.PaymentAttempt, code: str, now: datetime) -> bool:
    """Whether the mandate ends by it: one that is gone already does not."""
    if not revokes(code) or row.method_id is None:
        return False
    mandate = store.mandate_of_method(tx, row.customer_id, row.method_id)
    method = gateway_store.method(tx, row.customer_id, row.method_id)
    if mandate is None or method is None or method.removed_at is not None:
        return False
    sepa_mandates.end(tx, mandate, reason_words(code), now)
    return True


def _meant(tx: Transaction, reference: str) -> tuple[int, int]:
    """Customer and number of a payment. Raises NotFound, InvalidInput."""
    text = reference.strip()
    found = {one for one in collections_named(text) if one[2] is not None}
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        number, file_id = int(text), None
    elif len(found) == 1:
        file_id, _, named = found.pop()
        number = named or 0
    else:
        raise InvalidInput(
            f"{text[:60]!r} is no collection: give its end-to-end id, like TWDD-7-123, or the"
            " number of its payment",
            field="reference",
        )
    known = store.file_of(tx, number) if number < _ID_LIMIT else None
    if known is None or file_id not in (None, known[0]):
        raise NotFound(f"no file collects {text[:60]}", field="reference")
    return known[1], number


def _read(body: bytes) -> list[tuple[int, str, str]]:
    if len(body) > FILE_LIMIT:
        raise InvalidInput(f"is longer than {FILE_LIMIT} octets: split it", field="file")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeError:
        raise InvalidInput("is not written in UTF-8", field="file") from None
    separator = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=separator)
    names = {name.strip().casefold(): name for name in rows.fieldnames or ()}
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise InvalidInput(
            f"its first line must name the columns reference and reason; {missing[0]} is missing",
            field="file",
        )
    return [
        (
            rows.line_num,
            (row.get(names["reference"]) or "").strip(),
            (row.get(names["reason"]) or "").strip().upper(),
        )
        for row in rows
    ]


def _waits(outcome: LineOutcome, words: str) -> LineMatch:
    return LineMatch(outcome=outcome, named=None, words=words)
