"""Years of a few monthly customers' lives, lived by the product and by the model at once.

Everything comes from one seed. After each event both must agree on every bill, charge, wallet and
state, and the product's books with themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from billing.model.commerce import MoneyChannel
from billing.model.plan_changes import When
from billing.model.profile import BillIn, DueBasis, Payment
from billing.services import (
    agreements,
    bill_run,
    bills,
    books,
    credits,
    customers,
    dunning,
    dunning_run,
    enforcement,
    explain,
    moves,
    plan_changes,
    plan_runs,
    recognition,
    renewal_run,
    sales,
    write_offs,
)
from billing.services.context import Context
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.life.calendar_days import CENT, Terms
from tests.life.days import LONG_AGO, Days
from tests.life.model import Person
from tests.life.records import Plan
from tests.life.schedules import schedule_of, some_schedule

KINDS = ("usage", "plans", "prepaid", "dunning")
"""Postpaid with pay-as-you-go, with changes of plan, or with reminders, fees and write-offs;
prepaid and postpaid mixed."""
PRICES = (30_000_000, 9_990_000, 1_000_000)
STEP_OCTETS, STEP_MICROS = 1_000_000, 1_237
"""Of pay-as-you-go: a few steps come to less than a cent."""


@dataclass
class Pair:
    """One customer in the product and in the model."""

    real: Subscriber
    model: Person
    since: datetime


class Life(Days[Pair]):
    """Of one of the kinds."""

    def __init__(
        self, context: Context, make: Factory, seed: int, zone: str, people: int, kind: str
    ) -> None:
        self.kind = kind
        super().__init__(context, make, seed, zone, people)

    def begin(self) -> None:
        self.scheduled: set[int] = set()
        days = self.chance.sample([1, 10, 15, 28, 29, 30, 31], 4)
        self.choices = [self._terms(day) for day in days]
        self.tell(f"a life of {self.kind}")

    def events(self) -> tuple[Callable[[Pair], None], ...]:
        return (
            self._nothing,
            self._pay,
            self._pay,
            self._top_up,
            self._take_back,
            self._agree,
            self._end_extra,
            self._promise,
            self._move,
            *self._own_events(),
        )

    def _own_events(self) -> tuple[Callable[[Pair], None], ...]:
        """What happens in lives of this kind only."""
        if self.kind == "usage":
            return (self._use, self._use, self._post)
        if self.kind == "plans":
            return (self._change_plan, self._change_plan, self._stay)
        if self.kind == "dunning":
            return (self._write_off,)
        return ()

    def owners(self) -> list[int]:
        return [pair.real.customer_id for pair in self.people]

    # --- what there is to begin with ----------------------------------------------------------

    def _terms(self, cycle_day: int) -> Terms:
        chance = self.chance
        prepaid = self.kind == "prepaid" and chance.random() < 0.6
        arrears = not prepaid and chance.random() < 0.4
        return Terms(
            cycle_day=cycle_day,
            arrears=arrears,
            from_cycle_start=not arrears and chance.random() < 0.5,
            due_days=chance.choice([0, 1, 10, 35]),
            suspend_hour=chance.choice([0, 2, 9]),
            no_cut_weekdays=chance.choice([frozenset(), frozenset({5, 6}), frozenset({0})]),
            tax_ppm=chance.choice([0, 77_000, 210_000]),
            inclusive=chance.random() < 0.5,
            prepaid=prepaid,
            **(some_schedule(chance) if self.kind == "dunning" else {}),
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
            credit_limit_micros=10**13 if self.kind == "usage" else 0,
            suspend_at_hour=terms.suspend_hour,
            no_cut_weekdays=terms.no_cut_weekdays,
            tax_rate_ppm=terms.tax_ppm,
            tax_inclusive=terms.inclusive,
            payment=Payment.PREPAID if terms.prepaid else Payment.POSTPAID,
        )
        profile_id = self.make.profile(LONG_AGO, template)
        if self.kind == "dunning" and profile_id not in self.scheduled:
            self.scheduled.add(profile_id)
            dunning.set_schedule(self.context, profile_id, schedule_of(terms), LONG_AGO)
        return profile_id

    def join(self) -> Pair:
        terms, price = self.chance.choice(self.choices), self.chance.choice(PRICES)
        profile_id = self._profile(terms)
        template = next(one for one, known in self.make.profiles.items() if known == profile_id)
        plan = replace(
            MONTH_PLAN,
            price_micros=price,
            payg_octet_step=STEP_OCTETS if self.kind == "usage" else None,
            payg_octet_step_micros=STEP_MICROS if self.kind == "usage" else None,
        )
        real = self.make.subscriber(self.now, profile=template, plan=plan)
        today = self.now.astimezone(self.zone).date()
        model = Person(self.zone, terms, [Plan(today, price)], today)
        model.bill_run(self.now)
        self.tell(f"{real.username} joins: {terms}, {price}")
        return Pair(real, model, self.now)

    # --- what happens -------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Hours to weeks, in which the bill run may not have come."""
        self.now += timedelta(minutes=self.chance.choice([7, 180, 1440, 4000, 15_000, 40_000]))
        if self.chance.random() < 0.7:
            if self.kind == "dunning" and self.chance.random() < 0.5:
                self._dun()
            jobs = [bill_run.run, renewal_run.run]
            self.chance.shuffle(jobs)
            for run in jobs:
                run(self.context, self.now)
            for pair in self.people:
                pair.model.bill_run(self.now)
            self.tell("bill run")
        if self.chance.random() < 0.7:
            plan_runs.run(self.context, self.now)
            for pair in self.people:
                pair.model.carry_out(self.now)
            self.tell("plans are changed")
        if self.chance.random() < 0.3:
            recognition.run(self.context, self.now)
            self.tell("revenue posted")
        if self.kind == "dunning":
            if self.chance.random() < 0.6:
                self._dun()
            # Who is overdue is so on record by now: coming back is charged for.
            while enforcement.sweep(self.context, self.now):
                pass

    def _dun(self) -> None:
        dunning_run.run(self.context, self.now)
        for pair in self.people:
            pair.model.dun(self.now)
        self.tell("dunning")

    def _nothing(self, pair: Pair) -> None:
        del pair

    def _pay(self, pair: Pair) -> None:
        bill = self.some([bill for bill in pair.model.bills if bill.open or bill.written_off])
        if bill is None:
            return
        owed = bill.open or bill.written_off
        amount = self.chance.choice([owed, CENT, owed + 5_000_000, owed // 2])
        amount = max(amount // CENT, 1) * CENT
        self.tell(f"{pair.real.username} pays {amount} for bill {bill.place}")
        bills.pay(
            self.context,
            self.bill_number(pair.real.customer_id, bill),
            idempotency_key=self.key(),
            now=self.now,
            amount_micros=amount,
            channel=MoneyChannel.CASH,
        )
        pair.model.pay(bill, amount, self.now)
        pair.model.renew(self.now)

    def _top_up(self, pair: Pair) -> None:
        amount = self.chance.choice([CENT, 5_000_000, 100_000_000])
        self.tell(f"{pair.real.username} tops up {amount}")
        sales.topup(
            self.context,
            pair.real.customer_id,
            amount_micros=amount,
            channel=MoneyChannel.CASH,
            idempotency_key=self.key(),
            now=self.now,
        )
        pair.model.top_up(amount, self.now)
        pair.model.renew(self.now)

    def _take_back(self, pair: Pair) -> None:
        """A part, a whole bill, or the last one as if never issued."""
        valid = [bill for bill in pair.model.bills if not bill.void]
        bill = self.some([bill for bill in valid if bill.creditable])
        if bill is None:
            return
        left = bill.creditable
        ends = [one for one in valid if one.until]
        last = max(ends, key=lambda one: (one.plan_end, one.place), default=None)
        may_void = (bill is last or not bill.until) and not bill.written_off
        void = may_void and self.chance.random() < 0.5
        part = max(left // 3 // CENT, 1) * CENT
        amount = left if void or self.chance.random() < 0.3 else min(left, part)
        self.tell(f"{pair.real.username} gets {amount} of bill {bill.place} back, void: {void}")
        credits.credit(
            self.context,
            self.bill_number(pair.real.customer_id, bill),
            reason="a test",
            idempotency_key=self.key(),
            now=self.now,
            amount_micros=amount,
            void=void,
        )
        pair.model.credit(bill, amount, void=void)
        pair.model.settle()
        pair.model.renew(self.now)

    def _use(self, pair: Pair) -> None:
        """A session of a minute; its records may come hours late, after a bill of its month."""
        ended = self.now - timedelta(minutes=self.chance.choice([0, 0, 30, 500, 1200]))
        if ended < pair.since + timedelta(minutes=2):
            return
        steps = self.chance.choice([1, 3, 700, 12_345])
        self.tell(f"{pair.real.username} uses {steps} steps until {ended:%d %H:%M}")
        self.session(pair.real.username, ended, steps * STEP_OCTETS)
        day = (ended - timedelta(microseconds=1)).astimezone(self.zone).date()
        pair.model.use(day, steps * STEP_MICROS)

    def _post(self, pair: Pair) -> None:
        """Changes nothing that anybody is shown."""
        del pair
        books.post_usage(self.context, self.now)

    def _agree(self, pair: Pair) -> None:
        self.agree(pair.real, pair.model)

    def _end_extra(self, pair: Pair) -> None:
        self.end_extra(pair.real, pair.model)

    def _promise(self, pair: Pair) -> None:
        if not pair.model.on_hold and not any(bill.open for bill in pair.model.bills):
            return
        until = self.day(0, 20)
        self.tell(f"{pair.real.username} promises to pay by {until}")
        agreements.promise(self.context, pair.real.customer_id, until, self.now)
        pair.model.promise_to_pay(until, self.now)

    def _move(self, pair: Pair) -> None:
        terms = self.chance.choice([one for one in self.choices if one != pair.model.terms])
        self.tell(f"{pair.real.username} moves to {terms}")
        moves.change_profile(self.context, pair.real.customer_id, self._profile(terms), self.now)
        pair.model.move(terms, self.now)

    def _change_plan(self, pair: Pair) -> None:
        """At once or with the next cycle, whatever the prices say."""
        price, when = self.chance.choice(PRICES), self.chance.choice(list(When))
        pair.model.carry_out(self.now)
        if price == pair.model.present_price():
            return
        self.tell(f"{pair.real.username} changes to {price}, {when}")
        plan_changes.change_plan(
            self.context,
            pair.real.subscription_id,
            self.make.plan(LONG_AGO, replace(MONTH_PLAN, price_micros=price)),
            idempotency_key=self.key(),
            now=self.now,
            when=when,
        )
        if when is When.NOW:
            pair.model.change_plan(price, self.now)
        else:
            pair.model.change_plan_next(price, self.now)

    def _write_off(self, pair: Pair) -> None:
        bill = self.some([bill for bill in pair.model.bills if bill.open])
        if bill is None:
            return
        self.tell(f"{pair.real.username}: bill {bill.place} is written off")
        write_offs.write_off(
            self.context,
            self.bill_number(pair.real.customer_id, bill),
            reason="a test",
            idempotency_key=self.key(),
            now=self.now,
        )
        pair.model.write_off(bill)

    def _stay(self, pair: Pair) -> None:
        pair.model.carry_out(self.now)
        if any(plan.waits for plan in pair.model.plans):
            self.tell(f"{pair.real.username} stays on its plan")
            plan_changes.revoke(self.context, pair.real.subscription_id, self.now)
            pair.model.stay(self.now)

    # --- what both must agree on --------------------------------------------------------------

    def compare(self) -> None:
        for pair in self.people:
            self.compare_bills(pair.real.customer_id, pair.model.bills)
            (wallet,) = customers.get_customer(self.context, pair.real.customer_id).wallets
            found = wallet.available_micros, wallet.uninvoiced_micros
            assert found == (pair.model.wallet, pair.model.uninvoiced), (
                f"wallet of {pair.real.username}"
            )
            chased, wanted = self._chased(pair), pair.model.chasing.all()
            differ = chased.items() ^ wanted.items()
            assert not differ, f"dunning of {pair.real.username}: {sorted(differ)}, not {wanted}"
            for ahead in (timedelta(0), timedelta(hours=self.chance.randrange(24 * 60))):
                at = self.now + ahead
                rule = explain.why(self.context, pair.real.subscription_id, at).state.rule
                assert rule == pair.model.rule(at), f"{pair.real.username} at {at}"

    def _chased(self, pair: Pair) -> dict[tuple[int, int], tuple[bool, int]]:
        """Steps that were taken or passed over, by the bill's place and their days."""
        event, bill = tables.DunningEvent, tables.Invoice
        customer_id = pair.real.customer_id
        with self.context.transaction() as tx:
            ids = tx.scalars(
                select(bill.invoice_id)
                .where(bill.customer_id == customer_id)
                .order_by(bill.invoice_id)
            ).all()
            rows = tx.execute(
                select(event.invoice_id, event.days, event.reminded, event.fee_micros).where(
                    event.customer_id == customer_id
                )
            ).all()
        return {(ids.index(row[0]), row[1]): (row[2], row[3]) for row in rows}
