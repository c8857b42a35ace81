"""Where money of nobody may belong (rule P1)."""

from __future__ import annotations

import pytest

from billing.model.suspense import Hit, Why
from billing.rules.suspense import proposals, words_of


def hit(why: Why, customer_id: int, number: str = "", units: int = 0) -> Hit:
    return Hit(
        why=why,
        customer_id=customer_id,
        customer_name=f"C{customer_id}",
        number=number,
        open_micros=units * 1_000_000,
    )


@pytest.mark.rule("P1")
def test_what_most_speaks_for_stands_first() -> None:
    found = proposals(
        [
            hit(Why.NAME, 4),
            hit(Why.AMOUNT, 3, "INV-9", 30),
            hit(Why.AMOUNT, 2, "INV-7", 30),
            hit(Why.NAME, 2),
            hit(Why.REFERENCE, 1, "INV-1", 5),
            hit(Why.PAYMENT, 5),
        ]
    )
    assert [(one.customer_id, one.number, one.weight) for one in found] == [
        (5, "", 8),
        (1, "INV-1", 4),
        (2, "INV-7", 3),
        (3, "INV-9", 2),
        (4, "", 1),
    ]
    assert found[2].why == {Why.AMOUNT, Why.NAME}
    assert (found[1].customer_name, found[1].open_micros) == ("C1", 5_000_000)


def test_a_customer_is_proposed_by_its_bills_where_one_fits() -> None:
    found = proposals(
        [hit(Why.REFERENCE, 1), hit(Why.AMOUNT, 1, "INV-2", 3), hit(Why.AMOUNT, 1, "INV-1", 3)]
    )
    assert [(one.number, one.weight) for one in found] == [("INV-1", 6), ("INV-2", 6)]
    again = [hit(Why.NAME, 1), hit(Why.NAME, 1)]
    assert [(one.number, one.weight) for one in proposals(again)] == [("", 1)]
    assert proposals([]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LIND, Greta: INV-7", ["greta", "inv", "lind"]),
        ("O'Brien & Sons (Ltd.)", ["brien", "ltd", "sons"]),
        ("J. P. Li 2026 12345", []),
        ("Zoë Ödegård-Ny", ["zoë", "ödegård"]),
        ("", []),
    ],
)
def test_words_that_may_be_a_name(text: str, words: list[str]) -> None:
    assert words_of(text) == words
