"""What a subscription may buy itself, and what it costs in full (rules B5, B8, M2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.errors import NotFound
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.rules.plans import sale_problem
from billing.rules.taxes import charge, rate_of
from billing.services import self_service
from billing.services.context import Context
from billing.store import catalog, ledger
from billing.store import customers as store


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plan with its price for this customer; `total` includes `tax`."""

    plan_id: int
    terms: PlanTerms
    total_micros: int
    tax_micros: int
    missing_micros: int
    """What the wallet lacks for it (rule P12); 0: it is enough."""


def of_subscription(context: Context, subscription_id: int, now: datetime) -> tuple[Offer, ...]:
    """Plans on sale that fit its billing profile and its wallet's currency, cheapest first. A price
    is that of the version in force now; a sale may still keep an earlier one (rule B18). Raises
    NotFound."""
    with context.transaction() as tx:
        row = store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        profile = store.effective_profile(tx, row)
        wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
        plans = catalog.list_plans(tx, now)
        own = self_service.price_list(tx, row.org_id)
    offers = []
    for plan in plans:
        terms = own.priced(plan.plan_id, plan.terms)
        if not own.sells(plan.plan_id) or plan.effective_from > now:
            continue
        if terms.currency != wallet.currency:
            continue
        if sale_problem(terms, profile.kind) is not None:
            continue
        price = Money(terms.price_micros, terms.currency)
        rate_ppm = rate_of(terms.tax_rate_ppm, profile)
        amount = charge(price, rate_ppm, inclusive=profile.tax_inclusive)
        offers.append(
            Offer(
                plan_id=plan.plan_id,
                terms=terms,
                total_micros=amount.total.amount_micros,
                tax_micros=amount.tax.amount_micros,
                missing_micros=max(0, amount.total.amount_micros - wallet.spendable_micros),
            )
        )
    return tuple(sorted(offers, key=lambda one: (one.total_micros, one.terms.plan_name)))
