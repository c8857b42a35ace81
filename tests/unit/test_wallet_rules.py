"""What a wallet pays for (rules P3, P8)."""

from __future__ import annotations

import pytest

from billing.rules.wallets import affordable, needed_top_up, recommended_top_up


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


@pytest.mark.rule("P4", "P8", "P10")
@pytest.mark.parametrize(
    ("available", "limit", "unpaid", "upcoming", "needed"),
    [
        (0, 0, 0, 0, 0),
        (500, 0, 0, 0, 0),
        # Used up is at the limit already: it takes one more.
        (-320, 0, 0, 0, 321),
        (-320, 320, 0, 0, 0),
        (-320, 319, 0, 0, 2),
        (-320, 1000, 0, 0, 0),
        # A bill is not paid from the credit limit.
        (100, 1000, 300, 0, 200),
        (-100, 1000, 300, 0, 300),
        (-1000, 0, 300, 0, 1301),
        (400, 0, 300, 0, 0),
        # The coming period is paid from what is left then, to the last micro.
        (100, 0, 0, 500, 400),
        (500, 0, 0, 500, 0),
        (600, 0, 0, 500, 0),
        (100, 200, 0, 500, 200),
        (-100, 0, 0, 500, 600),
        (400, 0, 300, 500, 400),
        # What the credit limit covers of the coming period pays no bill.
        (100, 1000, 300, 500, 200),
    ],
)
def test_what_a_wallet_needs(
    available: int, limit: int, unpaid: int, upcoming: int, needed: int
) -> None:
    assert needed_top_up(available, limit, unpaid_micros=unpaid, upcoming_micros=upcoming) == needed


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    ("needed", "uninvoiced", "usual", "recommended"),
    [(3, 2, 1, 3), (1, 3, 2, 3), (1, 2, 3, 3), (0, 0, 0, 0)],
)
def test_what_a_customer_is_advised_to_top_up(
    needed: int, uninvoiced: int, usual: int, recommended: int
) -> None:
    assert recommended_top_up(needed, uninvoiced, usual) == recommended
