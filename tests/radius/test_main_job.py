"""The main job, end to end on real parts: FreeRADIUS, PostgreSQL, the worker, a NAS's sockets."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.decision import MESSAGES, Reason
from billing.model.network import Vendor
from billing.services import bills, customers, explain, sales
from billing.settings import Settings
from rig import processes
from rig.nas import Order, SimulatedNas
from rig.processes import Process
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, PASSWORD, Factory, Subscriber
from tests.radius import meter
from tests.waiting import until

OCTETS_PLAN = replace(DAY_PLAN, octets=10_000_000, seconds=3_600)
WALLET_PLAN = replace(
    DAY_PLAN,
    validity_minutes=None,
    price_micros=0,
    payg_octet_step=1_000,
    payg_octet_step_micros=10,
)


@pytest.fixture(scope="module")
def worker(settings: Settings, product_copy: Path) -> Iterator[Process]:
    """`tollway worker` as the rig starts it."""
    process = processes.start(
        f"worker-{secrets.token_hex(3)}",
        [sys.executable, "-m", "billing.cli", "worker"],
        run_dir=settings.state_dir / "run",
        log_dir=settings.state_dir / "log",
        env={
            "PYTHONPATH": str(product_copy),
            "TOLLWAY_STATE_DIR": str(settings.state_dir),
            "TOLLWAY_DATABASE_URL": settings.database_url,
            "TOLLWAY_DATABASE_NAME": settings.database_name,
        },
    )
    yield process
    assert process.alive(), processes.last_lines(process.log_file, 40)
    process.stop()


@pytest.fixture
def router(
    make: Factory, radius: dict[str, RadiusServer], worker: Process, now: datetime
) -> Iterator[SimulatedNas]:
    """A MikroTik whose Disconnects the worker sends."""
    ports = {"auth_port": radius["auth"].port, "acct_port": radius["acct"].port}
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK, **ports) as simulated:
        yield simulated


def sell(make: Factory, subscriber: Subscriber) -> None:
    """The subscriber's own plan, paid in cash, at a whole second as the NAS counts them."""
    sales.sell(
        make.context,
        subscriber.subscription_id,
        make.plan(utc_now(), OCTETS_PLAN),
        idempotency_key=secrets.token_hex(8),
        now=utc_now().replace(microsecond=0),
        pay_by=MoneyChannel.CASH,
    )


def disconnected(router: SimulatedNas, number: int = 1) -> Order:
    """The last of so many orders: a genuine Disconnect."""
    order = router.wait_for_orders(number, 30.0)[-1]
    assert order.kind == "Disconnect-Request"
    assert order.genuine
    return order


def confirmed(make: Factory, subscriber: Subscriber, goal: str, reason: str) -> None:
    """The NAS's Stop confirms the one order that there is."""
    expected = [(goal, reason, "confirmed")]
    until(lambda: meter.intents(make.context, subscriber) == expected)
    assert all(row.closed_at is not None for row in meter.sessions(make.context, subscriber))


@pytest.mark.rule("S7")
@pytest.mark.rule("C1")
@pytest.mark.rule("Q1")
def test_a_subscriber_logs_in_uses_up_what_was_bought_is_cut_off_and_recharges(
    make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now, plan=OCTETS_PLAN)
    assert router.login(subscriber.username, PASSWORD).message == MESSAGES[Reason.NO_ENTITLEMENT]
    sell(make, subscriber)

    accepted = router.login(subscriber.username, PASSWORD)
    assert accepted.result == "accept"
    assert accepted.first("Framed-Pool") == "pool-normal"
    assert accepted.first("Session-Timeout") == 3_600
    assert accepted.first("Mikrotik-Rate-Limit") == "2000k/10000k"
    assert accepted.first("Mikrotik-Total-Limit") == 10_000_000

    session = router.start(subscriber.username, session_class=accepted.first("Class"))
    assert router.interim(session, seconds=300, input_octets=500_000, output_octets=2_500_000)
    assert meter.left(make.context, subscriber) == [(3_300, 7_000_000)]
    again = router.login(subscriber.username, PASSWORD)
    assert again.first("Session-Timeout") == 3_300
    assert again.first("Mikrotik-Total-Limit") == 7_000_000
    assert router.interim(session, seconds=600, input_octets=900_000, output_octets=9_000_000)
    assert meter.left(make.context, subscriber) == [(3_000, 100_000)]
    assert router.orders == []

    assert router.interim(session, seconds=660, input_octets=1_000_000, output_octets=9_100_000)
    order = disconnected(router)
    assert order.attributes["User-Name"] == [subscriber.username]
    assert order.attributes["Acct-Session-Id"] == [session.acct_session_id]
    confirmed(make, subscriber, "disconnect", "data-used-up")
    assert meter.left(make.context, subscriber) == [(2_940, 0)]
    assert meter.sliced(make.context, subscriber) == (660, 1_000_000, 9_100_000)

    refused = router.login(subscriber.username, PASSWORD)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.DATA_USED_UP])
    assert explain.why(make.context, subscriber.subscription_id, utc_now()).state.rule == "S7"

    sell(make, subscriber)
    assert router.login(subscriber.username, PASSWORD).result == "accept"
    assert len(router.orders) == 1


@pytest.mark.rule("B3")
def test_a_running_session_ends_when_its_package_expires(
    make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    end = utc_now() + timedelta(seconds=3)
    make.package(subscriber, now, valid_from=end - timedelta(days=1))
    router.begin(subscriber.username, PASSWORD).seconds = 3  # as its Stop will say
    assert disconnected(router).arrived_at >= end
    confirmed(make, subscriber, "disconnect", "expired")
    refused = router.login(subscriber.username, PASSWORD)
    assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.EXPIRED])


@pytest.mark.rule("B9")
@pytest.mark.rule("B10")
def test_an_overdue_monthly_customer_is_walled_in_until_it_pays(
    make: Factory, router: SimulatedNas, now: datetime
) -> None:
    then = now - timedelta(days=40)
    subscriber = make.subscriber(then, profile=MONTHLY, plan=MONTH_PLAN)
    bill = bills.issue_bill(
        make.context,
        subscriber.subscription_id,
        cycle_from=then.date(),
        cycle_until=then.date() + timedelta(days=30),
        amount_micros=30_000_000,
        now=then,
    )
    walled = router.login(subscriber.username, PASSWORD)
    assert (walled.result, walled.message) == ("accept", MESSAGES[Reason.OVERDUE])
    assert walled.first("Framed-Pool") == "walled"
    assert walled.first("Mikrotik-Address-List") == "walled"
    router.start(subscriber.username, session_class=walled.first("Class"))
    why = explain.why(make.context, subscriber.subscription_id, utc_now())
    assert why.state.rule == "S5"

    bills.pay(
        make.context,
        bill.number,
        idempotency_key=secrets.token_hex(8),
        now=utc_now(),
        channel=MoneyChannel.CASH,
    )
    # No vendor changes the pool by CoA (rule C4): the next login brings the normal one.
    disconnected(router)
    until(
        lambda: [state for _, _, state in meter.intents(make.context, subscriber)] == ["confirmed"]
    )
    restored = router.login(subscriber.username, PASSWORD)
    assert (restored.result, restored.message) == ("accept", "")
    assert restored.first("Framed-Pool") == "pool-normal"
    assert "Mikrotik-Address-List" not in restored.attributes


@pytest.mark.rule("P8")
def test_an_empty_wallet_ends_every_session_that_it_paid_for(
    make: Factory, router: SimulatedNas, now: datetime
) -> None:
    first = make.subscriber(now, plan=WALLET_PLAN)
    name = f"second-{secrets.token_hex(3)}"
    second = Subscriber(
        first.customer_id,
        customers.add_subscription(
            make.context,
            customer_id=first.customer_id,
            username=name,
            password=PASSWORD,
            plan_id=make.plan(now, WALLET_PLAN),
            now=now,
        ),
        name,
    )
    sales.topup(
        make.context,
        first.customer_id,
        1_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key=secrets.token_hex(8),
        now=now,
    )
    sessions = [router.begin(each.username, PASSWORD) for each in (first, second)]
    assert router.interim(sessions[0], seconds=60, input_octets=0, output_octets=99_000_000)
    assert router.orders == []
    assert router.interim(sessions[0], seconds=90, input_octets=0, output_octets=100_000_000)
    ended = {order.attributes["Acct-Session-Id"][0] for order in router.wait_for_orders(2, 30.0)}
    assert ended == {session.acct_session_id for session in sessions}
    for each in (first, second):
        confirmed(make, each, "disconnect", "wallet-exhausted")
        refused = router.login(each.username, PASSWORD)
        assert (refused.result, refused.message) == ("reject", MESSAGES[Reason.WALLET_EXHAUSTED])
