"""What pay-as-you-go takes past the limit of a wallet, one row an exhaustion (rule P12)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.meter_world import (
    MIB,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    resent,
    start,
    stop,
)

pytestmark = pytest.mark.rule("P12")
BY_THE_MIB = Payg(octet_step=MIB, octet_step_micros=1_000)


def _exhaustions(world: MeterWorld, who: Metered) -> list[tuple[Any, ...]]:
    """Who passed the limit and when, with what was taken past it."""
    rows = world.rows(
        "SELECT * FROM overspend WHERE customer_id = %s ORDER BY overspend_id", who.customer_id
    )
    assert all((row.seconds, row.octets, row.entitlement_ids) == (0, 0, []) for row in rows)
    assert {row.wallet_id for row in rows} <= {who.wallet_id}
    return [(row.subscription_id, row.exhausted_at, row.last_at, row.micros) for row in rows]


def _credit(world: MeterWorld, who: Metered, micros: int) -> None:
    world.db.execute(
        "UPDATE wallet SET posted_micros = posted_micros + %s WHERE wallet_id = %s",
        (micros, who.wallet_id),
    )


def test_a_wallet_that_lasts_is_not_noted(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=3_001)
    world.charge(start(who, at(0)), interim(who, at(300), 300, 0, 3 * MIB))
    assert _exhaustions(world, who) == []


@pytest.mark.parametrize(("posted", "credit"), [(3_000, 0), (1_000, 2_000), (-500, 3_500)])
def test_what_passes_the_limit_is_one_row_until_the_session_is_closed(
    world: MeterWorld, posted: int, credit: int
) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=posted, credit_limit_micros=credit)
    sub = who.subscription_id
    world.charge(start(who, at(0)), interim(who, at(300), 300, 0, 2 * MIB))
    crossing = interim(who, at(600), 600, 0, 5 * MIB)
    world.charge(crossing, resent(crossing, after_seconds=2))
    assert _exhaustions(world, who) == [(sub, at(600), at(600), 2_000)]
    world.charge(interim(who, at(700), 700, 0, 6 * MIB), stop(who, at(720), 720, 0, 7 * MIB))
    assert _exhaustions(world, who) == [(sub, at(600), at(720), 4_000)]
    wallet = world.wallet(who)
    assert wallet.posted_micros - wallet.unposted_micros + credit == -4_000
    world.charge(resent(crossing, after_seconds=400))
    assert _exhaustions(world, who) == [(sub, at(600), at(720), 4_000)]


def test_a_wallet_that_is_used_up_to_the_micro_is_noted_with_nothing_over(
    world: MeterWorld,
) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=3_000)
    world.charge(start(who, at(0)), interim(who, at(300), 300, 0, 3 * MIB))
    assert _exhaustions(world, who) == [(who.subscription_id, at(300), at(300), 0)]


def test_the_next_exhaustion_after_a_credit_is_a_row_of_its_own(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000)
    sub = who.subscription_id
    world.charge(start(who, at(0)), stop(who, at(300), 300, 0, 3 * MIB))
    _credit(world, who, 1_500)  # does not reach: 500 are still missing
    world.charge(start(who, at(400), sid="s2"), stop(who, at(500), 100, 0, MIB, sid="s2"))
    assert _exhaustions(world, who) == [(sub, at(300), at(500), 3_000)]
    _credit(world, who, 2_500)
    world.charge(start(who, at(600), sid="s3"), stop(who, at(900), 300, 0, 2 * MIB, sid="s3"))
    assert _exhaustions(world, who) == [
        (sub, at(300), at(500), 3_000),
        (sub, at(900), at(900), 1_000),
    ]


def test_one_wallet_of_several_subscriptions_has_one_row(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=2_000)
    other = world.subscription(who.customer_id, who.wallet_id, payg=BY_THE_MIB)
    world.charge(
        *(start(who, at(0)), start(other, at(0), sid="o1")),
        *(interim(who, at(300), 300, 0, 2 * MIB), interim(other, at(300), 300, 0, MIB, sid="o1")),
        interim(who, at(310), 310, 0, 3 * MIB),
    )
    assert _exhaustions(world, who) == [(who.subscription_id, at(300), at(310), 2_000)]


def test_only_what_packages_leave_is_taken_from_the_wallet(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=10 * MIB)], payg=BY_THE_MIB, posted_micros=1_000)
    world.charge(start(who, at(0)), interim(who, at(300), 300, 0, 10 * MIB))
    assert _exhaustions(world, who) == []
    world.charge(interim(who, at(600), 600, 0, 14 * MIB))
    assert _exhaustions(world, who) == [(who.subscription_id, at(600), at(600), 3_000)]


def test_usage_on_a_wallet_that_was_lifted_and_charged_back_is_not_the_old_exhaustion(
    world: MeterWorld,
) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000)
    world.charge(start(who, at(0)), stop(who, at(300), 300, 0, 3 * MIB))
    world.db.execute("UPDATE overspend SET lifted_at = %s", (at(350),))
    world.charge(start(who, at(400), sid="s2"), stop(who, at(500), 100, 0, MIB, sid="s2"))
    assert [row[1:] for row in _exhaustions(world, who)] == [
        (at(300), at(300), 2_000),
        (at(500), at(500), 1_000),
    ]
