"""What the clock brings plans: changes whose day has come, prices to be announced (B17, B18).

Customers are taken one by one, a transaction each, with their row locked: what was carried out is
not due any more, so a run that was killed is taken up where it was. Bills do not wait for it: they
are issued by the plan of their days (rules/plan_changes.py), whichever job comes first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime

from billing.errors import Unavailable
from billing.model.bills import Parked
from billing.model.messages import MessageDraft, MessageKind
from billing.model.plan import PlanTerms
from billing.model.plan_changes import (
    Announced,
    ChangeKind,
    ChangeState,
    OnPlan,
    PlanRunReport,
    PriceMove,
)
from billing.model.profile import BillingProfile
from billing.rules.cycles import local_day
from billing.rules.prices import starts_on
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.plan_due import carry_out_due
from billing.store import (
    audit,
    billing_jobs,
    catalog,
    customers,
    messages,
    tables,
)
from billing.store import plan_changes as store
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

JOB = "plan_changes"
_PAGE = 200


def run(context: Context, now: datetime) -> PlanRunReport:
    """Announce new prices to whom they concern and does not know, then carry out what is due."""
    announced = announce(context, now)
    with context.transaction() as tx:
        due = store.due(tx, local_day(now, operator_of(tx).time_zone), now)
    changed = failed = 0
    for customer_id in due:
        try:
            changed += _customer(context, customer_id, now)
        except Unavailable:
            raise
        except Exception as error:
            _park(context, customer_id, error, now)
            failed += 1
    return PlanRunReport(changed=changed, announced=announced, parked=failed)


def announce(context: Context, now: datetime) -> int:
    """Give notice of new prices (rule B18), each customer once and for its own first day; returns
    to how many subscriptions. Who comes to a plan between is told as well."""
    with context.transaction() as tx:
        versions = store.announced(tx)
        # Who was parked is tried again, or has nothing left that could fail.
        billing_jobs.unpark_all(tx, JOB)
    return sum(_announce(context, version, now) for version in versions)


def parked(context: Context) -> list[Parked]:
    """Customers whose changes the last runs could not carry out, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def price_moves(
    tx: Transaction,
    found: Sequence[OnPlan],
    new_micros: int,
    begins: datetime,
    notice_days: int,
    now: datetime,
) -> list[PriceMove]:
    """From which day each of them pays the new price, when told at `now`."""
    zone = operator_of(tx).time_zone
    profiles = catalog.profiles_by_id(tx, {one.profile_id for one in found})
    effective, today = local_day(begins, zone), local_day(now, zone)
    return [
        _price_move(one, profiles[one.profile_id], new_micros, effective, today, notice_days)
        for one in found
    ]


def _price_move(
    one: OnPlan,
    profile: BillingProfile,
    new_micros: int,
    effective: date,
    today: date,
    notice_days: int,
) -> PriceMove:
    dearer = new_micros > one.price_micros
    day = starts_on(profile, effective, today, notice_days, one.billed_until, dearer=dearer)
    return PriceMove(
        customer_id=one.customer_id,
        subscription_id=one.subscription_id,
        username=one.username,
        version=one.version,
        old_micros=one.price_micros,
        new_micros=new_micros,
        starts_on=day,
        told=dearer and one.has_address,
        has_address=one.has_address,
    )


def _announce(context: Context, version: Announced, now: datetime) -> int:
    told = after = 0
    while True:
        with context.transaction() as tx:
            page = store.on_earlier_versions(
                tx, version.plan_id, version.plan_version_id, after=after, most=_PAGE
            )
        ids = sorted({one.customer_id for one in page})
        if not ids:
            return told
        told += _announce_page(context, version, ids, now)
        after = ids[-1]


def _announce_page(context: Context, version: Announced, ids: Sequence[int], now: datetime) -> int:
    """In one transaction; where that fails, customer by customer: who fails is parked."""
    try:
        return _tell(context, version, ids, now)
    except Unavailable:
        raise
    except Exception as error:
        if len(ids) == 1:
            _park(context, ids[0], error, now)
            return 0
    return sum(_announce_page(context, version, [one], now) for one in ids)


def _tell(context: Context, version: Announced, ids: Sequence[int], now: datetime) -> int:
    with context.transaction() as tx:
        customers.lock_customers(tx, ids)
        # Read when they are locked: some may have changed their plan, or know by now.
        found = store.on_earlier_versions(
            tx, version.plan_id, version.plan_version_id, most=_PAGE * _PAGE, customer_ids=ids
        )
        terms = catalog.terms_by_version(tx, {version.plan_version_id})[version.plan_version_id]
        moves = price_moves(
            tx, found, terms.price_micros, version.effective_from, version.notice_days, now
        )
        _schedule(tx, found, moves, terms, now)
        return len(moves)


def _park(context: Context, customer_id: int, error: Exception, now: datetime) -> None:
    log.error("the plan of customer %d cannot be changed", customer_id, exc_info=error)
    with context.transaction() as tx:
        billing_jobs.park(tx, JOB, customer_id, str(error) or type(error).__name__, now)


def _schedule(
    tx: Transaction,
    found: Sequence[OnPlan],
    moves: Sequence[PriceMove],
    terms: PlanTerms,
    now: datetime,
) -> None:
    for one, move in zip(found, moves, strict=True):
        store.replace_prices(tx, one.customer_id, one.subscription_id, move.starts_on, now)
        tx.add(
            tables.PlanChange(
                customer_id=one.customer_id,
                org_id=one.org_id,
                subscription_id=one.subscription_id,
                kind=ChangeKind.PRICE.value,
                state=ChangeState.PENDING.value,
                from_version_id=one.plan_version_id,
                to_version_id=terms.plan_version_id,
                effective_on=move.starts_on,
                requested_at=now,
            )
        )
    tx.flush()
    messages.queue(tx, [_notice(move, terms) for move in moves if move.told], now)


def _notice(move: PriceMove, terms: PlanTerms) -> MessageDraft:
    return MessageDraft(
        customer_id=move.customer_id,
        kind=MessageKind.PRICE_NOTICE,
        idempotency_key=f"price:{terms.plan_version_id}:{move.subscription_id}",
        facts={
            "username": move.username,
            "plan": terms.plan_name,
            "old_micros": move.old_micros,
            "new_micros": move.new_micros,
            "currency": terms.currency,
            "starts_on": move.starts_on.isoformat(),
        },
    )


def _customer(context: Context, customer_id: int, now: datetime) -> int:
    """Carry out what is due of one customer; returns how many changes ended."""
    with context.transaction() as tx:
        customer = customers.lock_customer(tx, customer_id)
        if customer is None:
            return 0
        ended = carry_out_due(context, tx, customer_id, now)
        if ended:
            audit.append(
                tx,
                at=now,
                org_id=customer.org_id,
                actor=context.actor,
                action="subscription.plan.due",
                subject=f"customer:{customer_id}",
                detail=ended,
            )
        return len(ended)
