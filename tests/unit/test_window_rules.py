"""Tariff windows: on the calendar, as people write them, and what is refused (rules Q3, M3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.plan import PlanTerms
from billing.model.tariff import TariffWindow, WindowPrice, tariff_windows, tariff_windows_text
from billing.model.tariff_text import price_words, read_window, read_windows, window_words
from billing.rules.cycles import END_OF_TIME
from billing.rules.plans import problems
from billing.rules.windows import (
    free_seconds,
    last_switch,
    next_switch,
    pieces,
    spent_at,
    used_up_at,
    window_at,
)

MADRID = "Europe/Madrid"
HOUR = timedelta(hours=1)
PLAN = PlanTerms(
    plan_version_id=1,
    plan_name="Evenings",
    price_micros=0,
    currency="EUR",
    payg_second_step=60,
    payg_second_step_micros=1_000,
)


def windows(*texts: str) -> tuple[TariffWindow, ...]:
    return read_windows(texts, "EUR")


NIGHT = windows("night mon-sun 00:00-06:00 free")
LATE = windows("late fri,sat 22:00-02:00 free")
PEAK = windows("peak mon-fri 18:00-23:00 0.005/min")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def name_at(found: tuple[TariffWindow, ...], text: str, zone: str = MADRID) -> str | None:
    window = window_at(found, at(text), zone)
    return None if window is None else window.name


@pytest.mark.rule("Q3", "M3")
@pytest.mark.parametrize(
    ("found", "instant", "name"),
    [
        (NIGHT, "2026-03-10 22:59:59", None),
        (NIGHT, "2026-03-10 23:00:00", "night"),
        (NIGHT, "2026-03-11 04:59:59", "night"),
        (NIGHT, "2026-03-11 05:00:00", None),
        # Summer time begins on 29 March at 01:00 UTC, ends on 25 October at 01:00 UTC.
        (NIGHT, "2026-03-29 03:59:59", "night"),
        (NIGHT, "2026-03-29 04:00:00", None),
        (NIGHT, "2026-10-24 22:00:00", "night"),
        (NIGHT, "2026-10-25 04:59:59", "night"),
        (NIGHT, "2026-10-25 05:00:00", None),
        # 13 March 2026 is a Friday; the window of Saturday ends on Sunday.
        (LATE, "2026-03-12 21:30:00", None),
        (LATE, "2026-03-13 21:00:00", "late"),
        (LATE, "2026-03-14 00:59:59", "late"),
        (LATE, "2026-03-14 01:00:00", None),
        (LATE, "2026-03-15 00:30:00", "late"),
        (LATE, "2026-03-15 21:30:00", None),
        # The week's edge: Sunday 22:00 to Monday 02:00.
        (windows("edge sun 22:00-02:00 free"), "2026-03-16 00:30:00", "edge"),
        (windows("edge sun 22:00-02:00 free"), "2026-03-17 00:30:00", None),
        # 02:30 is skipped in March and moves forward; of two in October the first counts.
        (windows("x mon-sun 02:30-03:30 free"), "2026-03-29 01:29:59", None),
        (windows("x mon-sun 01:00-02:30 free"), "2026-10-25 00:29:59", "x"),
        (windows("x mon-sun 01:00-02:30 free"), "2026-10-25 00:30:00", None),
    ],
)
def test_the_window_in_force(
    found: tuple[TariffWindow, ...], instant: str, name: str | None
) -> None:
    assert name_at(found, instant) == name


@pytest.mark.rule("Q3", "M3")
@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 5), ("2026-10-24", 7), ("2026-06-10", 6)]
)
def test_a_night_has_as_many_hours_as_the_clock_gives_it(day: str, hours: int) -> None:
    since = at(f"{day} 12:00:00")
    assert free_seconds(NIGHT, since, since + 24 * HOUR, MADRID) == hours * 3600


@pytest.mark.rule("Q3")
def test_switches() -> None:
    noon = at("2026-03-10 12:00:00")
    assert next_switch(NIGHT, noon, MADRID) == at("2026-03-10 23:00:00")
    assert next_switch(NIGHT, at("2026-03-10 23:00:00"), MADRID) == at("2026-03-11 05:00:00")
    assert next_switch((), noon, MADRID) is None
    always = windows("always mon-sun 00:00-24:00 free")
    assert next_switch(always, noon, MADRID) is None
    once = windows("once mon 00:00-01:00 free")
    assert next_switch(once, noon, "UTC") == at("2026-03-16 00:00:00")
    assert last_switch(NIGHT, noon, noon + 12 * HOUR, MADRID) == at("2026-03-10 23:00:00")
    assert last_switch(NIGHT, noon, noon + 11 * HOUR, MADRID) == at("2026-03-10 23:00:00")
    assert last_switch(NIGHT, noon, noon + 10 * HOUR, MADRID) is None


@pytest.mark.rule("Q3", "A5")
def test_bought_seconds_stand_still_while_it_is_free() -> None:
    evening = at("2026-03-10 22:00:00")  # 23:00 in Madrid
    assert used_up_at(NIGHT, evening, 3_600, MADRID) == at("2026-03-10 23:00:00")
    assert used_up_at(NIGHT, evening, 3_601, MADRID) == at("2026-03-11 05:00:01")
    assert used_up_at((), evening, 86_400, MADRID) == evening + 24 * HOUR
    always = windows("always mon-sun 00:00-24:00 free")
    assert used_up_at(always, evening, 1, MADRID) == END_OF_TIME


@pytest.mark.rule("Q3", "P3", "A5")
def test_money_lasts_as_long_as_the_prices_let_it() -> None:
    before = at("2026-03-10 17:00:00")
    # An hour at 0.001 a minute is 60 of 100 thousandths; 40 pay for 8 minutes at 0.005.
    assert spent_at(PEAK, PLAN, before, 100_000, "UTC") == at("2026-03-10 18:08:00")
    assert spent_at((), PLAN, before, 100_000, "UTC") == before + timedelta(minutes=100)
    # The peak costs 1.5 in all; what is left then pays the plan's price again.
    rich = spent_at(PEAK, PLAN, before, 60_000 + 1_500_000 + 2_000, "UTC")
    assert rich == at("2026-03-10 23:02:00")
    # Less than a step: one step, as the wallet is not exhausted yet (P8).
    assert spent_at(PEAK, PLAN, at("2026-03-10 18:00:00"), 1, "UTC") == at("2026-03-10 18:01:00")
    free = replace(PLAN, payg_second_step=None, payg_second_step_micros=None)
    assert spent_at((), free, before, 1, "UTC") == END_OF_TIME
    # A free night is crossed for nothing.
    night = spent_at(NIGHT, PLAN, at("2026-03-10 23:30:00"), 31_000, "UTC")
    assert night == at("2026-03-11 06:01:00")


@pytest.mark.rule("Q3", "U9")
def test_pieces_of_a_night() -> None:
    since = at("2026-03-10 21:30:00")
    found = pieces(NIGHT, since, since + 9 * HOUR, (32_400, 9_000), MADRID)
    told = [(p.day, p.is_free, p.s_until - p.s_from, p.o_until - p.o_from) for p in found]
    assert told == [
        (date(2026, 3, 10), False, 5_400, 1_500),
        (date(2026, 3, 11), True, 21_600, 6_000),
        (date(2026, 3, 11), False, 5_400, 1_500),
    ]


WEEKLY = st.builds(
    lambda name, days, since, length, free: TariffWindow(
        name=name,
        weekdays=days,
        from_minute=since,
        until_minute=since + length,
        price=None if free else WindowPrice(second_step=60, second_step_micros=1),
    ),
    st.sampled_from("abc"),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.booleans(),
)
ZONES = st.sampled_from((MADRID, "UTC", "Asia/Beirut", "America/Havana", "Asia/Kathmandu"))
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=249)).map(
    lambda passed: datetime(2026, 3, 1, tzinfo=UTC) + passed
)


@pytest.mark.rule("Q3", "U9", "M3")
@given(
    st.lists(WEEKLY, max_size=4).map(tuple),
    INSTANTS,
    st.timedeltas(timedelta(0), timedelta(days=9)),
    st.tuples(st.integers(0, 2**40), st.integers(0, 2**60)),
    ZONES,
)
def test_pieces_lose_nothing(
    found: tuple[TariffWindow, ...],
    since: datetime,
    length: timedelta,
    usage: tuple[int, int],
    zone: str,
) -> None:
    parts = pieces(found, since, since + length, usage, zone)
    assert (parts[0].s_from, parts[0].o_from) == (0, 0)
    assert (parts[-1].s_until, parts[-1].o_until) == usage
    for one, other in pairwise(parts):
        assert (one.s_until, one.o_until) == (other.s_from, other.o_from)
        assert one.day <= other.day
    assert all(p.s_from <= p.s_until and p.o_from <= p.o_until for p in parts)


@pytest.mark.rule("Q3")
@given(st.lists(WEEKLY, max_size=3).map(tuple), INSTANTS, st.integers(1, 300_000), ZONES)
def test_so_many_seconds_are_not_free_until_they_are_used_up(
    found: tuple[TariffWindow, ...], since: datetime, seconds: int, zone: str
) -> None:
    since = since.replace(microsecond=0)
    end = used_up_at(found, since, seconds, zone)
    if end != END_OF_TIME:
        online = (end - since) // timedelta(seconds=1)
        assert online - free_seconds(found, since, end, zone) == seconds


def lived_through(
    found: tuple[TariffWindow, ...], since: datetime, spendable_micros: int, seconds: int
) -> datetime | None:
    """Second by second: a step is paid when it begins; None: the money lasts so many seconds."""
    left, used, paid = spendable_micros, dict[str, int](), dict[str, int]()
    for passed in range(seconds):
        now = since + timedelta(seconds=passed)
        window = window_at(found, now, "UTC")
        step, micros = PLAN.payg_second_step, PLAN.payg_second_step_micros
        if window is not None:
            price = window.price or WindowPrice()
            step, micros = price.second_step, price.second_step_micros
        if step is None or micros is None:
            continue
        name = "" if window is None else window.name
        if used.get(name, 0) == paid.get(name, 0):
            if left < micros:
                return now if any(paid.values()) else now + timedelta(seconds=step)
            left -= micros
            paid[name] = paid.get(name, 0) + step
        used[name] = used.get(name, 0) + 1
    return None


@pytest.mark.rule("Q3", "P3", "A5")
@given(
    st.lists(
        st.tuples(st.integers(720, 760), st.integers(1, 12), st.sampled_from((0, 7, 45, 90))),
        max_size=3,
    ),
    st.integers(1, 30_000),
    st.integers(0, 59),
)
def test_money_lasts_as_long_as_living_through_it(
    told: list[tuple[int, int, int]], spendable_micros: int, second: int
) -> None:
    found = tuple(
        TariffWindow(
            name=f"w{place}",
            weekdays=frozenset(range(7)),
            from_minute=since,
            until_minute=since + length,
            price=WindowPrice(second_step=step, second_step_micros=step * 20) if step else None,
        )
        for place, (since, length, step) in enumerate(told)
    )
    since = at("2026-03-10 12:05:00") + timedelta(seconds=second)
    expected = lived_through(found, since, spendable_micros, 3_600)
    got = spent_at(found, PLAN, since, spendable_micros, "UTC")
    if expected is None:
        assert got >= since + HOUR
    else:
        assert got == expected


# Texts


def test_windows_are_written_as_people_say_them() -> None:
    told = (
        "night mon-sun 00:00-06:00 free",
        "peak mon-fri 18:00-23:00 0.02/min 0.05/MB",
        "late mon,fri-sat 22:00-02:00 0.0005/30s 1.00/10MiB",
        "sunday sun 00:00-24:00 free",
    )
    found = windows(*told)
    assert tuple(map(window_words, found)) == told
    stored = tariff_windows_text(found)
    assert stored is not None
    assert stored.split()[:2] == [
        "night:0123456:0:360:free",
        "peak:01234:1080:1380:60:20000:1000000:50000",
    ]
    assert tariff_windows(stored) == found
    assert tariff_windows(None) == ()
    assert tariff_windows_text(()) is None
    assert read_window("Night SAT-MON 22:00-6:00 Free", "EUR").weekdays == {5, 6, 0}
    assert price_words(None) == "free"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("night", "window 'night' is not complete"),
        ("night mon-sun 00:00-06:00", "is not complete"),
        ("n:ght mon-sun 00:00-06:00 free", "window 'n:ght': name"),
        ("night mon-foo 00:00-06:00 free", "window 'night': days: 'foo' is no weekday"),
        ("night mon-sun 0-6 free", "window 'night': hours: cannot read '0-6'"),
        ("night mon-sun 00:00-25:00 free", "hours: '25:00' is no time of day"),
        ("night mon-sun 06:00-06:00 free", "hours: '06:00-06:00' ends when it begins"),
        ("peak mon-fri 18:00-23:00 cheap", "window 'peak': price: 'cheap' is neither"),
        ("peak mon-fri 18:00-23:00 x/min", "price: not an amount: 'x'"),
        ("peak mon-fri 18:00-23:00 0.02/parsec", "price: '0.02/parsec': the step must be like"),
        ("peak mon-fri 18:00-23:00 0.02/min 1/h", "price: '1/h' is a second price"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_window(text, "EUR")
    assert complaint in str(refused.value)


@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (("a mon-fri 18:00-23:00 free", "b fri 22:59-23:30 0.1/min"),
         "windows 'a' and 'b' overlap on fri from 22:59"),
        (("a sun 22:00-02:00 free", "b mon 01:00-03:00 free"),
         "windows 'a' and 'b' overlap on mon from 01:00"),
        (("a mon 22:00-02:00 free", "b mon-sun 00:00-01:00 free"),
         "windows 'a' and 'b' overlap on tue from 00:00"),
        (("a mon 08:00-09:00 free", "a tue 08:00-09:00 free"), "2 windows are named 'a'"),
        (("a mon 08:00-09:00 0.00/min",), "window 'a': the time price must be more than 0"),
        (tuple(f"w{n} mon {n:02d}:00-{n:02d}:30 free" for n in range(21)), "20 are the most"),
    ],
)  # fmt: skip
def test_impossible_windows_are_refused(texts: tuple[str, ...], complaint: str) -> None:
    found = problems(replace(PLAN, tariff_windows=tariff_windows_text(windows(*texts))))
    assert all(field == "tariff_windows" for field, _ in found)
    assert any(complaint in reason for _, reason in found), found


@pytest.mark.rule("Q3")
def test_windows_that_only_touch_are_fine() -> None:
    texts = (
        "a mon-sun 00:00-06:00 free",
        "b mon-sun 06:00-24:00 0.1/min",
    )
    plan = replace(PLAN, tariff_windows=tariff_windows_text(windows(*texts)))
    assert problems(plan) == []
    over_the_week = ("a sun 22:00-02:00 free", "b mon 02:00-03:00 free")
    plan = replace(PLAN, tariff_windows=tariff_windows_text(windows(*over_the_week)))
    assert problems(plan) == []


@pytest.mark.rule("Q3", "P3")
def test_a_price_needs_a_price_for_the_rest_of_the_day() -> None:
    packages_only = replace(
        PLAN, payg_second_step=None, payg_second_step_micros=None, validity_minutes=1_440
    )
    peak = tariff_windows_text(PEAK)
    (problem,) = problems(replace(packages_only, tariff_windows=peak))
    assert problem[0] == "tariff_windows"
    assert "no pay-as-you-go price for the rest" in problem[1]
    assert problems(replace(packages_only, tariff_windows=tariff_windows_text(NIGHT))) == []
    (unreadable,) = problems(replace(PLAN, tariff_windows="night"))
    assert "cannot be read" in unreadable[1]
