"""When a wallet is recharged by itself, and what a decline means (rule P7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.model.payments import DeclineKind
from billing.rules.recharge import (
    Declined,
    Judgement,
    Spent,
    Terms,
    Verdict,
    after_decline,
    judge,
    problems,
)

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
DAY_ENDS, MONTH_ENDS = datetime(2026, 3, 21, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TERMS = Terms(threshold_micros=50, amount_micros=200)
NOTHING = Spent(day_micros=0, month_micros=0, day_ends_at=DAY_ENDS, month_ends_at=MONTH_ENDS)
V = Verdict


def look(
    available: int, terms: Terms = TERMS, spent: Spent = NOTHING, *, pending: bool = False
) -> Judgement:
    return judge(terms, available, spent, NOW, pending=pending)


@pytest.mark.rule("P7")
@pytest.mark.parametrize(
    ("available", "verdict"), [(51, V.ENOUGH), (50, V.DUE), (49, V.DUE), (-9, V.DUE)]
)
def test_the_threshold_itself_is_low_enough(available: int, verdict: Verdict) -> None:
    below = 51 if verdict is V.ENOUGH else None
    assert look(available) == Judgement(verdict=verdict, look_below_micros=below)


@pytest.mark.rule("P7")
def test_one_at_a_time() -> None:
    assert look(0, pending=True) == Judgement(verdict=V.PENDING)
    assert look(99, pending=True) == Judgement(verdict=V.PENDING)


def test_a_pause_holds_whatever_else() -> None:
    assert look(0, replace(TERMS, paused=True)) == Judgement(verdict=V.PAUSED)
    assert look(99, replace(TERMS, paused=True), pending=True).verdict is V.PAUSED


@pytest.mark.rule("P7")
@pytest.mark.parametrize(
    ("cap_day", "cap_month", "day", "month", "expected"),
    [
        (400, None, 200, 200, Judgement(verdict=V.DUE)),
        (399, None, 200, 200, Judgement(verdict=V.CAPPED, look_at=DAY_ENDS)),
        (None, 600, 0, 400, Judgement(verdict=V.DUE)),
        (None, 599, 0, 400, Judgement(verdict=V.CAPPED, look_at=MONTH_ENDS)),
        (200, 599, 200, 400, Judgement(verdict=V.CAPPED, look_at=MONTH_ENDS)),
        (200, 200, 0, 0, Judgement(verdict=V.DUE)),
    ],
)
def test_caps_of_day_and_month(
    cap_day: int | None, cap_month: int | None, day: int, month: int, expected: Judgement
) -> None:
    terms = replace(TERMS, cap_day_micros=cap_day, cap_month_micros=cap_month)
    spent = replace(NOTHING, day_micros=day, month_micros=month)
    assert look(50, terms, spent) == expected
    assert look(51, terms, spent).verdict is V.ENOUGH


@pytest.mark.rule("P7")
def test_a_decline_waits_for_its_retry() -> None:
    waiting = replace(TERMS, declines=1, retry_at=NOW + timedelta(seconds=1))
    assert look(0, waiting) == Judgement(verdict=V.RETRIES, look_at=waiting.retry_at)
    assert look(0, replace(waiting, retry_at=NOW)).verdict is V.DUE
    assert look(51, waiting).verdict is V.ENOUGH


@pytest.mark.rule("P7")
def test_three_retries_a_day_apart_then_a_pause() -> None:
    tries, at, declines = [], NOW, 0
    while True:
        after = after_decline(declines, DeclineKind.SOFT, at)
        declines = after.declines
        if after.retry_at is None:
            break
        tries.append(after.retry_at - at)
        at = after.retry_at
    assert tries == [timedelta(hours=24)] * 3
    assert declines == 4


@pytest.mark.parametrize("kind", [DeclineKind.HARD, DeclineKind.AUTHENTICATION])
def test_what_no_retry_helps_pauses_at_once(kind: DeclineKind) -> None:
    assert after_decline(1, kind, NOW) == Declined(declines=1, retry_at=None)


def test_what_cannot_be_set() -> None:
    assert problems(TERMS) == []
    assert problems(replace(TERMS, threshold_micros=0)) == []
    assert problems(replace(TERMS, cap_day_micros=200, cap_month_micros=200)) == []
    bad = replace(TERMS, threshold_micros=-1, cap_day_micros=199, cap_month_micros=199)
    too_low = "is less than one recharge, which could never be made"
    assert problems(bad) == [
        ("threshold", "must be 0 or more"),
        ("cap_day", too_low),
        ("cap_month", too_low),
    ]
