"""The ledger's check finds what contradicts in the books of resellers (rules M4, R1, R2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.services import reseller_sales, voucher_sales
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_cards import Cards
from tests.integration.reseller_world import NOON, Trade, opened


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        yield made


CORRUPTIONS = (
    (
        "UPDATE posting SET amount_micros = amount_micros + 1"
        " WHERE account = 'money:reseller' AND customer_id = {account}",
        "money:reseller is not nothing in all",
    ),
    (
        "UPDATE posting SET amount_micros = amount_micros + 1"
        " WHERE account = 'transfer:reseller' AND customer_id = {account}",
        "transfer:reseller is not nothing in all",
    ),
    (
        "UPDATE reseller_sale SET retail_micros = retail_micros + 1 WHERE sale_id = {sale}",
        "sale of a reseller differs from the customer's payment",
    ),
    (
        "DELETE FROM reseller_sale WHERE sale_id = {sale}",
        "payment by a reseller without its sale",
    ),
    (
        "UPDATE reseller_share SET retail_micros = 0 WHERE sale_id = {sale}",
        "sale of a reseller differs from what its account paid",
    ),
    (
        "UPDATE reseller_sale SET back_micros = back_micros - 1 WHERE sale_id = {undone}",
        "sale of a reseller differs from what its account paid",
    ),
    (
        "UPDATE reseller_share SET back_wallet_micros = 0 WHERE sale_id = {undone} AND depth = 0",
        "account of a reseller differs from its sales and transfers",
    ),
    (
        "UPDATE reseller_transfer SET amount_micros = 1 WHERE customer_id = {account}",
        "account of a reseller differs from its sales and transfers",
    ),
    (
        "DELETE FROM reseller_share WHERE sale_id = {sale} AND depth = 1",
        "account of a reseller differs from its sales and transfers",
    ),
    (
        "UPDATE reseller_share SET cost_micros = cost_micros + 1"
        " WHERE sale_id = {sale} AND depth = 1",
        "margin differs from the price lists",
    ),
    (
        "UPDATE reseller_voucher_sale SET retail_micros = 1 WHERE sale_id = {cards}",
        "vouchers sold by a reseller differ from its money",
    ),
    (
        "UPDATE reseller_voucher_share SET retail_micros = 0 WHERE sale_id = {cards}",
        "vouchers sold by a reseller differ from its money",
    ),
    (
        "UPDATE posting SET amount_micros = -1 WHERE account = 'money:reseller' AND (customer_id,"
        " entry_id) = (SELECT customer_id, entry_id FROM reseller_voucher_sale"
        " WHERE sale_id = {cards})",
        "vouchers sold by a reseller differ from its money",
    ),
    (
        "UPDATE reseller_voucher_share SET wallet_micros = 0 WHERE sale_id = {cards} AND depth = 1",
        "account of a reseller differs from its sales and transfers",
    ),
    (
        "UPDATE reseller_voucher_share SET cost_micros = 1 WHERE sale_id = {cards} AND depth = 1",
        "margin differs from the price lists",
    ),
    (
        "UPDATE reseller_voucher_sale SET count = 4 WHERE sale_id = {cards}",
        "vouchers of a reseller differ from its sales of them",
    ),
    (
        "UPDATE reseller_voucher_sale SET count = -2 WHERE of_sale_id = {cards}",
        "vouchers of a reseller differ from its sales of them",
    ),
    (
        "UPDATE voucher SET state = 'active', activated_at = now(), ended_at = NULL"
        " WHERE state = 'revoked' AND org_id = {org}",
        "voucher of a reseller that no wallet paid for",
    ),
    (
        "UPDATE wallet SET posted_micros = posted_micros + 1 WHERE customer_id = {account}",
        "wallet differs from its postings",
    ),
)


@pytest.mark.rule("M4", "R1", "R2")
@pytest.mark.parametrize(("statement", "problem"), CORRUPTIONS)
def test_a_row_that_was_corrupted_is_found(trade: Trade, statement: str, problem: str) -> None:
    sold, wrong = (trade.sell(trade.child, trade.customer(trade.child)) for _ in range(2))
    reseller_sales.undo(trade.child.staff, wrong.sale_id, idempotency_key="u", now=NOON)
    cards = Cards(trade, trade.child)
    cards.sell()
    voucher_sales.revoke(trade.child.staff, cards.range(0, 0), NOON, refund=True)
    ((cards_id,),) = trade.rows(
        "SELECT sale_id FROM reseller_voucher_sale WHERE org_id = %s AND count > 0",
        trade.child.org_id,
    )
    before = set(trade.findings())
    trade.rows(
        statement.format(
            account=trade.child.account,
            org=trade.child.org_id,
            sale=sold.sale_id,
            undone=wrong.sale_id,
            cards=cards_id,
        )
    )
    found = {one.split(": ", 1)[0] for one in set(trade.findings()) - before}
    assert problem in found
