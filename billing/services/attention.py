"""What needs somebody: counts of what went wrong and waits for a person."""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound
from billing.model.views import Attention
from billing.services import upkeep
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.store import billing_jobs, books
from billing.store import messages as messages_store


def needed(context: Context, now: datetime) -> Attention:
    """Within the actor's organisations: customers that jobs could not serve, messages of the last
    week given up, findings of the last check of the ledger, orders of the last day that failed."""
    with context.together() as joined, joined.transaction() as tx:
        report = books.last_report(tx)
        return Attention(
            parked=len({one.customer_id for one in billing_jobs.parked(tx, None)}),
            messages=messages_store.figures(tx, now).given_up,
            findings=len(report.findings) if report else 0,
            orders=upkeep.orders_by_state(joined, now)["failed"],
        )


def dismiss(context: Context, job: str, customer_id: int, now: datetime) -> None:
    """Somebody has seen to it: off the list. The next run puts back whom it still cannot serve.
    Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        if not billing_jobs.unpark(tx, job, [customer_id]):
            raise NotFound(f"customer {customer_id} is not parked by {job}", field="customer")
        audit_customer(context, tx, customer, "customer.unpark", now, {"job": job})
