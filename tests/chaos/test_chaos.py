"""Kill -9 at random moments: no acknowledged record lost, none charged twice, everybody cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import ROUTERS, run
from tests.radius.installation import installation

SEED = 1
KILLS = 50


@pytest.mark.rule("U1", "U2", "C1")
def test_kills_at_random_moments_cost_nothing(product_copy: Path, tmp_path: Path) -> None:
    with installation(product_copy) as isp:
        found = run(isp, product_copy, tmp_path, seed=SEED, kills=KILLS)
    assert not found.lost, found
    assert not found.wrong, found.wrong
    assert not found.left_alone, found.left_alone
    assert found.sessions >= ROUTERS
    assert found.acknowledged > found.sessions * 90
    assert found.between > 0
