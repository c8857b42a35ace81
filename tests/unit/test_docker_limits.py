"""What docker-test says and ends with: on CI, elsewhere, and when its time is over."""

from __future__ import annotations

import time

import pytest

from tests.docker.engine import NoEngine, Trouble
from tests.docker.limits import at_most, verdict


def test_on_ci_a_missing_engine_is_told_in_one_line_and_no_failure() -> None:
    code, told = verdict(NoEngine("the engine does not start:\n no cgroups"), ci=True)
    assert code == 0
    assert told == (
        "== docker-test was NOT RUN on this machine: the engine does not start: no cgroups"
    )


def test_elsewhere_a_missing_engine_is_a_failure() -> None:
    code, told = verdict(NoEngine("no cgroups"), ci=False)
    assert code == 1
    assert "no cgroups" in told


@pytest.mark.parametrize("ci", [True, False])
@pytest.mark.parametrize("error", [Trouble("a record is missing"), OSError("no space")])
def test_what_goes_wrong_once_an_engine_runs_is_a_failure_everywhere(
    error: Exception, ci: bool
) -> None:
    code, told = verdict(error, ci=ci)
    assert code == 1
    assert str(error) in told


def test_time_that_is_over_is_trouble_and_what_follows_is_not_disturbed() -> None:
    with pytest.raises(Trouble, match="not done after"), at_most(1, unit_seconds=1):
        time.sleep(30)
    with at_most(None):
        pass
    with at_most(1, unit_seconds=1):
        pass
    time.sleep(1.2)
