"""Statements of bank accounts: each line's money once, to whom it names, or in suspense (P1, M5).

A file with a bad line is refused as a whole. Then each line is a transaction of its own: the line
is written down and its money posted, or neither. Whatever ends an import, the same file goes on
where it ended; who imports it at the same time shares the work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

from billing.errors import (
    BadLines,
    Conflict,
    InvalidFields,
    InvalidInput,
    NotFound,
    Refused,
)
from billing.model.bank import (
    UTF_8,
    BankAccountView,
    BankFormat,
    BankImportReport,
    BankLine,
    BankStatement,
    LineMatch,
    LineOutcome,
    LineReport,
    Named,
    NamedKind,
)
from billing.model.commerce import MoneyChannel
from billing.model.views import PaymentReceipt
from billing.rules.bank_lines import format_problems, keyed, read_statement
from billing.rules.bank_match import match, payment_reference
from billing.services import bills, named, prepayments, sepa_results, suspense
from billing.services.context import Context
from billing.services.identity import checked_name
from billing.services.sales import topup
from billing.services.settling import check_takes_money
from billing.store import audit, customers, gateways
from billing.store import bank as store
from billing.store.guard import Transaction

CHANNEL = MoneyChannel.BANK_TRANSFER
FILE_LIMIT = 16 * 1024 * 1024
"""Octets; a year of a busy account is less."""
LIST_LIMIT = 1_000


def set_account(
    context: Context, name: str, wanted: BankFormat, now: datetime, *, org_id: int | None = None
) -> BankAccountView:
    """Add an account of an organisation (the actor's own unless given), or change how its bank
    writes. Raises InvalidFields, InvalidInput."""
    if problems := format_problems(wanted):
        raise InvalidFields(problems)
    org_id = context.home_org_id if org_id is None else org_id
    with context.transaction() as tx:
        if not gateways.organisations_served(tx, org_id):
            raise NotFound(f"no organisation has the number {org_id}", field="organisation")
        view = store.put_account(tx, org_id, checked_name(name), wanted, now)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="bank.account",
            subject=f"bank_account:{view.account_id}",
            detail={"name": view.name, "encoding": wanted.encoding},
        )
        return view


def accounts(context: Context) -> list[BankAccountView]:
    with context.transaction() as tx:
        return store.accounts(tx)


def account(context: Context, name: str) -> BankAccountView:
    """By number or name. Raises NotFound, InvalidInput (several organisations have the name)."""
    called = [one for one in accounts(context) if name in (one.name, str(one.account_id))]
    found = [one for one in called if str(one.account_id) == name] or called
    if not found:
        raise NotFound(
            f"no bank account is named {name!r}: see `tollway bank list`", field="account"
        )
    if len(found) > 1:
        numbers = ", ".join(str(one.account_id) for one in found)
        raise InvalidInput(
            f"several are named {name!r}: give one of the numbers {numbers}", field="account"
        )
    return found[0]


def reference_of(customer_id: int) -> str:
    """What a customer writes on each transfer to be credited by it (ISO 11649)."""
    return payment_reference(customer_id)


def imported(context: Context, account_id: int, *, limit: int = 50) -> list[LineReport]:
    """What became of its lines, newest first. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return store.imported(tx, account_id, limit)


def import_statement(
    context: Context,
    account: BankAccountView,
    body: bytes,
    now: datetime,
    *,
    dry_run: bool = False,
    limit: int | None = None,
) -> BankImportReport:
    """Use the money of all lines that were not imported before, or of so many of them. `dry_run`:
    only say how, of all; what lines of the same file pay before is reckoned with, what a top-up
    settles is not.

    Raises BadLines (all of them; nothing was imported), InvalidInput (the file), Refused (a
    reseller's own staff, rule R1).
    """
    with context.transaction() as tx:
        check_takes_money(tx, account.org_id)
    statement = _read(account, body)
    lines = keyed(statement.lines)
    with context.transaction() as tx:
        known = store.known(tx, account.account_id, [key for key, _ in lines])
    fresh = [(key, line) for key, line in lines if key not in known]
    if dry_run:
        found, left = _rehearsed(context, account, fresh), 0
    else:
        taken = fresh[:limit]
        left = len(fresh) - len(taken)
        found = [done for key, line in taken if (done := _import(context, account, key, line, now))]
    return BankImportReport(
        account=account.name,
        dry_run=dry_run,
        known=len(lines) - len(found) - left,
        outgoing=statement.outgoing,
        lines=tuple(found),
        left=left,
    )


def _read(account: BankAccountView, body: bytes) -> BankStatement:
    if len(body) > FILE_LIMIT:
        raise InvalidInput(f"is longer than {FILE_LIMIT} octets: split it by days", field="file")
    encoding = account.format.encoding
    try:
        # Some write a mark before UTF-8.
        text = body.decode("utf-8-sig" if encoding.casefold() == UTF_8 else encoding)
        statement = read_statement(text, account.format)
    except UnicodeError:
        raise InvalidInput(
            f"is not written in {encoding}; set the account's encoding as the bank writes",
            field="file",
        ) from None
    except ValueError as error:
        raise InvalidInput(str(error), field="file") from None
    if statement.problems:
        raise BadLines(list(statement.problems))
    return statement


def _rehearsed(
    context: Context, account: BankAccountView, lines: list[tuple[str, BankLine]]
) -> list[LineReport]:
    found = []
    taken: Counter[tuple[NamedKind, int, str]] = Counter()
    with context.at_one_instant() as tx:
        for _, line in lines:
            debits = sepa_results.of_line(tx, account.org_id, line)
            if debits is not None:
                found.append(_report(line, debits[0], None))
                continue
            left = [
                replace(one, open_micros=max(0, one.open_micros - taken[_which(one)]))
                for one in named.of_text(tx, account.org_id, line.reference)
            ]
            matched = match(line.amount, left)
            if matched.named is not None:
                taken[_which(matched.named)] += line.amount.amount_micros
            found.append(_report(line, matched, None))
    return found


def _which(one: Named) -> tuple[NamedKind, int, str]:
    return one.kind, one.customer_id, one.number


def _import(
    context: Context, account: BankAccountView, key: str, line: BankLine, now: datetime
) -> LineReport | None:
    """None: it was imported before."""
    try:
        return _use(context, account, key, line, now)
    except (Conflict, InvalidInput, NotFound, Refused) as error:
        # Whoever it names cannot be credited; the others are not to wait for that.
        refused = LineMatch(outcome=LineOutcome.REFUSED, named=None, words=error.message)
        return _use(context, account, key, line, now, refused)


def _use(
    context: Context,
    account: BankAccountView,
    key: str,
    line: BankLine,
    now: datetime,
    matched: LineMatch | None = None,
) -> LineReport | None:
    with context.together() as joined, joined.transaction() as tx:
        collected: list[tuple[int, int]] = []
        if matched is None:
            matched, collected = _meant(tx, account, line)
        if collected:
            customers.lock_customers(tx, [customer_id for customer_id, _ in collected])
            matched, collected = _meant(tx, account, line)
        if matched.named is not None:
            # Behind the customer's lock what is open stays as it is read.
            customers.lock_customer(tx, matched.named.customer_id)
            again = match(line.amount, named.of_text(tx, account.org_id, line.reference))
            if again.named and again.named.customer_id != matched.named.customer_id:
                raise Conflict(f"{matched.named.number} changed meanwhile", field="reference")
            matched = again
        if not store.claim(tx, _row(joined, account, key, line, matched, now)):
            return None
        receipt = _credit(joined, account, key, line, matched, now)
        if collected:
            sepa_results.came(tx, joined, collected, now)
        elif receipt is None:
            _suspend(tx, joined, account, key, line, matched, now)
        else:
            store.became(tx, account.account_id, key, receipt.payment_id)
        return _report(line, matched, receipt)


def _meant(
    tx: Transaction, account: BankAccountView, line: BankLine
) -> tuple[LineMatch, list[tuple[int, int]]]:
    """What becomes of a line, and the direct debits whose money it is."""
    collected = sepa_results.of_line(tx, account.org_id, line)
    if collected is not None:
        return collected
    return match(line.amount, named.of_text(tx, account.org_id, line.reference)), []


def _credit(
    joined: Context,
    account: BankAccountView,
    key: str,
    line: BankLine,
    matched: LineMatch,
    now: datetime,
) -> PaymentReceipt | None:
    meant = matched.named
    if meant is None:
        return None
    once = f"bank:{account.account_id}:{key}"
    words = f"{line.booked_on} {line.reference}"[:200]
    if meant.kind is NamedKind.BILL:
        return bills.pay(
            joined,
            meant.number,
            idempotency_key=once,
            now=now,
            amount_micros=line.amount.amount_micros,
            channel=CHANNEL,
            customer_id=meant.customer_id,
            reference=words,
        )
    if meant.kind is NamedKind.PREPAYMENT and matched.outcome is LineOutcome.EXACT:
        return prepayments.pay(
            joined,
            meant.number,
            CHANNEL,
            idempotency_key=once,
            now=now,
            customer_id=meant.customer_id,
            reference=words,
        )
    return topup(
        joined,
        meant.customer_id,
        line.amount.amount_micros,
        channel=CHANNEL,
        idempotency_key=once,
        now=now,
        reference=words,
    )


def _suspend(
    tx: Transaction,
    joined: Context,
    account: BankAccountView,
    key: str,
    line: BankLine,
    matched: LineMatch,
    now: datetime,
) -> None:
    who = f"{line.payer}: {line.reference}" if line.payer else line.reference
    kept = suspense.keep(
        tx,
        joined,
        account.org_id,
        line.amount,
        CHANNEL,
        reference=f"{account.name} {line.booked_on} {key[:32]}",
        note=f"{who} ({matched.words})",
        now=now,
    )
    if not kept:
        raise RuntimeError("a line that was not imported is in suspense")


def _row(
    context: Context,
    account: BankAccountView,
    key: str,
    line: BankLine,
    matched: LineMatch,
    now: datetime,
) -> dict[str, object]:
    return {
        "account_id": account.account_id,
        "line_key": key,
        "org_id": account.org_id,
        "booked_on": line.booked_on,
        "amount_micros": line.amount.amount_micros,
        "currency": line.amount.currency,
        "payer": line.payer,
        "reference": line.reference,
        "outcome": matched.outcome.value,
        "words": matched.words,
        "imported_at": now,
        "imported_by": context.actor,
        "customer_id": matched.payer_id,
    }


def _report(line: BankLine, matched: LineMatch, receipt: PaymentReceipt | None) -> LineReport:
    return LineReport(
        line=line.line,
        booked_on=line.booked_on,
        amount_micros=line.amount.amount_micros,
        currency=line.amount.currency,
        payer=line.payer,
        reference=line.reference,
        outcome=matched.outcome,
        words=matched.words,
        customer_id=matched.payer_id,
        receipt_number=receipt.receipt_number if receipt else None,
    )
