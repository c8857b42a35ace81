"""Lives of customers with daily packages: bought, used up, paused, renewed, moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from billing.model.commerce import MoneyChannel
from billing.model.events import LoginRecord
from billing.model.plan import PlanTerms, Starts
from billing.model.profile import BillIn, BillingProfile, DueBasis
from billing.services import (
    bill_run,
    customers,
    enforcement,
    explain,
    holds,
    moves,
    recognition,
    renewal_run,
    rolling,
    sales,
    wallet_check,
)
from billing.store import tables
from billing.store.hotpath import (
    login_row,
    record_logins,
)
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, PASSWORD, Subscriber
from tests.life.calendar_days import CENT, Terms
from tests.life.days import LONG_AGO, Days, Event
from tests.life.model import Person
from tests.life.packages import Home, Offer, Service
from tests.life.records import Plan

MONTH_MICROS = 30_000_000
STEP_OCTETS, STEP_MICROS = 1_000_000, 1_237


@dataclass
class Household:
    """One customer in the product and in the model; `names` are its services' user names."""

    real: Subscriber
    numbers: list[int]
    names: list[str]
    model: Home


class DailyLife(Days[Household]):
    """One kind for all: some pay as they go, some have a wallet for each service, some move."""

    def begin(self) -> None:
        chance = self.chance
        self.tax_ppm = chance.choice([0, 77_000])
        pause_days = chance.choice([None, 5, 366])
        self.offers = [
            Offer(
                price,
                minutes,
                octets,
                chance.random() < 0.3,
                pause_days,
                octets is not None and chance.random() < 0.6,
            )
            for price, minutes, octets in (
                (1_000_000, 1440, None),
                (330_000, chance.randint(3, 90), None),
                (5_000_000, chance.randint(5_000, 50_000), 1000),
                (2_220_000, chance.randint(1000, 9000), 400),
            )
        ]
        self.choices = [self._terms() for _ in range(3)]

    def events(self) -> tuple[Event[Household], ...]:
        return (
            *[self._buy] * 4,
            *[self._use] * 4,
            self._top_up,
            self._top_up,
            self._log_in,
            self._log_in,
            self._renewing,
            self._pause,
            self._pause,
            self._move,
            self._move,
            self._agree,
            self._end_extra,
        )

    # --- what there is to begin with ----------------------------------------------------------

    def _terms(self) -> Terms:
        chance = self.chance
        arrears = chance.random() < 0.5
        return Terms(
            cycle_day=chance.choice([1, 10, 29, 31]),
            arrears=arrears,
            from_cycle_start=not arrears and chance.random() < 0.5,
            due_days=chance.choice([0, 10]),
            suspend_hour=chance.choice([0, 2]),
            no_cut_weekdays=chance.choice([frozenset(), frozenset({5, 6})]),
            tax_ppm=self.tax_ppm,
            inclusive=False,
        )

    def _monthly(self, terms: Terms) -> BillingProfile:
        return replace(
            MONTHLY,
            automatic_bill=True,
            cycle_day=terms.cycle_day,
            bill_in=BillIn.ARREARS if terms.arrears else BillIn.ADVANCE,
            due_basis=DueBasis.CYCLE_START if terms.from_cycle_start else DueBasis.ISSUE,
            due_days=terms.due_days,
            suspend_at_hour=terms.suspend_hour,
            no_cut_weekdays=terms.no_cut_weekdays,
            tax_rate_ppm=terms.tax_ppm,
            tax_inclusive=False,
        )

    @property
    def _daily(self) -> BillingProfile:
        return replace(DAILY, tax_rate_ppm=self.tax_ppm, tax_inclusive=False)

    def _plan(self, offer: Offer) -> PlanTerms:
        return replace(
            DAY_PLAN,
            price_micros=offer.price,
            validity_minutes=offer.minutes,
            octets=offer.octets,
            starts=Starts.FIRST_LOGIN if offer.from_login else Starts.PURCHASE,
            pause_days=offer.pause_days,
            rolls_over=offer.rolls,
        )

    def join(self) -> Household:
        offer = self.chance.choice(self.offers)
        pays = self.chance.random() < 0.3
        plan = self._plan(offer)
        if pays:
            plan = replace(plan, payg_octet_step=STEP_OCTETS, payg_octet_step_micros=STEP_MICROS)
        real = self.make.subscriber(self.now, profile=self._daily, plan=plan)
        step = (STEP_OCTETS, STEP_MICROS) if pays else None
        today = self.now.astimezone(self.zone).date()
        account = Person(self.zone, self.choices[0], [Plan(today, MONTH_MICROS)], today)
        home = Home(account, [Service(offer, step=step)], tax_ppm=self.tax_ppm)
        house = Household(real, [real.subscription_id], [real.username], home)
        for place in range(self.chance.choice([0, 0, 1, 2])):
            self._add(house, offer, plan, step, f"{real.username}-{place}")
        self.tell(f"{real.username} joins with {home.services}")
        return house

    def _add(
        self,
        house: Household,
        offer: Offer,
        plan: PlanTerms,
        step: tuple[int, int] | None,
        name: str,
    ) -> None:
        own = self.chance.random() < 0.5
        number = customers.add_subscription(
            self.context,
            customer_id=house.real.customer_id,
            username=name,
            password=PASSWORD,
            plan_id=self.make.plan(self.now, plan),
            own_wallet=own,
            now=self.now,
        )
        house.numbers.append(number)
        house.names.append(name)
        if own:
            house.model.others.append(0)
        wallet = len(house.model.others) if own else 0
        house.model.services.append(Service(offer, wallet, step))

    # --- what happens -------------------------------------------------------------------------

    def pass_time(self) -> None:
        """Minutes to a month, in which the jobs may not have come."""
        self.now += timedelta(
            minutes=self.chance.choice([2, 7, 61, 180, 1440, 4000, 15_000, 40_000])
        )
        for house in self.people:
            house.model.pass_time(self.now)
        if self.chance.random() < 0.7:
            jobs = [bill_run.run, renewal_run.run]
            self.chance.shuffle(jobs)
            enforcement.sweep(self.context, self.now)
            for run in jobs:
                run(self.context, self.now)
            for house in self.people:
                if house.model.monthly:
                    house.model.account.bill_run(self.now)
                house.model.renew(self.now)
            self.tell("bills and renewals")
        rolling.run(self.context, self.now)
        if self.chance.random() < 0.3:
            recognition.run(self.context, self.now)
            self.tell("revenue posted")

    def _service(self, house: Household) -> int:
        return self.chance.randrange(len(house.names))

    def _buy(self, house: Household) -> None:
        place, offer = self._service(house), self.chance.choice(self.offers)
        service, home = house.model.services[place], house.model
        price, money = home.price(offer), home.wallet(service.wallet)
        if home.monthly or service.paused_at:
            return
        cash = self.chance.random() < 0.5
        if money < (0 if cash else price):
            return
        at_once = self.chance.random() < 0.2
        self.tell(f"{house.names[place]} buys {offer}, cash: {cash}, at once: {at_once}")
        sales.sell(
            self.context,
            house.numbers[place],
            self.make.plan(LONG_AGO, self._plan(offer)),
            idempotency_key=self.key(),
            now=self.now,
            pay_by=MoneyChannel.CASH if cash else None,
            start_now=at_once,
        )
        service.buy(offer, self.now, at_once=at_once)
        if not cash:
            home.add(service.wallet, -price)
        home.renew(self.now)

    def _top_up(self, house: Household) -> None:
        number = house.model.services[self._service(house)].wallet
        amount = self.chance.choice([CENT, 1_000_000, 10_000_000, 70_000_000])
        self.tell(f"{house.real.username} tops wallet {number} up by {amount}")
        sales.topup(
            self.context,
            house.real.customer_id,
            amount_micros=amount,
            channel=MoneyChannel.CASH,
            idempotency_key=self.key(),
            now=self.now,
            wallet_id=self._wallets(house)[number],
        )
        house.model.top_up(number, amount, self.now)

    def _use(self, house: Household) -> None:
        """A session of a minute, of who was served all along."""
        place = self._service(house)
        service, home = house.model.services[place], house.model
        ago = self.now - timedelta(minutes=2)
        if home.monthly or service.paused_at or home.state(place, self.now)[0] != "S8":
            return
        steady = [one for one in service.running(self.now) if one.starts and one.starts <= ago]
        ended = [one.over_at() for one in service.packages]
        if any(ago < end <= self.now for end in ended if end) or not (steady or service.step):
            return
        if self.now - self.since < timedelta(minutes=2):
            return
        if not steady and service.usable(self.now):
            return
        octets = self.chance.choice([1, 100, 399, 5000, 3_456_789])
        self.tell(f"{house.names[place]} uses {octets}")
        self.session(house.names[place], self.now, octets)
        home.add(service.wallet, -service.use(octets, self.now))

    def _log_in(self, house: Household) -> None:
        """What waits for it begins."""
        place = self._service(house)
        service = house.model.services[place]
        if house.model.monthly or service.paused_at:
            return
        package = service.log_in(self.now)
        if package is None:
            return
        self.tell(f"{house.names[place]} logs in")
        record = LoginRecord(
            username=house.names[place],
            customer_id=house.real.customer_id,
            subscription_id=house.numbers[place],
            nas_address=None,
            calling_station=None,
            outcome="accept",
            reason="ok",
            entitlement_id=self._rows(house, place)[service.packages.index(package)][0],
            at=self.now,
        )
        with self.lane() as lane:
            record_logins(lane, [login_row(record)], self.now)

    def _renewing(self, house: Household) -> None:
        place = self._service(house)
        service = house.model.services[place]
        if house.model.monthly:
            return
        self.tell(f"{house.names[place]} renews: {not service.renews}")
        holds.set_renewal(self.context, house.numbers[place], self.now, on=not service.renews)
        service.renews = not service.renews
        house.model.renew(self.now)

    def _pause(self, house: Household) -> None:
        if house.model.monthly:
            return
        place = self._service(house)
        service = house.model.services[place]
        self.tell(f"{house.names[place]} pauses or resumes")
        if service.paused_at is None:
            holds.pause(self.context, house.numbers[place], self.now)
            service.paused_at = self.now
        else:
            holds.resume(self.context, house.numbers[place], self.now)
            service.resume(self.now)

    def _move(self, house: Household) -> None:
        """Only who has one service and neither pauses nor pays as it goes."""
        home = house.model
        (service, *more) = home.services
        if more or service.step or service.paused_at:
            return
        if home.monthly:
            self.tell(f"{house.real.username} moves to daily")
            profile, plan = self._daily, self._plan(service.offer)
        else:
            terms = self.chance.choice(self.choices)
            self.tell(f"{house.real.username} moves to {terms}")
            profile, plan = self._monthly(terms), replace(MONTH_PLAN, price_micros=MONTH_MICROS)
        moves.change_profile(
            self.context,
            house.real.customer_id,
            self.make.profile(LONG_AGO, profile),
            self.now,
            plan_id=self.make.plan(LONG_AGO, plan),
        )
        if home.monthly:
            home.to_daily(self.now)
        else:
            home.to_monthly(terms, self.now)

    def _agree(self, house: Household) -> None:
        if house.model.monthly:
            self.agree(house.real, house.model.account)

    def _end_extra(self, house: Household) -> None:
        self.end_extra(house.real, house.model.account)

    # --- what both must agree on --------------------------------------------------------------

    def compare(self) -> None:
        rolling.run(self.context, self.now)
        for house in self.people:
            self.compare_bills(house.real.customer_id, house.model.account.bills)
            view = customers.get_customer(self.context, house.real.customer_id)
            found = [
                one.available_micros for one in sorted(view.wallets, key=lambda w: w.wallet_id)
            ]
            expected = [house.model.account.wallet, *house.model.others]
            assert found == expected, f"wallets of {house.real.username}: {found}, not {expected}"
            for place, name in enumerate(house.names):
                self._compare_packages(house, place)
                for ahead in (0, self.chance.randrange(60 * 24 * 60)):
                    at = self.now + timedelta(minutes=ahead)
                    state = explain.why(self.context, house.numbers[place], at).state
                    wanted = house.model.state(place, at)
                    given = state.rule, state.reason
                    assert given == wanted, f"{name} at {at}: {given}, not {wanted}"

    def _compare_packages(self, house: Household, place: int) -> None:
        """What has begun by its window, all by what is left."""
        service = house.model.services[place]
        rows = [
            (left, begins, ends if used_up is None else used_up)
            if begins is not None and begins <= self.now
            else (left, None, None)
            for _, begins, ends, left, used_up in self._rows(house, place)
        ]
        wanted = [(one.left, one.starts, one.over_at()) for one in service.packages]
        if service.paused_at is None:
            assert rows == wanted, f"{house.names[place]}: {rows}, not {wanted}"

    def finish(self) -> None:
        """Nothing was forgotten (rule P13)."""
        enforcement.sweep(self.context, self.now)
        renewal_run.run(self.context, self.now)
        repaired = wallet_check.run(self.context, self.now).repaired
        # Customers of other lives are of another time.
        own = [one for one in repaired if one.customer_id in self.owners()]
        assert own == [], f"{own}"
        super().finish()

    def owners(self) -> list[int]:
        return [house.real.customer_id for house in self.people]

    def _rows(
        self, house: Household, place: int
    ) -> list[tuple[int, datetime | None, datetime | None, int | None, datetime | None]]:
        row = tables.Entitlement
        with self.context.transaction() as tx:
            found = tx.execute(
                select(
                    row.entitlement_id,
                    row.valid_from,
                    row.valid_until,
                    row.octets_left,
                    row.ended_at,
                )
                .where(
                    row.customer_id == house.real.customer_id,
                    row.subscription_id == house.numbers[place],
                )
                .order_by(row.entitlement_id)
            )
            return [tuple(one) for one in found]

    def _wallets(self, house: Household) -> list[int]:
        view = customers.get_customer(self.context, house.real.customer_id)
        return sorted(wallet.wallet_id for wallet in view.wallets)
