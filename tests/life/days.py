"""Days that the product and a model live at once. Everything comes from one seed; after each event
both must agree, and the product's books with themselves."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from billing.model.charges import ChargeKind
from billing.model.events import AccountingRecord, Status
from billing.services import books, charges, recognition
from billing.services.context import Context
from billing.store import ledger, tables
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from tests.factories import Factory, Subscriber
from tests.life.model import Person
from tests.life.records import Bill, Extra

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
T = TypeVar("T")
P = TypeVar("P")
"""A customer in the product and in the model."""
Event = Callable[[P], None]


class Days(ABC, Generic[P]):
    """`people` customers in `zone`; `live` runs their days."""

    def __init__(self, context: Context, make: Factory, seed: int, zone: str, people: int) -> None:
        self.context, self.make, self.zone = context, make, ZoneInfo(zone)
        self.chance = random.Random(f"{zone} {seed}")
        self.told: list[str] = []
        with make.simulated_nas(LONG_AGO) as nas:  # only its name is needed
            self.nas = nas
        with context.transaction() as tx:
            tx.execute(text("UPDATE operator SET time_zone = :zone"), {"zone": zone})
        started = datetime(2023, self.chance.randint(9, 12), self.chance.randint(1, 28), tzinfo=UTC)
        self.now = started + timedelta(minutes=self.chance.randrange(1440))
        self.since = self.now
        self.begin()
        self.people = [self.join() for _ in range(people)]

    @abstractmethod
    def begin(self) -> None:
        """What there is to choose from."""

    @abstractmethod
    def join(self) -> P:
        """A new customer."""

    @abstractmethod
    def events(self) -> tuple[Event[P], ...]:
        """What may happen to a customer; more often what is named more often."""

    @abstractmethod
    def pass_time(self) -> None:
        """To the next event, with the jobs on the way."""

    @abstractmethod
    def compare(self) -> None:
        """AssertionError where the two differ."""

    @abstractmethod
    def owners(self) -> list[int]:
        """The customers' numbers."""

    def live(self, days: int) -> None:
        """Until so many days have passed. AssertionError tells what went before a difference."""
        end = self.now + timedelta(days=days)
        events = self.events()
        try:
            self.compare()
            while self.now < end:
                self.pass_time()
                self.chance.choice(events)(self.chance.choice(self.people))
                self.compare()
                self.check_books()
            self.finish()
        except Exception as error:
            raise AssertionError("\n".join([*self.told[-40:], repr(error)])) from error

    def finish(self) -> None:
        """When every day that was billed is over, all of it is earned (I6)."""
        recognition.run(self.context, self.now + timedelta(days=800))
        self.check_books()
        for customer_id in self.owners():
            with self.context.transaction() as tx:
                left = ledger.balance(tx, customer_id, ledger.DEFERRED_BILL)
            assert left == 0, f"deferred of customer {customer_id}"

    def check_books(self) -> None:
        """Entries, wallets, bills, deposits and what is deferred agree (M4)."""
        assert books.check_ledger(self.context, self.now).findings == ()

    def compare_bills(self, customer_id: int, bills: list[Bill]) -> None:
        expected = [
            (
                one.first,
                one.until,
                one.total,
                one.due,
                one.paid,
                one.credited,
                one.written_off,
                one.void,
            )
            for one in bills
        ]
        row = tables.Invoice
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(row).where(row.customer_id == customer_id).order_by(row.invoice_id)
            )
            billed = [
                (
                    row.cycle_from,
                    row.cycle_until,
                    row.total_micros,
                    row.due_on,
                    row.paid_micros,
                    row.credited_micros,
                    row.written_off_micros,
                    row.voided_at is not None,
                )
                for row in rows
            ]
        assert billed == expected, f"customer {customer_id}: {billed}, not {expected}"

    def bill_number(self, customer_id: int, bill: Bill) -> str:
        row = tables.Invoice
        with self.context.transaction() as tx:
            numbers = tx.scalars(
                select(row.number).where(row.customer_id == customer_id).order_by(row.invoice_id)
            )
            return list(numbers)[bill.place]

    @contextmanager
    def lane(self) -> Iterator[HotConnection]:
        lane = HotConnection(
            self.make.radius_dsn, statement_timeout_ms=30_000, lock_timeout_ms=20_000
        )
        try:
            yield lane
        finally:
            lane.close()

    def session(self, username: str, ended: datetime, octets: int) -> None:
        """Of a minute; its records arrive now."""
        records = [
            AccountingRecord(
                status=status,
                username=username,
                sent_username=username,
                nas_address=self.nas.address,
                acct_session_id=f"life {len(self.told)}",
                arrived_at=self.now,
                event_at=event_at,
                precise_time=True,
                has_gigawords=True,
                session_seconds=seconds,
                input_octets=moved,
                output_octets=0,
            )
            for status, event_at, seconds, moved in (
                (Status.START, ended - timedelta(minutes=1), 0, 0),
                (Status.STOP, ended, 60, octets),
            )
        ]
        with self.lane() as lane:
            charge_usage(lane, [usage_row(one) for one in records], self.now)

    def agree(self, real: Subscriber, model: Person) -> None:
        """On a charge or a discount, from some day on."""
        kind = self.chance.choice(list(ChargeKind))
        starts = self.day(-20, 40)
        if starts < model.joined:
            return
        ends = self.chance.choice([None, starts + timedelta(days=self.chance.randint(1, 90))])
        discount = kind is ChargeKind.DISCOUNT
        extra = Extra(
            kind.value,
            starts,
            starts + timedelta(days=1) if kind is ChargeKind.ONE_OFF else ends,
            0 if discount else self.chance.choice([5_000_000, 330_000]),
            self.chance.choice([100_000, 333_333, 1_000_000]) if discount else 0,
        )
        self.tell(f"{real.username} agrees on {extra}")
        made = charges.add_charge(
            self.context,
            real.subscription_id,
            kind,
            kind.value,
            self.now,
            price_micros=extra.price_micros,
            discount_ppm=extra.discount_ppm,
            starts_on=starts,
            ends_on=ends,
        )
        extra.number = made.charge_id
        model.extras.append(extra)

    def end_extra(self, real: Subscriber, model: Person) -> None:
        """One that has no end gets one."""
        extra = self.some([one for one in model.extras if one.ends is None])
        if extra is None:
            return
        earliest = max([extra.starts, *extra.billed]) + timedelta(days=1)
        extra.ends = earliest + timedelta(days=self.chance.randint(0, 40))
        self.tell(f"{real.username}: {extra.kind} {extra.number} ends on {extra.ends}")
        charges.end_charge(self.context, real.subscription_id, extra.number, extra.ends, self.now)

    def day(self, least: int, most: int) -> date:
        today = self.now.astimezone(self.zone).date()
        return today + timedelta(days=self.chance.randint(least, most))

    def some(self, of: list[T]) -> T | None:
        return self.chance.choice(of) if of else None

    def key(self) -> str:
        return f"{self.chance.random()}"

    def tell(self, what: str) -> None:
        self.told.append(f"{self.now:%Y-%m-%d %H:%M} {what}")
