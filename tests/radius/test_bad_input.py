"""Input that no honest NAS sends: a clear outcome each, nothing lost, and the server goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from billing.model.decision import MESSAGES, Reason
from rig.nas import NasSession, SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, PASSWORD, Factory, Subscriber
from tests.radius import meter, wire
from tests.radius.wire import (
    EVENT_TIMESTAMP,
    INPUT_GIGAWORDS,
    INPUT_OCTETS,
    INTERIM,
    OUTPUT_GIGAWORDS,
    OUTPUT_OCTETS,
    SESSION_ID,
    SESSION_TIME,
    START,
    STATUS_TYPE,
    STOP,
    USER_NAME,
    Attribute,
)

NOT_UTF8 = b"caf\xe9\xff"
CANARIES = ("correct horse", "wrong canary", "sécrèt-canary")
STATION_ID = 31
NAS_PORT_ID = 87
ACCEPT, REJECT = 2, 3


@pytest.fixture
def subscriber(make: Factory, now: datetime) -> Subscriber:
    """Able to log in, with data to lose."""
    made = make.subscriber(now)
    make.package(made, now, seconds=86_400, octets=10**9)
    return made


@pytest.fixture(autouse=True)
def still_serving(
    make: Factory, nas: SimulatedNas, radius: dict[str, RadiusServer], now: datetime
) -> Iterator[None]:
    """After whatever came, the same processes serve an honest NAS, and no log holds a secret."""
    before = {kind: server.process() for kind, server in radius.items()}
    yield
    honest = make.subscriber(now)
    make.package(honest, now, octets=1_000)
    session = nas.begin(honest.username, honest.password)
    assert nas.interim(session, seconds=1, input_octets=2, output_octets=3)
    assert meter.left(make.context, honest) == [(None, 995)]
    assert {kind: server.process() for kind, server in radius.items()} == before
    log_dir = radius["auth"].log_dir
    secrets = [*(canary.encode() for canary in CANARIES), nas.secret]
    for path in log_dir.iterdir():
        assert _held(path, secrets) == [], f"{path.name} holds a secret"


def _held(path: Path, secrets: list[bytes]) -> list[bytes]:
    text = path.read_bytes()
    return [secret for secret in secrets if secret in text or secret.hex().encode() in text]


def interim(username: bytes, session_id: bytes, *more: Attribute) -> list[Attribute]:
    return [(STATUS_TYPE, INTERIM), (USER_NAME, username), (SESSION_ID, session_id), *more]


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def test_an_unknown_nas_is_not_answered_and_the_log_says_what_to_do(
    nas: SimulatedNas, radius: dict[str, RadiusServer]
) -> None:
    stranger = SimulatedNas(
        secret=b"whatever",
        address="127.2.3.4",
        auth_port=radius["auth"].port,
        acct_port=radius["acct"].port,
        timeout_seconds=1.0,
        resends=0,
    )
    with stranger:
        assert stranger.login("anybody", "wrong canary").result == "silence"
        session = NasSession("anybody", "s-1", "02-00-00-00-00-01")
        assert not stranger.account(session, "Start")
    for server in radius.values():
        text = (server.log_dir / f"{server.name}.log").read_text(encoding="utf-8")
        assert "packet from unknown NAS 127.2.3.4; add it with: tollway nas add" in text


def test_a_wrong_shared_secret_is_not_answered(nas: SimulatedNas) -> None:
    impostor = SimulatedNas(
        secret=b"another secret",
        address=nas.address,
        auth_port=nas.auth_port,
        acct_port=nas.acct_port,
        timeout_seconds=1.0,
        resends=0,
    )
    with impostor:
        assert impostor.login("anybody", "wrong canary").result == "silence"
        session = NasSession("anybody", "s-1", "02-00-00-00-00-01")
        assert not impostor.account(session, "Start")


@pytest.mark.rule("U4")
def test_malformed_counters_are_not_zero(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    name = subscriber.username.encode()
    good = [(SESSION_TIME, number(60)), (INPUT_OCTETS, number(700)), (OUTPUT_OCTETS, number(300))]
    assert wire.account(nas, *interim(name, b"s-short", *good))
    short = [(SESSION_TIME, b"\0\x78"), (INPUT_OCTETS, b"\0\1"), (OUTPUT_OCTETS, b"")]
    assert wire.account(nas, *interim(name, b"s-short", *short))
    assert wire.account(nas, *interim(name, b"s-short"))
    assert meter.totals(make.context, subscriber) == [(60, 700, 300)]
    assert meter.left(make.context, subscriber) == [(86_340, 10**9 - 1_000)]
    _, malformed, absent = meter.journal(make.context, subscriber)
    assert (malformed.session_seconds, malformed.input_octets) == (None, None)
    assert "bad-acct-input-octets" in (malformed.anomalies or "")
    assert "no-acct-input-octets" in (absent.anomalies or "")


@pytest.mark.rule("U4")
def test_absurd_counters_are_kept_as_anomalies(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    name = subscriber.username.encode()
    absurd = [
        (SESSION_TIME, number(2**32 - 1)),  # a −1
        (INPUT_OCTETS, number(2**32 - 1)),
        (INPUT_GIGAWORDS, number(2**32 - 1)),  # together 2^64 − 1
        (OUTPUT_OCTETS, number(17)),
        (EVENT_TIMESTAMP, number(1)),  # 1970
    ]
    assert wire.account(nas, *interim(name, b"s-absurd", *absurd))
    assert meter.totals(make.context, subscriber) == [(0, 0, 17)]
    (line,) = meter.journal(make.context, subscriber)
    assert "bad-acct-session-time" in (line.anomalies or "")
    assert "bad-acct-input-octets" in (line.anomalies or "")
    assert line.event_at.year > 2000


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ([(STATUS_TYPE, START), (SESSION_ID, b"s-1")], "no-username"),
        ([(STATUS_TYPE, START), (USER_NAME, b"bob")], "no-session-id"),
        ([(STATUS_TYPE, STOP), (USER_NAME, b"bob"), (SESSION_ID, b"")], "no-session-id"),
        ([(USER_NAME, b"bob"), (SESSION_ID, b"s-1")], "unknown-status"),
        ([(STATUS_TYPE, number(99)), (USER_NAME, b"bob"), (SESSION_ID, b"s")], "unknown-status"),
        ([(STATUS_TYPE, b"\1"), (USER_NAME, b"bob"), (SESSION_ID, b"s-1")], "unknown-status"),
        ([(STATUS_TYPE, START), (USER_NAME, NOT_UTF8), (SESSION_ID, b"s-1")], "bad-username"),
        ([(STATUS_TYPE, START), (USER_NAME, b"bob"), (SESSION_ID, NOT_UTF8)], "bad-session-id"),
        ([(STATUS_TYPE, START), (USER_NAME, b"nobody"), (SESSION_ID, b"s-1")], "unknown-user"),
        ([], "unknown-status"),
    ],
)
def test_a_record_of_no_session_is_kept_and_answered(
    make: Factory, nas: SimulatedNas, attributes: list[Attribute], reason: str
) -> None:
    """Unanswered, the NAS would send it for ever."""
    assert wire.account(nas, *attributes)
    ((kept, raw),) = meter.dead_letters(make.context, nas.address)
    assert kept == reason
    if (USER_NAME, b"bob") in attributes:
        assert "bob" in raw or b"bob".hex() in raw


def test_a_nul_in_a_text_is_stored_as_something(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    name = subscriber.username.encode()
    assert wire.account(nas, *interim(name, b"s-\0-1", (SESSION_TIME, number(60))))
    assert wire.account(nas, *interim(name + b"\0", b"s-2", (SESSION_TIME, number(60))))
    assert wire.account(nas, *interim(name, b"s-3", (NAS_PORT_ID, b"a\0b")))
    kept = len(meter.sessions(make.context, subscriber))
    assert kept + len(meter.dead_letters(make.context, nas.address)) == 3


def test_another_text_that_is_not_utf8_does_not_cost_the_record(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    name = subscriber.username.encode()
    bad = [(NAS_PORT_ID, NOT_UTF8), (STATION_ID, b"\xff"), (SESSION_TIME, number(60))]
    assert wire.account(nas, *interim(name, b"s-port", *bad, (INPUT_OCTETS, number(5))))
    assert meter.totals(make.context, subscriber) == [(60, 5, 0)]


@pytest.mark.rule("F5")
def test_a_name_that_looks_like_octets_is_that_name_and_no_other(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    """With a text beside it that is not UTF-8, all texts are handed on as octets."""
    looks_like = b"0x" + subscriber.username.encode().hex().encode()
    bad = [(NAS_PORT_ID, NOT_UTF8), (INPUT_OCTETS, number(5))]
    assert wire.account(nas, *interim(looks_like, b"s-1", *bad))
    assert wire.account(nas, *interim(b"0X\xcb", b"s-2", *bad))
    assert wire.account(nas, *interim(b"0xno", b"0x", *bad))
    assert meter.sessions(make.context, subscriber) == []
    letters = meter.dead_letters(make.context, nas.address)
    assert [reason for reason, _ in letters] == ["unknown-user", "bad-username", "unknown-user"]
    assert wire.account(nas, *interim(subscriber.username.encode(), b"0x41", *bad))
    (session,) = meter.sessions(make.context, subscriber)
    assert session.acct_session_id == "0x41"


def test_long_texts_are_kept_whole(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    name = subscriber.username.encode()
    session_id = b"s" * 253
    more = [(NAS_PORT_ID, b"p" * 253), (STATION_ID, b"c" * 253), (SESSION_TIME, number(7))]
    assert wire.account(nas, *interim(name, session_id, *more))
    (seen,) = meter.sessions(make.context, subscriber)
    assert seen.acct_session_id == session_id.decode()
    assert seen.nas_port_id == "p" * 253


@pytest.mark.rule("F15")
def test_poison_does_not_harm_its_neighbours(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    """Good records and those that can never be charged at once, so that they share batches: the
    price of 2^62 octets is beyond any amount of money."""
    dear = replace(
        DAY_PLAN,
        validity_minutes=None,
        price_micros=0,
        payg_octet_step=1,
        payg_octet_step_micros=1_000,
    )
    poisoned = make.subscriber(now, plan=dear)
    subscribers = [make.subscriber(now) for _ in range(8)]
    for each in subscribers:
        make.package(each, now, octets=10**6)
    records: list[list[Attribute]] = []
    for index, each in enumerate(subscribers):
        name = each.username.encode()
        counters = [(SESSION_TIME, number(9)), (INPUT_OCTETS, number(9))]
        records.append(interim(name, b"s-good", *counters))
        records.append(interim(NOT_UTF8, b"s-bad", *counters))
        records.append(interim(b"nobody", b"s-bad", *counters))
        records.append(
            interim(poisoned.username.encode(), b"s-poison-%d" % index, *most_octets(INPUT_OCTETS))
        )
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(lambda record: wire.account(nas, *record), records))
    for each in subscribers:
        assert meter.totals(make.context, each) == [(9, 9, 0)]
        assert meter.left(make.context, each) == [(None, 10**6 - 9)]
    assert meter.totals(make.context, poisoned) == []
    letters = meter.dead_letters(make.context, nas.address)
    assert Counter(reason for reason, _ in letters) == {
        "bad-username": 8,
        "unknown-user": 8,
        "not-storable": 8,
    }
    (told,) = {raw for reason, raw in letters if reason == "not-storable" and "s-poison-3" in raw}
    assert poisoned.username in told


def most_octets(attribute: int) -> list[Attribute]:
    """The largest counter that is taken for one: 2^62 − 1."""
    gigawords = INPUT_GIGAWORDS if attribute == INPUT_OCTETS else OUTPUT_GIGAWORDS
    return [(attribute, number(2**32 - 1)), (gigawords, number(2**30 - 1))]


def test_the_largest_counters_are_counted(
    make: Factory, nas: SimulatedNas, subscriber: Subscriber
) -> None:
    most = most_octets(INPUT_OCTETS) + most_octets(OUTPUT_OCTETS)
    assert wire.account(nas, *interim(subscriber.username.encode(), b"s-most", *most))
    assert meter.totals(make.context, subscriber) == [(0, 2**62 - 1, 2**62 - 1)]
    assert meter.left(make.context, subscriber) == [(86_400, 0)]


@pytest.mark.rule("A3")
@pytest.mark.parametrize("username", [b"", NOT_UTF8, b"a\0b", b"\xc3\xa9" * 126 + b"\xc3"])
def test_a_login_with_an_unreadable_name_is_refused(nas: SimulatedNas, username: bytes) -> None:
    answer = wire.log_in(nas, username, b"wrong canary")
    assert answer is not None
    code, message = answer
    assert code == REJECT
    assert message.decode() in (MESSAGES[Reason.BAD_REQUEST], MESSAGES[Reason.BAD_PASSWORD])


def test_another_unreadable_text_of_a_login_is_refused_and_told(
    nas: SimulatedNas, subscriber: Subscriber
) -> None:
    answer = wire.log_in(
        nas, subscriber.username.encode(), PASSWORD.encode(), (STATION_ID, NOT_UTF8)
    )
    assert answer == (REJECT, MESSAGES[Reason.BAD_REQUEST].encode())


def test_odd_logins_are_refused(nas: SimulatedNas, subscriber: Subscriber) -> None:
    name = subscriber.username.encode()
    assert nas.login(subscriber.username, "").result == "reject"
    assert wire.log_in(nas, name, "sécrèt-canary".encode("latin-1")) is not None
    assert wire.log_in(nas, name, b"\0" * 128)[0] == REJECT
    assert wire.log_in(nas, b"x" * 253, b"wrong canary")[0] == REJECT
    assert (
        wire.log_in(nas, name, PASSWORD.encode(), *[(26, b"\0\0\x27\x0f\1\5abc")] * 20)[0] == ACCEPT
    )
    assert wire.log_in(nas, b"%{User-Name}`id`", b"wrong canary")[0] == REJECT
