"""What a login is answered, and which reason comes first (rules A3, A4, A6, B3, B10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from access_builders import account, at, daily_profile, login, monthly, monthly_plan, package, plan

from billing.model.account import Account, Credential, HoldBehaviour, LoginWindow, StaffHold
from billing.model.decision import Accept, Reason, Reject, Suspended
from billing.model.own_reply import Operator, OwnReply, ReplyAttribute
from billing.model.plan import Entitlement, PlanTerms
from billing.rules.access import decide, next_speed_change

NOW = at("2026-03-10 12:00:00")
BEGAN = at("2026-03-10 00:00:00")


def served(**changes: Any) -> Account:
    return account(**{"entitlements": (package(1, BEGAN),), **changes})


def reason(who: Account | None, **context: Any) -> Reason:
    return decide(who, login(**context), NOW).reason


@pytest.mark.rule("A3")
def test_an_unknown_user_is_rejected_with_a_reason_of_its_own() -> None:
    assert decide(None, login(), NOW) == Reject(reason=Reason.UNKNOWN_USER)


@pytest.mark.rule("A6")
def test_an_accept_carries_the_service_of_the_plan() -> None:
    decision = decide(served(framed_ip="192.0.2.7"), login(), NOW)
    assert isinstance(decision, Accept)
    service = decision.service
    assert (service.pool, service.framed_ip) == ("main", "192.0.2.7")
    assert (service.speed_up_kbps, service.speed_down_kbps) == (5_000, 20_000)
    assert (service.interim_seconds, service.idle_timeout_seconds) == (300, None)
    assert service.session_class == "tw1:42:n"
    assert service.limits.session_seconds == 12 * 3600
    assert service.limits.total_octets is None
    assert decision.activate_entitlement_id is None


@pytest.mark.rule("A6")
def test_a_speed_of_the_subscription_overrides_the_plan() -> None:
    decision = decide(served(speed_up_kbps=9_000), login(), NOW)
    assert isinstance(decision, Accept)
    assert decision.service.speed_up_kbps == 9_000
    assert decision.service.speed_down_kbps == 20_000


@pytest.mark.rule("A4")
def test_without_credential_nobody_enters() -> None:
    assert reason(served(credential=Credential())) is Reason.NO_CREDENTIAL


@pytest.mark.rule("A4")
@pytest.mark.parametrize(
    ("station", "everywhere", "known", "expected"),
    [
        (9, 99, False, Reason.OK),
        (10, 10, True, Reason.THROTTLED),
        (0, 100, False, Reason.THROTTLED),
        (0, 100, True, Reason.OK),
    ],
)
def test_the_throttle_spares_a_known_station_from_the_guessing_of_others(
    station: int, everywhere: int, known: bool, expected: Reason
) -> None:
    got = reason(served(), station_failures=station, all_failures=everywhere, station_known=known)
    assert got is expected


@pytest.mark.rule("A3")
def test_a_throttled_guesser_does_not_learn_the_state() -> None:
    closed = served(closed_at=BEGAN)
    assert reason(closed, station_failures=10) is Reason.THROTTLED
    assert reason(closed) is Reason.CLOSED


@pytest.mark.rule("A4")
def test_nas_and_mac_locks() -> None:
    locked = served(allowed_nas_ids=frozenset({1}), allowed_macs=frozenset({"001122334455"}))
    assert reason(locked) is Reason.OK
    assert reason(locked, nas_id=2) is Reason.NAS_NOT_ALLOWED
    assert reason(locked, calling_station="66778899aabb") is Reason.MAC_NOT_ALLOWED
    assert reason(locked, calling_station=None) is Reason.MAC_NOT_ALLOWED
    assert reason(served(allowed_nas_ids=frozenset())) is Reason.NAS_NOT_ALLOWED


@pytest.mark.rule("A4")
def test_simultaneous_use() -> None:
    limited = served(session_limit=2)
    assert reason(limited, open_sessions=1) is Reason.OK
    assert reason(limited, open_sessions=2) is Reason.TOO_MANY_SESSIONS


@pytest.mark.rule("A4")
def test_login_hours_are_local() -> None:
    # 10 March 2026 is a Tuesday; 12:00 UTC is 13:00 in Paris.
    tuesday = frozenset({1})

    def between(from_hour: int, until_hour: int) -> Account:
        window = LoginWindow(
            weekdays=tuesday, from_minute=from_hour * 60, until_minute=until_hour * 60
        )
        return served(login_windows=(window,))

    assert reason(between(13, 14)) is Reason.OK
    assert reason(between(12, 13)) is Reason.OUTSIDE_HOURS
    assert reason(between(14, 15)) is Reason.OUTSIDE_HOURS
    assert reason(served(login_windows=())) is Reason.OUTSIDE_HOURS


@pytest.mark.rule("A4")
def test_state_comes_before_the_checks_of_the_place() -> None:
    expired = account(last_ended=package(1, at("2026-03-01 00:00:00")), session_limit=1)
    assert reason(expired, open_sessions=5) is Reason.EXPIRED


@pytest.mark.rule("B3")
def test_an_expired_daily_customer_cannot_connect_whatever_the_switches() -> None:
    for automatic_suspend in (False, True):
        profile = daily_profile(automatic_suspend=automatic_suspend, suspended_pool="walled")
        expired = account(profile, last_ended=package(1, at("2026-03-01 00:00:00")))
        assert decide(expired, login(), NOW) == Reject(reason=Reason.EXPIRED)


@pytest.mark.rule("S7")
def test_a_pay_only_pool_is_for_plans_that_have_one() -> None:
    decision = decide(account(plan=plan(pay_only_pool="pay")), login(), NOW)
    assert isinstance(decision, Suspended)
    assert (decision.reason, decision.service.pool) == (Reason.NO_ENTITLEMENT, "pay")


@pytest.mark.rule("B10")
def test_a_suspended_customer_connects_into_the_pool_without_address_and_quota() -> None:
    hold = StaffHold(note="abuse", until=None, behaviour=HoldBehaviour.SUSPENDED_POOL)
    held = monthly(staff_hold=hold, framed_ip="192.0.2.7", entitlements=(
        package(1, BEGAN, octets_left=10, seconds_left=10),
    ))  # fmt: skip
    decision = decide(held, login(), NOW)
    assert isinstance(decision, Suspended)
    assert decision.reason is Reason.STAFF_SUSPENDED
    assert (decision.service.pool, decision.service.framed_ip) == ("walled", None)
    assert decision.service.limits.session_seconds is None
    assert decision.service.limits.total_octets is None
    assert decision.service.session_class == "tw1:42:s"


@pytest.mark.rule("A6")
@pytest.mark.rule("B10")
@pytest.mark.parametrize("is_suspended", [False, True])
@pytest.mark.parametrize(
    ("own_kbps", "up_kbps", "down_kbps"), [((None, None), 5_000, 20_000), ((90, 70), 90, 70)]
)
def test_the_pool_is_never_faster_than_what_was_bought(
    is_suspended: bool, own_kbps: tuple[int | None, int | None], up_kbps: int, down_kbps: int
) -> None:
    hold = StaffHold(note="abuse", until=None, behaviour=HoldBehaviour.SUSPENDED_POOL)
    decision = decide(
        monthly(
            plan=monthly_plan(interim_seconds=120, idle_timeout_seconds=900),
            staff_hold=hold if is_suspended else None,
            speed_up_kbps=own_kbps[0],
            speed_down_kbps=own_kbps[1],
        ),
        login(),
        NOW,
    )
    assert not isinstance(decision, Reject)
    service = decision.service
    assert (service.speed_up_kbps, service.speed_down_kbps) == (up_kbps, down_kbps)
    assert (service.interim_seconds, service.idle_timeout_seconds) == (120, 900)


@pytest.mark.rule("A6")
@pytest.mark.rule("B10")
def test_of_own_attributes_the_pool_gets_those_that_are_marked_for_it() -> None:
    other = ReplyAttribute(name="Reply-Message", operator=Operator.ADD, value="hello")
    kept = replace(other, value="pay", when_suspended=True)
    own = OwnReply(framed_ipv6_prefix="2001:db8::/64", attributes=(kept, other))
    hold = StaffHold(note="abuse", until=None, behaviour=HoldBehaviour.SUSPENDED_POOL)
    served, held = (
        decide(monthly(own_reply=own, staff_hold=one), login(), NOW) for one in (None, hold)
    )
    assert isinstance(served, Accept) and isinstance(held, Suspended)
    assert served.service.own_reply == own
    assert held.service.own_reply == OwnReply(attributes=(kept,))


@pytest.mark.rule("S2")
def test_a_hold_that_ends_by_itself_ends_the_suspended_session() -> None:
    until = at("2026-03-10 12:30:00")
    hold = StaffHold(note="x", until=until, behaviour=HoldBehaviour.SUSPENDED_POOL)
    decision = decide(monthly(staff_hold=hold), login(), NOW)
    assert isinstance(decision, Suspended)
    assert decision.service.limits.session_seconds == 1800
    assert isinstance(decide(monthly(staff_hold=hold), login(), until), Accept)


@pytest.mark.rule("B10")
def test_a_profile_without_a_pool_rejects_rather_than_serving() -> None:
    hold = StaffHold(note="x", until=None, behaviour=HoldBehaviour.SUSPENDED_POOL)
    base = monthly(staff_hold=hold)
    poolless = replace(base, profile=replace(base.profile, suspended_pool=None))
    assert decide(poolless, login(), NOW) == Reject(reason=Reason.STAFF_SUSPENDED)


@pytest.mark.rule("A6")
def test_the_package_in_use_decides_speed_and_pool_whatever_plan_comes_next() -> None:
    running = plan(plan_version_id=2, speed_down_kbps=50_000, pool="fast", interim_seconds=120)
    decision = decide(served(package_plan=running), login(), NOW)
    assert isinstance(decision, Accept)
    service = decision.service
    assert (service.pool, service.speed_down_kbps, service.interim_seconds) == ("fast", 50_000, 120)


FAST = package(2, BEGAN + timedelta(days=2), plan_version_id=2)
ENDLESS = package(3, BEGAN, plan_version_id=2, validity_minutes=None)


@pytest.mark.rule("A6")
@pytest.mark.parametrize(
    ("packages", "own", "now", "expected"),
    [
        ((package(1, BEGAN),), plan(), NOW, None),
        ((package(1, BEGAN), FAST), None, NOW, BEGAN + timedelta(days=1)),
        ((package(1, BEGAN), FAST), None, BEGAN + timedelta(days=1), FAST.valid_from),
        ((FAST,), plan(), NOW, FAST.valid_from),
        ((FAST,), plan(), BEGAN + timedelta(days=2), FAST.valid_until),
        ((FAST,), plan(plan_version_id=2), NOW, None),
        ((FAST,), None, NOW, None),
        ((ENDLESS,), plan(), NOW, None),
        ((package(1, None, plan_version_id=2),), plan(), NOW, None),
        ((), plan(), NOW, None),
    ],
)
def test_the_speed_may_change_when_a_package_of_another_plan_begins_or_ends(
    packages: tuple[Entitlement, ...],
    own: PlanTerms | None,
    now: datetime,
    expected: datetime | None,
) -> None:
    assert next_speed_change(account(plan=own, entitlements=packages), now) == expected


@pytest.mark.rule("A6")
@pytest.mark.rule("B4")
def test_the_speed_changes_where_what_follows_an_ended_package_ends() -> None:
    follower = package(2, None, plan_version_id=2, follows=True)
    who = account(entitlements=(follower,), last_ended=package(1, BEGAN - timedelta(days=1)))
    assert next_speed_change(who, NOW) == BEGAN + timedelta(days=1)
