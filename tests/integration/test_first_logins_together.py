"""Several first logins of a subscription at once: the second finds the package begun (B2)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.decision import Accept, Reason
from billing.model.events import AccessRequest, Admitted, LoginRecord
from billing.model.grants import NasCan
from billing.model.plan import Sharing, Starts
from billing.services import sales
from billing.services.access import AccessDesk, AccessOutcome
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.store.hotpath import HotConnection
from radius_plugin.answers import attempt
from radius_plugin.reply import tag_of
from tests.factories import DAY_PLAN, Factory, Subscriber
from tests.integration.talker import lane_of

pytestmark = pytest.mark.rule("B2")

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=3)
BY_LOGIN = replace(DAY_PLAN, starts=Starts.FIRST_LOGIN)
IN_SLICES = replace(
    BY_LOGIN, octets=10_000, sharing=Sharing.STRICT, slice_octets=1_000, slice_seconds=3_600
)
Clock = Callable[[], datetime]


def owner_of(context: Context, make: Factory, plan: object, now: datetime) -> Subscriber:
    """A subscriber whose package waits for the first login."""
    who = make.subscriber(now)
    channel = MoneyChannel.CASH
    sales.topup(context, who.customer_id, 10**6, channel=channel, idempotency_key="m", now=now)
    plan_id = make.plan(now, plan)
    sales.sell(context, who.subscription_id, plan_id, idempotency_key="s", now=now)
    return who


def decided(lane: HotConnection, box: SecretBox, who: Subscriber, clock: Clock) -> AccessOutcome:
    request = AccessRequest(username=who.username, nas_address="192.0.2.1")
    (outcome,) = AccessDesk(box).decide_batch(lane, [request], clock)
    return outcome


def admitted(
    lane: HotConnection, box: SecretBox, who: Subscriber, outcome: AccessOutcome, now: datetime
) -> Admitted:
    request = AccessRequest(username=who.username, nas_address="192.0.2.1")
    found = (outcome.decision, outcome.customer_id, outcome.subscription_id, outcome.admission)
    login: LoginRecord = attempt(request, tag_of(*found), now)
    able = replace(login, nas_can=NasCan.LIMITS_TOTAL)
    (answer,) = AccessDesk(box).admit_batch(lane, [able], now)
    return answer


def test_a_login_that_looked_at_the_clock_just_before_another_began_the_package(
    context: Context, make: Factory, box: SecretBox
) -> None:
    who = owner_of(context, make, BY_LOGIN, NOON)
    with lane_of(make) as lane:

        def others_login_comes_between() -> datetime:
            """The time at first; by the time of the next look, the other login is through."""
            if not looks:
                first = decided(lane, box, who, lambda: NOON + MOMENT)
                assert admitted(lane, box, who, first, NOON + MOMENT).reason == Reason.OK
            looks.append(NOON + 2 * MOMENT * len(looks))
            return looks[-1]

        looks: list[datetime] = []
        second = decided(lane, box, who, others_login_comes_between)
        assert looks == [NOON, NOON + 2 * MOMENT]
    assert isinstance(second.decision, Accept)
    assert second.decision.activate_entitlement_id is None, "there was something left to begin"


def test_a_login_that_waited_for_the_one_that_began_its_package_gets_its_slice(
    context: Context, make: Factory, box: SecretBox
) -> None:
    who = owner_of(context, make, IN_SLICES, NOON)
    with lane_of(make) as lane:
        both = [decided(lane, box, who, lambda: NOON) for _ in range(2)]
        # Their turns in the database may come in the other order than their looks at the clock.
        later = admitted(lane, box, who, both[0], NOON + MOMENT)
        earlier = admitted(lane, box, who, both[1], NOON)
    assert [one.reason for one in (later, earlier)] == [Reason.OK, Reason.OK]
    assert later.reservation_id != earlier.reservation_id


@pytest.mark.parametrize("plan", [BY_LOGIN, IN_SLICES], ids=["shared", "in slices"])
def test_devices_that_log_in_at_once_all_get_in(
    context: Context, make: Factory, box: SecretBox, plan: object
) -> None:
    devices = 6
    who = owner_of(context, make, plan, utc_now())
    together = Barrier(devices)

    def log_in(_: int) -> str:
        with lane_of(make) as lane:
            together.wait(20)
            outcome = decided(lane, box, who, utc_now)
            if not isinstance(outcome.decision, Accept):
                return str(outcome.decision.reason)
            return admitted(lane, box, who, outcome, utc_now()).reason

    with ThreadPoolExecutor(devices) as pool:
        assert list(pool.map(log_in, range(devices))) == [Reason.OK] * devices
