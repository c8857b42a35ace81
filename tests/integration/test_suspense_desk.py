"""Money of nobody at the desk: proposed, matched to what it pays, split, given back (P1, P5)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import select, update

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.suspense import Proposal, Why
from billing.rules.bank_match import payment_reference
from billing.services import bills, books, customers, prepayments, suspense, suspense_desk
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from rig.provider import Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
BANK = MoneyChannel.BANK_TRANSFER
_numbers = count(1)


@dataclass
class Desk:
    context: Context
    make: Factory
    came: int = field(default=0)

    def keep(self, units: float, note: str = "", currency: str = "USD") -> int:
        """Its number."""
        reference = f"line {next(_numbers)}"
        amount = Money(int(units * UNIT), currency)
        at = NOW + timedelta(seconds=self.came)
        self.came += 1
        assert suspense.receive(self.context, amount, BANK, reference=reference, note=note, now=at)
        found = suspense.listed(self.context, limit=500)
        return next(one.suspense_id for one in found if one.reference == reference)

    def billed(self, units: int = 30) -> tuple[Subscriber, str]:
        who = self.make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
        bill = bills.issue_bill(
            self.context,
            who.subscription_id,
            cycle_from=date(2026, 3, 1),
            cycle_until=date(2026, 4, 1),
            amount_micros=units * UNIT,
            now=NOW,
        )
        return who, bill.number

    def match(self, suspense_id: int, who: Subscriber, key: str = "", **options: object) -> int:
        """The micros that were credited."""
        receipt = suspense.match(
            self.context,
            suspense_id,
            who.customer_id,
            idempotency_key=key or f"match {next(_numbers)}",
            now=NOW,
            **options,  # type: ignore[arg-type]
        )
        return receipt.amount_micros

    def open_micros(self, number: str) -> int:
        with self.context.transaction() as tx:
            row = tx.scalars(select(tables.Invoice).where(tables.Invoice.number == number)).one()
            return row.total_micros - row.paid_micros

    def left(self, number: int) -> int:
        return suspense_desk.show(self.context, number).money.left_micros

    def proposed(self, number: int) -> list[tuple[int, str, set[Why]]]:
        def told(one: Proposal) -> tuple[int, str, set[Why]]:
            return one.customer_id, one.number, set(one.why)

        return [told(one) for one in suspense_desk.proposed(self.context, number)]


@pytest.fixture
def desk(context: Context, make: Factory) -> Desk:
    return Desk(context, make)


@pytest.mark.rule("P1", "I4")
def test_a_bill_is_paid_before_older_ones(desk: Desk) -> None:
    who, older = desk.billed()
    newer = bills.issue_bill(
        desk.context,
        who.subscription_id,
        cycle_from=date(2026, 4, 1),
        cycle_until=date(2026, 5, 1),
        amount_micros=30 * UNIT,
        now=NOW,
    ).number
    number = desk.keep(70)
    assert desk.match(number, who, number=newer, amount_micros=30 * UNIT) == 30 * UNIT
    assert (desk.open_micros(older), desk.open_micros(newer)) == (30 * UNIT, 0)
    with pytest.raises(Refused, match=f"nothing of {newer} is left to pay"):
        desk.match(number, who, number=newer)
    assert desk.match(number, who, number=older, amount_micros=10 * UNIT) == 10 * UNIT
    assert (desk.open_micros(older), desk.left(number)) == (20 * UNIT, 30 * UNIT)
    case = suspense_desk.show(desk.context, number)
    assert [(one.amount_micros, one.customer_id) for one in case.moves] == [
        (30 * UNIT, who.customer_id),
        (10 * UNIT, who.customer_id),
    ]
    assert all(one.receipt_number and one.actor == desk.context.actor for one in case.moves)
    assert case.taken_by == desk.context.actor
    assert books.check_ledger(desk.context, NOW).findings == ()


@pytest.mark.rule("M5")
def test_a_match_that_is_sent_twice_counts_once(desk: Desk) -> None:
    who, bill = desk.billed()
    number = desk.keep(70)
    for _ in range(2):
        assert desk.match(number, who, key="twice", number=bill, amount_micros=UNIT) == UNIT
    assert (desk.left(number), desk.open_micros(bill)) == (69 * UNIT, 29 * UNIT)


@pytest.mark.rule("P5")
def test_a_prepayment_invoice_takes_its_amount_and_no_other(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    prepayments.set_up(desk.context, who.customer_id, 30 * UNIT, now=NOW)
    prepayments.run(desk.context, NOW)
    (asked,) = prepayments.invoices_of(desk.context, who.customer_id)
    number = desk.keep(50)
    with pytest.raises(Refused, match="no more and no less"):
        desk.match(number, who, number=asked.number, amount_micros=50 * UNIT)
    assert desk.match(number, who, number=asked.number) == 30 * UNIT
    (paid,) = prepayments.invoices_of(desk.context, who.customer_id)
    assert (paid.state, desk.left(number)) == ("paid", 20 * UNIT)
    with pytest.raises(Refused, match=r"20\.00 USD is left of it"):
        desk.match(number, who, number=asked.number)
    with pytest.raises(Refused, match="paid already"):
        desk.match(desk.keep(30), who, number=asked.number)


@pytest.mark.rule("P1")
def test_not_to_another_organisation_currency_or_customer(desk: Desk) -> None:
    who, bill = desk.billed()
    other, _ = desk.billed()
    euros = desk.keep(30, currency="EUR")
    with pytest.raises(Refused, match=f"{bill} is in USD"):
        desk.match(euros, who, number=bill)
    with pytest.raises(Refused, match="the wallet is in USD"):
        desk.match(euros, who)
    number = desk.keep(30)
    with pytest.raises(NotFound, match="no bill has the number"):
        desk.match(number, other, number=bill)
    with pytest.raises(NotFound, match="no prepayment invoice has the number"):
        desk.match(number, other, number="PRE-99999")
    below = Desk(replace(desk.context, home_org_id=organisation(desk.context)), desk.make)
    number = below.keep(30, bill)
    with pytest.raises(Refused, match="it came to another organisation"):
        desk.match(number, who, number=bill)
    assert desk.proposed(number) == []


@pytest.mark.rule("M5")
def test_what_is_given_back_twice_goes_once(desk: Desk) -> None:
    number = desk.keep(10)

    def give_back(units: int) -> int:
        return suspense.give_back(
            desk.context,
            number,
            note=" by transfer 7 ",
            now=NOW,
            amount_micros=units * UNIT,
            if_left_micros=10 * UNIT,
        ).left_micros

    assert give_back(4) == 6 * UNIT
    with pytest.raises(Refused, match=r"moved since you looked: 6\.00 USD is left"):
        give_back(4)
    (move,) = suspense_desk.show(desk.context, number).moves
    assert (move.note, move.customer_id, move.amount_micros) == ("by transfer 7", None, 4 * UNIT)
    with pytest.raises(InvalidInput, match="how it was given back"):
        suspense.give_back(desk.context, number, note=" ", now=NOW)
    with pytest.raises(NotFound):
        suspense_desk.show(desk.context, 10**9)


@pytest.mark.rule("P1")
def test_what_speaks_for_whom(desk: Desk, context: Context) -> None:
    units = 1_000 + next(_numbers)
    who, bill = desk.billed(units)
    named, _ = desk.billed(7)
    called = customers.add_customer(
        context,
        name="Ada Quill Lovelace",
        profile_id=desk.make.profile(NOW),
        now=NOW,
    )
    reference = payment_reference(named.customer_id)
    number = desk.keep(units, f"LOVELACE ADA: Miss Quill {reference} rent")
    assert desk.proposed(number) == [
        (named.customer_id, "", {Why.REFERENCE}),
        (who.customer_id, bill, {Why.AMOUNT}),
        (called.customer_id, "", {Why.NAME}),
    ]
    # Not what is in another currency, and not one of whose name a word is missing.
    assert desk.proposed(desk.keep(units, f"Ada Lovelace {reference}", currency="EUR")) == []
    desk.match(number, who, number=bill)
    assert desk.proposed(number) == []


def test_money_that_came_twice_may_be_of_who_paid_it(context: Context, make: Factory) -> None:
    with Provider().serving() as provider:
        till = Till(context, make, provider, NOW)
        who = till.customer()
        made = till.pay(who, 10)
        about = {**provider.payments[made.key], "id": "another", "amount": 1000}
        till.hear("payment.paid", about)
        ((_, note),) = till.in_suspense()
        found = suspense.listed(context, limit=500)
        (one,) = [row for row in found if row.note == note]
        assert one.reference == "another"
        # Found by the reference that the provider gave the payment.
        with context.transaction() as tx:
            tx.execute(
                update(tables.PaymentAttempt)
                .where(tables.PaymentAttempt.attempt_id == made.attempt_id)
                .values(provider_ref="another")
            )
        (proposal,) = suspense_desk.proposed(context, one.suspense_id)
        assert (proposal.customer_id, proposal.why) == (who.customer_id, {Why.PAYMENT})


def test_what_waits_is_listed_page_by_page_oldest_first(desk: Desk) -> None:
    numbers = [desk.keep(1) for _ in range(3)]
    seen: list[int] = []
    after: int | None = None
    while page := suspense.listed(desk.context, after=after, limit=2):
        seen += [one.suspense_id for one in page]
        after = page[-1].suspense_id
    whole = [one.suspense_id for one in suspense.listed(desk.context, limit=500)]
    assert seen == whole
    assert [one for one in seen if one in numbers] == numbers


def test_the_panels_own_role_sees_and_moves_what_is_its_organisations(
    desk: Desk, settings: Settings
) -> None:
    who, bill = desk.billed()
    number, org_id = desk.keep(30, bill), organisation(desk.context)
    with closing(Database(settings.dsn("panel"))) as panel:
        staff = replace(desk.context, db=panel, actor="staff:1", org_ids=(1, org_id))
        stranger = replace(staff, home_org_id=org_id, org_ids=(org_id,))
        with pytest.raises(NotFound):
            suspense_desk.show(stranger, number)
        (first, *_) = suspense_desk.proposed(staff, number)
        assert (first.customer_id, first.number) == (who.customer_id, bill)
        assert first.why == {Why.REFERENCE, Why.AMOUNT}
        receipt = suspense.match(
            staff, number, who.customer_id, idempotency_key="by staff", now=NOW, number=bill
        )
        assert receipt.settled == (bill,)
        assert suspense_desk.show(staff, number).moves[0].actor == "staff:1"


def organisation(context: Context) -> int:
    """A further one, below the operator."""
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name=f"Below {next(_numbers)}", created_at=NOW)
        tx.add(row)
        tx.flush()
        return row.org_id
