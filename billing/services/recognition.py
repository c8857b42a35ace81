"""What has become earned is posted, and reported for any days (rule I6, docs/adr/0019).

Posted are the ends of months, and the day on which something is over; customers by pages, a
transaction each. Where one of a page fails, the page is done again customer by customer, and that
one is parked. What was posted is known by the items, so a run may be killed, repeated and late.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, Unavailable
from billing.model.bills import Parked
from billing.model.money import Money
from billing.model.revenue import (
    RecognitionReport,
    RevenueKind,
    RevenueLine,
    RevenueReport,
)
from billing.rules import recognition
from billing.rules.cycles import day_passed_at, day_start, local_day
from billing.services.context import Context
from billing.services.deferrals import earn
from billing.services.issuing import operator_of
from billing.store import billing_jobs, customers
from billing.store import revenue as store
from billing.store import revenue_totals as totals
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

JOB = "recognise_revenue"
_PAGE = 200
_ONE_DAY = timedelta(days=1)
_MOVEMENTS = {"sale": "added", "issue": "added", "recognition": "recognised"}
"""What an entry of a kind does to what is deferred; all others give back."""


def run(context: Context, now: datetime) -> RecognitionReport:
    """Post what was earned by the end of yesterday. Raises NotFound (no operator), Unavailable."""
    items = 0
    failed: list[int] = []
    for page in _pages(context, now):
        items += _post_page(context, page, now, failed)
    _add_up(context, now)
    return RecognitionReport(at=now, items=items, parked=len(failed))


def parked(context: Context) -> list[Parked]:
    """Customers whose revenue the last runs could not post, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def report(context: Context, first_day: date, last_day: date) -> RevenueReport:
    """What was earned on these local days, and what is deferred at both ends, to the day: what is
    posted, and what has become earned since. Raises InvalidInput, NotFound (no operator yet)."""
    if last_day < first_day:
        raise InvalidInput(f"must not lie before {first_day}", field="to")
    with context.at_one_instant() as tx:
        time_zone = operator_of(tx).time_zone
        since, until = day_start(first_day, time_zone), day_passed_at(last_day, time_zone)
        posted = totals.posted(tx, since, until)
        before = _unposted(tx, first_day - _ONE_DAY)
        after = _unposted(tx, last_day)
    return RevenueReport(
        first_day=first_day,
        last_day=last_day,
        lines=_lines(posted, before, after),
        unposted=tuple(
            Money(sum(after.revenue[kind, currency] for kind in RevenueKind), currency)
            for currency in sorted({currency for _, currency in after.revenue})
        ),
    )


@dataclass(frozen=True, slots=True)
class _Unposted:
    """Earned by the end of a day and not posted by then: of what revenue, by kind and currency,
    and by the kind of what was sold."""

    revenue: Counter[tuple[RevenueKind, str]]
    deferred: Counter[tuple[RevenueKind, str]]


def _unposted(tx: Transaction, day: date) -> _Unposted:
    found = _Unposted(Counter(), Counter())
    for item, settled in store.items_at(tx, day, recognition.month_end(day)):
        earned = recognition.unposted(item, day, settled)
        found.revenue[item.kind, item.currency] += earned.earned_micros
        found.revenue[RevenueKind.BREAKAGE, item.currency] += earned.breakage_micros
        both = earned.earned_micros + earned.breakage_micros
        found.deferred[item.kind, item.currency] += both
    return found


def _lines(
    posted: Sequence[totals.Posted], before: _Unposted, after: _Unposted
) -> tuple[RevenueLine, ...]:
    revenue: Counter[tuple[RevenueKind, str]] = Counter()
    deferred: dict[str, Counter[tuple[RevenueKind, str]]] = defaultdict(Counter)
    for one in posted:
        side, _, name = one.account.partition(":")
        key = RevenueKind(name), one.currency
        if side == "revenue":
            revenue[key] += one.within_micros
            continue
        deferred["before"][key] += one.before_micros
        deferred[_MOVEMENTS.get(one.kind, "given back")][key] += one.within_micros
    keys = {*revenue, *deferred["before"], *before.revenue, *after.revenue}
    found = []
    for key in sorted(keys):
        since = deferred["before"][key] - before.deferred[key]
        recognised = after.deferred[key] - before.deferred[key] - deferred["recognised"][key]
        added, given_back = deferred["added"][key], -deferred["given back"][key]
        found.append(
            RevenueLine(
                kind=key[0],
                currency=key[1],
                earned_micros=revenue[key] + after.revenue[key] - before.revenue[key],
                deferred_before_micros=since,
                added_micros=added,
                given_back_micros=given_back,
                recognised_micros=recognised,
                deferred_after_micros=since + added - given_back - recognised,
            )
        )
    return tuple(found)


def _pages(context: Context, now: datetime) -> Iterator[list[int]]:
    with context.transaction() as tx:
        time_zone = operator_of(tx).time_zone
    today = local_day(now, time_zone)
    last = 0
    while True:
        with context.transaction() as tx:
            page = store.customers_due(
                tx, last, _PAGE, today, day_start(today, time_zone), _last_month_end(today)
            )
        if page:
            yield page
        if len(page) < _PAGE:
            return
        last = page[-1]


def _post_page(
    context: Context, page: Sequence[int], now: datetime, failed: list[int]
) -> int:  # fmt: skip
    """How many items were posted; who fails is added to `failed`."""
    try:
        return _post(context, page, now)
    except Unavailable:
        raise
    except Exception as error:
        if len(page) == 1:
            _park(context, page[0], error, now)
            failed.append(page[0])
            return 0
    return sum(_post_page(context, [one], now, failed) for one in page)


def _post(context: Context, customer_ids: Sequence[int], now: datetime) -> int:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        time_zone = operator_of(tx).time_zone
        today = local_day(now, time_zone)
        items = store.open_items(tx, customer_ids)
        posted = earn(tx, items, today - _ONE_DAY, time_zone, now)
        store.note_posted(tx, customer_ids, _last_month_end(today))
        billing_jobs.unpark(tx, JOB, customer_ids)
        return posted


def _add_up(context: Context, now: datetime) -> None:
    """Keep what the ledger had at the ends of the months that are over; the first time at the end
    of the last one only."""
    with context.transaction() as tx:
        time_zone = operator_of(tx).time_zone
        kept = totals.added_up_until(tx)
        month = local_day(now, time_zone).replace(day=1)
        due = [day_start(month, time_zone)]
        while kept is not None and month > local_day(kept, time_zone):
            month = (month - _ONE_DAY).replace(day=1)
            due.append(day_start(month, time_zone))
        for until in reversed(due):
            if kept is None or until > kept:
                totals.add_up(tx, until, now)


def _park(context: Context, customer_id: int, error: Exception, now: datetime) -> None:
    log.error("revenue of customer %d cannot be posted", customer_id, exc_info=error)
    problem = str(error) or type(error).__name__
    with context.transaction() as tx:
        billing_jobs.park(tx, JOB, customer_id, problem, now)


def _last_month_end(today: date) -> date:
    """The last day of the last month that is over on a local day."""
    return today.replace(day=1) - _ONE_DAY
