"""Which steps of a dunning schedule are due, what they cost, and which are refused (rule I5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.model.dunning import DunningSchedule, DunningStep, OpenBill
from billing.model.dunning_text import read_step, step_text, step_words
from billing.model.money import Money
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.rules.dunning import (
    due_steps,
    late_fee,
    next_steps,
    planned,
    renewed,
)
from billing.rules.dunning_problems import DAYS_LIMIT, STEPS_LIMIT, problems

pytestmark = pytest.mark.rule("I5")

FRIENDLY = DunningStep(days=-3, reminds=True)
FIRST = DunningStep(days=7, reminds=True, fee_micros=5_000_000)
FEE_ONLY = DunningStep(days=14, fee_micros=2_000_000, fee_ppm=20_000)
LAST = DunningStep(days=21, reminds=True)
SCHEDULE = DunningSchedule(steps=(FRIENDLY, FIRST, FEE_ONLY, LAST))
BILL = OpenBill(
    issued_on=date(2026, 3, 1),
    due_on=date(2026, 3, 11),
    open_micros=62_260_000,
    currency="USD",
)
MONTHLY = BillingProfile(name="m", kind=BillingKind.MONTHLY, payment=Payment.POSTPAID)
DAILY = BillingProfile(name="d", kind=BillingKind.DAILY, payment=Payment.PREPAID)


def due(today: date, bill: OpenBill = BILL, schedule: DunningSchedule = SCHEDULE) -> list:
    """Day of the step, whether it reminds, its fee in cents."""
    return [
        (one.step.days, one.reminds, one.fee_micros // 10_000)
        for one in due_steps(schedule, bill, today)
    ]


def test_a_step_is_due_from_its_local_day_on() -> None:
    assert due(date(2026, 3, 7)) == []
    assert due(date(2026, 3, 8)) == [(-3, True, 0)]
    done = replace(BILL, done=frozenset({-3}))
    assert due(date(2026, 3, 17), done) == []
    assert due(date(2026, 3, 18), done) == [(7, True, 500)]
    assert [one.on for one in due_steps(SCHEDULE, done, date(2026, 3, 20))] == [date(2026, 3, 18)]


def test_after_downtime_all_fees_are_charged_in_order_and_one_reminder_is_sent() -> None:
    assert due(date(2026, 3, 25)) == [(-3, False, 0), (7, True, 500), (14, False, 325)]
    assert due(date(2026, 4, 1)) == [
        (-3, False, 0),
        (7, False, 500),
        (14, False, 325),
        (21, True, 0),
    ]
    shuffled = DunningSchedule(steps=(LAST, FEE_ONLY, FRIENDLY, FIRST))
    assert due(date(2026, 4, 1), schedule=shuffled) == due(date(2026, 4, 1))


def test_what_was_done_is_not_due_again() -> None:
    done = replace(BILL, done=frozenset({-3, 7, 14}))
    assert due(date(2026, 4, 1), done) == [(21, True, 0)]
    assert due(date(2027, 1, 1), replace(done, done=frozenset({-3, 7, 14, 21}))) == []


@pytest.mark.rule("B19")
def test_a_promise_holds_steps_back_until_its_day_is_over() -> None:
    bill = replace(BILL, promise_until=date(2026, 3, 20), done=frozenset({-3}))
    assert due(date(2026, 3, 18), bill) == []
    assert due(date(2026, 3, 20), bill) == []
    assert due(date(2026, 3, 21), bill) == [(7, True, 500)]
    ahead = next_steps(SCHEDULE, bill, date(2026, 3, 18))
    assert [one.on for one in ahead] == [date(2026, 3, day) for day in (21, 25)] + [
        date(2026, 4, 1)
    ]
    over = next_steps(SCHEDULE, bill, date(2026, 3, 22))
    assert [one.on for one in over] == [date(2026, 3, day) for day in (22, 25)] + [date(2026, 4, 1)]


def test_a_bill_with_nothing_or_little_open_is_left_alone() -> None:
    assert due(date(2026, 4, 1), replace(BILL, open_micros=0)) == []
    tolerant = replace(SCHEDULE, tolerance_micros=1_000_000)
    assert due(date(2026, 4, 1), replace(BILL, open_micros=999_999), tolerant) == []
    assert len(due(date(2026, 4, 1), replace(BILL, open_micros=1_000_000), tolerant)) == 4
    assert len(due(date(2026, 4, 1), replace(BILL, open_micros=1))) == 4


def test_days_up_to_the_issue_are_left_out() -> None:
    late = replace(BILL, issued_on=date(2026, 3, 18))
    assert due(date(2026, 3, 30), late) == [(14, False, 325)]
    earlier = planned(SCHEDULE, replace(late, issued_on=date(2026, 3, 17)))
    assert [one.step.days for one in earlier] == [7, 14, 21]


def test_days_before_a_step_was_set_are_left_out() -> None:
    def since(day: int) -> DunningSchedule:
        return DunningSchedule(steps=(replace(FIRST, since=date(2026, 3, day)),))

    assert due(date(2026, 3, 30), schedule=since(18)) == [(7, True, 500)]
    assert due(date(2026, 3, 30), schedule=since(19)) == []


@pytest.mark.parametrize(
    ("step", "open_micros", "fee"),
    [
        (replace(FIRST, fee_micros=5_000_000, fee_ppm=20_000), 62_260_000, "6.25 USD"),
        (replace(FIRST, fee_micros=5_000_000, fee_ppm=20_000, fee_most_micros=6_000_000),
         62_260_000, "6.00 USD"),
        (replace(FIRST, fee_micros=5_000_000, fee_ppm=20_000, fee_most_micros=6_250_000),
         62_260_000, "6.25 USD"),
        (replace(FIRST, fee_micros=0, fee_ppm=1_000_000), 62_260_000, "62.26 USD"),
        (replace(FIRST, fee_micros=0, fee_ppm=5_000), 990_000, "0.00 USD"),
        (replace(FIRST, fee_micros=0, fee_ppm=5_000), 1_000_000, "0.01 USD"),
        (FRIENDLY, 62_260_000, "0.00 USD"),
    ],
)  # fmt: skip
def test_a_fee_is_fixed_and_a_share_of_what_is_open(
    step: DunningStep, open_micros: int, fee: str
) -> None:
    amount = late_fee(step, Money(open_micros, "USD"))
    assert str(amount) == fee
    assert amount == amount.rounded()


def test_a_changed_step_begins_anew_and_the_others_go_on() -> None:
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    stored = renewed(DunningSchedule(), DunningSchedule(steps=(FIRST, LAST)), march)
    assert [one.since for one in stored.steps] == [march, march]
    dearer = replace(FIRST, fee_micros=6_000_000)
    again = renewed(stored, DunningSchedule(steps=(LAST, FRIENDLY, dearer)), april)
    assert [(one.days, one.since) for one in again.steps] == [
        (-3, april),
        (7, april),
        (21, march),
    ]
    assert renewed(stored, replace(stored, steps=(FIRST, LAST)), april) == stored


def test_who_was_tolerated_is_not_charged_for_the_days_before() -> None:
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    stored = replace(
        renewed(DunningSchedule(), DunningSchedule(steps=(LAST,)), march), tolerance_micros=20
    )
    for tolerance, since in ((19, april), (20, march), (21, march)):
        wanted = replace(stored, tolerance_micros=tolerance, reconnection_fee_micros=7)
        found = renewed(stored, wanted, april)
        assert [one.since for one in found.steps] == [since]
        assert (found.tolerance_micros, found.reconnection_fee_micros) == (tolerance, 7)


def wrong(schedule: DunningSchedule, profile: BillingProfile = MONTHLY) -> list[tuple[str, str]]:
    return problems(schedule, profile, "USD")


def steps(*wanted: DunningStep) -> DunningSchedule:
    return DunningSchedule(steps=wanted)


def test_a_sound_schedule_has_no_problem() -> None:
    assert wrong(SCHEDULE) == []
    assert wrong(DunningSchedule(), DAILY) == []
    edge = replace(FIRST, days=DAYS_LIMIT, fee_ppm=1_000_000, fee_most_micros=10_000)
    assert wrong(steps(replace(FRIENDLY, days=-DAYS_LIMIT), edge, replace(FIRST, days=1))) == []
    many = [DunningStep(days=day, reminds=True) for day in range(STEPS_LIMIT + 1)]
    assert wrong(steps(*many[1:])) == []
    assert wrong(steps(*many)) == [("steps", "at most 20")]


@pytest.mark.parametrize(
    ("schedule", "field", "reason"),
    [
        (steps(FIRST, replace(LAST, days=7)), "steps", "two on the same day, 7"),
        (steps(replace(FIRST, fee_micros=-1)), "steps", "day 7: the fee must be 0 or more"),
        (steps(replace(FIRST, fee_micros=5_001_000)), "steps", "smallest unit of USD"),
        (steps(replace(FIRST, fee_ppm=1_000_001)), "steps", "percentage must be 0 to 100"),
        (steps(replace(FIRST, fee_ppm=-1)), "steps", "percentage must be 0 to 100"),
        (steps(replace(FIRST, days=0)), "steps", "the whole of the payment date is payable"),
        (steps(DunningStep(days=7)), "steps", "does nothing"),
        (steps(replace(LAST, days=366)), "steps", "-365 to 365"),
        (steps(replace(LAST, days=-366)), "steps", "-365 to 365"),
        (steps(replace(FIRST, fee_most_micros=10_000)), "steps", "is for a percentage"),
        (steps(replace(FEE_ONLY, fee_most_micros=0)), "steps", "bound must be more than zero"),
        (steps(replace(FEE_ONLY, fee_most_micros=-1)), "steps", "bound must be 0 or more"),
        (DunningSchedule(tolerance_micros=-1), "tolerance", "must be 0 or more"),
        (DunningSchedule(reconnection_fee_micros=-1), "reconnection_fee", "must be 0 or more"),
        (DunningSchedule(reconnection_fee_micros=1), "reconnection_fee", "finer than"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(
    schedule: DunningSchedule, field: str, reason: str
) -> None:
    ((found, words),) = wrong(schedule)
    assert found == field
    assert reason in words


def test_a_daily_profile_is_not_dunned() -> None:
    schedule = replace(steps(FIRST), reconnection_fee_micros=1_000_000)
    assert [field for field, _ in wrong(schedule, DAILY)] == ["steps", "reconnection_fee"]


@pytest.mark.parametrize(
    ("text", "step", "words"),
    [
        ("-3 remind", FRIENDLY, "reminds"),
        ("7 remind fee 5.00", FIRST, "reminds, fee 5.00 USD"),
        ("14 fee 2.00 2%", FEE_ONLY, "fee 2.00 USD and 2% of what is open"),
        ("14 fee 2% 2.00", FEE_ONLY, "fee 2.00 USD and 2% of what is open"),
        ("30 fee 1.5% most 20.00 remind",
         DunningStep(days=30, reminds=True, fee_ppm=15_000, fee_most_micros=20_000_000),
         "reminds, fee 1.5% of what is open, 20.00 USD at most"),
    ],
)  # fmt: skip
def test_steps_are_written_and_read(text: str, step: DunningStep, words: str) -> None:
    assert read_step(text, "USD") == step
    assert step_words(step, "USD") == words


@pytest.mark.parametrize(
    "text",
    ["-3 remind", "7 remind fee 5.00", "14 fee 2.00 2%", "30 remind fee 1.5% most 20.00",
     "60 fee 0.0001%", "90 fee 12.34 most 20.00"],
)  # fmt: skip
def test_what_is_written_of_a_step_is_read_as_the_same(text: str) -> None:
    assert step_text(read_step(text, "USD"), "USD") == text


@pytest.mark.parametrize(
    "text",
    ["", "soon remind", "7 shout", "7 fee", "7 fee five", "7 fee 1.00 2.00", "7 fee 1% 2%",
     "7 fee x%", "7 fee 0.00001%", "7 fee nan%", "7 most", "7 remind remind",
     "7 most 1.00 most 2.00", "7 fee remind", "7 fee 0.00"],
)  # fmt: skip
def test_steps_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"step|days|understood|too much|amount|percentage"):
        read_step(text, "USD")
