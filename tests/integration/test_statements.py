"""Statements of account on a real database: what they say, whom the job sends them, once (rules M3,
M4, P1)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from billing.errors import InvalidInput, NotFound, Refused
from billing.jobs.registry import JOBS
from billing.model.books import UsageOfDay
from billing.model.commerce import MoneyChannel
from billing.rules.usage_entries import usage_entries
from billing.services import (
    bills,
    credits,
    documents,
    letterhead,
    messages,
    sales,
    statement_run,
    statements,
    write_offs,
)
from billing.services.context import Context
from billing.store import ledger, tables
from billing.store.customers import lock_customer
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.conftest import Run

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
MARCH = date(2026, 3, 1), date(2026, 3, 31)
APRIL_1 = datetime(2026, 4, 1, 0, 23, tzinfo=UTC)
TAXED = replace(MONTHLY, cycle_day=10, tax_rate_ppm=210_000, tax_inclusive=False)


@pytest.fixture(autouse=True)
def nobody_wants_any(context: Context) -> None:
    """A module's customers stay: each test begins with none that is served."""
    with context.transaction() as tx:
        tx.execute(update(tables.Customer).values(monthly_statement=False, stated_until=None))


def on(day: int) -> datetime:
    return NOW.replace(day=day)


def pay(context: Context, owner: Subscriber, amount_micros: int, day: int) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key=f"top up {day}",
        now=on(day),
    )


@pytest.fixture
def owner(context: Context, make: Factory) -> Subscriber:
    """Bills of 12.10 each on the 3rd and 4th, 5.00 of the second taken back after 20.00 was paid,
    usage of 1.50 on the 20th, and 1.00 more paid in April."""
    found = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)
    messages.set_alerts(context, found.customer_id, NOW, addresses=["ada@mail.example"])
    issued = [
        bills.issue_bill(
            context,
            found.subscription_id,
            cycle_from=date(2026, month, 10),
            cycle_until=date(2026, month + 1, 10),
            amount_micros=10_000_000,
            now=on(month),
        )
        for month in (3, 4)
    ]
    pay(context, found, 20_000_000, 10)
    credits.credit(
        context,
        issued[1].number,
        reason="no service",
        idempotency_key="back",
        now=on(15),
        amount_micros=5_000_000,
    )
    with context.transaction() as tx:
        customer = lock_customer(tx, found.customer_id)
        assert customer is not None
        wallet = tx.scalars(
            select(tables.Wallet).where(tables.Wallet.customer_id == found.customer_id)
        ).one()
        wallet.unposted_micros = 1_500_000
        tx.flush()
        used = [
            UsageOfDay(
                customer_id=found.customer_id,
                org_id=customer.org_id,
                subscription_id=found.subscription_id,
                wallet_id=wallet.wallet_id,
                currency=wallet.currency,
                local_day=date(2026, 3, 19),
                tariff_window="",
                tax_rate_ppm=0,
                to_bill=False,
                seconds=60,
                octets=0,
                gross_micros=micros,
            )
            for micros in (1_000_000, 500_000)
        ]
        for one in used:
            ledger.post_usage(tx, usage_entries([one]), on(20))
    sales.topup(
        context,
        found.customer_id,
        1_000_000,
        channel=MoneyChannel.CARD,
        idempotency_key="april",
        now=datetime(2026, 4, 2, tzinfo=UTC),
    )
    return found


def facts(context: Context, owner: Subscriber) -> list[Any]:
    message = tables.Message
    with context.transaction() as tx:
        rows = tx.scalars(
            select(message)
            .where(message.customer_id == owner.customer_id, message.kind == "statement")
            .order_by(message.message_id)
        )
        return [row.facts for row in rows]


@pytest.mark.rule("M4", "P1")
def test_a_statement_says_what_happened_and_what_is_open(
    context: Context, owner: Subscriber
) -> None:
    found = statements.statement(context, owner.customer_id, *MARCH)
    numbers = [line.text.split()[-1] for line in found.account.lines if "Bill" in line.text]
    told = [(line.on.day, line.text, line.amount_micros) for line in found.account.lines]
    note = told[3][1].split()[2]
    assert told == [
        (3, f"Bill {numbers[0]}", -12_100_000),
        (4, f"Bill {numbers[1]}", -12_100_000),
        (10, "Payment, cash", 20_000_000),
        (15, f"Credit note {note} for {numbers[1]}", 5_000_000),
        (20, "Usage of 2026-03-19", -1_500_000),
    ]
    account = found.account
    assert (account.opening_micros, account.closing_micros) == (0, -700_000)
    assert (account.charged_micros, account.credited_micros) == (25_700_000, 25_000_000)
    assert found.open_bills == ()
    early = statements.statement(context, owner.customer_id, MARCH[0], date(2026, 3, 14))
    assert [(bill.number, bill.open_micros) for bill in early.open_bills] == [
        (numbers[1], 4_200_000)
    ]
    assert early.open_micros == 4_200_000 == -early.account.closing_micros
    assert early.open_bills[0].due_on == date(2026, 3, 14)


@pytest.mark.rule("I5")
def test_what_is_written_off_is_open_no_more(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)
    number = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=10_000_000,
        now=NOW,
    ).number
    write_offs.write_off(context, number, reason="moved away", idempotency_key="w", now=on(20))
    found = statements.statement(context, owner.customer_id, *MARCH)
    assert [line.text for line in found.account.lines][1:] == [f"Written off {number}"]
    assert (found.account.closing_micros, found.open_bills) == (0, ())
    early = statements.statement(context, owner.customer_id, MARCH[0], date(2026, 3, 19))
    assert early.open_micros == 12_100_000 == -early.account.closing_micros
    paper = documents.by_number(context, number, org_id=1)
    assert (paper.written_off_micros, paper.open_micros) == (12_100_000, 0)


@pytest.mark.rule("M4")
def test_any_cut_of_the_time_joins(context: Context, owner: Subscriber) -> None:
    first, last = date(2026, 3, 1), date(2026, 4, 5)
    whole = statements.statement(context, owner.customer_id, first, last).account
    assert whole.closing_micros == 300_000
    day = first
    while day < last:
        head = statements.statement(context, owner.customer_id, first, day).account
        tail = statements.statement(
            context, owner.customer_id, day + timedelta(days=1), last
        ).account
        assert head.closing_micros == tail.opening_micros
        assert head.lines + tail.lines == whole.lines
        assert tail.closing_micros == whole.closing_micros
        day += timedelta(days=1)


def test_what_cannot_be_stated_is_told(context: Context, owner: Subscriber, make: Factory) -> None:
    with pytest.raises(InvalidInput) as caught:
        statements.statement(context, owner.customer_id, MARCH[1], MARCH[0])
    assert caught.value.field == "to"
    with pytest.raises(InvalidInput, match="three years"):
        statements.statement(context, owner.customer_id, date(2020, 1, 1), MARCH[1])
    with pytest.raises(NotFound):
        statements.statement(context, 10**9, *MARCH)
    mixed(context, owner)
    with pytest.raises(Refused, match="EUR"):
        statements.statement(context, owner.customer_id, *MARCH)


def mixed(context: Context, owner: Subscriber) -> None:
    """Its account gets a movement in another currency."""
    with context.transaction() as tx:
        lock_customer(tx, owner.customer_id)
        ledger.post(
            tx,
            customer_id=owner.customer_id,
            org_id=1,
            kind="payment",
            memo="in euros",
            lines=[ledger.Line(ledger.RECEIVABLE, 5), ledger.Line("money:cash", -5)],
            currency="EUR",
            now=on(9),
        )


@pytest.mark.rule("I3")
def test_the_command_line_shows_it_and_writes_it(
    context: Context, owner: Subscriber, run: Run, tmp_path: Path
) -> None:
    letterhead.set_of_organisation(context, 1, address_lines=["1 Tower Road"], now=NOW)
    name, file = str(owner.customer_id), tmp_path / "statement.pdf"
    days = ("--from", "2026-03-01", "--to", "2026-03-31")
    code, out, err = run("customer", "statement", name, *days, "--pdf", str(file))
    assert (code, err) == (0, "")
    assert "2026-03-10  Payment, cash: 20.00 USD = -4.20 USD" in out
    assert "2026-03-31  balance after: -0.70 USD" in out and str(file) in out
    text = text_of(file.read_bytes())
    for words in (
        "Statement of account", "1 Mar 2026 – 31 Mar 2026", "1 Tower Road", "Payment, cash",
        "20.00", "Usage of 2026-03-19", "1.50", "Balance before", "Balance after", "25.70",
        "You owe 0.70 USD",
    ):  # fmt: skip
        assert words in text, words
    code, out, _ = run("customer", "statement", name, *days, "--json")
    assert code == 0 and json.loads(out)["account"]["closing_micros"] == -700_000
    assert run("customer", "statements", name, "on")[1] == "statements: on\n"
    assert run("customer", "statement", name, "--from", "2026-03-02", "--to", "2026-03-01")[0] == 2


def want(context: Context, owner: Subscriber, *, wanted: bool | None = True) -> None:
    statements.set_monthly(context, owner.customer_id, wanted, NOW)


def test_the_job_queues_last_month_once(context: Context, owner: Subscriber) -> None:
    want(context, owner)
    assert statement_run.run(context, datetime(2026, 4, 1, tzinfo=UTC)).queued == 1
    assert JOBS["statements"].run(context, APRIL_1) == ""
    assert facts(context, owner) == [
        {
            "first_day": "2026-03-01",
            "last_day": "2026-03-31",
            "currency": "USD",
            "opening_micros": 0,
            "charged_micros": 25_700_000,
            "credited_micros": 25_000_000,
            "closing_micros": -700_000,
            "open_micros": 0,
            "due_on": None,
        }
    ]
    found = statements.statement(context, owner.customer_id, *MARCH)
    assert found.account.closing_micros == facts(context, owner)[0]["closing_micros"]


def test_after_downtime_each_month_has_its_own(context: Context, owner: Subscriber) -> None:
    want(context, owner)
    statement_run.run(context, APRIL_1)
    dry = JOBS["statements"].preview
    assert dry is not None
    july = datetime(2026, 7, 9, tzinfo=UTC)
    assert [one.text.partition(": ")[2] for one in dry(context, july)] == [
        "statement of 2026-04-01 to 2026-04-30",
        "statement of 2026-05-01 to 2026-05-31",
        "statement of 2026-06-01 to 2026-06-30",
    ]
    assert JOBS["statements"].run(context, datetime(2026, 7, 9, tzinfo=UTC)) == (
        "queued 3 statements"
    )
    told = facts(context, owner)
    assert [one["first_day"] for one in told] == [f"2026-0{month}-01" for month in (3, 4, 5, 6)]
    for one, following in pairwise(told):
        assert following["opening_micros"] == one["closing_micros"]
    assert told[1]["credited_micros"] == 1_000_000


def test_who_wants_none_gets_none_and_begins_anew(context: Context, owner: Subscriber) -> None:
    statement_run.run(context, APRIL_1)
    want(context, owner)
    statement_run.run(context, APRIL_1)
    want(context, owner, wanted=False)
    statement_run.run(context, datetime(2026, 6, 1, 1, tzinfo=UTC))
    want(context, owner)
    statement_run.run(context, datetime(2026, 8, 1, 1, tzinfo=UTC))
    assert [one["first_day"] for one in facts(context, owner)] == ["2026-03-01", "2026-07-01"]


def test_the_profile_decides_where_the_customer_does_not(context: Context, make: Factory) -> None:
    owners = [
        make.subscriber(NOW, profile=replace(TAXED, monthly_statement=wanted), plan=MONTH_PLAN)
        for wanted in (True, True, False)
    ]
    for one in owners:
        messages.set_alerts(context, one.customer_id, NOW, addresses=["ada@mail.example"])
        pay(context, one, 5_000_000, 5)
    want(context, owners[1], wanted=False)
    statement_run.run(context, APRIL_1)
    assert [len(facts(context, one)) for one in owners] == [1, 0, 0]


def test_who_has_no_movement_and_no_balance_gets_none(context: Context, make: Factory) -> None:
    quiet = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)
    messages.set_alerts(context, quiet.customer_id, NOW, addresses=["ada@mail.example"])
    want(context, quiet)
    assert statement_run.run(context, APRIL_1).queued == 0
    pay(context, quiet, 5_000_000, 5)
    with context.transaction() as tx:
        row = tx.get_one(tables.Customer, quiet.customer_id)
        assert row.stated_until == date(2026, 4, 1)
    assert statement_run.run(context, datetime(2026, 5, 1, tzinfo=UTC)).queued == 1
    assert facts(context, quiet)[0]["closing_micros"] == 5_000_000


def test_one_that_fails_is_parked_and_the_others_go_on(
    context: Context, owner: Subscriber, make: Factory
) -> None:
    other = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)
    messages.set_alerts(context, other.customer_id, NOW, addresses=["bob@mail.example"])
    pay(context, other, 5_000_000, 5)
    mixed(context, owner)
    for one in (owner, other):
        want(context, one)
    assert JOBS["statements"].run(context, APRIL_1) == "queued 1 statements; 1 customers PARKED"
    assert (len(facts(context, owner)), len(facts(context, other))) == (0, 1)
    with context.transaction() as tx:
        parked = tx.get(
            tables.ParkedCustomer, {"customer_id": owner.customer_id, "job": "statements"}
        )
        assert parked is not None and "no one balance" in parked.problem
