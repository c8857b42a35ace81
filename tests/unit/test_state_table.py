"""The table S: each cause alone, its effect by kind, and their precedence (S1–S8, B9, B15, B19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from access_builders import (
    account,
    at,
    bill,
    daily_profile,
    monthly,
    monthly_plan,
    monthly_profile,
    package,
    plan,
)

from billing.model.account import Account, HoldBehaviour, SpendingCap, StaffHold, Wallet
from billing.model.decision import Reason
from billing.model.profile import Payment
from billing.rules.states import NORMAL, Effect, State, deciding, next_change

NOW = at("2026-03-10 12:00:00")
BEGAN = at("2026-03-10 00:00:00")
EXPIRED = at("2026-03-09 23:00:00")  # 10 March, 00:00 in Paris
CUT = at("2026-03-20 23:00:00")  # 21 March, 00:00 in Paris
STAFF = StaffHold(note="abuse", until=None, behaviour=HoldBehaviour.REJECT)


def served(**changes: Any) -> Account:
    return account(**{"entitlements": (package(1, BEGAN),), **changes})


def in_debt(**changes: Any) -> Account:
    """The example of rule B16: expired 10 Mar, INV-7 unpaid, due 20 Mar."""
    bills = (bill(date(2026, 3, 20)),)
    return monthly(**{"paid_until": EXPIRED, "unpaid_bills": bills, **changes})


def poor(**changes: Any) -> Account:
    payg = plan(payg_octet_step=1_000, payg_octet_step_micros=10)
    return account(**{"plan": payg, **changes})


@pytest.mark.rule("B4")
@pytest.mark.rule("S7")
def test_a_package_that_follows_one_that_is_over_serves_from_its_end_on() -> None:
    over = package(1, NOW - timedelta(hours=25))
    following = package(2, None, follows=True)
    waiting = account(entitlements=(following,), last_ended=over)
    assert deciding(waiting, NOW) == NORMAL
    assert next_change(waiting, NOW - timedelta(hours=2)) is not None


@pytest.mark.rule("S8")
def test_without_a_cause_service_is_normal() -> None:
    assert deciding(served(), NOW) == NORMAL
    assert deciding(monthly(), NOW) == NORMAL


@pytest.mark.rule("S1")
def test_closed() -> None:
    closed = served(closed_at=NOW)
    assert deciding(closed, NOW) == State("S1", Reason.CLOSED, Effect.REJECT)
    assert deciding(closed, NOW - timedelta(seconds=1)) == NORMAL


@pytest.mark.rule("S2")
def test_suspended_by_staff_as_chosen_until_its_end() -> None:
    rejecting = replace(STAFF, until=NOW + timedelta(hours=1))
    for who in (served(staff_hold=rejecting), monthly(staff_hold=rejecting)):
        assert deciding(who, NOW) == State("S2", Reason.STAFF_SUSPENDED, Effect.REJECT)
    assert next_change(served(staff_hold=rejecting), NOW) == rejecting.until
    assert deciding(served(staff_hold=rejecting), NOW + timedelta(hours=1)) == NORMAL
    pooling = replace(STAFF, behaviour=HoldBehaviour.SUSPENDED_POOL)
    state = deciding(monthly(staff_hold=pooling), NOW)
    assert state == State("S2", Reason.STAFF_SUSPENDED, Effect.SUSPENDED_POOL, "walled")
    assert next_change(monthly(staff_hold=pooling), NOW) is None


@pytest.mark.rule("S3")
def test_paused() -> None:
    assert deciding(served(paused_at=NOW), NOW) == State("S3", Reason.PAUSED, Effect.REJECT)


@pytest.mark.rule("S4")
@pytest.mark.rule("B15")
def test_a_discontinue_date_counts_when_it_has_passed_with_an_unpaid_bill() -> None:
    day = date(2026, 3, 10)
    late = bill(date(2026, 4, 30))  # even one that is not due yet
    unpaid = served(discontinue_on=day, unpaid_bills=(late,), profile=daily_profile())
    passed = at("2026-03-10 23:00:00")
    assert deciding(unpaid, passed - timedelta(seconds=1)) == NORMAL
    assert deciding(unpaid, passed) == State("S4", Reason.DISCONTINUED, Effect.REJECT)
    assert next_change(unpaid, NOW) == passed
    # A daily customer is rejected even where the profile names a pool (rule B3).
    with_pool = replace(unpaid, profile=replace(daily_profile(), suspended_pool="walled"))
    assert deciding(with_pool, passed) == State("S4", Reason.DISCONTINUED, Effect.REJECT)
    pooled = deciding(monthly(discontinue_on=day, unpaid_bills=(late,)), passed)
    assert pooled == State("S4", Reason.DISCONTINUED, Effect.SUSPENDED_POOL, "walled")
    assert deciding(served(discontinue_on=day), passed) == NORMAL


@pytest.mark.rule("S5")
@pytest.mark.rule("B9")
def test_overdue_begins_when_the_payment_date_has_passed() -> None:
    assert deciding(in_debt(), CUT - timedelta(seconds=1)) == NORMAL
    state = deciding(in_debt(), CUT)
    assert state == State("S5", Reason.OVERDUE, Effect.SUSPENDED_POOL, "walled")
    assert next_change(in_debt(), NOW) == CUT


@pytest.mark.rule("B9")
@pytest.mark.parametrize(
    "changes",
    [
        {"unpaid_bills": ()},
        {"unpaid_bills": (bill(date(2026, 3, 21)),)},
        {"paid_until": at("2026-04-09 22:00:00")},
        {"profile": monthly_profile(automatic_suspend=False)},
        {"profile": monthly_profile(no_cut_weekdays=frozenset({5, 6}))},
        {"promise_until": date(2026, 3, 21)},
    ],
    ids=["no-bill", "not-due", "paid-cycle", "switched-off", "no-cut-weekend", "promise"],
)
def test_if_one_condition_is_missing_nobody_is_cut(changes: dict[str, Any]) -> None:
    assert deciding(in_debt(), CUT).rule == "S5"
    assert deciding(in_debt(**changes), CUT) == NORMAL


@pytest.mark.rule("B9")
def test_who_never_paid_a_cycle_has_none_left() -> None:
    assert deciding(in_debt(paid_until=None), CUT).rule == "S5"


@pytest.mark.rule("B9")
def test_expiry_on_a_no_cut_day_cuts_on_the_next_other_day() -> None:
    # Due on the 5th, expired on Saturday the 21st at midnight: cut on Monday at 08:00.
    who = in_debt(
        profile=monthly_profile(no_cut_weekdays=frozenset({5, 6}), suspend_at_hour=8),
        unpaid_bills=(bill(date(2026, 3, 5)),),
        paid_until=CUT,
    )
    assert next_change(who, NOW) == at("2026-03-23 07:00:00")


@pytest.mark.rule("B19")
def test_a_promise_covers_its_whole_day_and_ends_by_itself() -> None:
    promised = in_debt(promise_until=date(2026, 3, 25))
    end = at("2026-03-25 23:00:00")
    assert deciding(promised, end - timedelta(seconds=1)) == NORMAL
    assert deciding(promised, end).rule == "S5"
    assert next_change(promised, CUT) == end


@pytest.mark.rule("B9")
def test_a_daily_customer_is_never_overdue() -> None:
    profile = daily_profile(automatic_suspend=True)
    assert deciding(served(profile=profile, unpaid_bills=(bill(date(2026, 1, 1)),)), NOW) == NORMAL


@pytest.mark.rule("S6")
def test_an_exhausted_wallet_matters_for_pay_as_you_go_without_a_package() -> None:
    assert deciding(poor(), NOW) == State("S6", Reason.WALLET_EXHAUSTED, Effect.REJECT)
    assert deciding(poor(entitlements=(package(1, BEGAN),)), NOW) == NORMAL
    assert deciding(poor(wallet=Wallet(currency="USD", posted_micros=1)), NOW) == NORMAL
    assert deciding(poor(wallet=Wallet(currency="USD", credit_limit_micros=1)), NOW) == NORMAL
    spent = Wallet(currency="USD", posted_micros=9, unposted_micros=5, reserved_micros=4)
    assert deciding(poor(wallet=spent), NOW).rule == "S6"


@pytest.mark.rule("S6")
def test_an_exhausted_monthly_wallet_leads_to_the_pool() -> None:
    usage = monthly_plan(payg_octet_step=1_000, payg_octet_step_micros=10)
    prepaid = monthly(profile=monthly_profile(payment=Payment.PREPAID), plan=usage)
    state = deciding(prepaid, NOW)
    assert state == State("S6", Reason.WALLET_EXHAUSTED, Effect.SUSPENDED_POOL, "walled")
    lent = Wallet(currency="USD", credit_limit_micros=1)
    assert deciding(monthly(plan=usage, wallet=lent), NOW) == NORMAL


@pytest.mark.rule("S6")
def test_the_end_of_the_package_changes_the_state_only_if_the_wallet_is_empty() -> None:
    last = (package(1, BEGAN),)
    assert next_change(poor(entitlements=last), NOW) == BEGAN + timedelta(days=1)
    rich = Wallet(currency="USD", posted_micros=10**9)
    assert next_change(poor(entitlements=last, wallet=rich), NOW) is None


@pytest.mark.rule("S7")
@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (None, Reason.NO_ENTITLEMENT),
        (package(1, at("2026-03-01 00:00:00")), Reason.EXPIRED),
        (package(1, BEGAN, seconds_left=0), Reason.TIME_USED_UP),
        (package(1, BEGAN, octets_left=0), Reason.DATA_USED_UP),
    ],
)
def test_the_reason_says_how_the_last_package_ended(ended: Any, reason: Reason) -> None:
    expected = State("S7", reason, Effect.REJECT)
    assert deciding(account(last_ended=ended), NOW) == expected
    if ended is not None:
        assert deciding(account(entitlements=(ended,)), NOW) == expected


@pytest.mark.rule("S7")
def test_a_monthly_customer_runs_on_without_a_package_but_not_without_a_plan() -> None:
    used_up = (package(1, BEGAN, octets_left=0),)
    assert deciding(monthly(entitlements=used_up), NOW) == NORMAL
    assert deciding(monthly(plan=None), NOW).reason is Reason.NO_ENTITLEMENT


@pytest.mark.rule("S7")
def test_a_package_that_begins_later_is_the_next_change() -> None:
    begins = NOW + timedelta(hours=2)
    early = account(entitlements=(package(1, begins),))
    assert deciding(early, NOW).rule == "S7"
    assert next_change(early, NOW) == begins
    assert next_change(early, begins) == begins + timedelta(days=1)


@pytest.mark.rule("B4")
def test_a_chain_changes_the_state_at_its_end_only() -> None:
    running = package(1, BEGAN)
    chain = served(entitlements=(running, package(2, None, follows=True)))
    assert next_change(chain, NOW) == BEGAN + timedelta(days=2)
    waiting = served(entitlements=(running, package(2, None)))
    assert next_change(waiting, NOW) is None  # the next login begins it


@pytest.mark.rule("P9")
def test_causes_decide_in_the_order_of_the_table() -> None:
    held = in_debt(
        closed_at=BEGAN,
        staff_hold=STAFF,
        paused_at=BEGAN,
        discontinue_on=date(2026, 3, 1),
        plan=None,
    )
    order = []
    for lifted in (
        {"closed_at": None},
        {"staff_hold": None},
        {"paused_at": None},
        {"discontinue_on": None},
        {"unpaid_bills": ()},
        {"plan": monthly_plan()},
    ):
        order.append(deciding(held, CUT).rule)
        held = replace(held, **lifted)
    assert order == ["S1", "S2", "S3", "S4", "S5", "S7"]
    assert deciding(held, CUT) == NORMAL


@pytest.mark.rule("B4")
def test_a_package_follows_all_that_come_before_it() -> None:
    base, add_on = package(1, BEGAN), package(2, BEGAN, validity_minutes=900)
    appended = package(3, None, follows=True)
    for order in ((base, add_on, appended), (add_on, base, appended)):
        assert next_change(served(entitlements=order), NOW) == BEGAN + timedelta(days=2)
    behind_a_waiting_one = (package(4, None), base, appended)
    assert next_change(served(entitlements=behind_a_waiting_one), NOW) is None


@pytest.mark.rule("B19")
@pytest.mark.rule("P8")
@pytest.mark.rule("S6")
def test_a_promise_lends_to_a_used_up_wallet_until_it_ends() -> None:
    ends = NOW + timedelta(days=5)
    lent = Wallet(currency="USD", posted_micros=-3, promised_micros=5, promised_until=ends)
    who = poor(wallet=lent)
    assert deciding(who, NOW) == NORMAL
    assert next_change(who, NOW) == ends
    assert deciding(who, ends).reason is Reason.WALLET_EXHAUSTED
    used = replace(lent, posted_micros=-5)
    assert deciding(poor(wallet=used), NOW).reason is Reason.WALLET_EXHAUSTED


@pytest.mark.rule("B19")
@pytest.mark.rule("P14")
def test_a_promise_lifts_no_spending_cap() -> None:
    cap = SpendingCap(amount_micros=9, left_micros=0, until=NOW + timedelta(days=9))
    lent = Wallet(
        currency="USD",
        promised_micros=5,
        promised_until=NOW + timedelta(days=5),
        cap=cap,
    )
    assert deciding(poor(wallet=lent), NOW).reason is Reason.SPENDING_CAP
