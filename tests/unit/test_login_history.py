"""The login history written behind the answers (rule A3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from billing.errors import Unavailable
from billing.model.events import LoginRecord
from billing.services.login_lines import Line, line_of
from radius_plugin.history import History
from tests.waiting import until

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def line(username: str, outcome: str = "accept") -> Line:
    return line_of(LoginRecord(username, 7, 7, "192.0.2.1", None, outcome, "ok", 0, AT))


@contextmanager
def history(write: Callable[[list[Line]], object], pending_max: int = 100) -> Iterator[History]:
    made = History(write, lambda _message: None, pending_max=pending_max)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.rule("A3")
def test_a_granted_login_is_written_unless_its_password_turns_out_wrong() -> None:
    written: list[Line] = []
    with history(written.extend) as kept:
        right, wrong = kept.hold(line("ann")), kept.hold(line("bob"))
        assert right is not None
        assert wrong is not None
        assert kept.amend(wrong, line("bob", "reject"))
        until(lambda: len(written) == 2)
    assert sorted((each[0].strip('"'), each[5]) for each in written) == [
        ("ann", "accept"),
        ("bob", "reject"),
    ]


@pytest.mark.rule("A3")
def test_what_is_held_at_the_end_is_written() -> None:
    written: list[Line] = []
    with history(written.extend) as kept:
        kept.hold(line("ann"))
    assert [each[0].strip('"') for each in written] == ["ann"]


@pytest.mark.rule("A3")
def test_lines_wait_while_the_database_is_out_and_no_more_than_agreed() -> None:
    written: list[Line] = []
    out = [True]

    def write(batch: list[Line]) -> None:
        if out[0]:
            raise Unavailable("out")
        written.extend(batch)

    with history(write, pending_max=3) as kept:
        taken = [kept.offer(line(f"user{number}")) for number in range(5)]
        assert taken.count(True) <= 4  # three wait, one more may be in the writer's hand
        out[0] = False
        until(lambda: len(written) == taken.count(True))


@pytest.mark.rule("A3")
def test_one_line_that_cannot_be_stored_takes_no_other_with_it() -> None:
    written: list[Line] = []

    def write(batch: list[Line]) -> None:
        if any(each[0].strip('"') == "poison" for each in batch):
            raise ValueError("cannot be stored")
        written.extend(batch)

    names = [f"user{number}" for number in range(20)]
    with history(write) as kept:
        for name in [*names[:9], "poison", *names[9:]]:
            assert kept.offer(line(name))
        until(lambda: len(written) == len(names))
    assert sorted(each[0].strip('"') for each in written) == sorted(names)
