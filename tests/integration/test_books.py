"""The ledger as a whole: bills are owed from their issue on, usage is posted, the check finds what
contradicts something else (rules M4, P2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import psycopg
import pytest

from billing.model.commerce import MoneyChannel
from billing.services import bills, books, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store import billing_jobs, ledger
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.meter_world import (
    MIB,
    Metered,
    MeterWorld,
    Payg,
    at,
    interim,
    start,
    stop,
)

BY_THE_MIB = Payg(octet_step=MIB, octet_step_micros=1_000)
TAXED = replace(MONTHLY, cycle_day=10, tax_rate_ppm=210_000, tax_inclusive=False)
DAY_AFTER = at(86_400)


def _account(context: Context, customer_id: int, account: str) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, customer_id, account)


def _bill(context: Context, owner: Subscriber, now: datetime, amount_micros: int = 10_000_000):
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=amount_micros,
        now=now,
    )


def _entries(world: MeterWorld, who: Metered) -> list[tuple[str, int]]:
    """Memo and what moved the wallet, of entries that post usage."""
    return [
        (row.memo, row.amount_micros)
        for row in world.db.execute(
            "SELECT memo, amount_micros FROM journal_entry"
            " JOIN posting USING (customer_id, entry_id)"
            " WHERE customer_id = %s AND kind = 'usage' AND account = 'wallet' ORDER BY entry_id",
            (who.customer_id,),
        )
    ]


def _left(world: MeterWorld, who: Metered) -> tuple[int, int, int]:
    """Posted, not posted, available."""
    wallet = world.wallet(who)
    return (
        wallet.posted_micros,
        wallet.unposted_micros,
        wallet.posted_micros - wallet.unposted_micros,
    )


@pytest.mark.rule("M4")
def test_a_bill_is_owed_from_its_issue_until_it_is_paid(
    context: Context, make: Factory, now: datetime
) -> None:
    owner = make.subscriber(now, profile=TAXED, plan=MONTH_PLAN)
    bill = _bill(context, owner, now)
    owed = bill.total_micros
    assert owed == 12_100_000
    assert _account(context, owner.customer_id, ledger.RECEIVABLE) == -owed
    assert _account(context, owner.customer_id, ledger.REVENUE_BILL) == 10_000_000
    assert _account(context, owner.customer_id, ledger.TAX) == 2_100_000
    for number, part in enumerate((5_000_000, 7_100_000)):
        bills.pay(
            context,
            bill.number,
            idempotency_key=f"part {number}",
            now=now,
            amount_micros=part,
            channel=MoneyChannel.CASH,
        )
        owed -= part
        assert _account(context, owner.customer_id, ledger.RECEIVABLE) == -owed
    assert _account(context, owner.customer_id, ledger.REVENUE_BILL) == 10_000_000
    assert _account(context, owner.customer_id, ledger.TAX) == 2_100_000
    assert _account(context, owner.customer_id, ledger.WALLET) == 0


@pytest.mark.rule("P2")
def test_usage_is_posted_when_its_day_is_over_or_its_session_has_ended(
    context: Context, world: MeterWorld
) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000_000)
    world.charge(start(who, at(0), sid="a"), start(who, at(0), sid="b"), now=at(0))
    world.charge(interim(who, at(60), 60, 3 * MIB, 0, sid="a"), now=at(60))
    world.charge(stop(who, at(60), 60, 2 * MIB, 0, sid="b"), now=at(60))
    assert _left(world, who) == (1_000_000, 5_000, 995_000)
    assert books.post_usage(context, at(120)) == 1
    assert _entries(world, who) == [("usage of 2026-03-10", -2_000)]
    assert _left(world, who) == (998_000, 3_000, 995_000)
    assert books.post_usage(context, at(180)) == 0
    # The same session goes on; its first day is over.
    assert books.post_usage(context, DAY_AFTER) == 1
    assert _left(world, who) == (995_000, 0, 995_000)
    # A record that comes late adds to a day that was posted.
    world.charge(interim(who, at(90), 90, 4 * MIB, 0, sid="a"), now=DAY_AFTER)
    assert _left(world, who) == (995_000, 1_000, 994_000)
    assert books.post_usage(context, DAY_AFTER) == 1
    assert _entries(world, who) == [("usage of 2026-03-10", -one) for one in (2_000, 3_000, 1_000)]
    assert _account(context, who.customer_id, ledger.REVENUE_USAGE) == 6_000


@pytest.mark.rule("M2")
def test_the_tax_in_usage_is_posted_apart(context: Context, world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000_000)
    world.db.execute("UPDATE billing_profile SET tax_rate_ppm = 210000")
    world.charge(start(who, at(0)), now=at(0))
    world.charge(stop(who, at(60), 60, 1, 0), now=at(60))
    assert books.post_usage(context, at(60)) == 1
    world.db.execute("UPDATE billing_profile SET tax_rate_ppm = 0")
    assert _account(context, who.customer_id, ledger.REVENUE_USAGE) == 826
    assert _account(context, who.customer_id, ledger.TAX) == 174


@pytest.mark.rule("M4")
def test_one_customer_that_cannot_be_posted_does_not_hold_up_others(
    context: Context, world: MeterWorld
) -> None:
    broken, sound = (world.customer(payg=BY_THE_MIB, posted_micros=1_000_000) for _ in range(2))
    for who in (broken, sound):
        world.charge(start(who, at(0)), now=at(0))
        world.charge(stop(who, at(60), 60, MIB, 0), now=at(60))
    world.db.execute("UPDATE wallet SET currency = 'usd' WHERE wallet_id = %s", (broken.wallet_id,))
    assert books.post_usage(context, at(60)) == 1
    assert (_left(world, broken)[1], _left(world, sound)[1]) == (1_000, 0)
    assert _parked(context) == [broken.customer_id]
    world.db.execute("UPDATE wallet SET currency = 'USD' WHERE wallet_id = %s", (broken.wallet_id,))
    assert books.post_usage(context, at(60)) == 1
    assert _parked(context) == []


def _parked(context: Context) -> list[int]:
    with context.transaction() as tx:
        return [one.customer_id for one in billing_jobs.parked(tx, books.JOB)]


CORRUPTED = {
    "entry does not sum to zero": "UPDATE posting SET amount_micros = amount_micros + 1"
    " WHERE customer_id = {id} AND account = 'tax'",
    "entry without postings": "INSERT INTO journal_entry (customer_id, org_id, at, kind, memo)"
    " VALUES ({id}, 1, now(), 'sale', 'nothing')",
    "posting without an entry": "DELETE FROM journal_entry WHERE customer_id = {id}"
    " AND kind = 'payment'",
    "wallet differs from its postings": "UPDATE wallet SET posted_micros = posted_micros + 1"
    " WHERE customer_id = {id}",
    "posting in another currency than its wallet": "UPDATE wallet SET currency = 'EUR'"
    " WHERE customer_id = {id}",
    "usage charged and not posted differs from the wallets'": "UPDATE wallet"
    " SET unposted_micros = 1 WHERE customer_id = {id}",
    "usage posted differs from its postings": "UPDATE journal_entry SET kind = 'usage'"
    " WHERE customer_id = {id} AND kind = 'payment'",
    "bill differs from its lines": "UPDATE invoice_line SET amount_micros = amount_micros - 1"
    " WHERE customer_id = {id}",
    "bill differs from what was allocated to it": "UPDATE invoice SET paid_micros = paid_micros - 1"
    " WHERE customer_id = {id}",
    "what is owed differs from the open bills": "UPDATE posting SET account = 'revenue:bill'"
    " WHERE customer_id = {id} AND account = 'receivable' AND amount_micros < 0",
    "numbers of bills have gaps": "DELETE FROM invoice WHERE customer_id = {id}",
    "payment without its entry": "UPDATE payment SET amount_micros = amount_micros + 1"
    " WHERE customer_id = {id}",
}


@pytest.mark.rule("M4")
@pytest.mark.parametrize("problem", CORRUPTED)
def test_the_check_finds(
    context: Context, settings: Settings, make: Factory, now: datetime, problem: str
) -> None:
    owner = make.subscriber(now, profile=TAXED, plan=MONTH_PLAN)
    bill = _bill(context, owner, now)
    sales.topup(
        context,
        owner.customer_id,
        5_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="part",
        now=now,
    )
    assert bill.paid_micros == 0
    before = _findings(context, now)
    assert [one for one in before if one[1] == owner.customer_id] == []
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute(CORRUPTED[problem].format(id=owner.customer_id))
        admin.commit()
        found = {one[0] for one in _findings(context, now)} - {one[0] for one in before}
    assert problem in found
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for table in (
            "deferred_item",
            "receipt",
            "payment_allocation",
            "payment",
            "invoice_line",
            "invoice",
            "posting",
        ):
            admin.execute(f"DELETE FROM {table}")  # noqa: S608
        admin.execute("DELETE FROM journal_entry")
        admin.execute("DELETE FROM invoice_series")
        admin.execute("UPDATE wallet SET posted_micros = 0, unposted_micros = 0, currency = 'USD'")
        admin.execute("UPDATE daily_usage SET posted_micros = 0, charged_micros = 0")


def _findings(context: Context, now: datetime) -> list[tuple[str, int]]:
    return [(one.problem, one.customer_id) for one in books.check_ledger(context, now).findings]


@pytest.mark.rule("M4")
def test_the_last_check_is_remembered(context: Context, now: datetime) -> None:
    books.check_ledger(context, now)
    later = now + timedelta(hours=1)
    report = books.check_ledger(context, later)
    assert books.last_report(context) == report
    assert report.at == later
