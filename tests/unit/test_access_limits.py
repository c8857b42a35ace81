"""Session-Timeout and octet limits: packages, chains, wallet, login-hours (A5, B2, B4, P3, Q1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from access_builders import account, at, daily_profile, login, monthly, monthly_plan, package, plan

from billing.model.account import Account, HoldBehaviour, LoginWindow, StaffHold, Wallet
from billing.model.decision import Accept, Reason, Reject, Suspended
from billing.model.events import COUNTER_LIMIT
from billing.model.profile import Payment
from billing.rules.access import SESSION_SECONDS_LIMIT, decide

NOW = at("2026-03-10 12:00:00")
HOUR = 3600
MB = 1_000_000


def accept(who: Account, now: Any = NOW) -> Accept:
    decision = decide(who, login(), now)
    assert isinstance(decision, Accept), decision
    return decision


def limits(who: Account, now: Any = NOW) -> tuple[int | None, int | None]:
    got = accept(who, now).service.limits
    return got.session_seconds, got.total_octets


def wallet(posted_micros: int, credit_limit_micros: int = 0) -> Wallet:
    return Wallet(
        currency="USD", posted_micros=posted_micros, credit_limit_micros=credit_limit_micros
    )


def hours_ago(hours: int) -> Any:
    return NOW - timedelta(hours=hours)


@pytest.mark.rule("B2")
def test_a_package_lasts_exactly_the_purchased_minutes() -> None:
    bought = account(entitlements=(package(1, at("2026-03-10 14:30:00")),))
    assert limits(bought, at("2026-03-10 14:30:00")) == (86_400, None)
    assert limits(bought, at("2026-03-11 14:29:59")) == (1, None)
    ended = decide(bought, login(), at("2026-03-11 14:30:00"))
    assert ended == Reject(reason=Reason.EXPIRED)


@pytest.mark.rule("A5")
def test_less_than_a_second_left_is_one_never_zero() -> None:
    bought = account(entitlements=(package(1, at("2026-03-10 14:30:00")),))
    assert limits(bought, at("2026-03-11 14:29:59") + timedelta(milliseconds=700)) == (1, None)


@pytest.mark.rule("B2")
def test_validity_spans_a_clock_change_in_minutes_not_in_local_hours() -> None:
    bought = account(entitlements=(package(1, at("2026-03-28 20:00:00")),))
    assert limits(bought, at("2026-03-28 20:00:00"))[0] == 86_400


@pytest.mark.rule("B2")
def test_the_first_login_starts_the_package_and_is_limited_as_if_it_had_begun() -> None:
    waiting = account(entitlements=(package(5, None, validity_minutes=60, octets_left=MB),))
    decision = accept(waiting)
    assert decision.activate_entitlement_id == 5
    assert decision.service.limits.session_seconds == HOUR
    assert decision.service.limits.total_octets == MB


@pytest.mark.rule("B2")
def test_a_first_login_package_waits_while_another_one_runs() -> None:
    running = package(1, hours_ago(23))
    waiting = package(2, None)
    for order in ((running, waiting), (waiting, running)):
        decision = accept(account(entitlements=order))
        assert decision.activate_entitlement_id is None
        assert decision.service.limits.session_seconds == HOUR


@pytest.mark.rule("B2")
def test_only_one_first_login_package_starts_at_a_login() -> None:
    decision = accept(account(entitlements=(package(1, None), package(2, None))))
    assert decision.activate_entitlement_id == 1
    assert decision.service.limits.session_seconds == 24 * HOUR


@pytest.mark.rule("B4")
def test_an_appended_package_continues_the_session() -> None:
    running = package(1, hours_ago(23), octets_left=3 * MB)
    planned = package(2, running.valid_until, follows=True, octets_left=5 * MB)
    unplanned = package(2, None, follows=True, octets_left=5 * MB)
    for appended in (planned, unplanned):
        assert limits(account(entitlements=(running, appended))) == (25 * HOUR, 8 * MB)


@pytest.mark.rule("B4")
def test_an_appended_package_starts_when_the_time_of_the_last_one_is_used_up() -> None:
    running = package(1, hours_ago(12), seconds_left=600)
    for begins in (None, running.valid_until):
        appended = package(2, begins, follows=True, validity_minutes=60)
        assert limits(account(entitlements=(running, appended)))[0] == 600 + HOUR


@pytest.mark.rule("B4")
def test_an_appended_package_whose_predecessor_expired_runs_since_then() -> None:
    expired = package(1, hours_ago(26))  # ended two hours ago
    appended = package(2, None, follows=True)
    for who in (
        account(entitlements=(expired, appended)),
        account(entitlements=(appended,), last_ended=expired),
    ):
        decision = accept(who)
        assert decision.service.limits.session_seconds == 22 * HOUR
        assert decision.activate_entitlement_id is None


@pytest.mark.rule("B4")
def test_an_appended_package_behind_a_used_up_one_starts_with_this_login() -> None:
    used_up = package(1, hours_ago(1), octets_left=0)
    decision = accept(account(entitlements=(package(2, None, follows=True),), last_ended=used_up))
    assert decision.activate_entitlement_id == 2
    assert decision.service.limits.session_seconds == 24 * HOUR


@pytest.mark.rule("B4")
def test_a_package_that_begins_after_a_gap_does_not_extend_the_session() -> None:
    running = package(1, hours_ago(23))
    later = package(2, NOW + timedelta(hours=2))
    behind_it = package(3, None, follows=True)
    assert limits(account(entitlements=(running, later, behind_it)))[0] == HOUR


@pytest.mark.rule("Q1")
def test_packages_that_are_active_at_once_count_together() -> None:
    base = package(1, hours_ago(1), octets_left=2 * MB)
    add_on = package(2, hours_ago(1), validity_minutes=120, octets_left=MB)
    assert limits(account(entitlements=(add_on, base))) == (23 * HOUR, 3 * MB)
    assert limits(account(entitlements=(base, add_on))) == (23 * HOUR, 3 * MB)


@pytest.mark.rule("Q1")
def test_one_package_without_a_data_limit_lifts_the_limit_of_all() -> None:
    flat = package(1, hours_ago(1))
    metered = package(2, hours_ago(1), octets_left=MB)
    assert limits(account(entitlements=(flat, metered)))[1] is None


@pytest.mark.rule("Q1")
def test_time_is_used_one_after_the_other_within_each_validity() -> None:
    short = package(1, hours_ago(1), validity_minutes=70, seconds_left=HOUR)  # ends in 600 s
    long = package(2, hours_ago(1), seconds_left=1_000)
    assert limits(account(entitlements=(short, long)))[0] == 1_600


@pytest.mark.rule("A5")
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_data_that_never_expires_does_not_limit_time(order: tuple[int, int]) -> None:
    packages = {
        1: package(1, hours_ago(1), validity_minutes=None, octets_left=MB),
        2: package(2, hours_ago(1), octets_left=MB),
    }
    who = account(entitlements=tuple(packages[number] for number in order))
    assert limits(who) == (None, 2 * MB)


@pytest.mark.rule("P3")
def test_the_wallet_continues_when_the_packages_are_used_up() -> None:
    # 0.02 per started minute, 1.00 in the wallet: 50 minutes after the package's last hour.
    by_time = plan(payg_second_step=60, payg_second_step_micros=20_000)
    with_package = account(
        plan=by_time, wallet=wallet(MB), entitlements=(package(1, hours_ago(23), octets_left=9),)
    )
    assert limits(with_package) == (HOUR + 3_000, None)
    assert limits(account(plan=by_time, wallet=wallet(MB))) == (3_000, None)


@pytest.mark.rule("P3")
def test_data_that_the_wallet_affords_is_added_to_what_was_bought() -> None:
    by_data = plan(payg_octet_step=1_048_576, payg_octet_step_micros=10_000)
    with_package = account(
        plan=by_data, wallet=wallet(MB), entitlements=(package(1, hours_ago(23), octets_left=9),)
    )
    # Time is not priced: the session outlasts the package.
    assert limits(with_package) == (None, 9 + 100 * 1_048_576)


@pytest.mark.rule("P3")
def test_the_credit_limit_is_spent_too() -> None:
    by_time = plan(payg_second_step=60, payg_second_step_micros=20_000)
    assert limits(account(plan=by_time, wallet=wallet(0, 40_000))) == (120, None)


@pytest.mark.rule("P8")
def test_what_is_left_buys_at_least_the_step_it_is_charged_for() -> None:
    by_time = plan(payg_second_step=60, payg_second_step_micros=20_000)
    assert limits(account(plan=by_time, wallet=wallet(1))) == (60, None)
    broke = account(plan=by_time, wallet=wallet(0))
    assert decide(broke, login(), NOW) == Reject(reason=Reason.WALLET_EXHAUSTED)


@pytest.mark.rule("P8")
def test_with_an_exhausted_wallet_only_the_package_counts() -> None:
    by_data = plan(payg_octet_step=1, payg_octet_step_micros=1)
    who = account(plan=by_data, entitlements=(package(1, hours_ago(23), octets_left=9),))
    assert limits(who) == (HOUR, 9)


@pytest.mark.rule("P8")
def test_a_postpaid_wallet_is_bounded_by_its_credit_limit() -> None:
    usage = monthly_plan(payg_second_step=60, payg_second_step_micros=20_000)
    assert decide(monthly(plan=usage), login(), NOW).reason is Reason.WALLET_EXHAUSTED
    assert limits(monthly(plan=usage, wallet=wallet(0, 20_000))) == (60, None)


@pytest.mark.rule("A5")
def test_huge_amounts_are_cut_to_what_a_nas_can_read() -> None:
    cheap = plan(
        payg_second_step=HOUR, payg_second_step_micros=1,
        payg_octet_step=2**40, payg_octet_step_micros=1,
    )  # fmt: skip
    rich = account(plan=cheap, wallet=wallet(10**15))
    assert limits(rich) == (SESSION_SECONDS_LIMIT, COUNTER_LIMIT)
    endless = account(entitlements=(package(1, NOW, seconds_left=2**62, octets_left=2**62 + 5),))
    assert limits(endless) == (86_400, COUNTER_LIMIT)
    far = package(1, None, validity_minutes=2**62, seconds_left=2**62)
    assert limits(account(entitlements=(far,)))[0] is None


@pytest.mark.rule("A5")
def test_login_hours_end_the_session() -> None:
    # Tuesday 13:00 in Paris; until 14:00, or on through midnight where the next window touches.
    afternoon = LoginWindow(weekdays=frozenset({1}), from_minute=720, until_minute=840)
    evening = LoginWindow(weekdays=frozenset({1}), from_minute=840, until_minute=1440)
    night = LoginWindow(weekdays=frozenset({2}), from_minute=0, until_minute=60)
    flat = monthly(login_windows=(afternoon,))
    assert limits(flat) == (HOUR, None)
    assert limits(monthly(login_windows=(night, evening, afternoon)))[0] == 12 * HOUR
    shorter = account(entitlements=(package(1, hours_ago(23), validity_minutes=1410),),
                      login_windows=(afternoon,))  # fmt: skip
    assert limits(shorter)[0] == 1_800


@pytest.mark.rule("A5")
def test_login_hours_of_the_whole_week_do_not_limit() -> None:
    always = LoginWindow(weekdays=frozenset(range(7)), from_minute=0, until_minute=1440)
    for now in (NOW, at("2026-03-28 22:59:59"), at("2026-10-24 21:59:59")):
        assert limits(monthly(login_windows=(always,)), now) == (None, None)


@pytest.mark.rule("A5")
def test_a_monthly_customer_is_not_limited_by_a_cut_that_payment_would_prevent() -> None:
    assert limits(monthly()) == (None, None)


@pytest.mark.rule("A5")
@pytest.mark.parametrize(
    "dated",
    [
        {"closed_at": NOW + timedelta(hours=1)},
        {"paused_at": NOW + timedelta(hours=1)},
        {"closed_at": NOW + timedelta(hours=1), "paused_at": NOW + timedelta(hours=2)},
        {"closed_at": NOW + timedelta(hours=2), "paused_at": NOW + timedelta(hours=1)},
        {"closed_at": NOW + timedelta(hours=1, milliseconds=700)},
    ],
)
def test_a_dated_closing_or_pause_ends_the_session(dated: dict[str, Any]) -> None:
    assert limits(monthly(**dated)) == (HOUR, None)


@pytest.mark.rule("S2")
def test_in_the_pool_the_first_dated_end_counts_in_whole_seconds() -> None:
    until = NOW + timedelta(minutes=10, milliseconds=300)
    hold = StaffHold(note="x", until=until, behaviour=HoldBehaviour.SUSPENDED_POOL)
    for closed_at, seconds in ((None, 600), (NOW + timedelta(minutes=5), 300)):
        decision = decide(monthly(staff_hold=hold, closed_at=closed_at), login(), NOW)
        assert isinstance(decision, Suspended)
        assert decision.service.limits.session_seconds == seconds


@pytest.mark.rule("A5")
def test_the_last_octet_is_granted_and_for_good() -> None:
    got = accept(account(entitlements=(package(1, hours_ago(1), octets_left=1),))).service.limits
    assert (got.total_octets, got.is_provisional) == (1, False)


@pytest.mark.rule("A5")
def test_a_nas_counts_in_signed_32_bits() -> None:
    for seconds, told in ((2**31 - 1, 2**31 - 1), (2**31, 2**31 - 1)):
        assert limits(monthly(closed_at=NOW + timedelta(seconds=seconds)))[0] == told


@pytest.mark.rule("B13")
def test_a_voucher_needs_no_plan_of_its_own() -> None:
    voucher = account(daily_profile(), plan=None, entitlements=(package(1, hours_ago(23)),))
    assert limits(voucher) == (HOUR, None)
    assert accept(voucher).service.speed_up_kbps is None


@pytest.mark.rule("B14")
def test_monthly_prepaid_pay_as_you_go_is_limited_like_daily() -> None:
    base = monthly(plan=monthly_plan(payg_octet_step=1, payg_octet_step_micros=1))
    profile = base.profile
    prepaid = monthly(
        profile=type(profile)(
            name="Prepaid", kind=profile.kind, payment=Payment.PREPAID, suspended_pool="walled"
        ),
        plan=base.plan,
        wallet=wallet(500),
    )
    assert limits(prepaid) == (None, 500)
