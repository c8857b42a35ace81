"""`why` names every cause with its inputs, the one that decided and what would change it (B16)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from access_builders import account, at, bill, monthly, package, plan

from billing.model.account import HoldBehaviour, StaffHold, Wallet
from billing.model.own_reply import Operator, OwnReply, ReplyAttribute
from billing.model.tariff import tariff_windows_text
from billing.model.tariff_text import read_windows
from billing.rules.causes import examine
from billing.rules.cycles import END_OF_TIME
from billing.rules.explain import explain, own_reply_lines, tariff_lines
from billing.rules.states import NORMAL, Effect, State, deciding
from billing.rules.words import instant_words, octet_words, second_words

NOW = at("2026-03-18 12:00:00")
EXPIRED = at("2026-03-09 23:00:00")
IN_DEBT = monthly(paid_until=EXPIRED, unpaid_bills=(bill(date(2026, 3, 20)),))


@pytest.mark.rule("B16")
def test_the_example_of_the_rule() -> None:
    why = explain(IN_DEBT, NOW)
    assert why.lines[4] == (
        "S5 no    monthly, expired 10 Mar 2026 00:00, unpaid INV-7 due 20 Mar 2026 (30.00 USD): "
        "not passed, cut not before 21 Mar 2026 00:00"
    )
    assert (why.state, why.decided) == (NORMAL, "active, S8")
    assert why.changes == (
        "from 21 Mar 2026 00:00: suspended (overdue), pool 'walled', S5, "
        "unless paying 30.00 USD, or a promise to pay comes before",
    )


@pytest.mark.rule("B16")
def test_overdue_says_what_to_pay() -> None:
    why = explain(IN_DEBT, at("2026-03-21 00:00:00"))
    assert why.decided == "suspended (overdue), pool 'walled', S5"
    assert why.changes == ("S5 is lifted by paying 30.00 USD, or a promise to pay",)
    assert "⇒ suspended (overdue)" in why.text


@pytest.mark.rule("B16")
def test_every_cause_of_the_table_is_examined() -> None:
    causes = examine(IN_DEBT, NOW)
    assert [cause.rule for cause in causes] == [f"S{number}" for number in range(1, 9)]
    assert [cause.rule for cause in causes if cause.holds] == ["S8"]


@pytest.mark.rule("P9")
def test_what_would_hold_after_the_first_cause_is_lifted_is_named() -> None:
    hold = StaffHold(note="abuse", until=None, behaviour=HoldBehaviour.REJECT)
    both = monthly(staff_hold=hold, paid_until=EXPIRED, unpaid_bills=(bill(date(2026, 3, 10)),))
    why = explain(both, NOW)
    assert why.decided == "refused (staff-suspended), S2"
    assert why.changes[0] == "S2 is lifted by staff"
    assert why.changes[1].startswith("then S5 still holds (monthly, expired 10 Mar 2026 00:00")


@pytest.mark.rule("B16")
def test_a_daily_package_is_named_with_what_is_left() -> None:
    bought = package(1, at("2026-03-18 00:00:00"), seconds_left=3600, octets_left=1_540_000_000)
    why = explain(account(entitlements=(bought,)), NOW)
    assert why.lines[6] == (
        "S7 no    daily, '1 day' valid from 18 Mar 2026 01:00 until 19 Mar 2026 01:00, "
        "3600 s, 1.5 GB left"
    )
    assert why.changes == (
        "from 19 Mar 2026 01:00: refused (expired), S7, unless buying a package comes before",
    )
    gone = explain(account(entitlements=(bought,)), NOW + timedelta(days=1))
    assert gone.lines[6] == "S7 HOLDS daily, '1 day' expired 19 Mar 2026 01:00"


@pytest.mark.rule("B16")
def test_an_exhausted_wallet_says_what_credit_it_needs() -> None:
    payg = plan(payg_octet_step=1, payg_octet_step_micros=1)
    wallet = Wallet(currency="USD", posted_micros=-2_500_000, credit_limit_micros=1_000_000)
    why = explain(account(plan=payg, wallet=wallet), NOW)
    assert why.decided == "refused (wallet-exhausted), S6"
    assert why.changes == (
        "S6 is lifted by a credit of more than 1.50 USD, a promise to pay, or buying a package",
    )
    assert "available -2.50 USD, credit limit 1.00 USD, no entitlement left" in why.lines[5]


@pytest.mark.rule("B16")
def test_when_nothing_foreseeable_would_change_it_that_is_said() -> None:
    assert explain(monthly(), NOW).text.endswith("nothing foreseeable would change it")


WITHHELD = " – withheld in this state"


@pytest.mark.rule("B16")
@pytest.mark.rule("A6")
@pytest.mark.parametrize(
    ("effect", "prefix", "marked"),
    [
        (Effect.NORMAL, "", ""),
        (Effect.SUSPENDED_POOL, WITHHELD, ""),
        (Effect.REJECT, WITHHELD, WITHHELD),
    ],
)
def test_what_of_ones_own_attributes_is_withheld(effect: Effect, prefix: str, marked: str) -> None:
    state = State("S2", deciding(IN_DEBT, NOW).reason, effect)
    kept = ReplyAttribute(
        name="Class", operator=Operator.ADD, value="a", when_suspended=effect is not Effect.NORMAL
    )
    own = OwnReply(framed_ipv6_prefix="2001:db8::/64", attributes=(kept,))
    also = "" if effect is Effect.NORMAL else " (also when suspended)"
    assert own_reply_lines(account(own_reply=own), state) == (
        f"own: Framed-IPv6-Prefix := 2001:db8::/64{prefix}",
        f"own: Class += a{also}{marked}",
    )
    unmarked = OwnReply(framed_ipv6_prefix="2001:db8::/64")
    assert own_reply_lines(account(own_reply=unmarked), state) == (
        f"own: Framed-IPv6-Prefix := 2001:db8::/64{prefix}",
    )
    assert own_reply_lines(account(), state) == ()


@pytest.mark.rule("B16")
@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (
            ("night mon-sun 00:00-06:00 free",),
            "the plan's own terms; from 19 Mar 2026 00:00: night, free: takes nothing from "
            "packages or the wallet",
        ),
        (
            ("lunch mon-sun 12:00-14:00 0.02/min", "tea mon-sun 14:00-15:00 free"),
            "lunch, what no package covers costs 0.02/min; from 18 Mar 2026 14:00: tea, free: "
            "takes nothing from packages or the wallet",
        ),
        (
            ("all mon-sun 00:00-24:00 free",),
            "all, free: takes nothing from packages or the wallet, always",
        ),
    ],
)
def test_the_tariff_window_in_force_is_told_and_its_end(texts: tuple[str, ...], told: str) -> None:
    windows = tariff_windows_text(read_windows(texts, "USD"))
    who = account(plan=plan(tariff_windows=windows))
    assert tariff_lines(who, NOW) == (f"Q3 tariff: {told}",)
    assert tariff_lines(account(), NOW) == ()


@pytest.mark.parametrize(
    ("octets", "words"),
    [(0, "0 octets"), (999, "999 octets"), (1000, "1.0 kB"), (1_999_999, "1.9 MB"),
     (5 * 10**9, "5.0 GB"), (2**62, "4611.6 PB")],
)  # fmt: skip
def test_octets_are_shown_in_decimal_units(octets: int, words: str) -> None:
    assert octet_words(octets) == words


def test_instants_are_shown_in_the_operators_zone() -> None:
    assert instant_words(at("2026-07-01 22:00:05"), "Europe/Paris") == "2 Jul 2026 00:00:05"
    assert instant_words(END_OF_TIME, "Europe/Paris") == "never"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00:00"), (59, "0:00:59"), (3_600, "1:00:00"), (219_661, "61:01:01")],
)
def test_time_is_shown_in_hours_minutes_and_seconds(seconds: int, words: str) -> None:
    assert second_words(seconds) == words
