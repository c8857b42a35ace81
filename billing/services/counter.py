"""What a reseller's counter shows before and after a sale (rule R1); selling is
`reseller_sales.sell`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from billing.errors import NotFound
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.model.resellers import Offer, SaleView
from billing.rules.plans import sale_problem
from billing.rules.resellers import missing, price_list_problem, sale_costs
from billing.rules.taxes import charge, rate_of
from billing.services.context import Context
from billing.store import catalog, customers, receipts, tables
from billing.store import resellers as store
from billing.store.guard import Transaction


def offers(context: Context, subscription_id: int, now: datetime) -> list[Offer]:
    """The packages on the price list of a subscriber's reseller that the subscriber can have, by
    name, at the prices of a whole one. Raises NotFound."""
    with context.transaction() as tx:
        row = customers.get_subscription(tx, subscription_id)
        if row is None or store.get(tx, row.org_id) is None:
            raise NotFound(
                f"no reseller's subscription has the number {subscription_id}", field="subscription"
            )
        profile = customers.effective_profile(tx, row)
        retails = store.retails_of(tx, row.org_id)
        found = [
            _offer(tx, row.org_id, plan_id, retails.get(plan_id), profile, now)
            for plan_id in store.costs_of(tx, row.org_id)
        ]
    return sorted((one for one in found if one), key=lambda one: one.terms.plan_name)


def show_sale(context: Context, sale_id: int) -> SaleView:
    """Raises NotFound."""
    with context.transaction() as tx:
        sale = store.find_sale(tx, sale_id)
        reseller = None if sale is None else store.get(tx, sale.org_id)
        if sale is None or reseller is None:
            raise NotFound(f"no sale has the number {sale_id}", field="sale")
        share = store.cost_of_sale(tx, sale_id, reseller.account_customer_id)
        key = {"customer_id": sale.customer_id, "entitlement_id": sale.entitlement_id}
        package = tx.get_one(tables.Entitlement, key)
        terms = catalog.get_terms(tx, package.plan_version_id)
        row = customers.get_subscription(tx, sale.subscription_id)
        paper = (
            None
            if sale.payment_id is None
            else receipts.of_payment(tx, sale.customer_id, sale.payment_id)
        )
        return SaleView(
            sale_id=sale_id,
            org_id=sale.org_id,
            customer_id=sale.customer_id,
            customer_name=tx.get_one(tables.Customer, sale.customer_id).name,
            subscription_id=sale.subscription_id,
            username="" if row is None else row.username,
            plan_name="" if terms is None else terms.plan_name,
            retail_micros=sale.retail_micros,
            cost_micros=None if share is None else share.cost_micros,
            currency=sale.currency,
            sold_at=sale.sold_at,
            sold_by=sale.sold_by,
            follows=package.follows,
            valid_from=package.valid_from,
            valid_until=package.valid_until,
            receipt_number=None if paper is None else paper.number,
            undo_until=sale.sold_at + timedelta(minutes=reseller.undo_minutes),
            undone_at=sale.undone_at,
            back_micros=sale.back_micros,
            cost_back_micros=None if share is None else share.back_micros,
        )


def _offer(
    tx: Transaction,
    org_id: int,
    plan_id: int,
    retail_micros: int | None,
    profile: BillingProfile,
    now: datetime,
) -> Offer | None:
    """None for what is not on sale, or not for such a subscriber."""
    plan = catalog.get_plan(tx, plan_id, now)
    if plan is None or plan.archived_at is not None or plan.effective_from > now:
        return None
    terms = plan.terms
    if retail_micros is not None:
        terms = replace(terms, price_micros=retail_micros)
    if sale_problem(terms, profile.kind):
        return None
    price = Money(terms.price_micros, terms.currency)
    levels = store.chain(tx, org_id, plan_id)
    costs = sale_costs(levels, Fraction(1))
    problem, short = price_list_problem(levels), missing(levels, costs)
    if problem is None and short is not None and short[0].depth:
        problem = "the wallet of a reseller above does not pay its part (rule R1)"
    own_short = short is not None and not short[0].depth
    return Offer(
        plan_id=plan_id,
        terms=terms,
        total_micros=charge(
            price, rate_of(terms.tax_rate_ppm, profile), inclusive=profile.tax_inclusive
        ).total.amount_micros,
        cost_micros=costs[0].amount_micros,
        missing_micros=short[1].amount_micros if short is not None and own_short else 0,
        currency=terms.currency,
        problem=problem,
    )
