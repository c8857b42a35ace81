"""Revenue is earned over the days or the use of what was sold, posted once, and given back before
anything that was earned is (rule I6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest
from sqlalchemy import text, update

from billing.model.commerce import MoneyChannel
from billing.model.profile import BillIn, BillingProfile, Payment, TaxPoint
from billing.model.revenue import RevenueKind, RevenueLine
from billing.services import (
    bill_run,
    bills,
    books,
    credits,
    deferrals,
    holds,
    moves,
    recognition,
    sales,
    write_offs,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, revenue_totals, tables
from billing.store.customers import lock_customer
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

BOUGHT = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 23, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 0, 23, tzinfo=UTC)
LATER = datetime(2027, 8, 1, 0, 23, tzinfo=UTC)
TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, price_micros=31_000_000)
TAXED = replace(DAILY, tax_rate_ppm=210_000, tax_inclusive=False)
MONTH = replace(DAY_PLAN, price_micros=31_000_000, validity_minutes=31 * 1440)
DATA = replace(DAY_PLAN, price_micros=10_000_000, validity_minutes=None, octets=1_000)


_MONEY = (
    "write_off", "deferred_move", "deferred_item", "receipt", "payment_allocation", "payment",
    "credit_note", "invoice_line", "invoice", "invoice_series", "posting", "journal_entry",
    "revenue_total",
    "daily_usage",
)  # fmt: skip


@pytest.fixture(autouse=True)
def alone(context: Context, settings: Settings) -> Iterator[None]:
    """The books agree after each test, and hold nothing of other ones."""
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for table in _MONEY:
            admin.execute(f"DELETE FROM {table}")  # noqa: S608
        admin.execute("UPDATE wallet SET posted_micros = 0")
        admin.execute("UPDATE subscription SET closed_at = created_at")
        admin.execute("UPDATE operator SET time_zone = 'UTC'")
    yield
    assert books.check_ledger(context, LATER).findings == ()


def buy(
    make: Factory,
    context: Context,
    plan: object = MONTH,
    profile: BillingProfile = DAILY,
    at: datetime = BOUGHT,
    who: Subscriber | None = None,
) -> Subscriber:
    owner = who or make.subscriber(at, profile=profile, plan=plan)
    sales.sell(
        context,
        owner.subscription_id,
        make.plan(at, plan),
        idempotency_key=f"{at}",
        now=at,
        pay_by=MoneyChannel.CASH,
    )
    return owner


def account(context: Context, owner: Subscriber, name: str) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, owner.customer_id, name)


def books_of(context: Context, owner: Subscriber) -> tuple[int, int, int, int]:
    """Deferred, earned and lapsed of packages, all; then earned of bills."""
    return (
        account(context, owner, ledger.DEFERRED_PACKAGE)
        + account(context, owner, ledger.DEFERRED_BILL),
        account(context, owner, ledger.REVENUE_PACKAGE),
        account(context, owner, ledger.REVENUE_BREAKAGE),
        account(context, owner, ledger.REVENUE_BILL),
    )


def packages_of(context: Context, owner: Subscriber, **values: object) -> None:
    with context.transaction() as tx:
        package = tables.Entitlement
        tx.execute(update(package).where(package.customer_id == owner.customer_id).values(**values))


def line(context: Context, kind: RevenueKind, first: date, last: date) -> RevenueLine:
    found = recognition.report(context, first, last).lines
    return next(one for one in found if one.kind is kind)


def use(context: Context, owner: Subscriber, day: date, octets: int, session: int = 1) -> None:
    """Slices as the meter writes them."""
    with context.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO daily_usage (customer_id, session_id, local_day, kind,"
                " entitlement_id, plan_version_id, subscription_id, org_id, seconds,"
                " input_octets, output_octets, charged_micros)"
                " SELECT customer_id, :session, :day, 'entitlement', entitlement_id,"
                " plan_version_id, subscription_id, org_id, 0, 0, :octets, 0"
                " FROM entitlement WHERE customer_id = :customer"
            ),
            {
                "session": session,
                "day": day,
                "octets": octets,
                "customer": owner.customer_id,
            },
        )


@pytest.mark.rule("I6")
def test_a_package_is_earned_by_the_day(context: Context, make: Factory) -> None:
    owner = buy(make, context, profile=TAXED)
    assert books_of(context, owner) == (31_000_000, 0, 0, 0)
    assert account(context, owner, ledger.TAX) == 6_510_000
    # 31 days from 14:30 on touch 32 local days.
    recognition.run(context, APRIL)
    assert books_of(context, owner) == (9_687_500, 21_312_500, 0, 0)
    recognition.run(context, APRIL + timedelta(days=9))
    assert books_of(context, owner)[1] == 21_312_500
    recognition.run(context, APRIL + timedelta(days=10))
    assert books_of(context, owner) == (0, 31_000_000, 0, 0)
    assert recognition.run(context, MAY).items == 0


@pytest.mark.rule("I6")
def test_after_downtime_each_month_gets_what_was_its_own(context: Context, make: Factory) -> None:
    owner = buy(make, context, replace(MONTH, validity_minutes=60 * 1440))
    recognition.run(context, LATER)
    with context.transaction() as tx:
        found = tx.execute(
            text(
                "SELECT memo, at, amount_micros FROM journal_entry JOIN posting"
                " USING (customer_id, entry_id) WHERE customer_id = :id"
                " AND kind = 'recognition' AND account = 'revenue:package' ORDER BY entry_id"
            ),
            {"id": owner.customer_id},
        ).all()
    days = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 9)
    ends = [datetime.combine(day, time.max, tzinfo=UTC) for day in days]
    assert [(row.memo, row.at) for row in found] == [
        (f"earned until {end.date()}", end) for end in ends
    ]
    assert [row.amount_micros for row in found] == [11_180_327, 15_245_902, 4_573_771]
    assert books_of(context, owner) == (0, 31_000_000, 0, 0)


@pytest.mark.rule("I6")
def test_a_package_that_waits_for_its_first_login_earns_nothing(
    context: Context, make: Factory
) -> None:
    owner = buy(make, context)
    packages_of(context, owner, valid_from=None, valid_until=None)
    recognition.run(context, LATER)
    assert books_of(context, owner) == (31_000_000, 0, 0, 0)
    # It lapses with the subscription.
    holds.close(context, owner.subscription_id, LATER)
    recognition.run(context, LATER)
    assert books_of(context, owner) == (31_000_000, 0, 0, 0)
    recognition.run(context, LATER + timedelta(days=1))
    assert books_of(context, owner) == (0, 0, 31_000_000, 0)


@pytest.mark.rule("I6")
def test_a_package_that_is_used_up_early_is_earned_then(context: Context, make: Factory) -> None:
    owner = buy(make, context, replace(MONTH, octets=1_000))
    packages_of(context, owner, ended_at=BOUGHT + timedelta(days=2))
    recognition.run(context, BOUGHT + timedelta(days=2))
    assert books_of(context, owner)[1] == 0
    recognition.run(context, BOUGHT + timedelta(days=3))
    assert books_of(context, owner) == (0, 31_000_000, 0, 0)
    march = date(2026, 3, 11), date(2026, 3, 12)
    assert line(context, RevenueKind.PACKAGE, *march).earned_micros == 31_000_000 - 968_750


@pytest.mark.rule("I6")
def test_data_without_an_end_is_earned_as_it_is_used_and_late_use_later(
    context: Context, make: Factory
) -> None:
    owner = buy(make, context, DATA)
    use(context, owner, date(2026, 3, 20), 250)
    use(context, owner, date(2026, 4, 2), 100)
    recognition.run(context, APRIL)
    assert books_of(context, owner) == (7_500_000, 2_500_000, 0, 0)
    march = date(2026, 3, 1), date(2026, 3, 31)
    assert line(context, RevenueKind.PACKAGE, *march).earned_micros == 2_500_000
    # A record of March comes after its end was posted: March stays as it is.
    use(context, owner, date(2026, 3, 21), 50, session=2)
    assert line(context, RevenueKind.PACKAGE, *march).earned_micros == 2_500_000
    april = date(2026, 4, 1), date(2026, 4, 30)
    assert line(context, RevenueKind.PACKAGE, *april).earned_micros == 1_500_000
    recognition.run(context, MAY)
    assert books_of(context, owner) == (6_000_000, 4_000_000, 0, 0)
    assert line(context, RevenueKind.PACKAGE, *april).earned_micros == 1_500_000


@pytest.mark.rule("I6")
def test_what_has_no_end_and_no_limit_is_earned_at_the_sale(
    context: Context, make: Factory
) -> None:
    endless = replace(
        MONTH, validity_minutes=None, payg_second_step=60, payg_second_step_micros=10_000
    )
    owner = buy(make, context, endless)
    assert books_of(context, owner) == (0, 31_000_000, 0, 0)


@pytest.mark.rule("I6")
def test_a_bill_in_advance_is_earned_over_its_days(context: Context, make: Factory) -> None:
    owner = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    assert books_of(context, owner) == (31_000_000, 0, 0, 0)
    recognition.run(context, APRIL)
    assert books_of(context, owner) == (9_000_000, 0, 0, 22_000_000)
    recognition.run(context, MAY)
    assert books_of(context, owner) == (0, 0, 0, 31_000_000)


@pytest.mark.rule("I6")
def test_a_bill_in_arrears_is_earned_when_it_is_issued(context: Context, make: Factory) -> None:
    profile = replace(TENTH, bill_in=BillIn.ARREARS, payment=Payment.POSTPAID)
    owner = make.subscriber(BOUGHT, profile=profile, plan=HOME)
    bill_run.run(context, MAY)
    assert books_of(context, owner) == (0, 0, 0, 31_000_000)


def _bill(context: Context, owner: Subscriber) -> str:
    with context.transaction() as tx:
        return str(
            tx.execute(
                text("SELECT number FROM invoice WHERE customer_id = :id ORDER BY invoice_id"),
                {"id": owner.customer_id},
            ).scalar()
        )


def credit(
    context: Context, number: str, at: datetime, amount_micros: int | None = None
) -> None:  # fmt: skip
    credits.credit(
        context,
        number,
        reason="a test",
        idempotency_key=f"{number} {at} {amount_micros}",
        now=at,
        amount_micros=amount_micros,
    )


@pytest.mark.rule("I6")
def test_a_credit_takes_what_is_deferred_before_what_was_earned(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    number, day = _bill(context, owner), datetime(2026, 3, 20, 9, tzinfo=UTC)
    # 10 to 20 March are 11 of 31 days: 20.00 are deferred, of which 5.00 go back.
    credit(context, number, day, 5_000_000)
    assert books_of(context, owner) == (15_000_000, 0, 0, 11_000_000)
    # What is left is earned on the days after, 0.75 each.
    recognition.run(context, APRIL)
    assert books_of(context, owner) == (6_750_000, 0, 0, 19_250_000)
    # All the rest: 8 of 20 days are to come after 1 April; what goes beyond was revenue.
    credit(context, number, APRIL)
    assert books_of(context, owner) == (0, 0, 0, 0)
    recognition.run(context, MAY)
    assert books_of(context, owner) == (0, 0, 0, 0)
    march = line(context, RevenueKind.BILL, date(2026, 3, 1), date(2026, 3, 31))
    assert (march.earned_micros, march.given_back_micros, march.deferred_after_micros) == (
        19_250_000,
        5_000_000,
        6_750_000,
    )
    april = line(context, RevenueKind.BILL, date(2026, 4, 1), date(2026, 4, 30))
    assert (april.earned_micros, april.given_back_micros, april.deferred_after_micros) == (
        -19_250_000,
        6_000_000,
        0,
    )


@pytest.mark.rule("I6")
def test_a_credit_before_the_first_day_takes_no_revenue(context: Context, make: Factory) -> None:
    owner = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    bill_run.run(context, APRIL)
    with context.transaction() as tx:
        last = tx.execute(
            text("SELECT max(number) FROM invoice WHERE customer_id = :id"),
            {"id": owner.customer_id},
        ).scalar()
    before = books_of(context, owner)
    credit(context, str(last), APRIL, 10_000_000)
    deferred, _, _, earned = books_of(context, owner)
    assert (deferred, earned) == (before[0] - 10_000_000, before[3])
    recognition.run(context, LATER)
    assert books_of(context, owner) == (0, 0, 0, 52_000_000)


@pytest.mark.rule("I6")
def test_a_move_to_daily_packages_keeps_the_days_served(context: Context, make: Factory) -> None:
    owner = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    daily = make.profile(BOUGHT, DAILY)
    moved = datetime(2026, 3, 20, 12, tzinfo=UTC)
    moves.change_profile(
        context, owner.customer_id, daily, moved, plan_id=make.plan(BOUGHT, DAY_PLAN)
    )
    assert books_of(context, owner) == (0, 0, 0, 11_000_000)


@pytest.mark.rule("I6")
def test_what_lapsed_is_given_back_before_revenue(context: Context, make: Factory) -> None:
    owner = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    holds.close(context, owner.subscription_id, datetime(2026, 3, 20, 12, tzinfo=UTC))
    recognition.run(context, datetime(2026, 3, 21, 0, 23, tzinfo=UTC))
    assert books_of(context, owner) == (0, 0, 20_000_000, 11_000_000)
    credit(context, _bill(context, owner), APRIL, 15_000_000)
    assert books_of(context, owner) == (0, 0, 5_000_000, 11_000_000)
    credit(context, _bill(context, owner), APRIL, 6_000_000)
    assert books_of(context, owner) == (0, 0, 0, 10_000_000)
    holds.reopen(context, owner.subscription_id, APRIL)
    march = line(context, RevenueKind.BREAKAGE, date(2026, 3, 1), date(2026, 3, 31))
    assert march.earned_micros == 20_000_000


@pytest.mark.rule("I6")
@pytest.mark.parametrize(("net", "earned"), [(20_000_000, 11_000_000), (25_000_000, 6_000_000)])
def test_a_package_that_ends_is_given_back_and_what_is_kept_is_earned(
    context: Context, make: Factory, net: int, earned: int
) -> None:
    owner = buy(make, context, replace(MONTH, price_micros=31_000_000))
    ended = datetime(2026, 3, 20, 12, tzinfo=UTC)
    with context.transaction() as tx:
        lock_customer(tx, owner.customer_id)
        package = tx.query(tables.Entitlement).filter_by(customer_id=owner.customer_id).one()
        package.ended_at = ended
        given = deferrals.give_back_package(tx, package, net, ended)
        entry_id = ledger.post(
            tx,
            customer_id=owner.customer_id,
            org_id=1,
            kind="refund",
            memo="a test",
            lines=[
                *given.lines,
                ledger.Line(
                    ledger.WALLET,
                    net,
                    tx.query(tables.Wallet.wallet_id)
                    .filter_by(customer_id=owner.customer_id)
                    .scalar(),
                ),
            ],
            currency="USD",
            now=ended,
        )
        deferrals.note_package(tx, given, entry_id, ended)
    assert books_of(context, owner) == (0, earned, 0, 0)


@pytest.mark.rule("I6")
def test_the_report_is_what_the_ledger_has_after_a_posting_run(
    context: Context, make: Factory
) -> None:
    monthly = make.subscriber(BOUGHT, profile=TENTH, plan=HOME)
    package = buy(make, context)
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    before = recognition.report(context, first, last)
    assert sum(one.amount_micros for one in before.unposted) == 22_000_000 + 21_312_500
    recognition.run(context, APRIL)
    after = recognition.report(context, first, last)
    assert after.lines == before.lines
    assert sum(one.amount_micros for one in after.unposted) == 0
    for kind, owner, account_name, deferred in (
        (RevenueKind.BILL, monthly, ledger.REVENUE_BILL, ledger.DEFERRED_BILL),
        (RevenueKind.PACKAGE, package, ledger.REVENUE_PACKAGE, ledger.DEFERRED_PACKAGE),
    ):
        found = line(context, kind, first, last)
        assert found.earned_micros == account(context, owner, account_name)
        assert found.deferred_after_micros == account(context, owner, deferred)
        assert found.added_micros == 31_000_000
        assert found.deferred_before_micros == 0
    # A day within a month that is posted as a whole: its own share.
    day = line(context, RevenueKind.BILL, date(2026, 3, 20), date(2026, 3, 20))
    assert (day.earned_micros, day.deferred_before_micros) == (1_000_000, 21_000_000)


@pytest.mark.rule("I6")
def test_months_that_were_added_up_change_no_figure(
    context: Context, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what is posted into them afterwards get lost."""
    buy(make, context)
    recognition.run(context, APRIL + timedelta(hours=3))
    buy(make, context, replace(MONTH, price_micros=62_000_000))  # on 10 March, told in April
    recognition.run(context, MAY + timedelta(hours=3))
    buy(make, context, replace(MONTH, price_micros=93_000_000))
    with context.transaction() as tx:
        assert revenue_totals.added_up_until(tx) == MAY.replace(hour=0, minute=0)
        kept = tx.query(tables.RevenueTotal).all()
    assert {one.until.month for one in kept} == {4, 5}
    assert sum(one.amount_micros for one in kept if one.until.month == 4) == 31_000_000
    assert sum(one.amount_micros for one in kept if one.until.month == 5) == 93_000_000
    days = [
        (date(2026, 3, 1), date(2026, 3, 31)),
        (date(2026, 4, 1), date(2026, 4, 30)),
        (date(2026, 5, 1), date(2026, 5, 31)),
        (date(2026, 5, 20), date(2026, 7, 3)),
    ]
    found = [recognition.report(context, *both) for both in days]
    never = revenue_totals._Base(revenue_totals._NEVER, 0)
    monkeypatch.setattr(revenue_totals, "_base", lambda *_: never)
    assert [recognition.report(context, *both) for both in days] == found
    assert any(one.deferred_before_micros > 0 for one in found[1].lines)


@pytest.mark.rule("I6")
def test_who_fails_is_parked_and_the_others_are_posted(context: Context, make: Factory) -> None:
    broken, sound = (buy(make, context) for _ in range(2))
    packages_of(context, broken, valid_until=text("'infinity'"))  # a day that no calendar has
    report = recognition.run(context, APRIL)
    assert (report.items, report.parked) == (1, 1)
    assert [one.customer_id for one in recognition.parked(context)] == [broken.customer_id]
    assert books_of(context, sound)[1] == 21_312_500
    packages_of(context, broken, valid_until=BOUGHT + timedelta(days=31))
    assert (recognition.run(context, APRIL).items, recognition.parked(context)) == (1, [])
    assert books_of(context, broken)[1] == 21_312_500


@pytest.mark.rule("I6")
def test_days_are_the_operators(context: Context, make: Factory) -> None:
    with context.transaction() as tx:
        tx.execute(text("UPDATE operator SET time_zone = 'America/Lima'"))
    # 14:30 in Lima is 19:30 UTC; a package bought at 23:00 on 31 March is March's.
    owner = buy(
        make, context, replace(MONTH, validity_minutes=1440), at=datetime(2026, 4, 1, 4, tzinfo=UTC)
    )
    recognition.run(context, datetime(2026, 4, 1, 4, 59, tzinfo=UTC))
    assert books_of(context, owner)[1] == 0
    recognition.run(context, datetime(2026, 4, 1, 5, 1, tzinfo=UTC))
    assert books_of(context, owner)[1] == 15_500_000
    assert (
        line(context, RevenueKind.PACKAGE, date(2026, 3, 31), date(2026, 3, 31)).earned_micros
        == 15_500_000
    )


@pytest.mark.rule("I6")
@pytest.mark.parametrize(
    ("point", "due"),
    [(TaxPoint.ISSUE, (2_100_000, 2_100_000)), (TaxPoint.PAYMENT, (0, 699_421))],
)
def test_tax_of_a_bill_is_due_at_the_issue_or_as_it_is_paid(
    context: Context, make: Factory, point: TaxPoint, due: tuple[int, int]
) -> None:
    profile = replace(
        MONTHLY, cycle_day=10, tax_rate_ppm=210_000, tax_inclusive=False, tax_point=point
    )
    owner = make.subscriber(BOUGHT, profile=profile, plan=MONTH_PLAN)
    days = date(2026, 3, 10), date(2026, 4, 10)
    bill = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=days[0],
        cycle_until=days[1],
        amount_micros=10_000_000,
        now=BOUGHT,
    )
    assert _taxes(context, owner) == (due[0], 2_100_000 - due[0])
    _pay(context, bill.number, 4_030_000)
    assert _taxes(context, owner) == (due[1], 2_100_000 - due[1])
    # A credit note on what is open takes tax that was not due.
    credit(context, bill.number, BOUGHT, 6_050_000)
    assert sum(_taxes(context, owner)) == 1_050_000
    _pay(context, bill.number, 2_020_000)
    assert _taxes(context, owner) == (1_050_000, 0)
    # What was paid is given back, and its tax with it.
    credit(context, bill.number, BOUGHT)
    assert _taxes(context, owner) == (0, 0)


@pytest.mark.rule("I6")
@pytest.mark.rule("I5")
def test_tax_that_was_to_be_due_by_a_payment_never_is_when_none_comes(
    context: Context, make: Factory
) -> None:
    profile = replace(
        MONTHLY,
        cycle_day=10,
        tax_rate_ppm=210_000,
        tax_inclusive=False,
        tax_point=TaxPoint.PAYMENT,
    )
    owner = make.subscriber(BOUGHT, profile=profile, plan=MONTH_PLAN)
    bill = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=10_000_000,
        now=BOUGHT,
    )
    _pay(context, bill.number, 4_030_000)
    write_offs.write_off(
        context, bill.number, reason="a test", idempotency_key="give up", now=BOUGHT
    )
    assert _taxes(context, owner) == (699_421, 0)
    assert account(context, owner, ledger.BAD_DEBT) == -(8_070_000 - 1_400_579)
    assert books.check_ledger(context, LATER).findings == ()
    credit(context, bill.number, BOUGHT)
    # No tax is left of it; that 0.699421 is taken back as 0.70 is rounding.
    assert _taxes(context, owner) == (0, 0)
    assert account(context, owner, ledger.ROUNDING) == 699_421 - 700_000


def _taxes(context: Context, owner: Subscriber) -> tuple[int, int]:
    """Due, and not due yet."""
    return account(context, owner, ledger.TAX), account(context, owner, ledger.TAX_UNPAID)


def _pay(context: Context, number: str, amount_micros: int) -> None:
    bills.pay(
        context,
        number,
        idempotency_key=f"{number} {amount_micros}",
        now=BOUGHT,
        amount_micros=amount_micros,
        channel=MoneyChannel.CASH,
    )


CORRUPTED = {
    "what is deferred differs from what is still to be earned": "UPDATE posting"
    " SET account = 'revenue:bill' WHERE account = 'deferred:bill'",
    "what was sold differs from its moves": "UPDATE deferred_move SET earned_micros = 1",
    "tax that is not due yet differs from the open bills": "UPDATE posting SET account = 'tax'"
    " WHERE account = 'tax:unpaid'",
}
MENDED = (
    "UPDATE posting SET account = 'tax:unpaid' WHERE account = 'tax'",
    "UPDATE deferred_move SET earned_micros = 22000000",
    "UPDATE posting SET account = 'deferred:bill' WHERE account = 'revenue:bill' AND"
    " (customer_id, entry_id) IN (SELECT customer_id, entry_id FROM journal_entry"
    "  WHERE kind = 'issue' OR kind = 'recognition' AND amount_micros < 0)",
)


@pytest.mark.rule("M4")
@pytest.mark.rule("I6")
@pytest.mark.parametrize("problem", CORRUPTED)
def test_the_check_of_the_books_finds(
    context: Context, settings: Settings, make: Factory, problem: str
) -> None:
    profile = replace(TENTH, tax_rate_ppm=210_000, tax_inclusive=False, tax_point=TaxPoint.PAYMENT)
    make.subscriber(BOUGHT, profile=profile, plan=HOME)
    recognition.run(context, APRIL)
    assert books.check_ledger(context, LATER).findings == ()
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        admin.execute(CORRUPTED[problem])
        found = {one.problem for one in books.check_ledger(context, LATER).findings}
        for statement in MENDED:
            admin.execute(statement)
    assert problem in found
