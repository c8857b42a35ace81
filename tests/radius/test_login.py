"""Logins through real FreeRADIUS: what is verified, what is decided, and what a stranger sees."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import pbkdf2_hmac

import pytest
from Crypto.Hash import MD4
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.account import HoldBehaviour
from billing.model.commerce import MoneyChannel
from billing.model.decision import MESSAGES, Reason
from billing.model.network import Vendor
from billing.model.plan import Starts
from billing.model.profile import Payment
from billing.services import bills, customers, holds, sales
from billing.store import tables
from rig.nas import LoginOutcome, SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, PASSWORD, Factory, Subscriber
from tests.waiting import until

PAYG_PLAN = replace(
    DAY_PLAN, validity_minutes=None, price_micros=0, payg_second_step=60, payg_second_step_micros=10
)
PREPAID = replace(
    MONTHLY,
    payment=Payment.PREPAID,
    automatic_bill=True,
    automatic_suspend=False,
    suspended_pool=None,
)
METHODS = ["pap", "chap", "mschapv2"]
STATION = "02-00-00-00-00-01"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def paid(make: Factory, now: datetime, **options: object) -> Subscriber:
    """A daily subscriber with a package for the day."""
    subscriber = make.subscriber(now, **options)
    make.package(subscriber, now)
    return subscriber


def named(make: Factory, now: datetime, username: str, **options: object) -> Subscriber:
    """Like `paid`, with this user name and these credentials."""
    owner = make.subscriber(now)
    subscription_id = customers.add_subscription(
        make.context,
        customer_id=owner.customer_id,
        username=username,
        plan_id=make.plan(now),
        now=now,
        **options,
    )
    subscriber = Subscriber(owner.customer_id, subscription_id, username)
    make.package(subscriber, now)
    return subscriber


def history(make: Factory, username: str, attempts: int = 1) -> list[tuple[str, str, int]]:
    """(outcome, reason, subscription) of each attempt under this folded name, in order; they are
    written behind the answer, so this waits until there are so many."""
    attempt = tables.LoginAttempt
    chosen = select(attempt).where(attempt.username == username).order_by(attempt.at)

    def written() -> list[tuple[str, str, int]]:
        with make.context.transaction() as tx:
            rows = [(row.outcome, row.reason, row.subscription_id) for row in tx.scalars(chosen)]
        return rows if len(rows) >= attempts else []

    return until(written)


def shown(outcome: LoginOutcome) -> dict[str, object]:
    """What differs between two answers on the wire, whatever the request."""
    per_request = {"Message-Authenticator", "MS-CHAP-Error"}
    return {name: value for name, value in outcome.attributes.items() if name not in per_request}


@pytest.mark.rule("A2")
@pytest.mark.parametrize("method", METHODS)
def test_a_right_password_is_accepted_and_a_wrong_one_is_not(
    make: Factory, nas: SimulatedNas, now: datetime, method: str
) -> None:
    subscriber = paid(make, now)
    accepted = nas.login(subscriber.username, subscriber.password, method=method)
    assert (accepted.result, accepted.message) == ("accept", "")
    assert accepted.first("Framed-Pool") == "pool-normal"
    assert accepted.first("Class") == f"tw1:{subscriber.subscription_id}:n".encode()
    refused = nas.login(subscriber.username, "wrong", method=method)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.BAD_PASSWORD])
    assert history(make, subscriber.username, 2) == [
        ("accept", "ok", subscriber.subscription_id),
        ("reject", "bad-password", subscriber.subscription_id),
    ]


@pytest.mark.rule("A2")
def test_odd_passwords_are_verified_as_they_are(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    for number, password in enumerate(
        ('b\\a"c%{User-Name}', "{clear}brace", "pä ss’wörd", "x" * 128)
    ):
        subscriber = named(make, now, f"odd{number}", password=password)
        for method in METHODS:
            assert nas.login(subscriber.username, password, method=method).result == "accept"
            assert nas.login(subscriber.username, password[:-1], method=method).result == "reject"


@pytest.mark.rule("A2")
def test_an_nt_hash_serves_mschap_and_pap(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    digest = MD4.new(PASSWORD.encode("utf-16-le")).hexdigest()  # noqa: S303 (MS-CHAP is MD4)
    named(make, now, "hashed", nt_hash=digest)
    for method, expected in (("mschapv2", "accept"), ("pap", "accept"), ("chap", "reject")):
        assert nas.login("hashed", PASSWORD, method=method).result == expected
        assert nas.login("hashed", "wrong", method=method).result == "reject"


@pytest.mark.rule("A2")
def test_a_salted_hash_serves_pap(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    salt, rounds = os.urandom(16), 1_000
    digest = pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds)
    parts = (rounds.to_bytes(4, "big"), salt, digest)
    text = ":".join(["HMACSHA2+256", *(b64encode(part).decode() for part in parts)])
    named(make, now, "salted", pbkdf2=text)
    assert nas.login("salted", PASSWORD).result == "accept"
    assert nas.login("salted", "wrong").result == "reject"
    assert nas.login("salted", PASSWORD, method="mschapv2").result == "reject"


@pytest.mark.rule("A1")
@pytest.mark.parametrize(
    ("username", "sent"),
    [
        ("Frieda", "FRIEDA"),
        ("frieda@isp.example", "Frieda@ISP.Example"),
        ("straße", "STRASSE"),
        ("02:00:5e:10:00:01", "02-00-5E-10-00-01"),
        ("0200.5e10.0002", "02005E100002"),
        ("back\\slash", "Back\\Slash"),
        ("o'brien; drop", "O'Brien; DROP"),
    ],
)
def test_user_names_are_compared_folded(
    make: Factory, nas: SimulatedNas, now: datetime, username: str, sent: str
) -> None:
    subscriber = named(make, now, username, password=PASSWORD)
    outcome = nas.login(sent, PASSWORD)
    assert outcome.result == "accept"
    assert outcome.first("Class") == f"tw1:{subscriber.subscription_id}:n".encode()


@pytest.mark.rule("A3")
@pytest.mark.parametrize("method", METHODS)
def test_without_the_password_nobody_learns_who_exists_or_what_is_wrong(
    make: Factory, nas: SimulatedNas, now: datetime, method: str
) -> None:
    able, unpaid, closed = paid(make, now), make.subscriber(now), paid(make, now)
    holds.close(make.context, closed.subscription_id, now)
    debtor = overdue(make, now)
    keyless = named(make, now, f"keyless-{method}")
    stranger = f"nobody-{secrets.token_hex(4)}"
    seen = [
        nas.login(name, "wrong", method=method)
        for name in (*(who.username for who in (able, unpaid, closed, debtor, keyless)), stranger)
    ]
    assert {outcome.result for outcome in seen} == {"reject"}
    first = shown(seen[0])
    assert first == {"Reply-Message": [MESSAGES[Reason.BAD_PASSWORD]]}
    assert [shown(outcome) for outcome in seen] == [first] * len(seen)
    assert len({tuple(sorted(outcome.attributes)) for outcome in seen}) == 1
    # Our own records do tell them apart.
    assert history(make, stranger) == [("reject", "unknown-user", 0)]
    assert history(make, debtor.username)[0][:2] == ("reject", "bad-password")
    assert history(make, keyless.username)[0][:2] == ("reject", "no-credential")


@pytest.mark.rule("A3")
@pytest.mark.parametrize("method", METHODS)
def test_a_refusal_after_the_right_password_carries_its_reason_only(
    make: Factory, nas: SimulatedNas, now: datetime, method: str
) -> None:
    subscriber = make.subscriber(now, framed_ip="10.9.8.7")
    outcome = nas.login(subscriber.username, subscriber.password, method=method)
    assert outcome.result == "reject"
    assert shown(outcome) == {"Reply-Message": [MESSAGES[Reason.NO_ENTITLEMENT]]}


Setup = Callable[[Factory, SimulatedNas, datetime], Subscriber]


def _closed(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = paid(make, now)
    holds.close(make.context, subscriber.subscription_id, now)
    return subscriber


def _held(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = paid(make, now)
    holds.suspend(make.context, subscriber.subscription_id, note="complaint", now=now)
    return subscriber


def _paused(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = paid(make, now)
    holds.pause(make.context, subscriber.subscription_id, now)
    return subscriber


def _penniless(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    return make.subscriber(now, plan=PAYG_PLAN)


def _not_covered(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    return make.subscriber(now, profile=PREPAID, plan=MONTH_PLAN)


def _expired(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_from=now - timedelta(days=1))
    return subscriber


def _out_of_time(make: Factory, nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=60)
    _use(nas, subscriber, seconds=60)
    return subscriber


def _out_of_data(make: Factory, nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=5_000_000_000)
    _use(nas, subscriber, seconds=60, input_octets=4_999_999_999, output_octets=10)
    return subscriber


def _use(nas: SimulatedNas, subscriber: Subscriber, **counters: int) -> None:
    session = nas.begin(subscriber.username, subscriber.password)
    session.seconds = counters["seconds"]
    session.input_octets = counters.get("input_octets", 0)
    session.output_octets = counters.get("output_octets", 0)
    assert nas.stop(session)


def _elsewhere(make: Factory, nas: SimulatedNas, now: datetime) -> Subscriber:
    return paid(make, now, nas_ids=[nas.nas_id + 1_000])


def _other_device(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    return paid(make, now, macs=["02:00:00:00:00:99"])


def _other_hours(make: Factory, _nas: SimulatedNas, now: datetime) -> Subscriber:
    in_three_days = WEEKDAYS[(now.weekday() + 3) % 7]
    return paid(make, now, login_hours=f"{in_three_days} 08:00-20:00")


def _online_already(make: Factory, nas: SimulatedNas, now: datetime) -> Subscriber:
    subscriber = paid(make, now, session_limit=1)
    nas.start(subscriber.username, calling_station="02-00-00-00-00-77")
    return subscriber


@pytest.mark.rule("A4")
@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        pytest.param(_closed, Reason.CLOSED, marks=pytest.mark.rule("S1")),
        pytest.param(_held, Reason.STAFF_SUSPENDED, marks=pytest.mark.rule("S2")),
        pytest.param(_paused, Reason.PAUSED, marks=pytest.mark.rule("S3")),
        pytest.param(_penniless, Reason.WALLET_EXHAUSTED, marks=pytest.mark.rule("S6")),
        pytest.param(_not_covered, Reason.NOT_COVERED, marks=pytest.mark.rule("P10")),
        pytest.param(_expired, Reason.EXPIRED, marks=pytest.mark.rule("B3")),
        pytest.param(_out_of_time, Reason.TIME_USED_UP, marks=pytest.mark.rule("S7")),
        pytest.param(_out_of_data, Reason.DATA_USED_UP, marks=pytest.mark.rule("S7")),
        (_elsewhere, Reason.NAS_NOT_ALLOWED),
        (_other_device, Reason.MAC_NOT_ALLOWED),
        (_other_hours, Reason.OUTSIDE_HOURS),
        (_online_already, Reason.TOO_MANY_SESSIONS),
    ],
)
def test_each_check_refuses_with_its_reason(
    make: Factory, nas: SimulatedNas, now: datetime, setup: Setup, reason: Reason
) -> None:
    subscriber = setup(make, nas, now)
    outcome = nas.login(subscriber.username, subscriber.password)
    assert (outcome.result, outcome.message) == ("reject", MESSAGES[reason])
    refused = ("reject", reason.value, subscriber.subscription_id)
    until(lambda: history(make, subscriber.username)[-1] == refused)


@pytest.mark.rule("P10")
def test_the_credit_that_covers_the_period_lets_in(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now, profile=PREPAID, plan=MONTH_PLAN)
    assert nas.login(subscriber.username, PASSWORD).result == "reject"
    sales.topup(
        make.context,
        subscriber.customer_id,
        MONTH_PLAN.price_micros,
        channel=MoneyChannel.CASH,
        idempotency_key="enough",
        now=now,
    )
    assert nas.login(subscriber.username, PASSWORD).result == "accept"


@pytest.mark.rule("A4")
def test_what_is_allowed_is_let_in(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = paid(make, now, nas_ids=[nas.nas_id], macs=["02:00:00:00:00:01"], session_limit=1)
    nas.start(subscriber.username, calling_station=STATION)
    # The same device takes over its own session.
    assert nas.login(subscriber.username, PASSWORD, calling_station=STATION).result == "accept"


@pytest.mark.rule("A4")
def test_a_guesser_is_held_back_and_the_subscriber_is_not(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = paid(make, now)
    for _ in range(10):
        assert nas.login(subscriber.username, "guess").message == MESSAGES[Reason.BAD_PASSWORD]
    assert len(history(make, subscriber.username, 10)) == 10
    throttled = nas.login(subscriber.username, PASSWORD)
    assert (throttled.result, throttled.message) == ("reject", MESSAGES[Reason.THROTTLED])
    assert nas.login(subscriber.username, "guess").message == MESSAGES[Reason.BAD_PASSWORD]
    other = nas.login(subscriber.username, PASSWORD, calling_station="02-00-00-00-00-02")
    assert other.result == "accept"


@pytest.mark.rule("B2")
@pytest.mark.rule("B3")
def test_the_last_second_is_served_and_the_next_is_not(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    """Each answer agrees with the clock around it, whatever the pace of this machine."""
    subscriber = make.subscriber(now)
    end = utc_now() + timedelta(seconds=3)
    make.package(subscriber, now, valid_from=end - timedelta(days=1))
    timeouts = []
    while True:
        before = utc_now()
        outcome = nas.login(subscriber.username, PASSWORD)
        after = utc_now()
        if outcome.result == "reject":
            break
        assert before < end
        timeouts.append(outcome.first("Session-Timeout"))
        assert _whole_seconds(end - after) <= timeouts[-1] <= _whole_seconds(end - before)
    assert after >= end
    assert outcome.message == MESSAGES[Reason.EXPIRED]
    assert timeouts[-1] == 1


def _whole_seconds(left: timedelta) -> int:
    return max(1, left // timedelta(seconds=1))


@pytest.mark.rule("B2")
def test_validity_begins_with_the_first_login_that_was_let_in(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    plan = replace(DAY_PLAN, starts=Starts.FIRST_LOGIN, validity_minutes=90)
    subscriber = make.subscriber(now, plan=plan)
    sales.sell(
        make.context,
        subscriber.subscription_id,
        make.plan(now, plan),
        idempotency_key="first-login",
        now=now,
        pay_by=MoneyChannel.CASH,
    )
    assert nas.login(subscriber.username, "wrong").result == "reject"
    assert windows(make, subscriber) == [(None, None)]
    before = utc_now()
    outcome = nas.login(subscriber.username, PASSWORD)
    after = utc_now()
    assert outcome.result == "accept"
    ((start, end),) = windows(make, subscriber)
    assert before <= start <= after
    assert end - start == timedelta(minutes=90)
    # Once only.
    assert nas.login(subscriber.username, PASSWORD).result == "accept"
    assert windows(make, subscriber) == [(start, end)]


def windows(make: Factory, subscriber: Subscriber) -> list[tuple[datetime, datetime]]:
    with make.context.transaction() as tx:
        package = tables.Entitlement
        rows = tx.scalars(
            select(package).where(package.subscription_id == subscriber.subscription_id)
        )
        return [(row.valid_from, row.valid_until) for row in rows]


def overdue(make: Factory, now: datetime, *, due_days: int = 10, **options: object) -> Subscriber:
    """A monthly customer with an unpaid bill of 40 days ago."""
    then = now - timedelta(days=40)
    profile = replace(MONTHLY, due_days=due_days)
    subscriber = make.subscriber(then, profile=profile, plan=MONTH_PLAN, **options)
    bills.issue_bill(
        make.context,
        subscriber.subscription_id,
        cycle_from=then.date(),
        cycle_until=then.date() + timedelta(days=30),
        amount_micros=30_000_000,
        now=then,
    )
    return subscriber


@pytest.mark.rule("B10")
def test_an_overdue_customer_is_let_into_the_suspended_pool_only(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = overdue(make, now, framed_ip="10.9.8.6")
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK, auth_port=radius["auth"].port) as router:
        outcome = router.login(subscriber.username, PASSWORD)
    assert (outcome.result, outcome.message) == ("accept", MESSAGES[Reason.OVERDUE])
    assert outcome.first("Framed-Pool") == "walled"
    assert outcome.first("Mikrotik-Address-List") == "walled"
    assert outcome.first("Class") == f"tw1:{subscriber.subscription_id}:s".encode()
    withheld = {"Framed-IP-Address", "Mikrotik-Total-Limit", "Mikrotik-Rate-Limit"}
    assert withheld.isdisjoint(outcome.attributes)
    assert history(make, subscriber.username)[-1][:2] == ("suspended", "overdue")


@pytest.mark.rule("B9")
def test_a_bill_that_may_still_be_paid_suspends_nobody(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = overdue(make, now, due_days=45)
    outcome = nas.login(subscriber.username, PASSWORD)
    assert (outcome.result, outcome.first("Framed-Pool")) == ("accept", "pool-normal")


@pytest.mark.rule("S2")
def test_staff_may_suspend_into_the_pool(make: Factory, nas: SimulatedNas, now: datetime) -> None:
    subscriber = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    holds.suspend(
        make.context,
        subscriber.subscription_id,
        note="abuse",
        now=now,
        behaviour=HoldBehaviour.SUSPENDED_POOL,
    )
    outcome = nas.login(subscriber.username, PASSWORD)
    assert (outcome.result, outcome.first("Framed-Pool")) == ("accept", "walled")
    assert outcome.message == MESSAGES[Reason.STAFF_SUSPENDED]


@pytest.mark.rule("A5")
def test_the_earliest_end_limits_the_session(
    make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=90)
    assert nas.login(subscriber.username, PASSWORD).first("Session-Timeout") == 90

    wallet = make.subscriber(now, plan=PAYG_PLAN)
    sales.topup(
        make.context,
        wallet.customer_id,
        10_000,
        channel=MoneyChannel.CASH,
        idempotency_key="minutes",
        now=now,
    )
    assert nas.login(wallet.username, PASSWORD).first("Session-Timeout") == 60_000

    until_tomorrow = ", ".join(
        f"{WEEKDAYS[(now.weekday() + ahead) % 7]} 00:00-24:00" for ahead in (0, 1)
    )
    hours = make.subscriber(now, login_hours=until_tomorrow)
    make.package(hours, now, valid_for=None)
    end = now.replace(hour=0, minute=0, second=0) + timedelta(days=2)
    before = utc_now()
    seconds = nas.login(hours.username, PASSWORD).first("Session-Timeout")
    assert _whole_seconds(end - utc_now()) <= seconds <= _whole_seconds(end - before)

    endless = make.subscriber(now)
    make.package(endless, now, valid_for=None)
    outcome = nas.login(endless.username, PASSWORD)
    assert outcome.result == "accept"
    assert "Session-Timeout" not in outcome.attributes
