"""Resellers' rows, and the functions that alone write to their accounts (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from billing.model.money import MICROS_PER_UNIT, minor_digits
from billing.model.resellers import Level, Renewable, SoldView
from billing.store import tables
from billing.store.pool import named_query


def get(tx: Session, org_id: int) -> tables.Reseller | None:
    return tx.get(tables.Reseller, org_id)


def lock_row(tx: Session, org_id: int) -> tables.Reseller | None:
    """To change its limits; None where who asks is not above it."""
    return tx.get(tables.Reseller, org_id, with_for_update=True, populate_existing=True)


def organisation(tx: Session, org_id: int) -> tables.Organisation | None:
    return tx.get(tables.Organisation, org_id)


def visible(tx: Session) -> list[int]:
    """Numbers of the resellers that may be seen."""
    return list(tx.scalars(select(tables.Reseller.org_id).order_by(tables.Reseller.org_id)))


def is_reseller(tx: Session, org_id: int) -> bool:
    """Whether an organisation is a reseller, seen or not: a customer sees none."""
    return bool(tx.scalar(select(func.is_reseller_v1(org_id))))


def is_account(tx: Session, customer_id: int) -> bool:
    """Whether a customer is a reseller's account, seen or not."""
    return bool(tx.scalar(select(func.is_account_v1(customer_id))))


def sells_from_wallet(tx: Session, org_id: int) -> bool:
    """Whether who asks is a reseller's own staff."""
    return bool(tx.scalar(select(func.sells_from_wallet_v1(org_id))))


def lock_accounts(tx: Session, org_id: int, customer_id: int | None = None) -> bool:
    """Lock the accounts of a reseller and all above it, and one of its customers, by ascending id
    (F15). False: who asks may not act for it, or the customer is another's."""
    return bool(tx.scalar(select(func.lock_accounts_v1(org_id, customer_id))))


def lock_chain_of(tx: Session, customer_id: int) -> None:
    """Lock a reseller's customer with the accounts that earn by what it buys, by ascending id; for
    other customers nothing. Before anything else of theirs is locked (F15)."""
    customer = tables.Customer
    org_id = tx.scalar(select(customer.org_id).where(customer.customer_id == customer_id))
    if org_id is not None and is_reseller(tx, org_id):
        lock_accounts(tx, org_id, customer_id)


def chain(tx: Session, org_id: int, plan_id: int = 0) -> list[Level]:
    """The reseller and those above it, as they are after the lock; empty: not the caller's."""
    rows = tx.connection().exec_driver_sql(
        named_query("reseller_chain"), {"org_id": org_id, "plan_id": plan_id}
    )
    return [Level(**row._mapping) for row in rows]


def post_sale(
    tx: Session,
    row: tables.Entitlement,
    plan_id: int,
    payment_id: int | None,
    retail_micros: int,
    costs: Sequence[int],
    share: Fraction,
    currency: str,
    *,
    memo: str,
    by: str,
    now: datetime,
) -> int:
    """The accounts' side of a sale (post_reseller_sale_v1); returns the sale's number."""
    return call(
        tx,
        "post_reseller_sale_v1",
        row.org_id,
        plan_id,
        row.customer_id,
        row.entitlement_id,
        payment_id,
        retail_micros,
        list(costs),
        share.numerator,
        share.denominator,
        smallest_coin(currency),
        currency,
        memo,
        by,
        now,
    )


def undo_sale(
    tx: Session,
    sale: tables.ResellerSale,
    entry_id: int | None,
    back_micros: int,
    share: Fraction,
    *,
    memo: str,
    by: str,
    now: datetime,
) -> None:
    """The accounts' side of undoing it (undo_reseller_sale_v1)."""
    call(
        tx,
        "undo_reseller_sale_v1",
        sale.customer_id,
        sale.sale_id,
        entry_id,
        back_micros,
        share.numerator,
        share.denominator,
        smallest_coin(sale.currency),
        memo,
        by,
        now,
    )
    tx.expire_all()


def post_transfer(
    tx: Session,
    level: Level,
    micros: int,
    channel: str | None,
    reference: str | None,
    alert_below_micros: int | None,
    *,
    by: str,
    now: datetime,
) -> tables.ResellerTransfer:
    """Money between a reseller and who is above it (post_reseller_transfer_v1)."""
    transfer_id = call(
        tx,
        "post_reseller_transfer_v1",
        level.org_id,
        micros,
        channel,
        reference,
        level.currency,
        alert_below_micros,
        by,
        now,
    )
    key = {"customer_id": level.customer_id, "transfer_id": transfer_id}
    return tx.get_one(tables.ResellerTransfer, key)


def watch_account(tx: Session, org_id: int, percent: int | None, below_micros: int | None) -> None:
    """Set, or by the reseller itself end, what its alert is armed at (watch_account_v1)."""
    call(tx, "watch_account_v1", org_id, percent, below_micros)


def smallest_coin(currency: str) -> int:
    """In micros."""
    return int(MICROS_PER_UNIT / 10 ** minor_digits(currency))


def call(tx: Session, function: str, *arguments: object) -> int:
    """One of the functions that alone write to accounts; what it returns, 0 for nothing."""
    tx.flush()
    called = getattr(func, function)(*arguments)
    return int(tx.scalar(select(called)) or 0)


def account(tx: Session, customer_id: int) -> tables.Customer:
    """The account's row; only `lock_accounts` locks it."""
    return tx.get_one(tables.Customer, customer_id)


def account_wallet(tx: Session, customer_id: int) -> tables.Wallet:
    """As it is now in this transaction."""
    row = tables.Wallet
    found = select(row).where(row.customer_id == customer_id).order_by(row.wallet_id).limit(1)
    return tx.scalars(found.execution_options(populate_existing=True)).one()


def organisation_of(tx: Session, customer_id: int) -> int:
    """A customer's."""
    return tx.get_one(tables.Customer, customer_id).org_id


def customers_among(tx: Session, customer_ids: Sequence[int]) -> set[int]:
    """Which of these customers are resellers'."""
    row = tables.Customer
    found = (
        select(row.customer_id)
        .join(tables.Reseller, tables.Reseller.org_id == row.org_id)
        .where(row.customer_id.in_(customer_ids))
    )
    return set(tx.scalars(found))


def customers_of(tx: Session, org_id: int) -> int:
    """How many an organisation has that are not closed; not counted are its account, the counter
    where it sells vouchers, and who logs in by one of these."""
    row, counter, voucher = tables.Customer, tables.VoucherCounter, tables.Voucher
    account = select(tables.Reseller.account_customer_id).where(tables.Reseller.org_id == org_id)
    counters = select(counter.customer_id).where(counter.org_id == org_id)
    login = select(voucher.serial).where(
        voucher.customer_id == row.customer_id, voucher.login_name.is_not(None)
    )
    found = select(func.count()).where(
        row.org_id == org_id,
        row.closed_at.is_(None),
        row.customer_id.not_in(account),
        row.customer_id.not_in(counters),
        ~login.exists(),
    )
    return int(tx.scalar(found) or 0)


def costs_of(tx: Session, org_id: int) -> dict[int, int]:
    """What a reseller pays, by plan; without plans that were taken off its list."""
    row = tables.ResellerCost
    found = (
        select(row.plan_id, row.cost_micros)
        .where(row.org_id == org_id)
        .ext(distinct_on(row.plan_id))
        .order_by(row.plan_id, row.cost_id.desc())
    )
    return {plan_id: cost for plan_id, cost in tx.execute(found) if cost is not None}


def plans_listed(tx: Session, org_id: int) -> set[int]:
    """The plans on its price list that are still on sale."""
    plan = tables.Plan
    costs = costs_of(tx, org_id)
    found = select(plan.plan_id).where(plan.plan_id.in_(costs), plan.archived_at.is_(None))
    return set(tx.scalars(found))


def retails_of(tx: Session, org_id: int) -> dict[int, int]:
    """What its customers pay, by plan, where that is not the plan's price."""
    row = tables.ResellerRetail
    found = (
        select(row.plan_id, row.retail_micros)
        .where(row.org_id == org_id)
        .ext(distinct_on(row.plan_id))
        .order_by(row.plan_id, row.retail_id.desc())
    )
    return {plan_id: retail for plan_id, retail in tx.execute(found) if retail is not None}


def find_sale(tx: Session, sale_id: int) -> tables.ResellerSale | None:
    row = tables.ResellerSale
    found = select(row).where(row.sale_id == sale_id).execution_options(populate_existing=True)
    return tx.scalar(found)


def cost_of_sale(tx: Session, sale_id: int, customer_id: int) -> tables.ResellerShare | None:
    """What a sale moved in one account; None for a cashier, who does not see costs."""
    row = tables.ResellerShare
    found = select(row).where(row.customer_id == customer_id, row.sale_id == sale_id)
    return tx.scalar(found.execution_options(populate_existing=True))


def sale_of_package(tx: Session, customer_id: int, entitlement_id: int) -> int | None:
    """The sale by a reseller that a package is of, unless it was undone."""
    row = tables.ResellerSale
    found = select(row.sale_id).where(
        row.customer_id == customer_id,
        row.entitlement_id == entitlement_id,
        row.undone_at.is_(None),
    )
    return tx.scalar(found)


def sale_of_bill(tx: Session, bill: tables.Invoice) -> int | None:
    """The sale by a reseller that a bill is of: its receipt names the bill and the payment."""
    row, receipt = tables.ResellerSale, tables.Receipt
    found = (
        select(row.sale_id)
        .join(
            receipt,
            (receipt.customer_id == row.customer_id) & (receipt.payment_id == row.payment_id),
        )
        .where(row.customer_id == bill.customer_id, receipt.reference == bill.number)
    )
    return tx.scalar(found.limit(1))


def sales_of(tx: Session, org_id: int, limit: int) -> list[SoldView]:
    """A reseller's own, newest first."""
    rows = tx.connection().exec_driver_sql(
        named_query("reseller_sales"), {"org_id": org_id, "limit": limit}
    )
    return [SoldView(**row._mapping) for row in rows]


def renewable(
    tx: Session, org_id: int, since: datetime, until: datetime, text: str | None, most: int
) -> list[Renewable]:
    """Whose last package ends between two instants; `text` searches them."""
    asked = {"org_id": org_id, "since": since, "until": until, "text": text, "most": most}
    rows = tx.connection().exec_driver_sql(named_query("reseller_renewable"), asked)
    return [Renewable(**row._mapping) for row in rows]


def packages(tx: Session, org_id: int, pairs: Sequence[tuple[int, int]]) -> list[Renewable]:
    """Those of these pairs of subscription and package that are of the reseller's customers."""
    asked = {
        "org_id": org_id,
        "subscription_ids": [subscription_id for subscription_id, _ in pairs],
        "entitlement_ids": [entitlement_id for _, entitlement_id in pairs],
    }
    rows = tx.connection().exec_driver_sql(named_query("reseller_packages"), asked)
    return [Renewable(**row._mapping) for row in rows]


def has_other_package(
    tx: Session, customer_id: int, subscription_id: int, *, after: int, but: int
) -> bool:
    """Whether a subscription got a package after `after` that is not `but`."""
    row = tables.Entitlement
    found = select(row.entitlement_id).where(
        row.customer_id == customer_id,
        row.subscription_id == subscription_id,
        row.entitlement_id > after,
        row.entitlement_id != but,
    )
    return tx.scalar(found.limit(1)) is not None


def lock_request(tx: Session, request_id: int) -> tables.ResellerRequest | None:
    """None where who asks is not above the reseller."""
    row = tables.ResellerRequest
    found = select(row).where(row.request_id == request_id).with_for_update()
    return tx.scalar(found.execution_options(populate_existing=True))


def find_request(tx: Session, request_id: int) -> tables.ResellerRequest | None:
    row = tables.ResellerRequest
    return tx.scalar(select(row).where(row.request_id == request_id))


def requests(tx: Session, limit: int) -> list[tuple[tables.ResellerRequest, str]]:
    """With the reseller's name; those that wait first, then the newest."""
    row = tables.ResellerRequest
    found = (
        select(row, tables.Organisation.name)
        .join(tables.Organisation, tables.Organisation.org_id == row.org_id)
        .order_by(row.state != "pending", row.request_id.desc())
        .limit(limit)
    )
    return [(one, name) for one, name in tx.execute(found)]


def statement_lines(tx: Session, org_id: int, start: datetime, end: datetime) -> list[Any]:
    """Of sales and what was undone within [start, end)."""
    return list(
        tx.connection().exec_driver_sql(
            named_query("reseller_statement"), {"org_id": org_id, "start": start, "end": end}
        )
    )


def transfers(tx: Session, org_id: int, limit: int) -> list[tables.ResellerTransfer]:
    """Newest first."""
    row = tables.ResellerTransfer
    found = select(row).where(row.org_id == org_id).order_by(row.transfer_id.desc())
    return list(tx.scalars(found.limit(limit)))


def balance_before(tx: Session, customer_id: int, instant: datetime) -> int:
    """What the account's wallet had at an instant, in micros."""
    posting, entry = tables.Posting, tables.JournalEntry
    found = (
        select(func.coalesce(func.sum(posting.amount_micros), 0))
        .join(
            entry,
            (entry.customer_id == posting.customer_id) & (entry.entry_id == posting.entry_id),
        )
        .where(
            posting.customer_id == customer_id,
            posting.wallet_id.is_not(None),
            entry.at < instant,
        )
    )
    return int(tx.scalar(found) or 0)
