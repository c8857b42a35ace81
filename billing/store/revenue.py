"""What is sold and not earned yet (rule I6); the customers that are written to are locked."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from billing.model.revenue import DeferredItem, Earned, RevenueKind, Sold, Step, Use
from billing.store import tables
from billing.store.pool import named_query

_PAGE = 5_000
_ALWAYS = date.max


def insert(
    tx: Session,
    package: tables.Entitlement,
    net_micros: int,
    currency: str,
    today: date,
) -> None:
    """A package that was sold on the local day `today`."""
    tx.add(
        tables.DeferredItem(
            customer_id=package.customer_id,
            org_id=package.org_id,
            kind=RevenueKind.PACKAGE.value,
            subscription_id=package.subscription_id,
            entitlement_id=package.entitlement_id,
            currency=currency,
            net_micros=net_micros,
            sold_on=today,
            posted_through=today.fromordinal(today.toordinal() - 1),
        )
    )
    tx.flush()


def open_items(
    tx: Session,
    customer_ids: Sequence[int],
    *,
    invoice_id: int | None = None,
    entitlement_id: int | None = None,
) -> list[DeferredItem]:
    """What of these customers is deferred now, or only what belongs to a bill or a package."""
    found = _items(
        tx,
        _ALWAYS,
        _ALWAYS,
        customer_ids=list(customer_ids),
        invoice_id=invoice_id,
        entitlement_id=entitlement_id,
    )
    return [item for item, _ in found]


def items_at(
    tx: Session, day: date, month_end: date
) -> Iterator[tuple[DeferredItem, Earned | None]]:
    """Everything that was deferred at the end of a local day in the month that ends on `month_end`,
    as it stood then; and what the ledger had of it by the next posting, None before that."""
    return _items(tx, day, month_end)


def customers_due(
    tx: Session, after: int, most: int, today: date, today_at: datetime, month_end: date
) -> list[int]:
    """Ids above `after` of customers of whom something is to be posted, ascending; `month_end`: the
    last day of the last month that is over."""
    rows = tx.connection().exec_driver_sql(
        named_query("customers_with_revenue"),
        {
            "after": after,
            "most": most,
            "today": today,
            "today_at": today_at,
            "month_end": month_end,
        },
    )
    return [row.customer_id for row in rows]


def post(tx: Session, found: Sequence[tuple[DeferredItem, Step, datetime]]) -> None:
    """Make revenue of what is deferred, by entries of these instants (rule M4)."""
    if not found:
        return
    rows = [
        {
            "customer_id": item.customer_id,
            "item_id": item.item_id,
            "org_id": item.org_id,
            "kind": item.kind.value,
            "currency": item.currency,
            "on_day": step.on,
            "at": at,
            "earned_micros": step.earned_micros,
            "breakage_micros": step.breakage_micros,
        }
        for item, step, at in found
    ]
    tx.connection().exec_driver_sql(
        named_query("post_recognition"), {"moves": json.dumps(rows, default=str)}
    )


def note_posted(tx: Session, customer_ids: Sequence[int], through: date) -> None:
    """Nothing more was earned of these customers' items by the end of a local day."""
    item = tables.DeferredItem
    tx.execute(
        update(item)
        .where(
            item.customer_id.in_(customer_ids),
            item.finished_on.is_(None),
            item.posted_through < through,
        )
        .values(posted_through=through)
    )


def give_back(
    tx: Session, item: DeferredItem, returned_micros: int, entry_id: int, today: date
) -> None:
    """An entry gave back what is deferred of an item; `returned_micros` less than that leaves the
    rest as an item of its own, for the days after `today`."""
    row = _row(tx, item)
    open_micros = row.net_micros - row.earned_micros - row.breakage_micros - row.returned_micros
    rest_micros = open_micros - returned_micros
    _move(tx, row, entry_id, today, returned_micros=open_micros)
    row.returned_micros += open_micros
    row.posted_through = max(row.posted_through, today)
    row.finished_on = today
    if rest_micros and item.sold.first_day is not None:
        tomorrow = today.fromordinal(today.toordinal() + 1)
        tx.add(
            tables.DeferredItem(
                customer_id=row.customer_id,
                org_id=row.org_id,
                kind=row.kind,
                subscription_id=row.subscription_id,
                invoice_id=row.invoice_id,
                currency=row.currency,
                net_micros=rest_micros,
                sold_on=today,
                first_day=max(item.sold.first_day, tomorrow),
                next_first_day=row.next_first_day,
                posted_through=today,
            )
        )
    tx.flush()


def breakage_of(tx: Session, customer_id: int, invoice_id: int) -> int:
    """What of a bill's items has lapsed and was not given back since, in micros."""
    item = tables.DeferredItem
    return int(
        tx.scalar(
            select(func.coalesce(func.sum(item.breakage_micros), 0)).where(
                item.customer_id == customer_id, item.invoice_id == invoice_id
            )
        )
        or 0
    )


def give_breakage_back(
    tx: Session, customer_id: int, invoice_id: int, micros: int, entry_id: int, today: date
) -> None:
    """So much of what had lapsed of a bill was given back by an entry."""
    table = tables.DeferredItem
    found = tx.scalars(
        select(table)
        .where(
            table.customer_id == customer_id,
            table.invoice_id == invoice_id,
            table.breakage_micros > 0,
        )
        .order_by(table.item_id)
        .execution_options(populate_existing=True)
    )
    for row in found:
        part = min(micros, row.breakage_micros)
        if part:
            _move(tx, row, entry_id, today, returned_micros=part, breakage_micros=-part)
            row.breakage_micros -= part
            row.returned_micros += part
            micros -= part
    tx.flush()


def _items(
    tx: Session,
    day: date,
    month_end: date,
    *,
    customer_ids: list[int] | None = None,
    invoice_id: int | None = None,
    entitlement_id: int | None = None,
) -> Iterator[tuple[DeferredItem, Earned | None]]:
    place = (0, 0)
    while True:
        rows = (
            tx.connection()
            .exec_driver_sql(
                named_query("deferred_items"),
                {
                    "day": day,
                    "month_end": month_end,
                    "customer_ids": customer_ids,
                    "invoice_id": invoice_id,
                    "entitlement_id": entitlement_id,
                    "after_customer": place[0],
                    "after_item": place[1],
                    "most": _PAGE,
                },
            )
            .all()
        )
        items = [_item(row) for row in rows]
        by_use = [
            (row.customer_id, row.entitlement_id)
            for row, item in zip(rows, items, strict=True)
            if item.sold.by_use
        ]
        uses = _uses(tx, by_use)
        for row, item in zip(rows, items, strict=True):
            used = uses.get((row.customer_id, row.entitlement_id), ())
            settled = None
            if row.settled_earned_micros is not None:
                settled = Earned(row.settled_earned_micros, row.settled_breakage_micros)
            yield replace(item, sold=replace(item.sold, uses=used)), settled
        if len(rows) < _PAGE:
            return
        place = rows[-1].customer_id, rows[-1].item_id


def _item(row: Row[tuple[object, ...]]) -> DeferredItem:
    return DeferredItem(
        customer_id=row.customer_id,
        item_id=row.item_id,
        org_id=row.org_id,
        kind=RevenueKind(row.kind),
        currency=row.currency,
        posted_through=row.posted_through,
        posted=Earned(row.earned_micros, row.breakage_micros),
        returned_micros=row.returned_micros,
        sold=Sold(
            net_micros=row.net_micros,
            first_day=row.first_day,
            next_first_day=row.next_first_day,
            validity_minutes=row.validity_minutes,
            seconds=row.seconds,
            octets=row.octets,
            used_up_on=row.used_up_on,
            lapsed_on=row.lapsed_on,
        ),
    )


def _uses(
    tx: Session, found: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], tuple[Use, ...]]:
    """Use of packages, by customer and entitlement."""
    uses: dict[tuple[int, int], tuple[Use, ...]] = defaultdict(tuple)
    if not found:
        return uses
    for use in tx.connection().exec_driver_sql(
        named_query("package_uses"),
        {
            "customer_ids": sorted({customer_id for customer_id, _ in found}),
            "entitlement_ids": sorted({entitlement_id for _, entitlement_id in found}),
        },
    ):
        key = use.customer_id, use.entitlement_id
        uses[key] += (Use(use.local_day, use.seconds, use.octets),)
    return uses


def _row(tx: Session, item: DeferredItem) -> tables.DeferredItem:
    key = {"customer_id": item.customer_id, "item_id": item.item_id}
    return tx.get_one(tables.DeferredItem, key, populate_existing=True)


def _move(
    tx: Session, row: tables.DeferredItem, entry_id: int, today: date, **micros: int
) -> None:  # fmt: skip
    tx.add(
        tables.DeferredMove(
            customer_id=row.customer_id,
            org_id=row.org_id,
            item_id=row.item_id,
            entry_id=entry_id,
            on_day=today,
            **micros,
        )
    )
