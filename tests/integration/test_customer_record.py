"""A customer's ledger, bills and payments as lists; acts that are rehearsed, or done together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count, pairwise

import pytest

from billing.errors import Conflict, InvalidInput, NotFound
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.customer_record import BillState
from billing.services import (
    bills,
    books,
    catalog,
    charges,
    contacts,
    credits,
    customer_record,
    customers,
    explain,
    letterhead,
    sales,
)
from billing.services.context import Context
from billing.store import audit, tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

ISSUED = datetime(2026, 3, 10, 8, tzinfo=UTC)
LATE = datetime(2026, 4, 25, 12, tzinfo=UTC)
BILLED = replace(MONTHLY, cycle_day=10, automatic_bill=True)


def _topup(context: Context, owner: Subscriber, amount_micros: int, key: str) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key=key,
        reference=key,
        now=ISSUED,
    )


@pytest.mark.rule("M4", "P2")
def test_the_ledgers_balance_runs_to_what_is_posted(context: Context, make: Factory) -> None:
    owner = make.subscriber(ISSUED, profile=BILLED, plan=MONTH_PLAN)
    for number in range(1, 6):
        _topup(context, owner, number * 10_000_000, f"slip {number}")
    view = customers.get_customer(context, owner.customer_id)
    own = view.wallets[0]
    first = customer_record.ledger(context, owner.customer_id, own.wallet_id, limit=4)
    rest = customer_record.ledger(
        context, owner.customer_id, own.wallet_id, before=first.next_before, limit=4
    )
    lines = [*first.lines, *rest.lines]
    assert len(first.lines) == 4 and rest.next_before is None
    assert lines[0].balance_micros == own.posted_micros
    for newer, older in pairwise(lines):
        assert newer.balance_micros - newer.amount_micros == older.balance_micros
    assert lines[-1].balance_micros == lines[-1].amount_micros
    assert [one.kind for one in lines].count("bill") == 2
    with pytest.raises(NotFound):
        customer_record.ledger(context, owner.customer_id, own.wallet_id + 10**6)
    payments = customer_record.payments(context, owner.customer_id, limit=2)
    assert [one.reference for one in payments] == ["slip 5", "slip 4"]


@pytest.mark.rule("B9", "I2")
def test_bills_are_listed_with_their_states_and_paged(context: Context, make: Factory) -> None:
    owner = make.subscriber(ISSUED, profile=BILLED, plan=MONTH_PLAN)
    for month in (4, 5):
        bills.issue_bill(
            context,
            owner.subscription_id,
            cycle_from=date(2026, month, 10),
            cycle_until=date(2026, month + 1, 10),
            amount_micros=10_000_000,
            now=ISSUED,
        )
    page = customer_record.bills(context, owner.customer_id, LATE, limit=2)
    last = customer_record.bills(context, owner.customer_id, LATE, before=page.next_before, limit=2)
    numbers = [one.bill.number for one in (*page.lines, *last.lines)]
    assert len(numbers) == 3 and last.next_before is None
    credits.credit(
        context,
        numbers[0],
        customer_id=owner.customer_id,
        reason="x",
        idempotency_key="c",
        now=LATE,
    )
    bills.pay(
        context,
        numbers[1],
        customer_id=owner.customer_id,
        channel=MoneyChannel.BANK_TRANSFER,
        reference="SEPA 17",
        idempotency_key="p",
        now=LATE,
    )
    states = [one.state for one in customer_record.bills(context, owner.customer_id, LATE).lines]
    assert states == [BillState.CREDITED, BillState.PAID, BillState.OVERDUE]
    assert customer_record.payments(context, owner.customer_id)[0].reference == "SEPA 17"
    (still,) = customer_record.open_bills(context, owner.customer_id, LATE)
    assert still.bill.number == numbers[2]
    (found,) = customer_record.search(context, numbers[2], LATE, limit=5).rows
    assert (found.customer_id, found.open_micros) == (owner.customer_id, still.bill.open_micros)
    assert found.overdue


@pytest.mark.rule("I2", "R2")
def test_a_number_that_two_organisations_use_pays_no_strangers_bill(
    context: Context, make: Factory
) -> None:
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Shop", created_at=ISSUED)
        tx.add(row)
        tx.flush()
        own = replace(context, home_org_id=row.org_id)
    ours = make.subscriber(ISSUED, profile=BILLED, plan=MONTH_PLAN)
    (bill,) = customer_record.open_bills(context, ours.customer_id, ISSUED)
    profile = replace(BILLED, name="Shop's")
    profile_id = catalog.add_profile(own, profile, ISSUED).profile_id
    plan_id = make.plan(ISSUED, MONTH_PLAN)
    # The shop's bills are numbered by itself: one of them gets the number of ours.
    for name in count(1):
        theirs = customers.add_customer(
            own, name=f"Their {name}", profile_id=profile_id, now=ISSUED
        ).customer_id
        customers.add_subscription(
            own, customer_id=theirs, username=f"their-{name}", plan_id=plan_id, now=ISSUED
        )
        (foreign,) = customer_record.open_bills(context, theirs, ISSUED)
        if foreign.bill.number == bill.bill.number:
            break
    number = foreign.bill.number
    for act in (
        lambda: bills.pay(
            context, number, channel=MoneyChannel.CASH, idempotency_key="k", now=ISSUED
        ),
        lambda: credits.credit(context, number, reason="x", idempotency_key="k", now=ISSUED),
    ):
        with pytest.raises(InvalidInput, match="several organisations"):
            act()
    receipt = bills.pay(
        context,
        number,
        customer_id=ours.customer_id,
        channel=MoneyChannel.CASH,
        idempotency_key="k",
        now=ISSUED,
    )
    assert receipt.customer_id == ours.customer_id
    assert len(customer_record.open_bills(context, theirs, ISSUED)) == 1


@pytest.mark.rule("M5")
def test_a_rehearsal_says_what_the_act_says_and_leaves_nothing(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(ISSUED, profile=BILLED, plan=MONTH_PLAN)
    (line,) = customer_record.open_bills(context, owner.customer_id, LATE)
    assert explain.why(context, owner.subscription_id, LATE).state.rule == "S5"

    def pay(acting: Context) -> object:
        return bills.pay(
            acting,
            line.bill.number,
            customer_id=owner.customer_id,
            channel=MoneyChannel.CASH,
            idempotency_key="once",
            now=LATE,
        )

    with context.transaction() as tx:
        rows = tx.query(tables.AuditLog).count(), tx.query(tables.CoaIntent).count()
    with context.rehearsed() as trial:
        said = pay(trial)
        assert explain.why(trial, owner.subscription_id, LATE).state.rule == "S8"
    assert customer_record.payments(context, owner.customer_id) == []
    assert explain.why(context, owner.subscription_id, LATE).state.rule == "S5"
    with context.transaction() as tx:
        assert rows == (tx.query(tables.AuditLog).count(), tx.query(tables.CoaIntent).count())
    done = pay(context)
    assert replace(said, payment_id=None) == replace(done, payment_id=None)  # type: ignore[type-var]
    with context.transaction() as tx:
        assert list(audit.broken_rows(tx)) == []
    assert books.check_ledger(context, LATE).findings == ()


def test_what_is_done_together_is_done_whole_or_not(context: Context, make: Factory) -> None:
    owner = make.subscriber(ISSUED)
    before = customers.get_customer(context, owner.customer_id)
    with pytest.raises(InvalidInput), context.together() as joined:
        contacts.change(
            joined, owner.customer_id, LATE, name="Somebody else", email=None, phone=None
        )
        letterhead.set_of_customer(joined, owner.customer_id, now=LATE, address_lines=["x"] * 9)
    assert customers.get_customer(context, owner.customer_id) == before
    with pytest.raises(InvalidInput):
        contacts.change(context, owner.customer_id, LATE, name="A", email="nobody", phone="")
    view = contacts.change(
        context, owner.customer_id, LATE, name=" A ", email=" a@b.example ", phone=" "
    )
    assert (view.name, view.email, view.phone) == ("A", "a@b.example", None)


@pytest.mark.rule("M5", "I1")
def test_a_charge_with_a_key_is_added_once(context: Context, make: Factory) -> None:
    owner = make.subscriber(ISSUED, profile=BILLED, plan=MONTH_PLAN)

    def add(price_micros: int) -> object:
        return charges.add_charge(
            context,
            owner.subscription_id,
            ChargeKind.RECURRING,
            "Static IP",
            LATE,
            price_micros=price_micros,
            idempotency_key="charge",
        )

    first, again = add(5_000_000), add(5_000_000)
    assert again == replace(first, repeated=True)  # type: ignore[type-var]
    assert len(charges.charges_of_customer(context, owner.customer_id)) == 1
    with pytest.raises(Conflict, match="rule M5"):
        add(6_000_000)
