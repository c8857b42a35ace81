"""Usage on bills: every micro on exactly one, owed or paid as the profile says, however late it
comes (rules P2, P11, I1, I2, M2, M4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import psycopg
import pytest
from sqlalchemy import select

from billing.cli.units import uninvoiced_words
from billing.model.commerce import MoneyChannel
from billing.model.profile import BillIn, BillingProfile, Payment
from billing.services import (
    bill_run,
    bills,
    books,
    credits,
    customers,
    explain,
    holds,
    moves,
    on_demand,
    sales,
    subscribers,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, tables, usage
from billing.store.pool import Database
from tests.factories import DAILY, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.meter_world import MIB, MeterWorld, start, stop

METERED = replace(
    MONTH_PLAN, price_micros=30_000_000, payg_octet_step=MIB, payg_octet_step_micros=1_234_567
)
TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True, credit_limit_micros=500_000_000)
TAXED = replace(TENTH, tax_rate_ppm=210_000, tax_inclusive=False)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
_sids = count(1)


def on(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


APRIL, MAY, JUNE = (on(month, 1, 1) for month in (4, 5, 6))


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, APRIL).findings == ()


@dataclass
class Isp:
    """What tests do to one customer."""

    context: Context
    world: MeterWorld
    make: Factory

    def customer(self, profile: BillingProfile = TENTH, **terms: object) -> Subscriber:
        plan = replace(METERED, **terms)
        return self.make.subscriber(CREATED, profile=profile, plan=plan)

    def use(
        self, who: Subscriber, at: datetime, mib: int, arrived_at: datetime | None = None
    ) -> None:
        """A session of a minute that ends at `at`."""
        sid, came = f"u{next(_sids)}", arrived_at or at
        self.world.charge(start(who.username, at - timedelta(minutes=1), sid=sid), now=came)
        self.world.charge(stop(who.username, at, 60, mib * MIB, 0, sid=sid), now=came)

    def run(self, who: Subscriber, at: datetime) -> int:
        """How many bills a run makes for the customer."""
        before = len(self.bills(who))
        assert bill_run.run(self.context, at).parked == ()
        return len(self.bills(who)) - before

    def bills(self, who: Subscriber) -> list[tables.Invoice]:
        bill = tables.Invoice
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(bill).where(bill.customer_id == who.customer_id).order_by(bill.invoice_id)
            )
            return list(rows)

    def lines(self, who: Subscriber, place: int) -> list[tuple[str, int]]:
        """Text and rated micros of a bill's lines of usage."""
        bill, line = self.bills(who)[place], tables.InvoiceLine
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(line)
                .where(
                    line.customer_id == who.customer_id,
                    line.invoice_id == bill.invoice_id,
                    line.usage_micros.is_not(None),
                )
                .order_by(line.line)
            )
            return [(row.text, row.usage_micros or 0) for row in rows]

    def account(self, who: Subscriber, name: str) -> int:
        with self.context.transaction() as tx:
            return ledger.balance(tx, who.customer_id, name)

    def uninvoiced(self, who: Subscriber) -> int:
        return customers.get_customer(self.context, who.customer_id).wallets[0].uninvoiced_micros

    def available(self, who: Subscriber) -> int:
        return customers.get_customer(self.context, who.customer_id).wallets[0].available_micros

    def top_up(self, who: Subscriber, amount_micros: int, at: datetime = CREATED) -> None:
        sales.topup(
            self.context,
            who.customer_id,
            amount_micros,
            channel=MoneyChannel.CASH,
            idempotency_key=f"top up {next(_sids)}",
            now=at,
        )


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    return Isp(context, world, make)


@pytest.mark.rule("P2")
@pytest.mark.rule("I1")
def test_postpaid_usage_is_owed_by_the_bill_of_the_month_after(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 20), 2)
    isp.use(who, on(3, 31, 23), 1)
    assert isp.uninvoiced(who) == 3 * 1_234_567
    books.post_usage(isp.context, APRIL)
    assert isp.uninvoiced(who) == 3 * 1_234_567
    assert isp.available(who) == -3 * 1_234_567
    isp.use(who, on(4, 1, 0) + timedelta(minutes=30), 10)  # of the day on which the bill is issued
    assert isp.run(who, APRIL) == 1
    assert isp.bills(who)[1].total_micros == 33_700_000
    assert isp.lines(who, 1) == [
        ("Usage, 2026-03-18 to 2026-04-01: 3.1 MB, 0:02:00", 3 * 1_234_567)
    ]
    # The room of the credit limit is free again, and nothing counts twice.
    assert isp.available(who) == -12_345_670
    assert isp.uninvoiced(who) == 12_345_670
    assert isp.account(who, ledger.RECEIVABLE) == -(22_260_000 + 33_700_000)
    # Earned as it was used: 3.703701 of March, now by its line's amount, 12.34567 of April.
    books.post_usage(isp.context, on(4, 2))
    assert isp.account(who, ledger.REVENUE_USAGE) == 3_700_000 + 12_345_670
    # Nothing of the plan is earned before a month ends (rule I6).
    assert isp.account(who, ledger.DEFERRED_BILL) == 22_260_000 + 30_000_000
    assert isp.account(who, ledger.ROUNDING) == 0
    assert isp.run(who, APRIL) == 0
    assert isp.run(who, MAY) == 1
    assert isp.lines(who, 2)[0][1] == 12_345_670


@pytest.mark.rule("I1")
@pytest.mark.rule("M2")
def test_tax_is_counted_once_on_the_bills_sum(isp: Isp) -> None:
    who = isp.customer(TAXED)
    isp.use(who, on(3, 20), 2)
    books.post_usage(isp.context, on(3, 21))
    first_tax = isp.bills(who)[0].tax_micros
    # 2.469134 contain 0.428528 of tax, which is not owed before the bill.
    assert isp.account(who, ledger.TAX) == first_tax
    assert isp.account(who, ledger.TAX_UNBILLED) == 428_527
    isp.run(who, APRIL)
    bill = isp.bills(who)[1]
    # 30.00 and 2.04 (2.040606), 21 % of 32.04 are 6.73.
    assert (bill.total_micros, bill.tax_micros) == (38_770_000, 6_730_000)
    assert isp.account(who, ledger.TAX) == first_tax + 6_730_000
    assert isp.account(who, ledger.TAX_UNBILLED) == 0
    assert isp.account(who, ledger.WALLET) == 0


@pytest.mark.rule("I1")
def test_what_comes_late_is_on_the_next_bill_once(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 20), 2)
    isp.run(who, APRIL)
    isp.use(who, on(3, 31), 4, arrived_at=on(4, 1, 6))
    isp.use(who, on(4, 2), 1)
    for day in (2, 3, 30):
        assert isp.run(who, on(4, day)) == 0
    isp.run(who, MAY)
    isp.run(who, JUNE)
    assert [rated for _, rated in isp.lines(who, 1)] == [2 * 1_234_567]
    assert [(text.split(":")[0], rated) for text, rated in isp.lines(who, 2)] == [
        ("Usage, 2026-03-18 to 2026-04-01", 4 * 1_234_567),
        ("Usage, 2026-04-01 to 2026-05-01", 1_234_567),
    ]
    assert isp.lines(who, 3) == []


@pytest.mark.rule("B7")
def test_after_months_without_a_run_each_bill_holds_its_month(isp: Isp) -> None:
    who = isp.customer()
    for month, mib in ((3, 1), (4, 2), (5, 3)):
        isp.use(who, on(month, 25), mib)
    isp.run(who, on(6, 3))
    found = [[rated // 1_234_567 for _, rated in isp.lines(who, place)] for place in range(4)]
    assert found == [[], [1], [2], [3]]


@pytest.mark.rule("M3")
def test_the_month_ends_on_the_operators_clock(isp: Isp) -> None:
    isp.world.set_zone("Pacific/Kiritimati")  # fourteen hours ahead
    try:
        who = isp.customer()
        isp.use(who, on(3, 31, 9), 1)
        isp.use(who, on(3, 31, 11), 2)  # the first of April there
        isp.run(who, on(3, 31, 12))
        assert [rated // 1_234_567 for _, rated in isp.lines(who, 1)] == [1]
        isp.run(who, on(4, 30, 12))
        assert [rated // 1_234_567 for _, rated in isp.lines(who, 2)] == [2]
    finally:
        isp.world.set_zone("UTC")


@pytest.mark.rule("P11")
@pytest.mark.parametrize("inclusive", [True, False])
def test_prepaid_usage_stands_on_the_bill_as_paid(isp: Isp, inclusive: bool) -> None:
    profile = replace(
        TAXED, payment=Payment.PREPAID, credit_limit_micros=0, tax_inclusive=inclusive
    )
    who, other = isp.customer(profile), isp.customer(profile)
    for one in (who, other):
        isp.top_up(one, 100_000_000)
    isp.use(who, on(3, 20), 2)
    isp.run(who, APRIL)
    bill, plain = isp.bills(who)[1], isp.bills(other)[1]
    # 30.00 and 2.47, or 30.00 and 2.04 (2.040606) with 6.73 tax on both; without: 36.30.
    totals = (32_470_000, 30_000_000) if inclusive else (38_770_000, 36_300_000)
    assert (bill.total_micros, plain.total_micros) == totals
    assert bill.paid_at is not None
    # The wallet has paid 2.469134 as it was used, and the plan with the bill, nothing twice.
    assert isp.account(other, ledger.WALLET) - isp.account(who, ledger.WALLET) == 2_469_134
    assert isp.uninvoiced(who) == 0


@pytest.mark.rule("I2")
@pytest.mark.parametrize("payment", list(Payment))
def test_usage_on_a_void_bill_is_uninvoiced_again(isp: Isp, payment: Payment) -> None:
    limit = 500_000_000 if payment is Payment.POSTPAID else 0
    who = isp.customer(replace(TAXED, payment=payment, credit_limit_micros=limit))
    if payment is Payment.PREPAID:
        isp.top_up(who, 100_000_000)
    isp.use(who, on(3, 20), 2)
    books.post_usage(isp.context, APRIL)
    before = {
        name: isp.account(who, name)
        for name in ("wallet", "receivable", "revenue:usage", "tax", "tax:unbilled", "rounding")
    }
    for attempt in range(2):
        isp.run(who, APRIL)
        bill = isp.bills(who)[-1]
        assert isp.uninvoiced(who) == 0
        credits.credit(
            isp.context,
            bill.number,
            reason="a test",
            idempotency_key=f"void {attempt}",
            now=APRIL,
            void=True,
        )
        assert isp.uninvoiced(who) == 2_469_134
        after = {name: isp.account(who, name) for name in before}
        if payment is Payment.POSTPAID:
            assert after == before
    isp.run(who, MAY)
    assert [rated for _, rated in isp.lines(who, 3)] == [2_469_134]


@pytest.mark.rule("I2")
def test_usage_that_is_credited_is_credited_for_good(isp: Isp) -> None:
    who = isp.customer(TAXED)
    isp.use(who, on(3, 20), 2)
    isp.run(who, APRIL)
    bill = isp.bills(who)[1]
    for key, amount in (("a", 10_000_000), ("b", None)):
        credits.credit(
            isp.context,
            bill.number,
            reason="a test",
            idempotency_key=key,
            now=APRIL,
            amount_micros=amount,
        )
    assert isp.uninvoiced(who) == 0
    first = isp.bills(who)[0]
    assert isp.account(who, ledger.REVENUE_USAGE) == 0
    assert isp.account(who, ledger.TAX) == first.tax_micros
    # 22.26 of 18 March to 10 April, none of it posted as earned yet (rule I6).
    assert isp.account(who, ledger.DEFERRED_BILL) == first.total_micros - first.tax_micros
    isp.run(who, MAY)
    assert isp.lines(who, 2) == []


@pytest.mark.rule("I1")
def test_who_is_closed_gets_a_bill_of_the_usage_alone(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 20), 2)
    holds.close(isp.context, who.subscription_id, on(3, 25))
    assert isp.run(who, on(3, 26)) == 0
    assert isp.run(who, APRIL) == 1
    bill = isp.bills(who)[1]
    assert (bill.cycle_from, bill.cycle_until, bill.total_micros) == (None, None, 2_470_000)
    isp.use(who, on(3, 24), 1, arrived_at=on(4, 1, 6))
    assert isp.run(who, on(4, 2)) == 0
    assert isp.run(who, MAY) == 1
    assert isp.run(who, JUNE) == 0


@pytest.mark.rule("I1")
def test_in_arrears_usage_does_not_wait_for_the_cycle(isp: Isp) -> None:
    who = isp.customer(replace(TENTH, bill_in=BillIn.ARREARS))
    isp.use(who, on(3, 20), 1)
    isp.use(who, on(4, 20), 2)
    assert [isp.run(who, at) for at in (APRIL, on(4, 2), MAY)] == [1, 0, 1]
    assert [bill.cycle_until for bill in isp.bills(who)] == [None, date(2026, 4, 10)]
    assert [rated // 1_234_567 for _, rated in isp.lines(who, 1)] == [2]


@pytest.mark.rule("I5")
def test_a_bill_ahead_on_demand_leaves_usage_to_its_month(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 19), 2)
    ahead = on_demand.bill_customer(isp.context, who.customer_id, on(3, 20), date(2026, 5, 10))
    assert len(ahead) == 1
    assert isp.lines(who, 1) == []
    assert [isp.run(who, at) for at in (on(3, 21), APRIL, on(4, 2))] == [0, 1, 0]
    assert isp.bills(who)[2].total_micros == 2_470_000


@pytest.mark.rule("B14")
@pytest.mark.parametrize("day", [5, 20])
def test_who_becomes_daily_is_billed_the_usage_at_once(isp: Isp, day: int) -> None:
    who = isp.customer()
    isp.use(who, on(3, 20), 1)
    isp.run(who, APRIL)
    assert isp.lines(who, 1) != []
    isp.use(who, on(4, day, 6), 2)
    bought = isp.make.plan(CREATED)
    to = isp.make.profile(CREATED, DAILY)
    # The usage that is on no bill is topped up (rule P4): April's, and on the fifth no more, as the
    # bill of March's is void only after that.
    moves.change_profile(
        isp.context, who.customer_id, to, on(4, day), plan_id=bought, top_up_micros=2_470_000
    )
    bills_now = isp.bills(who)
    held = [
        [rated // 1_234_567 for _, rated in isp.lines(who, place)]
        for place in range(len(bills_now))
        if bills_now[place].voided_at is None
    ]
    # The bill of 10 April is void on the fifth: what it held of March is billed with April's.
    assert sorted(one for lines in held for one in lines) == [1, 2]
    assert isp.uninvoiced(who) == 0
    # From now on the wallet pays for good.
    isp.use(who, on(4, day, 18), 1)
    books.post_usage(isp.context, MAY)
    assert isp.uninvoiced(who) == 0
    assert isp.run(who, MAY) == 0


@pytest.mark.rule("B6")
def test_of_days_given_back_usage_is_no_part(isp: Isp) -> None:
    who, other = isp.customer(), isp.customer()
    isp.use(who, on(3, 20), 10)
    isp.run(who, APRIL)
    to, bought = isp.make.profile(CREATED, DAILY), isp.make.plan(CREATED)
    credited = [
        moves.change_profile(isp.context, one.customer_id, to, on(4, 20), plan_id=bought).credited
        for one in (who, other)
    ]
    assert credited[0][0].total_micros == credited[1][0].total_micros


@pytest.mark.rule("I4")
def test_money_for_a_bill_pays_it_before_usage_of_this_month(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 25), 20)
    first = isp.bills(who)[0]
    bills.pay(
        isp.context,
        first.number,
        idempotency_key="pay",
        now=on(3, 26),
        channel=MoneyChannel.CASH,
    )
    assert isp.bills(who)[0].paid_at is not None
    assert isp.available(who) == -20 * 1_234_567
    isp.run(who, APRIL)
    second = isp.bills(who)[1]
    isp.use(who, on(4, 3), 20)
    isp.top_up(who, second.total_micros, on(4, 4))
    assert isp.bills(who)[1].paid_at is not None


@pytest.mark.rule("P2")
def test_what_comes_to_nothing_waits(isp: Isp) -> None:
    who = isp.customer(TENTH, price_micros=0, payg_octet_step_micros=2_000)
    isp.use(who, on(3, 20), 2)
    assert isp.run(who, APRIL) == 0
    isp.use(who, on(4, 20), 1)
    isp.use(who, on(3, 21), 1, arrived_at=on(4, 20))
    isp.run(who, MAY)
    assert [rated for _, rated in isp.lines(who, 0)] == [6_000]
    assert isp.uninvoiced(who) == 2_000


@pytest.mark.rule("I1")
@pytest.mark.rule("Q3")
def test_a_tariff_window_has_its_own_line(isp: Isp) -> None:
    who = isp.customer()
    for place, (day, window, micros) in enumerate(
        [(20, "", 1_000_000), (20, "peak", 2_000_000), (21, "peak", 500_000)]
    ):
        isp.world.db.execute(
            "INSERT INTO daily_usage (customer_id, session_id, local_day, kind, entitlement_id,"
            " plan_version_id, subscription_id, org_id, seconds, input_octets, output_octets,"
            " charged_micros, tariff_window) SELECT customer_id, %s, %s, 'payg', 0,"
            " plan_version_id, subscription_id, org_id, 60, 1, 2, %s, %s FROM subscription"
            " WHERE subscription_id = %s",
            (place, date(2026, 3, day), micros, window, who.subscription_id),
        )
    isp.world.db.execute(
        "UPDATE wallet SET unposted_micros = 3500000 WHERE customer_id = %s", (who.customer_id,)
    )
    isp.run(who, APRIL)
    assert isp.lines(who, 1) == [
        ("Usage, 2026-03-18 to 2026-04-01: 3 octets, 0:01:00", 1_000_000),
        ("Usage in peak, 2026-03-18 to 2026-04-01: 6 octets, 0:02:00", 2_500_000),
    ]


@pytest.mark.rule("P8")
def test_a_bill_gives_room_of_the_credit_limit_back(isp: Isp) -> None:
    who = isp.customer(replace(TENTH, credit_limit_micros=5_000_000, automatic_suspend=False))
    isp.use(who, on(3, 20), 5)

    def rule(at: datetime) -> str:
        return explain.why(isp.context, who.subscription_id, at).state.rule

    assert rule(on(3, 21)) == "S6"
    books.post_usage(isp.context, on(3, 21))
    assert rule(on(3, 22)) == "S6"
    isp.run(who, APRIL)
    assert rule(APRIL) == "S8"
    # The sweep brings running sessions in line at once.
    (row,) = isp.world.rows(
        "SELECT service_next_change_at FROM subscription WHERE subscription_id = %s",
        who.subscription_id,
    )
    assert row.service_next_change_at <= APRIL


@pytest.mark.rule("P2")
def test_who_is_shown_is_shown_what_is_not_billed(isp: Isp) -> None:
    who = isp.customer()
    isp.use(who, on(3, 20), 1)
    wallet = subscribers.show(isp.context, who.subscription_id, on(3, 21)).wallet
    assert wallet.uninvoiced_micros == 1_234_567
    assert uninvoiced_words(wallet) == ", 1.23 USD used and not billed yet"
    isp.run(who, APRIL)
    wallet = subscribers.show(isp.context, who.subscription_id, APRIL).wallet
    assert uninvoiced_words(wallet) == ""


@pytest.mark.rule("R2")
def test_the_panels_role_may_post_and_bill_usage(isp: Isp, settings: Settings) -> None:
    who = isp.customer(TAXED)
    isp.use(who, on(3, 20), 2)
    to, bought = isp.make.profile(CREATED, DAILY), isp.make.plan(CREATED)
    panel = Database(settings.dsn("panel"))
    actor = replace(isp.context, db=panel, actor="staff:1", org_ids=(1,))
    try:
        issued = moves.change_profile(
            actor, who.customer_id, to, on(3, 21), plan_id=bought, top_up_micros=2_470_000
        ).issued
        credits.credit(
            actor, issued[0].number, reason="a test", idempotency_key="v", now=on(3, 21), void=True
        )
    finally:
        panel.close()
    # No bill will come any more: the wallet has paid it, and the tax in it is owed.
    assert isp.uninvoiced(who) == 0
    assert isp.account(who, ledger.TAX_UNBILLED) == 0


CORRUPTED = {
    "usage posted differs from its pieces": "UPDATE usage_charge SET gross_micros = 1",
    "usage differs from its entry": "UPDATE usage_charge SET gross_micros = gross_micros + 1",
    "bill differs from the usage on it": "UPDATE usage_charge SET invoice_id = NULL",
    "tax to be billed differs from the usage on no bill": "UPDATE usage_charge"
    " SET tax_micros = tax_micros + 1, invoice_id = NULL",
}


@pytest.mark.rule("P2")
@pytest.mark.parametrize("problem", CORRUPTED)
def test_the_check_finds(isp: Isp, settings: Settings, problem: str) -> None:
    who = isp.customer(TAXED)
    isp.use(who, on(3, 20), 2)
    isp.run(who, APRIL)
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        kept = admin.execute(
            "SELECT usage_charge_id, gross_micros, tax_micros, invoice_id FROM usage_charge"
            " WHERE customer_id = %s",
            (who.customer_id,),
        ).fetchall()
        admin.execute(f"{CORRUPTED[problem]} WHERE customer_id = {who.customer_id}")
        found = {one.problem for one in books.check_ledger(isp.context, APRIL).findings}
        for row in kept:
            admin.execute(
                "UPDATE usage_charge SET gross_micros = %s, tax_micros = %s, invoice_id = %s"
                " WHERE usage_charge_id = %s",
                (*row[1:], row[0]),
            )
    assert problem in found


@pytest.mark.rule("P2")
def test_postpaid_and_prepaid_usage_are_told_apart(isp: Isp) -> None:
    owed = isp.customer()
    paid = isp.customer(replace(TENTH, payment=Payment.PREPAID, credit_limit_micros=0))
    isp.top_up(paid, 100_000_000)
    for who in (owed, paid):
        isp.use(who, on(3, 20), 1)
    ids = [owed.customer_id, paid.customer_id]
    with isp.context.transaction() as tx:
        found = {one.customer_id: one for one in usage.uninvoiced(tx, ids).values()}
    assert [(found[one].micros, found[one].owed_micros) for one in ids] == [
        (1_234_567, 1_234_567),
        (1_234_567, 0),
    ]
