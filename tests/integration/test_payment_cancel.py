"""A payment is taken back before anybody has paid it (rules P1, M5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.errors import NotFound, Refused
from billing.model.payments import GatewayConfig, PaymentState, PaymentView
from billing.payments.protocol import Gateway
from billing.payments.registry import open_gateway
from billing.services import payment_cancel
from billing.services.context import Context
from billing.services.gateways import Gateways
from rig.provider import Fault, Provider
from tests.factories import Factory, Subscriber
from tests.integration.till import GATEWAYS, Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)


@pytest.fixture
def till(context: Context, make: Factory) -> Iterator[Till]:
    with Provider().serving() as provider:
        made = Till(context, make, provider, NOW)
        yield made
        made.check()


@pytest.fixture
def ada(till: Till) -> Subscriber:
    return till.customer()


def cancel(till: Till, made: PaymentView, gateways: Gateways = GATEWAYS) -> PaymentState:
    return payment_cancel.cancel(till.context, gateways, made.attempt_id, lambda: till.now).state


def at_the_page(till: Till, who: Subscriber) -> PaymentView:
    made = till.begin(who, card=None)
    till.work()
    return till.seen(made)


@pytest.mark.parametrize("card", [None, "ok"])
def test_what_nobody_was_called_for_ends_here(
    till: Till, ada: Subscriber, card: str | None
) -> None:
    made = till.begin(ada, card=card)
    assert cancel(till, made) is PaymentState.CANCELLED
    assert till.work() == 0
    assert till.provider.calls == []
    assert (till.seen(made).due_at, till.balance(ada)) == (None, 0)
    with pytest.raises(Refused, match="its outcome is known: cancelled"):
        cancel(till, made)


def test_a_page_is_closed_by_its_provider(till: Till, ada: Subscriber) -> None:
    made = at_the_page(till, ada)
    assert cancel(till, made) is PaymentState.CANCELLED
    assert till.provider.payments[made.key]["state"] == "expired"
    assert till.balance(ada) == 0


def test_who_has_paid_by_then_has_paid(till: Till, ada: Subscriber) -> None:
    made = at_the_page(till, ada)
    till.provider.finish(made.key)
    assert cancel(till, made) is PaymentState.SUCCEEDED
    assert till.balance(ada) == 10


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.DOWN])
def test_an_answer_that_is_none_leaves_it_to_be_looked_up(
    till: Till, ada: Subscriber, fault: Fault
) -> None:
    made = at_the_page(till, ada)
    till.provider.fail("POST /cancellations", fault)
    assert cancel(till, made) is PaymentState.UNKNOWN
    assert till.seen(made).due_at is not None
    # It was closed, or was not: asked again it ends either way, and money counts once.
    assert cancel(till, made) is PaymentState.CANCELLED
    till.provider.finish(made.key)
    till.hear("payment.paid", till.provider.payments[made.key])
    assert till.balance(ada) == 10


def test_a_card_that_is_being_charged_is_not_taken_back(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada, card="slow")
    till.work()
    with pytest.raises(Refused, match="the card is being charged"):
        cancel(till, made)
    with pytest.raises(NotFound):
        payment_cancel.cancel(till.context, GATEWAYS, 10**9, lambda: till.now)


class Simple:
    """A gateway that closes no page."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        if name == "cancel":
            raise AttributeError(name)
        return getattr(self._gateway, name)


def test_a_provider_that_closes_no_page_is_not_asked_to(till: Till, ada: Subscriber) -> None:
    def simple(config: GatewayConfig) -> Any:
        return Simple(open_gateway(config))

    made = at_the_page(till, ada)
    with pytest.raises(Refused, match="closes no page"):
        cancel(till, made, Gateways(simple))
    assert till.seen(made).state is PaymentState.PENDING
