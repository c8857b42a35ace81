"""Recurring prepaid: what a wallet covers, what is held, when the next package is due (P10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.model.account import Account, Upcoming, Wallet
from billing.model.charges import ChargeKind, Extra
from billing.model.decision import Reason
from billing.model.profile import BillingProfile, Payment
from billing.rules.cycles import END_OF_TIME
from billing.rules.explain import explain
from billing.rules.extras import none_before
from billing.rules.prepaid import covered, packages_end, renewal_at, short_micros
from billing.rules.states import Effect, State, deciding, next_change, uncovered
from tests.unit.access_builders import (
    USD,
    account,
    at,
    bill,
    daily_profile,
    monthly,
    monthly_profile,
    package,
    plan,
)

NOW = at("2026-04-10 00:00:00")
BEGIN = at("2026-03-10 14:30:00")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def prepaid(**changes: object) -> BillingProfile:
    return monthly_profile(**{"payment": Payment.PREPAID, **changes})


def upcoming(total_micros: int = 30_000_000) -> Upcoming:
    return Upcoming(text="April", begins_at=NOW, total_micros=total_micros)


def waiting(available_micros: int, **changes: object) -> Account:
    """A service whose next period, for 30.00, begins at NOW."""
    wallet = Wallet(currency=USD, posted_micros=available_micros)
    return monthly(profile=prepaid(), wallet=wallet, upcoming=upcoming(), **changes)


@pytest.mark.rule("P10")
def test_only_monthly_prepaid_that_bills_by_itself_is_recurring_prepaid() -> None:
    assert prepaid().recurring_prepaid
    assert not prepaid(automatic_bill=False).recurring_prepaid
    assert not monthly_profile().recurring_prepaid
    assert not daily_profile(automatic_bill=True).recurring_prepaid


@pytest.mark.rule("P10")
@pytest.mark.rule("P12")
def test_a_wallet_covers_whole_bills_down_to_nothing_left() -> None:
    assert covered([(1, 30), (2, 20)], 50) == [True, True]
    assert covered([(1, 30), (2, 20)], 49) == [True, False]
    assert covered([(1, 30), (2, 20)], 29) == [False, True]
    assert covered([(1, 0)], 0) == [True]
    assert covered([], 5) == []


@pytest.mark.rule("P10")
def test_no_period_is_left_out() -> None:
    # The second of subscription 1 would be covered; the first is not.
    assert covered([(1, 30), (1, 10), (2, 10)], 20) == [False, False, True]


@pytest.mark.rule("P10")
def test_what_a_wallet_lacks() -> None:
    assert (short_micros(30, 17), short_micros(30, 30), short_micros(30, 31)) == (13, 0, 0)


@pytest.mark.rule("P10")
@pytest.mark.rule("S6")
def test_what_is_on_hold_is_held_from_then_on() -> None:
    held = monthly(profile=prepaid(), on_hold_since=NOW)
    suspended = State("S6", Reason.NOT_COVERED, Effect.SUSPENDED_POOL, "walled")
    assert deciding(held, NOW) == suspended
    assert deciding(held, NOW - MINUTE).rule == "S8"
    refused = replace(held, profile=prepaid(suspended_pool=None, automatic_suspend=False))
    assert deciding(refused, NOW) == State("S6", Reason.NOT_COVERED, Effect.REJECT)
    # Who is not prepaid any more is not held by it.
    assert deciding(replace(held, profile=monthly_profile()), NOW).rule == "S8"


@pytest.mark.rule("P10")
def test_a_late_run_holds_nobody() -> None:
    # Nothing says that the wallet was asked: the login is served.
    poor = monthly(profile=prepaid(), wallet=Wallet(currency=USD))
    assert not uncovered(poor, NOW + 30 * DAY)
    unknown = replace(upcoming(), begins_at=None)
    assert not uncovered(replace(poor, upcoming=unknown), NOW + 30 * DAY)


@pytest.mark.rule("P10")
@pytest.mark.rule("B16")
def test_what_is_foreseen_is_told_with_its_instant_and_its_price() -> None:
    short = waiting(17_500_000)
    assert (uncovered(short, NOW - MINUTE), uncovered(short, NOW)) == (False, True)
    assert next_change(short, NOW - DAY) == NOW
    assert not uncovered(waiting(30_000_000), NOW)
    told = explain(short, NOW - DAY).text
    assert "for 30.00 USD on 10 Apr 2026 02:00, available 17.50 USD" in told
    assert "not covered, needs 12.50 USD more" in told
    assert "S6, unless a credit of 12.50 USD comes before" in told
    assert "available 30.00 USD: covered" in explain(waiting(30_000_000), NOW - DAY).text


@pytest.mark.rule("P10")
@pytest.mark.rule("P12")
def test_a_credit_limit_covers_too() -> None:
    wallet = Wallet(currency=USD, posted_micros=20_000_000, credit_limit_micros=10_000_000)
    assert not uncovered(replace(waiting(0), wallet=wallet), NOW)
    assert uncovered(
        replace(waiting(0), wallet=replace(wallet, credit_limit_micros=9_999_999)), NOW
    )


@pytest.mark.rule("P10")
@pytest.mark.rule("S5")
def test_an_old_open_bill_decides_before_it() -> None:
    owing = monthly(profile=prepaid(), on_hold_since=NOW, unpaid_bills=(bill(date(2026, 4, 1)),))
    assert deciding(owing, NOW).rule == "S5"
    text = explain(owing, NOW).text
    assert "then S6 still holds (recurring prepaid, on hold since 10 Apr 2026 02:00)" in text


@pytest.mark.rule("P10")
@pytest.mark.rule("S6")
def test_on_hold_says_what_lifts_it() -> None:
    held = waiting(20_000_000, on_hold_since=NOW - DAY)
    held = replace(held, upcoming=replace(upcoming(29_000_000), begins_at=None))
    told = explain(held, NOW).text
    assert "on hold since 9 Apr 2026 02:00, April for 29.00 USD now" in told
    assert "S6 is lifted by a credit of 9.00 USD" in told


@pytest.mark.rule("P8")
@pytest.mark.rule("P10")
def test_use_and_period_are_both_told() -> None:
    usage = plan(validity_minutes=None, payg_octet_step=1, payg_octet_step_micros=1)
    both = monthly(profile=prepaid(), plan=usage, upcoming=upcoming())
    assert deciding(both, NOW - DAY) == State(
        "S6", Reason.WALLET_EXHAUSTED, Effect.SUSPENDED_POOL, "walled"
    )
    (line,) = [x for x in explain(both, NOW - DAY).lines if x.startswith("S6")]
    assert "no entitlement left; recurring prepaid, April for 30.00 USD" in line


@pytest.mark.rule("P10")
@pytest.mark.rule("B4")
def test_the_next_package_is_due_shortly_before_the_last_one_ends() -> None:
    one = account(entitlements=(package(1, BEGIN),))
    assert packages_end(one, BEGIN) == BEGIN + DAY
    assert renewal_at(one, BEGIN) == BEGIN + DAY - 5 * MINUTE
    two = account(entitlements=(package(1, BEGIN), package(2, follows=True)))
    assert renewal_at(two, BEGIN) == BEGIN + 2 * DAY - 5 * MINUTE


@pytest.mark.rule("P10")
def test_what_follows_one_that_has_ended_ends_in_its_turn() -> None:
    chain = account(entitlements=(package(2, follows=True),), last_ended=package(1, BEGIN))
    assert packages_end(chain, BEGIN) == BEGIN + 2 * DAY
    assert renewal_at(chain, BEGIN) == BEGIN + 2 * DAY - 5 * MINUTE
    # Of two it is the last one's time that counts.
    short = package(2, follows=True, validity_minutes=6)
    chain = replace(chain, entitlements=(short, package(3, follows=True)))
    assert renewal_at(chain, BEGIN) == BEGIN + 2 * DAY + MINUTE


@pytest.mark.rule("P10")
def test_an_end_without_a_length_is_an_end() -> None:
    known = package(1, BEGIN, validity_minutes=None, valid_until=BEGIN + DAY)
    assert renewal_at(account(entitlements=(known,)), BEGIN) == BEGIN + DAY - 5 * MINUTE


@pytest.mark.rule("P10")
def test_a_short_package_is_not_bought_more_than_half_of_it_ahead() -> None:
    one = account(entitlements=(package(1, BEGIN, validity_minutes=6),))
    assert renewal_at(one, BEGIN) == BEGIN + 3 * MINUTE
    ten = account(entitlements=(package(1, BEGIN, validity_minutes=10),))
    assert renewal_at(ten, BEGIN) == BEGIN + 5 * MINUTE
    # It is the last one's time that counts.
    chain = (package(1, BEGIN), package(2, follows=True, validity_minutes=6))
    assert renewal_at(account(entitlements=chain), BEGIN) == BEGIN + DAY + 3 * MINUTE


@pytest.mark.rule("P10")
def test_nothing_left_is_due_now_and_no_known_end_is_not_due() -> None:
    assert renewal_at(account(), NOW) == NOW
    ended = account(last_ended=package(1, BEGIN))
    assert (packages_end(ended, NOW), renewal_at(ended, NOW)) == (NOW, NOW)
    over = account(entitlements=(package(1, BEGIN),))
    assert renewal_at(over, BEGIN + DAY) == BEGIN + DAY
    login = account(entitlements=(package(1),))
    assert (packages_end(login, NOW), renewal_at(login, NOW)) == (END_OF_TIME, None)
    for_ever = account(entitlements=(package(1, BEGIN, validity_minutes=None, octets_left=5),))
    assert renewal_at(for_ever, NOW) is None
    used_up = account(entitlements=(package(1, BEGIN, octets_left=0),))
    assert renewal_at(used_up, BEGIN + MINUTE) == BEGIN + MINUTE


@pytest.mark.rule("P10")
@pytest.mark.rule("S7")
def test_a_renewal_that_is_not_covered_is_told_where_nothing_is_left() -> None:
    again = Upcoming(text="1 day again", begins_at=None, total_micros=1_000_000)
    poor = account(
        last_ended=package(1, BEGIN),
        wallet=Wallet(currency=USD, posted_micros=250_000),
        upcoming=again,
    )
    assert deciding(poor, NOW).rule == "S7"
    told = explain(poor, NOW).text
    assert "renewal: 1 day again for 1.00 USD now" in told
    assert "not covered, needs 0.75 USD more" in told
    assert "S7 is lifted by a credit of 0.75 USD, or buying a package" in told
    gone = replace(poor, upcoming=replace(again, problem="it is not sold any more"))
    told = explain(gone, NOW).text
    assert "available 0.25 USD: it is not sold any more" in told
    assert "S7 is lifted by buying a package" in told


def _extra(kind: ChargeKind, starts_on: date, billed_until: date | None = None) -> Extra:
    return Extra(
        charge_id=1,
        customer_id=1,
        subscription_id=1,
        kind=kind,
        text="Static IP",
        price_micros=3_100_000,
        discount_ppm=0,
        starts_on=starts_on,
        ends_on=None,
        billed_until=billed_until,
    )


@pytest.mark.rule("P10")
@pytest.mark.rule("I1")
def test_recurring_charges_do_not_accrue_before_the_day_of_activation() -> None:
    day, before, after = date(2026, 4, 20), date(2026, 4, 1), date(2026, 5, 1)
    old = _extra(ChargeKind.RECURRING, before)
    assert none_before([old], day) == [replace(old, billed_until=day)]
    known = _extra(ChargeKind.RECURRING, before, date(2026, 4, 10))
    assert none_before([known], day) == [replace(known, billed_until=day)]
    later = _extra(ChargeKind.RECURRING, before, after)
    kept = [
        later,
        _extra(ChargeKind.RECURRING, day),
        _extra(ChargeKind.ONE_OFF, before),
        _extra(ChargeKind.DISCOUNT, before),
    ]
    assert none_before(kept, day) == kept
    assert none_before([old], None) == [old]
