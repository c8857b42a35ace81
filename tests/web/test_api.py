"""Vouchers redeemed by a program of the subscriber (rules R3, M5, security.md 8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from billing.model.commerce import MoneyChannel
from billing.model.vouchers import Code, CodeFormat, NewBatch
from billing.rules.vouchers import SOURCE_FAILURES_LIMIT
from billing.services import books, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.self_care import PAIR_FAILURES
from billing.services.voucher_codes import new_codes
from billing.services.voucher_sales import Range
from billing.settings import Settings
from tests.web.isp import Isp
from tests.web.payers import PASSWORD, UNIT, House, house
from web import create_app

pytestmark = pytest.mark.rule("R3")
_keys = count(1)


@pytest.fixture
def app(settings: Settings, isp: Isp, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ada(context: Context, isp: Isp, began: datetime) -> House:
    return house(context, isp, began)


@pytest.fixture
def codes(context: Context, isp: Isp, began: datetime) -> list[Code]:
    """Two of 10.00, sold."""
    wanted = NewBatch(
        name=f"api {next(_keys)}", count=2, code=CodeFormat(length=12),
        profile_id=isp.profile_id, amount_micros=10 * UNIT,
    )  # fmt: skip
    batch = vouchers.make_batch(context, wanted, began)
    found: list[Code] = []
    vouchers.hand_over(context, batch.batch_id, lambda _, codes: found.extend(codes), began)
    voucher_sales.activate(
        context, Range(batch_id=batch.batch_id), idempotency_key=f"sold {next(_keys)}", now=began,
        pay_by=MoneyChannel.CASH,
    )  # fmt: skip
    return found


def redeem(
    client: FlaskClient, who: House, code: object, *, key: str | None = None,
    password: str = PASSWORD, address: str = "192.0.2.1",
) -> TestResponse:  # fmt: skip
    return client.post(
        "/api/v1/vouchers/redeem",
        json={"code": code, "idempotency_key": key or f"api {next(_keys)}"},
        auth=(who.username, password),
        environ_base={"REMOTE_ADDR": address},
    )


def test_a_code_is_redeemed_once_and_told_again_by_its_key(
    client: FlaskClient, ada: House, codes: list[Code], context: Context, began: datetime
) -> None:
    first = redeem(client, ada, codes[0].code.lower(), key="one")
    assert first.status_code == 200 and first.json is not None
    assert (first.json["worth_micros"], first.json["repeated"]) == (10 * UNIT, False)
    assert first.json["available_micros"] == 10 * UNIT and first.json["receipt"]
    again = redeem(client, ada, codes[0].code, key="one")
    assert again.json is not None and again.json["repeated"] is True
    other = redeem(client, ada, codes[0].code, key="two")
    assert other.status_code == 422 and "redeemed already" in str(other.json)
    assert redeem(client, ada, codes[1].code, key="one").status_code == 409
    assert "Set-Cookie" not in first.headers
    assert books.check_ledger(context, began).findings == ()


def test_what_is_wrong_is_told_and_nothing_is_given(
    client: FlaskClient, ada: House, codes: list[Code]
) -> None:
    assert redeem(client, ada, codes[0].code + "X").status_code == 422
    assert redeem(client, ada, 7).status_code == redeem(client, ada, "").status_code == 422
    missing = client.post("/api/v1/vouchers/redeem", json={"code": codes[0].code})
    assert missing.status_code == 401 and "Basic" in missing.headers["WWW-Authenticate"]
    bare = client.post("/api/v1/vouchers/redeem", data="x", auth=(ada.username, PASSWORD))
    assert bare.status_code == 400
    assert client.get("/api/v1/vouchers/redeem").status_code == 405
    assert redeem(client, ada, codes[0].code, password="wrong").status_code == 401
    assert redeem(client, ada, codes[0].code).status_code == 200


def test_passwords_and_codes_are_throttled(
    client: FlaskClient, context: Context, isp: Isp, began: datetime, codes: list[Code]
) -> None:
    bob, eve = house(context, isp, began), house(context, isp, began)
    tried = [
        redeem(client, bob, codes[0].code, password="wrong", address="192.0.2.9").status_code
        for _ in range(PAIR_FAILURES + 2)
    ]
    assert tried == [401] * PAIR_FAILURES + [429] * 2
    # Another address is another pair: nobody is locked out by it.
    assert redeem(client, bob, codes[0].code, address="192.0.2.10").status_code == 200
    wrong = one_like(codes[1])
    told = [redeem(client, eve, wrong).status_code for _ in range(SOURCE_FAILURES_LIMIT + 1)]
    assert told == [404] * SOURCE_FAILURES_LIMIT + [422]
    assert redeem(client, eve, codes[1].code).status_code == 422


def one_like(code: Code) -> str:
    """One that nobody has, its check character right."""
    (made,) = new_codes(CodeFormat(length=12), 1)
    assert made != code.code
    return made
