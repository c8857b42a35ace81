"""The double-entry journal and the wallets (rules M4, M5).

Accounts are plain strings; amounts are credits (+) and debits (−), so that a wallet, which the
operator owes to its customer, rises by a credit:

    wallet               the customer's money (with the wallet's id in `wallet_id`)
    money:CHANNEL        where it came from: cash, card, direct_debit, paypal, mobile_money,
                         bank_transfer, reseller, adjustment
    money:voucher        what is owed for vouchers that were sold and can still be redeemed
    commission:reseller  what resellers keep of what their customers paid (rule R1)
    transfer:reseller    between the accounts of two resellers: nothing in all (rule R2)
    refund:pending       taken from wallets for refunds that are on their way
    receivable           what is owed for bills: debited at the issue, credited as they are paid
    deferred:package     packages sold and not earned yet (rule I6)
    deferred:bill        the same of bills, for days that have not passed
    revenue:package      packages, as they are earned
    revenue:bill         bills, as they are earned, less what credit notes took back
    revenue:usage        pay-as-you-go
    revenue:breakage     what was paid for and lapsed unused
    tax                  taxes owed
    tax:unbilled         taxes in usage that a bill will hold: owed from its issue on
    tax:unpaid           taxes of bills that are due only as the bills are paid (rule I6)
    rounding             what rounding to the minor unit added or took (rule M2)
    bad_debt             what was owed and is not expected any more, less what of it came in after
                         all (rule I5)
    opening              balances taken over by an import
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import SQLColumnExpression, func, select, update
from sqlalchemy.orm import Session

from billing.model.books import UsageEntry
from billing.model.views import WalletView
from billing.store import shifts, tables
from billing.store.customers import wallet_view
from billing.store.pool import named_query

WALLET = "wallet"
RECEIVABLE = "receivable"
REFUND_PENDING = "refund:pending"
REVENUE_PACKAGE = "revenue:package"
REVENUE_BILL = "revenue:bill"
MONEY_RESELLER = "money:reseller"
"""A reseller's own money, which pays what its counter sells."""
MONEY_VOUCHER = "money:voucher"
"""What is owed to whoever holds vouchers: credited as they are sold, debited as they are redeemed
and as they lapse (rule R3)."""
REVENUE_USAGE = "revenue:usage"
REVENUE_BREAKAGE = "revenue:breakage"
DEFERRED_PACKAGE = "deferred:package"
DEFERRED_BILL = "deferred:bill"
TAX = "tax"
TAX_UNBILLED = "tax:unbilled"
TAX_UNPAID = "tax:unpaid"
ROUNDING = "rounding"
BAD_DEBT = "bad_debt"
OPENING = "opening"

USAGE = "usage"
"""The kind of entries that post what the meter has charged already."""
VOUCHER = "voucher"
"""The kind of entries that sell vouchers, take them back, or let them lapse."""
SALE = "sale"
"""The kind of entries that pay for a package from a wallet."""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting: a credit (+) or debit (−) of an account, in micros."""

    account: str
    amount_micros: int
    wallet_id: int | None = None


class UnbalancedEntry(ValueError):
    """Postings that do not sum to zero: an error of the program, nothing is written (rule M4)."""


def post(
    tx: Session,
    *,
    customer_id: int,
    org_id: int,
    kind: str,
    memo: str,
    lines: Sequence[Line],
    currency: str,
    now: datetime,
    corrects_entry_id: int | None = None,
) -> int:
    """One movement of money; returns the entry's id and moves the wallets' posted balances.

    The customer must be locked. Lines of zero are left out. Money that a cashier takes is in its
    shift, too (rule R4). Raises UnbalancedEntry.
    """
    written = [line for line in lines if line.amount_micros]
    if sum(line.amount_micros for line in written) or not written:
        raise UnbalancedEntry(f"{kind}: {written}")
    entry = tables.JournalEntry(
        customer_id=customer_id,
        org_id=org_id,
        at=now,
        kind=kind,
        memo=memo,
        corrects_entry_id=corrects_entry_id,
    )
    tx.add(entry)
    tx.flush()
    tx.add_all(
        tables.Posting(
            customer_id=customer_id,
            entry_id=entry.entry_id,
            line=position,
            org_id=org_id,
            account=line.account,
            wallet_id=line.wallet_id,
            amount_micros=line.amount_micros,
            currency=currency,
        )
        for position, line in enumerate(written, 1)
    )
    tx.flush()
    taken = {line.account: line.amount_micros for line in written if line.wallet_id is None}
    shifts.note(tx, customer_id, entry.entry_id, taken, currency)
    if of_reseller := taken.get(MONEY_RESELLER):
        shifts.note_counter(tx, customer_id, org_id, entry.entry_id, of_reseller, currency)
    moved: dict[int, int] = defaultdict(int)
    for line in written:
        if line.wallet_id is not None:
            moved[line.wallet_id] += line.amount_micros
    for wallet_id, amount_micros in moved.items():
        changes: dict[str, SQLColumnExpression[Any]] = {
            "posted_micros": tables.Wallet.posted_micros + amount_micros
        }
        if kind not in (SALE, USAGE):
            # Only what is bought and used comes nearer to the spending cap (rule P14).
            changes["cap_floor_micros"] = tables.Wallet.cap_floor_micros + amount_micros
        tx.execute(
            update(tables.Wallet)
            .where(tables.Wallet.customer_id == customer_id, tables.Wallet.wallet_id == wallet_id)
            .values(changes)
        )
    return entry.entry_id


def wallet(tx: Session, customer_id: int, wallet_id: int) -> WalletView:
    """The wallet as it is now in this transaction."""
    row = tx.get_one(
        tables.Wallet, {"customer_id": customer_id, "wallet_id": wallet_id}, populate_existing=True
    )
    return wallet_view(row)


def spendable(tx: Session, customer_ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """What each wallet of these customers (customer and own number) may pay with, never negative
    (rule P12)."""
    row = tables.Wallet
    free = row.posted_micros - row.unposted_micros - row.reserved_micros + row.credit_limit_micros
    found = tx.execute(
        select(row.customer_id, row.wallet_id, free).where(row.customer_id.in_(customer_ids))
    )
    return {(one[0], one[1]): max(0, one[2]) for one in found}


def post_usage(tx: Session, entries: Sequence[UsageEntry], now: datetime) -> None:
    """What the meter charged, from `unposted` to the journal (rule P2); customers are locked."""
    if not entries:
        return
    rows = [
        asdict(replace(entry, pieces=()))
        | {"pieces": [asdict(usage) | {"tax_micros": tax} for usage, tax in entry.pieces]}
        for entry in entries
    ]
    tx.connection().exec_driver_sql(
        named_query("post_usage"), {"entries": json.dumps(rows, default=str), "now": now}
    )


def insert_payment(tx: Session, row: tables.Payment) -> int:
    """Returns the payment's id."""
    tx.add(row)
    tx.flush()
    return row.payment_id


def earlier_command(tx: Session, customer_id: int, key: str) -> tuple[str, str] | None:
    """Content hash and result of the command with this key; the customer is locked (rule M5)."""
    row = tx.get(tables.Command, {"customer_id": customer_id, "idempotency_key": key})
    return None if row is None else (row.content_sha256, row.result)


def record_command(
    tx: Session, *, customer_id: int, key: str, content_sha256: str, result: str, now: datetime
) -> None:
    """Remember a command's result under its key (rule M5)."""
    tx.add(
        tables.Command(
            customer_id=customer_id,
            idempotency_key=key,
            content_sha256=content_sha256,
            result=result,
            at=now,
        )
    )
    tx.flush()


def moved(tx: Session, bill: tables.Invoice, account: str) -> int:
    """What the entry of a bill's issue moved on an account, in micros."""
    posting = tables.Posting
    found = select(func.coalesce(func.sum(posting.amount_micros), 0)).where(
        posting.customer_id == bill.customer_id,
        posting.entry_id == bill.entry_id,
        posting.account == account,
    )
    return int(tx.scalar(found) or 0)


def balance(tx: Session, customer_id: int, account: str) -> int:
    """The sum of an account's postings for one customer, in micros."""
    return int(
        tx.scalar(
            select(func.coalesce(func.sum(tables.Posting.amount_micros), 0)).where(
                tables.Posting.customer_id == customer_id, tables.Posting.account == account
            )
        )
        or 0
    )


def postings(tx: Session, customer_id: int, entry_id: int) -> dict[str, int]:
    """An entry's lines by account, in micros."""
    row = tables.Posting
    found = tx.execute(
        select(row.account, func.sum(row.amount_micros))
        .where(row.customer_id == customer_id, row.entry_id == entry_id)
        .group_by(row.account)
    )
    return {account: int(micros) for account, micros in found}
