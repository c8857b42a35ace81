"""EAP through real FreeRADIUS with a real supplicant: PEAP-MSCHAPv2, EAP-TTLS/PAP, EAP-MSCHAPv2."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import pbkdf2_hmac

import pytest
from Crypto.Hash import MD4
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.plan import Starts
from billing.services import pools, sales
from billing.store import tables
from rig.eapol import Credentials, EapOutcome, Method, log_in
from rig.nas import SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, PASSWORD, Factory
from tests.radius import meter
from tests.radius.eap_devices import TUNNELS, connect, trusting
from tests.radius.test_login import history, named, overdue, paid, windows
from tests.waiting import until

METHODS: list[Method] = ["peap", "ttls", "mschapv2"]


@pytest.fixture
def devices(radius: dict[str, RadiusServer]) -> Credentials:
    return trusting(radius["auth"])


def plain(outcome: EapOutcome) -> dict[str, object]:
    """What the NAS is told, without EAP-Message (79) and the keys (311 is Microsoft)."""
    own = {"79", "Message-Authenticator"}
    return {
        name: value
        for name, value in outcome.attributes.items()
        if name not in own and not name.startswith(("MS-MPPE-", "(311, "))
    }


def refusals(make: Factory, nas: SimulatedNas) -> list[tuple[str, str]]:
    """(reason, user name) of what was refused at this NAS, in order."""
    attempt = tables.LoginAttempt
    with make.context.transaction() as tx:
        chosen = select(attempt.reason, attempt.username).where(
            attempt.nas_id == nas.nas_id, attempt.outcome == "reject"
        )
        return [tuple(row) for row in tx.execute(chosen.order_by(attempt.at))]


@pytest.mark.rule("A2")
@pytest.mark.parametrize("method", METHODS)
def test_the_accept_carries_what_was_decided_for_the_inner_name(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = make.subscriber(now, plan=replace(DAY_PLAN, interim_seconds=120))
    make.package(subscriber, now, seconds=3_600)
    outcome = connect(nas, devices, subscriber, method)
    assert (outcome.succeeded, outcome.result) == (True, "accept")
    assert outcome.keys_match == (method in TUNNELS)
    assert plain(outcome) == {
        "User-Name": [subscriber.username],
        "Framed-Pool": ["pool-normal"],
        "Session-Timeout": [3_600],
        "Acct-Interim-Interval": [120],
        "Class": [f"tw1:{subscriber.subscription_id}:n".encode()],
    }
    assert history(make, subscriber.username) == [("accept", "ok", subscriber.subscription_id)]


@pytest.mark.rule("A3")
@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_password_is_refused_and_kept_once(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = paid(make, now)
    outcome = connect(nas, devices, subscriber, method, password="wrong")
    assert (outcome.succeeded, outcome.result) == (False, "reject")
    assert plain(outcome) == {}
    stranger = connect(nas, devices, replace(subscriber, username="nobody-" + method), method)
    assert (stranger.result, plain(stranger)) == ("reject", {})
    again = connect(nas, devices, subscriber, method)
    assert again.result == "accept"
    assert history(make, subscriber.username, 2) == [
        ("reject", "bad-password", subscriber.subscription_id),
        ("accept", "ok", subscriber.subscription_id),
    ]
    assert history(make, "nobody-" + method) == [("reject", "unknown-user", 0)]


@pytest.mark.rule("A3")
@pytest.mark.parametrize("method", METHODS)
def test_an_expired_package_is_refused_after_the_right_password(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now - timedelta(days=2))
    outcome = connect(nas, devices, subscriber, method)
    assert (outcome.succeeded, outcome.result, plain(outcome)) == (False, "reject", {})
    guessed = connect(nas, devices, subscriber, method, password="wrong")
    assert guessed.result == "reject"
    assert history(make, subscriber.username, 2) == [
        ("reject", "expired", subscriber.subscription_id),
        ("reject", "bad-password", subscriber.subscription_id),
    ]


@pytest.mark.rule("B10")
@pytest.mark.parametrize("method", METHODS)
def test_an_overdue_customer_is_let_into_the_suspended_pool(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = overdue(make, now, framed_ip="10.9.8.7")
    outcome = connect(nas, devices, subscriber, method)
    assert outcome.result == "accept"
    assert outcome.first("Framed-Pool") == "walled"
    assert outcome.first("Class") == f"tw1:{subscriber.subscription_id}:s".encode()
    assert "Framed-IP-Address" not in outcome.attributes
    assert history(make, subscriber.username)[-1][:2] == ("suspended", "overdue")


@pytest.mark.rule("B2")
@pytest.mark.parametrize("method", METHODS)
def test_validity_begins_with_the_first_login_that_was_let_in(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    plan = replace(DAY_PLAN, starts=Starts.FIRST_LOGIN, validity_minutes=90)
    subscriber = make.subscriber(now, plan=plan)
    sales.sell(
        make.context,
        subscriber.subscription_id,
        make.plan(now, plan),
        idempotency_key=f"first-login-{method}",
        now=now,
        pay_by=MoneyChannel.CASH,
    )
    assert connect(nas, devices, subscriber, method, password="wrong").result == "reject"
    assert windows(make, subscriber) == [(None, None)]
    before = utc_now()
    assert connect(nas, devices, subscriber, method).result == "accept"
    ((start, end),) = windows(make, subscriber)
    assert before <= start <= utc_now()
    assert end - start == timedelta(minutes=90)


@pytest.mark.rule("A6")
@pytest.mark.parametrize("method", METHODS)
def test_a_login_takes_its_slot_and_an_address_of_our_own_pool(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    third = METHODS.index(method)
    pools.add_pool(make.context, name=f"own-{method}", ranges=[f"10.88.{third}.0/24"], now=now)
    subscriber = make.subscriber(now, plan=replace(DAY_PLAN, pool=f"own-{method}"), session_limit=1)
    make.package(subscriber, now)
    # Which pools are ours is looked up now and then.
    until(lambda: nas.login(subscriber.username, PASSWORD).first("Framed-IP-Address"))
    outcome = connect(nas, devices, subscriber, method)
    assert str(outcome.first("Framed-IP-Address")).startswith(f"10.88.{third}.")
    assert "Framed-Pool" not in outcome.attributes
    nas.start(subscriber.username)
    entered = replace(devices, identity=subscriber.username, method="ttls")
    elsewhere = log_in(nas, entered, station="02:00:00:00:00:02")
    assert elsewhere.result == "reject"
    assert history(make, subscriber.username)[-1][:2] == ("reject", "too-many-sessions")


@pytest.mark.rule("A2")
def test_an_nt_hash_serves_peap_and_ttls(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime
) -> None:
    digest = MD4.new(PASSWORD.encode("utf-16-le")).hexdigest()  # noqa: S303 (MS-CHAP is MD4)
    subscriber = named(make, now, "hashed-eap", nt_hash=digest)
    for method in METHODS:
        assert connect(nas, devices, subscriber, method).result == "accept"
        assert connect(nas, devices, subscriber, method, password="wrong").result == "reject"


@pytest.mark.rule("A2")
def test_a_salted_hash_serves_ttls_only(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime
) -> None:
    salt, rounds = os.urandom(16), 1_000
    digest = pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds)
    parts = (rounds.to_bytes(4, "big"), salt, digest)
    text = ":".join(["HMACSHA2+256", *(b64encode(part).decode() for part in parts)])
    subscriber = named(make, now, "salted-eap", pbkdf2=text)
    assert connect(nas, devices, subscriber, "ttls").result == "accept"
    assert connect(nas, devices, subscriber, "ttls", password="wrong").result == "reject"
    assert connect(nas, devices, subscriber, "peap").result == "reject"


@pytest.mark.rule("A2")
@pytest.mark.parametrize("method", ["ttls-chap", "ttls-mschapv2", "ttls-eap-mschapv2"])
def test_eap_ttls_carries_other_kinds_of_password_too(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = paid(make, now)
    outcome = connect(nas, devices, subscriber, method)
    assert (outcome.result, outcome.first("User-Name")) == ("accept", subscriber.username)
    assert outcome.first("Framed-Pool") == "pool-normal"
    assert connect(nas, devices, subscriber, method, password="wrong").result == "reject"
    assert [line[:2] for line in history(make, subscriber.username, 2)] == [
        ("accept", "ok"),
        ("reject", "bad-password"),
    ]


def test_a_method_that_is_not_spoken_is_refused_and_kept(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime
) -> None:
    subscriber = paid(make, now)
    assert connect(nas, devices, subscriber, "peap-gtc").result == "reject"
    assert history(make, subscriber.username) == [("reject", "tunnel-failed", 0)]


@pytest.mark.rule("A2")
def test_odd_names_and_passwords_are_verified_as_they_are(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime
) -> None:
    odd = ('b\\a"c%{User-Name}', "{clear}brace", "pä ss’wörd", "x" * 128)
    names = ("Straße 1@ISP.example", "o'brien; drop", 'qu"ote', "02-00-5E-10-00-07")
    for name, password in zip(names, odd, strict=True):
        subscriber = named(make, now, name, password=password)
        for method in TUNNELS:
            entered = connect(nas, devices, subscriber, method, password=password)
            assert (entered.result, entered.first("User-Name")) == ("accept", name)
            wrong = connect(nas, devices, subscriber, method, password=password[:-1])
            assert wrong.result == "reject"


@pytest.mark.rule("A3")
@pytest.mark.parametrize("method", TUNNELS)
def test_an_inner_name_that_is_not_text_is_refused_and_kept(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber = paid(make, now)
    for identity in ("al\udcffice", "", "n" * 254):
        assert connect(nas, devices, subscriber, method, identity=identity).result == "reject"
    kept = until(lambda: found if len(found := refusals(make, nas)) >= 3 else [])
    assert {reason for reason, _ in kept} <= {"bad-request", "tunnel-failed"}
    assert kept[0] == ("bad-request", "")
    assert connect(nas, devices, subscriber, method).result == "accept"


@pytest.mark.rule("A2")
@pytest.mark.parametrize("method", TUNNELS)
def test_the_outer_name_may_not_be_somebody_elses(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    subscriber, other = paid(make, now), paid(make, now)
    for outer in (subscriber.username, "anonymous", "@isp.example", "Anonymous@isp.example"):
        assert connect(nas, devices, subscriber, method, outer_identity=outer).result == "accept"
    for outer in (other.username, "anonymous2", f"x{subscriber.username}"):
        assert connect(nas, devices, subscriber, method, outer_identity=outer).result == "reject"
    assert history(make, subscriber.username, 7)[4:] == [("reject", "outer-name", 0)] * 3
    assert connect(nas, devices, other, method).result == "accept"
    assert len(history(make, other.username)) == 1


@pytest.mark.rule("U3")
@pytest.mark.parametrize("method", TUNNELS)
def test_usage_goes_to_the_inner_name(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, method: Method
) -> None:
    """A NAS that follows RFC 2865 5.1 accounts under the User-Name of the Accept."""
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=10_000)
    outcome = connect(nas, devices, subscriber, method)
    session = nas.start(str(outcome.first("User-Name")), session_class=outcome.first("Class"))
    assert nas.interim(session, seconds=10, input_octets=1_000, output_octets=2_000)
    assert nas.stop(session)
    assert meter.totals(make.context, subscriber) == [(10, 1_000, 2_000)]
    assert meter.left(make.context, subscriber) == [(None, 7_000)]


@pytest.mark.rule("U3")
@pytest.mark.parametrize("outer", ["anonymous", "@isp.example", "Anonymous@isp.example"])
def test_class_tells_whose_usage_it_is_when_the_nas_keeps_the_outer_name(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime, outer: str
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=10_000)
    outcome = connect(nas, devices, subscriber, "peap", outer_identity=outer)
    session = nas.start(outer, session_class=outcome.first("Class"))
    assert nas.interim(session, seconds=10, input_octets=1_000, output_octets=2_000)
    assert nas.stop(session)
    assert meter.totals(make.context, subscriber) == [(10, 1_000, 2_000)]
    assert meter.left(make.context, subscriber) == [(None, 7_000)]
    # An order to disconnect has to name what the NAS knows (rule C3).
    assert [row.username for row in meter.sessions(make.context, subscriber)] == [outer]


@pytest.mark.rule("U3")
def test_class_moves_no_usage_that_has_a_name_or_is_not_ours(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber, other = paid(make, now), paid(make, now)
    copied = f"tw1:{subscriber.subscription_id}:n".encode()
    nas.start(other.username, session_class=copied)
    assert meter.sessions(make.context, subscriber) == []
    assert len(meter.sessions(make.context, other)) == 1
    for session_class in (None, b"somebody's", b"tw1:999999999:n", b"tw1:1:n:more"):
        nas.start("anonymous@isp.example", session_class=session_class)
    nas.start(f"not-{subscriber.username}", session_class=copied)
    assert meter.sessions(make.context, subscriber) == []
    assert {reason for reason, _ in meter.dead_letters(make.context, nas.address)} == {
        "unknown-user"
    }
