"""The same history in two books: the product's, by its SQL function, and the model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billing.model.events import AccountingRecord, Status
from billing.store import hotpath
from tests.integration.meter_world import Metered, MeterWorld, Payg
from tests.simulation.history import Batch, History
from tests.simulation.hours import Tariff, Window
from tests.simulation.oracle import Account, Package, Plan, Reading, Wallet
from tests.simulation.terms import Change, Credit, Household, NewPrice, Purchase, Terms
from tests.simulation.traffic import NOBODY, STRANGER, Delivery


class Books:
    """Customers of one history, all new in the world's database, and their model.

    `nas` are the addresses of its NAS by their number, that of a stranger among them; `nas_ids`
    those that are known. `charged` is what both books have taken in so far, in this order.
    """

    def __init__(
        self, world: MeterWorld, told: History, nas: dict[int, str], nas_ids: dict[int, int]
    ) -> None:
        self.world = world
        self.history = told
        self.nas = nas
        self.nas_ids = nas_ids
        self.people: dict[int, Metered] = {}
        self.accounts: dict[int, Account] = {}
        self.told_percents: dict[int, int | None] = {}
        self.charged: list[Delivery] = []
        with world.db.transaction():
            for household in told.traffic.households:
                self._move_in(household)

    def run(self) -> Iterator[None]:
        """Charge the whole history, in both books; pauses where they are to be compared."""
        for batch in self.history.batches:
            with self.world.db.transaction():
                for change in batch.changes:
                    self._change(change)
            if batch.deliveries:
                self._charge(batch)
            if batch.is_checked:
                yield

    def _move_in(self, household: Household) -> None:
        wallet = Wallet(household.funds_micros, told_below_micros=household.told_below_micros)
        if household.cap is not None:
            wallet.cap_micros, wallet.cap_until = household.cap.micros, household.cap.until
        first: Metered | None = None
        for terms in household.subscribers:
            who = self._subscribe(terms, household, first)
            if first is None:
                first = who
                self._wish(who, household)
            self.people[terms.number] = who
            self._arm(who, household.told_percent)
            self.told_percents[terms.number] = household.told_percent
            self.accounts[terms.number] = Account(
                zone=ZoneInfo(self.history.traffic.zone),
                packages=[package_of(row, terms.windows) for row in self.world.entitlements(who)],
                plan=self._plan(terms.payg, terms.windows),
                requires_package=terms.requires_entitlement,
                wallet=wallet,
            )

    def _wish(self, who: Metered, household: Household) -> None:
        """The cap and the alert of its wallet, as Python compiles them for the meter."""
        cap = household.cap
        self.world.db.execute(
            "UPDATE wallet SET cap_micros = %s, cap_floor_micros = posted_micros - %s,"
            " cap_until = %s, look_below_micros = %s WHERE wallet_id = %s",
            (
                *((10**9, cap.micros, cap.until) if cap else (None, None, None)),
                household.told_below_micros,
                who.wallet_id,
            ),
        )

    def _arm(self, who: Metered, told_percent: int | None) -> None:
        """The same of packages that were just bought."""
        self.world.db.execute(
            "UPDATE entitlement SET alert_seconds_left = seconds_total * (100 - %s) / 100,"
            " alert_octets_left = octets_total * (100 - %s) / 100"
            " WHERE customer_id = %s AND subscription_id = %s AND alert_seconds_left IS NULL"
            " AND alert_octets_left IS NULL",
            (told_percent, told_percent, who.customer_id, who.subscription_id),
        )

    def _subscribe(self, terms: Terms, household: Household, first: Metered | None) -> Metered:
        if first is None:
            return self.world.customer(
                terms.packs,
                payg=terms.payg,
                windows=terms.windows,
                requires_entitlement=terms.requires_entitlement,
                posted_micros=household.funds_micros,
            )
        return self.world.subscription(
            first.customer_id,
            first.wallet_id,
            terms.packs,
            payg=terms.payg,
            windows=terms.windows,
            requires_entitlement=terms.requires_entitlement,
        )

    def _plan(self, payg: Payg | None, windows: str | None) -> Plan:
        return Plan(
            self.world.plan_version(payg, windows),
            None if payg is None else tariff_of(payg),
            windows_of(windows),
        )

    def _change(self, change: Change) -> None:
        if change.subscriber not in self.people:
            return  # left out of a shrunk history
        who, account = self.people[change.subscriber], self.accounts[change.subscriber]
        match change:
            case Purchase(pack=pack):
                self.world.buy(who, pack, account.plan.version_id)
                self._arm(who, self.told_percents[change.subscriber])
                bought = package_of(self.world.entitlements(who)[-1])
                bought.windows = account.plan.windows
                account.packages.append(bought)
            case NewPrice(payg=payg, windows=windows):
                account.plan = self._plan(payg, windows)
                self.world.set_version(who, account.plan.version_id)
            case Credit(amount_micros=amount):
                self._credit(who, account.wallet, amount)

    def _credit(self, who: Metered, wallet: Wallet, amount_micros: int) -> None:
        self.world.db.execute(
            "UPDATE wallet SET posted_micros = posted_micros + %s,"
            " cap_floor_micros = cap_floor_micros + %s WHERE wallet_id = %s",
            (amount_micros, amount_micros, who.wallet_id),
        )
        self.world.db.execute(
            "UPDATE subscription SET service_rule = 'S8' WHERE customer_id = %s",
            (who.customer_id,),
        )
        wallet.funds_micros += amount_micros
        for account in wallet.accounts:
            account.suspended = False

    def _charge(self, batch: Batch) -> None:
        rows = [hotpath.usage_row(self.record(one)) for one in batch.deliveries]
        hotpath.charge_usage(self.world.lane, rows, batch.now)
        self.model(batch.deliveries, batch.now)

    def model(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Take what was charged in one batch into the model's books, too."""
        self.charged += deliveries
        # Restarts are taken first in a batch, whose records arrived together.
        for one in deliveries:
            if one.packet.subscriber == NOBODY:
                for account in self.accounts.values():
                    account.nas_restarted(self.nas[one.packet.nas], one.event_at)
        for one in deliveries:
            if one.packet.subscriber >= 0 and one.packet.nas >= 0:
                self.accounts[one.packet.subscriber].charge(self._reading(one), now)

    def username(self, subscriber: int) -> str:
        if subscriber >= 0:
            return self.people[subscriber].username
        return "" if subscriber == NOBODY else "who-is-that"

    def record(self, one: Delivery) -> AccountingRecord:
        """What the hook makes of this delivery."""
        packet = one.packet
        username = self.username(packet.subscriber)
        return AccountingRecord(
            status=Status(packet.status),
            username=username,
            nas_address=self.nas[packet.nas],
            acct_session_id=packet.sid,
            arrived_at=one.arrived_at,
            event_at=one.event_at,
            precise_time=one.is_precise,
            session_seconds=packet.seconds,
            input_octets=packet.input_octets,
            output_octets=packet.output_octets,
            has_gigawords=packet.has_gigawords,
            terminate_cause=packet.cause,
            sent_username=username.upper(),
        )

    def _reading(self, one: Delivery) -> Reading:
        packet = one.packet
        return Reading(
            (self.nas[packet.nas], packet.sid),
            packet.status,
            one.event_at,
            one.arrived_at,
            one.is_precise,
            packet.seconds,
            packet.input_octets,
            packet.output_octets,
            packet.has_gigawords,
        )


def install(world: MeterWorld, told: History, network: int) -> Books:
    """Books with NAS of their own; `network`: 0 to 65535, no other history's in this database."""
    numbers = [nas.number for nas in told.traffic.nas]
    nas = {
        number: f"10.{network >> 8}.{network & 255}.{number + 10}"
        for number in (*numbers, STRANGER)
    }
    with world.db.transaction():
        return Books(world, told, nas, {number: world.nas(nas[number]) for number in numbers})


def package_of(row: Any, windows: str | None = None) -> Package:
    """A package as it was sold."""
    return Package(
        row.entitlement_id,
        row.plan_version_id,
        row.purchased_at,
        row.valid_from,
        row.valid_until,
        row.validity_minutes,
        row.seconds_left,
        row.octets_left,
        row.follows,
        row.use_order,
        windows_of(windows),
        row.alert_seconds_left,
        row.alert_octets_left,
    )


def windows_of(text: str | None) -> tuple[Window, ...]:
    """Windows of the model from the words of a plan's version."""
    found = []
    for word in (text or "").split():
        name, days, from_minute, until_minute, *price = word.split(":")
        tariff = None
        if price != ["free"]:
            s_step, s_micros, o_step, o_micros = map(int, price)
            tariff = Tariff(o_step or None, o_micros, s_step or None, s_micros)
        weekdays = frozenset(map(int, days))
        found.append(Window(name, weekdays, int(from_minute), int(until_minute), tariff))
    return tuple(found)


def tariff_of(payg: Payg) -> Tariff:
    return Tariff(
        payg.octet_step,
        payg.octet_step_micros or 0,
        payg.second_step,
        payg.second_step_micros or 0,
    )
