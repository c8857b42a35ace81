"""A plan gets another price, for who is there already after notice (rule B18)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.plan_changes import OnPlan, PriceMove, RepriceReport
from billing.model.views import PlanView
from billing.rules.cycles import day_start, local_day
from billing.services.catalog import add_version_within
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.plan_runs import announce, price_moves
from billing.store import catalog
from billing.store import plan_changes as store
from billing.store.guard import Transaction

NOTICE_MOST_DAYS = 366
LISTED_MOST = 1_000
_PAGE = 1_000


def reprice(
    context: Context,
    plan_id: int,
    price_micros: int,
    *,
    from_day: date,
    notice_days: int,
    now: datetime,
    dry_run: bool = False,
    tell: bool = True,
) -> RepriceReport:
    """Sell a plan at another price from the local day `from_day` on, its other terms as they are.

    New customers pay it from that day. Who is on an earlier version moves to it at the first cycle
    that begins from then on and `notice_days` after they are told, and is not billed yet; daily
    customers pay it for packages that they buy from then on. A lower price needs no notice. With
    `dry_run` nothing is written. The report lists LISTED_MOST at most; its totals are of all.

    The version is committed before anybody is told; what a killed command left, the job does.
    Without `tell` all of it is left to the job, which runs each minute.
    Raises NotFound, InvalidInput, Refused (that is its price already).
    """
    if not 0 <= notice_days <= NOTICE_MOST_DAYS:
        raise InvalidInput(f"must be 0 to {NOTICE_MOST_DAYS}", field="notice_days")
    with context.transaction() as tx:
        latest, begins = _checked(tx, plan_id, price_micros, from_day, now)
        report = _report(tx, latest, price_micros, begins, notice_days, now)
        if dry_run:
            return report
        terms = replace(latest.terms, price_micros=price_micros)
        view = add_version_within(context, tx, plan_id, terms, begins, now, notice_days=notice_days)
    if tell:
        announce(context, now)
    return replace(report, new_version=view.version)


def _checked(
    tx: Transaction, plan_id: int, price_micros: int, from_day: date, now: datetime
) -> tuple[PlanView, datetime]:
    zone = operator_of(tx).time_zone
    if from_day < local_day(now, zone):
        raise InvalidInput("lies in the past (rule M6)", field="from")
    if catalog.get_plan(tx, plan_id, now) is None:
        raise NotFound(f"no plan has the number {plan_id}", field="plan")
    latest = catalog.plan_versions(tx, plan_id)[-1]
    if latest.terms.price_micros == price_micros:
        since = f"{latest.effective_from:%Y-%m-%d}"
        raise Refused(
            f"version {latest.version} of {latest.name} has that price, from {since} on",
            field="price",
        )
    return latest, max(now, day_start(from_day, zone))


def _report(
    tx: Transaction,
    latest: PlanView,
    price_micros: int,
    begins: datetime,
    notice_days: int,
    now: datetime,
) -> RepriceReport:
    moves: list[PriceMove] = []
    customers = more_micros = silent = after = 0
    while page := _page(tx, latest.plan_id, after):
        after = page[-1].customer_id
        for one in price_moves(tx, page, price_micros, begins, notice_days, now):
            customers += 1
            more_micros += one.new_micros - one.old_micros
            silent += one.new_micros > one.old_micros and not one.has_address
            if len(moves) < LISTED_MOST:
                moves.append(one)
    return RepriceReport(
        plan_id=latest.plan_id,
        plan_name=latest.name,
        new_version=None,
        effective_from=begins,
        notice_days=notice_days,
        old_micros=latest.terms.price_micros,
        new_micros=price_micros,
        currency=latest.terms.currency,
        customers=customers,
        more_micros=more_micros,
        silent=silent,
        moves=tuple(moves),
    )


def _page(tx: Transaction, plan_id: int, after: int) -> list[OnPlan]:
    """Whole customers: the last of a full page may go on behind it."""
    page = store.on_earlier_versions(tx, plan_id, None, after=after, most=_PAGE)
    if len(page) < _PAGE or page[0].customer_id == page[-1].customer_id:
        return page
    return [one for one in page if one.customer_id != page[-1].customer_id]
