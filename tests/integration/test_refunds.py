"""Refunds and chargebacks post reversals, each once, in any order (rules M4, M5, P1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.payments import EventOutcome, PaymentState, PaymentView, ReversalState
from billing.rules.payments import GIVEN_UP_AFTER, LEASE
from billing.services import payment_calls, payments, sales
from billing.services.context import Context
from rig.provider import Fault, Provider
from tests.factories import Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS, Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
S, R, E = PaymentState, ReversalState, EventOutcome


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def till(context: Context, make: Factory, provider: Provider) -> Till:
    return Till(context, make, provider, NOW)


@pytest.fixture
def hasty(context: Context, make: Factory, provider: Provider) -> Till:
    """It waits half a second for answers."""
    return Till(context, make, provider, NOW, timeout_seconds=0.5)


def books(till: Till, who: Subscriber) -> tuple[int, int, int]:
    """What the wallet has, what is on its way back, what came in, in units."""
    till.check()
    return (
        till.balance(who),
        till.account(who, "refund:pending"),
        -till.account(who, "money:card"),
    )


def states(till: Till, made: PaymentView) -> list[ReversalState]:
    found = payments.history(till.context, made.attempt_id).reversals
    return [one.state for one in found]


def test_a_refund_leaves_the_wallet_at_once_and_then_the_till(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    till.refund(made, 12)
    assert books(till, ada) == (18, 12, 30)
    till.work()
    assert books(till, ada) == (18, 0, 18)
    seen = till.seen(made)
    assert (seen.state, seen.refunded_micros) == (S.PARTLY_REFUNDED, 12 * UNIT)
    till.refund(made)
    till.work()
    assert books(till, ada) == (0, 0, 0)
    assert till.seen(made).state is S.REFUNDED
    assert till.provider.taken_minor() == 0


def test_not_more_than_there_is(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    till.refund(made, 20)
    with pytest.raises(Refused, match=r"10\.00 USD is left"):
        till.refund(made, 11)
    with pytest.raises(InvalidInput):
        till.refund(made, -1)
    sales.sell(
        till.context,
        ada.subscription_id,
        till.make.plan(NOW),
        idempotency_key=f"spend {ada.customer_id}",
        now=NOW,
    )
    with pytest.raises(Refused, match="spent"):
        till.refund(made, 10)
    till.refund(made, 10, even_if_spent=True)
    till.work()
    assert books(till, ada) == (-1, 0, 0)


def test_a_payment_that_has_not_come_is_not_given_back(till: Till) -> None:
    ada = till.customer()
    made = till.begin(ada)
    with pytest.raises(Refused, match="created"):
        till.refund(made, 1)


@pytest.mark.rule("M5")
def test_a_refund_is_asked_for_once(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)

    def ask(units: int) -> int:
        return payments.refund(
            till.context,
            made.attempt_id,
            reason="twice",
            idempotency_key="one refund",
            now=NOW,
            amount_micros=units * UNIT,
        ).reversal_id

    assert ask(10) == ask(10)
    with pytest.raises(Conflict):
        ask(11)
    till.work()
    assert books(till, ada) == (20, 0, 20)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.LATE, Fault.NEVER, Fault.GARBAGE])
def test_a_refund_without_an_answer_is_looked_up(hasty: Till, fault: Fault) -> None:
    ada = hasty.customer()
    made = hasty.pay(ada, 30)
    hasty.provider.fail("POST /refunds", fault)
    hasty.refund(made, 10)
    hasty.work()
    assert states(hasty, made) == [R.UNKNOWN]
    assert books(hasty, ada) == (20, 10, 30)
    hasty.work(MINUTE)
    assert states(hasty, made) == [R.SUCCEEDED]
    assert books(hasty, ada) == (20, 0, 20)


def test_a_refund_that_never_arrived_goes_back_to_the_wallet(hasty: Till) -> None:
    ada = hasty.customer()
    made = hasty.pay(ada, 30)
    hasty.provider.fail("POST /refunds", Fault.LOST)
    hasty.refund(made, 10)
    hasty.work()
    hasty.work(GIVEN_UP_AFTER + timedelta(hours=1))
    assert states(hasty, made) == [R.FAILED]
    assert books(hasty, ada) == (30, 0, 30)


def test_a_refund_that_went_after_all_is_taken_again(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    number = till.refund(made, 10)
    call = payment_calls._take_refund(till.context, GATEWAYS, ada.customer_id, number, NOW)
    assert call is not None
    till.work(GIVEN_UP_AFTER + LEASE)
    till.work(timedelta(hours=1))
    assert books(till, ada) == (30, 0, 30)
    call.gateway.refund(call.order)
    assert till.hear("refund.paid", till.provider.about_refund(call.order.key)) is E.APPLIED
    assert books(till, ada) == (20, 0, 20)
    assert states(till, made) == [R.SUCCEEDED]


def test_a_refund_may_be_told_of_before_its_answer(hasty: Till) -> None:
    ada = hasty.customer()
    made = hasty.pay(ada, 30)
    hasty.provider.fail("POST /refunds", Fault.NEVER)
    hasty.refund(made, 10)
    hasty.work()
    (key,) = hasty.provider.refunds
    about = hasty.provider.about_refund(key)
    assert hasty.hear("refund.paid", about) is E.APPLIED
    assert hasty.hear("refund.paid", about) is E.NO_EFFECT  # as another event
    hasty.work(timedelta(days=1))
    assert books(hasty, ada) == (20, 0, 20)


def test_a_refund_that_takes_days_may_fail(till: Till) -> None:
    ada = till.customer()
    made = till.begin(ada, 30, card="slow")
    till.work()
    till.hear("payment.paid", till.provider.finish(made.key))
    till.refund(made, 10)
    till.work()
    assert states(till, made) == [R.PENDING]
    (key,) = till.provider.refunds
    about = till.provider.about_refund(key)
    assert till.hear("refund.declined", about) is E.APPLIED
    assert till.hear("refund.paid", about) is E.NO_EFFECT  # it was sent before that
    assert states(till, made) == [R.FAILED]
    assert books(till, ada) == (30, 0, 30)


def test_a_refund_that_has_gone_may_come_back(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    till.refund(made, 10)
    till.work()
    (key,) = till.provider.refunds
    assert till.hear("refund.declined", till.provider.about_refund(key)) is E.APPLIED
    assert books(till, ada) == (30, 0, 30)
    assert till.seen(made).state is S.SUCCEEDED


def test_what_the_provider_refunds_by_itself_is_taken_from_the_wallet(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    about = till.provider.own_refund(made.key, 1000)
    assert [till.hear("refund.paid", about) for _ in range(2)] == [E.APPLIED, E.NO_EFFECT]
    assert books(till, ada) == (20, 0, 20)


def test_two_refunds_of_one_amount_are_taken_twice_whichever_is_heard_of_first(
    hasty: Till,
) -> None:
    """Ours has gone, but no answer came; somebody gives back as much at the provider's page."""
    ada = hasty.customer()
    made = hasty.pay(ada, 30)
    hasty.provider.fail("POST /refunds", Fault.NEVER)
    hasty.refund(made, 10)
    hasty.work()
    (key,) = hasty.provider.refunds
    theirs = hasty.provider.own_refund(made.key, 1000)
    assert hasty.hear("refund.paid", theirs) is E.APPLIED
    assert hasty.hear("refund.paid", hasty.provider.about_refund(key)) is E.APPLIED
    assert hasty.hear("refund.paid", hasty.provider.about_refund(key)) is E.NO_EFFECT
    hasty.work(timedelta(days=1))
    assert books(hasty, ada) == (10, 0, 10)
    assert hasty.provider.taken_minor() == 1000


@pytest.mark.parametrize("minor", [3001, 0])
def test_a_refund_of_more_than_the_payment_does_nothing(till: Till, minor: int) -> None:
    ada = till.customer()
    made = till.pay(ada, 30)
    assert till.hear("refund.paid", till.provider.own_refund(made.key, minor)) is E.MISMATCH
    assert books(till, ada) == (30, 0, 30)


def test_a_chargeback_takes_what_was_spent_too_and_a_won_dispute_gives_it_back(till: Till) -> None:
    ada = till.customer()
    made = till.pay(ada, 1)
    sales.sell(
        till.context,
        ada.subscription_id,
        till.make.plan(NOW),
        idempotency_key=f"spend {ada.customer_id}",
        now=NOW,
    )
    about = till.provider.dispute(made.key, 100)
    assert till.hear("dispute.opened", about) is E.APPLIED
    assert books(till, ada) == (-1, 0, 0)
    assert till.seen(made).state is S.CHARGED_BACK
    assert till.hear("dispute.won", about) is E.APPLIED
    assert books(till, ada) == (0, 0, 1)
    assert till.seen(made).state is S.SUCCEEDED


@pytest.mark.rule("M5")
@pytest.mark.parametrize("order", list(permutations(["paid", "refunded", "disputed", "won"])))
def test_events_in_any_order_end_the_same(till: Till, order: tuple[str, ...]) -> None:
    """A payment of 30, of which 10 was refunded; 20 was disputed, and the dispute was won."""
    ada = till.customer()
    made = till.begin(ada, 30, card=None)
    till.work()
    paid = till.provider.finish(made.key)
    refund, dispute = (
        till.provider.own_refund(made.key, 1000),
        till.provider.dispute(made.key, 2000),
    )
    events = {
        "paid": ("payment.paid", paid),
        "refunded": ("refund.paid", refund),
        "disputed": ("dispute.opened", dispute),
        "won": ("dispute.won", dispute),
    }
    for name in order:
        for _ in range(2):  # each by two events
            till.hear(*events[name])
    assert books(till, ada) == (20, 0, 20)
    assert till.seen(made).state is S.PARTLY_REFUNDED


def test_money_of_the_desk_is_not_the_gateways(till: Till) -> None:
    ada = till.customer()
    sales.topup(
        till.context,
        ada.customer_id,
        5 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key=f"cash {ada.customer_id}",
        now=NOW,
    )
    assert books(till, ada) == (5, 0, 0)
