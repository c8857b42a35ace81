"""A reseller's own staff says of no money that the operator has got it (rule R1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.errors import Refused
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.money import Money
from billing.services import customers, gateways, sales, suspense
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_world import NOON, Trade, opened
from tests.integration.till import GATEWAYS


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.mark.rule("R1")
def test_a_resellers_staff_takes_money_by_hand_for_nothing_but_its_own(trade: Trade) -> None:
    who = trade.customer(trade.child)
    customer_id = customers.customer_of(trade.child.staff, who)
    for channel in (MoneyChannel.CASH, MoneyChannel.CARD, MoneyChannel.ADJUSTMENT):
        with pytest.raises(Refused, match="rule R1"):
            sales.topup(
                trade.child.staff,
                customer_id,
                1_000_000,
                channel=channel,
                idempotency_key="k",
                now=NOON,
            )
        with pytest.raises(Refused, match="rule R1"):
            sales.sell(
                trade.child.staff,
                who,
                trade.plan_id,
                idempotency_key="k",
                now=NOON,
                pay_by=channel,
            )
    with pytest.raises(Refused):
        sales.sell(
            trade.child.staff,
            who,
            trade.plan_id,
            idempotency_key="k",
            now=NOON,
            channel=SaleChannel.RESELLER,
        )
    # Who is above may.
    sales.topup(
        trade.owner,
        customer_id,
        1_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="k",
        now=NOON,
    )


@pytest.mark.rule("R1")
def test_it_neither_announces_money_nor_sets_up_a_gateway_of_its_own(trade: Trade) -> None:
    staff = trade.child.staff
    with pytest.raises(Refused, match="rule R1"):
        suspense.receive(
            staff,
            Money(10_000_000, "USD"),
            MoneyChannel.BANK_TRANSFER,
            reference="a line of nobody's statement",
            note="",
            now=NOON,
        )
    with pytest.raises(Refused, match="rule R1"):
        gateways.add(
            staff,
            GATEWAYS,
            name="mine",
            adapter="sandbox",
            settings={"url": "http://127.0.0.1:9", "timeout_seconds": "1"},
            secret_settings={"api_key": "k", "signing_secret": "s"},
            now=NOON,
        )
