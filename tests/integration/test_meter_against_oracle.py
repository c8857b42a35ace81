"""Random histories: the meter agrees with a slow model, and its books always balance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.model.events import AccountingRecord, Status
from tests.integration.meter_world import (
    MIB,
    OTHER_ROUTER,
    ROUTER,
    T0,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    record,
)
from tests.simulation.books import package_of, tariff_of, windows_of
from tests.simulation.oracle import Account, Plan, Reading, Session, Wallet
from tests.simulation.terms import FREE, PEAK

# Before midnight in the zones below; two of the nights change the clock at midnight itself.
NIGHTS = (
    ("UTC", datetime.fromisoformat("2026-03-10T20:00:00+00:00")),
    ("Asia/Beirut", datetime.fromisoformat("2026-03-28T20:00:00+00:00")),
    ("Asia/Beirut", datetime.fromisoformat("2026-10-24T18:00:00+00:00")),
    ("America/Havana", datetime.fromisoformat("2026-11-01T02:00:00+00:00")),
    ("Asia/Kathmandu", datetime.fromisoformat("2026-06-10T16:00:00+00:00")),
)
EXAMPLES = 3 * settings().max_examples
PLAUSIBLE_OCTETS_PER_SECOND = 100_000_000


@dataclass(frozen=True)
class History:
    """What one subscriber bought and every packet of its sessions, in the order of arrival."""

    zone: str
    packs: list[Pack]
    payg: Payg | None
    requires_entitlement: bool
    posted_micros: int
    windows: str | None
    batches: list[tuple[datetime, list[AccountingRecord]]]
    true_totals: dict[tuple[str, str], list[list[AccountingRecord]]]
    """Per NAS and id: the records that arrived of each real session; empty when undecidable."""


@st.composite
def packs(draw: st.DrawFn, base_minutes: int) -> list[Pack]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("now", "now", "follows", "first_login", "past", "bought")))
        minutes = draw(st.sampled_from((30, 600, 10_000, None)))
        since: int | None = base_minutes - draw(st.integers(0, 300))
        bought = base_minutes + draw(st.sampled_from((-1000, -1000, 60)))
        if kind == "follows":
            since = base_minutes + draw(st.integers(0, 600))
        elif kind == "first_login":
            since = None
        elif kind == "past":
            since, minutes = base_minutes - 400, 300
        elif kind == "bought":  # while the sessions run
            since = bought = base_minutes + draw(st.integers(0, 240))
        found.append(
            Pack(
                seconds=draw(st.none() | st.integers(1, 20_000)),
                octets=draw(st.none() | st.integers(1, 6_000 * MIB)),
                since_minutes=since,
                minutes=minutes,
                follows=kind == "follows",
                bought_minutes=bought,
            )
        )
    return found


@st.composite
def one_session(
    draw: st.DrawFn, who: str, begins_at: datetime, nas: str, sid: str, is_precise: bool
) -> tuple[list[AccountingRecord], datetime]:
    """The packets of one session that reach the server, in order; and when it ended."""
    # 32-bit counters need session times to be put in order, and instants that can be trusted.
    wide = sid == "a" or not is_precise
    seconds = sent = received = 0
    packets = [(Status.START, 0, None, None)]
    for _ in range(draw(st.integers(0, 4))):
        step = draw(st.integers(1, 7_200))
        fastest = step * PLAUSIBLE_OCTETS_PER_SECOND
        limit = min(fastest, 2**44 if wide else 2**31 - 1)
        seconds += step
        sent += draw(st.integers(0, limit))
        received += draw(st.integers(0, min(limit, 2**40)))
        packets.append((Status.INTERIM, seconds, sent, received))
    seconds += draw(st.integers(0, 600))
    packets.append((Status.STOP, seconds, sent, received))
    found = []
    for status, age, input_octets, output_octets in packets:
        if draw(st.integers(0, 4)) == 0:
            continue  # lost
        told: int | None = None if status is Status.START else age
        if wide and draw(st.integers(0, 9)) == 0:
            told = None
        if draw(st.integers(0, 9)) == 0:
            input_octets = None
        if draw(st.integers(0, 9)) == 0:
            output_octets = None
        event_at = begins_at + timedelta(seconds=age)
        if not is_precise:
            event_at += timedelta(seconds=draw(st.integers(0, 100)))
        found.append(
            record(
                who,
                status,
                event_at,
                seconds=told,
                sent=None if input_octets is None else input_octets % (2**62 if wide else 2**32),
                received=None
                if output_octets is None
                else output_octets % (2**62 if wide else 2**32),
                sid=sid,
                nas=nas,
                precise=is_precise,
                gigawords=wide,
            )
        )
    return found, begins_at + timedelta(seconds=seconds)


@st.composite
def histories(draw: st.DrawFn) -> History:
    zone, base = draw(st.sampled_from(NIGHTS))
    is_precise = draw(st.integers(0, 4)) > 0
    free_at: dict[tuple[str, str], datetime] = {}
    real: dict[tuple[str, str], list[list[AccountingRecord]]] = {}
    arriving: list[AccountingRecord] = []
    for _ in range(draw(st.integers(1, 4))):
        key = (draw(st.sampled_from((ROUTER, OTHER_ROUTER))), draw(st.sampled_from("ab")))
        begins_at = free_at.get(key, base) + timedelta(seconds=draw(st.integers(70, 9_000)))
        packets, ended_at = draw(one_session("", begins_at, *key, is_precise))
        free_at[key] = ended_at
        real.setdefault(key, []).append(packets)
        for packet in packets:
            arriving += [packet] * draw(st.sampled_from((1, 1, 1, 2, 3)))
    if draw(st.booleans()):
        arriving = draw(st.permutations(arriving))
    batches = []
    now = base
    while arriving:
        size = draw(st.integers(1, 8))
        now += timedelta(minutes=draw(st.integers(0, 600)))
        batches.append((now, arriving[:size]))
        arriving = arriving[size:]
    payg = draw(
        st.none()
        | st.builds(
            Payg,
            octet_step=st.just(MIB),
            octet_step_micros=st.integers(0, 5_000),
            second_step=st.just(60),
            second_step_micros=st.integers(0, 5_000),
        )
    )
    decidable = is_precise and all(
        packet.session_seconds is not None or packet.status is Status.START
        for sessions in real.values()
        for packets in sessions
        for packet in packets
    )
    return History(
        zone=zone,
        packs=draw(packs((base - T0) // timedelta(minutes=1))),
        payg=payg,
        requires_entitlement=draw(st.booleans()),
        posted_micros=draw(st.sampled_from((0, 1_000_000, 10**12))),
        windows=" ".join(
            [
                *draw(st.sampled_from(((), FREE[:1], FREE[1:2], FREE[2:]))),
                *(draw(st.sampled_from(((), PEAK[1:2], PEAK[2:3]))) if payg else ()),
            ]
        )
        or None,
        batches=batches,
        true_totals=real if decidable else {},
    )


@given(history=histories())
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@pytest.mark.rule("U2", "U3", "U4", "U5", "U9", "Q1", "Q3", "P3", "P8", "C1")
def test_meter_agrees_with_the_model(world: MeterWorld, history: History) -> None:
    world.set_zone(history.zone)
    who = world.customer(
        history.packs,
        payg=history.payg,
        windows=history.windows,
        requires_entitlement=history.requires_entitlement,
        posted_micros=history.posted_micros,
    )
    account = _account(world, who, history)
    for now, batch in history.batches:
        arrived = [replace(one, username=who.username, arrived_at=now) for one in batch]
        world.charge(*arrived, now=now)
        for one in arrived:
            account.charge(_reading(one), now)
    _agrees(world, who, account)
    _balances(world, who)
    _complete(world, who, history)


def _account(world: MeterWorld, who: Metered, history: History) -> Account:
    payg, windows = history.payg, history.windows
    return Account(
        zone=ZoneInfo(history.zone),
        packages=[package_of(row, windows) for row in world.entitlements(who)],
        plan=Plan(
            world.plan_version(payg, windows),
            None if payg is None else tariff_of(payg),
            windows_of(windows),
        ),
        requires_package=history.requires_entitlement,
        wallet=Wallet(history.posted_micros),
    )


def _reading(packet: AccountingRecord) -> Reading:
    return Reading(
        (packet.nas_address, packet.acct_session_id),
        int(packet.status),
        packet.event_at,
        packet.arrived_at,
        packet.precise_time,
        packet.session_seconds,
        packet.input_octets,
        packet.output_octets,
        packet.has_gigawords,
    )


def _agrees(world: MeterWorld, who: Metered, account: Account) -> None:
    """Sessions, slices, packages, wallet and orders are the model's."""
    rows = sorted(world.sessions(who), key=lambda row: row.session_id)
    names = {nas_id: address for address, nas_id in world.nas_ids.items()}
    assert [
        (
            (names[row.nas_id], row.acct_session_id),
            row.started_at,
            row.last_event_at,
            row.closed_at,
            (row.session_seconds, row.input_octets, row.output_octets),
            (row.payg_seconds, row.payg_octets, row.payg_micros),
            row.cut_requested_at,
        )
        for row in rows
    ] == [_expected(session) for session in account.sessions]
    number = {row.session_id: place for place, row in enumerate(rows)}
    assert {
        (
            number[row.session_id],
            row.local_day,
            row.kind,
            row.entitlement_id,
            row.plan_version_id,
            row.tariff_window,
        ): (
            row.seconds,
            row.input_octets,
            row.output_octets,
            row.charged_micros,
        )
        for row in world.slices(who)
    } == {
        key: (one.seconds, one.input_octets, one.output_octets, one.micros)
        for key, one in account.slices.items()
    }
    assert [
        (
            *(row.valid_from, row.valid_until, row.seconds_left, row.octets_left),
            row.ended_at is not None,
        )
        for row in world.entitlements(who)
    ] == [
        (one.valid_from, one.valid_until, one.seconds_left, one.octets_left, one.ended)
        for one in account.packages
    ]
    assert world.wallet(who).unposted_micros == account.wallet.unposted_micros
    cut = [row.session_id for row in rows if row.cut_requested_at is not None]
    assert sorted(order.session_id for order in world.orders(who)) == cut


def _expected(session: Session) -> tuple[object, ...]:
    return (
        session.session_key,
        session.started_at,
        session.last_event_at,
        session.closed_at,
        (session.total.seconds, session.total.input_octets, session.total.output_octets),
        (session.payg_seconds, session.payg_octets, session.payg_micros),
        session.cut_at,
    )


def _balances(world: MeterWorld, who: Metered) -> None:
    """Slices sum to totals; what was spent and what nothing covered is all usage; no negatives."""
    sliced: dict[int, list[int]] = {}
    spent: dict[int, list[int]] = {}
    for row in world.slices(who):
        assert min(row.seconds, row.input_octets, row.output_octets, row.charged_micros) >= 0
        total = sliced.setdefault(row.session_id, [0, 0, 0, 0])
        paid = spent.setdefault(row.entitlement_id, [0, 0])
        for place, value in enumerate(row[8:12]):
            total[place] += value
        paid[0] += row.seconds
        paid[1] += row.input_octets + row.output_octets
    for row in world.sessions(who):
        assert sliced.get(row.session_id, [0, 0, 0, 0]) == [
            row.session_seconds,
            row.input_octets,
            row.output_octets,
            row.charged_micros,
        ]
    for row in world.entitlements(who):
        seconds, octets = spent.get(row.entitlement_id, [0, 0])
        assert row.seconds_total is None or row.seconds_total - row.seconds_left == seconds
        assert row.octets_total is None or row.octets_total - row.octets_left == octets
    charged = sum(row.charged_micros for row in world.sessions(who))
    assert world.wallet(who).unposted_micros == charged
    added = [row.added_input_octets + row.added_output_octets for row in world.journal(who)]
    assert sum(added) == sum(sum(total[1:3]) for total in sliced.values())
    assert min(added, default=0) >= 0


def _complete(world: MeterWorld, who: Metered, history: History) -> None:
    """Whatever the order: each real session has the highest counters that arrived of it (U2)."""
    for (nas, sid), sessions in history.true_totals.items():
        rows = [
            row
            for row in world.sessions(who)
            if (row.nas_id, row.acct_session_id) == (world.nas_ids[nas], sid)
        ]
        seen = [packets for packets in sessions if packets]
        assert len(rows) == len(seen)
        for row, packets in zip(rows, seen, strict=True):
            assert row.session_seconds == max(one.session_seconds or 0 for one in packets)
            if all(one.has_gigawords for one in packets):
                assert row.input_octets == max(one.input_octets or 0 for one in packets)
                assert row.output_octets == max(one.output_octets or 0 for one in packets)
