"""What credit notes take back of a bill (rules I2, M2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.rules.credits import credited
from billing.rules.taxes import Charge, charge


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def bill(price: str, rate_ppm: int = 210_000) -> Charge:
    return charge(usd(price), rate_ppm, inclusive=False)


@pytest.mark.rule("I2")
def test_a_whole_bill_is_taken_back_as_it_was_charged() -> None:
    charged = bill("10.00")
    assert credited(charged, usd("0"), usd("12.10")) == charged


@pytest.mark.rule("I2")
def test_a_part_takes_back_its_share_of_the_tax() -> None:
    part = credited(bill("10.00"), usd("0"), usd("6.05"))
    assert (part.net, part.tax, part.rounding) == (usd("5.00"), usd("1.05"), usd("0"))


@pytest.mark.rule("I2")
@pytest.mark.parametrize(("before", "amount"), [("0", "12.11"), ("12.00", "0.11"), ("1.00", "0")])
def test_more_than_is_left_and_nothing_are_refused(before: str, amount: str) -> None:
    with pytest.raises(ValueError, match="of a bill of"):
        credited(bill("10.00"), usd(before), usd(amount))


@pytest.mark.rule("M2")
@given(
    price=st.integers(1, 10**10),
    rate_ppm=st.integers(0, 300_000),
    parts=st.lists(st.integers(1, 100), min_size=1, max_size=8),
)
def test_notes_that_add_up_to_the_bill_take_back_exactly_its_parts(
    price: int, rate_ppm: int, parts: list[int]
) -> None:
    charged = charge(Money(price * 100, "USD"), rate_ppm, inclusive=False)
    if not charged.total.amount_micros:
        return
    before, notes = Money(0, "USD"), []
    for place, part in enumerate(parts):
        left = charged.total - before
        amount = left if place == len(parts) - 1 else left.prorated(part, 101)
        if not amount.amount_micros:
            continue
        note = credited(charged, before, amount)
        assert note.total == note.net + note.tax + note.rounding
        notes.append(note)
        before = before + amount
    zero = Money(0, "USD")
    assert before == charged.total
    assert sum((note.net for note in notes), zero) == charged.net
    assert sum((note.tax for note in notes), zero) == charged.tax
    assert sum((note.rounding for note in notes), zero) == charged.rounding
