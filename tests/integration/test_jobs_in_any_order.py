"""Two months without a worker: in whatever order the jobs run then, the books end the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from billing.jobs.registry import JOBS
from billing.model.charges import ChargeKind
from billing.model.dunning import DunningSchedule, DunningStep
from billing.model.plan_changes import When
from billing.model.profile import BillIn, TaxPoint
from billing.services import charges, dunning, holds
from billing.services.context import Context
from tests.factories import DAILY, Factory, Subscriber
from tests.integration.household import (
    JOINED,
    METERED,
    MONTH,
    POSTPAID,
    PREPAID,
    WEEK,
    Isp,
    on,
)
from tests.integration.meter_world import MeterWorld

LATER = on(5, 20, 9)
SCHEDULE = DunningSchedule(steps=(DunningStep(days=7, reminds=True, fee_micros=5_000_000),))
DUNNED = replace(POSTPAID, due_days=10, automatic_suspend=False, tax_rate_ppm=210_000)
BY_PAYMENT = replace(POSTPAID, tax_rate_ppm=210_000, tax_point=TaxPoint.PAYMENT)
SLOW = replace(METERED, price_micros=20_000_000, speed_down_kbps=5_000)
JUNE_RUN = on(6, 1, 9)
ORDERS = [list(JOBS), list(reversed(JOBS))]
ORDERS += [random.Random(seed).sample(list(JOBS), len(JOBS)) for seed in (2, 3)]


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    dunning.set_schedule(context, make.profile(JOINED, DUNNED), SCHEDULE, JOINED)
    return Isp(context, world, make)


def household(isp: Isp) -> list[Subscriber]:
    """Customers of every kind, who use, pay and wait until April; then nothing runs."""
    made = {
        "dunned": isp.customer(DUNNED),
        "by payment": isp.customer(BY_PAYMENT, cents=50_00),
        "arrears": isp.customer(replace(POSTPAID, bill_in=BillIn.ARREARS)),
        "prepaid": isp.customer(PREPAID, cents=75_00),
        "prepaid, poor": isp.customer(PREPAID, cents=40_00),
        "changes": isp.customer(POSTPAID, cents=31_00),
        "renews": isp.customer(DAILY, WEEK, cents=30_00),
        "paused": isp.customer(POSTPAID, replace(MONTH, pause_days=60)),
    }
    for who in made.values():
        if who is not made["renews"]:
            isp.use(who, on(3, 20), 2)
    for name in ("dunned", "changes"):
        charges.add_charge(
            isp.context,
            made[name].subscription_id,
            ChargeKind.RECURRING,
            "Router",
            on(3, 20),
            price_micros=6_000_000,
        )
    isp.change_plan(made["changes"], SLOW, on(3, 21), When.NEXT)
    isp.buy(made["renews"], WEEK, JOINED)
    holds.set_renewal(isp.context, made["renews"].subscription_id, JOINED, on=True)
    holds.pause(isp.context, made["paused"].subscription_id, on(3, 15))
    holds.resume(isp.context, made["paused"].subscription_id, on(4, 15))
    return list(made.values())


@pytest.mark.rule("B7", "M4")
def test_after_two_months_the_order_of_the_jobs_makes_no_difference(isp: Isp) -> None:
    found, later = [], []
    for order in ORDERS:
        customers = household(isp)
        for name in order:
            isp.job(name, LATER)
        found.append([isp.accounts(who) for who in customers])
        for name in JOBS:
            isp.job(name, JUNE_RUN)
        later.append([isp.accounts(who) for who in customers])
    # A late fee is on the next bill: on June's, where May's was issued before it was charged.
    for ends in [*list(zip(*found, strict=True))[1:], *zip(*later, strict=True)]:
        assert all(one == ends[0] for one in ends), ends
