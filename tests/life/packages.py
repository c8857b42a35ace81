"""What daily packages must come to, written from the rules alone: instants are gone through one by
one, and nothing is planned ahead. It shares no code with the product."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from tests.life.calendar_days import DAY, Terms, cents
from tests.life.model import Person
from tests.life.records import Bill

MINUTE = timedelta(minutes=1)
YEAR = 365 * DAY


@dataclass(frozen=True)
class Offer:
    """What is sold: validity in minutes, octets where they are limited."""

    price: int
    minutes: int
    octets: int | None = None
    from_login: bool = False
    pause_days: int | None = None
    rolls: bool = False


@dataclass
class Package:
    """`starts` None: it waits, for a login where it is not to follow another one. `left_on`: what
    is unused of it has gone into another one."""

    offer: Offer
    left: int | None
    follows: bool
    starts: datetime | None = None
    ends: datetime | None = None
    used_up: datetime | None = None
    left_on: bool = False

    def begin(self, at: datetime) -> None:
        self.starts, self.ends = at, at + self.offer.minutes * MINUTE

    def over_at(self) -> datetime | None:
        return self.used_up or self.ends

    def runs(self, at: datetime) -> bool:
        over = self.over_at()
        return self.starts is not None and over is not None and over > at


@dataclass
class Service:
    """A subscription. `wallet`: 0 for its customer's, else which one of its own; `step`: octets and
    micros of pay-as-you-go, which takes over when packages are used up."""

    offer: Offer
    wallet: int = 0
    step: tuple[int, int] | None = None
    renews: bool = False
    packages: list[Package] = field(default_factory=list)
    now: datetime | None = None
    paused_at: datetime | None = None
    stood: list[tuple[datetime, timedelta]] = field(default_factory=list)

    def pass_time(self, now: datetime) -> None:
        """What follows begins when nothing before it runs any more (rule B4). In a pause nothing is
        decided: that is done when it ends."""
        while self.paused_at is None:
            running = [one.over_at() for one in self.packages if one.runs(self.now or now)]
            last = max((end for end in running if end), default=None)
            if last is None or last > now:
                break
            self.now = last
            self._next(last)
        if self.paused_at is None:
            self.now = now

    def waiting(self) -> list[Package]:
        return [one for one in self.packages if one.starts is None]

    def running(self, at: datetime) -> list[Package]:
        return [one for one in self.packages if one.runs(at)]

    def usable(self, at: datetime) -> bool:
        return bool(self.running(at) or self.waiting())

    def buy(self, offer: Offer, now: datetime, *, at_once: bool, again: bool = False) -> None:
        """It follows what is there; one that waits for a login does so (rules B2, B4). Bought
        `again` by itself, it follows whatever it is."""
        there = self.usable(now)
        waits = offer.from_login and not at_once and not (again and there)
        package = Package(offer, offer.octets, there and not at_once and not waits)
        self.packages.append(package)
        if not waits and not package.follows:
            self._begin(package, now)

    def log_in(self, now: datetime) -> Package | None:
        """The package that a login begins, where nothing runs."""
        found = [one for one in self.waiting() if not one.follows]
        if self.running(now) or not found:
            return None
        self._begin(found[0], now)
        return found[0]

    def use(self, octets: int, now: datetime) -> int:
        """Running packages first, the one that expires first before others, then those that wait;
        returns what pay-as-you-go asks for the rest."""
        order = sorted(self.running(now), key=lambda one: (one.ends, self.packages.index(one)))
        for one in [*order, *self._planned()]:
            if not octets:
                break
            if one.starts is None:
                self._begin(one, now)
            taken = octets if one.left is None else min(octets, one.left)
            octets -= taken
            if one.left is not None:
                one.left -= taken
                if not one.left:
                    one.used_up = now
        if not self.running(now) and self.waiting():
            self._begin(self.waiting()[0], now)
        if self.step is None or not octets:
            return 0
        size, micros = self.step
        return -(-octets // size) * micros

    def _planned(self) -> list[Package]:
        followers = [one for one in self.waiting() if one.follows]
        return followers + [one for one in self.waiting() if not one.follows]

    def resume(self, now: datetime) -> None:
        """Validity has stood still since the pause began, for as long as the plan allows a year in
        all (rule S3)."""
        began, self.paused_at = self.paused_at, None
        assert began is not None
        used = sum((stood for at, stood in self.stood if at > now - YEAR), timedelta(0))
        allowed = max(timedelta(0), (self.offer.pause_days or 0) * DAY - used)
        still = min(allowed, now - began)
        running = self.running(began)
        for one in running:
            assert one.ends is not None
            one.ends += still
        whole = timedelta(seconds=still // timedelta(seconds=1))
        self.stood.append((now, whole if running else timedelta(0)))
        self.pass_time(now)

    def due(self, now: datetime) -> bool:
        """Whether the last package is to be followed: five minutes, or half of its time, before it
        ends (rule P10)."""
        running = self.running(now)
        if not self.usable(now):
            return True
        if not running:
            return False
        if any(not one.follows for one in self.waiting()):
            return False
        end, last = max((one.ends, one.offer.minutes) for one in running if one.ends)
        for one in self.waiting():
            end, last = end + one.offer.minutes * MINUTE, one.offer.minutes
        return now >= end - min(5 * MINUTE, last * MINUTE / 2)

    def last_offer(self) -> Offer:
        return self.packages[-1].offer if self.packages else self.offer

    def _next(self, at: datetime) -> None:
        if not self.running(at):
            for one in self.waiting():
                if one.follows:
                    self._begin(one, at)
                    break

    def _begin(self, package: Package, at: datetime) -> None:
        """With what is left of the one that ended then, or five minutes ago at most, where that
        rolls over (rule B4)."""
        package.begin(at)
        ended = [
            (end, place)
            for place, one in enumerate(self.packages)
            if one is not package and one.offer.rolls and not one.left_on
            for end in (one.over_at(),)
            if end is not None and end <= at <= end + 5 * MINUTE
        ]
        if ended:
            before = self.packages[max(ended)[1]]
            before.left_on = True
            if package.left is not None:
                package.left += before.left or 0

    def reason(self, at: datetime) -> str:
        """Why nothing is left (rule S7)."""
        over = [(one.over_at(), bool(one.used_up)) for one in self.packages if one.starts]
        if not over:
            return "no-entitlement"
        last = max((end, used_up) for end, used_up in over if end)
        return "data-used-up" if last[1] else "expired"


@dataclass
class Home:
    """A customer. `account` has its bills and its own wallet, `monthly` says whether it is billed;
    `others` are the wallets that services have of their own."""

    account: Person
    services: list[Service]
    monthly: bool = False
    others: list[int] = field(default_factory=list)
    tax_ppm: int = 0

    def wallet(self, number: int) -> int:
        return self.others[number - 1] if number else self.account.wallet

    def add(self, number: int, micros: int) -> None:
        if number:
            self.others[number - 1] += micros
        else:
            self.account.wallet += micros

    def price(self, offer: Offer) -> int:
        return cents(Fraction(offer.price * (1_000_000 + self.tax_ppm), 1_000_000))

    def pass_time(self, now: datetime) -> None:
        for one in self.services:
            one.pass_time(now)

    def renew(self, now: datetime) -> None:
        """What renews by itself is bought again as far as its wallet goes, in the order in which
        services were made (rules P10, P12)."""
        for one in self.services:
            offer = one.last_offer()
            if self.monthly or not one.renews or one.paused_at or not one.due(now):
                continue
            if self.price(offer) <= self.wallet(one.wallet):
                self.add(one.wallet, -self.price(offer))
                one.buy(offer, now, at_once=False, again=True)

    def top_up(self, number: int, micros: int, now: datetime) -> None:
        """Money pays open bills first (rule I4)."""
        if number:
            self.add(number, micros)
        else:
            self.account.top_up(micros, now)
        self.renew(now)

    def to_monthly(self, terms: Terms, now: datetime) -> None:
        """Billed from today on; packages stay (rule B14)."""
        self.monthly = True
        self.account.terms = terms
        self.account.billed_from = self.account.today(now)
        self.account.settle()
        self.account.bill_run(now)

    def to_daily(self, now: datetime) -> None:
        """Days after today are given back, or in arrears those up to it are billed (rule B6)."""
        account, today = self.account, self.account.today(now)
        account.bill_run(now)
        for bill in account.bills:
            if not bill.void and bill.plan_end > today:
                self._give_back(bill, now)
        first = account.first_unbilled()
        while account.terms.arrears and first <= today:
            until = min(account.terms.end(first), today + DAY)
            account._issue(first, until, today)
            first = until
        account.bill_the_rest(today + DAY, today)
        account.settle()
        self.monthly = False
        self.renew(now)

    def _give_back(self, bill: Bill, now: datetime) -> None:
        today = self.account.today(now)
        assert bill.first is not None and bill.until is not None
        left = bill.total - bill.credited
        if bill.first > today:
            self.account.credit(bill, left, void=True)
            return
        tomorrow = today + DAY
        unused = Fraction(0)
        for net, days in [*bill.plan, *bill.charges]:
            unused += Fraction(net * sum(day >= tomorrow for day in days), len(days))
        bill.plan_end = bill.served_until = tomorrow
        for extra in self.account.extras:
            extra.billed = {
                day: place
                for day, place in extra.billed.items()
                if place != bill.place or day < tomorrow or extra.kind == "one_off"
            }
        share = cents(bill.total * unused / bill.net) if bill.net > 0 and unused > 0 else 0
        if min(left, share) > 0:
            self.account.credit(bill, min(left, share))

    def state(self, place: int, at: datetime) -> tuple[str, str]:
        """The rule of table S that decides for a service, and why, if nothing is done until
        then."""
        service = deepcopy(self.services[place])
        service.pass_time(at)
        if service.paused_at is not None:
            return "S3", "paused"
        if self.monthly:
            return ("S5", "overdue") if self.account.suspended(at) else ("S8", "ok")
        if service.usable(at):
            return "S8", "ok"
        if service.step is None:
            return "S7", service.reason(at)
        return ("S8", "ok") if self.wallet(service.wallet) > 0 else ("S6", "wallet-exhausted")
