"""A reseller sells its customers their packages again, many in one go (rule R1).

Each is a sale of its own, in a transaction of its own: what the wallet covers is sold, the rest is
named. Sent again, nobody gets a second one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.resellers import Resold
from billing.services import reseller_sales
from billing.services.context import Context
from billing.store import resellers as store

WITHIN_MOST = timedelta(days=31)


def renew(context: Context, org_id: int, within: timedelta, now: datetime) -> list[Resold]:
    """Sell each customer whose last package ends `within` this time, or ended as long ago, the same
    plan again, from the reseller's wallet; it follows what still runs (rule B4). The first to end
    come first. Raises InvalidInput, NotFound."""
    if not timedelta() < within <= WITHIN_MOST:
        raise InvalidInput(f"must be more than 0 and at most {WITHIN_MOST.days} days",
                           field="within")  # fmt: skip
    with context.transaction() as tx:
        if store.get(tx, org_id) is None:
            raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
        due = store.renewable(tx, org_id, now - within, now + within)
    done = []
    for one in due:
        receipt = problem = None
        try:
            receipt = reseller_sales.sell(
                context,
                one.subscription_id,
                one.plan_id,
                idempotency_key=f"renew:{one.subscription_id}:{one.entitlement_id}",
                now=now,
            )
        except (NotFound, Refused) as error:
            problem = error.message
        done.append(Resold(username=one.username, receipt=receipt, problem=problem))
    return done
