"""What becomes of a payment: every state and every event (rules P1, M5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.model.payments import (
    Outcome,
    PaymentEvent,
    PaymentState,
    Unpayable,
    from_minor,
    to_minor,
)
from billing.rules.payments import (
    GIVEN_UP_AFTER,
    Effect,
    Standing,
    Step,
    event_of,
    next_look_up,
    paid_state,
    step,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
S, E = PaymentState, PaymentEvent
PAID = (S.SUCCEEDED, S.PARTLY_REFUNDED, S.REFUNDED, S.CHARGED_BACK)
UNPAID = (S.CREATED, S.PENDING, S.UNKNOWN, S.FAILED, S.CANCELLED)


def standing(state: PaymentState, refunded: int = 0, charged_back: int = 0) -> Standing:
    if state is S.PARTLY_REFUNDED:
        refunded = 40
    if state is S.REFUNDED:
        refunded = 100
    if state is S.CHARGED_BACK:
        charged_back = 100
    return Standing(
        state=state,
        amount_micros=100,
        refunded_micros=refunded,
        charged_back_micros=charged_back,
    )


def after(state: PaymentState, event: PaymentEvent, amount: int = 0) -> tuple[S, Effect]:
    found = step(standing(state), event, amount)
    return found.state, found.effect


# Every state and every event that is no reversal; what is not listed changes nothing.
CHANGES = {
    (S.CREATED, E.SENT): S.PENDING,
    (S.CREATED, E.NO_ANSWER): S.UNKNOWN,
    (S.CREATED, E.WAITS): S.PENDING,
    (S.CREATED, E.DECLINED): S.FAILED,
    (S.CREATED, E.CANCELLED): S.CANCELLED,
    (S.PENDING, E.NO_ANSWER): S.UNKNOWN,
    (S.PENDING, E.DECLINED): S.FAILED,
    (S.PENDING, E.CANCELLED): S.CANCELLED,
    (S.UNKNOWN, E.WAITS): S.PENDING,
    (S.UNKNOWN, E.DECLINED): S.FAILED,
    (S.UNKNOWN, E.CANCELLED): S.CANCELLED,
    **{(state, E.PAID): S.SUCCEEDED for state in UNPAID},
}


@pytest.mark.rule("M5")
@pytest.mark.parametrize(
    ("state", "event"), list(product(S, [event for event in E if not event.is_reversal]))
)
def test_every_state_knows_every_event(state: S, event: E) -> None:
    expected = CHANGES.get((state, event), state)
    effect = Effect.CREDIT if event is E.PAID and state in UNPAID else Effect.NONE
    assert after(state, event) == (expected, effect)


@pytest.mark.parametrize(
    ("state", "event"), list(product(UNPAID, [event for event in E if event.is_reversal]))
)
def test_a_reversal_waits_for_its_payment(state: S, event: E) -> None:
    found = step(standing(state), event, 30)
    assert found == Step(state=state, refunded_micros=0, charged_back_micros=0, waits=True)


@pytest.mark.parametrize(
    ("state", "event", "amount", "expected", "effect"),
    [
        (S.SUCCEEDED, E.REFUNDED, 30, (S.PARTLY_REFUNDED, 30, 0), Effect.DEBIT),
        (S.SUCCEEDED, E.REFUNDED, 100, (S.REFUNDED, 100, 0), Effect.DEBIT),
        (S.SUCCEEDED, E.CHARGED_BACK, 30, (S.CHARGED_BACK, 0, 30), Effect.DEBIT),
        (S.SUCCEEDED, E.CHARGED_BACK, 100, (S.CHARGED_BACK, 0, 100), Effect.DEBIT),
        (S.PARTLY_REFUNDED, E.REFUNDED, 60, (S.REFUNDED, 100, 0), Effect.DEBIT),
        (S.PARTLY_REFUNDED, E.REFUNDED, 59, (S.PARTLY_REFUNDED, 99, 0), Effect.DEBIT),
        (S.PARTLY_REFUNDED, E.CHARGED_BACK, 100, (S.CHARGED_BACK, 40, 100), Effect.DEBIT),
        (S.REFUNDED, E.CHARGED_BACK, 1, (S.CHARGED_BACK, 100, 1), Effect.DEBIT),
        (S.CHARGED_BACK, E.CHARGEBACK_WON, 100, (S.SUCCEEDED, 0, 0), Effect.RETURN),
        (S.CHARGED_BACK, E.CHARGEBACK_WON, 60, (S.CHARGED_BACK, 0, 40), Effect.RETURN),
        (S.SUCCEEDED, E.REFUND_FAILED, 0, (S.SUCCEEDED, 0, 0), Effect.RELEASE),
        (S.PARTLY_REFUNDED, E.REFUND_FAILED, 0, (S.PARTLY_REFUNDED, 40, 0), Effect.RELEASE),
        (S.PARTLY_REFUNDED, E.REFUND_FAILED, 40, (S.SUCCEEDED, 0, 0), Effect.RETURN),
        (S.REFUNDED, E.REFUND_FAILED, 30, (S.PARTLY_REFUNDED, 70, 0), Effect.RETURN),
    ],
)
def test_parts_are_given_back(
    state: S, event: E, amount: int, expected: tuple[S, int, int], effect: Effect
) -> None:
    found = step(standing(state), event, amount)
    assert (found.state, found.refunded_micros, found.charged_back_micros) == expected
    assert (found.effect, found.problem, found.waits) == (effect, "", False)


@pytest.mark.parametrize(
    ("state", "event", "amount"),
    [
        (S.SUCCEEDED, E.REFUNDED, 101),
        (S.PARTLY_REFUNDED, E.REFUNDED, 61),
        (S.REFUNDED, E.REFUNDED, 1),
        (S.CHARGED_BACK, E.CHARGED_BACK, 1),
        (S.SUCCEEDED, E.CHARGED_BACK, 101),
        (S.SUCCEEDED, E.CHARGEBACK_WON, 1),
        (S.CHARGED_BACK, E.CHARGEBACK_WON, 101),
        (S.SUCCEEDED, E.REFUNDED, 0),
        (S.SUCCEEDED, E.REFUNDED, -5),
        (S.SUCCEEDED, E.CHARGED_BACK, -5),
        (S.PARTLY_REFUNDED, E.REFUND_FAILED, 41),
        (S.SUCCEEDED, E.REFUND_FAILED, 1),
    ],
)
def test_no_more_is_given_back_than_there_is(state: S, event: E, amount: int) -> None:
    before = standing(state)
    found = step(before, event, amount)
    assert (found.state, found.effect) == (state, Effect.NONE)
    assert (found.refunded_micros, found.charged_back_micros) == (
        before.refunded_micros,
        before.charged_back_micros,
    )
    assert found.problem


@pytest.mark.rule("M5")
@pytest.mark.parametrize(
    "order", list(permutations([E.WAITS, E.DECLINED, E.PAID, E.PAID, E.CANCELLED]))
)
def test_money_that_came_is_credited_once_in_any_order(order: tuple[E, ...]) -> None:
    state, credits = S.PENDING, 0
    for event in order:
        found = step(standing(state), event)
        state, credits = found.state, credits + (found.effect is Effect.CREDIT)
    assert (state, credits) == (S.SUCCEEDED, 1)


@given(st.lists(st.tuples(st.sampled_from(E), st.integers(-20, 120)), max_size=30))
def test_the_books_follow_the_states(events: list[tuple[E, int]]) -> None:
    """Whatever comes: what was credited less what was taken back is what the state says."""
    now, balance = standing(S.CREATED), 0
    for event, amount in events:
        found = step(now, event, amount)
        if found.effect is Effect.CREDIT:
            balance += now.amount_micros
        elif found.effect is Effect.DEBIT:
            balance -= amount
        elif found.effect is Effect.RETURN:
            balance += amount
        now = Standing(
            state=found.state,
            amount_micros=100,
            refunded_micros=found.refunded_micros,
            charged_back_micros=found.charged_back_micros,
        )
        kept = now.refunded_micros + now.charged_back_micros
        assert balance == (100 - kept if now.state.has_paid else 0)
        assert 0 <= now.refunded_micros <= 100 and 0 <= now.charged_back_micros <= 100
        if now.state.has_paid:
            assert now.state is paid_state(100, now.refunded_micros, now.charged_back_micros)


def test_what_a_provider_does_not_know_may_be_on_its_way() -> None:
    early, late = NOW + GIVEN_UP_AFTER - timedelta(seconds=1), NOW + GIVEN_UP_AFTER
    assert event_of(Outcome.NOT_FOUND, NOW, early) is E.NO_ANSWER
    assert event_of(Outcome.NOT_FOUND, NOW, late) is E.DECLINED
    assert event_of(Outcome.NOT_FOUND, None, late) is E.NO_ANSWER
    assert [event_of(one, NOW, late) for one in Outcome if one is not Outcome.NOT_FOUND] == [
        E.PAID,
        E.WAITS,
        E.DECLINED,
        E.CANCELLED,
        E.NO_ANSWER,
    ]


@pytest.mark.rule("P1")
def test_why_a_reversal_does_nothing_is_told() -> None:
    paid = standing(S.SUCCEEDED)
    assert step(paid, E.REFUNDED).problem == "it names no amount"
    assert step(paid, E.REFUNDED, 101).problem == "it is more than the payment has left"
    # A refund that failed on its way names none: what was held for it is free.
    assert step(paid, E.REFUND_FAILED).effect is Effect.RELEASE


def test_outcomes_are_asked_for_less_and_less_often() -> None:
    waits = [(next_look_up(count, NOW) - NOW).total_seconds() for count in (0, 1, 2, 6, 7, 10_000)]
    assert waits == [30, 60, 120, 1920, 3600, 3600]


@pytest.mark.rule("M1")
def test_minor_units() -> None:
    assert to_minor(Money(12_340_000, "USD")) == 1234
    assert to_minor(Money(500_000_000, "JPY")) == 500
    assert to_minor(Money(1_234_000, "KWD")) == 1234
    for currency, units in (("USD", 1234), ("JPY", 500), ("KWD", 1234)):
        assert to_minor(from_minor(units, currency)) == units
    with pytest.raises(Unpayable):
        to_minor(Money(12_345_678, "USD"))


def test_which_states_are_open_and_paid() -> None:
    assert [state for state in S if state.is_open] == [S.CREATED, S.PENDING, S.UNKNOWN]
    assert tuple(state for state in S if state.has_paid) == PAID
