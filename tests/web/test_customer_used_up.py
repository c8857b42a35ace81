"""A wallet that is used up: its customer is led to the top-up that brings the service back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask

from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, Status
from billing.services import catalog, customers, enforcement, explain, gateways, metering, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from rig.provider import Provider
from tests.web.isp import NAS_ADDRESS, WEEK, Isp
from tests.web.payers import PASSWORD, UNIT, House, Payer, add_gateway
from web import create_app

MIB = 2**20


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def app(settings: Settings, isp: Isp, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def spender(context: Context, settings: Settings, isp: Isp, began: datetime) -> House:
    """5.00 was paid in; 8 MiB at 1.00 were used."""
    terms = replace(
        WEEK,
        plan_name="By the MiB",
        price_micros=0,
        validity_minutes=None,
        seconds=None,
        octets=None,
        payg_octet_step=MIB,
        payg_octet_step_micros=UNIT,
    )
    long_ago = began - timedelta(hours=2)
    plan_id = catalog.add_plan(context, terms, long_ago).plan_id
    customer_id = customers.add_customer(
        context, name="Spender", profile_id=isp.profile_id, now=long_ago
    ).customer_id
    subscription_id = customers.add_subscription(
        context,
        customer_id=customer_id,
        username="spender",
        password=PASSWORD,
        plan_id=plan_id,
        now=long_ago,
    )
    sales.topup(
        context,
        customer_id,
        5 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="spender",
        now=long_ago,
    )
    with closing(
        HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    ) as lane:
        for status, seconds, mib in ((Status.START, 0, 0), (Status.INTERIM, 60, 8)):
            at = long_ago + timedelta(minutes=1, seconds=seconds)
            metering.meter_batch(lane, [metering.prepare(_record(status, at, seconds, mib))], at)
    enforcement.sweep(context, began)
    return House(customer_id, subscription_id, "spender")


def _record(status: Status, at: datetime, seconds: int, mib: int) -> AccountingRecord:
    return AccountingRecord(
        status=status,
        username="spender",
        sent_username="spender",
        nas_address=NAS_ADDRESS,
        acct_session_id="spender-1",
        arrived_at=at,
        event_at=at,
        precise_time=True,
        session_seconds=seconds,
        input_octets=0,
        output_octets=mib * MIB,
        has_gigawords=True,
        framed_ip="10.20.9.77",
        calling_station="0242ac110077",
        terminate_cause=None,
    )


@pytest.mark.rule("P8", "P9")
def test_a_used_up_wallet_leads_to_the_top_up_that_restores_the_service(
    app: Flask, context: Context, provider: Provider, spender: House, began: datetime
) -> None:
    gateway = gateways.find(context, add_gateway(context, provider, began))
    payer = Payer.logged_in(app, context, spender)
    home = payer.page("/my/")
    assert "Your wallet is used up." in home and "Put money into your wallet." in home
    assert home.count('href="/my/topup"') == 2, "the button beside the reason, and the link"
    page = payer.page("/my/topup")
    advice = page.split('id="advice"', 1)[1].split("</section>", 1)[0]
    # One coin more than it is below zero; what came in the last time is more, and advised.
    assert "−3.00 USD" in advice and "3.01 USD" in advice and "5.00 USD" in advice
    assert 'value="5.00"' in page
    payer.top_up("3", f"page-{gateway.gateway_id}")
    provider.finish(payer.payments()[0].key)
    payer.page(str(provider.payments[payer.payments()[0].key]["return_url"]))
    assert "Your wallet is used up." in payer.page("/my/")
    payer.top_up("0.01", f"page-{gateway.gateway_id}")
    provider.finish(payer.payments()[0].key)
    payer.page(str(provider.payments[payer.payments()[0].key]["return_url"]))
    assert "Your service is on." in payer.page("/my/")
    assert explain.why(context, spender.subscription_id, began).state.rule == "S8"
