"""Rating sessions again from the raw journal: it agrees with the meter, and sees what does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from billing.cli import main
from billing.errors import Conflict, InvalidInput, NotFound
from billing.rules import rerating
from billing.services import evidence, subscribers
from billing.services.context import Context
from billing.settings import Settings
from billing.store import evidence as store
from tests.integration.meter_world import (
    MIB,
    OTHER_ROUTER,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    new_id,
    start,
    stop,
)
from tests.simulation.books import Books, install
from tests.simulation.history import history
from tests.simulation.simulation import Simulator, set_night

HOUR = 3_600


@pytest.fixture(autouse=True)
def utc(world: MeterWorld) -> None:
    world.set_zone("UTC")


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


def differences(context: Context, world: MeterWorld, who: Metered) -> list[str]:
    """Of all sessions of a subscriber."""
    return [
        f"{one.field}: stored {one.stored}, derived {one.derived}"
        for row in world.sessions(who)
        for one in evidence.rerate(context, f"id:{row.session_id}", who.username).differences
    ]


@pytest.mark.rule("U2", "U4", "U5")
def test_late_and_repeated_records(world: MeterWorld, context: Context) -> None:
    who = world.customer([Pack()])
    sid = new_id()
    middle = interim(who, at(600), 600, 10, 2_000, sid=sid)
    last = interim(who, at(900), 900, 20, 3_000, sid=sid)
    ends = stop(who, at(1_000), 1_000, 30, 3_500, sid=sid)
    world.charge(start(who, at(0), sid=sid))
    for one in (last, middle, last, ends, ends, middle):
        world.charge(one, now=at(1_000))
    assert differences(context, world, who) == []
    view = evidence.rerate(context, sid)
    assert (view.records, view.seconds, view.input_octets, view.output_octets) == (
        *(7, 1_000),
        *(30, 3_500),
    )


@pytest.mark.rule("U4")
def test_wrapped_counters(world: MeterWorld, context: Context) -> None:
    who = world.customer([Pack()])
    sid = new_id()
    near = 2**32 - 1_000
    told = {"sid": sid, "gigawords": False}
    world.charge(start(who, at(0), **told))
    world.charge(interim(who, at(600), 600, near, 5, **told))
    world.charge(stop(who, at(1_200), 1_200, 500, 10, **told))
    world.charge(interim(who, at(900), 900, 100, 7, **told), now=at(1_300))
    assert differences(context, world, who) == []
    assert evidence.rerate(context, sid).input_octets == 2**32 + 500


@pytest.mark.rule("P3", "M6")
def test_steps_under_several_prices(world: MeterWorld, context: Context) -> None:
    """One price, another, the first again: steps begin anew at each change."""
    first = Payg(octet_step=MIB, octet_step_micros=700, second_step=60, second_step_micros=11)
    second = Payg(octet_step=1_024, octet_step_micros=3)
    who = world.customer([], payg=first, requires_entitlement=False, posted_micros=10**12)
    sid = new_id()
    world.charge(start(who, at(0), sid=sid))
    for place, price in enumerate((first, first, second, second, first, first), 1):
        world.db.execute(
            "UPDATE subscription SET plan_version_id = %s WHERE subscription_id = %s",
            (world.plan_version(price), who.subscription_id),
        )
        used = 1_500_000 * place + 77
        world.charge(interim(who, at(70 * place), 70 * place, used, 5 * place, sid=sid))
    assert differences(context, world, who) == []
    view = evidence.rerate(context, sid)
    assert view.charged_micros == world.session(who).charged_micros > 0


@pytest.mark.rule("Q1", "U9", "M3")
def test_several_packages_in_one_record_and_another_day(
    world: MeterWorld, context: Context
) -> None:
    world.set_zone("Asia/Beirut")
    who = world.customer(
        [Pack(octets=1_000, minutes=20 * 1440), Pack(octets=3_000), Pack(octets=501)],
        payg=Payg(octet_step=10, octet_step_micros=9),
        posted_micros=10**9,
    )
    sid = new_id()
    evening = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
    world.charge(start(who, evening, sid=sid))
    world.charge(
        stop(who, evening + timedelta(hours=30), 30 * HOUR, 4_001, 999, sid=sid),
        now=evening + timedelta(hours=30),
    )
    assert differences(context, world, who) == []
    page = evidence.session_page(context, sid)
    assert len({part.day for part in page.slices}) == 3
    assert {part.entitlement_id for part in page.slices} == {0, *who.entitlement_ids}
    assert page.session.charged_micros == 450  # 499 octets: 50 steps


@pytest.mark.rule("Q3", "P3", "M3", "M6")
def test_free_nights_and_peak_prices(
    world: MeterWorld, context: Context, settings: Settings
) -> None:
    """Over a night without its second hour, a new price in the peak, and records out of order."""
    world.set_zone("Europe/Madrid")
    first = Payg(octet_step=MIB, octet_step_micros=700, second_step=60, second_step_micros=11)
    windows = "night:0123456:0:360:free peak:0123456:1080:1380:60:50:1024:1"
    who = world.customer(
        [Pack(octets=5 * 10**6)], payg=first, windows=windows, posted_micros=10**12
    )
    sid = new_id()
    since = datetime(2026, 3, 28, 15, 30, tzinfo=UTC)
    world.charge(start(who, since, sid=sid), now=since)
    for place in (1, 3, 2, 5, 4, 4, 6):
        if place == 5:
            world.set_version(who, world.plan_version(first, windows.replace("50", "70")))
        after = place * 3 * HOUR + 17
        moment = since + timedelta(seconds=after)
        octets = 4_000_001 * place
        world.charge(interim(who, moment, after, 33 * place, octets, sid=sid), now=moment)
    assert differences(context, world, who) == []
    page = evidence.session_page(context, sid)
    told = {(part.kind, part.tariff_window) for part in page.slices}
    assert told >= {("free", "night"), ("payg", "peak"), ("payg", ""), ("entitlement", "")}
    view = evidence.rerate(context, sid)
    assert view.charged_micros == world.session(who).charged_micros > 0
    usage = subscribers.usage_of(context, who.subscription_id, since + timedelta(days=2))
    assert {day.paid_by for day in usage.days} >= {"free (night)", "payg (peak)", "payg"}
    with psycopg.connect(settings.dsn("radius")) as hooks:
        hooks.execute(
            "UPDATE daily_usage SET seconds = seconds - 5 WHERE customer_id = %s AND kind = 'free'",
            (who.customer_id,),
        )
    assert any("free in night: time" in line for line in differences(context, world, who))


TAMPERING = {
    "session time": "UPDATE live_session SET session_seconds = session_seconds + 1",
    "input octets": "UPDATE live_session SET input_octets = input_octets - 1",
    "charged, session": "UPDATE live_session SET charged_micros = charged_micros + 1",
    "output octets": "UPDATE daily_usage SET output_octets = output_octets + 1",
    "slices (micros)": "UPDATE daily_usage SET charged_micros = charged_micros + 1",
    "octets left": "UPDATE entitlement SET octets_left = 1",
    "usage not posted": "UPDATE wallet SET unposted_micros = unposted_micros - 1",
}


@pytest.mark.parametrize("figure", TAMPERING)
def test_what_does_not_agree_is_told(
    world: MeterWorld,
    settings: Settings,
    tollway: Callable[..., tuple[int, str, str]],
    figure: str,
) -> None:
    who = world.customer(
        [Pack(octets=1_000)], payg=Payg(octet_step=10, octet_step_micros=9), posted_micros=10**9
    )
    sid = new_id()
    world.charge(start(who, at(0), sid=sid), stop(who, at(600), 600, 700, 800, sid=sid))
    code, said, _ = tollway("session", sid, "--rerate")
    assert (code, "agrees to the second, octet and micro" in said) == (0, True)
    with psycopg.connect(settings.dsn("radius")) as hooks:
        hooks.execute(f"{TAMPERING[figure]} WHERE customer_id = %s", (who.customer_id,))
    code, said, _ = tollway("session", sid, "--rerate")
    assert code == 1
    assert figure in said
    code, said, _ = tollway("session", sid, "--rerate", "--json")
    assert code == 1
    told = json.loads(said)
    assert told["agrees"] is False
    assert any(figure in one["field"] for one in told["differences"])


def test_a_session_that_several_ids_mean(world: MeterWorld, context: Context) -> None:
    who = world.customer([Pack()])
    sid = new_id()
    world.charge(start(who, at(0), sid=sid), start(who, at(0), sid=sid, nas=OTHER_ROUTER))
    numbers = [row.session_id for row in world.sessions(who)]
    with pytest.raises(Conflict) as refused:
        evidence.session_page(context, sid)
    for number in numbers:
        assert f"id:{number} ({who.username.upper()} at meter 10.1.0." in refused.value.message
        assert evidence.session_page(context, f"id:{number}").session.session_id == number
    with pytest.raises(NotFound):
        evidence.rerate(context, "never-seen")
    with pytest.raises(InvalidInput):
        evidence.rerate(context, "id:one")


@pytest.mark.rule("U9", "U11", "P2")
def test_dispute_agrees_with_usage(
    world: MeterWorld, context: Context, tollway: Callable[..., tuple[int, str, str]]
) -> None:
    who = world.customer(
        [Pack(octets=2_000)],
        payg=Payg(octet_step=10, octet_step_micros=10_000),
        posted_micros=10**9,
    )
    sid, other = new_id(), new_id()
    world.charge(start(who, at(0), sid=sid))
    world.charge(interim(who, at(600), 600, 500, 700, sid=sid))
    world.charge(interim(who, at(20 * HOUR), 20 * HOUR, 1_500, None, sid=sid))
    world.charge(interim(who, at(600), 600, 500, 700, sid=sid), now=at(20 * HOUR))
    world.charge(stop(who, at(21 * HOUR), 21 * HOUR, 1_600, 2_400, sid=sid))
    world.charge(start(who, at(23 * HOUR), sid=other))
    world.charge(stop(who, at(24 * HOUR), HOUR, 5, 6, sid=other))
    days = date(2026, 3, 10), date(2026, 3, 11)
    found = evidence.dispute(context, who.username, *days)
    usage = subscribers.usage_of(context, who.subscription_id, at(30 * HOUR))
    assert (found.seconds, found.input_octets, found.output_octets, found.charged_micros) == (
        *(usage.seconds, usage.input_octets, usage.output_octets),
        usage.charged_micros,
    )
    assert sorted(found.days, key=str) == sorted(usage.days, key=str)
    assert [len(one.records) for one in found.sessions] == [5, 2]
    (gap, _) = found.sessions[0].gaps
    assert (gap.since, gap.until) == (at(600), at(20 * HOUR))
    assert found.wallet.before_micros == 10**9
    assert found.wallet.charged_micros == found.charged_micros == 2_020_000
    assert found.wallet.after_micros == 10**9 - 2_020_000

    later = evidence.dispute(context, who.username, date(2026, 3, 11), date(2026, 3, 11))
    assert [len(one.records) for one in later.sessions] == [2, 2]
    assert later.wallet.after_micros == found.wallet.after_micros
    day = date(2026, 3, 10), date(2026, 3, 10)
    assert evidence.dispute(context, who.username, *day).wallet.after_micros == (
        later.wallet.before_micros
    )

    asked = ("dispute", who.username, "--from", "2026-03-10", "--to", "2026-03-11")
    code, said, _ = tollway(*asked)
    assert code == 0
    for part in ("repeated", "gap: nothing heard", "by local day", "USD before 2026-03-10", sid):
        assert part in said
    code, said, _ = tollway(*asked, "--json")
    assert json.loads(said)["charged_micros"] == 2_020_000
    code, said, error = tollway(
        "dispute", who.username, "--from", "2026-03-12", "--to", "2026-03-11"
    )
    assert (code, said, error) == (2, "", "error: from: must not be after --to\n")


@pytest.mark.rule("U4")
def test_anomalies_are_listed(
    world: MeterWorld, context: Context, tollway: Callable[..., tuple[int, str, str]]
) -> None:
    who = world.customer([Pack()])
    sid = new_id()
    world.charge(start(who, at(0), sid=sid))
    world.charge(interim(who, at(600), 600, 5_000, 5_000, sid=sid, anomalies=("clock-disagrees",)))
    world.charge(interim(who, at(900), 900, 10, 6_000, sid=sid))
    found = evidence.anomalies(context, username=who.username)
    assert [one.code for one in found] == ["counter-fell", "clock-disagrees"]
    assert f"session {sid} seconds 900 input 10" in found[0].detail
    only = evidence.anomalies(context, username=who.username, code="counter-fell")
    assert [one.anomaly_id for one in only] == [found[0].anomaly_id]
    assert evidence.anomalies(context, username=who.username, last_day=date(2026, 3, 9)) == []
    assert evidence.anomalies(context, username=who.username, before=found[1].anomaly_id) == []
    code, said, _ = tollway("anomalies", who.username, "--code", "counter-fell", "--json")
    assert (code, [one["code"] for one in json.loads(said)]) == (0, ["counter-fell"])
    assert tollway("anomalies", "nobody-of-that-name")[0] == 3


def rerated(books: Books, context: Context) -> Iterator[str]:
    """Where the books of a simulated history do not follow from their records."""
    zone = books.history.traffic.zone
    for who in books.people.values():
        with context.transaction() as tx:
            sessions = store.find_sessions(
                tx,
                customer_id=who.customer_id,
                subscription_id=who.subscription_id,
                limit=10_000,
            )
            terms: dict[int, Any] = {}
            for one in sessions:
                terms |= evidence._terms(tx, one)
        for one in sessions:
            for difference in rerating.rerate(one, terms, zone).differences:
                yield f"{who.username}, session {one.session.session_id}: {difference}"


@pytest.mark.rule("U2", "U3", "U4", "U9", "P3", "M6")
@pytest.mark.parametrize("cohort", range(6))
def test_simulated_histories_agree(settings: Settings, context: Context, cohort: int) -> None:
    """Thousands of lost, late, repeated and wrong records, under prices that change."""
    set_night(settings, cohort)
    simulator = Simulator(settings)
    try:
        books = install(simulator.world, history(7, cohort, households=12), cohort)
        for _ in books.run():
            pass
        assert sum(len(simulator.world.sessions(who)) for who in books.people.values()) > 20
        assert list(rerated(books, context)) == []
    finally:
        simulator.world.close()
