"""Login-hours as text (rule A4)."""

import pytest

from billing.model.account import LoginWindow
from billing.model.login_hours import parse_login_hours


def window(days: set[int], from_minute: int, until_minute: int) -> LoginWindow:
    return LoginWindow(weekdays=frozenset(days), from_minute=from_minute, until_minute=until_minute)


@pytest.mark.rule("A4")
def test_parts_are_read_with_spans_of_days_and_minutes() -> None:
    read = parse_login_hours("Mon-Fri 08:00-20:30, sat 9:00-24:00")
    assert read == (window({0, 1, 2, 3, 4}, 480, 1230), window({5}, 540, 1440))


@pytest.mark.rule("A4")
def test_a_span_of_days_may_pass_sunday() -> None:
    assert parse_login_hours("sat-mon 00:00-06:00") == (window({5, 6, 0}, 0, 360),)


@pytest.mark.parametrize(
    "text", ["", "mon", "moon 08:00-09:00", "mon 22:00-06:00", "mon 08:00-24:01", "mon 08:60-09:00"]
)
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|weekday|time of day"):
        parse_login_hours(text)
