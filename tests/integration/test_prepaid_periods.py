"""Monthly prepaid on a real database: no period that is not paid, no day twice (rules P10, P12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import literal_column, select, update

from billing.model.bills import BillPreview
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.profile import Payment, TaxPoint
from billing.services import (
    agreements,
    bill_run,
    bills,
    books,
    catalog,
    charges,
    credits,
    customers,
    enforcement,
    explain,
    moves,
    renewal_run,
    sales,
    subscribers,
    wallet_check,
)
from billing.services.context import Context
from billing.store import ledger, tables
from rig.nas import SimulatedNas
from tests.factories import DAILY, MONTH_PLAN, MONTHLY, Factory, Subscriber

THIRTY = replace(MONTH_PLAN, price_micros=30_000_000)
PREPAID = replace(MONTHLY, payment=Payment.PREPAID, cycle_day=10, automatic_bill=True)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)
TENTH = datetime(2026, 4, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    """The jobs of the next test find nobody of this one."""
    yield
    assert books.check_ledger(context, TENTH).findings == ()
    with context.transaction() as tx:
        gone = {"closed_at": CREATED, "renews_at": None, "service_checked_at": None}
        tx.execute(update(tables.Subscription).values(gone))


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(CREATED) as simulated:
        yield simulated


def _bills(context: Context, owner: Subscriber) -> list[tuple[date | None, date | None, int, int]]:
    """From, until, total, paid; in the order of their numbers."""
    bill = tables.Invoice
    with context.transaction() as tx:
        rows = tx.scalars(
            select(bill).where(bill.customer_id == owner.customer_id).order_by(bill.invoice_id)
        )
        return [
            (row.cycle_from, row.cycle_until, row.total_micros, row.paid_micros) for row in rows
        ]


def _row(context: Context, owner: Subscriber) -> tables.Subscription:
    with context.transaction() as tx:
        return tx.scalars(
            select(tables.Subscription).where(
                tables.Subscription.subscription_id == owner.subscription_id
            )
        ).one()


def _topup(context: Context, owner: Subscriber, amount_micros: int, now: datetime) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key=f"{now} {amount_micros}",
        now=now,
    )


def _wallet(context: Context, owner: Subscriber) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, owner.customer_id, ledger.WALLET)


def _rule(context: Context, owner: Subscriber, at: datetime) -> str:
    return explain.why(context, owner.subscription_id, at).state.rule


def _funded(context: Context, make: Factory, **switches: object) -> Subscriber:
    """Its first bill, 18 March to 10 April, 22.26, is paid; the wallet is empty."""
    owner = make.subscriber(CREATED, profile=replace(PREPAID, **switches), plan=THIRTY)
    _topup(context, owner, 22_260_000, CREATED)
    return owner


FIRST = (date(2026, 3, 18), date(2026, 4, 10), 22_260_000, 22_260_000)


@pytest.mark.rule("P10")
def test_a_new_customer_is_on_hold_until_the_first_period_is_paid(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(CREATED, profile=PREPAID, plan=THIRTY)
    state = explain.why(context, owner.subscription_id, CREATED).state
    assert (state.rule, state.reason, state.effect) == ("S6", "not-covered", "suspended_pool")
    _topup(context, owner, 22_259_999 // 10_000 * 10_000, CREATED)
    assert (_rule(context, owner, CREATED), _bills(context, owner)) == ("S6", [])
    _topup(context, owner, 10_000, CREATED)
    assert (_rule(context, owner, CREATED), _bills(context, owner)) == ("S8", [FIRST])
    assert _wallet(context, owner) == 0


@pytest.mark.rule("P10")
@pytest.mark.rule("B7")
def test_a_bill_waits_for_the_wallet_from_day_one_on(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    assert bill_run.run(context, APRIL).issued == 0
    (line,) = [one for one in bill_run.preview(context, APRIL) if isinstance(one, BillPreview)]
    assert (line.first_day, line.total_micros, line.short_micros) == (
        date(2026, 4, 10),
        30_000_000,
        30_000_000,
    )
    assert _rule(context, owner, APRIL) == "S8"
    _topup(context, owner, 29_990_000, APRIL)
    assert bill_run.run(context, APRIL + MINUTE).issued == 0
    _topup(context, owner, 10_000, APRIL + 2 * MINUTE)
    assert _bills(context, owner)[1] == (
        date(2026, 4, 10),
        date(2026, 5, 10),
        30_000_000,
        30_000_000,
    )
    assert _row(context, owner).renews_at == datetime(2026, 5, 10, tzinfo=UTC)
    renewal_run.run(context, TENTH)
    assert (_rule(context, owner, TENTH), len(_bills(context, owner))) == ("S8", 2)


@pytest.mark.rule("P10")
def test_money_before_day_one_is_not_taken_before_day_one(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    _topup(context, owner, 50_000_000, CREATED + MINUTE)
    assert (len(_bills(context, owner)), _wallet(context, owner)) == (1, 50_000_000)
    assert bill_run.run(context, APRIL).issued == 1
    assert _wallet(context, owner) == 20_000_000


@pytest.mark.rule("P10")
@pytest.mark.rule("S6")
@pytest.mark.rule("B10")
def test_a_period_that_begins_uncovered_is_not_served_and_not_billed(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner = _funded(context, make)
    make.session(owner, router, CREATED)
    bill_run.run(context, APRIL)
    assert renewal_run.run(context, TENTH - MINUTE).customers == 0
    assert renewal_run.run(context, TENTH).customers == 1
    row = _row(context, owner)
    assert (row.on_hold_since, row.renews_at, row.service_rule) == (TENTH, None, "S6")
    assert _orders(context, owner) == [("suspend", "not-covered", "pending")]
    may = datetime(2026, 5, 20, 12, tzinfo=UTC)
    for at in (TENTH + MINUTE, datetime(2026, 5, 1, 1, tzinfo=UTC), may):
        bill_run.run(context, at)
        renewal_run.run(context, at)
    assert _bills(context, owner) == [FIRST]
    # Activated on 20 May: 21 of the 31 days of 10 May to 10 June; 10 April to 20 May cost nothing.
    _topup(context, owner, 20_320_000, may)
    assert _bills(context, owner) == [
        FIRST,
        (date(2026, 5, 20), date(2026, 6, 10), 20_320_000, 20_320_000),
    ]
    assert _wallet(context, owner) == 0
    row = _row(context, owner)
    assert (row.on_hold_since, row.service_rule) == (None, "S8")
    assert row.renews_at == datetime(2026, 6, 10, tzinfo=UTC)
    june = datetime(2026, 6, 1, 1, tzinfo=UTC)
    _topup(context, owner, 30_000_000, june)
    assert _bills(context, owner)[2][:3] == (date(2026, 6, 10), date(2026, 7, 10), 30_000_000)


@pytest.mark.rule("P10")
@pytest.mark.rule("P9")
def test_a_credit_restores_the_session_in_its_own_transaction(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner = _funded(context, make)
    renewal_run.run(context, TENTH)
    make.session(owner, router, TENTH + MINUTE, suspended=True)
    later = TENTH + timedelta(hours=1)
    assert _orders(context, owner) == []
    _topup(context, owner, 29_990_000, later)
    assert _orders(context, owner) == []
    _topup(context, owner, 10_000, later + MINUTE)
    assert _orders(context, owner) == [("restore", "ok", "pending")]
    intent = tables.CoaIntent
    with context.transaction() as tx:
        restored = tx.execute(
            select(intent.created_at, literal_column("xmin::text")).where(
                intent.customer_id == owner.customer_id
            )
        ).one()
        paid = tx.execute(
            select(tables.JournalEntry.at, literal_column("xmin::text"))
            .where(
                tables.JournalEntry.customer_id == owner.customer_id,
                tables.JournalEntry.kind == "bill",
            )
            .order_by(tables.JournalEntry.entry_id.desc())
            .limit(1)
        ).one()
    # The instant, and the transaction that wrote both rows, as PostgreSQL knows it.
    assert tuple(restored) == tuple(paid)
    assert restored.created_at == later + MINUTE


@pytest.mark.rule("P10")
def test_where_cycles_begin_on_day_one_who_has_the_money_is_never_cut(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner = make.subscriber(
        CREATED, profile=replace(PREPAID, cycle_day=1, cycle_ends_with_month=True), plan=THIRTY
    )
    _topup(context, owner, 43_550_000, CREATED)  # 13.55 for 18 to 31 March
    make.session(owner, router, CREATED)
    day_one = datetime(2026, 4, 1, tzinfo=UTC)
    # The sweep comes first, the run of renewals seconds later.
    enforcement.sweep(context, day_one)
    assert _rule(context, owner, day_one) == "S8"
    renewal_run.run(context, day_one + timedelta(seconds=5))
    assert bill_run.run(context, day_one + 11 * MINUTE).issued == 0
    assert _bills(context, owner)[1] == (
        date(2026, 4, 1),
        date(2026, 5, 1),
        30_000_000,
        30_000_000,
    )
    assert _orders(context, owner) == []


@pytest.mark.rule("P10")
@pytest.mark.rule("B7")
@pytest.mark.parametrize("first", ["bills", "renewals", "sweep"])
def test_after_downtime_the_order_of_the_jobs_does_not_matter(
    context: Context, make: Factory, first: str
) -> None:
    owner = _funded(context, make)
    _topup(context, owner, 70_000_000, CREATED + MINUTE)
    late = datetime(2026, 7, 3, 5, tzinfo=UTC)  # nobody has run since March
    jobs = {
        "bills": lambda: bill_run.run(context, late),
        "renewals": lambda: renewal_run.run(context, late),
        "sweep": lambda: enforcement.sweep(context, late),
    }
    for name in sorted(jobs, key=lambda name: name != first):
        jobs[name]()
    # Served without a break, so billed without one, as far as it goes; then for the days left.
    assert [bill[:2] for bill in _bills(context, owner)[1:]] == [
        (date(2026, 4, 10), date(2026, 5, 10)),
        (date(2026, 5, 10), date(2026, 6, 10)),
        (date(2026, 7, 3), date(2026, 7, 10)),
    ]
    assert (_row(context, owner).on_hold_since, _wallet(context, owner)) == (None, 3_000_000)


@pytest.mark.rule("P10")
@pytest.mark.rule("I1")
def test_no_charge_accrues_while_billing_is_on_hold(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    renewal_run.run(context, TENTH)
    charges.add_charge(
        context,
        owner.subscription_id,
        ChargeKind.RECURRING,
        "Static IP",
        CREATED,
        price_micros=3_100_000,
        starts_on=date(2026, 4, 1),
    )
    may = datetime(2026, 5, 20, 12, tzinfo=UTC)
    # 21 of 31 days of both: 20.32 and 2.10.
    why = explain.why(context, owner.subscription_id, may)
    assert any("S6 is lifted by a credit of 22.42 USD" in line for line in why.lines)
    _topup(context, owner, 22_420_000, may)
    assert _bills(context, owner)[1][:3] == (date(2026, 5, 20), date(2026, 6, 10), 22_420_000)
    _topup(context, owner, 33_100_000, datetime(2026, 6, 1, 1, tzinfo=UTC))
    assert _bills(context, owner)[2][2] == 33_100_000


@pytest.mark.rule("P10")
@pytest.mark.rule("S5")
def test_an_old_open_bill_is_paid_first_and_stays_s5(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 4, 10),
        cycle_until=date(2026, 5, 10),
        amount_micros=30_000_000,
        now=CREATED + MINUTE,
    )
    may = datetime(2026, 5, 11, tzinfo=UTC)
    renewal_run.run(context, may)
    assert _rule(context, owner, may) == "S5"
    _topup(context, owner, 30_000_000, may)
    assert _rule(context, owner, may) == "S6"  # the present period is not covered
    assert _bills(context, owner)[1][3] == 30_000_000
    _topup(context, owner, 29_030_000, may)  # 11 May to 10 June: 30 of 31 days
    assert (_rule(context, owner, may), _wallet(context, owner)) == ("S8", 0)


@pytest.mark.rule("P10")
def test_two_services_on_one_wallet_are_covered_one_by_one(context: Context, make: Factory) -> None:
    first = _funded(context, make)
    profile_id = make.profile(CREATED, PREPAID)
    second_id = customers.add_subscription(
        context,
        customer_id=first.customer_id,
        username=f"{first.username}-second",
        password="long enough 7",
        plan_id=make.plan(CREATED, THIRTY),
        profile_id=profile_id,
        now=CREATED,
    )
    second = Subscriber(first.customer_id, second_id, "")
    _topup(context, first, 22_260_000, CREATED + MINUTE)
    assert [_rule(context, one, CREATED) for one in (first, second)] == ["S8", "S8"]
    _topup(context, first, 45_000_000, CREATED + 2 * MINUTE)
    bill_run.run(context, APRIL)
    renewal_run.run(context, TENTH)
    assert [_rule(context, one, TENTH) for one in (first, second)] == ["S8", "S6"]
    assert _wallet(context, first) == 15_000_000


@pytest.mark.rule("P10")
def test_a_credit_note_may_cover_a_period(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    _topup(context, owner, 10_000_000, CREATED + MINUTE)
    renewal_run.run(context, TENTH)
    assert _rule(context, owner, TENTH) == "S6"
    credits.credit(
        context,
        _number(context, owner),
        reason="an outage",
        idempotency_key="back",
        now=TENTH + MINUTE,
        amount_micros=20_000_000,
    )
    assert (_rule(context, owner, TENTH + MINUTE), _wallet(context, owner)) == ("S8", 0)
    assert _bills(context, owner)[1][:3] == (date(2026, 4, 10), date(2026, 5, 10), 30_000_000)


@pytest.mark.rule("P10")
@pytest.mark.rule("B14")
def test_who_leaves_prepaid_on_hold_is_billed_from_that_day(
    context: Context, make: Factory
) -> None:
    owner = _funded(context, make)
    renewal_run.run(context, TENTH)
    postpaid = replace(PREPAID, payment=Payment.POSTPAID)
    at = datetime(2026, 4, 20, 12, tzinfo=UTC)
    moves.change_profile(context, owner.customer_id, make.profile(CREATED, postpaid), at)
    assert _rule(context, owner, at) == "S8"
    assert _bills(context, owner)[1] == (date(2026, 4, 20), date(2026, 5, 10), 20_000_000, 0)


@pytest.mark.rule("P10")
@pytest.mark.rule("B14")
def test_a_profile_that_stops_to_be_prepaid_lifts_the_hold(context: Context, make: Factory) -> None:
    profile = replace(PREPAID, due_days=17)  # nobody else's
    owner = _funded(context, make, due_days=17)
    renewal_run.run(context, TENTH)
    profile_id = make.profiles[profile]
    known = catalog.get_profile(context, profile_id).profile
    at = datetime(2026, 4, 20, 12, tzinfo=UTC)
    catalog.update_profile(context, profile_id, replace(known, payment=Payment.POSTPAID), at)
    enforcement.sweep(context, at)
    assert _rule(context, owner, at) == "S8"
    bill_run.run(context, at + MINUTE)
    assert _bills(context, owner)[1][:3] == (date(2026, 4, 20), date(2026, 5, 10), 20_000_000)
    assert _row(context, owner).on_hold_since is None


@pytest.mark.rule("P10")
def test_a_month_sold_for_cash_lifts_the_hold_and_begins_that_day(
    context: Context, make: Factory
) -> None:
    owner = _funded(context, make)
    renewal_run.run(context, TENTH)
    at = datetime(2026, 4, 20, 12, tzinfo=UTC)
    sales.sell(
        context,
        owner.subscription_id,
        make.plan(CREATED, THIRTY),
        idempotency_key="month",
        now=at,
        pay_by=MoneyChannel.CASH,
    )
    assert _bills(context, owner)[1] == (
        date(2026, 4, 20),
        date(2026, 5, 10),
        20_000_000,
        20_000_000,
    )
    row = _row(context, owner)
    assert (row.on_hold_since, row.service_rule) == (None, "S8")


@pytest.mark.rule("P10")
@pytest.mark.rule("B19")
def test_a_promise_bills_the_days_left_on_credit(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    renewal_run.run(context, TENTH)
    at = datetime(2026, 4, 12, 12, tzinfo=UTC)
    agreements.promise(context, owner.customer_id, date(2026, 4, 15), at)
    assert _bills(context, owner)[1] == (date(2026, 4, 12), date(2026, 5, 10), 28_000_000, 0)
    kept, broken = (datetime(2026, 4, day, tzinfo=UTC) for day in (15, 16))
    assert [_rule(context, owner, one) for one in (at, kept, broken)] == ["S8", "S8", "S5"]
    bill_run.run(context, broken)
    assert len(_bills(context, owner)) == 2
    _topup(context, owner, 28_000_000, broken)
    assert (_rule(context, owner, broken), _wallet(context, owner)) == ("S8", 0)
    assert _row(context, owner).renews_at == datetime(2026, 5, 10, tzinfo=UTC)


@pytest.mark.rule("P10")
@pytest.mark.rule("B14")
def test_moved_from_daily_the_first_period_is_asked_for_at_once(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(CREATED, profile=DAILY)
    moves.change_profile(
        context,
        owner.customer_id,
        make.profile(CREATED, PREPAID),
        CREATED,
        plan_id=make.plan(CREATED, THIRTY),
    )
    assert _rule(context, owner, CREATED) == "S6"
    _topup(context, owner, 22_260_000, CREATED)
    assert (_rule(context, owner, CREATED), _bills(context, owner)) == ("S8", [FIRST])


@pytest.mark.rule("P10")
@pytest.mark.rule("B16")
def test_why_says_what_is_missing_and_when(context: Context, make: Factory) -> None:
    owner = _funded(context, make)
    _topup(context, owner, 17_500_000, CREATED + MINUTE)
    lines = explain.why(context, owner.subscription_id, CREATED).lines
    (asked,) = [line for line in lines if line.startswith("S6")]
    assert asked == (
        "S6 no    recurring prepaid, 2026-04-10 to 2026-05-10 for 30.00 USD on 10 Apr 2026 00:00,"
        " available 17.50 USD: not covered, needs 12.50 USD more"
    )
    assert (
        "  from 10 Apr 2026 00:00: suspended (not-covered), pool 'walled', S6, unless a credit of"
        " 12.50 USD comes before" in lines
    )
    view = subscribers.show(context, owner.subscription_id, CREATED)
    assert view.upcoming is not None
    assert (view.upcoming.begins_at, view.upcoming.total_micros) == (TENTH, 30_000_000)


@pytest.mark.rule("P10")
def test_a_customer_that_fails_is_parked_and_the_money_of_a_credit_is_kept(
    context: Context, make: Factory
) -> None:
    broken, sound = _funded(context, make), _funded(context, make)
    _set_currency(context, broken, "EUR")
    report = renewal_run.run(context, TENTH)
    assert [one.customer_id for one in report.parked] == [broken.customer_id]
    assert _row(context, sound).on_hold_since == TENTH
    assert [one.customer_id for one in renewal_run.parked(context)] == [broken.customer_id]
    assert renewal_run.run(context, TENTH + MINUTE).customers == 0
    _set_currency(context, broken, "USD")
    assert renewal_run.run(context, TENTH + timedelta(hours=1)).parked == ()
    assert renewal_run.parked(context) == []


@pytest.mark.rule("P13")
def test_the_daily_check_does_what_an_event_missed(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    owner, other = _funded(context, make), _funded(context, make)
    make.session(owner, router, CREATED)
    renewal_run.run(context, TENTH)
    assert wallet_check.run(context, TENTH + MINUTE).repaired == ()
    # Money that no service has seen, and a state that somebody forgot to enforce.
    with context.transaction() as tx:
        ledger.post(
            tx,
            customer_id=owner.customer_id,
            org_id=1,
            kind="payment",
            memo="by hand",
            lines=[
                ledger.Line(ledger.WALLET, 30_000_000, _row(context, owner).wallet_id),
                ledger.Line("money:cash", -30_000_000),
            ],
            currency="USD",
            now=TENTH,
        )
        tx.execute(
            update(tables.Subscription)
            .where(tables.Subscription.subscription_id == other.subscription_id)
            .values(service_rule="S8")
        )
    listed = {one.customer_id for one in wallet_check.preview(context, TENTH + 2 * MINUTE)}
    assert {owner.customer_id, other.customer_id} <= listed
    report = wallet_check.run(context, TENTH + 2 * MINUTE)
    assert [one.customer_id for one in report.repaired] == [owner.customer_id, other.customer_id]
    assert "from S6 to S8" in report.repaired[0].what
    assert "from S8 to S6" in report.repaired[1].what
    assert _orders(context, owner)[0] == ("suspend", "not-covered", "cancelled")
    assert _bills(context, owner)[1][2] == 30_000_000
    assert wallet_check.run(context, TENTH + 3 * MINUTE).repaired == ()


def _number(context: Context, owner: Subscriber) -> str:
    """Of its first bill."""
    bill = tables.Invoice
    with context.transaction() as tx:
        return (
            tx.scalars(
                select(bill.number)
                .where(bill.customer_id == owner.customer_id)
                .order_by(bill.invoice_id)
            ).first()
            or ""
        )


def _orders(context: Context, owner: Subscriber) -> list[tuple[str, str, str]]:
    intent = tables.CoaIntent
    with context.transaction() as tx:
        rows = tx.scalars(
            select(intent).where(intent.customer_id == owner.customer_id).order_by(intent.intent_id)
        )
        return [(row.goal, row.reason, row.state) for row in rows]


def _set_currency(context: Context, owner: Subscriber, currency: str) -> None:
    wallet = tables.Wallet
    with context.transaction() as tx:
        tx.execute(
            update(wallet).where(wallet.customer_id == owner.customer_id).values(currency=currency)
        )


@pytest.mark.rule("P10")
@pytest.mark.rule("M4")
@pytest.mark.parametrize("point", list(TaxPoint))
def test_what_is_billed_is_paid_with_an_entry_for_each_bill(
    context: Context, make: Factory, point: TaxPoint
) -> None:
    """Whatever the tax point: what is paid at once has its tax due at once."""
    taxed = replace(PREPAID, tax_rate_ppm=210_000, tax_inclusive=False, tax_point=point)
    owner = make.subscriber(CREATED, profile=taxed, plan=THIRTY)
    _topup(context, owner, 150_000_000, CREATED)
    bill_run.run(context, APRIL + timedelta(days=30))
    found = _bills(context, owner)
    assert [(total, paid) for _, _, total, paid in found] == [
        (26_930_000, 26_930_000),
        (36_300_000, 36_300_000),
        (36_300_000, 36_300_000),
    ]
    entry, allocation = tables.JournalEntry, tables.PaymentAllocation
    with context.transaction() as tx:
        memos = tx.scalars(
            select(entry.memo)
            .where(entry.customer_id == owner.customer_id, entry.kind == "bill")
            .order_by(entry.entry_id)
        ).all()
        allocated = tx.scalars(
            select(allocation.amount_micros)
            .where(allocation.customer_id == owner.customer_id)
            .order_by(allocation.entry_id)
        ).all()
        tax, unpaid = (
            ledger.balance(tx, owner.customer_id, account)
            for account in (ledger.TAX, ledger.TAX_UNPAID)
        )
    assert len(memos) == len(set(memos)) == 3
    assert allocated == [26_930_000, 36_300_000, 36_300_000]
    assert (tax, unpaid) == (4_670_000 + 2 * 6_300_000, 0)
    assert _wallet(context, owner) == 150_000_000 - 26_930_000 - 2 * 36_300_000
