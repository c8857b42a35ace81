"""A bill comes to be: its rows, its number, the entry that makes it owed (rules B7, I2, M4)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import NotFound
from billing.model.profile import BillingProfile
from billing.model.views import OperatorView
from billing.rules.cycles import due_on, local_day
from billing.rules.taxes import Charge
from billing.store import catalog, invoices, ledger, tables
from billing.store.guard import Transaction
from billing.store.ledger import Line


def operator_of(tx: Transaction) -> OperatorView:
    """The installation's one operator. Raises NotFound before `tollway migrate` made it."""
    operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    return operator


def write_bill(
    tx: Transaction,
    row: tables.Subscription,
    profile: BillingProfile,
    amount: Charge,
    cycle: tuple[date, date],
    text: str,
    now: datetime,
) -> tables.Invoice:
    """The bill's rows, numbered, and the entry that makes it owed; nothing is settled yet."""
    operator = operator_of(tx)
    number = invoices.next_number(tx, row.org_id)
    return invoices.insert_invoice(
        tx,
        tables.Invoice(
            customer_id=row.customer_id,
            org_id=row.org_id,
            number=number,
            subscription_id=row.subscription_id,
            issued_at=now,
            due_on=due_on(profile, local_day(now, operator.time_zone), cycle[0]),
            cycle_from=cycle[0],
            cycle_until=cycle[1],
            total_micros=amount.total.amount_micros,
            tax_micros=amount.tax.amount_micros,
            rounding_micros=amount.rounding.amount_micros,
            paid_micros=0,
            currency=amount.total.currency,
            entry_id=_post_issue(tx, row, amount, number, now),
        ),
        [(text, amount.net.amount_micros, profile.tax_rate_ppm)],
    )


def _post_issue(
    tx: Transaction, row: tables.Subscription, amount: Charge, number: str, now: datetime
) -> int | None:
    """What is owed from the issue on (rule M4); None for a bill of nothing."""
    if not amount.total.amount_micros:
        return None
    return ledger.post(
        tx,
        customer_id=row.customer_id,
        org_id=row.org_id,
        kind="issue",
        memo=f"issued {number}",
        lines=[
            Line(ledger.RECEIVABLE, -amount.total.amount_micros),
            Line(ledger.REVENUE_BILL, amount.net.amount_micros),
            Line(ledger.TAX, amount.tax.amount_micros),
            Line(ledger.ROUNDING, amount.rounding.amount_micros),
        ],
        currency=amount.total.currency,
        now=now,
    )
