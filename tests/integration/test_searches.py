"""Stored, and read: who had an address, attempts to log in, accounting of nobody (U12, A3, F5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from billing.cli import main
from billing.errors import InvalidInput, NotFound
from billing.model.events import LoginRecord, Unusable, UnusableRecord
from billing.model.who_had import Certainty, Held, WhoHad
from billing.services import dead_letters, history, logins, metering, who_had
from billing.services.context import Context
from billing.services.login_lines import line_of, write_lines
from billing.settings import Settings
from billing.store import audit, tables
from billing.store.pool import Database
from tests.integration.meter_world import (
    ROUTER,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    new_id,
    start,
    stop,
)

HOUR = 3600
LATER = at(10 * 86_400)
WHY = "court order 7/2026"


@pytest.fixture
def tollway(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="module")
def panel(settings: Settings) -> Iterator[Database]:
    opened = Database(settings.dsn("panel"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reseller_id(context: Context) -> int:
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Valley Net", created_at=at(0))
        tx.add(row)
        tx.flush()
        return row.org_id


@pytest.fixture
def operator(context: Context, panel: Database, reseller_id: int) -> Context:
    """The operator's staff, under the panel's role."""
    return replace(context, db=panel, actor="owner@isp.example", org_ids=(1, reseller_id))


@pytest.fixture
def reseller(context: Context, panel: Database, reseller_id: int) -> Context:
    return replace(context, db=panel, actor="rita", home_org_id=reseller_id, org_ids=(reseller_id,))


def session(
    world: MeterWorld, began: float = 0, seconds: int = HOUR, **held: str
) -> tuple[Metered, str]:
    """A session with these addresses, from its Start to its Stop."""
    who, sid = world.customer([Pack()]), new_id()
    world.charge(start(who, at(began), sid=sid, **held))
    world.charge(stop(who, at(began + seconds), seconds, 1, 1, sid=sid))
    return who, sid


def asked(context: Context, address: str, seconds: float, tolerance: int = 0) -> WhoHad:
    return who_had.who_had(
        context,
        address,
        at=at(seconds),
        reason=WHY,
        now=LATER,
        tolerance_seconds=tolerance,
    )


def names(found: WhoHad) -> list[tuple[int, Held, Certainty]]:
    return [(one.session.subscription_id, one.held, one.certainty) for one in found.holders]


def requests(context: Context) -> list[tables.AuditLog]:
    with context.transaction() as tx:
        return [
            row
            for row in tx.query(tables.AuditLog).order_by(tables.AuditLog.audit_id)
            if row.action == "address.who_had"
        ]


@pytest.mark.rule("U12")
def test_an_address_that_many_had_is_of_who_had_it_then(
    world: MeterWorld, context: Context, operator: Context
) -> None:
    """One after the other, with a minute between; and so in the history as in the live table."""
    first, _ = session(world, 0, framed_ip="10.66.0.7")
    second, _ = session(world, HOUR + 60, framed_ip="10.66.0.7")
    session(world, 0, framed_ip="10.66.0.8")
    for _ in range(2):
        held = (Held.ADDRESS, Certainty.THEN)
        assert names(asked(operator, "10.66.0.7", 0)) == [(first.subscription_id, *held)]
        assert names(asked(operator, "10.66.0.7", HOUR)) == [(first.subscription_id, *held)]
        assert names(asked(operator, "10.66.0.7", HOUR + 30)) == []
        near = asked(operator, "10.66.0.7", HOUR + 30, tolerance=30)
        assert sorted(names(near)) == [
            (one.subscription_id, Held.ADDRESS, Certainty.NEAR) for one in (first, second)
        ]
        both = asked(operator, "10.66.0.7", HOUR + 60, tolerance=60)
        assert names(both) == [
            (second.subscription_id, *held),
            (first.subscription_id, Held.ADDRESS, Certainty.NEAR),
        ]
        assert names(asked(operator, "10.66.0.7", -1)) == []
        history.move_closed_sessions(context, at(5 * 86_400))
    assert not world.sessions(first)


@pytest.mark.rule("U12")
@pytest.mark.parametrize("moved", [False, True])
def test_an_address_inside_of_a_prefix_counts(
    world: MeterWorld, context: Context, operator: Context, moved: bool
) -> None:
    net = f"2001:db8:{int(moved):x}"
    whole, _ = session(world, framed_ipv6_address=f"{net}:1::7", framed_ip=f"10.67.{int(moved)}.1")
    link, _ = session(world, framed_ipv6_prefix=f"{net}:2::/64", framed_interface_id="0:0:0:abcd")
    home, _ = session(
        world, framed_ipv6_prefix=f"{net}:3::/64", delegated_ipv6_prefix=f"{net}:f00::/56"
    )
    lower, _ = session(world, framed_interface_id=f"a:b:c:{int(moved):x}")
    if moved:
        history.move_closed_sessions(context, at(5 * 86_400))
        assert not world.sessions(lower)
    then = Certainty.THEN
    for address, who, by in (
        (f"{net}:1::7", whole, Held.ADDRESS),
        (f"{net}:2::abcd", link, Held.PREFIX_AND_INTERFACE),
        (f"{net}:2::1", link, Held.FRAMED_PREFIX),
        (f"{net}:2::/64", link, Held.FRAMED_PREFIX),
        (f"{net}:f42::9", home, Held.DELEGATED_PREFIX),
        (f"{net}:f00::/60", home, Held.DELEGATED_PREFIX),
        (f"2001:db8:ffff:1:a:b:c:{int(moved):x}", lower, Held.INTERFACE),
    ):
        expected = [(who.subscription_id, by, then)]
        assert names(asked(operator, address, 60)) == expected, address
    for nobody in (f"{net}:1::8", f"{net}:2::/63", f"{net}:4::1", f"{net}:1000::1"):
        assert names(asked(operator, nobody, 60)) == [], nobody


@pytest.mark.rule("U12")
def test_an_open_session_that_is_silent_is_told_apart(world: MeterWorld, operator: Context) -> None:
    who, sid = world.customer([Pack()]), new_id()
    world.charge(start(who, at(0), sid=sid, framed_ip="10.68.0.1"))
    world.charge(interim(who, at(600), 600, 1, 1, sid=sid))
    (then,) = asked(operator, "10.68.0.1", 600).holders
    (since,) = asked(operator, "10.68.0.1", 601).holders
    assert (then.certainty, since.certainty) == (Certainty.THEN, Certainty.SILENT)
    assert since.session.last_event_at == at(600)


@pytest.mark.rule("U12")
def test_every_request_is_written_down_with_its_reason(
    world: MeterWorld, context: Context, operator: Context
) -> None:
    _, sid = session(world, framed_ip="10.69.0.1")
    before = len(requests(context))
    found = asked(operator, "10.69.0.1", 60)
    asked(operator, "10.69.9.9", 60)
    hit, missed = requests(context)[before:]
    assert (hit.actor, hit.subject) == ("owner@isp.example", "address:10.69.0.1")
    detail = json.loads(hit.detail)
    assert detail["reason"] == WHY
    assert detail["sessions"] == [found.holders[0].session.session_id]
    assert found.holders[0].session.acct_session_id == sid
    assert json.loads(missed.detail)["sessions"] == []
    with context.transaction() as tx:
        assert list(audit.broken_rows(tx)) == []


@pytest.mark.rule("U12")
def test_nothing_is_shown_where_it_cannot_be_written_down(
    world: MeterWorld, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(world, framed_ip="10.69.1.1")

    def fail(*_: object, **__: object) -> None:
        raise OSError("the log is full")

    monkeypatch.setattr(audit, "append", fail)
    with pytest.raises(OSError, match="full"):
        asked(operator, "10.69.1.1", 60)


@pytest.mark.rule("U12")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": " . "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "with\0nothing"}, "reason"),
        ({"address": "10.0.0.0/8"}, "address"),
        ({"tolerance_seconds": -1}, "tolerance"),
        ({"tolerance_seconds": 86_401}, "tolerance"),
        ({"at": LATER + timedelta(seconds=1)}, "at"),
        ({"at": datetime.min.replace(tzinfo=LATER.tzinfo)}, "at"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_not_carried_out(
    context: Context, operator: Context, change: dict[str, Any], field: str
) -> None:
    before = len(requests(context))
    values: dict[str, Any] = {"address": "10.0.0.1", "at": at(0), "reason": WHY, "now": LATER}
    with pytest.raises(InvalidInput) as refused:
        who_had.who_had(operator, **{**values, **change})
    assert refused.value.field == field
    assert len(requests(context)) == before


@pytest.mark.rule("U12", "R2")
def test_a_reseller_finds_no_session_of_others(world: MeterWorld, reseller: Context) -> None:
    session(world, framed_ip="10.69.2.1")
    assert names(asked(reseller, "10.69.2.1", 60)) == []


@pytest.mark.rule("U12")
def test_past_sessions_are_found_by_their_indexes(world: MeterWorld, settings: Settings) -> None:
    """Every way to hold an address has its index in each partition, and none of the live table."""
    with psycopg.connect(settings.dsn("worker")) as db:
        db.execute("SET enable_seqscan = off")
        db.execute("SET plan_cache_mode = force_generic_plan")
        ways: tuple[tuple[LiteralString, str], ...] = (
            ("framed_ip = '10.0.0.1'", "framed_ip"),
            ("framed_ipv6_address = '2001:db8::1'", "framed_ipv6_address"),
            ("framed_ipv6_prefix = ANY ('{2001:db8::/64,2001:db8::/56}')", "framed_ipv6_prefix"),
            ("delegated_ipv6_prefix = ANY ('{2001:db8::/56}')", "delegated_ipv6_prefix"),
        )
        for condition, index in ways:
            rows = db.execute(
                sql.SQL("EXPLAIN SELECT session_id FROM session_history WHERE closed_at >= now()")
                + sql.SQL(" AND ")
                + sql.SQL(condition)
            ).fetchall()
            assert any(f"{index}_closed_at_idx" in row[0] for row in rows), rows
        (live,) = db.execute(
            "SELECT count(*) FROM pg_indexes WHERE tablename = 'live_session'"
            " AND indexdef ~ 'framed|delegated'"
        ).fetchall()
    assert live == (0,)


def test_the_command_says_who_had_it(
    world: MeterWorld, context: Context, tollway: Callable[..., tuple[int, str, str]]
) -> None:
    who, _ = session(world, framed_ip="10.70.0.1")
    instant = at(60).isoformat()
    asked_for = ("who-had", "10.70.0.1", "--at", instant)
    code, said, _ = tollway(*asked_for, "--reason", WHY)
    # As the NAS sent it.
    assert (code, who.username.upper() in said, "address" in said) == (0, True, True)
    code, said, _ = tollway(*asked_for, "--reason", WHY, "--tolerance", "5m", "--json")
    (holder,) = json.loads(said)["holders"]
    assert holder["certainty"] == "then"
    assert holder["session"]["subscription_id"] == who.subscription_id
    assert requests(context)[-1].actor.startswith("cli:")
    code, said, error = tollway(*asked_for)
    assert (code, said) == (2, "") and "reason" in error
    code, said, error = tollway(*asked_for, "--reason", "no")
    assert (code, said) == (2, "") and "stays in the audit log" in error
    code, said, _ = tollway("who-had", "10.70.0.2", "--at", instant, "--reason", WHY)
    assert (code, "nobody had 10.70.0.2 then" in said) == (0, True)


# Logins


def attempt(who: Metered | str, seconds: float = 0, reason: str = "ok", **more: Any) -> LoginRecord:
    name = who if isinstance(who, str) else who.username
    ids = (0, 0) if isinstance(who, str) else (who.customer_id, who.subscription_id)
    values: dict[str, Any] = {
        "nas_address": ROUTER,
        "calling_station": "aabbccddeeff",
        "outcome": "accept" if reason == "ok" else "reject",
        "entitlement_id": 0,
    }
    return LoginRecord(
        username=name,
        customer_id=ids[0],
        subscription_id=ids[1],
        reason=reason,
        at=at(seconds),
        **{**values, **more},
    )


def write(world: MeterWorld, *attempts: LoginRecord) -> None:
    write_lines(world.lane, [line_of(one) for one in attempts], at(3))


@pytest.mark.rule("A3")
def test_attempts_are_found_by_all_that_is_kept(world: MeterWorld, operator: Context) -> None:
    who, stranger = world.customer([Pack()]), new_id()
    write(
        world,
        attempt(who, 0),
        attempt(who, 60, "expired"),
        attempt(who, 120, "overdue", outcome="suspended", calling_station="001122334455"),
        attempt(stranger, 180, "unknown-user", nas_address="10.99.0.9"),
    )

    def reasons(**filters: Any) -> list[str]:
        return [one.reason for one in logins.search(operator, at(HOUR), **filters).rows]

    mine = {"username": f"  {who.username.upper()} "}
    assert reasons(**mine) == ["overdue", "expired", "ok"]
    assert reasons(**mine, reason="expired") == ["expired"]
    assert reasons(**mine, outcome="suspended") == ["overdue"]
    assert reasons(**mine, station="00-11-22-33-44-55") == ["overdue"]
    assert reasons(**mine, nas_name=f"meter {ROUTER}") == ["overdue", "expired", "ok"]
    assert reasons(username=stranger) == ["unknown-user"]
    assert reasons(limit=2)[:1] == ["unknown-user"]
    assert reasons(**mine, last_day=at(-86_400).date()) == []
    assert reasons(**mine, first_day=at(0).date(), last_day=at(0).date()) == [
        *("overdue", "expired", "ok")
    ]
    # Without a name, a week back only; with one, all that is kept.
    assert logins.search(operator, at(8 * 86_400)).rows == ()
    assert len(logins.search(operator, at(8 * 86_400), **mine).rows) == 3
    (found,) = logins.search(operator, at(HOUR), username=stranger).rows
    assert (found.subscription_id, found.nas_name) == (None, "unknown")
    assert found.text == "no subscriber has this user name"


@pytest.mark.rule("A3")
def test_pages_of_attempts_follow_each_other_without_gaps(
    world: MeterWorld, operator: Context
) -> None:
    who = world.customer([Pack()])
    write(world, *(attempt(who, seconds // 2) for seconds in range(7)))  # two at each second
    whole = logins.search(operator, at(HOUR), username=who.username).rows
    pages, place = [], None
    while True:
        page = logins.search(operator, at(HOUR), username=who.username, before=place, limit=3)
        pages.extend(page.rows)
        place = page.next_before
        if place is None:
            break
        place = type(place).parse(str(place))
    assert len(whole) == 7
    assert tuple(pages) == whole


@pytest.mark.rule("A3", "R2")
def test_a_reseller_sees_the_attempts_of_its_own_customers(
    world: MeterWorld, operator: Context, reseller: Context, reseller_id: int
) -> None:
    ours, theirs, stranger = world.customer([Pack()]), world.customer([Pack()]), new_id()
    for table in ("customer", "subscription", "login"):
        world.db.execute(
            sql.SQL("UPDATE {} SET org_id = %s WHERE customer_id = %s").format(
                sql.Identifier(table)
            ),
            (reseller_id, theirs.customer_id),
        )
    write(world, attempt(ours), attempt(theirs), attempt(stranger, reason="unknown-user"))
    every = {one.username for one in logins.search(operator, at(HOUR)).rows}
    assert {ours.username, theirs.username, stranger} <= every
    seen = {one.username for one in logins.search(reseller, at(HOUR)).rows}
    assert seen == {theirs.username}
    for hidden in (ours.username, stranger):
        assert logins.search(reseller, at(HOUR), username=hidden).rows == ()
    with pytest.raises(NotFound):
        logins.last_of(reseller, ours.subscription_id, at(HOUR))
    # Nor a customer those of nobody, in whatever organisation.
    customer = replace(operator, org_ids=(1,), customer_id=ours.customer_id)
    assert {one.username for one in logins.search(customer, at(HOUR)).rows} == {ours.username}


@pytest.mark.rule("A3")
def test_the_last_attempts_of_a_subscriber(world: MeterWorld, operator: Context) -> None:
    who, other = world.customer([Pack()]), world.customer([Pack()])
    write(world, attempt(who, 0), attempt(other, 1), attempt(who, 2, "data-used-up"))
    found = logins.last_of(operator, who.subscription_id, at(HOUR))
    assert [one.text for one in found] == ["the data of the package is used up", "let in"]
    assert logins.last_of(operator, who.subscription_id, at(31 * 86_400)) == []
    assert len(logins.last_of(operator, who.subscription_id, at(HOUR), limit=1)) == 1


def test_the_command_lists_attempts(
    world: MeterWorld, tollway: Callable[..., tuple[int, str, str]]
) -> None:
    who = world.customer([Pack()])
    write(world, attempt(who, 0), attempt(who, 1, "bad-password"))
    code, said, _ = tollway("logins", who.username)
    assert code == 0
    assert said.index("wrong password") < said.index("let in")
    code, said, _ = tollway("logins", who.username, "--outcome", "reject", "--json")
    assert [one["reason"] for one in json.loads(said)["rows"]] == ["bad-password"]
    code, said, _ = tollway("logins", who.username, "--limit", "1")
    assert "there are older ones" in said
    assert tollway("logins", "--reason", "no-such")[0] == 2
    assert tollway("logins", "--nas", "no-such")[0] == 3
    code, _, error = tollway("logins", "--from", "2026-03-11", "--to", "2026-03-10")
    assert (code, error) == (2, "error: from: must not be after --to\n")


# Dead letters


@pytest.mark.rule("U1")
def test_accounting_of_nobody_is_counted_and_read(
    world: MeterWorld,
    operator: Context,
    reseller: Context,
    tollway: Callable[..., tuple[int, str, str]],
) -> None:
    stranger = new_id()
    world.charge(interim(stranger, at(0), 60, 5, 7, sid="of-nobody"))
    world.charge(interim(stranger, at(60), 120, 5, 7, sid="of-nobody"))
    world.charge(start(world.customer([Pack()]), at(1), nas="10.99.1.1"))
    unusable = UnusableRecord(Unusable.NO_SESSION_ID, ROUTER, at(2), "User-Name=bob")
    metering.meter_batch(world.lane, [metering.prepare(unusable)], at(2))
    page = dead_letters.page(operator, at(HOUR))
    assert [(one.reason, one.letters) for one in page.counts] == [
        ("unknown-user", 2),
        ("no-session-id", 1),
        ("unknown-nas", 1),
    ]
    (newest, *_) = page.letters
    assert newest.raw == "User-Name=bob"
    only = dead_letters.page(operator, at(HOUR), reason="unknown-user")
    assert len(only.counts) == 3
    assert [one.nas_name for one in only.letters] == [f"meter {ROUTER}"] * 2
    assert all(stranger in one.raw and "of-nobody" in one.raw for one in only.letters)
    (alien,) = dead_letters.page(operator, at(HOUR), nas_address="10.99.1.1").letters
    assert (alien.nas_name, alien.reason) == (None, "unknown-nas")
    first = dead_letters.page(operator, at(HOUR), limit=3)
    rest = dead_letters.page(operator, at(HOUR), before=first.next_before)
    assert (*first.letters, *rest.letters) == page.letters
    assert dead_letters.page(operator, at(8 * 86_400)).counts == ()
    assert len(dead_letters.page(operator, at(8 * 86_400), first_day=at(0).date()).letters) == 4
    for blind in (reseller, replace(operator, customer_id=1)):
        nothing = dead_letters.page(blind, at(HOUR))
        assert (nothing.counts, nothing.letters) == ((), ())

    code, said, _ = tollway("dead-letters", "--from", "2026-03-10")
    assert code == 0
    for part in ("unknown-user", "no NAS has this address", "User-Name=bob", "10.99.1.1"):
        assert part in said
    code, said, _ = tollway(
        "dead-letters", "--from", "2026-03-10", "--reason", "unknown-nas", "--json"
    )
    assert [one["nas_address"] for one in json.loads(said)["letters"]] == ["10.99.1.1"]
    code, _, error = tollway("dead-letters", "--reason", "no-such")
    assert (code, "unknown-nas" in error) == (2, True)
    assert tollway("dead-letters", "--nas", "no-such")[0] == 2


@pytest.mark.rule("U11")
def test_old_letters_are_dropped_and_no_younger_ones(world: MeterWorld, context: Context) -> None:
    stranger = new_id()
    for day in (-40, -31, -29, 0):
        world.charge(interim(stranger, at(day * 86_400), 60, sid=f"day {day}."))

    def kept() -> list[str]:
        rows = world.rows("SELECT raw FROM acct_dead_letter WHERE raw LIKE %s", f"%{stranger}%")
        return sorted(row.raw.split("session ")[1].split(".")[0] for row in rows)

    assert len(kept()) == 4
    retention = history.Retention(journal_days=400, login_days=400, letter_days=30)
    assert history.drop_old_letters(context, at(0), retention, batch=1, go_on=lambda: False) == 0
    assert history.drop_old_letters(context, at(0), retention, batch=1) == 2
    assert kept() == ["day -29", "day 0"]
    young = replace(retention, letter_days=6)
    with pytest.raises(Exception, match="not dropped after 6 days"):
        history.drop_old_letters(context, at(0), young)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        world.db.execute("DELETE FROM acct_dead_letter")
