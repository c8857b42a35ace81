"""IPv6 and attributes of one subscriber: kept, refused, told, and read at a login (A6, B10)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest
from sqlalchemy import select

from billing.errors import Conflict, InvalidInput, NotFound, Refused, TollwayError
from billing.model.account import HoldBehaviour
from billing.model.decision import Accept
from billing.model.events import AccessRequest
from billing.model.own_reply import OwnReply, ReplyAttribute
from billing.rules.own_attributes import COUNT_LIMIT
from billing.services import explain, holds, own_reply, subscribers
from billing.services.access import AccessDesk
from billing.services.context import Context
from billing.services.dictionary import Dictionary
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store import tables
from billing.store.hotpath import HotConnection
from tests.factories import MONTH_PLAN, MONTHLY, Factory

pytestmark = pytest.mark.rule("A6")


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return Dictionary(Settings.model_fields["dictionary_dir"].default)


@pytest.fixture
def lane(settings: Settings) -> Iterator[HotConnection]:
    connection = HotConnection(
        settings.dsn("radius"), statement_timeout_ms=3000, lock_timeout_ms=300
    )
    yield connection
    connection.close()


def ipv6(context: Context, subscription_id: int, now: datetime, **wanted: str) -> None:
    fields = ("framed_prefix", "delegated_prefix", "framed_address")
    own_reply.set_ipv6(
        context, subscription_id, now=now, **{field: wanted.get(field) for field in fields}
    )


def test_fixed_ipv6_is_kept_in_its_usual_form(
    context: Context, make: Factory, now: datetime
) -> None:
    who = make.subscriber(now).subscription_id
    ipv6(
        context,
        who,
        now,
        framed_prefix="2001:DB8:a:0::/64",
        delegated_prefix="2001:db8:a:100::/56",
        framed_address="2001:db8:a::0007",
    )
    kept = OwnReply(
        framed_ipv6_prefix="2001:db8:a::/64",
        delegated_ipv6_prefix="2001:db8:a:100::/56",
        framed_ipv6_address="2001:db8:a::7",
    )
    assert subscribers.show(context, who, now).own_reply == kept
    ipv6(context, who, now, framed_prefix="2001:db8:a::/64")
    assert own_reply.own_reply(context, who) == OwnReply(framed_ipv6_prefix="2001:db8:a::/64")
    ipv6(context, who, now)
    assert own_reply.own_reply(context, who) == OwnReply()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"framed_prefix": "2001:db8::1/64"}, "framed_ipv6_prefix"),
        ({"framed_prefix": "192.0.2.0/24"}, "framed_ipv6_prefix"),
        ({"framed_prefix": "::/0"}, "framed_ipv6_prefix"),
        ({"framed_prefix": ""}, "framed_ipv6_prefix"),
        ({"delegated_prefix": "2001:db8::/129"}, "delegated_ipv6_prefix"),
        ({"delegated_prefix": "fe80::/64"}, "delegated_ipv6_prefix"),
        ({"delegated_prefix": "ff00::/8"}, "delegated_ipv6_prefix"),
        ({"framed_address": "2001:db8::1/64"}, "framed_ipv6_address"),
        ({"framed_address": "fe80::1%eth0"}, "framed_ipv6_address"),
        ({"framed_address": "192.0.2.1"}, "framed_ipv6_address"),
        ({"framed_address": "::ffff:192.0.2.1"}, "framed_ipv6_address"),
        (
            {"framed_prefix": "2001:db8:b::/64", "delegated_prefix": "2001:db8:b::/48"},
            "delegated_ipv6_prefix",
        ),
        (
            {"framed_address": "2001:db8:b::1", "delegated_prefix": "2001:db8:b::/48"},
            "framed_ipv6_address",
        ),
    ],
)
def test_unusable_ipv6_is_refused(
    context: Context, make: Factory, now: datetime, wanted: dict[str, str], field: str
) -> None:
    who = make.subscriber(now).subscription_id
    with pytest.raises(InvalidInput) as refused:
        ipv6(context, who, now, **wanted)
    assert refused.value.field == field
    assert own_reply.own_reply(context, who) == OwnReply()


@pytest.mark.parametrize("field", ["framed_prefix", "delegated_prefix", "framed_address"])
def test_what_overlaps_another_subscribers_is_refused(
    context: Context, make: Factory, now: datetime, field: str
) -> None:
    first, second = make.subscriber(now), make.subscriber(now)
    net = {"framed_prefix": "c", "delegated_prefix": "d", "framed_address": "e"}[field]
    ipv6(context, first.subscription_id, now, delegated_prefix=f"2001:db8:{net}::/48")
    wanted = f"2001:db8:{net}:1::" + ("" if field == "framed_address" else "/64")
    with pytest.raises(Conflict, match="another subscriber"):
        ipv6(context, second.subscription_id, now, **{field: wanted})
    ipv6(context, first.subscription_id, now, **{field: wanted})
    holds.close(context, first.subscription_id, now)
    ipv6(context, second.subscription_id, now, **{field: wanted})


def test_of_many_that_want_the_same_prefix_one_gets_it(
    context: Context, make: Factory, now: datetime
) -> None:
    many = [make.subscriber(now).subscription_id for _ in range(8)]

    def wins(subscription_id: int) -> bool:
        try:
            ipv6(context, subscription_id, now, framed_prefix="2001:db8:f::/64")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(len(many)) as threads:
        assert sum(threads.map(wins, many)) == 1


def test_a_prefix_of_another_organisation_counts_for_the_panel(
    context: Context, make: Factory, now: datetime, settings: Settings
) -> None:
    """The panel's role sees no row of it, and is told no more than that it is taken."""
    who = make.subscriber(now).subscription_id
    ipv6(context, who, now, framed_prefix="2001:db8:10::/64")
    statement = (
        "SELECT ipv6_taken_v1(%s, 0, ARRAY[%s]::inet[]), (SELECT count(*) FROM subscription)"
    )
    with psycopg.connect(settings.dsn("panel")) as panel:
        assert panel.execute(statement, (now, "2001:db8:10::1")).fetchone() == (True, 0)
        assert panel.execute(statement, (now, "2001:db8:11::1")).fetchone() == (False, 0)


def test_attributes_are_set_replaced_listed_and_removed(
    context: Context, make: Factory, now: datetime, dictionary: Dictionary
) -> None:
    who = make.subscriber(now).subscription_id

    def put(name: str, value: str, **options: object) -> None:
        own_reply.set_attribute(
            context, dictionary, who, name=name, value=value, now=now, **options
        )

    put("filter-id", "one")
    put("Filter-Id", "two", when_suspended=True)
    put("Framed-Route", "192.0.2.0/25 0.0.0.0 1", operator="+=")
    put("Framed-Route", "192.0.2.128/25 0.0.0.0 1", operator="+=")
    put("Framed-Route", "192.0.2.128/25 0.0.0.0 1", operator="+=")
    put("tunnel-type:1", "l2tp")
    kept = own_reply.own_reply(context, who).attributes
    assert kept == (
        ReplyAttribute(name="Filter-Id", operator=":=", value="two", when_suspended=True),
        ReplyAttribute(name="Framed-Route", operator="+=", value="192.0.2.0/25 0.0.0.0 1"),
        ReplyAttribute(name="Framed-Route", operator="+=", value="192.0.2.128/25 0.0.0.0 1"),
        ReplyAttribute(name="Tunnel-Type:1", operator=":=", value="L2TP"),
    )
    gone = own_reply.remove_attribute(
        context, who, name="framed-route", value="192.0.2.0/25 0.0.0.0 1", now=now
    )
    assert gone == 1
    with pytest.raises(NotFound, match="Filter-Id, Framed-Route, Tunnel-Type:1"):
        own_reply.remove_attribute(context, who, name="Port-Limit", value=None, now=now)
    for name in ("Filter-Id", "Framed-Route", "Tunnel-Type:1"):
        own_reply.remove_attribute(context, who, name=name, value=None, now=now)
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Subscription).where(tables.Subscription.subscription_id == who)
        ).one()
        assert row.reply_attributes is None


@pytest.mark.parametrize(
    ("name", "value", "operator", "error", "field"),
    [
        ("Sesion-Timeout", "1", ":=", InvalidInput, "name"),
        ("Session-Timeout", "1", ":=", Refused, "name"),
        ("Auth-Type", "Accept", ":=", Refused, "name"),
        ("Filter-Id:1", "x", ":=", InvalidInput, "name"),
        ("Filter-Id", "x", "==", InvalidInput, "operator"),
        ("Idle-Timeout", "soon", ":=", InvalidInput, "value"),
        ("Filter-Id", "a\0b", ":=", InvalidInput, "value"),
    ],
)
def test_a_bad_attribute_is_refused_and_nothing_changes(
    context: Context,
    make: Factory,
    now: datetime,
    dictionary: Dictionary,
    name: str,
    value: str,
    operator: str,
    error: type[TollwayError],
    field: str,
) -> None:
    who = make.subscriber(now).subscription_id
    with pytest.raises(error) as refused:
        own_reply.set_attribute(
            context, dictionary, who, name=name, value=value, operator=operator, now=now
        )
    assert refused.value.field == field
    assert own_reply.own_reply(context, who) == OwnReply()


@pytest.mark.parametrize(("octets", "fits", "field"), [(9, COUNT_LIMIT, "name"), (250, 6, "value")])
def test_attributes_are_bounded(
    context: Context,
    make: Factory,
    now: datetime,
    dictionary: Dictionary,
    octets: int,
    fits: int,
    field: str,
) -> None:
    who = make.subscriber(now).subscription_id

    def put(number: int) -> None:
        value = f"{number:0{octets}}"
        own_reply.set_attribute(
            context, dictionary, who, name="Filter-Id", value=value, operator="+=", now=now
        )

    for number in range(fits):
        put(number)
    with pytest.raises(InvalidInput) as refused:
        put(fits)
    assert refused.value.field == field
    assert len(own_reply.own_reply(context, who).attributes) == fits


def test_a_login_reads_them_and_why_tells_what_is_withheld(
    context: Context,
    make: Factory,
    now: datetime,
    dictionary: Dictionary,
    lane: HotConnection,
    box: SecretBox,
) -> None:
    who = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    plain = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    ipv6(context, who.subscription_id, now, framed_prefix="2001:db8:20::/64")
    for name, when_suspended in (("Filter-Id", False), ("Port-Limit", True)):
        own_reply.set_attribute(
            context,
            dictionary,
            who.subscription_id,
            name=name,
            value="3",
            when_suspended=when_suspended,
            now=now,
        )
    own = own_reply.own_reply(context, who.subscription_id)
    desk = AccessDesk(box)
    requests = [AccessRequest(name, "127.0.0.1", None) for name in (who.username, plain.username)]
    first, second = desk.decide_batch(lane, requests, lambda: now)
    assert isinstance(first.decision, Accept)
    assert isinstance(second.decision, Accept)
    assert first.decision.service.own_reply == own
    assert second.decision.service.own_reply is None
    holds.suspend(
        context, who.subscription_id, note="x", now=now, behaviour=HoldBehaviour.SUSPENDED_POOL
    )
    (suspended,) = desk.decide_batch(lane, requests[:1], lambda: now)
    assert suspended.decision.service.own_reply == OwnReply(
        attributes=(
            ReplyAttribute(name="Port-Limit", operator=":=", value="3", when_suspended=True),
        )
    )
    assert [
        line for line in explain.why(context, who.subscription_id, now).lines if "own:" in line
    ] == [
        "own: Framed-IPv6-Prefix := 2001:db8:20::/64 – withheld in this state",
        "own: Filter-Id := 3 – withheld in this state",
        "own: Port-Limit := 3 (also when suspended)",
    ]
