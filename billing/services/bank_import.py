"""Statements of bank accounts: each line's money once, to whom it names, or in suspense (P1, M5).

A file with a bad line is refused as a whole. Then each line is a transaction of its own: the line
is written down and its money posted, or neither. Whatever ends an import, the same file goes on
where it ended; who imports it at the same time shares the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.errors import BadLines, Conflict, InvalidInput, NotFound, Refused
from billing.model.bank import (
    BankAccountView,
    BankImportReport,
    BankLine,
    LineMatch,
    LineOutcome,
    LineReport,
    Named,
    NamedKind,
)
from billing.model.commerce import MoneyChannel
from billing.model.views import PaymentReceipt
from billing.rules.bank_lines import keyed
from billing.rules.bank_match import match
from billing.services import (
    bank_files,
    bills,
    limits,
    money_in,
    named,
    prepayments,
    sepa_results,
    sepa_returns,
    suspense,
)
from billing.services.context import Context
from billing.services.settling import check_takes_money, checked_amount
from billing.store import bank as store
from billing.store import customers, gateways, tables
from billing.store.guard import Transaction

CHANNEL = MoneyChannel.BANK_TRANSFER


@dataclass(frozen=True, slots=True)
class _Desk:
    """An account, and whose bills and collections its money may be for."""

    account: BankAccountView
    org_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Meant:
    """What becomes of a line, the direct debits whose money it is, or the one that came back."""

    matched: LineMatch
    collected: tuple[tuple[int, int], ...] = ()
    returned: tuple[int, int] | None = None

    @property
    def customer_ids(self) -> list[int]:
        """Who is to be locked."""
        owned = [*self.collected, *([self.returned] if self.returned else [])]
        if self.matched.named is not None:
            return [self.matched.named.customer_id]
        return [customer_id for customer_id, _ in owned]


def import_statement(
    context: Context,
    account: BankAccountView,
    body: bytes,
    now: datetime,
    *,
    dry_run: bool = False,
    limit: int | None = None,
) -> BankImportReport:
    """Use the money of all lines that were not imported before, or of so many of them: of a CSV
    file, a camt.053 or a camt.054. `dry_run`: only say how, of all; what lines of the same file pay
    before is reckoned with, what a top-up settles is not.

    Raises BadLines (all of them; nothing was imported), InvalidInput (the file), Refused (a
    reseller's own staff, rule R1).
    """
    with context.transaction() as tx:
        check_takes_money(tx, account.org_id)
    statement = bank_files.read(account, body)
    if statement.problems:
        raise BadLines(list(statement.problems))
    lines = keyed(statement.lines)
    with context.transaction() as tx:
        known = store.known(tx, account.account_id, lines)
        desk = _Desk(account, gateways.organisations_served(tx, account.org_id))
    fresh = [(key, line) for key, line in lines if key not in known]
    if dry_run:
        found, left = _rehearsed(context, desk, fresh), 0
    else:
        taken = fresh[:limit]
        left = len(fresh) - len(taken)
        found = _imported(context, desk, taken, now)
    return BankImportReport(
        account=account.name,
        dry_run=dry_run,
        known=len(lines) - len(found) - left,
        outgoing=statement.outgoing,
        lines=tuple(found),
        left=left,
        unbooked=statement.unbooked,
        elsewhere=statement.elsewhere,
    )


def _rehearsed(
    context: Context, desk: _Desk, lines: list[tuple[str, BankLine]]
) -> list[LineReport]:
    found = []
    taken: Counter[tuple[NamedKind, int, str]] = Counter()
    credited: set[int] = set()
    with context.at_one_instant() as tx:
        known = _named(tx, desk, lines)
        for key, line in lines:
            left = [
                replace(one, open_micros=max(0, one.open_micros - taken[_which(one)]))
                for one in known.get(key, ())
            ]
            meant = _meant(tx, desk, line, left, credited)
            credited.update(attempt_id for _, attempt_id in meant.collected)
            if meant.matched.named is not None:
                taken[_which(meant.matched.named)] += line.amount.amount_micros
            found.append(_report(line, meant.matched, None))
    return found


def _which(one: Named) -> tuple[NamedKind, int, str]:
    return one.kind, one.customer_id, one.number


def _named(
    tx: Transaction, desk: _Desk, lines: list[tuple[str, BankLine]]
) -> dict[str, list[Named]]:
    """What these lines name, by their keys."""
    texts = {key: line.reference for key, line in lines if _is_matched(line)}
    return named.of_texts(tx, desk.org_ids, texts)


def _is_matched(line: BankLine) -> bool:
    """Whether its money is for whom it names."""
    return line.returned_for is None and not line.waits


def _imported(
    context: Context, desk: _Desk, lines: list[tuple[str, BankLine]], now: datetime
) -> list[LineReport]:
    with context.transaction() as tx:
        # Of all lines at once, to know whom to lock: behind the lock it is read again.
        known = _named(tx, desk, lines)
    done = (_import(context, desk, key, line, known.get(key, []), now) for key, line in lines)
    return [one for one in done if one is not None]


def _import(
    context: Context, desk: _Desk, key: str, line: BankLine, known: list[Named], now: datetime
) -> LineReport | None:
    """None: it was imported before."""
    try:
        return _use(context, desk, key, line, known, now)
    except (Conflict, InvalidInput, NotFound, Refused) as error:
        # Whoever it names cannot be credited; the others are not to wait for that.
        outcome = LineOutcome.REFUSED if line.returned_for is None else LineOutcome.UNPLACED
        refused = LineMatch(outcome=outcome, named=None, words=error.message)
        return _use(context, desk, key, line, known, now, _Meant(refused))


def _use(
    context: Context,
    desk: _Desk,
    key: str,
    line: BankLine,
    known: list[Named],
    now: datetime,
    meant: _Meant | None = None,
) -> LineReport | None:
    with context.together() as joined, joined.transaction() as tx:
        if meant is None:
            meant = _locked(tx, desk, line, known)
        if line.of is not None:
            store.lock_entry(tx, desk.account.account_id, line.of.entry)
            if store.known(tx, desk.account.account_id, [(key, line)]):
                return None
        if not store.claim(tx, _row(joined, desk.account, key, line, meant.matched, now)):
            return None
        if meant.returned is not None and line.returned_for is not None:
            sepa_returns.take_back(joined, *meant.returned, line.returned_for, now)
            return _report(line, meant.matched, None)
        receipt = _credit(tx, joined, line, meant.matched, now)
        if meant.collected:
            sepa_results.came(tx, joined, meant.collected, now)
        elif receipt is not None:
            store.became(tx, desk.account.account_id, key, receipt.payment_id)
        elif not meant.matched.outcome.went_out:
            _suspend(tx, joined, desk.account, key, line, meant.matched, now)
        return _report(line, meant.matched, receipt)


def _locked(tx: Transaction, desk: _Desk, line: BankLine, known: list[Named]) -> _Meant:
    """What becomes of a line, its customers locked. Raises Conflict: others are meant by now."""
    before = _meant(tx, desk, line, known)
    if not before.customer_ids:
        return before
    customers.lock_customers(tx, before.customer_ids)
    # Behind the customers' locks what is open stays as it is read.
    now_named = named.of_text(tx, desk.org_ids, line.reference) if _is_matched(line) else []
    again = _meant(tx, desk, line, now_named)
    if not set(again.customer_ids) <= set(before.customer_ids):
        raise Conflict(f"what {line.reference[:60]!r} names changed meanwhile", field="reference")
    return again


def _meant(
    tx: Transaction,
    desk: _Desk,
    line: BankLine,
    known: list[Named],
    credited: set[int] | None = None,
) -> _Meant:
    """`credited`: debits whose money earlier lines have brought, where nothing is written."""
    if line.returned_for is not None:
        matched, returned = sepa_returns.of_line(tx, desk.org_ids, line, credited or set())
        return _Meant(matched, returned=returned)
    if line.waits:
        return _Meant(LineMatch(outcome=LineOutcome.UNKNOWN, named=None, words=line.waits))
    debits = sepa_results.of_line(tx, desk.org_ids, line)
    if debits is not None:
        return _Meant(debits[0], tuple(debits[1]))
    return _Meant(match(line.amount, known))


def _credit(
    tx: Transaction, joined: Context, line: BankLine, matched: LineMatch, now: datetime
) -> PaymentReceipt | None:
    """The customer is locked, and the line is claimed: that is what makes it count once."""
    meant = matched.named
    if meant is None:
        return None
    limits.check_no_account(tx, meant.customer_id)
    customer = bills.tx_customer(tx, meant.customer_id)
    words = f"{line.booked_on} {line.reference}"[:200]
    if meant.kind is NamedKind.BILL:
        bill = bills.bill_numbered(tx, meant.number, meant.customer_id)
        micros = line.amount.amount_micros
        return bills.pay_within(joined, tx, customer, bill, micros, CHANNEL, words, now)
    if meant.kind is NamedKind.PREPAYMENT and matched.outcome is LineOutcome.EXACT:
        asked = prepayments.prepayment_numbered(tx, meant.number, meant.customer_id)
        return prepayments.pay_within(joined, tx, customer, asked, CHANNEL, words, now)
    return _top_up(tx, joined, customer, line, words, now)


def _top_up(
    tx: Transaction,
    joined: Context,
    customer: tables.Customer,
    line: BankLine,
    words: str,
    now: datetime,
) -> PaymentReceipt:
    own = customers.wallets_of(tx, customer.customer_id)[0]
    amount = checked_amount(line.amount.amount_micros, own.currency)
    return money_in.credit_wallet(tx, joined, customer, own.wallet_id, amount, CHANNEL, words, now)


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
        "amount_micros": line.signed_micros,
        "currency": line.amount.currency,
        "payer": line.payer,
        "reference": line.reference,
        "outcome": matched.outcome.value,
        "words": matched.words,
        "imported_at": now,
        "imported_by": context.actor,
        "customer_id": matched.payer_id,
        "entry_key": line.of.entry if line.of else None,
        "entry_parts": line.of.parts if line.of else None,
    }


def _report(line: BankLine, matched: LineMatch, receipt: PaymentReceipt | None) -> LineReport:
    return LineReport(
        line=line.line,
        booked_on=line.booked_on,
        amount_micros=line.signed_micros,
        currency=line.amount.currency,
        payer=line.payer,
        reference=line.reference,
        outcome=matched.outcome,
        words=matched.words,
        customer_id=matched.payer_id,
        receipt_number=receipt.receipt_number if receipt else None,
    )
