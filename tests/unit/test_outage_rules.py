"""What is granted while the database is out (rule A8), the watch, and the log of an outage."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.errors import Unavailable
from billing.model.decision import Accept, Suspended
from billing.model.quantities import read_outage
from billing.rules.outage import decide_without_database, outage_minutes
from billing.store.hotpath import RowLocked
from radius_plugin.batcher import Overloaded
from radius_plugin.complaints import SUMMARY_SECONDS, Complaints
from radius_plugin.watch import DatabaseWatch
from tests.unit import access_builders as build
from tests.waiting import until

NOW = build.at("2026-03-10 14:30:00")
OUT_SINCE = NOW - timedelta(minutes=10)
HOUR = build.plan(outage_minutes=60)


def seconds_of(decision: Accept | Suspended | None) -> int | None:
    assert decision is not None
    return decision.service.limits.session_seconds


@pytest.mark.rule("A8")
def test_the_session_ends_with_the_minutes_allowed_and_with_the_validity() -> None:
    began = NOW - timedelta(days=1) + timedelta(minutes=20)
    soon = build.account(plan=HOUR, entitlements=(build.package(begins=began),))
    assert seconds_of(decide_without_database(soon, build.login(), NOW, OUT_SINCE)) == 20 * 60
    later = replace(soon, entitlements=(build.package(begins=NOW),))
    assert seconds_of(decide_without_database(later, build.login(), NOW, OUT_SINCE)) == 50 * 60
    end = OUT_SINCE + timedelta(minutes=60)
    last = decide_without_database(later, build.login(), end - timedelta(seconds=1), OUT_SINCE)
    assert seconds_of(last) == 1
    assert decide_without_database(later, build.login(), end, OUT_SINCE) is None


@pytest.mark.rule("A8")
def test_what_the_account_itself_forbids_is_refused() -> None:
    good = build.account(plan=HOUR, entitlements=(build.package(begins=NOW),))
    for account, context in (
        (replace(good, plan=build.plan()), build.login()),
        (replace(good, plan=None), build.login()),
        (
            replace(good, entitlements=(build.package(begins=NOW - timedelta(days=2)),)),
            build.login(),
        ),
        (replace(good, closed_at=NOW), build.login()),
        (replace(good, allowed_nas_ids=frozenset({5})), build.login()),
        (replace(good, allowed_macs=frozenset({"001122334456"})), build.login()),
        (replace(good, session_limit=1), build.login(open_sessions=1)),
        (good, build.login(station_failures=10)),
        # It would have to be started, which must be written first (rule B2).
        (replace(good, entitlements=(build.package(),)), build.login()),
    ):
        assert decide_without_database(account, context, NOW, OUT_SINCE) is None


@pytest.mark.rule("A8")
def test_the_plan_of_the_package_in_use_says_what_is_allowed() -> None:
    bought = build.plan(outage_minutes=5)
    assert outage_minutes(build.account(plan=HOUR)) == 60
    assert outage_minutes(build.account(plan=HOUR, package_plan=bought)) == 5
    assert outage_minutes(build.account(plan=None)) is None


@pytest.mark.rule("B10")
def test_a_suspended_one_stays_in_the_suspended_pool() -> None:
    account = build.monthly(
        plan=build.monthly_plan(outage_minutes=60),
        paid_until=build.at("2026-02-10 00:00:00"),
        unpaid_bills=(build.bill(build.at("2026-02-20 00:00:00").date()),),
    )
    decision = decide_without_database(account, build.login(), NOW, OUT_SINCE)
    assert isinstance(decision, Suspended)
    assert decision.service.pool == "walled"
    assert seconds_of(decision) == 50 * 60


@pytest.mark.parametrize(
    ("text", "minutes"), [("refuse", None), (" Refuse ", None), ("30m", 30), ("2h", 120)]
)
def test_the_choice_is_read(text: str, minutes: int | None) -> None:
    assert read_outage(text) == minutes


@pytest.mark.parametrize("text", ["", "allow", "90s", "5"])
def test_a_choice_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        read_outage(text)


def test_complaints_are_told_once_and_then_counted() -> None:
    lines: list[str] = []
    now = 0.0
    complaints = Complaints(lines.append, clock=lambda: now)
    for number in range(5):
        complaints.say("authorize", f"refused {number}")
    complaints.say("accounting", "not answered")
    complaints.tick()
    assert lines == ["authorize: refused 0", "accounting: not answered"]
    now = SUMMARY_SECONDS
    complaints.tick()
    assert lines[2:] == ["authorize: 4 more in 10 s, the last: refused 4"]
    complaints.say("accounting", "not answered again")
    assert lines[3:] == ["accounting: not answered again"]
    complaints.say("authorize", "refused 5")
    complaints.tick(ending=True)
    assert lines[4:] == ["authorize: 1 more in 0 s, the last: refused 5"]


class Database:
    """Answers the probe, or not."""

    def __init__(self) -> None:
        self.works = True
        self.asked = 0

    def probe(self) -> None:
        self.asked += 1
        if not self.works:
            raise Unavailable("no answer")


def test_the_watch_shuts_on_a_slow_failure_only_and_opens_by_itself() -> None:
    database, lines = Database(), list[str]()
    watch = DatabaseWatch(database.probe, [], lines.append, stuck_seconds=4)
    try:
        good_at = watch.good_at
        database.works = False
        watch.failed(Unavailable("refused"), 0.001)
        assert not watch.shut
        assert watch.out_since == good_at
        watch.failed(Unavailable("slow"), 3.0)
        assert watch.shut
        until(lambda: database.asked >= 2)
        assert watch.out_since == good_at
        database.works = True
        until(lambda: watch.out_since is None)
        assert not watch.shut
        assert watch.outages == 1
        assert watch.failures["refused"] == watch.failures["slow"] == 1
        assert len(lines) == 2
    finally:
        watch.close()


@pytest.mark.rule("A8")
def test_who_failed_in_an_outage_is_decided_by_it_after_its_end() -> None:
    """But nobody by an outage that was not its own: too many requests, or a locked row."""
    watch = DatabaseWatch(lambda: None, [], lambda _line: None, stuck_seconds=4)
    try:
        began, refused = watch.good_at, Unavailable("refused")
        assert watch.outage_of(refused) is None
        watch.failed(refused, 0.001)
        watch.good()
        assert watch.out_since is None
        assert watch.outage_of(refused) == began
        assert watch.outage_of(Overloaded()) is None
        assert watch.outage_of(RowLocked("locked")) is None
    finally:
        watch.close()


def test_a_batch_that_failed_by_itself_shuts_nothing_for_long() -> None:
    database = Database()
    watch = DatabaseWatch(database.probe, [], lambda _line: None, stuck_seconds=4)
    try:
        watch.failed(Unavailable("slow"), 3.0)
        until(lambda: not watch.shut)
    finally:
        watch.close()


def test_lanes_that_wait_too_long_are_cut() -> None:
    class Lane:
        cuts = 0

        def cut(self, seconds: float) -> bool:
            assert seconds == 4
            self.cuts += 1
            return True

    lane = Lane()
    watch = DatabaseWatch(lambda: None, [lane], lambda _line: None, stuck_seconds=4)
    try:
        until(lambda: lane.cuts > 1)
    finally:
        watch.close()
