"""Years of a few monthly customers' lives, lived by the product and by the model at once.

Everything comes from one seed. After each event both must agree on every bill, charge, wallet and
state, and at the end the product's books with themselves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.profile import BillIn, DueBasis
from billing.services import (
    agreements,
    bill_run,
    bills,
    books,
    charges,
    credits,
    explain,
    moves,
    recognition,
    sales,
)
from billing.services.context import Context
from billing.store import ledger, tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.life.model import CENT, Bill, Extra, Person, Terms

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
T = TypeVar("T")
PRICES = (30_000_000, 9_990_000, 1_000_000)


@dataclass
class Pair:
    """One customer in the product and in the model."""

    real: Subscriber
    model: Person


class Life:
    """`people` customers in `zone`; `live` runs their days."""

    def __init__(self, context: Context, make: Factory, seed: int, zone: str, people: int) -> None:
        self.context, self.make, self.zone = context, make, ZoneInfo(zone)
        self.chance = random.Random(f"{zone} {seed}")
        self.told: list[str] = []
        with context.transaction() as tx:
            tx.execute(text("UPDATE operator SET time_zone = :zone"), {"zone": zone})
        started = datetime(2023, self.chance.randint(9, 12), self.chance.randint(1, 28), tzinfo=UTC)
        self.now = started + timedelta(minutes=self.chance.randrange(1440))
        self.choices = [self._terms() for _ in range(4)]
        self.people = [self._join() for _ in range(people)]

    def live(self, days: int) -> None:
        """Until so many days have passed. AssertionError tells what went before a difference."""
        end = self.now + timedelta(days=days)
        events = (
            self._nothing,
            self._pay,
            self._pay,
            self._top_up,
            self._take_back,
            self._agree,
            self._end_extra,
            self._promise,
            self._move,
        )
        try:
            self._compare()
            while self.now < end:
                self._pass_time()
                self.chance.choice(events)(self.chance.choice(self.people))
                self._compare()
            assert books.check_ledger(self.context, self.now).findings == ()
            self._earn_all()
        except Exception as error:
            raise AssertionError("\n".join([*self.told[-40:], repr(error)])) from error

    # --- what there is to begin with ----------------------------------------------------------

    def _terms(self) -> Terms:
        chance = self.chance
        arrears = chance.random() < 0.3
        return Terms(
            cycle_day=chance.choice([1, 10, 15, 28, 29, 30, 31]),
            arrears=arrears,
            from_cycle_start=not arrears and chance.random() < 0.5,
            due_days=chance.choice([0, 1, 10, 35]),
            suspend_hour=chance.choice([0, 2, 9]),
            no_cut_weekdays=chance.choice([frozenset(), frozenset({5, 6}), frozenset({0})]),
            tax_ppm=chance.choice([0, 77_000, 210_000]),
            inclusive=chance.random() < 0.5,
        )

    def _profile(self, terms: Terms) -> int:
        """Switched on long before anybody joined it."""
        template = replace(
            MONTHLY,
            automatic_bill=True,
            cycle_day=terms.cycle_day,
            bill_in=BillIn.ARREARS if terms.arrears else BillIn.ADVANCE,
            due_basis=DueBasis.CYCLE_START if terms.from_cycle_start else DueBasis.ISSUE,
            due_days=terms.due_days,
            suspend_at_hour=terms.suspend_hour,
            no_cut_weekdays=terms.no_cut_weekdays,
            tax_rate_ppm=terms.tax_ppm,
            tax_inclusive=terms.inclusive,
        )
        return self.make.profile(LONG_AGO, template)

    def _join(self) -> Pair:
        terms, price = self.chance.choice(self.choices), self.chance.choice(PRICES)
        profile_id = self._profile(terms)
        template = next(one for one, known in self.make.profiles.items() if known == profile_id)
        plan = replace(MONTH_PLAN, price_micros=price)
        real = self.make.subscriber(self.now, profile=template, plan=plan)
        model = Person(self.zone, terms, price, self.now.astimezone(self.zone).date())
        model.bill_run(self.now)
        self._tell(f"{real.username} joins: {terms}, {price}")
        return Pair(real, model)

    # --- what happens -------------------------------------------------------------------------

    def _pass_time(self) -> None:
        """Hours to weeks, in which the bill run may not have come."""
        self.now += timedelta(minutes=self.chance.choice([7, 180, 1440, 4000, 15_000, 40_000]))
        if self.chance.random() < 0.7:
            bill_run.run(self.context, self.now)
            for pair in self.people:
                pair.model.bill_run(self.now)
            self._tell("bill run")
        if self.chance.random() < 0.3:
            recognition.run(self.context, self.now)
            self._tell("revenue posted")

    def _nothing(self, pair: Pair) -> None:
        del pair

    def _pay(self, pair: Pair) -> None:
        bill = self._some([bill for bill in pair.model.bills if bill.open])
        if bill is None:
            return
        amount = self.chance.choice([bill.open, CENT, bill.open + 5_000_000, bill.open // 2])
        amount = max(amount // CENT, 1) * CENT
        self._tell(f"{pair.real.username} pays {amount} for bill {bill.place}")
        bills.pay(
            self.context,
            self._number(pair, bill),
            idempotency_key=self._key(),
            now=self.now,
            amount_micros=amount,
            channel=MoneyChannel.CASH,
        )
        pair.model.pay(bill, amount)

    def _top_up(self, pair: Pair) -> None:
        amount = self.chance.choice([CENT, 5_000_000, 100_000_000])
        self._tell(f"{pair.real.username} tops up {amount}")
        sales.topup(
            self.context,
            pair.real.customer_id,
            amount_micros=amount,
            channel=MoneyChannel.CASH,
            idempotency_key=self._key(),
            now=self.now,
        )
        pair.model.top_up(amount)

    def _take_back(self, pair: Pair) -> None:
        """A part, a whole bill, or the last one as if never issued."""
        valid = [bill for bill in pair.model.bills if not bill.void]
        bill = self._some([bill for bill in valid if bill.credited < bill.total])
        if bill is None:
            return
        left = bill.total - bill.credited
        void = bill is max(valid, key=lambda one: one.until) and self.chance.random() < 0.5
        part = max(left // 3 // CENT, 1) * CENT
        amount = left if void or self.chance.random() < 0.3 else min(left, part)
        self._tell(f"{pair.real.username} gets {amount} of bill {bill.place} back, void: {void}")
        credits.credit(
            self.context,
            self._number(pair, bill),
            reason="a test",
            idempotency_key=self._key(),
            now=self.now,
            amount_micros=amount,
            void=void,
        )
        pair.model.credit(bill, amount, void=void)
        pair.model.settle()

    def _agree(self, pair: Pair) -> None:
        kind = self.chance.choice(list(ChargeKind))
        starts = self._day(-20, 40)
        if starts < pair.model.joined:
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
        self._tell(f"{pair.real.username} agrees on {extra}")
        made = charges.add_charge(
            self.context,
            pair.real.subscription_id,
            kind,
            kind.value,
            self.now,
            price_micros=extra.price_micros,
            discount_ppm=extra.discount_ppm,
            starts_on=starts,
            ends_on=ends,
        )
        extra.number = made.charge_id
        pair.model.extras.append(extra)

    def _end_extra(self, pair: Pair) -> None:
        extra = self._some([one for one in pair.model.extras if one.ends is None])
        if extra is None:
            return
        earliest = max([extra.starts, *extra.billed]) + timedelta(days=1)
        extra.ends = earliest + timedelta(days=self.chance.randint(0, 40))
        self._tell(f"{pair.real.username}: {extra.kind} {extra.number} ends on {extra.ends}")
        charges.end_charge(
            self.context, pair.real.subscription_id, extra.number, extra.ends, self.now
        )

    def _promise(self, pair: Pair) -> None:
        if not any(bill.open for bill in pair.model.bills):
            return
        until = self._day(0, 20)
        self._tell(f"{pair.real.username} promises to pay by {until}")
        agreements.promise(self.context, pair.real.customer_id, until, self.now)
        pair.model.promise = until

    def _move(self, pair: Pair) -> None:
        terms = self.chance.choice([one for one in self.choices if one != pair.model.terms])
        self._tell(f"{pair.real.username} moves to {terms}")
        moves.change_profile(self.context, pair.real.customer_id, self._profile(terms), self.now)
        pair.model.move(terms, self.now)

    # --- what both must agree on --------------------------------------------------------------

    def _compare(self) -> None:
        for pair in self.people:
            expected = [
                (one.first, one.until, one.total, one.due, one.paid, one.credited, one.void)
                for one in pair.model.bills
            ]
            assert self._bills(pair) == expected, pair.real.username
            with self.context.transaction() as tx:
                found = ledger.balance(tx, pair.real.customer_id, ledger.WALLET)
            assert found == pair.model.wallet, f"wallet of {pair.real.username}"
            for ahead in (timedelta(0), timedelta(hours=self.chance.randrange(24 * 60))):
                at = self.now + ahead
                rule = explain.why(self.context, pair.real.subscription_id, at).state.rule
                expected_rule = "S5" if pair.model.suspended(at) else "S8"
                assert rule == expected_rule, f"{pair.real.username} at {at}"

    def _earn_all(self) -> None:
        """When every day that was billed is over, all of it is earned (rule I6)."""
        recognition.run(self.context, self.now + timedelta(days=800))
        assert books.check_ledger(self.context, self.now).findings == ()
        for pair in self.people:
            with self.context.transaction() as tx:
                left = ledger.balance(tx, pair.real.customer_id, ledger.DEFERRED_BILL)
            assert left == 0, f"deferred of {pair.real.username}"

    def _bills(self, pair: Pair) -> list[tuple[object, ...]]:
        bill = tables.Invoice
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(bill)
                .where(bill.customer_id == pair.real.customer_id)
                .order_by(bill.invoice_id)
            )
            return [
                (
                    row.cycle_from,
                    row.cycle_until,
                    row.total_micros,
                    row.due_on,
                    row.paid_micros,
                    row.credited_micros,
                    row.voided_at is not None,
                )
                for row in rows
            ]

    # --- small things -------------------------------------------------------------------------

    def _number(self, pair: Pair, bill: Bill) -> str:
        row = tables.Invoice
        with self.context.transaction() as tx:
            numbers = tx.scalars(
                select(row.number)
                .where(row.customer_id == pair.real.customer_id)
                .order_by(row.invoice_id)
            )
            return list(numbers)[bill.place]

    def _day(self, least: int, most: int) -> date:
        today = self.now.astimezone(self.zone).date()
        return today + timedelta(days=self.chance.randint(least, most))

    def _some(self, of: list[T]) -> T | None:
        return self.chance.choice(of) if of else None

    def _key(self) -> str:
        return f"{self.chance.random()}"

    def _tell(self, what: str) -> None:
        self.told.append(f"{self.now:%Y-%m-%d %H:%M} {what}")
