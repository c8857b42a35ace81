"""Customers who pay at their own pages, by a gateway whose provider runs beside them."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from billing.model.payments import PaymentView
from billing.payments.registry import open_gateway
from billing.services import customers, gateways, payments
from billing.services.context import Context
from billing.services.gateways import Gateways
from rig.provider import API_KEY, SIGNING_SECRET, Provider
from tests.web.isp import Isp

PASSWORD = "river stone 12"
UNIT = 1_000_000
GATEWAYS = Gateways(open_gateway)
_numbers = count(1)


@dataclass(frozen=True)
class House:
    """A customer with one subscription."""

    customer_id: int
    subscription_id: int
    username: str


def house(context: Context, isp: Isp, now: datetime, profile_id: int | None = None) -> House:
    """A new one; nothing is in its wallet."""
    username = f"payer-{next(_numbers)}"
    customer_id = customers.add_customer(
        context,
        name=f"House {username}",
        profile_id=profile_id or isp.profile_id,
        now=now,
        email=f"{username}@mail.example",
    ).customer_id
    subscription_id = customers.add_subscription(
        context, customer_id=customer_id, username=username, password=PASSWORD, now=now
    )
    return House(customer_id, subscription_id, username)


def add_gateway(
    context: Context, provider: Provider, now: datetime, *, timeout_seconds: float = 5.0
) -> str:
    """Its name; customers see it."""
    return gateways.add(
        context,
        GATEWAYS,
        name=f"cards {next(_numbers)}",
        adapter="sandbox",
        settings={"url": provider.url, "timeout_seconds": str(timeout_seconds)},
        secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
        now=now,
    ).name


def hidden(page: str, name: str) -> str:
    """What a form holds that nobody sees."""
    tag = next(part for part in page.split("<input") if f'name="{name}"' in part)
    return html.unescape(tag.split('value="', 1)[1].split('"', 1)[0])


@dataclass
class Payer:
    """A customer in a browser without scripts."""

    context: Context
    client: FlaskClient
    house: House

    @classmethod
    def logged_in(cls, app: Flask, context: Context, house: House) -> Payer:
        payer = cls(context, app.test_client(), house)
        form = {"username": house.username, "password": PASSWORD}
        answer = payer.post("/my/login", form, ("csrf_token",))
        assert answer.status_code == 302
        return payer

    def page(self, path: str) -> str:
        answer = self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        return answer.get_data(as_text=True)

    def form(self, path: str, names: tuple[str, ...]) -> dict[str, str]:
        page = self.page(path)
        return {name: hidden(page, name) for name in names if f'name="{name}"' in page}

    def post(
        self,
        path: str,
        values: dict[str, str] | None = None,
        names: tuple[str, ...] = ("csrf_token", "key", "currency", "due", "gateway"),
    ) -> TestResponse:
        """The form of a page, sent as a browser does, and where it leads to."""
        return self.client.post(path, data={**self.form(path, names), **(values or {})})

    def top_up(self, amount: str, way: str, **more: str) -> TestResponse:
        return self.post("/my/topup", {"amount": amount, "way": way, **more})

    def payments(self) -> list[PaymentView]:
        """Newest first."""
        return payments.listed(self.context, customer_id=self.house.customer_id)

    def balance(self) -> int:
        """What is in the wallet, in micros."""
        (wallet,) = customers.get_customer(self.context, self.house.customer_id).wallets
        return wallet.posted_micros


def text_of(answer: TestResponse) -> str:
    return html.unescape(answer.get_data(as_text=True))
