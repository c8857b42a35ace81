"""Each cause in its words: what it was judged by, and what lifts it (rule B16)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from access_builders import (
    USD,
    account,
    at,
    bill,
    monthly,
    monthly_plan,
    monthly_profile,
    package,
    plan,
)

from billing.model.account import (
    Account,
    HoldBehaviour,
    SpendingCap,
    StaffHold,
    Upcoming,
    Wallet,
)
from billing.model.plan import Entitlement
from billing.model.profile import Payment
from billing.rules.causes import examine

NOW = at("2026-03-18 12:00:00")  # 13:00 in Paris
HOUR = timedelta(hours=1)
PAST_17TH, PAST_20TH = at("2026-03-17 23:00:00"), at("2026-03-20 23:00:00")
MONTH_END = at("2026-03-31 22:00:00")
OWED = (bill(date(2026, 3, 20)), bill(date(2026, 3, 25), 5_000_000, "INV-8"))
OLD = "unpaid INV-7 due 20 Mar 2026 (30.00 USD)"
PROMISE = ", or a promise to pay"


def told(who: Account, rule: str, now: datetime = NOW) -> tuple[str, str]:
    (cause,) = [one for one in examine(who, now) if one.rule == rule]
    return cause.detail, cause.lifted_by


def hold(until: datetime | None) -> StaffHold:
    return StaffHold(note="abuse", until=until, behaviour=HoldBehaviour.REJECT)


@pytest.mark.rule("B16")
@pytest.mark.parametrize(
    ("who", "rule", "detail", "lifted_by"),
    [
        (account(), "S1", "not closed", "reopening the account"),
        (account(closed_at=NOW), "S1", "closed 18 Mar 2026 13:00", "reopening the account"),
        (account(), "S2", "not suspended by staff", "staff"),
        (
            account(staff_hold=hold(None)),
            "S2",
            "suspended by staff (abuse) until staff lifts it",
            "staff",
        ),
        (
            account(staff_hold=hold(NOW + HOUR)),
            "S2",
            "suspended by staff (abuse) until 18 Mar 2026 14:00",
            "staff, or by itself on 18 Mar 2026 14:00",
        ),
        (
            account(staff_hold=hold(NOW)),
            "S2",
            "suspended by staff (abuse) until 18 Mar 2026 13:00, which has passed",
            "staff, or by itself on 18 Mar 2026 13:00",
        ),
        (account(), "S3", "not paused", "resuming"),
        (account(paused_at=NOW), "S3", "paused 18 Mar 2026 13:00", "resuming"),
        (monthly(), "S8", "no cause holds: normal service", ""),
        (account(), "S8", "a cause above holds", ""),
    ],
)
def test_what_staff_did(who: Account, rule: str, detail: str, lifted_by: str) -> None:
    assert told(who, rule) == (detail, lifted_by)


@pytest.mark.rule("B16")
@pytest.mark.rule("B15")
def test_a_discontinue_date() -> None:
    day = date(2026, 3, 17)
    assert told(monthly(), "S4") == ("no discontinue date", "payment")
    without = "discontinue on 17 Mar 2026: no unpaid bill, so without effect"
    assert told(monthly(discontinue_on=day), "S4") == (without, "payment")
    owing = monthly(discontinue_on=day, unpaid_bills=OWED)
    for now, passed in ((PAST_17TH - HOUR, "not passed"), (PAST_17TH, "passed")):
        detail = f"discontinue on 17 Mar 2026, {OLD}: {passed}"
        assert told(owing, "S4", now) == (detail, "paying 35.00 USD")


@pytest.mark.rule("B16")
@pytest.mark.rule("B9")
@pytest.mark.parametrize(
    ("who", "now", "detail", "lifted_by"),
    [
        (account(), NOW, "daily: has no periodic bill", "payment"),
        (monthly(), NOW, "monthly, no cycle ever paid, no unpaid bill", "payment"),
        (
            monthly(paid_until=NOW + HOUR),
            NOW,
            "monthly, paid until 18 Mar 2026 14:00, no unpaid bill",
            "payment",
        ),
        (
            monthly(paid_until=NOW),
            NOW,
            "monthly, expired 18 Mar 2026 13:00, no unpaid bill",
            "payment",
        ),
        (
            monthly(unpaid_bills=OWED, promise_until=date(2026, 3, 22)),
            PAST_20TH,
            f"monthly, no cycle ever paid, {OLD}, 1 more unpaid, promised until 22 Mar 2026: "
            "passed, cut not before 23 Mar 2026 00:00",
            "paying 30.00 USD",
        ),
        (
            monthly(unpaid_bills=OWED),
            NOW,
            f"monthly, no cycle ever paid, {OLD}, 1 more unpaid: "
            "not passed, cut not before 21 Mar 2026 00:00",
            "paying 30.00 USD",
        ),
        (
            monthly(unpaid_bills=OWED[:1]),
            PAST_20TH,
            f"monthly, no cycle ever paid, {OLD}: passed, cut 21 Mar 2026 00:00",
            "paying 30.00 USD",
        ),
        (
            monthly(unpaid_bills=(*OWED[:1], bill(date(2026, 3, 20), 5_000_000, "INV-8"))),
            PAST_20TH,
            f"monthly, no cycle ever paid, {OLD}, 1 more unpaid: passed, cut 21 Mar 2026 00:00",
            "paying 35.00 USD",
        ),
        (
            monthly(unpaid_bills=OWED[:1], profile=monthly_profile(automatic_suspend=False)),
            NOW,
            f"monthly, no cycle ever paid, {OLD}: automatic suspension is off",
            "paying 30.00 USD",
        ),
        (
            monthly(unpaid_bills=OWED[:1], promise_until=date(2026, 3, 22),
                    profile=monthly_profile(automatic_suspend=False)),
            NOW,
            f"monthly, no cycle ever paid, {OLD}, promised until 22 Mar 2026: "
            "automatic suspension is off",
            "paying 30.00 USD",
        ),
        (
            monthly(unpaid_bills=OWED[:1],
                    profile=monthly_profile(no_cut_weekdays=frozenset(range(7)))),
            NOW,
            f"monthly, no cycle ever paid, {OLD}: not passed, every weekday is a no-cut day",
            "paying 30.00 USD",
        ),
    ],
)  # fmt: skip
def test_overdue_with_each_of_its_conditions(
    who: Account, now: datetime, detail: str, lifted_by: str
) -> None:
    assert told(who, "S5", now) == (detail, lifted_by + PROMISE)


USAGE = plan(payg_octet_step=1, payg_octet_step_micros=1)
RUNNING = package(1, NOW - HOUR)
FOLLOWER = package(2, None, follows=True)
LONG_OVER = package(9, NOW - timedelta(days=3))
BY_USE = "pay-as-you-go, available 0.00 USD, credit limit 0.00 USD"
CAP = SpendingCap(amount_micros=50_000_000, left_micros=0, until=MONTH_END)


@pytest.mark.rule("B16")
@pytest.mark.rule("P8")
@pytest.mark.parametrize(
    ("who", "detail"),
    [
        (account(), "not pay-as-you-go: the wallet is not asked"),
        (account(plan=USAGE), f"{BY_USE}, no entitlement left"),
        (account(plan=USAGE, entitlements=(RUNNING,)), f"{BY_USE}, an entitlement is left"),
        (
            account(plan=USAGE, entitlements=(FOLLOWER,), last_ended=LONG_OVER),
            f"{BY_USE}, no entitlement left",
        ),
    ],
)
def test_a_wallet_is_asked_for_use(who: Account, detail: str) -> None:
    assert told(who, "S6") == (
        detail,
        "a credit, a promise to pay, or buying a package",
    )


@pytest.mark.rule("B16")
@pytest.mark.rule("P8")
@pytest.mark.rule("P14")
@pytest.mark.parametrize(
    ("wallet", "now", "lifted_by"),
    [
        (Wallet(currency=USD), NOW, "a credit, a promise to pay"),
        (
            Wallet(currency=USD, posted_micros=-1),
            NOW,
            "a credit of more than 0.00 USD, a promise to pay",
        ),
        (
            Wallet(currency=USD, posted_micros=-9_000_000, promised_micros=2_000_000,
                   promised_until=MONTH_END),
            NOW,
            "a credit of more than 7.00 USD, a promise to pay",
        ),
        (Wallet(currency=USD, cap=CAP), MONTH_END, "a credit, a promise to pay"),
        (
            Wallet(currency=USD, posted_micros=9, cap=SpendingCap(
                amount_micros=50_000_000, left_micros=1, until=MONTH_END)),
            NOW,
            "a credit, a promise to pay",
        ),
        (
            Wallet(currency=USD, posted_micros=9, cap=CAP),
            NOW,
            "the spending cap lifted or raised, or by itself the end of the month on "
            "1 Apr 2026 00:00",
        ),
    ],
)  # fmt: skip
def test_what_credit_a_wallet_needs(wallet: Wallet, now: datetime, lifted_by: str) -> None:
    who = account(plan=USAGE, wallet=wallet)
    assert told(who, "S6", now)[1] == f"{lifted_by}, or buying a package"


@pytest.mark.rule("B16")
@pytest.mark.rule("P10")
@pytest.mark.parametrize(
    ("upcoming", "lifted_by"),
    [
        (None, "the next look at what the wallet covers"),
        (Upcoming(text="April", begins_at=None, total_micros=9_000_000), "a credit of 9.00 USD"),
    ],
)
def test_what_ends_a_hold_of_recurring_prepaid(upcoming: Upcoming | None, lifted_by: str) -> None:
    profile = monthly_profile(payment=Payment.PREPAID)
    held = monthly(profile=profile, on_hold_since=NOW, upcoming=upcoming)
    assert told(held, "S6")[1] == lifted_by + PROMISE
    foreseen = Upcoming(text="April", begins_at=NOW, total_micros=9_000_000)
    short = monthly(profile=profile, upcoming=foreseen)
    assert told(short, "S6")[1] == "a credit of 9.00 USD"


DAY = "'1 day' valid from 18 Mar 2026 12:00 until 19 Mar 2026 12:00"


@pytest.mark.rule("B16")
@pytest.mark.rule("S7")
@pytest.mark.parametrize(
    ("who", "detail"),
    [
        (account(plan=None), "no plan and no package"),
        (account(), "daily, no package was ever bought"),
        (account(plan=None, entitlements=(RUNNING,)), f"daily, {DAY}"),
        (monthly(plan=None, entitlements=(RUNNING,)), f"monthly, {DAY}"),
        (monthly(plan=monthly_plan()), "monthly: runs on without a package, S5 decides"),
        (account(plan=USAGE, entitlements=(RUNNING,)), f"{DAY}; pay-as-you-go, so S6 decides"),
    ],
)
def test_what_was_bought(who: Account, detail: str) -> None:
    assert told(who, "S7")[0] == detail


@pytest.mark.rule("B16")
@pytest.mark.rule("B4")
@pytest.mark.parametrize(
    ("packages", "last_ended", "words"),
    [
        (
            (RUNNING, FOLLOWER),
            None,
            f"{DAY}; '1 day' valid from 19 Mar 2026 12:00 until 20 Mar 2026 12:00",
        ),
        (
            (package(1, NOW - HOUR, validity_minutes=None, octets_left=5),),
            None,
            "'1 day' valid from 18 Mar 2026 12:00 without end, 5 octets left",
        ),
        (
            (package(1), FOLLOWER),
            None,
            "'1 day' begins at the first login; '1 day' begins after it",
        ),
        ((FOLLOWER,), package(9, NOW - HOUR, octets_left=0), "'1 day' begins at the next login"),
        (
            (FOLLOWER,),
            package(9, NOW - 25 * HOUR),
            "'1 day' valid from 18 Mar 2026 12:00 until 19 Mar 2026 12:00",
        ),
        ((package(1, NOW - 24 * HOUR),), None, "'1 day' expired 18 Mar 2026 13:00"),
        ((FOLLOWER,), LONG_OVER, "'1 day' expired"),
        ((), package(9, NOW, seconds_left=0), "time of '1 day' used up"),
        ((), package(9, NOW, octets_left=0), "data of '1 day' used up"),
        ((), package(9, NOW - 24 * HOUR, seconds_left=1), "'1 day' expired 18 Mar 2026 13:00"),
        ((), package(9, NOW - 24 * HOUR, octets_left=1), "'1 day' expired 18 Mar 2026 13:00"),
    ],
)  # fmt: skip
def test_what_runs_waits_or_has_ended(
    packages: tuple[Entitlement, ...], last_ended: Entitlement | None, words: str
) -> None:
    who = account(entitlements=packages, last_ended=last_ended)
    assert told(who, "S7") == (f"daily, {words}", "buying a package")
