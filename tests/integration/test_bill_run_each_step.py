"""A bill run that is killed before each statement and each commit that it makes, one after the
other: no bill twice, no gap, no entry missing (rules B7, I2, M4)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event, select

from billing.model.commerce import MoneyChannel
from billing.services import bill_run, books, parking, sales
from billing.services.context import Context
from billing.store import tables
from billing.store.pool import Database
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)
TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, price_micros=30_000_000)
CUSTOMERS = 3


@pytest.mark.rule("B7", "I2", "M4")
def test_it_may_die_at_every_step(
    context: Context, make: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "PAGE", 1)  # a transaction a customer
    owners = [make.subscriber(CREATED, profile=TENTH, plan=HOME) for _ in range(CUSTOMERS)]
    # One pays from its wallet: its bill is settled in the same transaction.
    sales.topup(
        context,
        owners[0].customer_id,
        60_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="paid",
        now=CREATED,
    )
    before = len(bills(context, owners))
    step = 0
    counts = [before]
    while not _finishes(context, step := step + 1):
        assert books.check_ledger(context, APRIL).findings == (), f"killed at step {step}"
        counts.append(len(bills(context, owners)))
    assert step > 40
    # It was killed before the first bill, between any two, and after the last.
    assert set(counts) >= {before + number for number in range(CUSTOMERS + 1)}
    issued = bills(context, owners)
    assert len(issued) == before + CUSTOMERS
    assert len({(one.customer_id, one.cycle_from) for one in issued}) == len(issued)
    with context.transaction() as tx:
        numbers = sorted(
            int(one.removeprefix("INV-"))
            for one in tx.scalars(select(tables.Invoice.number).where(tables.Invoice.org_id == 1))
        )
        told = tx.scalars(
            select(tables.Message.idempotency_key).where(
                tables.Message.customer_id.in_([one.customer_id for one in owners]),
                tables.Message.kind == "invoice_issued",
            )
        ).all()
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(told) == len(set(told)) == len(issued)
    assert books.check_ledger(context, APRIL).findings == ()


def bills(context: Context, owners: list[Subscriber]) -> list[tables.Invoice]:
    row = tables.Invoice
    with context.transaction() as tx:
        found = select(row).where(row.customer_id.in_([one.customer_id for one in owners]))
        return list(tx.scalars(found))


def _finishes(context: Context, step: int) -> bool:
    """A run in a process of its own that is killed at its statement or commit of this number;
    whether it came to its end before."""
    forked = multiprocessing.get_context("fork").Process(target=_run, args=(context, step))
    forked.start()
    forked.join(60)
    assert forked.exitcode in (0, -signal.SIGKILL), forked.exitcode
    return forked.exitcode == 0


def _run(context: Context, step: int) -> None:
    left = step

    def die(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(context.db.dsn)
    event.listen(Engine, "before_cursor_execute", die)
    event.listen(Engine, "commit", die)
    bill_run.run(replace(context, db=database), APRIL)
    os._exit(0)
