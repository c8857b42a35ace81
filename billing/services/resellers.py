"""Resellers: their organisation, account and price lists (rules R1, R2).

Who is above a reseller decides what it pays and how much it may have; the reseller what its
customers pay. Who asks is known by its organisations: the parent's is among those of who is above.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.plan import PlanTerms
from billing.model.resellers import PriceLine, ResellerView
from billing.rules.cycles import local_day
from billing.rules.resellers import cost_problem
from billing.services import limits
from billing.services.alerts import balance_alert
from billing.services.context import Context
from billing.services.identity import checked_name, checked_optional
from billing.services.issuing import operator_of
from billing.store import audit, catalog, tables
from billing.store import customers as customer_store
from billing.store import resellers as store
from billing.store.customers import wallet_view
from billing.store.guard import Transaction

UNDO_MOST_MINUTES = 7 * 24 * 60
QUOTA_MOST = 10_000_000


def add(
    context: Context,
    *,
    name: str,
    parent_org_id: int,
    profile_id: int,
    now: datetime,
    email: str | None = None,
    undo_minutes: int = 15,
    max_customers: int | None = None,
    max_nas: int | None = None,
    max_plans: int | None = None,
    alert_percent: int | None = 20,
    earns_on_self_service: bool = True,
) -> ResellerView:
    """A reseller below the operator or another reseller, with an empty wallet and a copy of the
    billing profile `profile_id` for its customers; `earns_on_self_service`: by what customers buy
    themselves, too. By the operator's own processes only: nobody
    else sees an organisation before it is there.

    Raises InvalidInput, NotFound, Refused, Conflict (a profile has its name).
    """
    if context.org_ids is not None:
        raise Refused("a reseller is added at the command line: tollway reseller add")
    _check_limits(undo_minutes, alert_percent)
    quotas = _quotas(max_customers, max_nas, max_plans)
    with context.transaction() as tx:
        parent = store.organisation(tx, parent_org_id)
        found = catalog.get_profile(tx, profile_id)
        if parent is None or parent.closed_at is not None:
            raise NotFound(f"no organisation has the number {parent_org_id}", field="parent")
        if parent.parent_org_id is not None and store.get(tx, parent_org_id) is None:
            raise Refused(f"{parent.name} is neither the operator nor a reseller", field="parent")
        if found is None or found.archived_at is not None:
            raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
        if found.profile.recurring_prepaid:
            raise Refused(
                "its customers would pay their months from wallets of their own; take a profile "
                "without automatic bills, and the reseller sells the months (rule R1)",
                field="profile",
            )
        row = tables.Organisation(
            parent_org_id=parent_org_id, name=checked_name(name), created_at=now
        )
        tx.add(row)
        tx.flush()
        operator = operator_of(tx)
        own = replace(found.profile, name=f"{found.profile.name} ({row.name})")
        today = local_day(now, operator.time_zone)
        account = tables.Customer(
            org_id=row.org_id,
            profile_id=catalog.insert_profile(tx, row.org_id, own, today, now),
            name=f"Account of {row.name}",
            email=checked_optional(email, "email"),
            locale="en",
            created_at=now,
        )
        customer_store.insert_customer(
            tx, account, currency=operator.currency, credit_limit_micros=0
        )
        tx.add(
            tables.Reseller(
                org_id=row.org_id,
                account_customer_id=account.customer_id,
                undo_minutes=undo_minutes,
                **quotas,
                earns_on_self_service=earns_on_self_service,
                created_at=now,
            )
        )
        tx.flush()
        store.watch_account(tx, row.org_id, alert_percent, None)
        audit_organisation(context, tx, row.org_id, "reseller.add", now, {"name": row.name})
        return _view(tx, row.org_id)


def change(
    context: Context,
    org_id: int,
    now: datetime,
    *,
    undo_minutes: int,
    max_customers: int | None,
    max_nas: int | None,
    max_plans: int | None,
    alert_percent: int | None,
    closed: bool,
    earns_on_self_service: bool | None = None,
) -> ResellerView:
    """Its limits, by who is above it. A closed one sells nothing and gets no money; whether it
    earns by what customers buy themselves stays unless given. Raises
    InvalidInput, NotFound, Refused."""
    _check_limits(undo_minutes, alert_percent)
    quotas = _quotas(max_customers, max_nas, max_plans)
    context.refuse_cashier()
    with context.transaction() as tx:
        check_above(context, tx, org_id)
        row = store.lock_row(tx, org_id)
        if row is None:
            raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
        row.undo_minutes = undo_minutes
        for name, most in quotas.items():
            setattr(row, name, most)
        if earns_on_self_service is not None:
            row.earns_on_self_service = earns_on_self_service
        row.closed_at = (row.closed_at or now) if closed else None
        tx.flush()
        below_micros = store.chain(tx, org_id)[0].alert_below_micros
        store.watch_account(tx, org_id, alert_percent, below_micros if alert_percent else None)
        detail: dict[str, object] = {
            "undo_minutes": undo_minutes,
            **quotas,
            "alert_percent": alert_percent,
            "closed": closed,
            "earns_on_self_service": row.earns_on_self_service,
        }
        audit_organisation(context, tx, org_id, "reseller.change", now, detail)
        tx.expire_all()
        return _view(tx, org_id)


def listed(context: Context) -> list[ResellerView]:
    """Those that the caller may see, by number."""
    with context.transaction() as tx:
        return [_view(tx, org_id) for org_id in store.visible(tx)]


def show(context: Context, org_id: int) -> ResellerView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return _view(tx, org_id)


def set_cost(
    context: Context,
    org_id: int,
    plan_id: int,
    cost_micros: int | None,
    now: datetime,
    *,
    below_parent: bool = False,
) -> None:
    """What a reseller pays for a plan, with all taxes, for sales from now on; None takes the plan
    off its list. By who is above it, and not less than the parent pays unless `below_parent`: then
    the parent's wallet pays the difference. Not more plans than it may have.

    Raises InvalidInput, NotFound, Refused.
    """
    context.refuse_cashier()
    with context.transaction() as tx:
        check_above(context, tx, org_id)
        terms = plan_on_sale(tx, plan_id, now)
        _check_price(cost_micros, terms.currency, "cost")
        parent = _row(tx, org_id)
        levels = store.chain(tx, org_id, plan_id)
        if cost_micros is not None and len(levels) > 1:
            above_micros = levels[1].cost_micros
            if above_micros is None:
                raise Refused(
                    f"reseller {levels[1].org_id} above it cannot sell the plan itself (rule R1)",
                    field="plan",
                )
            problem = cost_problem(cost_micros, above_micros, terms.currency)
            if problem and not below_parent:
                raise Refused(f"{problem}; say so to have it pay the difference", field="cost")
        if cost_micros is not None:
            limits.check_plan(tx, org_id, plan_id)
        tx.add(
            tables.ResellerCost(
                org_id=parent.org_id,
                plan_id=plan_id,
                cost_micros=cost_micros,
                below_parent=below_parent,
                set_at=now,
                set_by=context.actor,
            )
        )
        tx.flush()
        detail: dict[str, object] = {"plan": plan_id, "cost_micros": cost_micros}
        audit_organisation(context, tx, org_id, "reseller.cost", now, detail)


def set_retail(
    context: Context, org_id: int, plan_id: int, retail_micros: int | None, now: datetime
) -> None:
    """What a reseller's customers pay for a plan from now on, as the plan's price is meant (with or
    without taxes, as the billing profile says); None: the plan's own price. By the reseller itself,
    for a plan on its list, and not less than its cost. Raises InvalidInput, NotFound, Refused."""
    context.refuse_cashier()
    with context.transaction() as tx:
        _row(tx, org_id)
        terms = plan_on_sale(tx, plan_id, now)
        _check_price(retail_micros, terms.currency, "retail")
        cost_micros = store.costs_of(tx, org_id).get(plan_id)
        if cost_micros is None:
            raise Refused(
                f"{terms.plan_name} is not on the price list (rule R1): ask who is above",
                field="plan",
            )
        if retail_micros is not None and retail_micros < cost_micros:
            raise Refused("it would be sold for less than its cost (rule R1)", field="retail")
        tx.add(
            tables.ResellerRetail(
                org_id=org_id,
                plan_id=plan_id,
                retail_micros=retail_micros,
                set_at=now,
                set_by=context.actor,
            )
        )
        tx.flush()
        detail: dict[str, object] = {"plan": plan_id, "retail_micros": retail_micros}
        audit_organisation(context, tx, org_id, "reseller.retail", now, detail)


def price_list(context: Context, org_id: int, now: datetime) -> list[PriceLine]:
    """The plans that it may sell, by name. Raises NotFound."""
    context.refuse_cashier()
    with context.transaction() as tx:
        _row(tx, org_id)
        retails = store.retails_of(tx, org_id)
        lines = []
        for plan_id, cost_micros in store.costs_of(tx, org_id).items():
            plan = catalog.get_plan(tx, plan_id, now)
            if plan is None or plan.archived_at is not None:
                continue
            lines.append(
                PriceLine(
                    plan_id=plan_id,
                    plan_name=plan.name,
                    cost_micros=cost_micros,
                    retail_micros=retails.get(plan_id, plan.terms.price_micros),
                    own_retail=plan_id in retails,
                    currency=plan.terms.currency,
                )
            )
        return sorted(lines, key=lambda line: line.plan_name)


def plan_on_sale(tx: Transaction, plan_id: int, now: datetime) -> PlanTerms:
    """Raises NotFound."""
    plan = catalog.get_plan(tx, plan_id, now)
    if plan is None or plan.archived_at is not None:
        raise NotFound(f"no plan with the number {plan_id} is on sale", field="plan")
    return plan.terms


def is_above(context: Context, tx: Transaction, org_id: int) -> bool:
    """Whether who asks acts for the parent of this reseller, or for all. Raises NotFound."""
    _row(tx, org_id)
    return not store.sells_from_wallet(tx, org_id)


def check_above(context: Context, tx: Transaction, org_id: int) -> None:
    """Raises Refused where who asks is the reseller itself, NotFound where it is a stranger."""
    if not is_above(context, tx, org_id):
        raise Refused("only who is above the reseller may do that (rule R2)", field="reseller")


def _row(tx: Transaction, org_id: int) -> tables.Reseller:
    found = store.get(tx, org_id)
    if found is None:
        raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
    return found


def _view(tx: Transaction, org_id: int) -> ResellerView:
    row, organisation = _row(tx, org_id), store.organisation(tx, org_id)
    wallet = store.account_wallet(tx, row.account_customer_id)
    if organisation is None or organisation.parent_org_id is None:
        raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
    return ResellerView(
        org_id=org_id,
        parent_org_id=organisation.parent_org_id,
        name=organisation.name,
        account_customer_id=row.account_customer_id,
        available_micros=wallet_view(wallet).available_micros,
        currency=wallet.currency,
        alert_percent=wallet.alert_percent,
        alert_below_micros=balance_alert(wallet).threshold_micros,
        undo_minutes=row.undo_minutes,
        max_customers=row.max_customers,
        max_nas=row.max_nas,
        max_plans=row.max_plans,
        earns_on_self_service=row.earns_on_self_service,
        customers=store.customers_of(tx, org_id),
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def _quotas(customers: int | None, nas: int | None, plans: int | None) -> dict[str, int | None]:
    """By column. Raises InvalidInput."""
    found = {"max_customers": customers, "max_nas": nas, "max_plans": plans}
    for name, most in found.items():
        if most is not None and not 0 <= most <= QUOTA_MOST:
            raise InvalidInput(f"must be 0 to {QUOTA_MOST}", field=name)
    return found


def _check_limits(undo_minutes: int, alert_percent: int | None) -> None:
    if not 0 <= undo_minutes <= UNDO_MOST_MINUTES:
        raise InvalidInput(f"must be 0 to {UNDO_MOST_MINUTES} minutes", field="undo_minutes")
    if alert_percent is not None and not 1 <= alert_percent <= 99:
        raise InvalidInput("must be 1 to 99 percent", field="alert_percent")


def _check_price(micros: int | None, currency: str, field: str) -> None:
    """Raises InvalidInput for what nobody can pay (rule M2)."""
    if micros is not None and (micros < 0 or micros % store.smallest_coin(currency)):
        raise InvalidInput(f"must be 0 or more, in whole coins of {currency}", field=field)


def audit_organisation(
    context: Context,
    tx: Transaction,
    org_id: int,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    """Append to the log what was done to an organisation."""
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=f"organisation:{org_id}",
        detail=detail,
    )
