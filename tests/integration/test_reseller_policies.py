"""What a reseller's staff does by the panel's role never reaches its wallet (rules R1, R2, F16)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_cards import Cards
from tests.integration.reseller_world import NOON, Shop, Trade, opened

DENIED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)


@pytest.fixture(scope="module")
def trade(context: Context, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, Factory(context, settings.dsn("radius")), settings):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        yield made


def _staff(trade: Trade, *org_ids: int) -> psycopg.Connection:
    """A connection of the panel's role, with these organisations."""
    db = psycopg.connect(trade.settings.dsn("panel"))
    db.execute("SELECT set_config('tollway.org_ids', %s, false)", (",".join(map(str, org_ids)),))
    db.commit()
    return db


@pytest.fixture(params=["itself", "its parent", "the operator"])
def db(request: pytest.FixtureRequest, trade: Trade) -> Iterator[psycopg.Connection]:
    """The reseller's own staff, and even whoever is above it."""
    child, parent = trade.child.org_id, trade.parent.org_id
    org_ids = {
        "itself": (child,),
        "its parent": (parent, child),
        "the operator": (1, parent, child),
    }
    opened_db = _staff(trade, *org_ids[request.param])
    yield opened_db
    opened_db.rollback()
    opened_db.close()


@pytest.mark.rule("R1", "F16")
def test_nobody_writes_to_an_account_by_hand(trade: Trade, db: psycopg.Connection) -> None:
    account, org_id = trade.child.account, trade.child.org_id
    for statement in (
        "UPDATE wallet SET posted_micros = posted_micros + 1 WHERE customer_id = %s",
        "UPDATE wallet SET credit_limit_micros = 1000000000 WHERE customer_id = %s",
        "UPDATE customer SET name = 'mine' WHERE customer_id = %s",
        "UPDATE customer SET org_id = org_id WHERE customer_id = %s",
    ):
        assert db.execute(statement, (account,)).rowcount == 0
    query = "SELECT 1 FROM customer WHERE customer_id = %s FOR NO KEY UPDATE"
    assert db.execute(query, (account,)).fetchall() == []
    for statement in (
        "INSERT INTO wallet (customer_id, org_id, currency, created_at, posted_micros)"
        " VALUES (%s, %s, 'USD', now(), 1000000)",
        "INSERT INTO journal_entry (customer_id, org_id, at, kind, memo)"
        " VALUES (%s, %s, now(), 'payment', 'mine')",
        "INSERT INTO posting (customer_id, org_id, entry_id, line, account, amount_micros,"
        " currency) VALUES (%s, %s, 1, 1, 'wallet', 1, 'USD')",
        "INSERT INTO payment (customer_id, org_id, wallet_id, entry_id, channel, amount_micros,"
        " currency, received_at) VALUES (%s, %s, 1, 1, 'cash', 1, 'USD', now())",
        "INSERT INTO subscription (customer_id, org_id, username, wallet_id, created_at)"
        " VALUES (%s, %s, 'mine', 1, now())",
    ):
        with pytest.raises(DENIED), db.transaction():
            db.execute(statement, (account, org_id))
    with pytest.raises(DENIED), db.transaction():
        db.execute("UPDATE reseller SET account_customer_id = 1")
    with pytest.raises(DENIED), db.transaction():
        db.execute(
            "SELECT post_account_entry_v1(%s, 'x', 'x', ARRAY['wallet', 'opening'],"
            " ARRAY[1, -1]::bigint[], 'USD', NULL, now())",
            (account,),
        )


@pytest.mark.rule("R1", "R2")
def test_its_own_staff_neither_funds_nor_prices_nor_frees_itself(trade: Trade) -> None:
    child = trade.child
    with _staff(trade, child.org_id) as db:
        for channel in (None, "cash"):
            with pytest.raises(DENIED), db.transaction():
                db.execute(
                    "SELECT post_reseller_transfer_v1(%s, 1000000, %s, NULL, 'USD', NULL, 'x',"
                    " now())",
                    (child.org_id, channel),
                )
        with pytest.raises(DENIED), db.transaction():
            db.execute(
                "INSERT INTO reseller_cost (org_id, plan_id, cost_micros, set_at, set_by)"
                " VALUES (%s, %s, 0, now(), 'x')",
                (child.org_id, trade.plan_id),
            )
        assert db.execute("UPDATE reseller SET max_customers = NULL").rowcount == 0
        for table, change in (
            ("reseller_cost", "cost_micros = 0"),
            ("reseller_share", "wallet_micros = 0"),
            ("reseller_sale", "undone_at = NULL"),
            ("reseller_transfer", "amount_micros = 1"),
        ):
            with pytest.raises(DENIED), db.transaction():
                db.execute(f"UPDATE {table} SET {change}")  # noqa: S608 (constants)
        with pytest.raises(DENIED), db.transaction():
            db.execute("SELECT watch_account_v1(%s, 1, 1)", (child.org_id,))
        with pytest.raises(DENIED), db.transaction():
            db.execute(
                "INSERT INTO plan_version (plan_id, version, price_micros, currency,"
                " effective_from) SELECT plan_id, 99, 0, 'USD', now() FROM plan"
                " WHERE plan_id = %s",
                (trade.plan_id,),
            )
        assert db.execute("UPDATE plan SET name = 'mine'").rowcount == 0


@pytest.mark.rule("R1", "R2")
def test_undoing_by_hand_gives_no_more_than_was_paid_and_once(trade: Trade) -> None:
    receipt = trade.sell(trade.child, trade.customer(trade.child))
    undo = "SELECT undo_reseller_sale_v1(%s, %s, NULL, 0, %s, 1, 10000, 'x', 'x', %s)"
    with _staff(trade, trade.child.org_id) as db:
        for part in (1, 2):  # the package has not ended; two of one part is no share
            with pytest.raises(DENIED), db.transaction():
                db.execute(undo, (receipt.customer_id, receipt.sale_id, part, NOON))
        db.execute(
            "UPDATE entitlement SET ended_at = %s WHERE customer_id = %s",
            (NOON, receipt.customer_id),
        )
        db.execute(undo, (receipt.customer_id, receipt.sale_id, 1, NOON))
        with pytest.raises(DENIED), db.transaction():
            db.execute(undo, (receipt.customer_id, receipt.sale_id, 1, NOON))
        db.rollback()


@pytest.mark.rule("R2", "F16")
def test_nobody_acts_for_whom_it_is_not_above(trade: Trade) -> None:
    def nothing(shop: Shop, org_id: int) -> None:
        with _staff(trade, shop.org_id) as db:
            chain = "SELECT * FROM reseller_chain_v1(%s, %s)"
            assert db.execute(chain, (org_id, trade.plan_id)).fetchall() == []
            row = db.execute("SELECT lock_accounts_v1(%s, NULL)", (org_id,)).fetchone()
            assert row == (False,)
            with pytest.raises(DENIED), db.transaction():
                db.execute(
                    "SELECT post_reseller_transfer_v1(%s, -1, NULL, NULL, 'USD', NULL, 'x', now())",
                    (org_id,),
                )
            for table in ("reseller", "reseller_cost", "reseller_sale", "reseller_share"):
                query = sql.SQL("SELECT 1 FROM {} WHERE org_id = %s")
                found = db.execute(query.format(sql.Identifier(table)), (org_id,))
                assert found.fetchall() == []

    trade.sell(trade.child, trade.customer(trade.child))
    nothing(trade.stranger, trade.child.org_id)
    nothing(trade.stranger, trade.parent.org_id)
    nothing(trade.child, trade.parent.org_id)
    nothing(trade.child, trade.stranger.org_id)


@pytest.mark.rule("R1")
def test_a_sale_by_hand_at_another_price_is_refused(trade: Trade) -> None:
    receipt = trade.sell(trade.child, trade.customer(trade.child))
    sale = (
        "SELECT post_reseller_sale_v1(%s, %s, %s, %s, %s, %s, %s::bigint[], 1, 1, 10000, 'USD',"
        " 'x', 'x', now())"
    )
    (payment_id,) = trade.rows(
        "SELECT payment_id FROM payment WHERE customer_id = %s", receipt.customer_id
    )[0]
    with _staff(trade, trade.child.org_id) as db:
        for costs, payment, retail in (
            ([0, 0], None, 0),
            ([8_000_000, 8_000_000], None, 0),
            ([8_000_000], None, 0),
            ([8_000_000, 7_000_000], None, 10_000_000),
            ([8_000_000, 7_000_000], payment_id, 10_000_000),  # used by a sale already
        ):
            with pytest.raises(psycopg.Error), db.transaction():
                db.execute(
                    sale,
                    (
                        trade.child.org_id,
                        trade.plan_id,
                        receipt.customer_id,
                        receipt.entitlement_id,
                        payment,
                        retail,
                        costs,
                    ),
                )


@pytest.mark.rule("R1", "R3")
def test_its_own_staff_makes_no_voucher_worth_something(trade: Trade) -> None:
    child = trade.child
    cards, others = Cards(trade, child), Cards(trade, trade.parent)
    cards.sell(0, 0)
    denied = (*DENIED, psycopg.errors.NoDataFound)
    ((sale_id,),) = trade.rows(
        "SELECT sale_id FROM reseller_voucher_sale WHERE org_id = %s", child.org_id
    )
    sold, stock = cards.codes[0].serial, cards.codes[1].serial
    with _staff(trade, child.org_id) as db:
        for statement in (
            "UPDATE voucher SET state = 'active', activated_at = now() WHERE serial = %(stock)s",
            "UPDATE voucher SET reseller_sale_id = %(sale)s WHERE serial = %(stock)s",
            "INSERT INTO voucher (batch_id, org_id, code_hmac, state, activated_at)"
            " VALUES (%(batch)s, %(org)s, '\\xaa', 'active', now())",
            "INSERT INTO voucher (batch_id, org_id, code_hmac, state, reseller_sale_id)"
            " VALUES (%(batch)s, %(org)s, '\\xaa', 'created', %(sale)s)",
            "INSERT INTO reseller_voucher_sale (customer_id, org_id, batch_id, count,"
            " retail_micros, currency, at, by) VALUES (1, %(org)s, %(batch)s, 1, 0, 'USD', now(),"
            " 'x')",
            "UPDATE reseller_voucher_sale SET count = 100",
            "UPDATE reseller_voucher_share SET wallet_micros = 0",
            # At another cost, without the counter's entry, of somebody else's batch.
            "SELECT sell_reseller_vouchers_v1(%(org)s, %(batch)s, ARRAY[%(stock)s]::bigint[], NULL,"
            " ARRAY[0, 0]::bigint[], 'x', 'x', now())",
            "SELECT sell_reseller_vouchers_v1(%(org)s, %(batch)s, ARRAY[%(stock)s]::bigint[], NULL,"
            " ARRAY[8000000, 7000000]::bigint[], 'x', 'x', now())",
            "SELECT sell_reseller_vouchers_v1(%(org)s, %(other)s, ARRAY[%(stock)s]::bigint[], NULL,"
            " ARRAY[8000000, 7000000]::bigint[], 'x', 'x', now())",
            "SELECT sell_reseller_vouchers_v1(%(above)s, %(other)s, ARRAY[%(stock)s]::bigint[],"
            " NULL, ARRAY[7000000]::bigint[], 'x', 'x', now())",
            # Given back while it can be redeemed, or without the face.
            "SELECT take_back_reseller_vouchers_v1(%(org)s, %(sale)s, ARRAY[%(sold)s]::bigint[],"
            " NULL, 'x', 'x', now())",
            "WITH gone AS (UPDATE voucher SET state = 'revoked', ended_at = now()"
            " WHERE serial = %(sold)s) SELECT take_back_reseller_vouchers_v1(%(org)s, %(sale)s,"
            " ARRAY[%(sold)s]::bigint[], NULL, 'x', 'x', now())",
            "SELECT move_reseller_voucher_v1(%(sold)s, %(stock)s)",
        ):
            with pytest.raises(denied), db.transaction():
                db.execute(
                    statement,
                    {
                        "org": child.org_id,
                        "above": trade.parent.org_id,
                        "batch": cards.batch.batch_id,
                        "other": others.batch.batch_id,
                        "sale": sale_id,
                        "sold": sold,
                        "stock": stock,
                    },
                )
    assert cards.states() == {"active": 1, "created": 2}


@pytest.mark.rule("R2", "F15")
def test_nobody_elses_customer_is_locked(trade: Trade) -> None:
    stranger = trade.customer(trade.stranger)
    ((customer_id,),) = trade.rows(
        "SELECT customer_id FROM subscription WHERE subscription_id = %s", stranger
    )
    with _staff(trade, trade.child.org_id) as db:
        found = db.execute(
            "SELECT lock_accounts_v1(%s, %s)", (trade.child.org_id, customer_id)
        ).fetchone()
        assert found == (False,)
        locked = trade.rows(
            "SELECT customer_id FROM customer WHERE customer_id = %s FOR UPDATE NOWAIT",
            customer_id,
        )
        assert locked == [(customer_id,)]
