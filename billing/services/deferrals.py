"""What is sold for a period is revenue only as it is earned (rule I6): written by sales, taken back
before anything that was earned is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.model.plan import PlanTerms
from billing.model.revenue import DeferredItem, Step
from billing.rules import recognition
from billing.rules.cycles import day_passed_at, local_day
from billing.services.issuing import operator_of
from billing.store import ledger, revenue, tables
from billing.store.guard import Transaction
from billing.store.ledger import Line

_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """`lines` debit what is given back, for the caller's entry; then `note` what it took."""

    lines: tuple[Line, ...]
    items: tuple[tuple[DeferredItem, int], ...] = ()
    breakage_micros: int = 0


def account_of_sale(terms: PlanTerms) -> str:
    """What the sale of a package credits."""
    return ledger.DEFERRED_PACKAGE if recognition.is_deferred(terms) else ledger.REVENUE_PACKAGE


def defer_package(
    tx: Transaction, package: tables.Entitlement, terms: PlanTerms, net_micros: int, now: datetime
) -> None:
    """What was sold with it is earned from now on; the customer is locked."""
    if net_micros and recognition.is_deferred(terms):
        today = local_day(now, operator_of(tx).time_zone)
        revenue.insert(tx, package, net_micros, terms.currency, today)


def give_back_bill(
    tx: Transaction, bill: tables.Invoice, net_micros: int, now: datetime
) -> GivenBack:
    """Take so much of a bill's net back: what is not earned by the end of today first, then what
    lapsed, then revenue. The customer is locked."""
    items = revenue.open_items(tx, [bill.customer_id], invoice_id=bill.invoice_id)
    parts = _earn_today(tx, items, net_micros, now)
    deferred_micros = sum(parts)
    lapsed = revenue.breakage_of(tx, bill.customer_id, bill.invoice_id)
    breakage_micros = max(0, min(net_micros - deferred_micros, lapsed))
    return GivenBack(
        lines=(
            Line(ledger.DEFERRED_BILL, -deferred_micros),
            Line(ledger.REVENUE_BREAKAGE, -breakage_micros),
            Line(ledger.REVENUE_BILL, deferred_micros + breakage_micros - net_micros),
        ),
        items=tuple(
            (item, part) for item, part in zip(items, parts, strict=True) if part
        ),
        breakage_micros=breakage_micros,
    )  # fmt: skip


def note_bill(
    tx: Transaction, bill: tables.Invoice, given: GivenBack, entry_id: int, now: datetime
) -> None:
    """The entry with these lines was posted."""
    today = local_day(now, operator_of(tx).time_zone)
    for item, part in given.items:
        revenue.give_back(tx, item, part, entry_id, today)
    if given.breakage_micros:
        revenue.give_breakage_back(
            tx, bill.customer_id, bill.invoice_id, given.breakage_micros, entry_id, today
        )


def give_back_package(
    tx: Transaction, package: tables.Entitlement, net_micros: int, now: datetime
) -> GivenBack:
    """The same for a package that ends now: what of it is kept, is earned today."""
    items = revenue.open_items(
        tx, [package.customer_id], entitlement_id=package.entitlement_id
    )  # fmt: skip
    parts = _earn_today(tx, items, net_micros, now, ends=True)
    return GivenBack(
        lines=(
            Line(ledger.DEFERRED_PACKAGE, -sum(parts)),
            Line(ledger.REVENUE_PACKAGE, sum(parts) - net_micros),
        ),
        items=tuple((item, part) for item, part in zip(items, parts, strict=True) if part),
    )


def note_package(tx: Transaction, given: GivenBack, entry_id: int, now: datetime) -> None:
    """The entry with these lines was posted."""
    today = local_day(now, operator_of(tx).time_zone)
    for item, part in given.items:
        revenue.give_back(tx, item, part, entry_id, today)


def earn(
    tx: Transaction, items: Sequence[DeferredItem], through: date, time_zone: str, now: datetime
) -> int:
    """Post what has become earned of these by the end of a local day that is over; returns how many
    of them had something. The customers are locked."""
    found = [(item, step) for item in items for step in recognition.steps(item, through)]
    _post(tx, found, time_zone, now)
    return len({(item.customer_id, item.item_id) for item, _ in found})


def _earn_today(
    tx: Transaction,
    items: Sequence[DeferredItem],
    net_micros: int,
    now: datetime,
    *,
    ends: bool = False,
) -> list[int]:
    """Post what is earned by the end of today, and where all `ends` what is kept of the rest;
    returns how much of each item is given back."""
    time_zone = operator_of(tx).time_zone
    today = local_day(now, time_zone)
    steps = [recognition.steps(item, today, closing=True) for item in items]
    opens = [
        item.open_micros - sum(step.earned_micros + step.breakage_micros for step in of_item)
        for item, of_item in zip(items, steps, strict=True)
    ]
    parts = recognition.given_back(opens, net_micros)
    if ends:
        for of_item, open_micros, part in zip(steps, opens, parts, strict=True):
            of_item.append(Step(today, open_micros - part, 0))
    found = [(item, step) for item, of_item in zip(items, steps, strict=True) for step in of_item]
    _post(tx, found, time_zone, now)
    return parts


def _post(
    tx: Transaction, found: Sequence[tuple[DeferredItem, Step]], time_zone: str, now: datetime
) -> None:
    """An entry belongs to the day whose end it tells of, also where it is made later."""
    revenue.post(
        tx,
        [
            (item, step, min(now, day_passed_at(step.on, time_zone) - _A_MOMENT))
            for item, step in found
            if step.earned_micros or step.breakage_micros
        ],
    )
