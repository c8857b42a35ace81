"""Tariff windows at their edges: whose they are, the instant of a switch, steps paid ahead (Q3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from access_builders import USD, account, at, package, plan

from billing.model.tariff import tariff_windows, tariff_windows_text
from billing.model.tariff_text import read_windows
from billing.rules.windows import (
    Piece,
    free_seconds,
    has_windows,
    next_switch,
    pieces,
    spent_at,
    windows_of,
)

ZONE = "Europe/Madrid"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NIGHT = tariff_windows_text(read_windows(("night mon-sun 00:00-06:00 free",), USD))
PEAK = tariff_windows_text(read_windows(("peak mon-sun 18:00-23:00 0.10/min",), USD))
MIDNIGHT, MORNING = at("2026-03-10 23:00:00"), at("2026-03-11 05:00:00")


@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"plan": None}, ()),
        ({"plan": plan()}, ()),
        ({"plan": plan(tariff_windows=NIGHT)}, tariff_windows(NIGHT)),
        ({"plan": plan(tariff_windows=PEAK), "entitlements": (package(1),)}, tariff_windows(PEAK)),
        ({"plan": None, "entitlements": (package(1, tariff_windows=NIGHT),)},
         tariff_windows(NIGHT)),
        ({"plan": plan(tariff_windows=NIGHT), "entitlements": (package(1),)}, ()),
    ],
)  # fmt: skip
def test_what_is_free_is_the_packages_and_prices_are_the_plans(
    changes: dict[str, Any], found: tuple[Any, ...]
) -> None:
    assert windows_of(account(**changes)) == found


@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("own", "bought", "has"),
    [(None, None, False), (NIGHT, None, True), (None, NIGHT, True), (NIGHT, NIGHT, True)],
)
def test_windows_may_be_the_plans_or_of_what_was_bought(
    own: str | None, bought: str | None, has: bool
) -> None:
    packages = (package(1), package(2, tariff_windows=bought))
    for terms in (plan(tariff_windows=own), *([None] if own is None else [])):
        assert has_windows(account(plan=terms, entitlements=packages)) is has


@pytest.mark.rule("Q3")
def test_at_the_instant_of_a_switch_the_next_one_is_the_end_of_what_begins() -> None:
    night = tariff_windows(NIGHT)
    assert next_switch(night, MIDNIGHT, ZONE) == MORNING
    assert next_switch(night, MORNING, ZONE) == MIDNIGHT + 24 * HOUR


@pytest.mark.rule("Q3")
def test_only_whole_seconds_are_free() -> None:
    until = MIDNIGHT + timedelta(seconds=9, milliseconds=700)
    assert free_seconds(tariff_windows(NIGHT), MIDNIGHT, until, ZONE) == 9


@pytest.mark.rule("P3")
@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("micros", "end"),
    [
        # Two hours are paid from 17:30 on; half of one is used when the peak begins.
        (1_000_000, "2026-03-10 17:00:00"),
        (1_000_000 + 299 * 100_000, "2026-03-10 21:59:00"),
        # After the peak an hour and a half of them is left: until half past midnight.
        (1_000_000 + 300 * 100_000, "2026-03-10 23:30:00"),
        (2_000_000 + 300 * 100_000, "2026-03-11 01:30:00"),
    ],
)
def test_what_was_paid_ahead_is_used_when_its_price_is_in_force_again(
    micros: int, end: str
) -> None:
    terms = plan(payg_second_step=7_200, payg_second_step_micros=1_000_000)
    begin = at("2026-03-10 16:30:00")  # 17:30 in Madrid
    assert spent_at(tariff_windows(PEAK), terms, begin, micros, ZONE) == at(end)


@pytest.mark.rule("P3")
@pytest.mark.rule("Q3")
def test_nothing_is_paid_for_what_was_paid_ahead() -> None:
    """Four hours are paid at 17:00; the rest pays for one peak and ten minutes of the next."""
    texts = ("early mon-sun 18:00-19:00 0.10/min", "late mon-sun 20:00-23:00 0.10/min")
    peaks = read_windows(texts, USD)
    terms = plan(payg_second_step=4 * 3600, payg_second_step_micros=1_000_000)
    got = spent_at(peaks, terms, at("2026-03-10 16:00:00"), 1_000_000 + 70 * 100_000, ZONE)
    assert got == at("2026-03-10 19:10:00")


@pytest.mark.rule("Q3")
def test_pieces_take_whole_parts_and_the_last_one_the_rest() -> None:
    night = tariff_windows(NIGHT)
    (window,) = night
    found = pieces(night, MIDNIGHT - HOUR, MIDNIGHT + 2 * HOUR, (10_000, 100), ZONE)
    assert [repr(one.s_until) for one in found] == ["3333", "10000"]
    assert [repr(one.o_until) for one in found] == ["33", "100"]
    assert pieces(night, MIDNIGHT, MIDNIGHT, (0, 7), ZONE) == [
        Piece(date(2026, 3, 11), window, 0, 0, 0, 7)
    ]
