"""The counter where an organisation sells vouchers: the customer in whose journal that is, and what
lapses of them (rule R3)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound
from billing.services.context import Context
from billing.store import catalog, customers, ledger, tables
from billing.store import vouchers as store
from billing.store.guard import Transaction
from billing.store.ledger import Line


def counter_of(context: Context, tx: Transaction, batch: tables.VoucherBatch, now: datetime) -> int:
    """The customer in whose journal is what the batch's organisation sells over the counter; made
    when it is first needed. Raises NotFound (no operator)."""
    found = store.counter(tx, batch.org_id)
    if found is not None:
        return found
    operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    row = tables.Customer(
        org_id=batch.org_id,
        profile_id=batch.profile_id,
        name="Vouchers over the counter",
        created_at=now,
        monthly_statement=False,
    )
    with tx.begin_nested() as attempt:
        customers.insert_customer(tx, row, currency=operator.currency, credit_limit_micros=0)
        made_id = row.customer_id
        if not store.insert_counter(tx, batch.org_id, made_id):
            attempt.rollback()
    return store.counter(tx, batch.org_id) or made_id


def lapse(
    tx: Transaction,
    batch: tables.VoucherBatch,
    counter_id: int,
    micros: int,
    memo: str,
    now: datetime,
) -> None:
    """What was owed for vouchers of the batch is owed no more (rule I6): breakage, without tax, as
    nothing is supplied. The counter is locked."""
    if micros:
        ledger.post(
            tx,
            customer_id=counter_id,
            org_id=batch.org_id,
            kind=ledger.VOUCHER,
            memo=memo,
            lines=[
                Line(ledger.MONEY_VOUCHER, -micros),
                Line(ledger.REVENUE_BREAKAGE, micros),
            ],
            currency=batch.currency,
            now=now,
        )
