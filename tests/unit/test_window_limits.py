"""Limits of a login and of the CoA at a tariff switch (rules Q3, A5, C4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from access_builders import account, at, login, package, plan

from billing.model.account import Account, Wallet
from billing.model.decision import Accept, Limits, Service
from billing.model.enforcement import Goal, Outcome, PacketKind, SessionOrder
from billing.model.network import Link, NasAddress, SessionIdentity, Vendor
from billing.model.tariff import tariff_windows_text
from billing.model.tariff_text import read_windows
from billing.rules.access import decide, metered_by_time
from billing.rules.answers import consequence
from radius_plugin import vendors
from radius_plugin.coa import packet_for
from radius_plugin.reply import reply_pairs

HOUR = 3600
MB = 1_000_000
EVENING = at("2026-03-10 22:00:00")  # 23:00 in Paris
NIGHT_NOW = at("2026-03-11 00:00:00")


def text(*texts: str) -> str:
    found = tariff_windows_text(read_windows(texts, "USD"))
    assert found is not None
    return found


NIGHT = text("night mon-sun 00:00-06:00 free")
PEAK = text("peak mon-sun 18:00-23:00 0.01/min 0.10/MB")


def bought(**changes: Any) -> Any:
    begun = datetime(2026, 3, 10, 12, tzinfo=UTC)
    return package(1, begun, validity_minutes=30 * 1440, tariff_windows=NIGHT, **changes)


def limits(who: Account, now: datetime) -> tuple[int | None, int | None]:
    decision = decide(who, login(), now)
    assert isinstance(decision, Accept)
    return decision.service.limits.session_seconds, decision.service.limits.total_octets


@pytest.mark.rule("Q3", "A5")
def test_bought_time_is_walked_through_the_free_night() -> None:
    """Two hours at 23:00 are one before midnight and one from 06:00 on."""
    who = account(plan=plan(tariff_windows=NIGHT), entitlements=(bought(seconds_left=2 * HOUR),))
    assert limits(who, EVENING) == (8 * HOUR, None)
    assert limits(who, NIGHT_NOW) == (7 * HOUR, None)
    ends = replace(who.entitlements[0], valid_until=EVENING + timedelta(hours=3))
    assert limits(replace(who, entitlements=(ends,)), EVENING) == (3 * HOUR, None)


@pytest.mark.rule("Q3", "A5")
def test_no_octets_are_limited_while_they_are_free() -> None:
    who = account(plan=plan(tariff_windows=NIGHT), entitlements=(bought(octets_left=5 * MB),))
    got = decide(who, login(), EVENING)
    assert isinstance(got, Accept)
    assert got.service.limits.total_octets == 5 * MB
    assert got.service.limits.is_provisional
    seconds, octets = limits(who, NIGHT_NOW)
    assert octets is None
    # The end of validity alone, never the switch.
    assert seconds is not None and seconds > 29 * 24 * HOUR


@pytest.mark.rule("Q3", "M6")
def test_the_package_tells_what_is_free_and_the_plan_what_it_costs() -> None:
    without = replace(bought(octets_left=MB), tariff_windows=None)
    who = account(plan=plan(tariff_windows=NIGHT), entitlements=(without,))
    assert limits(who, NIGHT_NOW)[1] == MB


@pytest.mark.rule("Q3", "P3", "A5")
def test_money_is_walked_through_the_peak() -> None:
    """At 17:30 in Paris 1.30 pay for 30 minutes at 0.002 and 124 at 0.01."""
    prices = plan(
        payg_second_step=60, payg_second_step_micros=2_000, payg_octet_step=MB,
        payg_octet_step_micros=10_000, tariff_windows=PEAK,
    )  # fmt: skip
    wallet = Wallet(currency="USD", posted_micros=1_300_000)
    who = account(plan=prices, wallet=wallet)
    assert limits(who, at("2026-03-10 16:30:00")) == ((30 + 124) * 60, 130 * MB)
    assert limits(who, at("2026-03-10 17:00:00")) == (130 * 60, 13 * MB)
    # From 22:55 on: five dear minutes, then the plan's price again.
    assert limits(who, at("2026-03-10 21:55:00")) == ((5 + 625) * 60, 13 * MB)
    assert metered_by_time(who)
    only_octets = replace(prices, payg_second_step=None, payg_second_step_micros=None)
    assert metered_by_time(replace(who, plan=only_octets))


@pytest.mark.rule("Q3")
def test_a_window_without_a_price_for_data_does_not_limit_it() -> None:
    dear_time = text("peak mon-sun 18:00-23:00 0.01/min")
    prices = plan(payg_octet_step=MB, payg_octet_step_micros=10_000, tariff_windows=dear_time)
    who = account(plan=prices, wallet=Wallet(currency="USD", posted_micros=60_000))
    assert limits(who, at("2026-03-10 17:00:00")) == (6 * 60, None)
    # An hour before it begins, time costs nothing.
    assert limits(who, at("2026-03-10 16:00:00")) == (66 * 60, 6 * MB)


@pytest.mark.rule("Q3", "P3")
@pytest.mark.parametrize("posted_micros", [0, 10_000])
def test_with_money_too_octets_are_not_limited_while_they_are_free(posted_micros: int) -> None:
    prices = plan(payg_octet_step=MB, payg_octet_step_micros=10_000, tariff_windows=NIGHT)
    wallet = Wallet(currency="USD", posted_micros=posted_micros)
    who = account(plan=prices, wallet=wallet, entitlements=(bought(octets_left=5 * MB),))
    assert limits(who, EVENING)[1] == (6 * MB if posted_micros else 5 * MB)
    assert limits(who, NIGHT_NOW)[1] is None


@pytest.mark.rule("Q3", "P3")
@pytest.mark.parametrize(
    ("changes", "is_metered"),
    [
        ({"plan": None}, False),
        ({"plan": plan(payg_octet_step=1, payg_octet_step_micros=1)}, False),
        ({"plan": plan(payg_octet_step=1, payg_octet_step_micros=1, tariff_windows=NIGHT)}, False),
        ({"plan": plan(payg_second_step=1, payg_second_step_micros=1)}, True),
        ({"entitlements": (bought(),)}, False),
        ({"entitlements": (bought(), bought(seconds_left=1))}, True),
    ],
)
def test_being_online_uses_up_seconds_bought_or_money(
    changes: dict[str, Any], is_metered: bool
) -> None:
    assert metered_by_time(account(**changes)) is is_metered


# On the wire

SERVICE = Service(
    speed_up_kbps=1_000,
    speed_down_kbps=4_000,
    limits=Limits(session_seconds=600, total_octets=5 * MB, is_provisional=True),
    session_class="tw1:7:n",
)
FREE = replace(SERVICE, limits=Limits(session_seconds=600))
ORDER = SessionOrder(
    customer_id=1,
    intent_id=2,
    org_id=1,
    nas_id=3,
    goal=Goal.TARIFF,
    attempt=1,
    escalated=False,
    created_at=EVENING,
    nas=NasAddress(address="192.0.2.1", secret=b"secret"),
    vendor=Vendor.MIKROTIK,
    link=Link.PPP,
    identity=SessionIdentity(username="ann", acct_session_id="80100001"),
    service=SERVICE,
    used_seconds=100,
    used_octets=1_000,
)


@pytest.mark.rule("Q3", "C4")
def test_a_router_is_told_both_limits_and_that_there_is_none() -> None:
    kind, attributes = packet_for(ORDER)
    assert kind is PacketKind.COA
    told = dict(attributes)
    assert told["Session-Timeout"] == "700"
    assert told["Mikrotik-Recv-Limit"] == told["Mikrotik-Xmit-Limit"] == str(5 * MB + 1_000)
    kind, attributes = packet_for(replace(ORDER, service=FREE))
    assert kind is PacketKind.COA
    assert int(dict(attributes)["Mikrotik-Recv-Limit-Gigawords"]) > 2**28
    kind, attributes = packet_for(
        replace(ORDER, vendor=Vendor.CHILLI, link=Link.OTHER, service=FREE)
    )
    assert kind is PacketKind.COA
    # chilli forgets what a CoA leaves out.
    assert not [name for name, _ in attributes if "Octets" in name]


@pytest.mark.rule("Q3", "C4")
@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("service", [SERVICE, FREE, None], ids=["limited", "free", "none"])
def test_nobody_is_disconnected_for_a_switch(vendor: Vendor, service: Service | None) -> None:
    for escalated in (False, True):
        order = replace(ORDER, vendor=vendor, link=Link.OTHER, service=service, escalated=escalated)
        assert packet_for(order)[0] is not PacketKind.DISCONNECT
    for outcome, cause in ((Outcome.NAK, "Unsupported-Attribute"), (Outcome.NAK, None),
                           (Outcome.TIMEOUT, None)):  # fmt: skip
        follows = consequence(
            PacketKind.COA, outcome, cause, attempt=3, unknown_answers=0, namings=1,
            may_disconnect=False,
        )  # fmt: skip
        assert (follows.state, follows.escalate) == ("failed", False)


@pytest.mark.rule("Q3", "C4")
@pytest.mark.parametrize("vendor", list(Vendor))
def test_octets_that_cannot_be_lifted_are_not_limited_by_the_nas(vendor: Vendor) -> None:
    codec = vendors.for_nas(vendor)
    names = {name for name, _, _ in reply_pairs(Accept(service=SERVICE), vendor)}
    plain = replace(SERVICE, limits=Limits(session_seconds=600, total_octets=5 * MB))
    limited = {name for name, _, _ in reply_pairs(Accept(service=plain), vendor)}
    if codec.capabilities.quota:
        assert names == limited
    else:
        assert names == {name for name, _, _ in reply_pairs(Accept(service=FREE), vendor)}
