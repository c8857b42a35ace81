"""What customers may promise to pay themselves, and whether a promise was kept (rule B19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.model.account import Wallet
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.model.promises import Asked, PromiseLimits, PromiseState
from billing.rules.promises import (
    barred,
    became,
    counted_from,
    latest_day,
    limits_of,
    refusal,
)
from billing.rules.wallets import wallet_exhausted

TODAY = date(2026, 3, 20)
ENDS = datetime(2026, 3, 26, tzinfo=UTC)
SECOND = timedelta(seconds=1)
UNIT = 1_000_000
LIMITS = PromiseLimits(count=2, period_days=30, days=7, amount_micros=40 * UNIT)
ASKED = Asked(
    until=date(2026, 3, 25),
    open_micros=30 * UNIT,
    credit_micros=0,
    currency="USD",
    today=TODAY,
)
pytestmark = pytest.mark.rule("B19")


def test_limits_are_the_profiles() -> None:
    profile = BillingProfile(
        name="x",
        kind=BillingKind.DAILY,
        payment=Payment.PREPAID,
        promise_count=2,
        promise_period_days=30,
        promise_days=7,
        promise_amount_micros=40 * UNIT,
    )
    assert limits_of(profile) == LIMITS
    assert counted_from(LIMITS, TODAY) == date(2026, 2, 19)
    assert counted_from(replace(LIMITS, period_days=1), TODAY) == TODAY
    assert latest_day(LIMITS, TODAY) == date(2026, 3, 27)


@pytest.mark.parametrize("until", [TODAY, date(2026, 3, 27)])
def test_what_is_within_the_limits_may_be_promised(until: date) -> None:
    assert refusal(LIMITS, replace(ASKED, until=until)) is None
    assert refusal(LIMITS, replace(ASKED, open_micros=40 * UNIT)) is None
    assert refusal(LIMITS, replace(ASKED, credit_micros=10 * UNIT)) is None
    assert refusal(LIMITS, replace(ASKED, made=(TODAY,))) is None


@pytest.mark.parametrize(
    ("limits", "asked", "field", "reason"),
    [
        (
            replace(LIMITS, count=0),
            ASKED,
            "customer",
            "your provider takes promises itself: pay, or ask it",
        ),
        (
            LIMITS,
            replace(ASKED, standing_until=date(2026, 3, 22)),
            "customer",
            "you have promised to pay by 22 Mar 2026 already: pay by then, or ask your provider for"
            " more time",
        ),
        (
            LIMITS,
            replace(ASKED, made=(date(2026, 3, 1), date(2026, 3, 4), date(2026, 3, 9))),
            "customer",
            "2 promises in 30 days is the most, and the next may be made on 3 Apr 2026: pay, or ask"
            " your provider",
        ),
        (
            replace(LIMITS, count=1),
            replace(ASKED, made=(date(2026, 3, 9),)),
            "customer",
            "one promise in 30 days is the most, and the next may be made on 8 Apr 2026: pay, or"
            " ask your provider",
        ),
        (
            LIMITS,
            replace(ASKED, open_micros=41 * UNIT),
            "customer",
            "41.00 USD is open, and a promise covers up to 40.00 USD: pay 1.00 USD first, or ask"
            " your provider",
        ),
        (
            LIMITS,
            replace(ASKED, until=date(2026, 3, 19)),
            "until",
            "choose a day from today to 27 Mar 2026",
        ),
        (
            LIMITS,
            replace(ASKED, until=date(2026, 3, 28)),
            "until",
            "choose a day from today to 27 Mar 2026",
        ),
        (
            LIMITS,
            replace(ASKED, credit_micros=10 * UNIT + 1),
            "credit",
            "choose an amount up to 10.00 USD",
        ),
        (LIMITS, replace(ASKED, credit_micros=-1), "credit", "choose an amount up to 10.00 USD"),
    ],
)
def test_what_is_refused_says_what_to_do(
    limits: PromiseLimits, asked: Asked, field: str, reason: str
) -> None:
    assert refusal(limits, asked) == (field, reason)
    assert barred(limits, asked) == (reason if field == "customer" else None)


@pytest.mark.parametrize(
    ("now", "settled", "state"),
    [
        (ENDS - SECOND, False, PromiseState.STANDS),
        (ENDS, False, PromiseState.BROKEN),
        (ENDS - SECOND, True, PromiseState.KEPT),
        (ENDS + SECOND, True, PromiseState.KEPT),
    ],
)
def test_what_became_of_it(now: datetime, settled: bool, state: PromiseState) -> None:
    assert became(ENDS, now, settled=settled) is state


@pytest.mark.rule("P8")
@pytest.mark.parametrize(
    ("posted", "now", "spendable"),
    [
        (0, ENDS - SECOND, 5),
        (0, ENDS, 0),
        (-4, ENDS - SECOND, 1),
        (-5, ENDS - SECOND, 0),
        (-9, ENDS - SECOND, 0),
    ],
)
def test_a_wallet_is_lent_to_until_the_promise_ends(
    posted: int, now: datetime, spendable: int
) -> None:
    wallet = Wallet(
        currency="USD", posted_micros=posted, promised_micros=5, promised_until=ENDS
    )  # fmt: skip
    assert wallet.spendable_at(now) == spendable
    assert wallet_exhausted(wallet, now) is (spendable == 0)
    assert wallet.spendable_micros == 0
