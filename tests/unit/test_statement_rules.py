"""Statements of account: their movements, balances and words (rules M3, M4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.statements import AccountEntry, StatementLine
from billing.rules.statements import account, months_to_state, words

MADRID = "Europe/Madrid"
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def entry(at: datetime, amount_micros: int, kind: str = "bill", memo: str = "paid") -> AccountEntry:
    return AccountEntry(at=at, kind=kind, memo=memo, amount_micros=amount_micros)


def line(on: date, text: str, amount_micros: int, balance_micros: int) -> StatementLine:
    return StatementLine(
        on=on, text=text, amount_micros=amount_micros, balance_micros=balance_micros
    )


@pytest.mark.rule("M3", "M4")
def test_a_month_is_its_local_days() -> None:
    entries = [
        entry(datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC), -1),
        entry(datetime(2026, 2, 28, 23, tzinfo=UTC), 20),
        entry(datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), -300),
        entry(datetime(2026, 3, 31, 22, tzinfo=UTC), 4000),
    ]
    found = account(entries, FIRST, LAST, MADRID, 5)
    assert found.lines == (line(FIRST, "Paid", 20, 24), line(LAST, "Paid", -300, -276))
    assert (found.opening_micros, found.closing_micros) == (4, -276)
    assert (found.charged_micros, found.credited_micros) == (300, 20)


def test_usage_of_a_day_is_one_line_and_nothing_else_is() -> None:
    at = datetime(2026, 3, 10, 2, tzinfo=UTC)
    entries = [
        entry(at, -5, "usage", "usage of 2026-03-09"),
        entry(at, -7, "usage", "usage of 2026-03-09"),
        entry(at, -1, "usage", "usage of 2026-03-08"),
        entry(at + timedelta(days=1), -1, "usage", "usage of 2026-03-08"),
        entry(at + timedelta(days=1), -2, "sale", "package"),
        entry(at + timedelta(days=1), -2, "sale", "package"),
    ]
    day, following = at.date(), at.date() + timedelta(days=1)
    assert account(entries, FIRST, LAST, MADRID).lines == (
        line(day, "Usage of 2026-03-09", -12, -12),
        line(day, "Usage of 2026-03-08", -1, -13),
        line(following, "Usage of 2026-03-08", -1, -14),
        line(following, "Package", -2, -16),
        line(following, "Package", -2, -18),
    )


@given(
    st.lists(st.tuples(st.integers(0, 40 * 86_400), st.integers(-(10**9), 10**9)), max_size=30),
    st.integers(0, 39),
    st.integers(0, 39),
    st.integers(-(10**9), 10**9),
    st.sampled_from(["UTC", MADRID, "Pacific/Kiritimati", "Pacific/Pago_Pago"]),
)
@pytest.mark.rule("M4")
def test_opening_and_movements_are_closing_for_any_cut(
    moves: list[tuple[int, int]], one: int, other: int, before_micros: int, zone: str
) -> None:
    began = datetime(2026, 3, 10, tzinfo=UTC)
    kinds = ("usage", "sale", "payment")
    entries = [
        entry(began + timedelta(seconds=seconds), amount, kinds[amount % 3], "of a day")
        for seconds, amount in sorted(moves)
    ]
    first, last = sorted(date(2026, 3, 9) + timedelta(days=days) for days in (one, other))
    cut = first + (last - first) // 2
    whole = account(entries, first, last, zone, before_micros)
    head = account(entries, first, cut, zone, before_micros)
    tail = account(entries, cut + timedelta(days=1), last, zone, before_micros)
    for part in (whole, head, tail):
        moved = sum(line.amount_micros for line in part.lines)
        assert part.opening_micros + moved == part.closing_micros
        assert part.credited_micros - part.charged_micros == moved
        balance = part.opening_micros
        for line_ in part.lines:
            balance += line_.amount_micros
            assert line_.balance_micros == balance
            assert part.first_day <= line_.on <= part.last_day
    if cut < last:
        assert (head.closing_micros, tail.closing_micros) == (
            tail.opening_micros, whole.closing_micros,
        )  # fmt: skip
        assert whole.lines == head.lines + tail.lines
    assert account(entries, date(2026, 1, 1), date(2027, 1, 1), zone).closing_micros == sum(
        amount for _, amount in moves
    )


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"kind": "issue", "bill": "INV-7"}, "Bill INV-7"),
        ({"kind": "credit", "bill": "INV-7", "credit_note": "CN-2"}, "Credit note CN-2 for INV-7"),
        ({"kind": "payment", "channel": "bank_transfer"}, "Payment, bank transfer"),
        ({"kind": "payment", "channel": "cash", "reference": "R 9"}, "Payment, cash, R 9"),
        ({"kind": "payment", "channel": "adjustment"}, "Adjustment"),
        ({"kind": "opening"}, "Balance taken over"),
        ({"kind": "sale", "memo": "package Day"}, "Package Day"),
        ({"kind": "fee", "memo": ""}, "Fee"),
    ],
)
def test_the_words_that_a_customer_reads(facts: dict[str, str], text: str) -> None:
    told = {"at": datetime(2026, 3, 10, tzinfo=UTC), "memo": "issued INV-7", "amount_micros": 1}
    assert words(AccountEntry(**(told | facts))) == text


def test_each_month_that_is_over_is_stated_once_and_in_order() -> None:
    months = [(date(2026, 1, 1), date(2026, 1, 31)), (date(2026, 2, 1), date(2026, 2, 28))]
    first = date(2026, 3, 1)
    assert list(months_to_state(date(2026, 1, 1), first)) == months
    assert list(months_to_state(date(2026, 1, 1), date(2026, 2, 28))) == months[:1]
    assert list(months_to_state(None, first)) == months[1:]
    assert list(months_to_state(None, date(2026, 1, 31))) == [
        (date(2025, 12, 1), date(2025, 12, 31))
    ]
    assert list(months_to_state(first, date(2026, 3, 31))) == []
