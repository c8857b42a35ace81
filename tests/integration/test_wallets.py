"""A wallet comes with its customer; whatever credits or debits it is one entry of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.services import bill_run, books, charges, customers, sales
from billing.services.context import Context
from billing.store import tables
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.voucher_desk import EXPIRY, Desk

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
UNIT = 1_000_000
FIRST = replace(MONTHLY, cycle_ends_with_month=True, automatic_bill=True)
HOME = replace(MONTH_PLAN, price_micros=30 * UNIT)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, NOW).findings == ()


def balance(context: Context, owner: Subscriber) -> int:
    (wallet,) = customers.get_customer(context, owner.customer_id).wallets
    return wallet.posted_micros


def moves(context: Context, owner: Subscriber) -> list[tuple[str, int]]:
    """What the journal has of a customer's wallet and of where the money came from or went."""
    row = tables.Posting
    with context.transaction() as tx:
        found = select(row.account, row.amount_micros).where(row.customer_id == owner.customer_id)
        return [(one[0], one[1]) for one in tx.execute(found.order_by(row.entry_id, row.line))]


def credit(context: Context, owner: Subscriber, channel: MoneyChannel, micros: int) -> None:
    sales.topup(
        context,
        owner.customer_id,
        micros,
        channel=channel,
        idempotency_key=f"{channel}",
        now=NOW,
        reference="T-1",
    )


@pytest.mark.rule("P1")
def test_a_wallet_is_made_with_its_customer(context: Context, make: Factory) -> None:
    for profile, plan in ((DAILY, DAY_PLAN), (FIRST, HOME)):
        owner = make.subscriber(NOW, profile=profile, plan=plan)
        (wallet,) = customers.get_customer(context, owner.customer_id).wallets
        assert (wallet.posted_micros, wallet.currency) == (0, "USD")


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    "channel",
    [one for one in MoneyChannel if one not in (MoneyChannel.VOUCHER, MoneyChannel.RESELLER)],
)
def test_money_of_every_channel_credits_it(
    context: Context, make: Factory, channel: MoneyChannel
) -> None:
    owner = make.subscriber(NOW)
    credit(context, owner, channel, 12_340_000)
    assert balance(context, owner) == 12_340_000
    assert moves(context, owner) == [("wallet", 12_340_000), (f"money:{channel}", -12_340_000)]


@pytest.mark.rule("P1", "R3")
def test_a_voucher_credits_it(context: Context, make: Factory) -> None:
    desk = Desk(context, make)
    owner = make.subscriber(NOW)
    (code,) = desk.sold(now=NOW, amount=7 * UNIT, expires_at=EXPIRY)
    desk.redeem(code, owner, NOW)
    assert balance(context, owner) == 7 * UNIT
    assert sorted(moves(context, owner)) == [("money:voucher", -7 * UNIT), ("wallet", 7 * UNIT)]


@pytest.mark.rule("P1")
def test_a_purchase_debits_it(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOW)
    credit(context, owner, MoneyChannel.CASH, 10 * UNIT)
    plan_id = make.plan(NOW, replace(DAY_PLAN, price_micros=3 * UNIT))
    sales.sell(context, owner.subscription_id, plan_id, idempotency_key="buy", now=NOW)
    assert balance(context, owner) == 7 * UNIT
    assert ("wallet", -3 * UNIT) in moves(context, owner)


@pytest.mark.rule("P1", "I1")
def test_recurring_and_one_off_charges_debit_it(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOW, profile=FIRST, plan=HOME)
    credit(context, owner, MoneyChannel.BANK_TRANSFER, 100 * UNIT)  # 21.29 of it are owed
    before = balance(context, owner)
    for kind, text, micros in (
        (ChargeKind.RECURRING, "Static IP", 5 * UNIT),
        (ChargeKind.ONE_OFF, "Installation", 20 * UNIT),
    ):
        charges.add_charge(
            context,
            owner.subscription_id,
            kind,
            text,
            price_micros=micros,
            starts_on=date(2026, 4, 1),
            now=NOW,
        )
    bill_run.run(context, datetime(2026, 4, 1, 0, 11, tzinfo=UTC))
    assert before - balance(context, owner) == 55 * UNIT
    assert ("wallet", -55 * UNIT) in moves(context, owner)
