"""Random years of billing against a model that shares no code with the product (rules B6, B7, B9,
B11, B17, B19, I1, I2, I4, M2, M3, M4): time zones at both ends, DST, leap days, month ends,
downtime."""

from __future__ import annotations

import hypothesis
import pytest

from billing.services.context import Context
from tests.factories import Factory
from tests.life.daily import DailyLife
from tests.life.life import KINDS, Life

# UTC−11, both kinds of DST (half an hour in one), an offset of 45 minutes, UTC+14.
ZONES = (
    "Pacific/Pago_Pago",
    "Europe/Madrid",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
)
SEARCHES = 40
"""Lives of each zone with `./run test --all`."""


def searching() -> bool:
    """Whether new examples are looked for."""
    return hypothesis.settings().max_examples > 100


@pytest.mark.rule("B6")
@pytest.mark.rule("B7")
@pytest.mark.rule("B17")
@pytest.mark.rule("I1")
@pytest.mark.rule("I5")
@pytest.mark.rule("M3")
@pytest.mark.parametrize("zone", ZONES)
def test_years_of_bills_come_to_what_the_rules_say(
    context: Context, make: Factory, zone: str
) -> None:
    # From the autumn of 2023: both changes of the clock, the leap day, every month's end.
    for seed in range(SEARCHES if searching() else 1):
        kind = KINDS[(ZONES.index(zone) + seed) % len(KINDS)]
        life = Life(context, make, seed, zone, people=3, kind=kind)
        life.live(days=1500 if searching() else 400)


@pytest.mark.rule("B2")
@pytest.mark.rule("B4")
@pytest.mark.rule("B14")
@pytest.mark.rule("P10")
@pytest.mark.rule("S3")
@pytest.mark.parametrize("zone", ZONES)
def test_years_of_packages_come_to_what_the_rules_say(
    context: Context, make: Factory, zone: str
) -> None:
    for seed in range(SEARCHES if searching() else 1):
        DailyLife(context, make, seed, zone, people=3).live(days=1500 if searching() else 300)
