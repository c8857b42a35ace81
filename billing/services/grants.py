"""Who holds what of an allowance, and what was used past it, for people to see (rule Q4)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound
from billing.model.grants import OverspendView, QuotaView
from billing.model.network import dialect_of, ends_at_octets
from billing.model.plan import Sharing
from billing.services.context import Context
from billing.services.customers import subscription_id_of
from billing.store import catalog, customers
from billing.store import grants as store

GRANTS_SHOWN = 50
OVERSPENDS_SHOWN = 20


def quota_of(context: Context, subscription_id: int, now: datetime) -> QuotaView:
    """Raises NotFound."""
    with context.transaction() as tx:
        row = customers.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        plan = row.plan_version_id and catalog.get_terms(tx, row.plan_version_id)
        seconds, octets = store.reservable(tx, row.customer_id, subscription_id, now)
        return QuotaView(
            username=row.username,
            strict=row.reserves or bool(plan and plan.sharing is Sharing.STRICT),
            reservable_seconds=seconds,
            reservable_octets=octets,
            grants=tuple(store.grants_of(tx, row.customer_id, subscription_id, GRANTS_SHOWN)),
            overspends=tuple(
                store.overspends(
                    tx,
                    customer_id=row.customer_id,
                    subscription_id=subscription_id,
                    everything=True,
                    limit=OVERSPENDS_SHOWN,
                )
            ),
        )


def overspends(
    context: Context, *, username: str | None = None, limit: int = 50
) -> list[OverspendView]:
    """What was used after it was used up, latest first, of one subscriber or of all. Raises
    NotFound."""
    number = None if username is None else subscription_id_of(context, username)
    with context.transaction() as tx:
        return store.overspends(tx, subscription_id=number, everything=False, limit=limit)


def unenforced(context: Context) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Plans with strict sharing, and the NAS that do not end a session at a number of octets by
    themselves, each with what is spoken to it: there the meter ends it, an interval late."""
    with context.transaction() as tx:
        found = store.strict_plans(tx)
    unable = tuple(
        f"{name} ({dialect_of(vendor)})"
        for name, vendor in zip(found.nas_names, found.vendors, strict=True)
        if not ends_at_octets(vendor)
    )
    return tuple(found.plans), unable
