"""Reservations under random logins, reports, losses and repeats, and wrong meters (rule Q4)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from billing.errors import Unavailable
from billing.settings import Settings
from tests.integration.meter_world import MeterWorld
from tests.simulation.grants import GrantPlay
from tests.simulation.mutants import GRANT_MUTANTS, Mutant, original

pytestmark = pytest.mark.rule("Q4")
SEEDS = range(40)
STEPS = 60


@pytest.fixture(scope="module")
def world(settings: Settings) -> Iterator[MeterWorld]:
    opened = MeterWorld(settings, name="grants")
    yield opened
    opened.close()


def wrong_at(world: MeterWorld, seed: int) -> str | None:
    try:
        return GrantPlay(world, seed).play(STEPS)
    except (psycopg.Error, Unavailable, AssertionError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_agree_after_every_step(world: MeterWorld, seed: int) -> None:
    assert GrantPlay(world, seed).play(STEPS) is None


@pytest.fixture
def wrong(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Mutant]:
    mutant: Mutant = request.param
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as owner:
        owner.execute(mutant.source().encode())
        yield mutant
        owner.execute(original(mutant.function).encode())


@pytest.mark.parametrize("wrong", GRANT_MUTANTS, ids=lambda mutant: mutant.name, indirect=True)
def test_wrong_reservations_are_caught(world: MeterWorld, wrong: Mutant) -> None:
    assert any(wrong_at(world, seed) for seed in SEEDS), wrong.name
