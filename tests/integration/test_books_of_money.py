"""Each finding of the ledger check about credits, losses, payments, vouchers and collectors (M4):
one thing at a time is made wrong, in a transaction that is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.services import bills, collections, credits, suspense, write_offs
from billing.services.context import Context
from billing.settings import Settings
from billing.store import books
from billing.store.pool import Database
from rig.provider import Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.talker import UNIT
from tests.integration.till import Till
from tests.integration.voucher_desk import Desk

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)

CORRUPTED = {
    "bill differs from its credit notes": "UPDATE invoice"
    " SET credited_micros = credited_micros - 1 WHERE credited_micros > 0",
    "credit note differs from its entry": "UPDATE posting"
    " SET amount_micros = amount_micros - 1 WHERE account = 'receivable' AND entry_id ="
    " (SELECT entry_id FROM credit_note)",
    "bill differs from what was written off of it": "UPDATE invoice"
    " SET written_off_micros = written_off_micros - 1 WHERE written_off_micros > 0",
    "write-off differs from its entry": "UPDATE write_off SET amount_micros = amount_micros + 1",
    "payment by a gateway differs from its money": "UPDATE payment_attempt"
    " SET amount_micros = amount_micros + 1 WHERE payment_id IS NOT NULL",
    "money is of two payments by gateways": "UPDATE payment_attempt a SET payment_id ="
    " (SELECT max(b.payment_id) FROM payment_attempt b WHERE b.customer_id = a.customer_id)"
    " WHERE a.payment_id IS NOT NULL",
    "payment differs from what went back of it": "UPDATE payment_attempt"
    " SET refunded_micros = refunded_micros + 1 WHERE refunded_micros > 0",
    "refunds on their way differ from their account": "UPDATE payment_reversal"
    " SET state = 'pending' WHERE state = 'succeeded'",
    "money in suspense differs from its moves": "UPDATE suspense"
    " SET moved_micros = moved_micros - 1 WHERE moved_micros > 0",
    "redeemed voucher differs from its payment": "UPDATE payment"
    " SET amount_micros = amount_micros + 1 WHERE channel = 'voucher'",
    "payment by several vouchers": "UPDATE voucher v SET payment_id = (SELECT max(w.payment_id)"
    " FROM voucher w WHERE w.customer_id = v.customer_id) WHERE v.state = 'redeemed'",
    "vouchers sold differ from their entry": "UPDATE posting SET amount_micros = amount_micros + 1"
    " WHERE account = 'money:voucher'",
    "receipt of a collector differs from its payment": "UPDATE paper_receipt"
    " SET amount_micros = amount_micros + 1",
    "settlement of a collector differs from its receipts": "UPDATE collector_settlement"
    " SET expected_micros = expected_micros + 1",
}


@pytest.fixture(scope="module")
def world(context: Context, settings: Settings) -> Iterator[Database]:
    """A connection of the superuser's to books that have one of everything, and agree."""
    make = Factory(context, settings.dsn("radius"))
    _bills(context, make)
    with Provider().serving() as running:
        _payments(context, make, running)
    _suspense(context, make)
    _vouchers(context, make)
    _collector(context, make)
    with closing(Database(settings.admin_dsn(settings.database_name))) as database:
        yield database


def _bills(context: Context, make: Factory) -> None:
    for undo in (credits.credit, write_offs.write_off):
        who = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
        bill = bills.issue_bill(
            context,
            who.subscription_id,
            cycle_from=date(2026, 3, 1),
            cycle_until=date(2026, 4, 1),
            amount_micros=30 * UNIT,
            now=NOW,
        )
        undo(context, bill.number, reason="a test", idempotency_key="one", now=NOW)


def _payments(context: Context, make: Factory, running: Provider) -> None:
    till = Till(context, make, running, NOW)
    who = till.customer()
    till.pay(who)
    made = till.pay(who, 20)
    till.refund(made, 5)
    till.work()


def _suspense(context: Context, make: Factory) -> None:
    amount = Money(30 * UNIT, "USD")
    assert suspense.receive(
        context, amount, MoneyChannel.BANK_TRANSFER, reference="line", note="", now=NOW
    )
    (line,) = suspense.listed(context, limit=5)
    who = make.subscriber(NOW)
    suspense.match(context, line.suspense_id, who.customer_id, idempotency_key="match", now=NOW)


def _vouchers(context: Context, make: Factory) -> None:
    desk, who = Desk(context, make), make.subscriber(NOW)
    batch = desk.batch(2, now=NOW)
    codes = desk.codes(batch, NOW)
    desk.activate(batch, NOW)
    for code in codes:
        desk.redeem(code, who, NOW)


def _collector(context: Context, make: Factory) -> None:
    book = collections.open_book(
        context, "walker@isp.example", series="AA", first=1, last=50, now=NOW
    )
    who = make.subscriber(NOW)
    collections.take(context, book.book_id, 1, who.customer_id, 20 * UNIT, NOW)
    collections.hand_over(context, book.collector, 20 * UNIT, NOW)


@pytest.mark.rule("M4")
@pytest.mark.parametrize("problem", CORRUPTED)
def test_the_check_finds(world: Database, problem: str) -> None:
    with pytest.raises(_TakenBack), world.transaction() as tx:
        assert books.findings(tx) == []
        assert tx.execute(text(CORRUPTED[problem])).rowcount > 0  # type: ignore[attr-defined]
        found = {one.problem for one in books.findings(tx)}
        assert problem in found
        raise _TakenBack


class _TakenBack(Exception):
    """Nothing of it stays."""
