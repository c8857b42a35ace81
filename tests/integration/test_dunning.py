"""Dunning on a real database: every step once, whatever happens (rules I5, I1, B19)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import psycopg
import pytest
from sqlalchemy import select, text, update

from billing.errors import InvalidFields, NotFound, Refused
from billing.jobs.registry import JOBS
from billing.model.bills import Parked
from billing.model.commerce import MoneyChannel
from billing.model.dunning import DunningPreview, DunningSchedule, DunningStep
from billing.model.profile import BillIn, BillingProfile
from billing.services import (
    agreements,
    bill_run,
    bills,
    books,
    catalog,
    charges,
    credits,
    dunning,
    dunning_run,
    enforcement,
    messages,
    moves,
    write_offs,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import DAILY, MONTH_PLAN, MONTHLY, Factory, Subscriber

CREATED = datetime(2026, 3, 10, 8, tzinfo=UTC)
DUE = date(2026, 3, 20)
MAY_RUN = datetime(2026, 5, 1, 6, tzinfo=UTC)
# Bills of 30.00, due ten days after the issue.
BILLED = replace(MONTHLY, cycle_day=10, automatic_bill=True)
BY_HAND = replace(BILLED, automatic_bill=False)
SCHEDULE = DunningSchedule(
    steps=(
        DunningStep(days=-3, reminds=True),
        DunningStep(days=7, reminds=True, fee_micros=5_000_000),
        DunningStep(days=14, fee_ppm=100_000, fee_most_micros=2_500_000),
    )
)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, MAY_RUN).findings == ()


def at(day: int, month: int = 3) -> datetime:
    return datetime(2026, month, day, 9, tzinfo=UTC)


def late(
    context: Context,
    make: Factory,
    profile: BillingProfile = BILLED,
    schedule: DunningSchedule = SCHEDULE,
) -> Subscriber:
    """A customer with an address and a bill of 30.00 due on 20 March."""
    dunning.set_schedule(context, make.profile(CREATED, profile), schedule, CREATED)
    owner = make.subscriber(CREATED, profile=profile, plan=MONTH_PLAN)
    address = f"{owner.username}@example.net"
    messages.set_alerts(context, owner.customer_id, CREATED, addresses=[address])
    if not profile.automatic_bill:
        bills.issue_bill(
            context,
            owner.subscription_id,
            cycle_from=date(2026, 3, 10),
            cycle_until=date(2026, 4, 10),
            amount_micros=30_000_000,
            now=CREATED,
        )
    return owner


def first_bill(context: Context, owner: Subscriber) -> tables.Invoice:
    return all_bills(context, owner)[0]


def all_bills(context: Context, owner: Subscriber) -> list[tables.Invoice]:
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=owner.customer_id)
        return list(rows.order_by(tables.Invoice.invoice_id))


def events(context: Context, owner: Subscriber) -> list[tuple[int, bool, int]]:
    """Day, whether it reminded, fee in cents; of all bills, in their order."""
    with context.transaction() as tx:
        rows = tx.query(tables.DunningEvent).filter_by(customer_id=owner.customer_id)
        return [
            (row.days, row.reminded, row.fee_micros // 10_000)
            for row in rows.order_by(tables.DunningEvent.invoice_id, tables.DunningEvent.days)
        ]


def reminders(context: Context, owner: Subscriber) -> list[dict]:
    with context.transaction() as tx:
        rows = tx.query(tables.Message).filter_by(customer_id=owner.customer_id, kind="reminder")
        return [row.facts for row in rows.order_by(tables.Message.message_id)]


def fees(context: Context, owner: Subscriber) -> list[int]:
    """Of the charges that wait for a bill or are on one, in cents."""
    found = charges.charges_of(context, owner.subscription_id)
    return [one.price_micros // 10_000 for one in found]


@pytest.mark.rule("I5")
@pytest.mark.rule("B14")
def test_a_fee_is_on_the_next_bill_of_who_came_back_within_the_cycle(
    context: Context, make: Factory
) -> None:
    """Their plan was billed up to 21 March only, and the bill of 25 March to 10 April in arrears
    is the next one: it is issued on 1 May, and has the fee of 12 April."""
    schedule = DunningSchedule(steps=(DunningStep(days=23, fee_micros=5_000_000),))
    in_arrears = replace(BILLED, bill_in=BillIn.ARREARS)
    for profile in (BILLED, in_arrears):
        dunning.set_schedule(context, make.profile(CREATED, profile), schedule, CREATED)
    owner = make.subscriber(CREATED, profile=BILLED, plan=MONTH_PLAN)
    day_plan, month = make.plan(CREATED), make.plan(CREATED, MONTH_PLAN)
    for day, profile, plan_id in ((20, DAILY, day_plan), (25, in_arrears, month)):
        profile_id = make.profile(CREATED, profile)
        moves.change_profile(context, owner.customer_id, profile_id, at(day), plan_id=plan_id)
    assert dunning_run.run(context, at(12, 4)).fees == 1
    bill_run.run(context, MAY_RUN)
    bridge = all_bills(context, owner)[1]
    assert (bridge.cycle_from, bridge.cycle_until) == (date(2026, 3, 25), date(2026, 4, 10))
    assert bridge.total_micros == 15_480_000 + 5_000_000


@pytest.mark.rule("I5")
def test_each_step_has_its_effect_once_on_its_day(context: Context, make: Factory) -> None:
    owner = late(context, make)
    taken = []
    for day in range(10, 32):
        for hour in (0, 9, 9, 23):
            now = datetime(2026, 3, day, hour, 9, tzinfo=UTC)
            before = len(events(context, owner))
            dunning_run.run(context, now)
            taken += [day] * (len(events(context, owner)) - before)
    dunning_run.run(context, at(3, 4))
    assert taken == [17, 27]
    assert events(context, owner) == [(-3, True, 0), (7, True, 500), (14, False, 250)]
    assert fees(context, owner) == [500, 250]
    number = first_bill(context, owner).number
    assert reminders(context, owner) == [
        {
            "number": number,
            "currency": "USD",
            "open_micros": 30_000_000,
            "due_on": "2026-03-20",
            "overdue": overdue,
            "fee_micros": fee_micros,
            "suspend_on": suspend_on,
        }
        for overdue, fee_micros, suspend_on in (
            (False, 0, "2026-03-21"),
            (True, 5_000_000, None),
        )
    ]


@pytest.mark.rule("I1")
def test_fees_are_on_the_next_bill(context: Context, make: Factory) -> None:
    owner = late(context, make)
    bill_run.run(context, at(1, 4))
    dunning_run.run(context, at(4, 4))
    bill_run.run(context, MAY_RUN)
    dunning_run.run(context, MAY_RUN)
    totals = [row.total_micros // 10_000 for row in all_bills(context, owner)]
    assert totals == [3000, 3000, 3000 + 500 + 250]
    number = first_bill(context, owner).number
    with context.transaction() as tx:
        lines = tx.query(tables.InvoiceLine).filter_by(
            customer_id=owner.customer_id, invoice_id=all_bills(context, owner)[2].invoice_id
        )
        texts = [line.text for line in lines.order_by(tables.InvoiceLine.line)]
    assert texts[1:] == [
        f"Late fee: {number}, 7 days after 2026-03-20",
        f"Late fee: {number}, 14 days after 2026-03-20",
    ]
    done = dunning.of_bill(context, number, MAY_RUN).done
    assert [one.fee_bill for one in done] == [None, *[all_bills(context, owner)[2].number] * 2]


@pytest.mark.rule("I1")
def test_in_arrears_the_next_bill_carries_the_fee_too(context: Context, make: Factory) -> None:
    profile = replace(BILLED, bill_in=BillIn.ARREARS)
    owner = late(context, make, profile)
    bill_run.run(context, MAY_RUN)  # of the cycle to 10 April, due on 11 May
    dunning_run.run(context, at(18, 5))
    bill_run.run(context, at(1, 6))
    assert [row.total_micros // 10_000 for row in all_bills(context, owner)] == [3000, 3500]


@pytest.mark.rule("I5")
@pytest.mark.parametrize("dunned_first", [True, False])
def test_after_downtime_every_fee_is_charged_in_order_and_one_reminder_is_sent(
    context: Context, make: Factory, dunned_first: bool
) -> None:
    owner = late(context, make)
    jobs = ["dunning", "bill_run"] if dunned_first else ["bill_run", "dunning"]
    for name in jobs * 2:
        JOBS[name].run(context, MAY_RUN)
    # The bills of the cycles from April on were issued today: no step of theirs had begun.
    assert events(context, owner) == [(-3, False, 0), (7, True, 500), (14, False, 250)]
    assert [one["fee_micros"] for one in reminders(context, owner)] == [7_500_000]
    bill_run.run(context, at(1, 6))
    totals = sorted(row.total_micros // 10_000 for row in all_bills(context, owner))
    assert totals == [3000, 3000, 3000, 3000 + 750]


def test_the_worker_duns_before_it_bills() -> None:
    minutes = {name: int(JOBS[name].cron.split()[0]) for name in ("dunning", "bill_run")}
    assert minutes["dunning"] < minutes["bill_run"]


@pytest.mark.rule("I5")
def test_days_are_the_operators(context: Context, make: Factory) -> None:
    def set_zone(zone: str) -> None:
        with context.transaction() as tx:
            tx.execute(text("UPDATE operator SET time_zone = :zone"), {"zone": zone})

    set_zone("Pacific/Auckland")
    try:
        owner = late(context, make)
        # 27 March begins in Auckland at 11:00 UTC of the 26th.
        dunning_run.run(context, datetime(2026, 3, 26, 10, 59, tzinfo=UTC))
        assert events(context, owner) == [(-3, True, 0)]
        dunning_run.run(context, datetime(2026, 3, 26, 11, tzinfo=UTC))
        assert events(context, owner) == [(-3, True, 0), (7, True, 500)]
    finally:
        set_zone("UTC")


@pytest.mark.rule("B19")
def test_a_promise_to_pay_holds_steps_back(context: Context, make: Factory) -> None:
    owner = late(context, make)
    dunning_run.run(context, at(17))
    agreements.promise(context, owner.customer_id, date(2026, 3, 30), at(26))
    dunning_run.run(context, at(30))
    assert len(events(context, owner)) == 1
    view = dunning.of_bill(context, first_bill(context, owner).number, at(30))
    assert "2026-03-30" in (view.held or "")
    assert [one.on for one in view.next_steps] == [date(2026, 3, 31), date(2026, 4, 3)]
    dunning_run.run(context, at(31))
    assert events(context, owner) == [(-3, True, 0), (7, True, 500)]


@pytest.mark.rule("I5")
@pytest.mark.parametrize("how", ["paid", "credited", "written off"])
def test_a_bill_with_nothing_open_has_no_more_steps(
    context: Context, make: Factory, how: str
) -> None:
    owner = late(context, make)
    number = first_bill(context, owner).number
    if how == "paid":
        bills.pay(
            context, number, idempotency_key="p", now=at(26), channel=MoneyChannel.CASH
        )  # fmt: skip
    elif how == "credited":
        credits.credit(context, number, reason="gift", idempotency_key="c", now=at(26))
    else:
        write_offs.write_off(context, number, reason="gone", idempotency_key="w", now=at(26))
    dunning_run.run(context, at(30, 4))
    assert events(context, owner) == []
    view = dunning.of_bill(context, number, at(30, 4))
    assert (view.next_steps, view.done) == ((), ())
    assert ("written off" in (view.held or "")) is (how == "written off")


@pytest.mark.rule("I5")
def test_a_small_rest_is_tolerated(context: Context, make: Factory) -> None:
    tolerant = replace(SCHEDULE, tolerance_micros=1_000_000)
    profile = replace(BILLED, due_days=10, suspend_at_hour=3)
    owner = late(context, make, profile, tolerant)
    number = first_bill(context, owner).number
    bills.pay(
        context,
        number,
        idempotency_key="p",
        now=at(26),
        amount_micros=29_010_000,
        channel=MoneyChannel.CASH,
    )
    dunning_run.run(context, at(30, 4))
    assert events(context, owner) == []
    assert "tolerates" in (dunning.of_bill(context, number, at(30, 4)).held or "")


@pytest.mark.rule("I5")
def test_without_automatic_bills_a_fee_is_a_bill_of_its_own(
    context: Context, make: Factory
) -> None:
    profile = replace(BY_HAND, tax_rate_ppm=210_000, tax_inclusive=False)
    owner = late(context, make, profile)
    dunning_run.run(context, at(27))
    dunning_run.run(context, at(28))
    bill, fee = all_bills(context, owner)
    assert (bill.total_micros, fee.total_micros) == (36_300_000, 6_050_000)
    assert (fee.cycle_from, fee.due_on) == (None, date(2026, 4, 6))
    assert fees(context, owner) == []
    assert reminders(context, owner)[-1]["fee_micros"] == 6_050_000
    done = dunning.of_bill(context, bill.number, at(28)).done
    assert [one.fee_bill for one in done] == [None, fee.number]
    # A fee's own bill raises no fees.
    dunning_run.run(context, at(30, 5))
    assert [row.total_micros for row in all_bills(context, owner)] == [
        36_300_000,
        6_050_000,
        3_030_000,
    ]
    assert "late fees alone" in (dunning.of_bill(context, fee.number, at(30, 5)).held or "")


@pytest.mark.rule("I5")
def test_a_fees_own_bill_is_told_of_as_any_other(context: Context, make: Factory) -> None:
    owner = late(context, make, BY_HAND)
    dunning_run.run(context, at(27))
    with context.transaction() as tx:
        told = tx.query(tables.Message).filter_by(customer_id=owner.customer_id)
        kinds = [row.kind for row in told.order_by(tables.Message.message_id)]
    assert kinds == ["invoice_issued", "invoice_issued", "reminder"]


@pytest.mark.rule("I1")
def test_a_fee_is_waived_before_it_is_billed(context: Context, make: Factory) -> None:
    owner = late(context, make)
    dunning_run.run(context, at(3, 4))
    first, second = charges.charges_of(context, owner.subscription_id)
    waived = charges.waive_charge(context, owner.subscription_id, first.charge_id, at(4, 4))
    assert waived.waived_at == at(4, 4)
    with pytest.raises(Refused, match="waived already"):
        charges.waive_charge(context, owner.subscription_id, first.charge_id, at(4, 4))
    bill_run.run(context, MAY_RUN)
    assert sum(row.total_micros for row in all_bills(context, owner)) == 92_500_000
    with pytest.raises(Refused, match="credit that bill"):
        charges.waive_charge(context, owner.subscription_id, second.charge_id, MAY_RUN)
    done = dunning.of_bill(context, first_bill(context, owner).number, MAY_RUN).done
    assert [one.waived for one in done] == [False, True, False]


@pytest.mark.rule("I5")
def test_a_new_schedule_charges_nothing_for_days_that_have_passed(
    context: Context, make: Factory
) -> None:
    profile = replace(BILLED, suspend_at_hour=4)
    owner = late(context, make, profile, DunningSchedule())
    profile_id = make.profile(CREATED, profile)
    dunning.set_schedule(context, profile_id, SCHEDULE, at(28))
    dunning_run.run(context, at(28))
    assert events(context, owner) == []
    dunning_run.run(context, at(3, 4))
    assert events(context, owner) == [(14, False, 250)]
    with pytest.raises(Refused, match="end its dunning first"):
        catalog.update_profile(context, _unused(context, make), replace(DAILY, name="d"), at(28))


def _unused(context: Context, make: Factory) -> int:
    profile_id = make.profile(CREATED, replace(BILLED, suspend_at_hour=5))
    dunning.set_schedule(context, profile_id, SCHEDULE, CREATED)
    return profile_id


@pytest.mark.rule("B14")
def test_another_profiles_steps_of_days_that_have_passed_are_passed_over(
    context: Context, make: Factory
) -> None:
    owner = late(context, make, replace(BILLED, suspend_at_hour=6), DunningSchedule())
    other = make.profile(CREATED, replace(BILLED, suspend_at_hour=7))
    dunning.set_schedule(context, other, SCHEDULE, CREATED)
    moves.change_profile(context, owner.customer_id, other, at(28))
    dunning_run.run(context, at(28))
    assert reminders(context, owner) == []
    assert events(context, owner) == [(-3, False, 0), (7, False, 0)]
    dunning_run.run(context, at(3, 4))
    assert events(context, owner)[2] == (14, False, 250)


@pytest.mark.rule("B14")
def test_who_has_a_profile_of_its_own_is_dunned_by_it_still(
    context: Context, make: Factory
) -> None:
    homes, offices, own = (
        make.profile(CREATED, replace(BILLED, suspend_at_hour=hour)) for hour in (9, 10, 11)
    )
    for profile_id in (homes, offices, own):
        dunning.set_schedule(context, profile_id, SCHEDULE, CREATED)
    owner = make.subscriber(
        CREATED,
        profile=replace(BILLED, suspend_at_hour=9),
        plan=MONTH_PLAN,
        profile_id=own,
    )
    moves.change_profile(context, owner.customer_id, offices, at(28))
    dunning_run.run(context, at(28))
    assert events(context, owner) == [(-3, False, 0), (7, True, 500)]


@pytest.mark.rule("I5")
def test_the_dry_run_lists_what_the_run_does(context: Context, make: Factory) -> None:
    owner = late(context, make)
    listed = [
        (one.days, one.on, one.reminds, one.fee_micros, one.open_micros)
        for one in dunning_run.preview(context, at(5, 4))
        if isinstance(one, DunningPreview) and one.customer_id == owner.customer_id
    ]
    assert listed == [
        (-3, date(2026, 3, 17), False, 0, 30_000_000),
        (7, date(2026, 3, 27), True, 5_000_000, 30_000_000),
        (14, date(2026, 4, 3), False, 2_500_000, 30_000_000),
    ]
    assert events(context, owner) == []
    report = dunning_run.run(context, at(5, 4))
    assert report.parked == ()
    assert (report.reminders, report.fees) >= (1, 2)
    assert list(dunning_run.preview(context, at(5, 4))) == []


@pytest.mark.rule("I5")
def test_who_fails_is_parked_and_the_others_are_dunned(context: Context, make: Factory) -> None:
    broken, sound = late(context, make), late(context, make)
    _set_hours(context, broken, "no hours at all")
    report = dunning_run.run(context, at(27))
    assert [one.customer_id for one in report.parked] == [broken.customer_id]
    assert (events(context, broken), len(events(context, sound))) == ([], 2)
    assert [one.customer_id for one in dunning_run.parked(context)] == [broken.customer_id]
    _set_hours(context, broken, None)
    dunning_run.run(context, at(27))
    assert dunning_run.parked(context) == []
    assert events(context, broken) == events(context, sound)


@pytest.mark.rule("M1")
def test_a_bill_in_another_currency_is_parked(
    context: Context, make: Factory, settings: Settings
) -> None:
    broken = late(context, make)

    def set_currency(currency: str) -> None:
        with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
            admin.execute(
                "UPDATE invoice SET currency = %s WHERE customer_id = %s",
                (currency, broken.customer_id),
            )

    set_currency("EUR")
    foreseen = [one for one in dunning_run.preview(context, at(27)) if isinstance(one, Parked)]
    report = dunning_run.run(context, at(27))
    for parked in (foreseen, report.parked):
        assert [one.customer_id for one in parked] == [broken.customer_id]
        assert "currencies do not mix" in parked[0].problem
    set_currency("USD")
    assert dunning_run.run(context, at(27)).fees == 1


def test_who_was_parked_and_has_paid_is_parked_no_more(context: Context, make: Factory) -> None:
    broken = late(context, make)
    _set_hours(context, broken, "no hours at all")
    assert dunning_run.run(context, at(27)).parked
    _set_hours(context, broken, None)
    bills.pay(
        context,
        first_bill(context, broken).number,
        idempotency_key="p",
        now=at(27),
        channel=MoneyChannel.CASH,
    )
    dunning_run.run(context, at(27))
    assert dunning_run.parked(context) == []


def test_nobody_without_an_address_is_told(context: Context, make: Factory) -> None:
    owner = late(context, make)
    messages.set_alerts(context, owner.customer_id, CREATED, addresses=[])
    dunning_run.run(context, at(27))
    number = first_bill(context, owner).number
    assert [(one.reminded, one.message) for one in dunning.of_bill(context, number, at(27)).done] \
        == [(False, None), (True, None)]  # fmt: skip


def test_what_cannot_be_set_is_refused(context: Context, make: Factory) -> None:
    daily = make.profile(CREATED)
    with pytest.raises(InvalidFields, match="daily one issues no bills") as refused:
        dunning.set_schedule(context, daily, SCHEDULE, CREATED)
    assert refused.value.field == "steps"
    with pytest.raises(NotFound):
        dunning.set_schedule(context, 10**9, SCHEDULE, CREATED)
    with pytest.raises(NotFound):
        dunning.of_bill(context, "INV-0", CREATED)


@pytest.mark.rule("I5")
def test_a_reconnection_fee_once_a_suspension_ended_by_a_payment(
    context: Context, make: Factory
) -> None:
    schedule = DunningSchedule(reconnection_fee_micros=10_000_000)
    owner = late(context, make, replace(BILLED, suspend_at_hour=8), schedule)
    _sweep(context, owner, at(22))
    assert _rule(context, owner) == "S5"
    number = first_bill(context, owner).number

    def pay(key: str, micros: int) -> None:
        bills.pay(
            context,
            number,
            idempotency_key=key,
            now=at(22),
            amount_micros=micros,
            channel=MoneyChannel.CASH,
        )

    pay("a part", 10_000_000)
    assert (_rule(context, owner), fees(context, owner)) == ("S5", [])
    pay("the rest", 20_000_000)
    pay("the rest", 20_000_000)
    assert (_rule(context, owner), fees(context, owner)) == ("S8", [1000])
    bill_run.run(context, at(1, 4))
    assert all_bills(context, owner)[1].total_micros == 40_000_000


@pytest.mark.rule("I5")
def test_no_reconnection_fee_for_a_promise_or_a_write_off(context: Context, make: Factory) -> None:
    schedule = DunningSchedule(reconnection_fee_micros=10_000_000)
    owner = late(context, make, replace(BILLED, suspend_at_hour=8), schedule)
    _sweep(context, owner, at(22))
    agreements.promise(context, owner.customer_id, date(2026, 3, 24), at(22))
    assert (_rule(context, owner), fees(context, owner)) == ("S8", [])
    _sweep(context, owner, at(26))
    assert _rule(context, owner) == "S5"
    number = first_bill(context, owner).number
    write_offs.write_off(context, number, reason="gone", idempotency_key="w", now=at(26))
    assert (_rule(context, owner), fees(context, owner)) == ("S8", [])


def _sweep(context: Context, owner: Subscriber, now: datetime) -> None:
    with context.transaction() as tx:
        tx.scalars(
            select(tables.Customer)
            .where(tables.Customer.customer_id == owner.customer_id)
            .with_for_update()
        ).one()
        enforcement.reconcile(tx, context, owner.customer_id, now)


def _rule(context: Context, owner: Subscriber) -> str:
    with context.transaction() as tx:
        row = tables.Subscription
        return tx.scalars(
            select(row.service_rule).where(row.subscription_id == owner.subscription_id)
        ).one()


def _set_hours(context: Context, owner: Subscriber, hours: str | None) -> None:
    row = tables.Subscription
    with context.transaction() as tx:
        tx.execute(
            update(row)
            .where(row.subscription_id == owner.subscription_id)
            .values(login_hours=hours)
        )
