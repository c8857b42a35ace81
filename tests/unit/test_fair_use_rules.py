"""Steps of fair use: how they are written, which is in force, what is refused (rule Q2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.model.fair_use import FairUseStep, fair_use_steps, fair_use_text
from billing.model.plan import PlanTerms
from billing.model.quantities import read_fair_use, show_fair_use
from billing.rules.fair_use import problems, slowed, step_in_force

GB = 10**9
STEPS = (FairUseStep(50 * GB, 2_000), FairUseStep(100 * GB, 512))
TEXT = "50000000000:2000 100000000000:512"
PLAN = PlanTerms(
    plan_version_id=0,
    plan_name="Home",
    price_micros=30_000_000,
    currency="USD",
    validity_months=1,
    speed_down_kbps=20_000,
)


@pytest.mark.rule("Q2")
@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (0, None),
        (50 * GB - 1, None),
        (50 * GB, STEPS[0]),
        (100 * GB - 1, STEPS[0]),
        (100 * GB, STEPS[1]),
        (10**15, STEPS[1]),
    ],
)
def test_the_step_in_force(used: int, expected: FairUseStep | None) -> None:
    assert step_in_force(STEPS, used) == expected
    assert step_in_force((), used) is None


@pytest.mark.rule("Q2")
def test_no_step_makes_anything_faster() -> None:
    assert slowed(None, STEPS[0]) == 2_000
    assert slowed(10_000, STEPS[0]) == 2_000
    assert slowed(256, STEPS[0]) == 256


def test_steps_are_written_as_people_say_them() -> None:
    assert read_fair_use("50GB:2M, 100GB:512k") == TEXT
    assert show_fair_use(TEXT) == "50GB:2M, 100GB:512k"
    assert read_fair_use("  ") is None
    assert show_fair_use(None) == ""
    assert fair_use_steps(TEXT) == STEPS
    assert fair_use_text(STEPS) == TEXT
    assert fair_use_text(()) is None
    for wrong in ("50GB", "50GB:fast", "much:2M", "50GB:2M:3"):
        with pytest.raises(ValueError, match="is not"):
            read_fair_use(wrong)


@pytest.mark.rule("Q2")
@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (TEXT, None),
        (None, None),
        ("100:512 50:256", "after more data"),
        ("50:512 100:512", "be slower"),
        ("0:512", "above 0"),
        ("50:0", "above 0"),
        ("50:20000", "slower than the plan"),
        (" ".join(f"{number}:{100 - number}" for number in range(1, 8)), "5 are the most"),
        ("fast", "50GB:2M"),
    ],
)
def test_impossible_steps_are_refused(steps: str | None, reason: str | None) -> None:
    found = problems(replace(PLAN, fair_use=steps))
    if reason is None:
        assert found == []
    else:
        assert all(field == "fair_use" for field, _ in found)
        assert any(reason in text for _, text in found)


def test_a_step_behind_the_end_of_the_data_is_refused() -> None:
    found = problems(replace(PLAN, octets=100 * GB, fair_use=TEXT))
    assert found == [("fair_use", "no step can be reached after the plan's data is used up")]
