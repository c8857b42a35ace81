"""Direct debits that were not paid, or that came back, whoever tells of it (P1, M4).

What is returned before its money came has failed; what is returned later is a chargeback, taken
from the wallet. Each counts once, and costs its payer a fee where the gateway's settings say so.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from datetime import datetime
from io import StringIO

from billing.errors import BadLines, InvalidInput, NotFound
from billing.model.bank import BankLine, LineMatch, LineOutcome
from billing.model.money import Money
from billing.model.payments import DeclineKind, PaymentEvent, PaymentState, ProviderEvent
from billing.model.sepa import ReturnEffect, ReturnReport
from billing.rules.sepa import (
    collections_named,
    decline_of,
    end_to_end_id,
    reason_problem,
    reason_words,
    revokes,
)
from billing.services import payment_calls, return_fees, sepa_mandates
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import advance
from billing.store import gateways as gateway_store
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store import tables
from billing.store.guard import Transaction

FILE_LIMIT = 4 * 1024 * 1024
"""Octets of a CSV file of returns."""
_COLUMNS = ("reference", "reason")
_ID_LIMIT = 2**63


def returned(context: Context, reference: str, reason: str, now: datetime) -> ReturnReport:
    """A collection was not paid, or was taken back. `reference`: its end-to-end id, or the number
    of its payment. Raises NotFound, InvalidInput."""
    code = reason.strip().upper()
    if problem := reason_problem(code):
        raise InvalidInput(problem, field="reason")
    with context.transaction() as tx:
        customer_id, attempt_id = _meant(tx, reference)
    return take_back(context, customer_id, attempt_id, code, now)


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
    return [take_back(context, *one, now) for one in meant]


def of_line(
    tx: Transaction, org_ids: Sequence[int], line: BankLine, credited: Collection[int]
) -> tuple[LineMatch, tuple[int, int] | None]:
    """What money is that went out for a direct debit that came back: the collection of these
    organisations that it names, its customer and payment. None: it is none of them, or another
    amount. `credited`: payments whose money has come, though nothing is written of it."""
    named = {one for one in collections_named(line.reference) if one[2] is not None}
    if len(named) != 1:
        words = "names several collections" if named else "names no collection"
        return _looked_at(f"{words}, and went out"), None
    file_id, _, attempt_id = named.pop()
    found = _placed(tx, file_id, attempt_id or 0, org_ids)
    if found is None:
        missing = end_to_end_id(file_id, attempt_id or 0)
        return _looked_at(f"no file of ours collects {missing}, and it went out"), None
    row, collection = found
    own = end_to_end_id(collection.file_id, collection.attempt_id)
    whole = Money(row.amount_micros, row.currency)
    if line.amount.currency != row.currency or line.amount.amount_micros < row.amount_micros:
        return _looked_at(f"{line.amount} went out, and {own} is of {whole}"), None
    owner = (row.customer_id, row.attempt_id)
    if collection.returned_at is not None:
        words = f"{own} is known to be back ({reason_words(collection.returned_for or '')})"
        return _out(LineOutcome.TOLD_BEFORE, words, row.customer_id), None
    has_come = PaymentState(row.state).has_paid or row.attempt_id in credited
    became = "charged back" if has_come else "failed"
    words = f"{own} came back: {became} ({reason_words(line.returned_for or '')})"
    fee = line.amount - whole
    if fee.amount_micros:
        words += f"; {fee} more went out, the bank's fee"
    return _out(LineOutcome.RETURNED, words, row.customer_id), owner


def _placed(
    tx: Transaction, file_id: int, attempt_id: int, org_ids: Sequence[int]
) -> tuple[tables.PaymentAttempt, tables.SepaCollection] | None:
    if max(file_id, attempt_id) >= _ID_LIMIT:
        return None
    file, known = store.file(tx, file_id), store.file_of(tx, attempt_id)
    if file is None or file.org_id not in org_ids or known is None or known[0] != file_id:
        return None
    row = payment_store.attempt(tx, known[1], attempt_id)
    collection = store.collection(tx, known[1], attempt_id)
    return None if row is None or collection is None else (row, collection)


def _looked_at(words: str) -> LineMatch:
    return _out(LineOutcome.UNPLACED, f"{words}: look into it", None)


def _out(outcome: LineOutcome, words: str, customer_id: int | None) -> LineMatch:
    return LineMatch(outcome=outcome, named=None, words=words, customer_id=customer_id)


def take_back(
    context: Context,
    customer_id: int,
    attempt_id: int,
    code: str,
    now: datetime,
    *,
    alone: bool = True,
) -> ReturnReport:
    """It was not paid, or came back. `alone`: for a reason of its own; where its file or batch was
    refused, its mandate stays good and its payer bears no fee. Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = payment_store.attempt(tx, customer_id, attempt_id)
        line = store.collection(tx, customer_id, attempt_id)
        if row is None or line is None:
            raise NotFound(f"no file collects payment {attempt_id}", field="reference")
        effect = ReturnEffect.KNOWN
        ends = False
        if line.returned_at is None:
            line.returned_at, line.returned_for = now, code
            ends = alone and _revoke(tx, row, code, now)
            has_paid = PaymentState(row.state).has_paid
            effect = ReturnEffect.CHARGED_BACK if has_paid else ReturnEffect.FAILED
            told_by = payment_calls.by_gateway(context, row.gateway_id)
            advance(tx, told_by, customer, row, _told(row, line, code, alone=alone), now)
            if alone:
                return_fees.charge(tx, context, customer, row, line, now)
        return ReturnReport(
            attempt_id=attempt_id,
            customer_id=customer_id,
            amount_micros=row.amount_micros,
            effect=effect,
            reason=reason_words(line.returned_for or code),
            mandate_revoked=ends,
        )


def _told(
    row: tables.PaymentAttempt, line: tables.SepaCollection, code: str, *, alone: bool
) -> ProviderEvent:
    words = reason_words(code)
    if not PaymentState(row.state).has_paid:
        return ProviderEvent(
            event_id="",
            event=PaymentEvent.DECLINED,
            kind="returned",
            decline=decline_of(code) if alone else DeclineKind.SOFT,
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
