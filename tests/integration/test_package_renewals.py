"""Daily packages that renew from the wallet: without a gap, each once (rules P10, B4, P12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.errors import Refused
from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, LoginRecord, Status
from billing.model.plan import Starts
from billing.services import (
    books,
    catalog,
    enforcement,
    explain,
    holds,
    renewal_run,
    sales,
    wallet_check,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, tables
from billing.store.hotpath import (
    HotConnection,
    charge_usage,
    login_row,
    record_logins,
    usage_row,
)
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, MONTHLY, Factory, Subscriber

BOUGHT = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LEAD = 5 * MINUTE
BY_USE = {"payg_octet_step": 1_000, "payg_octet_step_micros": 1_000}


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    """The jobs of the next test find nobody of this one."""
    yield
    assert books.check_ledger(context, BOUGHT).findings == ()
    with context.transaction() as tx:
        gone = {"closed_at": BOUGHT, "renews_at": None, "service_checked_at": None}
        tx.execute(update(tables.Subscription).values(gone))


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(BOUGHT) as simulated:
        yield simulated


def _bought(
    context: Context, make: Factory, money_micros: int, **terms: object
) -> tuple[Subscriber, int]:
    """Its first package (1.00) is bought and renews by itself; so much is left in the wallet."""
    plan = replace(DAY_PLAN, **terms)
    owner = make.subscriber(BOUGHT, plan=plan)
    plan_id = make.plan(BOUGHT, plan)
    _topup(context, owner, 1_000_000 + money_micros, BOUGHT)
    sales.sell(context, owner.subscription_id, plan_id, idempotency_key="first", now=BOUGHT)
    holds.set_renewal(context, owner.subscription_id, BOUGHT, on=True)
    return owner, plan_id


def _topup(context: Context, owner: Subscriber, amount_micros: int, now: datetime) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key=f"{now} {amount_micros}",
        now=now,
    )


def _packages(context: Context, owner: Subscriber) -> list[tuple[datetime | None, datetime | None]]:
    row = tables.Entitlement
    with context.transaction() as tx:
        found = tx.execute(
            select(row.valid_from, row.valid_until)
            .where(row.customer_id == owner.customer_id)
            .order_by(row.entitlement_id)
        )
        return [(one.valid_from, one.valid_until) for one in found]


def _row(context: Context, owner: Subscriber) -> tables.Subscription:
    with context.transaction() as tx:
        return tx.scalars(
            select(tables.Subscription).where(
                tables.Subscription.subscription_id == owner.subscription_id
            )
        ).one()


def _wallet(context: Context, owner: Subscriber) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, owner.customer_id, ledger.WALLET)


def _orders(context: Context, owner: Subscriber) -> list[tuple[str, str]]:
    intent = tables.CoaIntent
    with context.transaction() as tx:
        found = tx.scalars(
            select(intent).where(intent.customer_id == owner.customer_id).order_by(intent.intent_id)
        )
        return [(row.goal, row.state) for row in found]


def _rule(context: Context, owner: Subscriber, at: datetime) -> str:
    return explain.why(context, owner.subscription_id, at).state.rule


@pytest.mark.rule("P10")
@pytest.mark.rule("B4")
def test_the_next_package_is_bought_before_the_last_one_ends(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner, _ = _bought(context, make, 1_500_000)
    make.session(owner, router, BOUGHT + MINUTE)
    assert _row(context, owner).renews_at == BOUGHT + DAY - LEAD
    assert renewal_run.run(context, BOUGHT + DAY - LEAD - MINUTE).customers == 0
    report = renewal_run.run(context, BOUGHT + DAY - LEAD)
    assert (report.packages, report.total_micros) == (1, 1_000_000)
    assert _packages(context, owner) == [
        (BOUGHT, BOUGHT + DAY),
        (BOUGHT + DAY, BOUGHT + 2 * DAY),
    ]
    # What runs gets its new limits, and is not ended when the first package is over.
    assert _orders(context, owner) == [("refresh", "pending")]
    for at in (BOUGHT + DAY - MINUTE, BOUGHT + DAY, BOUGHT + DAY + MINUTE):
        renewal_run.run(context, at)
        enforcement.sweep(context, at)
    assert _orders(context, owner) == [("refresh", "pending")]
    assert (len(_packages(context, owner)), _wallet(context, owner)) == (2, 500_000)
    assert _row(context, owner).renews_at == BOUGHT + 2 * DAY - LEAD


@pytest.mark.rule("P10")
@pytest.mark.rule("S7")
@pytest.mark.rule("B16")
def test_what_is_not_covered_stops_and_the_credit_that_covers_it_begins_it(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner, _ = _bought(context, make, 250_000)
    make.session(owner, router, BOUGHT + MINUTE)
    renewal_run.run(context, BOUGHT + DAY - LEAD)
    assert _row(context, owner).renews_at is None
    enforcement.sweep(context, BOUGHT + DAY)
    assert _orders(context, owner) == [("disconnect", "pending")]
    at = BOUGHT + 3 * DAY
    renewal_run.run(context, at)
    lines = explain.why(context, owner.subscription_id, at).lines
    (asked,) = [line for line in lines if line.startswith("S7")]
    assert "for 1.00 USD now, available 0.25 USD: not covered, needs 0.75 USD more" in asked
    assert any("S7 is lifted by a credit of 0.75 USD, or buying a package" in x for x in lines)
    _topup(context, owner, 740_000, at)
    assert (_rule(context, owner, at), len(_packages(context, owner))) == ("S7", 1)
    _topup(context, owner, 10_000, at + MINUTE)
    assert _packages(context, owner)[1] == (at + MINUTE, at + MINUTE + DAY)
    assert (_rule(context, owner, at + MINUTE), _wallet(context, owner)) == ("S8", 0)
    assert _orders(context, owner)[0] == ("disconnect", "cancelled")
    assert _row(context, owner).renews_at == at + MINUTE + DAY - LEAD


@pytest.mark.rule("P10")
def test_a_credit_between_the_attempt_and_the_end_leaves_no_gap(
    context: Context, make: Factory
) -> None:
    owner, _ = _bought(context, make, 0)
    renewal_run.run(context, BOUGHT + DAY - LEAD)
    assert len(_packages(context, owner)) == 1
    _topup(context, owner, 1_000_000, BOUGHT + DAY - MINUTE)
    assert _packages(context, owner)[1] == (BOUGHT + DAY, BOUGHT + 2 * DAY)


@pytest.mark.rule("P10")
def test_a_credit_long_before_the_end_buys_nothing(context: Context, make: Factory) -> None:
    owner, _ = _bought(context, make, 0)
    _topup(context, owner, 5_000_000, BOUGHT + timedelta(hours=1))
    assert (len(_packages(context, owner)), _wallet(context, owner)) == (1, 5_000_000)


@pytest.mark.rule("P10")
def test_a_package_that_is_used_up_is_bought_again_within_the_next_run(
    context: Context, make: Factory, router: SimulatedNas, settings: Settings
) -> None:
    owner, _ = _bought(context, make, 1_000_000, octets=1_000_000)
    make.session(owner, router, BOUGHT)
    at = BOUGHT + timedelta(hours=2)
    _use(context, settings, owner, router, at)
    assert _row(context, owner).renews_at == at
    assert _orders(context, owner) == [("disconnect", "pending")]
    assert renewal_run.run(context, at + MINUTE).packages == 1
    assert _packages(context, owner)[1] == (at + MINUTE, at + MINUTE + DAY)
    assert _rule(context, owner, at + MINUTE) == "S8"


@pytest.mark.rule("P10")
@pytest.mark.rule("B4")
@pytest.mark.parametrize(("left_micros", "bought"), [(3_000_000, True), (900_000, False)])
def test_who_pays_as_it_goes_is_bought_the_next_package_at_once_too(
    context: Context,
    make: Factory,
    router: SimulatedNas,
    settings: Settings,
    left_micros: int,
    bought: bool,
) -> None:
    """It is served on by use, so nobody is cut: 0.10 for the 100,000 octets past the package."""
    owner, _ = _bought(context, make, left_micros, octets=1_000_000, **BY_USE)
    make.session(owner, router, BOUGHT)
    at = BOUGHT + timedelta(hours=2)
    _use(context, settings, owner, router, at)
    assert _row(context, owner).renews_at == at
    assert (_orders(context, owner), _rule(context, owner, at)) == ([], "S8")
    enforcement.sweep(context, at)
    assert renewal_run.run(context, at + MINUTE).packages == int(bought)
    if bought:
        assert _packages(context, owner)[1] == (at + MINUTE, at + MINUTE + DAY)
        assert _row(context, owner).renews_at == at + MINUTE + DAY - LEAD
    else:  # it waits for a credit, and goes on by use meanwhile
        assert (len(_packages(context, owner)), _row(context, owner).renews_at) == (1, None)
        _topup(context, owner, 200_000, at + 2 * MINUTE)
        assert _packages(context, owner)[1] == (at + 2 * MINUTE, at + 2 * MINUTE + DAY)
    assert _wallet(context, owner) == left_micros - 1_000_000 + (0 if bought else 200_000)


@pytest.mark.rule("P10")
def test_use_by_the_wallet_or_of_what_is_followed_renews_nothing(
    context: Context, make: Factory, router: SimulatedNas, settings: Settings
) -> None:
    owner, plan_id = _bought(context, make, 5_000_000, octets=400_000, **BY_USE)
    make.session(owner, router, BOUGHT)
    sales.sell(context, owner.subscription_id, plan_id, idempotency_key="second", now=BOUGHT)
    planned = _row(context, owner).renews_at
    at = BOUGHT + timedelta(hours=1)
    _use(context, settings, owner, router, at, octets=500_000)
    # The second package runs since then, and ends earlier: the sweep plans anew.
    enforcement.sweep(context, at)
    assert _row(context, owner).renews_at == at + DAY - LEAD != planned
    _use(context, settings, owner, router, at + MINUTE, octets=1_100_000)
    assert _row(context, owner).renews_at == at + MINUTE
    _write(context, owner, renews_at=None)  # as if it was not covered
    _use(context, settings, owner, router, at + 2 * MINUTE, octets=1_200_000)
    assert _row(context, owner).renews_at is None


@pytest.mark.rule("P10")
@pytest.mark.rule("B2")
def test_a_package_that_waits_for_its_login_is_followed_when_its_end_is_known(
    context: Context, make: Factory, settings: Settings
) -> None:
    owner, _ = _bought(context, make, 1_000_000, starts=Starts.FIRST_LOGIN)
    assert _row(context, owner).renews_at is None
    renewal_run.run(context, BOUGHT + 5 * DAY)
    login = BOUGHT + 6 * DAY
    with context.transaction() as tx:
        row = tables.Entitlement
        package_id = tx.scalars(
            select(row.entitlement_id).where(row.customer_id == owner.customer_id)
        ).one()
    with_lane = HotConnection(
        settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=5000
    )
    record = LoginRecord(
        username=owner.username,
        customer_id=owner.customer_id,
        subscription_id=owner.subscription_id,
        nas_address=None,
        calling_station=None,
        outcome="accept",
        reason="ok",
        entitlement_id=package_id,
        at=login,
    )
    try:
        record_logins(with_lane, [login_row(record)], login)
    finally:
        with_lane.close()
    renewal_run.run(context, login + MINUTE)
    assert _row(context, owner).renews_at == login + DAY - LEAD
    assert renewal_run.run(context, login + DAY - LEAD).packages == 1
    assert _packages(context, owner)[1] == (login + DAY, login + 2 * DAY)


@pytest.mark.rule("P10")
def test_after_downtime_it_begins_when_it_is_bought(context: Context, make: Factory) -> None:
    owner, _ = _bought(context, make, 3_000_000)
    late = BOUGHT + 9 * DAY
    enforcement.sweep(context, late)
    assert renewal_run.run(context, late).packages == 1
    assert _packages(context, owner)[1] == (late, late + DAY)
    assert _wallet(context, owner) == 2_000_000


@pytest.mark.rule("P10")
def test_what_is_paused_is_renewed_when_it_is_resumed(context: Context, make: Factory) -> None:
    owner, _ = _bought(context, make, 1_000_000)
    holds.pause(context, owner.subscription_id, BOUGHT + MINUTE)
    for at in (BOUGHT + DAY - LEAD, BOUGHT + DAY, BOUGHT + 2 * DAY):
        renewal_run.run(context, at)
        enforcement.sweep(context, at)
    wallet_check.run(context, BOUGHT + 2 * DAY)
    assert len(_packages(context, owner)) == 1
    back = BOUGHT + 3 * DAY
    holds.resume(context, owner.subscription_id, back)
    renewal_run.run(context, back + MINUTE)
    assert _packages(context, owner)[1] == (back + MINUTE, back + MINUTE + DAY)


@pytest.mark.rule("P10")
def test_the_price_of_the_day_is_paid_and_the_key_is_the_package(
    context: Context, make: Factory
) -> None:
    owner, plan_id = _bought(context, make, 2_000_000, pool="dearer")
    known = catalog.get_plan(context, plan_id, BOUGHT).terms
    catalog.add_plan_version(
        context, plan_id, replace(known, price_micros=1_750_000), BOUGHT + MINUTE
    )
    renewal_run.run(context, BOUGHT + DAY - LEAD)
    assert _wallet(context, owner) == 250_000
    command = tables.Command
    with context.transaction() as tx:
        keys = tx.scalars(
            select(command.idempotency_key).where(command.customer_id == owner.customer_id)
        ).all()
        first = tx.scalars(
            select(tables.Entitlement.entitlement_id)
            .where(tables.Entitlement.customer_id == owner.customer_id)
            .order_by(tables.Entitlement.entitlement_id)
        ).first()
    assert f"renewal:{owner.subscription_id}:{first}" in keys


@pytest.mark.rule("P10")
def test_a_plan_that_is_not_sold_any_more_parks_the_run_and_lets_money_in(
    context: Context, make: Factory
) -> None:
    owner, plan_id = _bought(context, make, 1_000_000, pool="withdrawn")
    other, _ = _bought(context, make, 1_000_000)
    with context.transaction() as tx:
        tx.execute(
            update(tables.Plan)
            .where(tables.Plan.plan_id == plan_id)
            .values(archived_at=BOUGHT + MINUTE)
        )
    report = renewal_run.run(context, BOUGHT + DAY - LEAD)
    assert [one.customer_id for one in report.parked] == [owner.customer_id]
    assert "not sold any more" in report.parked[0].problem
    assert len(_packages(context, other)) == 2
    _topup(context, owner, 1_000_000, BOUGHT + DAY)
    assert (_wallet(context, owner), _rule(context, owner, BOUGHT + DAY)) == (2_000_000, "S7")
    # Each daily check says so again, until renewing is switched off or another package is bought.
    checked = wallet_check.run(context, BOUGHT + 2 * DAY)
    assert [one.customer_id for one in checked.parked] == [owner.customer_id]


@pytest.mark.rule("P10")
def test_switched_on_with_the_money_there_it_begins_at_once(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(BOUGHT)
    _topup(context, owner, 1_000_000, BOUGHT)
    holds.set_renewal(context, owner.subscription_id, BOUGHT + MINUTE, on=True)
    assert _packages(context, owner) == [(BOUGHT + MINUTE, BOUGHT + MINUTE + DAY)]
    holds.set_renewal(context, owner.subscription_id, BOUGHT + 2 * MINUTE, on=False)
    _topup(context, owner, 1_000_000, BOUGHT + 2 * MINUTE)
    renewal_run.run(context, BOUGHT + 2 * DAY)
    assert (len(_packages(context, owner)), _wallet(context, owner)) == (1, 1_000_000)


@pytest.mark.rule("P10")
def test_monthly_service_is_renewed_by_its_bills(context: Context, make: Factory) -> None:
    owner = make.subscriber(BOUGHT, profile=MONTHLY, plan=replace(DAY_PLAN, validity_minutes=43200))
    with pytest.raises(Refused, match="renewed by its bills"):
        holds.set_renewal(context, owner.subscription_id, BOUGHT, on=True)


@pytest.mark.rule("P13")
def test_the_daily_check_renews_what_no_run_was_told_of(context: Context, make: Factory) -> None:
    owner, _ = _bought(context, make, 1_000_000)
    _write(context, owner, renews_at=None)
    at = BOUGHT + DAY + MINUTE
    assert renewal_run.run(context, at).customers == 0
    report = wallet_check.run(context, at)
    assert [one.customer_id for one in report.repaired] == [owner.customer_id]
    assert report.repaired[0].what.startswith("renewed ")
    assert _packages(context, owner)[1] == (at, at + DAY)


@pytest.mark.rule("P13")
def test_a_customer_that_cannot_be_read_is_parked_and_the_others_are_checked(
    context: Context, make: Factory
) -> None:
    broken, (sound, _) = make.subscriber(BOUGHT), _bought(context, make, 1_000_000)
    _write(context, broken, login_hours="whenever")
    _write(context, sound, renews_at=None)
    report = wallet_check.run(context, BOUGHT + DAY + MINUTE)
    assert [one.customer_id for one in report.parked] == [broken.customer_id]
    assert [one.customer_id for one in report.repaired] == [sound.customer_id]
    _write(context, broken, login_hours=None)
    assert wallet_check.run(context, BOUGHT + DAY + 2 * MINUTE).parked == ()
    assert renewal_run.parked(context, None) == []


def _write(context: Context, owner: Subscriber, **values: object) -> None:
    row = tables.Subscription
    with context.transaction() as tx:
        tx.execute(update(row).where(row.subscription_id == owner.subscription_id).values(**values))


def _use(
    context: Context,
    settings: Settings,
    owner: Subscriber,
    router: SimulatedNas,
    at: datetime,
    octets: int = 1_100_000,
) -> None:
    """So much of it in all, as an interim report tells."""
    with context.transaction() as tx:
        session = tables.LiveSession
        acct_session_id = tx.scalars(
            select(session.acct_session_id).where(session.customer_id == owner.customer_id)
        ).one()
    interim = AccountingRecord(
        status=Status.INTERIM,
        username=owner.username,
        sent_username=owner.username,
        nas_address=router.address,
        acct_session_id=acct_session_id,
        arrived_at=at,
        event_at=at,
        precise_time=True,
        session_seconds=7200,
        input_octets=octets // 2,
        output_octets=octets - octets // 2,
        has_gigawords=True,
    )
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=5000)
    try:
        charge_usage(lane, [usage_row(interim)], at)
    finally:
        lane.close()
