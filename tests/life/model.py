"""What monthly billing must come to, written from the rules alone, slowly and day by day.

It shares no code with the product: days are walked one by one, shares are fractions, and instants
are found by trying each candidate.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.life.calendar_days import DAY, Terms, cents, days_of
from tests.life.chasing import Chasing, fee_on_next_bill
from tests.life.records import Bill, Extra, Plan, Usage


@dataclass
class Person:
    """A customer with one subscription."""

    zone: ZoneInfo
    terms: Terms
    plans: list[Plan]
    joined: date
    bills: list[Bill] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    wallet: int = 0
    """What is available: usage is a debt from the moment on."""
    promise: date | None = None
    on_hold: bool = False
    """Prepaid, and the wallet was short of the period that had begun (rule P10)."""
    billed_from: date = date.min
    """When billing went on after a hold: nothing is billed of the days before."""
    chasing: Chasing = field(default_factory=Chasing)

    def today(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    # --- what is billed ---------------------------------------------------------------------

    def bill_run(self, now: datetime) -> None:
        """Every bill that day 1 of this month, or an earlier one, issues (rule B7), with the usage
        of months before; usage alone where no bill has come this month (rule I1)."""
        if self.terms.prepaid:
            self.renew(now)
            return
        today = self.today(now)
        month = today.replace(day=1)
        first = self.first_unbilled()
        before = len(self.bills)
        while True:
            until = self.terms.end(first)
            due = until <= month if self.terms.arrears else first.replace(day=1) <= month
            if not due:
                break
            changes = [plan.since for plan in self.plans]
            for day in days_of(first + DAY, until):
                if day in changes:
                    self._issue(first, day, today)
                    first = day
            self._issue(first, until, today)
            first = until
        issued = [bill.issued for bill in self.bills if not bill.void]
        if len(self.bills) == before and all(day < month for day in issued):
            place = len(self.bills)
            if prices := self._used_before(month, place):
                total, due_on = self._taxed(sum(prices)), today + self.terms.due_days * DAY
                self.bills.append(Bill(place, None, None, total, due_on, today))
        self.settle()

    def renew(self, now: datetime) -> None:
        """Prepaid: the same bills, each only when the wallet pays it at once; a period that has
        begun without is not served, and its days are not billed (rule P10)."""
        if not self.terms.prepaid:
            return
        today = self.today(now)
        self.settle()
        while True:
            first = max(self.first_unbilled(), today) if self.on_hold else self.first_unbilled()
            if first.replace(day=1) > today:
                break
            if self.price_of(first, today) <= self.wallet:
                if self.on_hold:
                    self._go_on(today)
                self._issue(first, self.terms.end(first), today)
                bill = self.bills[-1]
                self._pay_from_wallet(bill, bill.open)
            elif first <= today and not self.on_hold:
                self.on_hold = True
                if first == today:
                    break
            else:
                break
        if self.on_hold and self.first_unbilled() > today:
            self._go_on(today)

    def promise_to_pay(self, until: date, now: datetime) -> None:
        """By that day; what is on hold is billed on credit, due then (rules B19, P10)."""
        self.promise = until
        if self.on_hold:
            today = self.today(now)
            self._go_on(today)
            self._issue(today, self.terms.end(today), today)
            self.bills[-1].due = until
            self.settle()

    def price_of(self, first: date, today: date) -> int:
        """What the bill from a day to its cycle's end would come to."""
        trial = deepcopy(self)
        if trial.on_hold:
            trial._go_on(today)
        trial._issue(first, self.terms.end(first), today)
        return trial.bills[-1].total

    def _go_on(self, today: date) -> None:
        self.on_hold, self.billed_from = False, today

    def first_unbilled(self) -> date:
        ends = [bill.plan_end for bill in self.bills if not bill.void]
        return max([self.joined, self.billed_from, *ends])

    @staticmethod
    def _ends(bills: Iterable[Bill]) -> list[date]:
        return [bill.served_until or bill.until for bill in bills if bill.until is not None]

    def price(self, day: date) -> int:
        """Of the plan of a day: the last one that was asked for from then or before (rule B17)."""
        begun = [(plan.since, place) for place, plan in enumerate(self.plans) if plan.since <= day]
        return self.plans[max(begun)[1]].price_micros

    def _issue(self, first: date, until: date, today: date) -> None:
        place = len(self.bills)
        plan = self.terms.share(self.price(first), first, until)
        left, prices = plan, [plan]
        by_day = [(0, days_of(first, until))]
        recurring = []
        for extra in self.extras:
            if extra.kind == "discount":
                days = [day for day in days_of(first, until) if self._holds(extra, day)]
                rate = Fraction(extra.discount_ppm * len(days), 1_000_000 * (until - first).days)
                taken = cents(left * rate)
                left -= taken
                prices.append(-taken)
                by_day.append((len(prices) - 1, days))
                if taken:
                    extra.billed |= dict.fromkeys(days, place)
            elif extra.kind == "one_off":
                if not extra.billed and extra.starts < until:
                    extra.billed[extra.starts] = place
                    prices.append(extra.price_micros)
            else:
                prices.append(self._recurring(extra, until, place))
                days = [day for day, at in extra.billed.items() if at == place]
                recurring.append((len(prices) - 1, days))
        prices += self._used_before(self._day_one(first, until), place)
        total = self._taxed(sum(prices))
        basis = first if self.terms.from_cycle_start else today
        due = basis + self.terms.due_days * DAY
        nets = self._nets(prices)
        held, charged = (
            [(nets[place], days) for place, days in lines if days] for lines in (by_day, recurring)
        )
        bill = Bill(place, first, until, total, due, today, held, sum(nets), until, charged)
        self.bills.append(bill)

    def bill_the_rest(self, until: date, today: date) -> None:
        """Charges of days before `until` that no bill of a cycle will hold any more (rule I1)."""
        place, prices = len(self.bills), []
        for extra in self.extras:
            if extra.kind == "recurring":
                prices.append(self._recurring(extra, until, place))
            elif extra.kind == "one_off" and not extra.billed and extra.starts < until:
                extra.billed[extra.starts] = place
                prices.append(extra.price_micros)
        if any(prices):
            total, due_on = self._taxed(sum(prices)), today + self.terms.due_days * DAY
            self.bills.append(Bill(place, None, None, total, due_on, today))

    def _day_one(self, first: date, until: date) -> date:
        """On which the bill of these days is issued if nothing is late."""
        day = until if self.terms.arrears else first
        step = DAY if self.terms.arrears else -DAY
        while day.day != 1:
            day += step
        return day

    def _used_before(self, day_one: date, place: int) -> list[int]:
        """The prices of usage that no bill holds, of months before a day 1, a month each; the bill
        holds it now, and it is a debt of the wallet no more."""
        prices = []
        open_usage = [one for one in self.usage if one.bill is None and one.day < day_one]
        for month in sorted({one.day.replace(day=1) for one in open_usage}):
            own = [one for one in open_usage if one.day.replace(day=1) == month]
            price = self._usage_price(sum(one.gross for one in own))
            if not price:
                continue
            prices.append(price)
            for one in own:
                one.bill = place
                self.wallet += one.gross
        return prices

    def _usage_price(self, gross: int) -> int:
        if self.terms.inclusive:
            return cents(Fraction(gross))
        tax = Fraction(gross * self.terms.tax_ppm, 1_000_000 + self.terms.tax_ppm)
        return cents(Fraction(gross - int(tax + Fraction(1, 2))))

    def _recurring(self, extra: Extra, until: date, place: int) -> int:
        days = [
            day
            for day in days_of(extra.starts, until)
            if self._holds(extra, day) and day not in extra.billed and day >= self.billed_from
        ]
        if not days:
            return 0
        extra.billed |= dict.fromkeys(days, place)
        return self.terms.share(extra.price_micros, days[0], days[-1] + DAY)

    @staticmethod
    def _holds(extra: Extra, day: date) -> bool:
        return extra.starts <= day and (extra.ends is None or day < extra.ends)

    def _taxed(self, price: int) -> int:
        if self.terms.inclusive:
            return cents(Fraction(price))
        return cents(Fraction(price + cents(Fraction(price * self.terms.tax_ppm, 1_000_000))))

    def _nets(self, prices: list[int]) -> list[int]:
        """Without the tax that they contain; the first takes what one rounding for all leaves."""
        if not self.terms.inclusive:
            return prices
        contained = Fraction(self.terms.tax_ppm, 1_000_000 + self.terms.tax_ppm)
        others = [price - cents(price * contained) for price in prices[1:]]
        return [sum(prices) - cents(sum(prices) * contained) - sum(others), *others]

    # --- money ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Free credit pays open bills, the oldest first (rule I4)."""
        self._spend(self.wallet, None)

    def pay(self, bill: Bill, amount: int, now: datetime) -> None:
        """Cash for a bill; what is too much pays others, the oldest first, and else stays."""
        self._receive(amount, bill, now)

    def top_up(self, amount: int, now: datetime) -> None:
        self._receive(amount, None, now)

    def use(self, day: date, gross: int) -> None:
        self.usage.append(Usage(day, gross))
        self.wallet -= gross

    @property
    def uninvoiced(self) -> int:
        return sum(one.gross for one in self.usage if one.bill is None)

    def _receive(self, amount: int, bill: Bill | None, now: datetime) -> None:
        """What comes in pays bills before usage that none asks for yet. Whom that brings back from
        being overdue is charged for it (rule I5)."""
        was_suspended = self.suspended(now)
        self.wallet += amount
        free = max(self.wallet, min(amount, self.wallet + self.uninvoiced))
        self._spend(free if bill is None else min(free, amount), bill)
        if self.terms.reconnection and was_suspended and not self.suspended(now):
            today = self.today(now)
            self.extras.append(fee_on_next_bill(self.bills, today, self.terms.reconnection))

    def _spend(self, free: int, first: Bill | None) -> None:
        """What was written off of the first bill is recovered (rule I5)."""
        if first is not None and first.written_off and free > 0:
            amount = min(free, first.written_off)
            first.written_off -= amount
            first.paid += amount
            self.wallet -= amount
            free -= amount
        bills = sorted(self.bills, key=lambda bill: (bill is not first, bill.due, bill.place))
        for bill in bills:
            amount = min(free, bill.open)
            if amount > 0:
                bill.paid += amount
                self.wallet -= amount
                free -= amount

    def credit(self, bill: Bill, amount: int, *, void: bool = False) -> None:
        """The open part is owed no more, the paid part comes back (rule I2)."""
        back = amount - min(amount, bill.open)
        bill.credited += amount
        bill.paid -= back
        self.wallet += back
        if void:
            bill.void = True
            for extra in self.extras:
                extra.billed = {d: n for d, n in extra.billed.items() if n != bill.place}
            for one in self.usage:
                if one.bill == bill.place:
                    one.bill = None
                    self.wallet -= one.gross

    def dun(self, now: datetime) -> None:
        """Steps of the schedule; each fee is on the next bill (rule I5)."""
        found = self.chasing.dun(self.terms, self.bills, self.promise, self.today(now))
        self.extras += found

    def write_off(self, bill: Bill) -> None:
        bill.written_off = bill.open

    # --- changes ----------------------------------------------------------------------------

    def move(self, terms: Terms, now: datetime) -> None:
        """To another monthly profile: bills of cycles to come are taken back, the next bill bridges
        (rule B6)."""
        self.carry_out(now)
        self.bill_run(now)
        old, self.terms = self.terms, terms
        for plan in self.plans:
            while plan.waits and not terms.begins(plan.since):
                plan.since += DAY
        for bill in reversed(self.bills):
            if bill.void or bill.first is None or bill.first <= self.today(now):
                continue
            same = (
                not terms.arrears
                and (terms.tax_ppm, terms.inclusive) == (old.tax_ppm, old.inclusive)
                and terms.end(bill.first) == old.end(bill.first)
                and terms.length(bill.first) == old.length(bill.first)
            )
            rest = bill.creditable
            if same:
                continue
            if bill.written_off:  # it stays issued
                bill.plan_end = bill.served_until = bill.first
            if rest:
                self.credit(bill, rest, void=not bill.written_off)
        self.chasing.pass_over(terms, self.bills, self.today(now))
        self.settle()
        if self.on_hold:
            self._go_on(self.today(now))
        self.bill_run(now)

    def change_plan(self, price_micros: int, now: datetime) -> None:
        """At once: today is the old plan's day, the days after it are given back and billed anew
        (rule B17)."""
        self.carry_out(now)
        self.plans = [plan for plan in self.plans if not plan.waits]
        self.bill_run(now)
        self._give_back(self.today(now) + DAY)
        self.plans.append(Plan(self.today(now) + DAY, price_micros))
        self.settle()
        self.bill_run(now)

    def change_plan_next(self, price_micros: int, now: datetime) -> None:
        """With the next cycle; what is billed of it is billed anew."""
        self.carry_out(now)
        self.plans = [plan for plan in self.plans if not plan.waits]
        start = self.terms.end(self.today(now))
        self.plans.append(Plan(start, price_micros, waits=True))
        self._anew(start, now)

    def stay(self, now: datetime) -> None:
        """What waits is not wanted any more."""
        self.plans = [plan for plan in self.plans if not plan.waits]
        self._anew(self.terms.end(self.today(now)), now)

    def present_price(self) -> int:
        """Of the plan that it is on, whichever waits."""
        return [plan for plan in self.plans if not plan.waits][-1].price_micros

    def carry_out(self, now: datetime) -> None:
        """What waits begins on its day."""
        for plan in self.plans:
            plan.waits = plan.waits and plan.since > self.today(now)

    def _anew(self, start: date, now: datetime) -> None:
        if self._give_back(start):
            self.settle()
            self.bill_run(now)

    def _give_back(self, day: date) -> bool:
        """The plan's days from `day` on, of every bill, the latest first."""
        found = [bill for bill in self.bills if bill.plan_end > day and bill.credited < bill.total]
        for bill in sorted(found, key=lambda bill: (bill.plan_end, bill.first), reverse=True):
            left = bill.total - bill.credited
            if bill.first >= day:
                self.credit(bill, left, void=True)
                continue
            unused = Fraction(0)
            for net, days in bill.plan:
                ahead = sum(day <= one < bill.plan_end for one in days)
                unused += Fraction(net * ahead, len(days))
            bill.plan_end = day
            if bill.net > 0 and unused > 0:
                self.credit(bill, min(left, cents(bill.total * unused / bill.net)))
        return bool(found)

    # --- service ----------------------------------------------------------------------------

    def rule(self, at: datetime) -> str:
        """The rule of table S that decides, if nobody pays anything until then."""
        if self.suspended(at):
            return "S5"
        return "S6" if self.terms.prepaid and self._uncovered(at) else "S8"

    def _uncovered(self, at: datetime) -> bool:
        """On hold, or the first period without a bill has begun and costs more than there is."""
        first = self.first_unbilled()
        if self.on_hold:
            return True
        return self._begins(first) <= at and self.price_of(first, first) > self.wallet

    def suspended(self, now: datetime) -> bool:
        """Rule B9, by trying every instant at which a cut may happen."""
        unpaid = [bill for bill in self.bills if bill.open]
        if not unpaid:
            return False
        since = self._begins(min(bill.due for bill in unpaid) + DAY)
        paid = self._ends(
            bill for bill in self.bills if not bill.open and (bill.paid or not bill.total)
        )
        if paid:
            since = max(since, self._begins(max(paid)))
        if self.promise is not None:
            since = max(since, self._begins(self.promise + DAY))
        day = self.today(since) - DAY
        while day <= self.today(now):
            cut = self._at(day, self.terms.suspend_hour)
            if since <= cut <= now and day.weekday() not in self.terms.no_cut_weekdays:
                return True
            day += DAY
        return False

    def _begins(self, day: date) -> datetime:
        return self._at(day, 0)

    def _at(self, day: date, hour: int) -> datetime:
        """The instant of a local hour; one that does not exist comes later by the gap, of two the
        first counts (rule M3)."""
        wall = datetime(day.year, day.month, day.day, hour, tzinfo=self.zone)
        return wall.astimezone(UTC)
