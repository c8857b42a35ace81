"""Addresses of our own pools, moment by moment (rule A6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.events import Admitted, LoginRecord
from billing.model.pools import LeaseState, PoolKind
from billing.model.views import CheckView
from billing.services import catalog, customers, doctor, pools
from billing.services.context import Context
from billing.store.admission import admit_logins
from tests.factories import DAY_PLAN, MONTHLY
from tests.integration.meter_world import OTHER_ROUTER, Metered, MeterWorld, at, start, stop
from tests.integration.test_slots import LAPTOP, PHONE, SILENCE, served, verified

EXHAUSTED = "pool-exhausted"
_networks = count(1)


class Pool:
    """A pool of `size` addresses that no other test has."""

    def __init__(self, world: MeterWorld, context: Context, size: int) -> None:
        self.world, self.context = world, context
        self.network = f"10.66.{next(_networks)}"
        self.pool_id = pools.add_pool(
            context,
            name=f"pool {self.network}",
            ranges=[f"{self.network}.1-{self.network}.{size}"],
            now=at(0),
        ).pool_id

    def address(self, host: int) -> str:
        return f"{self.network}.{host}"

    def login(self, who: Metered, station: str | None = PHONE, **more: object) -> LoginRecord:
        taking = {"session_limit": 0, "pool_id": self.pool_id, **more}
        return replace(verified(who, station), **taking)

    def admit(self, now: datetime, *logins: LoginRecord) -> list[Admitted]:
        return admit_logins(self.world.lane, logins, now)

    def take(self, now: datetime, who: Metered, station: str | None = PHONE) -> str | None:
        """The address of one login, None when it is refused."""
        (admitted,) = self.admit(now, self.login(who, station))
        assert (admitted.address is None) == (admitted.reason == EXHAUSTED)
        return admitted.address

    def states(self, now: datetime) -> dict[str, LeaseState]:
        found = pools.leases(self.context, self.pool_id, now)
        return {lease.address.rsplit(".", 1)[1]: lease.state for lease in found}


@pytest.fixture
def pool(world: MeterWorld, context: Context) -> Pool:
    """Two addresses."""
    return Pool(world, context, 2)


@pytest.mark.rule("A6")
def test_everybody_gets_another_address_until_none_is_left(world: MeterWorld, pool: Pool) -> None:
    people = [served(world) for _ in range(4)]
    admitted = pool.admit(at(0), *map(pool.login, people))
    assert [one.address for one in admitted] == [pool.address(1), pool.address(2), None, None]
    assert [one.reason for one in admitted] == ["ok", "ok", EXHAUSTED, EXHAUSTED]
    assert [one.netmask for one in admitted] == [None] * 4


@pytest.mark.rule("A6")
def test_who_has_an_address_keeps_it_when_others_of_the_batch_find_none(
    world: MeterWorld, pool: Pool
) -> None:
    first, second, late = (served(world) for _ in range(3))
    assert pool.take(at(0), first) == pool.address(1)
    assert pool.take(at(0), second) == pool.address(2)
    admitted = pool.admit(at(1), *map(pool.login, (late, first, late, second)))
    assert [one.address for one in admitted] == [None, pool.address(1), None, pool.address(2)]


@pytest.mark.rule("A6")
def test_a_resend_and_a_reconnect_keep_the_address(world: MeterWorld, pool: Pool) -> None:
    who, other = served(world), served(world)
    assert pool.take(at(0), who) == pool.address(1)
    assert pool.take(at(1), who) == pool.address(1)
    world.charge(start(who, at(2), calling_station=PHONE, framed_ip=pool.address(1)))
    world.charge(stop(who, at(50), 48, calling_station=PHONE, framed_ip=pool.address(1)))
    # Free, but kept for its owner while others are.
    assert pool.take(at(60), other) == pool.address(2)
    assert pool.take(at(900), who) == pool.address(1)


@pytest.mark.rule("A6")
def test_stations_of_one_subscription_have_addresses_of_their_own(
    world: MeterWorld, pool: Pool
) -> None:
    who = served(world)
    assert pool.take(at(0), who, PHONE) == pool.address(1)
    assert pool.take(at(0), who, LAPTOP) == pool.address(2)
    assert pool.take(at(1), who, PHONE) == pool.address(1)


@pytest.mark.rule("A6")
def test_without_a_station_nobody_shares(world: MeterWorld, pool: Pool) -> None:
    who = served(world)
    assert pool.take(at(0), who, None) == pool.address(1)
    assert pool.take(at(0), who, None) == pool.address(2)
    assert pool.take(at(0), who, None) is None


@pytest.mark.rule("A6")
@pytest.mark.parametrize("named", ["address", "station"])
def test_a_lease_ends_with_its_session(world: MeterWorld, pool: Pool, named: str) -> None:
    """Whether the NAS tells the address in its records, or the station only."""
    first, second, third = (served(world) for _ in range(3))
    tells = {"framed_ip": pool.address(1)} if named == "address" else {"calling_station": PHONE}
    assert pool.take(at(0), first) == pool.address(1)
    assert pool.take(at(0), second) == pool.address(2)
    world.charge(start(first, at(1), **tells))
    world.charge(start(second, at(1), framed_ip=pool.address(2), calling_station=PHONE))
    assert pool.states(at(100)) == {"1": LeaseState.RUNNING, "2": LeaseState.RUNNING}
    assert pool.take(at(100), third) is None
    world.charge(stop(first, at(101), 100, **tells))
    assert pool.states(at(101)) == {"2": LeaseState.RUNNING}
    assert pool.take(at(101), third) == pool.address(1)


@pytest.mark.rule("A6")
def test_a_short_session_gives_its_address_back_at_once(world: MeterWorld, pool: Pool) -> None:
    who, second, third = (served(world) for _ in range(3))
    assert pool.take(at(0), who) == pool.address(1)
    assert pool.take(at(0), second) == pool.address(2)
    world.charge(start(who, at(1), framed_ip=pool.address(1)))
    world.charge(stop(who, at(2), 1, framed_ip=pool.address(1)))
    assert pool.take(at(3), third) == pool.address(1)


@pytest.mark.rule("A6")
def test_a_lease_lapses_where_no_start_follows(world: MeterWorld, pool: Pool) -> None:
    people = [served(world) for _ in range(3)]
    for who in people[:2]:
        assert pool.take(at(0), who)
    assert pool.states(at(59)) == {"1": LeaseState.WAITING, "2": LeaseState.WAITING}
    assert pool.take(at(59), people[2]) is None
    assert pool.take(at(60), people[2]) in {pool.address(1), pool.address(2)}


@pytest.mark.rule("A6", "U10")
def test_the_address_of_a_silent_session_is_free_again(world: MeterWorld, pool: Pool) -> None:
    people = [served(world) for _ in range(3)]
    for host, who in enumerate(people[:2], 1):
        assert pool.take(at(0), who) == pool.address(host)
        world.charge(start(who, at(1), framed_ip=pool.address(host)))
    assert pool.take(at(SILENCE), people[2]) is None
    assert pool.take(at(SILENCE + 1), people[2]) in {pool.address(1), pool.address(2)}


@pytest.mark.rule("A6", "A7")
def test_a_station_that_moves_keeps_its_address_and_its_old_session_is_ordered_off(
    world: MeterWorld, pool: Pool
) -> None:
    who = served(world)
    assert pool.take(at(0), who) == pool.address(1)
    world.charge(start(who, at(1), framed_ip=pool.address(1), calling_station=PHONE))
    (admitted,) = pool.admit(at(100), pool.login(who, nas_address=OTHER_ROUTER))
    assert admitted.address == pool.address(1)
    (order,) = world.orders(who)
    assert (order.goal, order.reason) == ("disconnect", "taken-over")


@pytest.mark.rule("A6", "A7")
def test_without_an_address_the_slot_is_given_back(world: MeterWorld, pool: Pool) -> None:
    first, second, third = (served(world) for _ in range(3))
    pool.admit(at(0), pool.login(first), pool.login(second))
    (admitted,) = pool.admit(at(1), pool.login(third, session_limit=1))
    assert admitted.reason == EXHAUSTED
    (admitted,) = admit_logins(world.lane, [verified(third, LAPTOP, limit=1)], at(2))
    assert admitted.reason == "ok"


@pytest.mark.rule("A6")
def test_what_is_fixed_for_one_is_not_leased_to_another(world: MeterWorld, pool: Pool) -> None:
    owner, who = served(world), served(world)
    world.db.execute(
        "UPDATE subscription SET framed_ip = %s WHERE subscription_id = %s",
        (pool.address(1), owner.subscription_id),
    )
    assert pool.take(at(0), who) == pool.address(2)
    assert pool.take(at(0), served(world)) is None


@pytest.mark.rule("A6")
def test_lanes_never_give_one_address_twice(world: MeterWorld, context: Context) -> None:
    pool = Pool(world, context, 50)
    people = [served(world) for _ in range(100)]
    lanes = [world.open_lane() for _ in range(4)]

    def batch(number: int) -> list[Admitted]:
        mine = people[number::4]
        return [
            admitted
            for turn in range(5)
            for admitted in admit_logins(
                lanes[number], [pool.login(who) for who in mine[turn::5]], at(turn)
            )
        ]

    with ThreadPoolExecutor(len(lanes)) as threads:
        admitted = [one for found in threads.map(batch, range(4)) for one in found]
    for lane in lanes:
        lane.close()
    given = [one.address for one in admitted if one.address is not None]
    assert len(given) == len(set(given)) == 50
    assert sum(one.reason == EXHAUSTED for one in admitted) == 50


@pytest.mark.rule("A6")
def test_a_large_pool_in_full_use_finds_what_has_become_free(
    world: MeterWorld, context: Context
) -> None:
    """More leases than one login looks at; the only free one is the last."""
    view = pools.add_pool(context, name="large", ranges=["10.67.0.0/19"], now=at(0))
    holder, who = served(world), served(world)
    world.db.execute(
        "UPDATE pool_address SET customer_id = %s, subscription_id = %s, leased_at = %s,"
        " calling_station = host(address), after_session_id = 0, silence_seconds = 900"
        " WHERE pool_id = %s",
        (holder.customer_id, holder.subscription_id, at(0), view.pool_id),
    )
    last = "10.67.31.254"
    world.db.execute(
        "UPDATE pool_address SET leased_at = %s WHERE pool_id = %s AND address = %s",
        (at(-61), view.pool_id, last),
    )
    login = replace(verified(who), session_limit=0, pool_id=view.pool_id)
    tries = 0
    while (found := admit_logins(world.lane, [login], at(1))[0]).address is None:
        tries += 1
        assert tries < 500
    assert found.address == last


@pytest.mark.rule("A6")
def test_an_address_is_released_by_hand_unless_a_session_has_it(
    world: MeterWorld, context: Context, pool: Pool
) -> None:
    who, other, third = (served(world) for _ in range(3))
    assert pool.take(at(0), who) == pool.address(1)
    assert pool.take(at(0), other) == pool.address(2)
    world.charge(start(other, at(1), framed_ip=pool.address(2)))
    pools.release(context, pool.pool_id, pool.address(1), at(2))
    with pytest.raises(Refused, match="a session is running"):
        pools.release(context, pool.pool_id, pool.address(2), at(2))
    with pytest.raises(Refused, match="free already"):
        pools.release(context, pool.pool_id, pool.address(1), at(2))
    with pytest.raises(NotFound, match="no address"):
        pools.release(context, pool.pool_id, "10.9.9.9", at(2))
    assert pool.take(at(3), third) == pool.address(1)
    pools.release(context, pool.pool_id, pool.address(2), at(4), force=True)
    assert pool.take(at(5), served(world)) == pool.address(2)


@pytest.mark.rule("A6")
def test_leases_are_found_by_user_address_and_station(
    world: MeterWorld, context: Context, pool: Pool
) -> None:
    who = served(world)
    assert pool.take(at(0), who) == pool.address(1)
    assert pool.take(at(0), served(world), LAPTOP) == pool.address(2)

    def found(search: str) -> list[str]:
        return [
            lease.address for lease in pools.leases(context, pool.pool_id, at(1), search=search)
        ]

    assert found(who.username.upper()) == [pool.address(1)]
    assert found(pool.address(2)) == [pool.address(2)]
    assert found("AA-00-00-00-00-02") == [pool.address(2)]
    assert found("nobody") == []
    assert pools.leases(context, pool.pool_id, at(1), after=pool.address(2)) == []


@pytest.mark.parametrize(
    ("ranges", "says"),
    [
        ([], "at least one range"),
        (["10.0.0.0/33"], "no range of IPv4"),
        (["10.0.0.9-10.0.0.1"], "ends before it begins"),
        (["10.0.0.1-10.0.0.9", "10.0.0.9"], "overlap at 10.0.0.9"),
        (["10.0.0.0/15"], "65536 addresses at most"),
        (["2001:db8::/64"], "no range of IPv4"),
        (["router"], "no range of IPv4"),
    ],
)
def test_ranges_that_cannot_be_are_refused(context: Context, ranges: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        pools.add_pool(context, name="wrong", ranges=ranges, now=at(0))
    assert caught.value.field == "ranges"


def test_a_name_or_an_address_is_taken_once(context: Context, pool: Pool) -> None:
    with pytest.raises(Conflict, match="exists"):
        pools.add_pool(context, name=f"pool {pool.network}", ranges=["10.1.1.1"], now=at(0))
    with pytest.raises(Conflict, match="another pool"):
        pools.add_pool(context, name="again", ranges=[pool.address(2)], now=at(0))
    with pytest.raises(InvalidInput, match="netmask"):
        pools.add_pool(context, name="m", ranges=["10.1.1.1"], netmask="255.0.255.0", now=at(0))
    with pytest.raises(NotFound, match="named 'again'"):
        pools.find_pool(context, "again", at(0))


@pytest.mark.rule("A6")
def test_a_pool_grows_and_goes(world: MeterWorld, context: Context, pool: Pool) -> None:
    people = [served(world) for _ in range(3)]
    assert [pool.take(at(0), who) is None for who in people] == [False, False, True]
    with pytest.raises(InvalidInput, match="overlap"):
        pools.extend_pool(context, pool.pool_id, [pool.address(2)], at(1))
    view = pools.extend_pool(context, pool.pool_id, [pool.address(9)], at(1))
    assert (view.addresses, view.free) == (3, 1)
    assert view.ranges[-1] == pool.address(9)
    assert pool.take(at(2), people[2]) == pool.address(9)
    with pytest.raises(Refused, match="3 of its addresses are in use"):
        pools.remove_pool(context, pool.pool_id, at(3))
    assert pools.remove_pool(context, pool.pool_id, at(62)) == []
    with pytest.raises(NotFound):
        pools.get_pool(context, pool.pool_id, at(63))
    # A server may know it for some seconds still.
    assert pool.take(at(63), people[0]) is None


@pytest.mark.rule("A6")
def test_an_address_in_use_is_not_fixed_for_another(
    world: MeterWorld, context: Context, pool: Pool
) -> None:
    who, other = served(world), served(world)
    assert pool.take(at(0), who) == pool.address(1)

    def add(username: str, now: datetime) -> int:
        return customers.add_subscription(
            context,
            customer_id=other.customer_id,
            username=username,
            framed_ip=pool.address(1),
            now=now,
        )

    with pytest.raises(Conflict, match=f"{who.username!r} has {pool.address(1)}") as caught:
        add("fixed", at(1))
    assert caught.value.field == "framed_ip"
    assert add("fixed", at(60))
    assert pool.take(at(61), who) == pool.address(2)


@pytest.mark.rule("B10", "A6")
def test_pools_are_for_the_subscribers_that_plans_and_profiles_send_there(
    context: Context, pool: Pool
) -> None:
    name = f"pool {pool.network}"
    with pytest.raises(InvalidInput, match="is for normal subscribers") as caught:
        catalog.add_profile(context, replace(MONTHLY, name="w", suspended_pool=name), at(0))
    assert caught.value.field == "suspended_pool"
    plan = replace(DAY_PLAN, plan_name="p", pay_only_pool=name)
    with pytest.raises(InvalidInput, match="is for normal subscribers") as caught:
        catalog.add_plan(context, plan, at(0))
    assert caught.value.field == "pay_only_pool"
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="p", pool="later"), at(0))
    with pytest.raises(Refused, match="plan p names 'later' for normal subscribers"):
        pools.add_pool(
            context, name="later", ranges=["10.2.3.4"], kind=PoolKind.SUSPENDED, now=at(0)
        )
    made = pools.add_pool(context, name="later", ranges=["10.2.3.4"], now=at(0))
    assert pools.remove_pool(context, made.pool_id, at(1)) == ["plan p"]


def test_doctor_names_pools_that_are_nearly_full(
    world: MeterWorld, context: Context, pool: Pool
) -> None:
    def check() -> CheckView:
        found = doctor.database_checks(context, at(0))
        return next(one for one in found if one.name == "address pools")

    assert pool.take(at(0), served(world))
    assert f"pool {pool.network}" not in check().detail
    assert pool.take(at(0), served(world))
    assert check().status == "warn"
    assert f"pool {pool.network}" in check().detail
