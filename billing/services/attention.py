"""What needs somebody: counts of what went wrong and waits for a person."""

from __future__ import annotations

from datetime import datetime

from billing.model.views import Attention
from billing.services import upkeep
from billing.services.context import Context
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
