"""The ledger's check finds what contradicts in the books of resellers (rules M4, R1, R2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.services import reseller_sales
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
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
        "UPDATE wallet SET posted_micros = posted_micros + 1 WHERE customer_id = {account}",
        "wallet differs from its postings",
    ),
)


@pytest.mark.rule("M4", "R1", "R2")
@pytest.mark.parametrize(("statement", "problem"), CORRUPTIONS)
def test_a_row_that_was_corrupted_is_found(trade: Trade, statement: str, problem: str) -> None:
    sold, wrong = (trade.sell(trade.child, trade.customer(trade.child)) for _ in range(2))
    reseller_sales.undo(trade.child.staff, wrong.sale_id, idempotency_key="u", now=NOON)
    before = set(trade.findings())
    trade.rows(
        statement.format(account=trade.child.account, sale=sold.sale_id, undone=wrong.sale_id)
    )
    found = {one.split(": ", 1)[0] for one in set(trade.findings()) - before}
    assert problem in found
