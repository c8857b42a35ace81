"""What a wallet pays for (rules P3, P8)."""

from __future__ import annotations

import pytest

from billing.rules.wallets import affordable


@pytest.mark.rule("P3")
@pytest.mark.rule("P8")
@pytest.mark.parametrize(
    ("spendable_micros", "steps"), [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (35, 3)]
)
def test_a_wallet_pays_for_whole_steps_and_for_one_while_anything_is_left(
    spendable_micros: int, steps: int
) -> None:
    found = affordable(spendable_micros, step=60, step_micros=10)
    assert (found, type(found)) == (steps * 60, int)
