"""Selling, paying and billing through the services, on a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.plan import Starts
from billing.model.views import SaleReceipt
from billing.services import bills, explain, holds, sales, subscribers
from billing.services.context import Context
from billing.store import audit, books, ledger, tables
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

TEN = MoneyChannel.CASH
CYCLE_10 = replace(MONTHLY, cycle_day=10)
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def books_balance(context: Context):
    """After every test: entries sum to zero, wallets equal their postings, the log is whole."""
    yield
    with context.transaction() as tx:
        assert books.findings(tx) == []
        assert list(audit.broken_rows(tx)) == []


def _fund(context: Context, owner: Subscriber, units: int, now: datetime, key: str = "fund"):
    return sales.topup(
        context,
        owner.customer_id,
        units * 1_000_000,
        channel=TEN,
        idempotency_key=key,
        now=now,
    )


def _sell(context: Context, owner: Subscriber, plan_id: int, key: str, now: datetime, **options):
    return sales.sell(
        context, owner.subscription_id, plan_id, idempotency_key=key, now=now, **options
    )


@pytest.mark.rule("B2")
def test_package_lasts_exactly_the_minutes_bought(context: Context, make: Factory) -> None:
    bought = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
    owner = make.subscriber(bought)
    _fund(context, owner, 1, bought)
    receipt = _sell(context, owner, make.plan(bought), "one", bought)
    assert receipt.valid_until == datetime(2026, 3, 11, 14, 30, tzinfo=UTC)
    assert receipt.available_micros == 0
    last_second = explain.why(
        context, owner.subscription_id, datetime(2026, 3, 11, 14, 29, 59, tzinfo=UTC)
    )
    assert last_second.state.rule == "S8"
    after = explain.why(context, owner.subscription_id, receipt.valid_until)
    assert (after.state.rule, after.state.reason) == ("S7", "expired")


@pytest.mark.rule("B4")
def test_packages_bought_while_one_is_active_are_appended(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    _fund(context, owner, 4, now)
    plan = make.plan(now)
    first = _sell(context, owner, plan, "1", now)
    second = _sell(context, owner, plan, "2", now)
    third = _sell(context, owner, plan, "3", now)
    assert first.valid_until is not None
    assert second.valid_from == first.valid_until
    assert third.valid_from == second.valid_until
    beside = _sell(context, owner, plan, "4", now + timedelta(hours=1), start_now=True)
    assert beside.valid_from == now + timedelta(hours=1)
    # What waits begins when the last of those that run has ended.
    shown = subscribers.show(context, owner.subscription_id, now + timedelta(hours=1))
    windows = {e.entitlement_id: e.valid_from for e in shown.entitlements}
    assert windows[second.entitlement_id] == beside.valid_until
    assert windows[third.entitlement_id] == beside.valid_until + timedelta(days=1)


@pytest.mark.rule("B2")
def test_first_login_package_waits(context: Context, make: Factory, now: datetime) -> None:
    owner = make.subscriber(now)
    _fund(context, owner, 1, now)
    plan = make.plan(now, replace(DAY_PLAN, starts=Starts.FIRST_LOGIN))
    receipt = _sell(context, owner, plan, "1", now)
    assert (receipt.valid_from, receipt.valid_until) == (None, None)
    shown = subscribers.show(context, owner.subscription_id, now + timedelta(days=300))
    assert shown.entitlements[0].status == "waiting"
    assert shown.row.state.rule == "S8"


@pytest.mark.rule("B2")
def test_first_login_package_begins_now_when_asked(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    _fund(context, owner, 1, now)
    plan = make.plan(now, replace(DAY_PLAN, starts=Starts.FIRST_LOGIN))
    receipt = _sell(context, owner, plan, "1", now, start_now=True)
    assert (receipt.valid_from, receipt.valid_until) == (now, now + timedelta(days=1))


@pytest.mark.rule("M5")
def test_same_key_sells_once_even_in_parallel(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    _fund(context, owner, 5, now)
    plan = make.plan(now)

    def sell(_: int) -> SaleReceipt:
        return _sell(context, owner, plan, "same", now)

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(sell, range(8)))
    assert len({receipt.entitlement_id for receipt in receipts}) == 1
    assert sum(not receipt.repeated for receipt in receipts) == 1
    assert receipts[0].available_micros == 4_000_000
    assert len(subscribers.show(context, owner.subscription_id, now).entitlements) == 1
    with pytest.raises(Conflict, match="M5"):
        _sell(context, owner, plan, "same", now, start_now=True)
    with pytest.raises(Conflict, match="M5"):
        _fund(context, owner, 6, now)


@pytest.mark.rule("P12")
def test_purchase_never_takes_a_wallet_below_its_limit(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    plan = make.plan(now)
    with pytest.raises(Refused, match=r"1\.00 USD more is needed"):
        _sell(context, owner, plan, "1", now)
    shown = subscribers.show(context, owner.subscription_id, now)
    assert shown.entitlements == ()
    assert _sell(context, owner, plan, "1", now, pay_by=TEN).available_micros == 0


@pytest.mark.rule("P12")
def test_a_wallet_with_a_limit_is_spent_down_to_it_and_not_below(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    plan = make.plan(now)
    with context.transaction() as tx:
        wallet = tables.Wallet
        tx.execute(
            update(wallet)
            .where(wallet.customer_id == owner.customer_id)
            .values(credit_limit_micros=2_000_000)
        )
    assert _sell(context, owner, plan, "1", now).available_micros == -1_000_000
    assert _sell(context, owner, plan, "2", now).available_micros == -2_000_000
    with pytest.raises(Refused, match=r"1\.00 USD more is needed"):
        _sell(context, owner, plan, "3", now)


@pytest.mark.rule("B6")
def test_a_cycle_is_not_begun_before_its_day(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)
    plan = make.plan(NOON, MONTH_PLAN)
    with pytest.raises(Refused, match="B6") as refused:
        _sell(context, owner, plan, "now", NOON, pay_by=TEN, start_now=True)
    assert refused.value.field == "start_now"


@pytest.mark.rule("B5")
def test_monthly_customers_buy_one_month_only(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)
    for minutes in (1440, 43_199, 86_400):
        plan = make.plan(NOON, replace(DAY_PLAN, validity_minutes=minutes))
        with pytest.raises(Refused, match="B5"):
            _sell(context, owner, plan, "x", NOON, pay_by=TEN)
    thirty_days = make.plan(NOON, replace(DAY_PLAN, validity_minutes=43_200))
    assert _sell(context, owner, thirty_days, "x", NOON, pay_by=TEN).invoice_number


@pytest.mark.rule("B8")
def test_monthly_customers_buy_no_package_online(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)
    for channel in (SaleChannel.PORTAL, SaleChannel.API):
        with pytest.raises(Refused, match="B8"):
            _sell(context, owner, make.plan(NOON, MONTH_PLAN), "x", NOON, channel=channel)


@pytest.mark.rule("B11")
@pytest.mark.rule("B6")
def test_month_sold_covers_the_cycle_pro_rata_then_whole(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)
    plan = make.plan(NOON, MONTH_PLAN)
    first = _sell(context, owner, plan, "1", NOON, pay_by=TEN)
    assert first.total_micros == 22_260_000  # 23 of 31 days of 30.00
    assert first.valid_until == datetime(2026, 4, 10, tzinfo=UTC)
    second = _sell(context, owner, plan, "2", NOON, pay_by=TEN)
    assert second.total_micros == 30_000_000
    assert second.valid_from == first.valid_until
    assert second.valid_until == datetime(2026, 5, 10, tzinfo=UTC)


@pytest.mark.rule("B9")
@pytest.mark.rule("I4")
def test_overdue_bill_suspends_and_payment_restores(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)
    numbers = [
        bills.issue_bill(
            context,
            owner.subscription_id,
            cycle_from=start,
            cycle_until=end,
            amount_micros=30_000_000,
            now=NOON,
        ).number
        for start, end in (
            (date(2026, 3, 10), date(2026, 4, 10)),
            (date(2026, 4, 10), date(2026, 5, 10)),
        )
    ]
    late = datetime(2026, 3, 29, tzinfo=UTC)  # issued 18 March, due in ten days
    assert (
        explain.why(context, owner.subscription_id, late - timedelta(seconds=1)).state.rule == "S8"
    )
    assert explain.why(context, owner.subscription_id, late).state.rule == "S5"
    part = bills.pay(
        context, numbers[0], idempotency_key="p", now=late, amount_micros=10_000_000, channel=TEN
    )
    assert part.settled == ()
    assert explain.why(context, owner.subscription_id, late).state.rule == "S5"
    # Oldest first: 45.00 pays the rest of the first bill and a part of the second.
    rest = _fund(context, owner, 45, late)
    assert rest.settled == (numbers[0],)
    shown = subscribers.show(context, owner.subscription_id, late)
    assert [bill.open_micros for bill in shown.unpaid_bills] == [5_000_000]
    assert shown.wallet.available_micros == 0
    assert shown.row.state.rule == "S8"
    with pytest.raises(Refused, match="is left to pay"):
        bills.pay(context, numbers[0], idempotency_key="q", now=late, channel=TEN)


@pytest.mark.rule("I2")
def test_bill_numbers_have_no_gaps(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOON, profile=CYCLE_10, plan=MONTH_PLAN)

    def issue(month: int) -> int:
        bill = bills.issue_bill(
            context,
            owner.subscription_id,
            cycle_from=date(2027, month, 10),
            cycle_until=date(2027, month + 1, 10),
            amount_micros=1_000_000,
            now=NOON,
        )
        return int(bill.number.removeprefix("INV-"))

    first = issue(1)
    with pytest.raises(Refused, match="billed already"):
        issue(1)
    # A sale that is refused after its bill was numbered gives the number back.
    fresh = make.subscriber(NOON, profile=replace(CYCLE_10, credit_limit_micros=0),
                               plan=MONTH_PLAN)  # fmt: skip
    with pytest.raises(Refused, match="P12"):
        _sell(context, fresh, make.plan(NOON, MONTH_PLAN), "x", NOON)
    assert [issue(2), issue(3)] == [first + 1, first + 2]


@pytest.mark.rule("M2")
def test_tax_is_posted_apart(context: Context, make: Factory) -> None:
    taxed = replace(CYCLE_10, tax_rate_ppm=210_000, tax_inclusive=False)
    owner = make.subscriber(NOON, profile=taxed, plan=MONTH_PLAN)
    receipt = _sell(context, owner, make.plan(NOON, MONTH_PLAN), "1", NOON, pay_by=TEN)
    assert (receipt.total_micros, receipt.tax_micros) == (26_930_000, 4_670_000)
    bill = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 4, 10),
        cycle_until=date(2026, 5, 10),
        amount_micros=9_990_000,
        now=NOON,
    )
    assert bill.total_micros == 12_090_000
    for key, amount in (("a", 1_000_000), ("b", 3_330_000), ("c", 7_760_000)):
        bills.pay(
            context, bill.number, idempotency_key=key, now=NOON, amount_micros=amount, channel=TEN
        )
    with context.transaction() as tx:
        parts = ledger.balance(tx, owner.customer_id, ledger.TAX)
    assert parts == 4_670_000 + 2_100_000


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("micros", "reason"),
    [(0, "more than zero"), (-5, "more than zero"), (5, "smallest unit"), (2**63, "bounds")],
)
def test_absurd_amounts_are_refused(
    context: Context, make: Factory, now: datetime, micros: int, reason: str
) -> None:
    owner = make.subscriber(now)
    with pytest.raises(InvalidInput, match=reason) as refused:
        sales.topup(context, owner.customer_id, micros, channel=TEN, idempotency_key="k", now=now)
    assert refused.value.field == "amount"


def test_channels_without_their_part_are_refused(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now)
    with pytest.raises(InvalidInput, match="R3"):
        sales.topup(
            context,
            owner.customer_id,
            1_000_000,
            channel=MoneyChannel.VOUCHER,
            idempotency_key="k",
            now=now,
        )
    with pytest.raises(Refused, match="from its wallet"):
        _sell(context, owner, make.plan(now), "k", now, channel=SaleChannel.RESELLER)


@pytest.mark.rule("S1")
def test_closed_subscription_buys_nothing(context: Context, make: Factory, now: datetime) -> None:
    owner = make.subscriber(now)
    holds.close(context, owner.subscription_id, now)
    with pytest.raises(Refused, match="S1"):
        _sell(context, owner, make.plan(now), "k", now, pay_by=TEN)
    holds.reopen(context, owner.subscription_id, now)
    assert _sell(context, owner, make.plan(now), "k", now, pay_by=TEN).entitlement_id
