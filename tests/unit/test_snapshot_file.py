"""The snapshot's file: bounds, a damaged file, no file at all (rule A8)."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.errors import Unavailable
from billing.model.account import Credential, HoldBehaviour, StaffHold
from billing.model.decision import Accept, Service
from billing.model.events import AccessRequest, LoginRecord
from billing.model.login_hours import parse_login_hours
from billing.model.own_reply import OwnReply, ReplyAttribute
from billing.services.login_lines import Line, line_of
from billing.services.secrets import SecretBox
from billing.services.snapshot import LoginShelf, Snapshot, SnapshotFile
from radius_plugin.history import History
from tests.unit import access_builders as build
from tests.waiting import until

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
BOX = SecretBox(os.urandom(32))
GRANT = Accept(service=Service())
ACCOUNT = build.account(
    plan=build.plan(outage_minutes=60), entitlements=(build.package(begins=NOW),)
)


def request(name: str) -> AccessRequest:
    return AccessRequest(name, "10.0.0.1", "001122334455")


def line(name: str) -> Line:
    return line_of(LoginRecord(name, 1, 2, "10.0.0.1", None, "accept", "snapshot", 0, NOW))


def test_those_granted_longest_ago_are_let_go(tmp_path: Path) -> None:
    snapshot = Snapshot(SnapshotFile(tmp_path / "x.db", print), BOX, accounts_max=100)
    for number in range(101):
        at = NOW + timedelta(seconds=number)
        snapshot.note(request(f"user{number}"), ACCOUNT, GRANT, at)
    snapshot.flush(None)
    assert snapshot.accounts == 90
    assert snapshot.decide(request("user0"), 1, NOW, NOW) is None
    assert snapshot.decide(request("user100"), 1, NOW, NOW) is not None


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "x.db", print)
    snapshot = Snapshot(file, BOX, accounts_max=100)
    snapshot.note(request("ann"), ACCOUNT, GRANT, NOW)
    snapshot.flush(NOW)
    assert snapshot.decide(request("ann"), 1, NOW, NOW) is not None
    other = Snapshot(file, SecretBox(os.urandom(32)), accounts_max=100)
    assert other.decide(request("ann"), 1, NOW, NOW) is None
    assert other.good_at() == NOW


def test_the_content_is_bound_to_its_name(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path / "x.db", print)
    snapshot = Snapshot(file, BOX, accounts_max=100)
    snapshot.note(request("ann"), ACCOUNT, GRANT, NOW)
    snapshot.flush(None)
    stored = file.account("ann")
    assert stored is not None
    file.put_accounts([stored._replace(username="eve")])
    assert snapshot.decide(request("eve"), 1, NOW, NOW) is None


def test_where_nothing_can_be_written_it_is_in_memory(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "file").write_text("")
    snapshot = Snapshot(
        SnapshotFile(tmp_path / "file" / "x.db", lines.append), BOX, accounts_max=100
    )
    snapshot.note(request("ann"), ACCOUNT, GRANT, NOW)
    assert snapshot.decide(request("ann"), 1, NOW, NOW) is not None
    assert "in memory only" in lines[0]


@pytest.mark.rule("A3")
def test_lines_of_the_history_survive_an_end_in_the_middle_of_an_outage(tmp_path: Path) -> None:
    """Also one that is still held when the end comes, while another is tried again."""
    path = tmp_path / "x.db"
    tried = threading.Event()

    def refused(_lines: list[Line]) -> None:
        tried.set()
        raise Unavailable("no database")

    shelf = LoginShelf(SnapshotFile(path, print), BOX)
    history = History(refused, lambda _text: None, pending_max=100, shelf=shelf)
    assert history.offer(line("first"))
    assert tried.wait(10)
    assert history.hold(line("held")) is not None
    history.close()
    assert shelf.waiting == 2

    written: list[Line] = []
    shelf = LoginShelf(SnapshotFile(path, print), BOX)
    history = History(written.extend, lambda _text: None, pending_max=100, shelf=shelf)
    until(lambda: len(written) == 2)
    assert {each[0] for each in written} == {'"first"', '"held"'}
    until(lambda: shelf.waiting == 0)
    history.close()


def test_an_account_comes_back_whole(tmp_path: Path) -> None:
    """Whatever it may hold: dates, packages, bills, hours, MACs, attributes of its own, a hash."""
    account = build.monthly(
        plan=build.monthly_plan(outage_minutes=60, octets=10**12),
        credential=Credential(nt_hash=bytes(range(240, 256))),
        entitlements=(build.package(begins=NOW), build.package(2)),
        last_ended=build.package(3, NOW),
        staff_hold=StaffHold(note="ünpaid", until=NOW, behaviour=HoldBehaviour.SUSPENDED_POOL),
        discontinue_on=NOW.date() + timedelta(days=1),
        paid_until=NOW,
        unpaid_bills=(build.bill(NOW.date()),),
        allowed_nas_ids=frozenset({1, 2}),
        allowed_macs=frozenset({"001122334455"}),
        login_windows=parse_login_hours("mon-fri 08:00-18:00"),
        session_limit=2,
        own_reply=OwnReply(
            framed_ipv6_prefix="2001:db8::/64",
            attributes=(ReplyAttribute(name="Filter-Id", operator=":=", value="gold"),),
        ),
    )
    file = SnapshotFile(tmp_path / "x.db", print)
    snapshot = Snapshot(file, BOX, accounts_max=100)
    snapshot.note(request("ann"), account, GRANT, NOW)
    snapshot.flush(None)
    found = Snapshot(file, BOX, accounts_max=100).decide(request("ann"), 1, NOW, NOW)
    assert found is not None
    assert found[1] == account
