"""Spending caps: the month, what they leave, and what they do to service (rule P14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.model.account import Account, SpendingCap, Wallet
from billing.model.decision import Accept, Reason, Reject
from billing.model.spending import WalletWatch
from billing.rules.access import decide
from billing.rules.explain import explain
from billing.rules.spending import cap_floor, cap_period
from billing.rules.states import NORMAL, Effect, State, deciding, next_change
from billing.rules.wallets import wallet_exhausted
from tests.unit.access_builders import USD, account, at, login, monthly, package, plan

NOW = at("2026-03-20 09:00:00")
MONTH_END = at("2026-03-31 22:00:00")  # local midnight in Paris
SECOND = timedelta(seconds=1)
BY_THE_MINUTE = plan(
    validity_minutes=None, price_micros=0, payg_second_step=60, payg_second_step_micros=100_000
)


def capped(left_micros: int, posted_micros: int = 90_000_000) -> Wallet:
    """A cap of 50.00 until the end of March."""
    cap = SpendingCap(amount_micros=50_000_000, left_micros=left_micros, until=MONTH_END)
    return Wallet(currency=USD, posted_micros=posted_micros, cap=cap)


def talker(left_micros: int, posted_micros: int = 90_000_000) -> Account:
    return account(plan=BY_THE_MINUTE, wallet=capped(left_micros, posted_micros))


@pytest.mark.rule("P14")
def test_a_cap_is_counted_by_the_operators_calendar_month() -> None:
    period = cap_period(NOW, "Europe/Paris")
    assert (period.first_day, period.until) == (date(2026, 3, 1), MONTH_END)
    assert cap_period(MONTH_END - SECOND, "Europe/Paris") == period
    assert cap_period(MONTH_END, "Europe/Paris").first_day == date(2026, 4, 1)
    assert cap_period(at("2026-12-31 12:00:00"), "UTC").until == at("2027-01-01 00:00:00")


@pytest.mark.rule("P14")
def test_the_floor_is_as_far_below_the_balance_as_may_still_be_spent() -> None:
    assert cap_floor(90_000_000, 50_000_000, 12_000_000) == 52_000_000
    assert cap_floor(90_000_000, 50_000_000, 50_000_000) == 90_000_000
    assert cap_floor(-5_000_000, 50_000_000, 0) == -55_000_000


@pytest.mark.rule("P14")
@pytest.mark.parametrize(
    ("left", "posted", "spendable"),
    [
        (10_000_000, 90_000_000, 10_000_000),  # the cap leaves less
        (10_000_000, 4_000_000, 4_000_000),  # the wallet has less
        (0, 90_000_000, 0),
        (-1, 90_000_000, 0),  # used past it
        (10_000_000, -1, 0),
    ],
)
def test_the_smaller_of_wallet_and_cap_may_be_spent(left: int, posted: int, spendable: int) -> None:
    wallet = capped(left, posted)
    assert wallet.spendable_at(NOW) == spendable
    assert wallet_exhausted(wallet, NOW) is (spendable == 0)


@pytest.mark.rule("P14")
def test_a_cap_of_a_month_that_is_over_binds_nobody() -> None:
    assert capped(0).spendable_at(MONTH_END - SECOND) == 0
    assert capped(0).spendable_at(MONTH_END) == 90_000_000


@pytest.mark.rule("P14")
@pytest.mark.rule("S6")
def test_a_cap_that_is_reached_acts_like_exhaustion_until_the_month_ends() -> None:
    who = talker(0)
    assert deciding(who, NOW) == State("S6", Reason.SPENDING_CAP, Effect.REJECT)
    assert next_change(who, NOW) == MONTH_END
    assert deciding(who, MONTH_END) == NORMAL
    assert deciding(talker(1), NOW) == NORMAL
    pooled = monthly(plan=replace(BY_THE_MINUTE, validity_months=1), wallet=capped(0))
    assert deciding(pooled, NOW).pool == "walled"


@pytest.mark.rule("P14")
def test_an_empty_wallet_is_told_before_a_cap_that_is_reached() -> None:
    assert deciding(talker(0, posted_micros=0), NOW).reason is Reason.WALLET_EXHAUSTED


@pytest.mark.rule("P14")
def test_what_was_bought_is_served_whatever_the_cap() -> None:
    who = replace(talker(0), entitlements=(package(1, at("2026-03-20 08:00:00")),))
    assert deciding(who, NOW) == NORMAL


@pytest.mark.rule("P14")
@pytest.mark.rule("A5")
def test_a_login_may_cost_what_the_cap_leaves() -> None:
    granted = decide(talker(250_000), login(), NOW)
    assert isinstance(granted, Accept)
    assert granted.service.limits.session_seconds == 2 * 60
    assert decide(talker(0), login(), NOW) == Reject(reason=Reason.SPENDING_CAP)


@pytest.mark.rule("P14")
@pytest.mark.rule("B16")
def test_why_tells_what_was_spent_of_which_cap_until_when_and_how_it_is_lifted() -> None:
    text = explain(talker(-2_000_000), NOW).text
    assert "spent 52.00 USD of a cap of 50.00 USD until 1 Apr 2026 00:00" in text
    assert "refused (spending-cap), S6" in text
    lifted = "the spending cap lifted or raised, or by itself the end of the month on 1 Apr 2026"
    assert f"S6 is lifted by {lifted}" in text
    assert "a credit" not in text
    both = explain(talker(0, posted_micros=0), NOW).text
    assert "lifted by a credit and the spending cap lifted or raised" in both
    assert "cap" not in explain(talker(0), MONTH_END).text


@pytest.mark.rule("P14")
@pytest.mark.parametrize(
    ("cap", "spent", "lifted", "left"),
    [
        (50, 12, False, 38),
        (50, 60, False, 0),
        (50, 12, True, None),
        (None, None, False, None),
    ],
)
def test_what_a_page_shows_as_left(
    cap: int | None, spent: int | None, lifted: bool, left: int | None
) -> None:
    watch = WalletWatch(
        wallet_id=1,
        currency=USD,
        available_micros=0,
        alert_percent=None,
        topped_up_micros=None,
        threshold_micros=None,
        armed=False,
        usage_alert_percents=(),
        cap_micros=cap,
        spent_micros=spent,
        cap_until=MONTH_END,
        cap_lifted=lifted,
    )
    assert watch.cap_left_micros == left
