"""What a reseller's customer buys itself, from its own wallet, earns the reseller, and each above
it, the margin of its price list (rule R1).

It is part of the purchase's transaction; whoever begins one locks the accounts of the chain with
the customer (`resellers.lock_chain_of`), by ascending id (F15). A reseller that could not sell the
plan, as it, or one above it, is closed or has no cost for it, earns nothing: such a purchase is the
operator's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from billing.errors import NotFound
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.views import SaleReceipt
from billing.rules.resellers import passed_on, price_list_problem
from billing.services.context import Context
from billing.store import resellers
from billing.store import self_service as store
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class PriceList:
    """What an organisation's customers may buy themselves. `retails`: of the plans on a reseller's
    list, what they cost, None for the plan's price; None: any plan, at its price."""

    retails: Mapping[int, int | None] | None

    def sells(self, plan_id: int) -> bool:
        return self.retails is None or plan_id in self.retails

    def priced(self, plan_id: int, terms: PlanTerms) -> PlanTerms:
        """The terms at what these customers pay, with or without taxes as the plan's price is
        meant."""
        retail_micros = None if self.retails is None else self.retails.get(plan_id)
        return terms if retail_micros is None else replace(terms, price_micros=retail_micros)


def price_list(tx: Transaction, org_id: int) -> PriceList:
    """Of a reseller, its own; its retail prices while it earns by what customers buy."""
    is_reseller = resellers.is_reseller(tx, org_id)
    return PriceList(store.price_list(tx, org_id) if is_reseller else None)


def priced(tx: Transaction, org_id: int, plan_id: int, terms: PlanTerms) -> PlanTerms:
    """The terms at which a customer of the organisation buys itself. Raises NotFound where its
    reseller does not sell the plan."""
    found = price_list(tx, org_id)
    if not found.sells(plan_id):
        raise NotFound(f"no plan with the number {plan_id} is on sale", field="plan")
    return found.priced(plan_id, terms)


def earn(
    tx: Transaction, context: Context, plan_id: int, receipt: SaleReceipt, now: datetime
) -> None:
    """What the chain earns by a purchase, which was just made."""
    org_id = resellers.organisation_of(tx, receipt.customer_id)
    if not receipt.total_micros or not resellers.is_reseller(tx, org_id):
        return
    levels = resellers.chain(tx, org_id, plan_id)
    if price_list_problem(levels) or levels[0].currency != receipt.currency:
        return
    costs = passed_on(levels, Money(receipt.total_micros, receipt.currency))
    store.post(
        tx,
        receipt.customer_id,
        receipt.entitlement_id,
        receipt.total_micros,
        [cost.amount_micros for cost in costs],
        receipt.currency,
        memo=f"{receipt.plan_name}, bought by customer {receipt.customer_id} itself",
        by=context.actor,
        now=now,
    )
