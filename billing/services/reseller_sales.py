"""A reseller sells from its wallet, and undoes what was sold by mistake (rule R1).

One transaction: the customer gets the package at the retail price, paid by the reseller's money;
the reseller's wallet is debited by its cost, and each reseller above gets its margin. Customers and
accounts are locked together, by ascending id (radius.md F15).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.resellers import ResellerSaleReceipt, SoldView, UndoReceipt
from billing.model.shifts import CASH, DESK_CHANNELS
from billing.rules.resellers import (
    price_list_problem,
    sale_costs,
    undo_problem,
    undo_share,
)
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.customers import finish
from billing.services.plan_refunds import bought, give_back_package
from billing.services.reseller_wallets import check_covered, tell_if_low
from billing.services.resellers import is_above
from billing.services.sales import Sale
from billing.services.shifts import check_open
from billing.store import customers, entitlements, grants, ledger, shifts, tables
from billing.store import resellers as store
from billing.store.guard import Transaction
from billing.store.ledger import Line

_LISTED_MOST = 500


def sell(
    context: Context,
    subscription_id: int,
    plan_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    start_now: bool = False,
    collect_by: MoneyChannel = MoneyChannel.CASH,
) -> ResellerSaleReceipt:
    """Sell a package to a customer of a reseller, from that reseller's wallet. `collect_by`: how
    the customer pays the reseller, which is kept with the open shift of who sells (rule R4).

    Raises NotFound, InvalidInput, Conflict (rule M5) and Refused: what `sales.sell` refuses, the
    plan is not on the price list, a wallet does not cover the sale (the message says what is
    missing), a cashier without an open shift.
    """
    if collect_by not in DESK_CHANNELS:
        raise InvalidInput("customers pay at the counter in cash, by card or by bank transfer",
                           field="collect_by")  # fmt: skip
    with context.transaction() as tx:
        row = _lock_subscription(tx, subscription_id)
        shifts.collect_by(tx, collect_by)

        def act() -> ResellerSaleReceipt:
            return _sell(context, tx, row, plan_id, now, start_now=start_now)

        return run_once(
            tx,
            ResellerSaleReceipt,
            customer_id=row.customer_id,
            key=idempotency_key,
            content={
                "command": "reseller sell",
                "subscription": subscription_id,
                "plan": plan_id,
                "start_now": start_now,
            },
            now=now,
            act=act,
        )


def undo(context: Context, sale_id: int, *, idempotency_key: str, now: datetime) -> UndoReceipt:
    """Take a wrong sale back: the package ends, its unused share goes back to the customer, and at
    cost to the wallets that paid; margins and commission are reversed in the same share.

    By the reseller's staff within its window, later by who is above it. Raises NotFound, Conflict
    and Refused (the window has passed, it was undone already, nothing of it is left, another
    package follows it, a month that was billed).
    """
    with context.transaction() as tx:
        check_open(context, tx)
        sale = store.find_sale(tx, sale_id)
        if sale is None or not store.lock_accounts(tx, sale.org_id, sale.customer_id):
            raise NotFound(f"no sale has the number {sale_id}", field="sale")
        return run_once(
            tx,
            UndoReceipt,
            customer_id=sale.customer_id,
            key=idempotency_key,
            content={"command": "reseller undo", "sale": sale_id},
            now=now,
            act=lambda: _undo(context, tx, sale_id, now),
        )


def listed(context: Context, org_id: int, *, limit: int = 50) -> list[SoldView]:
    """A reseller's sales, newest first."""
    with context.transaction() as tx:
        return store.sales_of(tx, org_id, max(1, min(limit, _LISTED_MOST)))


def _lock_subscription(tx: Transaction, subscription_id: int) -> tables.Subscription:
    customer_id = customers.customer_of(tx, subscription_id)
    customer = None if customer_id is None else tx.get(tables.Customer, customer_id)
    if customer is None:
        raise NotFound(f"no subscription has the number {subscription_id}", field="subscription")
    if store.get(tx, customer.org_id) is None:
        raise Refused(
            f"customer {customer_id} is not a reseller's: sell to it by another channel",
            field="subscription",
        )
    locked = store.lock_accounts(tx, customer.org_id, customer_id)
    tx.expire_all()
    row = customers.get_subscription(tx, subscription_id)
    if row is None or not locked:
        raise NotFound("the subscription has been moved", field="subscription")
    return row


def _sell(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    plan_id: int,
    now: datetime,
    *,
    start_now: bool,
) -> ResellerSaleReceipt:
    check_open(context, tx)
    levels = store.chain(tx, row.org_id, plan_id)
    if problem := price_list_problem(levels):
        raise Refused(problem, field="plan")
    retail_micros = store.retails_of(tx, row.org_id).get(plan_id)
    # The customer's side: a sale as any other, paid by the reseller's money.
    sale = Sale(context, tx, row, now, MoneyChannel.RESELLER)
    profile = customers.effective_profile(tx, row)
    terms = sale.terms(plan_id, profile)
    if retail_micros is not None:
        terms = replace(terms, price_micros=retail_micros)
    channel = SaleChannel.RESELLER
    terms = sale.checked(terms, profile, channel)
    receipt = sale.sell(terms, profile, channel, start_now=start_now)
    key = {"customer_id": row.customer_id, "entitlement_id": receipt.entitlement_id}
    package = tx.get_one(tables.Entitlement, key)
    share = _sold_share(package, terms)
    costs = sale_costs(levels, share)
    check_covered(context, levels, costs, receipt.currency)
    sale_id = store.post_sale(
        tx,
        package,
        plan_id,
        sale.payment_id,
        receipt.total_micros,
        [cost.amount_micros for cost in costs],
        share,
        receipt.currency,
        memo=f"{receipt.plan_name} for customer {row.customer_id}",
        by=context.actor,
        now=now,
    )
    available_micros = tell_if_low(tx, context, levels[0], f"sale:{sale_id}", now)
    return ResellerSaleReceipt(
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        entitlement_id=receipt.entitlement_id,
        sale_id=sale_id,
        org_id=row.org_id,
        plan_name=receipt.plan_name,
        total_micros=receipt.total_micros,
        tax_micros=receipt.tax_micros,
        cost_micros=costs[0].amount_micros,
        currency=receipt.currency,
        valid_from=receipt.valid_from,
        valid_until=receipt.valid_until,
        invoice_number=receipt.invoice_number,
        receipt_number=receipt.receipt_number,
        account_micros=available_micros,
    )


def _sold_share(package: tables.Entitlement, terms: PlanTerms) -> Fraction:
    """Which share of the plan was sold: of a month that is billed in part, its days' (B11)."""
    if not terms.price_micros:
        return Fraction(1)
    return min(Fraction(1), Fraction(package.price_micros, terms.price_micros))


def _undo(context: Context, tx: Transaction, sale_id: int, now: datetime) -> UndoReceipt:
    sale = store.find_sale(tx, sale_id)
    if sale is None:
        raise NotFound(f"no sale has the number {sale_id}", field="sale")
    row = customers.get_subscription(tx, sale.subscription_id)
    package = tx.get_one(
        tables.Entitlement,
        {"customer_id": sale.customer_id, "entitlement_id": sale.entitlement_id},
        populate_existing=True,
    )
    if row is None:
        raise NotFound("the subscription has been moved", field="sale")
    share = _checked_share(context, tx, sale, row, package, now)
    back = give_back_package(tx, row, package, share, now)
    entry_id = _return(tx, row, sale, back, now)
    store.undo_sale(
        tx,
        sale,
        entry_id,
        back.amount_micros,
        share,
        memo=f"undone: sale {sale_id}",
        by=context.actor,
        now=now,
    )
    account = store.chain(tx, sale.org_id)[0]
    moved = store.cost_of_sale(tx, sale_id, account.customer_id)
    cost_back_micros = None if moved is None else moved.back_micros
    detail: dict[str, object] = {
        "sale": sale_id,
        "back_micros": back.amount_micros,
        "cost_back_micros": cost_back_micros,
    }
    row = customers.get_subscription(tx, sale.subscription_id) or row
    finish(context, tx, row, "reseller.undo", now, detail)
    return UndoReceipt(
        customer_id=sale.customer_id,
        sale_id=sale_id,
        org_id=sale.org_id,
        back_micros=back.amount_micros,
        cost_back_micros=cost_back_micros,
        currency=sale.currency,
    )


def _checked_share(
    context: Context,
    tx: Transaction,
    sale: tables.ResellerSale,
    row: tables.Subscription,
    package: tables.Entitlement,
    now: datetime,
) -> Fraction:
    """The share of the package that goes back. Raises Refused."""
    if sale.undone_at is not None:
        raise Refused(f"it was undone on {sale.undone_at:%Y-%m-%d %H:%M} UTC", field="sale")
    if package.entry_id is None and sale.retail_micros:
        raise Refused(
            "a month that was billed is taken back by a credit note for its bill", field="sale"
        )
    return unused_share(context, tx, row, package, sale.sold_at, now)


def unused_share(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    package: tables.Entitlement,
    sold_at: datetime,
    now: datetime,
) -> Fraction:
    """The share of a package of a reseller's customer that goes back when its sale is undone.
    Raises Refused: the reseller's window has passed, nothing is left, another package follows."""
    reseller = store.get(tx, row.org_id)
    minutes = reseller.undo_minutes if reseller else 0
    above = is_above(context, tx, row.org_id)
    if problem := undo_problem(sold_at, minutes, now, from_above=above):
        raise Refused(problem, field="sale")
    if row.reserves and grants.holds_slices(tx, row):
        raise Refused(
            "its sessions hold slices of the package: end them first", field="subscription"
        )
    open_rows = entitlements.open_rows(tx, row.customer_id, row.subscription_id, now)
    if any(one.follows and one.entitlement_id > package.entitlement_id for one in open_rows):
        raise Refused("another package follows it: undo that one first", field="sale")
    share = undo_share(bought(package), now) if package in open_rows else Fraction(0)
    if not share:
        raise Refused("nothing of the package is left to give back", field="sale")
    return share


def _return(
    tx: Transaction,
    row: tables.Subscription,
    sale: tables.ResellerSale,
    back: Money,
    now: datetime,
) -> int | None:
    """What the customer got back leaves its wallet as the reseller's money: the reseller hands it
    out. None for nothing."""
    if not back.amount_micros:
        return None
    key = {"customer_id": sale.customer_id, "payment_id": sale.payment_id}
    paid_by = tx.get_one(tables.Payment, key).entry_id
    shifts.collect_by(tx, shifts.channel_of(tx, sale.customer_id, paid_by) or CASH)
    return ledger.post(
        tx,
        customer_id=sale.customer_id,
        org_id=sale.org_id,
        kind="payment_back",
        memo=f"undone: sale {sale.sale_id}",
        lines=[
            Line(ledger.WALLET, -back.amount_micros, row.wallet_id),
            Line(ledger.MONEY_RESELLER, back.amount_micros),
        ],
        currency=back.currency,
        now=now,
        corrects_entry_id=paid_by,
    )
