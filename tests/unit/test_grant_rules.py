"""Terms of strict sharing, and the limits that follow from a grant (rule Q4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.model.decision import MESSAGES, Accept, Limits, Reason
from billing.model.grants import GrantLimits
from billing.model.network import Link, Vendor
from billing.model.plan import FinalUnit, PlanTerms, Sharing
from billing.model.profile import BillingKind
from billing.rules import grants
from billing.rules.access import decide
from billing.rules.places import admission, granting, strict_plan
from billing.rules.plans import problems, sale_problem
from radius_plugin.reply import DecisionTag, grant_pairs, tag_of
from tests.unit.access_builders import account, login, package

pytestmark = pytest.mark.rule("Q4")
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SHARED = PlanTerms(
    plan_version_id=7,
    plan_name="family",
    price_micros=0,
    currency="USD",
    validity_minutes=1440,
    octets=10_000_000_000,
    speed_down_kbps=10_000,
)
STRICT = replace(SHARED, sharing=Sharing.STRICT)


def test_what_is_left_out_is_derived() -> None:
    filled = grants.completed(STRICT)
    assert (filled.slice_octets, filled.slice_seconds) == (500_000_000, 21_600)
    assert (filled.grant_valid_seconds, filled.final_unit_action) == (3600, FinalUnit.TERMINATE)
    slow = grants.completed(replace(STRICT, seconds=3600, interim_seconds=900, octets=None))
    assert (slow.slice_seconds, slow.grant_valid_seconds) == (300, 5400)
    tiny = grants.completed(replace(STRICT, octets=1000))
    assert tiny.slice_octets == 1000
    chosen = replace(STRICT, slice_octets=5, final_unit_action=FinalUnit.REDIRECT)
    assert grants.completed(chosen).slice_octets == 5
    assert grants.completed(SHARED) is SHARED


def test_a_derived_plan_has_no_problem() -> None:
    for plan in (SHARED, STRICT, grants.completed(STRICT)):
        assert problems(plan) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"octets": None}, "sharing"),
        ({"payg_octet_step": 1, "payg_octet_step_micros": 1}, "sharing"),
        ({"outage_minutes": 60}, "outage_minutes"),
        ({"tariff_windows": "night|0-6|0|360|free"}, "tariff_windows"),
        ({"slice_octets": 1}, "slice_octets"),
        ({"slice_octets": 10_000_000_001}, "slice_octets"),
        ({"slice_seconds": 59}, "slice_seconds"),
        ({"grant_valid_seconds": 119}, "grant_valid_seconds"),
        ({"grant_valid_seconds": 400}, "grant_valid_seconds"),
        ({"grant_valid_seconds": 8 * 86_400}, "grant_valid_seconds"),
        ({"final_unit_action": FinalUnit.RESTRICT_SPEED}, "restricted_down_kbps"),
        ({"restricted_down_kbps": 64}, "final_unit_action"),
        (
            {"final_unit_action": FinalUnit.RESTRICT_SPEED, "restricted_down_kbps": 20_000},
            "restricted_down_kbps",
        ),
        ({"final_unit_action": FinalUnit.REDIRECT}, "pay_only_pool"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, object], field: str) -> None:
    assert field in [name for name, _ in problems(replace(STRICT, **changes))]


@pytest.mark.parametrize("name", ["slice_seconds", "slice_octets", "grant_valid_seconds"])
def test_a_shared_plan_has_no_slices(name: str) -> None:
    assert [field for field, _ in problems(replace(SHARED, **{name: 600}))] == [name]


def test_monthly_customers_share() -> None:
    monthly = replace(STRICT, validity_minutes=None, validity_months=1)
    assert "strict" in (sale_problem(monthly, BillingKind.MONTHLY) or "")
    assert sale_problem(STRICT, BillingKind.DAILY) is None


def test_limits_are_what_is_left_of_the_grant_and_of_the_service() -> None:
    grant = GrantLimits(seconds=600, octets=1_000, input_octets=300, output_octets=700)
    fresh = grants.granted(None, grant, GrantLimits(seconds=0))
    assert fresh == Limits(
        session_seconds=600, total_octets=1_000, input_octets=300, output_octets=700
    )
    used = GrantLimits(seconds=100, octets=990, input_octets=300, output_octets=690)
    assert grants.granted(120, grant, used) == Limits(
        session_seconds=120, total_octets=10, input_octets=1, output_octets=10
    )
    assert grants.granted(None, GrantLimits(seconds=5), used).session_seconds == 1


def test_a_login_takes_a_slice_of_the_plan_in_use() -> None:
    plan = grants.completed(STRICT)
    bought = package(begins=NOW, octets_left=5_000)
    mine = account(plan=plan, package_plan=plan, entitlements=(bought,))
    assert strict_plan(mine) is plan
    decision = decide(mine, login(), NOW)
    assert isinstance(decision, Accept)
    taken = admission(mine, decision, None)
    assert taken is not None
    assert (taken.grant_version_id, taken.normal_seconds) == (
        plan.plan_version_id,
        decision.service.limits.session_seconds,
    )
    assert granting(decision).service.limits == Limits()
    tag = tag_of(decision, 1, 2, taken)
    assert DecisionTag.decode(tag.encode()) == tag
    pairs = {
        name: value
        for name, _, value in grant_pairs(
            tag, 77, GrantLimits(seconds=60, octets=2**32 + 5), Vendor.CHILLI, Link.OTHER
        )
    }
    assert pairs == {
        "Session-Timeout": "60",
        "Class": "0x" + b"tw1:2:n77".hex(),
        "ChilliSpot-Max-Total-Octets": "5",
        "ChilliSpot-Max-Total-Gigawords": "1",
    }
    monthly = replace(mine, profile=replace(mine.profile, kind=BillingKind.MONTHLY))
    assert strict_plan(monthly) is None
    assert strict_plan(replace(mine, package_plan=SHARED)) is None


def test_a_restricted_session_ends_with_what_was_bought() -> None:
    bought = package(begins=NOW, octets_left=0)
    mine = account(entitlements=(), last_ended=bought)
    service = grants.restricted(mine, (None, 64), 300, NOW)
    assert bought.valid_until is not None
    assert service.limits.session_seconds == (bought.valid_until - NOW) // timedelta(seconds=1)
    assert (service.speed_down_kbps, service.limits.total_octets) == (64, grants.LIFTED_OCTETS)
    endless = replace(bought, valid_until=None)
    without_end = grants.restricted(replace(mine, last_ended=endless), (None, 64), 300, NOW)
    assert without_end.limits.session_seconds == grants.SESSION_SECONDS_LIMIT


@pytest.mark.rule("Q5")
def test_reports_come_four_times_as_often_near_the_end() -> None:
    assert [grants.tightened(seconds) for seconds in (60, 120, 300, 900)] == [60, 60, 75, 225]


def test_the_reason_says_what_to_do() -> None:
    assert "hold all that is left" in MESSAGES[Reason.ALLOWANCE_IN_USE]
