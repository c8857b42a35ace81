"""A reseller's vouchers are sold from its wallet, at cost, and given back to it unused (R1, R3).

As with a package (`reseller_sales`), its own money pays what they are worth: the counter's journal
has `money:reseller` for `money:voucher`, the accounts the cost and the margins. Whoever redeems one
later moves no account any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from billing.errors import Refused
from billing.model.money import Money
from billing.model.vouchers import serial_text
from billing.rules.resellers import price_list_problem, sale_costs, undo_problem
from billing.services.context import Context
from billing.services.reseller_wallets import check_covered, tell_if_low
from billing.services.resellers import is_above
from billing.services.shifts import check_open
from billing.store import ledger, resellers, tables
from billing.store import reseller_vouchers as store
from billing.store.guard import Transaction
from billing.store.ledger import Line


def of_reseller(tx: Transaction, batch: tables.VoucherBatch) -> bool:
    """Whether a reseller's wallet pays what is sold of a batch."""
    return resellers.get(tx, batch.org_id) is not None


def lock(tx: Transaction, batch: tables.VoucherBatch, counter_id: int) -> None:
    """The accounts that a sale moves and the counter, before any other customer of the reseller:
    these are younger, so that all are locked by ascending id (radius.md F15). Raises Refused."""
    if not resellers.lock_accounts(tx, batch.org_id, counter_id):
        raise Refused(f"who asks does not act for organisation {batch.org_id}", field="batch")


def pay(
    context: Context,
    tx: Transaction,
    batch: tables.VoucherBatch,
    serials: Sequence[int],
    entry_id: int | None,
    now: datetime,
) -> Money:
    """Debit the wallet for vouchers in stock, whose sale over the counter is posted: of a plan its
    cost now, of money the face; each reseller above gets its margin. Returns the cost.

    Raises Refused: the plan is not on the price list, a wallet does not cover all of them.
    """
    check_open(context, tx)
    plan_id = _plan_of(tx, batch)
    levels = resellers.chain(tx, batch.org_id, plan_id or 0)
    if plan_id is None:
        levels = [replace(level, cost_micros=batch.face_micros) for level in levels]
    if problem := price_list_problem(levels):
        raise Refused(problem, field="batch")
    costs = [
        Money(one.amount_micros * len(serials), one.currency)
        for one in sale_costs(levels, Fraction(1))
    ]
    check_covered(context, levels, costs, batch.currency)
    sale_id = store.sell(
        tx,
        batch,
        serials,
        entry_id,
        [cost.amount_micros for cost in costs],
        memo=f"{len(serials)} vouchers {batch.name}",
        by=context.actor,
        now=now,
    )
    tell_if_low(tx, context, levels[0], f"vouchers:{sale_id}", now)
    return costs[0]


def check_window(
    context: Context, tx: Transaction, batch: tables.VoucherBatch, rows: Sequence[tables.Voucher],
    now: datetime,
) -> None:  # fmt: skip
    """Raises Refused where the window has passed in which the reseller may give back what it sold
    by mistake, and nobody above it asks (rule R1)."""
    reseller = resellers.get(tx, batch.org_id)
    minutes = 0 if reseller is None else reseller.undo_minutes
    above = is_above(context, tx, batch.org_id)
    for row in rows:
        if row.activated_at is None or row.reseller_sale_id is None:
            continue
        if problem := undo_problem(row.activated_at, minutes, now, from_above=above):
            raise Refused(f"voucher {serial_text(row.serial)}: {problem}", field="batch")


def give_back(
    context: Context,
    tx: Transaction,
    batch: tables.VoucherBatch,
    rows: Sequence[tables.Voucher],
    now: datetime,
) -> None:
    """What these vouchers, revoked just now, cost when they were sold goes back to the wallets, and
    the margins with it."""
    by_sale: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row.reseller_sale_id is not None:
            by_sale[row.reseller_sale_id].append(row.serial)
    for sale_id, serials in sorted(by_sale.items()):
        memo = f"{len(serials)} vouchers {batch.name} given back"
        entry_id = _return_entry(tx, batch, len(serials), memo, now)
        store.take_back(
            tx, batch.org_id, sale_id, serials, entry_id, memo=memo, by=context.actor, now=now
        )
    tx.expire_all()


def _return_entry(
    tx: Transaction, batch: tables.VoucherBatch, count: int, memo: str, now: datetime
) -> int | None:
    """Nothing is owed for them any more: the counter gives the reseller's money back."""
    micros = batch.face_micros * count
    counter = tx.get_one(tables.VoucherCounter, batch.org_id)
    if not micros:
        return None
    return ledger.post(
        tx,
        customer_id=counter.customer_id,
        org_id=batch.org_id,
        kind=ledger.VOUCHER,
        memo=memo,
        lines=[Line(ledger.MONEY_VOUCHER, -micros), Line(ledger.MONEY_RESELLER, micros)],
        currency=batch.currency,
        now=now,
    )


def _plan_of(tx: Transaction, batch: tables.VoucherBatch) -> int | None:
    """None: vouchers for money. Raises Refused for a plan that the reseller does not see."""
    if batch.plan_version_id is None:
        return None
    version = tx.get(tables.PlanVersion, batch.plan_version_id)
    if version is None:
        raise Refused("the plan is not on the price list (rule R1)", field="batch")
    return version.plan_id
