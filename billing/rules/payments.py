"""What becomes of a payment: every state and every event, whatever order they come in (P1, M5).

Money that a provider took is ours, whatever we believed before, and is never credited twice: a
payment that was given up counts when it is told to have gone through after all. What is told of
the past (a decline before the card that worked) changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.model.payments import Outcome, PaymentEvent, PaymentState

LEASE = timedelta(seconds=90)
"""How long after a call somebody else may ask what came of it: longer than any call waits."""
GIVEN_UP_AFTER = timedelta(minutes=30)
"""What the provider knows nothing of by then has never reached it."""
_FIRST_LOOK_UP = timedelta(seconds=30)
_LONGEST_BETWEEN = timedelta(hours=1)


class Effect(StrEnum):
    """What a step does to the books. `CREDIT`: the whole payment. `DEBIT`: a part is taken back.
    `RETURN`: what was taken back is given again. `RELEASE`: what was held for a refund is free."""

    NONE = "none"
    CREDIT = "credit"
    DEBIT = "debit"
    RETURN = "return"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A payment before an event, in micros."""

    state: PaymentState
    amount_micros: int
    refunded_micros: int = 0
    charged_back_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The payment after it. `waits`: a reversal of a payment that has not come in yet, as far as
    we know: it is looked at again when it has. `problem`: why nothing was done, in words."""

    state: PaymentState
    refunded_micros: int
    charged_back_micros: int
    effect: Effect = Effect.NONE
    waits: bool = False
    problem: str = ""


def step(standing: Standing, event: PaymentEvent, amount_micros: int = 0) -> Step:
    """`amount_micros`: of a reversal. A refund fails either on its way (0), or has gone and comes
    back (its amount)."""
    if event.is_reversal:
        return _reversal(standing, event, amount_micros)
    state = standing.state
    if event is PaymentEvent.PAID and not state.has_paid:
        return _unchanged(standing, PaymentState.SUCCEEDED, Effect.CREDIT)
    if not state.is_open:
        return _unchanged(standing)
    return _unchanged(standing, _OPEN_TO.get((state, event), _ENDS.get(event, state)))


# A payment that was called must not look as if it were not, or it would be called again.
_OPEN_TO = {
    (PaymentState.CREATED, PaymentEvent.SENT): PaymentState.PENDING,
    (PaymentState.CREATED, PaymentEvent.NO_ANSWER): PaymentState.UNKNOWN,
    (PaymentState.PENDING, PaymentEvent.NO_ANSWER): PaymentState.UNKNOWN,
    (PaymentState.CREATED, PaymentEvent.WAITS): PaymentState.PENDING,
    (PaymentState.UNKNOWN, PaymentEvent.WAITS): PaymentState.PENDING,
}
_ENDS = {
    PaymentEvent.DECLINED: PaymentState.FAILED,
    PaymentEvent.CANCELLED: PaymentState.CANCELLED,
}


def _reversal(standing: Standing, event: PaymentEvent, amount_micros: int) -> Step:
    if not standing.state.has_paid:
        return _unchanged(standing, waits=True)
    if event is PaymentEvent.REFUND_FAILED and not amount_micros:
        return _unchanged(standing, effect=Effect.RELEASE)
    if amount_micros <= 0:
        return _unchanged(standing, problem="it names no amount")
    refunded, charged_back = standing.refunded_micros, standing.charged_back_micros
    effect = Effect.DEBIT
    if event is PaymentEvent.REFUNDED:
        refunded += amount_micros
    elif event is PaymentEvent.CHARGED_BACK:
        charged_back += amount_micros
    elif event is PaymentEvent.REFUND_FAILED:
        refunded -= amount_micros
        effect = Effect.RETURN
    else:
        charged_back -= amount_micros
        effect = Effect.RETURN
    # Each by itself: a bank takes a charge back whatever was refunded of it before.
    whole = standing.amount_micros
    if not (0 <= charged_back <= whole and 0 <= refunded <= whole):
        return _unchanged(standing, problem="it is more than the payment has left")
    return Step(
        state=paid_state(standing.amount_micros, refunded, charged_back),
        refunded_micros=refunded,
        charged_back_micros=charged_back,
        effect=effect,
    )


def paid_state(amount_micros: int, refunded_micros: int, charged_back_micros: int) -> PaymentState:
    """Of a payment that came in."""
    if charged_back_micros:
        return PaymentState.CHARGED_BACK
    if refunded_micros >= amount_micros:
        return PaymentState.REFUNDED
    return PaymentState.PARTLY_REFUNDED if refunded_micros else PaymentState.SUCCEEDED


def _unchanged(
    standing: Standing,
    state: PaymentState | None = None,
    effect: Effect = Effect.NONE,
    waits: bool = False,
    problem: str = "",
) -> Step:
    return Step(
        state=state or standing.state,
        refunded_micros=standing.refunded_micros,
        charged_back_micros=standing.charged_back_micros,
        effect=effect,
        waits=waits,
        problem=problem,
    )


def event_of(outcome: Outcome, sent_at: datetime | None, now: datetime) -> PaymentEvent:
    """What an answer means. What the provider knows nothing of may still be on its way: only after
    GIVEN_UP_AFTER it counts as declined."""
    if outcome is Outcome.NOT_FOUND:
        is_old = sent_at is not None and now >= sent_at + GIVEN_UP_AFTER
        return PaymentEvent.DECLINED if is_old else PaymentEvent.NO_ANSWER
    return PaymentEvent(outcome.value)


def next_look_up(lookups: int, now: datetime) -> datetime:
    """When an outcome is asked for again, after so many times: twice as long each, an hour at
    most."""
    return now + min(_FIRST_LOOK_UP * (1 << min(lookups, 16)), _LONGEST_BETWEEN)
