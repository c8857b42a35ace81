"""The services under the panel's database role: only rows of the actor's organisations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from billing.clock import utc_now
from billing.errors import NotFound
from billing.model.commerce import MoneyChannel
from billing.services import (
    catalog,
    customers,
    explain,
    holds,
    recognition,
    sales,
    subscribers,
)
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from tests.factories import MONTHLY, Factory


@pytest.fixture(scope="module")
def panel(settings: Settings) -> Iterator[Database]:
    """Transactions of the role `panel`."""
    opened = Database(settings.dsn("panel"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reseller_id(context: Context, now_once: datetime) -> int:
    """A second organisation below the operator."""
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Reseller", created_at=now_once)
        tx.add(row)
        tx.flush()
        return row.org_id


@pytest.fixture(scope="module")
def now_once() -> datetime:
    return utc_now()


def _actor(panel: Database, box: SecretBox, org_id: int, *org_ids: int) -> Context:
    return Context(
        db=panel, box=box, actor="staff:1", home_org_id=org_id, org_ids=(org_id, *org_ids)
    )


def test_every_service_of_the_panel_works_under_its_role(
    panel: Database, box: SecretBox, settings: Settings, now: datetime
) -> None:
    make = Factory(_actor(panel, box, 1), settings.dsn("radius"))
    owner = make.subscriber(now)
    number, plan = owner.subscription_id, make.plan(now)
    sale = sales.sell(make.context, number, plan, idempotency_key="k", now=now,
                      pay_by=MoneyChannel.CASH)  # fmt: skip
    assert sale.available_micros == 0
    holds.suspend(make.context, number, note="test", now=now)
    holds.resume(make.context, number, now)
    profile = catalog.get_profile(make.context, make.profile(now))
    catalog.update_profile(
        make.context, profile.profile_id, replace(profile.profile, due_days=3), now
    )
    changed = replace(MONTHLY, name="By the panel", credit_limit_micros=1_000_000)
    monthly = catalog.add_profile(make.context, changed, now)
    catalog.update_profile(
        make.context, monthly.profile_id, replace(changed, credit_limit_micros=2_000_000), now
    )
    assert explain.why(make.context, number, now).state.rule == "S8"
    month = (now.date().replace(day=1), now.date())
    assert any(line.added_micros for line in recognition.report(make.context, *month).lines)
    assert subscribers.search(make.context, owner.username, now).rows[0].octets_left is None
    assert subscribers.show(make.context, number, now).wallet.available_micros == 0
    assert subscribers.usage_of(make.context, number, now).seconds == 0


def test_others_are_neither_seen_nor_touched(
    panel: Database, box: SecretBox, make: Factory, reseller_id: int, now: datetime
) -> None:
    owner = make.subscriber(now)
    stranger = _actor(panel, box, reseller_id)
    assert subscribers.search(stranger, "", now).rows == ()
    for touch in (
        lambda: subscribers.show(stranger, owner.subscription_id, now),
        lambda: explain.why(stranger, owner.subscription_id, now),
        lambda: customers.get_customer(stranger, owner.customer_id),
        lambda: holds.suspend(stranger, owner.subscription_id, note="x", now=now),
        lambda: sales.topup(
            stranger,
            owner.customer_id,
            1_000_000,
            channel=MoneyChannel.CASH,
            idempotency_key="k",
            now=now,
        ),
        lambda: catalog.get_profile(stranger, make.profile(now)),
        lambda: catalog.get_plan(stranger, make.plan(now), now),
    ):
        with pytest.raises(NotFound):
            touch()
