"""A customer redeems a voucher at its own page (rule R3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from billing.model.commerce import MoneyChannel
from billing.model.vouchers import CodeFormat, NewBatch
from billing.rules.vouchers import SOURCE_FAILURES_LIMIT
from billing.services import books, subscribers, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.voucher_codes import new_codes
from billing.services.voucher_sales import Range
from billing.settings import Settings
from tests.web.isp import Isp
from tests.web.payers import UNIT, Payer, house, text_of
from web import create_app

pytestmark = pytest.mark.rule("R3")
FORMAT = CodeFormat(length=12)


@pytest.fixture
def app(settings: Settings, isp: Isp, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def ada(app: Flask, context: Context, isp: Isp, began: datetime) -> Payer:
    return Payer.logged_in(app, context, house(context, isp, began))


def sold(
    context: Context, isp: Isp, now: datetime, count: int = 1, plan_id: int | None = None
) -> list[str]:
    """Codes of vouchers that somebody has bought: of 10.00, or of a plan."""
    wanted = NewBatch(
        name=f"batch of {count} {plan_id}",
        count=count,
        code=FORMAT,
        profile_id=isp.profile_id,
        plan_id=plan_id,
        amount_micros=10 * UNIT if plan_id is None else None,
        expires_at=now + timedelta(days=30),
    )
    batch = vouchers.make_batch(context, wanted, now)
    found: list[str] = []
    vouchers.hand_over(
        context, batch.batch_id, lambda _, codes: found.extend(one.code for one in codes), now
    )
    voucher_sales.activate(
        context,
        Range(batch_id=batch.batch_id),
        idempotency_key=f"sold {batch.batch_id}",
        now=now,
        pay_by=MoneyChannel.CASH,
    )
    return found


def test_money_goes_to_the_wallet_once(
    ada: Payer, context: Context, isp: Isp, began: datetime
) -> None:
    (code,) = sold(context, isp, began)
    form = ada.form("/my/voucher", ("csrf_token", "key")) | {"code": code.lower(), "password": ""}
    pages = [
        text_of(ada.client.post("/my/voucher", data=form, follow_redirects=True)) for _ in range(2)
    ]
    assert "10.00 USD was put into your wallet: 10.00 USD now." in pages[0]
    assert "nothing was given twice" in pages[1]
    again = ada.post("/my/voucher", {"code": code})
    assert again.status_code == 422 and "was redeemed already" in text_of(again)
    assert ada.balance() == 10 * UNIT
    assert books.check_ledger(context, began).findings == ()


def test_a_package_begins_for_the_subscription_that_is_logged_in(
    ada: Payer, context: Context, isp: Isp, began: datetime
) -> None:
    (code,) = sold(context, isp, began, plan_id=isp.plan_id)
    answer = ada.post("/my/voucher", {"code": code})
    assert "Week 20 GB is yours" in ada.page(answer.location)
    view = subscribers.show(context, ada.house.subscription_id, began)
    assert [one.plan_name for one in view.entitlements] == ["Week 20 GB"]


def test_guesses_are_slowed_down_for_the_customer_alone(
    app: Flask, ada: Payer, context: Context, isp: Isp, began: datetime
) -> None:
    good, other = sold(context, isp, began, count=2)
    bad = ada.post("/my/voucher", {"code": "wrong"})
    assert bad.status_code == 422 and "look at the card again" in text_of(bad)
    # Well-formed codes of nobody: of a batch that this installation does not have.
    for code in new_codes(FORMAT, SOURCE_FAILURES_LIMIT):
        assert (
            "no voucher has this code" in text_of(ada.post("/my/voucher", {"code": code})).lower()
        )
    answer = ada.post("/my/voucher", {"code": good})
    assert answer.status_code == 422 and "too many wrong codes" in text_of(answer).lower()
    bob = Payer.logged_in(app, context, house(context, isp, began))
    assert bob.post("/my/voucher", {"code": other}).status_code == 302
    assert (ada.balance(), bob.balance()) == (0, 10 * UNIT)
