"""A reseller's staff begins payments by the gateways above it, and changes none of them; what is
bought by itself is refused in a customer's own requests, too (rules R1, R2, security.md 7)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from billing.clock import utc_now
from billing.errors import NotFound, Refused
from billing.model.payments import PaymentState
from billing.model.self_care import SubscriberLogin
from billing.services import (
    customers,
    gateways,
    holds,
    limits,
    payment_calls,
    payments,
    self_care,
    subscribers,
)
from billing.services.context import Context
from billing.settings import Settings
from rig.provider import API_KEY, SIGNING_SECRET, Provider
from tests.factories import Factory
from tests.integration.reseller_world import NOON, Trade, opened
from tests.integration.self_service_world import switch
from tests.integration.till import GATEWAYS, Till


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.mark.rule("R2")
def test_staff_of_a_reseller_makes_a_link_to_pay_at_by_the_operators_gateway(
    trade: Trade, make: Factory, context: Context, provider: Provider
) -> None:
    till, child = Till(context, make, provider, NOON), trade.child
    who = customers.customer_of(trade.context, trade.customer(child))
    assert till.gateway_id in {
        one.gateway_id for one in gateways.serving(child.staff, child.org_id)
    }
    made = payments.top_up(
        child.staff, who, till.gateway_id, 5_000_000, idempotency_key="link", now=NOON
    )
    payment_calls.carry_out(child.staff, GATEWAYS, who, made.attempt_id, lambda: NOON)
    asked = payments.history(child.staff, made.attempt_id).payment
    assert asked.state is PaymentState.PENDING and asked.redirect_url is not None
    # It is read only, and only from above.
    with psycopg.connect(trade.settings.dsn("panel")) as db:
        db.execute("SELECT set_config('tollway.org_ids', %s, false)", (str(child.org_id),))
        assert db.execute("UPDATE gateway SET disabled_at = now()").rowcount == 0
        seen = "SELECT count(*) FROM gateway WHERE gateway_id = %s"
        assert db.execute(seen, (till.gateway_id,)).fetchone() == (1,)
        db.execute("SELECT set_config('tollway.cashier', 'on', false)")
        assert db.execute(seen, (till.gateway_id,)).fetchone() == (0,)
    with pytest.raises(Refused, match="R1"):
        gateways.set_secrets(trade.parent.staff, _own(trade, provider), {"api_key": "x"}, NOON)
    with pytest.raises(NotFound):
        payments.top_up(
            trade.stranger.staff,
            customers.customer_of(trade.context, trade.customer(trade.stranger)),
            _own(trade, provider),
            5_000_000,
            idempotency_key="strange",
            now=NOON,
        )


def _own(trade: Trade, provider: Provider) -> int:
    """A gateway that the operator has set up for the parent."""
    known = [one for one in gateways.listed(trade.owner) if one.name == "parent's"]
    if known:
        return known[0].gateway_id
    return gateways.add(
        trade.context,
        GATEWAYS,
        name="parent's",
        adapter="sandbox",
        settings={"url": provider.url},
        secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
        now=NOON,
        org_id=trade.parent.org_id,
    ).gateway_id


@pytest.mark.rule("R1")
def test_what_is_bought_by_itself_is_refused_in_a_customers_own_requests(trade: Trade) -> None:
    switch(trade, trade.child, on=False)
    number = trade.customer(trade.child)
    row = subscribers.show(trade.context, number, utc_now()).row
    login = SubscriberLogin(
        customer_id=row.customer_id,
        subscription_id=number,
        org_id=trade.child.org_id,
        username=row.username,
    )
    own = self_care.context_of(trade.child.staff, login)
    with own.transaction() as tx:
        assert "buys nothing by itself" in str(limits.renewal_problem(tx, trade.child.org_id))
        assert limits.renewal_problem(tx, 1) is None
    with pytest.raises(Refused, match="buys nothing by itself"):
        holds.set_renewal(own, number, NOON, on=True)
