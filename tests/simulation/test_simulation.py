"""Hundreds of thousands of records of many NAS: no difference to the model, no book unbalanced."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import settings as hypothesis_settings

from billing.settings import Settings
from tests.simulation.simulation import simulate

# The same records in every run; `./run test --all` takes more of them, and new ones.
IS_SEARCH = hypothesis_settings().max_examples > 100
SEED = secrets.randbelow(10**6) if IS_SEARCH else 1
EVENTS = 1_000_000 if IS_SEARCH else 200_000


@pytest.mark.rule(
    "U2", "U3", "U4", "U5", "U6", "U7", "U9", "Q1", "Q3", "B4", "P3", "P8", "M6", "C1"
)
def test_the_meter_agrees_with_the_model(settings: Settings) -> None:
    charged = 0
    for outcome in simulate(settings, seed=SEED, events=EVENTS):
        assert outcome.report is None, outcome.report
        charged += outcome.events
    assert charged >= EVENTS
