"""Devices, hours, sessions at once, address and NAS of a subscriber, changed (rules A4, A7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.access_settings import AccessSettings
from billing.services import customers, enforcement, holds, pools, subscriber_settings
from billing.services.context import Context
from billing.services.nas import list_nas
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import Factory, Subscriber
from tests.integration.test_cli import Run, run

__all__ = ["run"]

MAC, OTHER = "02005e100001", "02005e100002"


def _orders(context: Context, subscriber: Subscriber) -> list[tuple[int, str, str]]:
    intent = tables.CoaIntent
    with context.transaction() as tx:
        rows = tx.execute(
            select(intent.session_id, intent.goal, intent.reason)
            .where(intent.subscription_id == subscriber.subscription_id, intent.state == "pending")
            .order_by(intent.session_id)
        )
        return [tuple(row) for row in rows]


def _audited(context: Context, subscriber: Subscriber) -> list[Any]:
    log = tables.AuditLog
    with context.transaction() as tx:
        rows = tx.scalars(
            select(log.detail).where(
                log.action == "subscription.settings",
                log.subject == f"subscription:{subscriber.subscription_id}",
            )
        )
        return list(map(json.loads, rows))


@pytest.fixture
def online(make: Factory, now: datetime) -> Subscriber:
    """A subscriber with a package."""
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    return subscriber


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now) as made:
        yield made


def test_what_is_named_is_changed_and_the_rest_stays(
    context: Context, online: Subscriber, now: datetime
) -> None:
    number = online.subscription_id
    changed = subscriber_settings.change(
        context, number, now, macs=("02-00-5E-10-00-01", MAC), session_limit=2
    )
    assert changed.names == ("macs", "session_limit")
    assert changed.settings == AccessSettings(macs=(MAC,), session_limit=2)
    subscriber_settings.change(
        context, number, now, login_hours="mon-fri 08:00-20:00", framed_ip="198.51.100.7"
    )
    wanted = AccessSettings(
        macs=(MAC,),
        session_limit=2,
        login_hours="mon-fri 08:00-20:00",
        framed_ip="198.51.100.7",
    )
    assert subscriber_settings.settings(context, number) == wanted
    assert subscriber_settings.change(context, number, now, session_limit=2).names == ()
    none = subscriber_settings.change(
        context, number, now, macs=(), session_limit=None, login_hours=None, framed_ip=None
    )
    assert none.settings == AccessSettings()
    assert len(_audited(context, online)) == 3
    assert _audited(context, online)[0] == {
        "username": online.username,
        "before": {"macs": [], "session_limit": None},
        "after": {"macs": [MAC], "session_limit": 2},
        "sessions_ended": 0,
    }


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"macs": ("not a mac",)}, "mac"),
        ({"login_hours": "always"}, "login_hours"),
        ({"session_limit": 0}, "session_limit"),
        ({"session_limit": 2**32}, "session_limit"),
        ({"framed_ip": "198.51.100.256"}, "framed_ip"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(
    context: Context, online: Subscriber, now: datetime, wanted: dict[str, Any], field: str
) -> None:
    whole: Any = {"framed_ip": "198.51.100.9", "session_limit": 3} | wanted
    with pytest.raises(InvalidInput) as refused:
        subscriber_settings.change(context, online.subscription_id, now, **whole)
    assert refused.value.field == field
    assert subscriber_settings.settings(context, online.subscription_id) == AccessSettings()
    with pytest.raises(InvalidInput) as made:  # the same as when it is made
        customers.add_subscription(
            context, customer_id=online.customer_id, username="another", now=now, **wanted
        )
    assert made.value.field == field


def test_who_is_closed_is_not_changed(context: Context, online: Subscriber, now: datetime) -> None:
    holds.close(context, online.subscription_id, now)
    with pytest.raises(Refused):
        subscriber_settings.change(context, online.subscription_id, now, session_limit=1)


@pytest.mark.rule("A6")
def test_an_address_that_somebody_else_has_from_a_pool_is_refused(
    make: Factory, context: Context, online: Subscriber, now: datetime
) -> None:
    pool = pools.add_pool(context, name="to be fixed", ranges=["10.99.0.1-10.99.0.2"], now=now)
    other = make.subscriber(now)
    with context.transaction() as tx:
        for row in tx.scalars(
            select(tables.PoolAddress).where(tables.PoolAddress.pool_id == pool.pool_id)
        ):
            row.customer_id, row.subscription_id = other.customer_id, other.subscription_id
            row.leased_at, row.calling_station = now, MAC
    with pytest.raises(Conflict) as refused:
        subscriber_settings.change(context, online.subscription_id, now, framed_ip="10.99.0.1")
    assert refused.value.field == "framed_ip"
    # What it has from the pool itself can be made its own.
    done = subscriber_settings.change(context, other.subscription_id, now, framed_ip="10.99.0.1")
    assert done.settings.framed_ip == "10.99.0.1"


@pytest.mark.rule("A4", "A7", "C1")
def test_sessions_go_on_unless_they_are_to_be_ended(
    make: Factory, context: Context, online: Subscriber, router: SimulatedNas, now: datetime
) -> None:
    first, second, third = (
        make.session(online, router, now + timedelta(seconds=number)) for number in range(3)
    )
    changed = subscriber_settings.change(context, online.subscription_id, now, session_limit=1)
    assert (changed.ended, changed.running) == (0, 3)
    assert _orders(context, online) == []
    changed = subscriber_settings.change(context, online.subscription_id, now, end_sessions=True)
    assert (changed.names, changed.ended, changed.running) == ((), 2, 1)
    expected = [(number, "disconnect", "settings-changed") for number in (second, third)]
    assert _orders(context, online) == expected
    # They are not ordered twice, nor is the order taken back as the state is good.
    subscriber_settings.change(context, online.subscription_id, now, end_sessions=True)
    with context.transaction() as tx:
        enforcement.reconcile(tx, context, online.customer_id, now)
    assert _orders(context, online) == expected
    assert first not in [number for number, _, _ in _orders(context, online)]


def test_the_command_line_changes_clears_and_says_what_becomes_of_sessions(
    run: Run,
    make: Factory,
    context: Context,
    online: Subscriber,
    router: SimulatedNas,
    now: datetime,
) -> None:
    name = online.username
    (nas,) = (one for one in list_nas(context, now) if one.nas_id == router.nas_id)
    session = make.session(online, router, now)
    done = run(
        *("subscriber", "set", name, "--mac", "02:00:5e:10:00:01", "--mac", "02:00:5e:10:00:02"),
        *("--hours", "mon-sun 00:00-24:00", "--sessions", "2", "--ip", "198.51.100.8"),
        *("--nas", nas.name),
    )
    assert done.code == 0
    for words in (f"{MAC}, {OTHER}", "2 at once", "198.51.100.8", nas.name):
        assert words in done.out
        assert words in run("subscriber", "show", name).out
    assert "1 of its sessions go on as they began" in done.out
    done = run("subscriber", "set", name, "--now")
    assert "1 of its sessions disconnected" in done.out
    assert _orders(context, online) == [(session, "disconnect", "settings-changed")]
    cleared = run(
        *("subscriber", "set", name, "--no-mac", "--no-hours", "--no-sessions", "--no-ip"),
        *("--no-nas", "--json"),
    )
    assert cleared.value["settings"]["macs"] == []
    assert subscriber_settings.settings(context, online.subscription_id) == AccessSettings()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ((), "mac"),
        (("--mac", "x"), "mac"),
        (("--mac", "02:00:5e:10:00:01", "--no-mac"), "mac"),
        (("--sessions", "1", "--no-sessions"), "sessions"),
        (("--nas", "nowhere"), "nas"),
        (("--hours", "never"), "login_hours"),
    ],
)
def test_bad_options_are_named(
    run: Run, online: Subscriber, options: tuple[str, ...], field: str
) -> None:
    refused = run("subscriber", "set", online.username, *options, "--json")
    assert refused.code == 2
    assert json.loads(refused.err)["field"] == field
