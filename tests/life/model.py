"""What monthly billing must come to, written from the rules alone, slowly and day by day.

It shares no code with the product: days are walked one by one, shares are fractions, and instants
are found by trying each candidate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
CENT = 10_000
"""Micros of a cent."""


def cents(amount: Fraction) -> int:
    """Micros, rounded half-up (away from zero) to whole cents (rule M2)."""
    whole, rest = divmod(abs(amount), CENT)
    rounded = int(whole + (rest * 2 >= CENT)) * CENT
    return rounded if amount >= 0 else -rounded


def last_day(day: date) -> int:
    """Of the day's month."""
    following = day
    while following.month == day.month:
        following += DAY
    return (following - DAY).day


@dataclass(frozen=True)
class Terms:
    """A monthly profile that bills by itself."""

    cycle_day: int
    arrears: bool
    from_cycle_start: bool
    due_days: int
    suspend_hour: int
    no_cut_weekdays: frozenset[int]
    tax_ppm: int
    inclusive: bool

    def begins(self, day: date) -> bool:
        """Whether a cycle begins on the day (rule B6)."""
        return day.day == min(self.cycle_day, last_day(day))

    def end(self, day: date) -> date:
        """The day after the last of the cycle that contains it."""
        day += DAY
        while not self.begins(day):
            day += DAY
        return day

    def length(self, day: date) -> int:
        """Days of the cycle that contains the day."""
        first = day
        while not self.begins(first):
            first -= DAY
        return (self.end(day) - first).days

    def share(self, price_micros: int, first: date, until: date) -> int:
        """Of a cycle's price for the days from `first` to before `until`, each cycle's part rounded
        (rule B11)."""
        total = 0
        while first < until:
            end = min(self.end(first), until)
            part = Fraction((end - first).days, self.length(first))
            total += cents(Fraction(price_micros) * part)
            first = end
        return total


@dataclass
class Extra:
    """A charge or discount; `billed` are the days that bills hold, with the bill's place."""

    kind: str
    starts: date
    ends: date | None
    price_micros: int = 0
    discount_ppm: int = 0
    billed: dict[date, int] = field(default_factory=dict)
    number: int = 0


@dataclass
class Usage:
    """Pay-as-you-go of a local day, tax included; `bill` is the place of the bill that holds it."""

    day: date
    gross: int
    bill: int | None = None


@dataclass
class Bill:
    """Of a cycle, or of usage only."""

    place: int
    first: date | None
    until: date | None
    total: int
    due: date
    issued: date
    paid: int = 0
    credited: int = 0
    void: bool = False

    @property
    def open(self) -> int:
        return self.total - self.paid - self.credited


@dataclass
class Person:
    """A customer with one subscription."""

    zone: ZoneInfo
    terms: Terms
    price_micros: int
    joined: date
    bills: list[Bill] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    wallet: int = 0
    """What is available: usage is a debt from the moment on."""
    promise: date | None = None

    def today(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    # --- what is billed ---------------------------------------------------------------------

    def bill_run(self, now: datetime) -> None:
        """Every bill that day 1 of this month, or an earlier one, issues (rule B7), with the usage
        of months before; usage alone where no bill has come this month (rule I1)."""
        today = self.today(now)
        month = today.replace(day=1)
        first = self.first_unbilled()
        before = len(self.bills)
        while True:
            until = self.terms.end(first)
            due = until <= month if self.terms.arrears else first.replace(day=1) <= month
            if not due:
                break
            self._issue(first, until, today)
            first = until
        issued = [bill.issued for bill in self.bills if not bill.void]
        if len(self.bills) == before and all(day < month for day in issued):
            place = len(self.bills)
            if prices := self._used_before(month, place):
                total, due_on = self._taxed(sum(prices)), today + self.terms.due_days * DAY
                self.bills.append(Bill(place, None, None, total, due_on, today))
        self.settle()

    def first_unbilled(self) -> date:
        return max([self.joined, *self._ends(bill for bill in self.bills if not bill.void)])

    @staticmethod
    def _ends(bills: Iterable[Bill]) -> list[date]:
        return [bill.until for bill in bills if bill.until is not None]

    def _issue(self, first: date, until: date, today: date) -> None:
        place = len(self.bills)
        plan = self.terms.share(self.price_micros, first, until)
        left, prices = plan, [plan]
        for extra in self.extras:
            if extra.kind == "discount":
                days = [day for day in _days(first, until) if self._holds(extra, day)]
                rate = Fraction(extra.discount_ppm * len(days), 1_000_000 * (until - first).days)
                taken = cents(left * rate)
                left -= taken
                prices.append(-taken)
                if taken:
                    extra.billed |= dict.fromkeys(days, place)
            elif extra.kind == "one_off":
                if not extra.billed and extra.starts < until:
                    extra.billed[extra.starts] = place
                    prices.append(extra.price_micros)
            else:
                prices.append(self._recurring(extra, until, place))
        prices += self._used_before(self._day_one(first, until), place)
        total = self._taxed(sum(prices))
        basis = first if self.terms.from_cycle_start else today
        due_on = basis + self.terms.due_days * DAY
        self.bills.append(Bill(place, first, until, total, due_on, today))

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
            for day in _days(extra.starts, until)
            if self._holds(extra, day) and day not in extra.billed
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

    # --- money ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Free credit pays open bills, the oldest first (rule I4)."""
        self._spend(self.wallet, None)

    def pay(self, bill: Bill, amount: int) -> None:
        """Cash for a bill; what is too much pays others, the oldest first, and else stays."""
        self._receive(amount, bill)

    def top_up(self, amount: int) -> None:
        self._receive(amount, None)

    def use(self, day: date, gross: int) -> None:
        self.usage.append(Usage(day, gross))
        self.wallet -= gross

    @property
    def uninvoiced(self) -> int:
        return sum(one.gross for one in self.usage if one.bill is None)

    def _receive(self, amount: int, bill: Bill | None) -> None:
        """What comes in pays bills before usage that none asks for yet."""
        self.wallet += amount
        self._spend(max(self.wallet, min(amount, self.wallet + self.uninvoiced)), bill)

    def _spend(self, free: int, first: Bill | None) -> None:
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

    # --- changes ----------------------------------------------------------------------------

    def move(self, terms: Terms, now: datetime) -> None:
        """To another monthly profile: bills of cycles to come are taken back, the next bill bridges
        (rule B6)."""
        self.bill_run(now)
        old, self.terms = self.terms, terms
        for bill in reversed(self.bills):
            if bill.void or bill.first is None or bill.first <= self.today(now):
                continue
            same = (
                not terms.arrears
                and (terms.tax_ppm, terms.inclusive) == (old.tax_ppm, old.inclusive)
                and terms.end(bill.first) == old.end(bill.first)
                and terms.length(bill.first) == old.length(bill.first)
            )
            rest = bill.total - bill.credited
            if not same and rest:
                self.credit(bill, rest, void=True)
        self.settle()
        self.bill_run(now)

    # --- service ----------------------------------------------------------------------------

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


def _days(first: date, until: date) -> list[date]:
    return [first + DAY * number for number in range((until - first).days)]
