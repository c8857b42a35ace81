"""Where people see what pay-as-you-go took past a wallet's limit, and when that ends (rule P12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing.model.commerce import MoneyChannel
from billing.model.events import Status
from billing.services import books, grants, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store import hotpath, tables
from billing.store.hotpath import HotConnection
from tests.factories import DAY_PLAN, Factory, Subscriber
from tests.integration.meter_world import MIB, record
from tests.integration.test_cli import Run, run

__all__ = ["run"]
pytestmark = pytest.mark.rule("P12")
ADDRESS = "10.9.7.1"
BY_THE_MIB: dict[str, Any] = {"payg_octet_step": MIB, "payg_octet_step_micros": 100_000}


def _topup(context: Context, who: Subscriber, key: str, micros: int, now: datetime) -> None:
    sales.topup(
        context, who.customer_id, micros, channel=MoneyChannel.CASH, idempotency_key=key, now=now
    )


def _lifted(context: Context, who: Subscriber) -> list[datetime | None]:
    row = tables.Overspend
    with context.transaction() as tx:
        found = select(row.lifted_at).where(row.customer_id == who.customer_id)
        return list(tx.scalars(found.order_by(row.overspend_id)))


@pytest.fixture
def lane(settings: Settings) -> Iterator[HotConnection]:
    with closing(
        HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    ) as made:
        yield made


def _use(lane: HotConnection, who: Subscriber, at: datetime, sid: str, mebibytes: int) -> None:
    """A session of a minute, from its Start to its Stop."""
    for status, seconds in ((Status.START, 0), (Status.STOP, 60)):
        one = record(
            *(who.username, status, at + timedelta(seconds=seconds)),
            seconds=seconds,
            received=mebibytes * MIB if seconds else 0,
            nas=ADDRESS,
            sid=sid,
        )
        hotpath.charge_usage(lane, [hotpath.usage_row(one)], one.arrived_at)


def test_it_is_shown_and_ends_with_the_credit_that_lifts_the_wallet(
    run: Run, make: Factory, context: Context, lane: HotConnection, now: datetime
) -> None:
    make.nas(now, address=ADDRESS, secret="not secret", coa_port=3799)
    who = make.subscriber(now, plan=replace(DAY_PLAN, **BY_THE_MIB))
    name = who.username
    _topup(context, who, "first", 250_000, now)
    _use(lane, who, now, "s1", 4)
    (shown,) = grants.overspends(context, username=name)
    assert (shown.micros, shown.currency) == (150_000, "USD")
    assert (shown.exhausted_at, shown.seconds, shown.octets) == (
        now + timedelta(seconds=60),
        0,
        0,
    )
    assert "0.15 USD" in run("overspend", "--user", name).out
    assert "0.15 USD" in run("quota", name).out
    assert "0.15 USD" in run("usage", name).out
    assert run("overspend", "--user", name, "--json").value[0]["micros"] == 150_000
    _topup(context, who, "too little", 100_000, now + timedelta(minutes=2))
    assert _lifted(context, who) == [None]
    _use(lane, who, now + timedelta(minutes=3), "s2", 1)
    assert [one.micros for one in grants.overspends(context, username=name)] == [250_000]
    _topup(context, who, "enough", 500_000, now + timedelta(minutes=5))
    assert _lifted(context, who) == [now + timedelta(minutes=5)]
    _use(lane, who, now + timedelta(minutes=6), "s3", 4)
    found = [one.micros for one in grants.overspends(context, username=name)]
    assert found == [50_000, 250_000]
    assert books.check_ledger(context, now + timedelta(minutes=8)).findings == ()
