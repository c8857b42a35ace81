"""What holds for every account: no zero limits, words and code agree, no missed change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from access_builders import (
    account,
    at,
    bill,
    daily_profile,
    login,
    monthly_profile,
    package,
    plan,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.model.account import Account, HoldBehaviour, LoginWindow, StaffHold, Wallet
from billing.model.decision import Accept, Reject, Suspended
from billing.model.plan import Entitlement
from billing.model.profile import Payment
from billing.rules.access import SESSION_SECONDS_LIMIT, decide
from billing.rules.causes import examine
from billing.rules.chain import supply, usable
from billing.rules.explain import explain
from billing.rules.states import Effect, deciding, next_change

NOW = at("2026-03-10 12:00:00")
NEARBY = st.integers(-400_000, 400_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
DAYS = st.dates(date(2026, 3, 1), date(2026, 3, 20))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


PROFILES = st.builds(
    lambda daily, **switches: daily_profile() if daily else monthly_profile(**switches),
    daily=st.booleans(),
    automatic_suspend=st.booleans(),
    payment=st.sampled_from(Payment),
    suspend_at_hour=st.integers(0, 23),
    no_cut_weekdays=st.frozensets(st.integers(0, 6), max_size=7),
    suspended_pool=maybe(st.just("walled")),
)
QUANTITIES = maybe(st.integers(0, 200_000))
PACKAGES = st.builds(
    package,
    st.integers(1, 9),
    maybe(NEARBY),
    validity_minutes=maybe(st.integers(1, 6_000)),
    follows=st.booleans(),
    seconds_left=QUANTITIES,
    octets_left=QUANTITIES,
)
PLANS = st.sampled_from(
    [
        plan(),
        plan(pay_only_pool="pay"),
        plan(payg_octet_step=1_000, payg_octet_step_micros=3),
        plan(payg_second_step=60, payg_second_step_micros=7, payg_octet_step=9,
             payg_octet_step_micros=1),
        None,
    ]
)  # fmt: skip
WALLETS = st.builds(
    Wallet,
    currency=st.just("USD"),
    posted_micros=st.integers(-50, 50),
    credit_limit_micros=st.sampled_from([0, 20]),
)
HOLDS = st.builds(
    StaffHold,
    note=st.just("abuse"),
    until=maybe(NEARBY),
    behaviour=st.sampled_from(HoldBehaviour),
)
HOURS = st.builds(
    LoginWindow,
    weekdays=st.frozensets(st.integers(0, 6)),
    from_minute=st.integers(0, 1439),
    until_minute=st.integers(1, 1440),
).filter(lambda window: window.from_minute < window.until_minute)
ACCOUNTS = st.builds(
    account,
    PROFILES,
    plan=PLANS,
    wallet=WALLETS,
    entitlements=st.lists(PACKAGES, max_size=4).map(tuple),
    last_ended=maybe(PACKAGES),
    closed_at=maybe(NEARBY),
    staff_hold=maybe(HOLDS),
    paused_at=maybe(NEARBY),
    discontinue_on=maybe(DAYS),
    promise_until=maybe(DAYS),
    paid_until=maybe(NEARBY),
    unpaid_bills=st.lists(DAYS, max_size=3).map(lambda days: tuple(map(bill, sorted(days)))),
    login_windows=maybe(st.lists(HOURS, max_size=3).map(tuple)),
)
# Without the causes that hide the rest of the table, so that packages are reached often.
UNHELD = st.builds(
    account,
    PROFILES,
    plan=PLANS,
    wallet=WALLETS,
    entitlements=st.lists(PACKAGES, min_size=1, max_size=4).map(tuple),
    last_ended=maybe(PACKAGES),
)
ANY = ACCOUNTS | UNHELD


@pytest.mark.rule("A5")
@given(ANY, NEARBY)
def test_limits_are_never_zero_nor_beyond_32_bits(who: Account, now: datetime) -> None:
    decision = decide(who, login(), now)
    if isinstance(decision, Reject):
        return
    got = decision.service.limits
    assert got.session_seconds is None or 1 <= got.session_seconds <= SESSION_SECONDS_LIMIT
    assert got.total_octets is None or got.total_octets >= 1


@pytest.mark.rule("A3")
@given(ANY, NEARBY)
def test_the_decision_is_that_of_the_table(who: Account, now: datetime) -> None:
    """Nobody enters the normal pool whom S holds back, nor is an address given in the garden."""
    state, decision = deciding(who, now), decide(who, login(), now)
    if isinstance(decision, Accept):
        assert state.effect is Effect.NORMAL
    elif isinstance(decision, Suspended):
        assert (decision.reason, decision.service.pool) == (state.reason, state.pool)
        assert decision.service.framed_ip is None
    elif state.effect is Effect.REJECT:
        assert decision.reason is state.reason


@pytest.mark.rule("B16")
@given(ANY, NEARBY)
def test_words_and_decision_agree(who: Account, now: datetime) -> None:
    first = next(cause for cause in examine(who, now) if cause.holds)
    why = explain(who, now)
    assert first.rule == deciding(who, now).rule == why.state.rule
    assert all(line and "None" not in line for line in (*why.lines, *why.changes))


@pytest.mark.rule("S8")
@given(ANY, NEARBY, st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_the_next_change_is_the_next_change(
    who: Account, now: datetime, thousandths: list[int]
) -> None:
    current, change = deciding(who, now), next_change(who, now)
    horizon = change if change is not None else now + timedelta(days=60)
    for part in thousandths:
        assert deciding(who, now + (horizon - now) * part // 1000) == current
    assert deciding(who, horizon - timedelta(microseconds=1)) == current
    if change is not None:
        assert change > now
        assert deciding(who, change) != current


@pytest.mark.rule("B4")
@given(st.lists(PACKAGES, max_size=4), NEARBY)
def test_a_supply_is_never_more_than_all_that_was_bought(
    packages: list[Entitlement], now: datetime
) -> None:
    given_now = supply(packages, None, now)
    alive = [one for one in packages if not one.used_up]
    if not given_now.usable:
        return
    assert given_now.ends_at > now
    assert given_now.octets is None or given_now.octets <= sum(p.octets_left or 0 for p in alive)
    if all(one.seconds_left is not None for one in alive):
        assert given_now.ends_at <= now + timedelta(seconds=sum(p.seconds_left or 0 for p in alive))


@pytest.mark.rule("B2")
@given(PACKAGES, NEARBY)
def test_one_package_alone_is_judged_like_one_among_others(one: Entitlement, now: datetime) -> None:
    """The short cut for the usual account gives what the walk along a chain gives."""
    over = package(99, at("2020-01-01 00:00:00"))
    alone, among = supply((one,), None, now), supply((one, over), None, now)
    assert alone == among
    assert usable((one,), None, now) == alone.usable


@pytest.mark.rule("Q1")
@given(st.lists(PACKAGES, max_size=4), maybe(PACKAGES), NEARBY)
def test_usable_is_the_short_answer_of_supply(
    packages: list[Entitlement], ended: Entitlement | None, now: datetime
) -> None:
    assert usable(packages, ended, now) == supply(packages, ended, now).usable


SHORT = st.builds(
    package,
    st.integers(1, 9),
    maybe(st.integers(-250, 250).map(lambda seconds: NOW + timedelta(seconds=seconds))),
    validity_minutes=st.integers(1, 4),
    seconds_left=maybe(st.integers(1, 200)),
)


def lived_through(packages: list[Entitlement]) -> datetime:
    """Second by second: a session takes from the first package that runs, until none does.

    A package without a date follows: it begins in the first second in which all before it have
    ended, in the first second of all if nothing is before it.
    """
    ends = [one.valid_until for one in packages]
    left = [one.seconds_left for one in packages]
    now = NOW
    while True:
        taken = None
        for number, one in enumerate(packages):
            end = ends[number]
            if end is None and all(
                (e is not None and e <= now) or s == 0
                for e, s in zip(ends[:number], left[:number], strict=True)
            ):
                end = ends[number] = now + timedelta(minutes=one.validity_minutes or 0)
            begun = one.valid_from is None or one.valid_from <= now
            if end is not None and begun and now < end and left[number] != 0:
                taken = number
                break
        if taken is None:
            return now
        if (seconds := left[taken]) is not None:
            left[taken] = seconds - 1
        now += timedelta(seconds=1)


@pytest.mark.rule("B4")
@given(st.lists(SHORT, min_size=1, max_size=4))
def test_the_end_of_a_chain_is_where_living_through_it_ends(chain: list[Entitlement]) -> None:
    dated = [one for one in chain if one.valid_until is not None and one.valid_until > NOW]
    undated = [replace(one, follows=True) for one in chain if one.valid_from is None]
    assume(dated or undated)
    dated.sort(key=lambda one: (one.valid_from > NOW, one.valid_until))  # type: ignore[operator]
    ahead = any(one.valid_from is not None and one.valid_from > NOW for one in dated)
    got, lived = supply([*dated, *undated], None, NOW), lived_through([*dated, *undated])
    if not got.usable:
        assert ahead or lived == NOW
    elif ahead:
        assert got.ends_at <= lived  # what comes after a gap is left to the next login
    else:
        assert got.ends_at == lived
