"""A reseller sells its customers their packages again, many in one go (rule R1).

Each is a sale of its own, in a transaction of its own: what the wallet covers is sold, the rest is
named. Sent again, nobody gets a second one: the key of a sale names the package that it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.money import Money
from billing.model.resellers import (
    Chosen,
    Renewable,
    RenewalQuote,
    ResellerSaleReceipt,
    Resold,
)
from billing.services import reseller_sales
from billing.services.context import Context
from billing.store import resellers as store
from billing.store.customers import wallet_view
from billing.store.guard import Transaction

WITHIN_MOST = timedelta(days=31)
CHOSEN_MOST = 200
"""Sold in one go from a page: some seconds."""
DUE_MOST = 100_000


def due(
    context: Context,
    org_id: int,
    within: timedelta,
    now: datetime,
    *,
    text: str | None = None,
    most: int = DUE_MOST,
) -> list[Renewable]:
    """Whose last package ends `within` this time, or ended as long ago; the first to end come
    first. `text`: only whose name, user name or phone has it. Raises InvalidInput, NotFound."""
    if not timedelta() < within <= WITHIN_MOST:
        raise InvalidInput(f"must be more than 0 and at most {WITHIN_MOST.days} days",
                           field="within")  # fmt: skip
    with context.transaction() as tx:
        _check_reseller(tx, org_id)
        return store.renewable(tx, org_id, now - within, now + within, text or None, most)


def renew(context: Context, org_id: int, within: timedelta, now: datetime) -> list[Resold]:
    """Sell each customer that is `due` the same plan again, from the reseller's wallet; it follows
    what still runs (rule B4). Raises InvalidInput, NotFound."""
    return [_sold(context, one, None, now) for one in due(context, org_id, within, now)]


def renew_chosen(
    context: Context,
    org_id: int,
    chosen: Sequence[Chosen],
    now: datetime,
    *,
    most: int = CHOSEN_MOST,
) -> list[Resold]:
    """The same for these packages, those that end first before the others; what costs another
    amount than was quoted is not sold. Raises InvalidInput (more than `most`, none), NotFound."""
    quoted = {(one.subscription_id, one.entitlement_id): one.quoted for one in chosen}
    found = _packages(context, org_id, list(quoted), most)
    return [
        _sold(context, one, quoted[one.subscription_id, one.entitlement_id], now) for one in found
    ]


def quote(
    context: Context,
    org_id: int,
    chosen: Sequence[tuple[int, int]],
    now: datetime,
    *,
    most: int = CHOSEN_MOST,
) -> RenewalQuote:
    """What `renew_chosen` would sell of these (subscription, package), and what of it the wallet
    does not cover. Each is rehearsed by itself, so that nobody waits for long. Raises InvalidInput,
    NotFound."""
    with context.transaction() as tx:
        reseller = _check_reseller(tx, org_id)
        wallet = store.account_wallet(tx, reseller)
        available_micros, currency = wallet_view(wallet).available_micros, wallet.currency
    total_micros, left_micros, rows = 0, available_micros, []
    for one in _packages(context, org_id, chosen, most):
        with context.rehearsed() as trial:
            row = _sold(trial, one, None, now)
        if row.receipt is not None and row.receipt.cost_micros > left_micros:
            missing = Money(row.receipt.cost_micros - left_micros, currency)
            problem = "the shop's wallet does not pay it any more"
            if not context.cashier:
                problem = f"the wallet does not cover it: {missing} is missing (rule R1)"
            row = Resold(package=one, receipt=None, problem=problem)
        if row.receipt is not None:
            total_micros += row.receipt.total_micros
            left_micros -= row.receipt.cost_micros
        rows.append(row)
    return RenewalQuote(
        rows=tuple(rows),
        total_micros=total_micros,
        cost_micros=available_micros - left_micros,
        available_micros=available_micros,
        currency=currency,
    )


def terms_of(context: Context, receipt: ResellerSaleReceipt) -> str:
    """What a sale costs, to be confirmed; a cashier confirms what the customer pays."""
    cost = "" if context.cashier else receipt.cost_micros
    return f"{receipt.total_micros} {cost} {receipt.currency}"


def _sold(context: Context, package: Renewable, quoted: str | None, now: datetime) -> Resold:
    receipt = problem = None
    try:
        with context.together() as joined:
            receipt = _sell(joined, package, quoted, now)
    except (NotFound, Refused, Conflict) as error:
        problem = error.message
    return Resold(package=package, receipt=receipt, problem=problem)


def _sell(
    context: Context, package: Renewable, quoted: str | None, now: datetime
) -> ResellerSaleReceipt:
    """In a transaction that is undone where this raises."""
    receipt = reseller_sales.sell(
        context,
        package.subscription_id,
        package.plan_id,
        idempotency_key=f"renew:{package.subscription_id}:{package.entitlement_id}",
        now=now,
    )
    if receipt.repeated:
        return receipt
    if quoted is not None and quoted != terms_of(context, receipt):
        raise Refused("what it costs has changed since you looked")
    with context.transaction() as tx:
        if store.has_other_package(
            tx,
            receipt.customer_id,
            package.subscription_id,
            after=package.entitlement_id,
            but=receipt.entitlement_id,
        ):
            raise Refused("it has got another package meanwhile")
    return receipt


def _packages(
    context: Context, org_id: int, pairs: Sequence[tuple[int, int]], most: int
) -> list[Renewable]:
    if not pairs:
        raise InvalidInput("choose at least one", field="chosen")
    if len(pairs) > most:
        raise InvalidInput(f"choose at most {most} at a time", field="chosen")
    with context.transaction() as tx:
        _check_reseller(tx, org_id)
        return store.packages(tx, org_id, pairs)


def _check_reseller(tx: Transaction, org_id: int) -> int:
    """Its account. Raises NotFound."""
    found = store.get(tx, org_id)
    if found is None:
        raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
    return found.account_customer_id
