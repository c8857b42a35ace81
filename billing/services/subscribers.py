"""Looking at subscribers: search, the page of one, its usage and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.account import Upcoming
from billing.model.views import (
    SessionView,
    SubscriptionPage,
    SubscriptionRow,
    SubscriptionView,
    UsageView,
)
from billing.rules.cycles import local_day
from billing.services import renewals
from billing.services.context import Context
from billing.services.explain import states
from billing.services.identity import checked_optional
from billing.store import catalog, grants, invoices, nas, sessions, tables, usage
from billing.store import customers as store
from billing.store.accounts import load_accounts
from billing.store.entitlements import entitlements_of
from billing.store.guard import Transaction

PAGE_LIMIT = 500


def search(
    context: Context,
    text: str,
    now: datetime,
    *,
    after: str | None = None,
    limit: int = 50,
    closed: bool = False,
) -> SubscriptionPage:
    """Subscriptions by user name whose name, customer, email, phone, MAC or address contains
    `text` (MAC whole, addresses by their beginning); '' lists all. `after`: the last page's
    `next_after`. Raises InvalidInput.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(f"must be 1 to {PAGE_LIMIT}", field="limit")
    wanted = checked_optional(text, "text") or ""
    with context.transaction() as tx:
        found = store.search(tx, wanted, after=after, limit=limit + 1, closed=closed)
        page = found[:limit]
        listed = rows(tx, context, [subscription_id for subscription_id, _ in page], now)
    return SubscriptionPage(rows=listed, next_after=page[-1][1] if len(found) > limit else None)


def show(context: Context, subscription_id: int, now: datetime) -> SubscriptionView:
    """Everything about one subscription but its secret. Raises NotFound."""
    with context.transaction() as tx:
        row = _one(tx, subscription_id)
        customer = store.customer_view(tx, row.customer_id)
        if customer is None:
            raise NotFound("the subscription's customer is outside of what you may see")
        return SubscriptionView(
            row=rows(tx, context, [subscription_id], now)[0],
            customer=customer,
            wallet=next(w for w in customer.wallets if w.wallet_id == row.wallet_id),
            plan=None
            if row.plan_version_id is None
            else catalog.get_terms(tx, row.plan_version_id),
            profile=store.effective_profile(tx, row),
            credential=_credential_kind(row),
            speed_up_kbps=row.speed_up_kbps,
            speed_down_kbps=row.speed_down_kbps,
            slowed_after_octets=row.capped_by_octets,
            slowed_up_kbps=row.capped_up_kbps,
            slowed_down_kbps=row.capped_down_kbps,
            allowed_nas_ids=None if row.allowed_nas_ids is None else tuple(row.allowed_nas_ids),
            allowed_nas_names=nas.names_of(tx, row.allowed_nas_ids or ()),
            allowed_macs=None if row.allowed_macs is None else tuple(row.allowed_macs),
            login_hours=row.login_hours,
            session_limit=row.session_limit,
            own_reply=store.own_reply(row),
            created_at=row.created_at,
            hold_note=row.hold_note,
            hold_until=row.hold_until,
            hold_behaviour=row.hold_behaviour,
            paused_at=row.paused_at,
            on_hold_since=row.on_hold_since,
            renews=row.renews,
            upcoming=_upcoming(tx, row, now),
            entitlements=tuple(entitlements_of(tx, row.customer_id, subscription_id, now)),
            sessions=tuple(
                sessions.sessions_of(
                    tx, row.customer_id, subscription_id, now, open_only=True, limit=100
                )
            ),
            unpaid_bills=tuple(invoices.unpaid(tx, row.customer_id, subscription_id)),
        )


OVERSPENDS_SHOWN = 5


def usage_of(context: Context, subscription_id: int, now: datetime, *, days: int = 31) -> UsageView:
    """What is left, totals, and the latest `days` local days with usage. Raises NotFound."""
    with context.transaction() as tx:
        row = _one(tx, subscription_id)
        operator = catalog.operator(tx)
        if operator is None:
            raise NotFound("the installation has no operator yet; run `tollway migrate`")
        today = local_day(now, operator.time_zone)
        slices = usage.days_of(tx, row.customer_id, subscription_id, today)
        listed = sorted({part.day for part in slices}, reverse=True)[:days]
        return UsageView(
            row=rows(tx, context, [subscription_id], now)[0],
            currency=operator.currency,
            days=tuple(part for part in slices if listed and part.day >= listed[-1]),
            seconds=sum(part.seconds for part in slices),
            input_octets=sum(part.input_octets for part in slices),
            output_octets=sum(part.output_octets for part in slices),
            charged_micros=sum(part.charged_micros for part in slices),
            overspends=tuple(
                grants.overspends(
                    tx,
                    customer_id=row.customer_id,
                    subscription_id=subscription_id,
                    everything=False,
                    limit=OVERSPENDS_SHOWN,
                )
            ),
        )


def sessions_of(
    context: Context,
    subscription_id: int,
    now: datetime,
    *,
    open_only: bool = False,
    limit: int = 50,
) -> list[SessionView]:
    """Sessions that began by `now`, newest first. Raises NotFound."""
    with context.transaction() as tx:
        row = _one(tx, subscription_id)
        return sessions.sessions_of(
            tx, row.customer_id, subscription_id, now, open_only=open_only, limit=limit
        )


def _one(tx: Transaction, subscription_id: int) -> tables.Subscription:
    row = store.get_subscription(tx, subscription_id)
    if row is None:
        raise NotFound(f"no subscription has the number {subscription_id}", field="subscription")
    return row


def _upcoming(tx: Transaction, row: tables.Subscription, now: datetime) -> Upcoming | None:
    if not (row.renews or store.effective_profile(tx, row).recurring_prepaid):
        return None
    accounts = load_accounts(tx, None, [row.subscription_id], now)
    return renewals.foreseen(tx, accounts, now).get(row.subscription_id)


def rows(
    tx: Transaction, context: Context, subscription_ids: Sequence[int], now: datetime
) -> tuple[SubscriptionRow, ...]:
    """These subscriptions as a list shows them, with their states, by user name."""
    if not subscription_ids:
        return ()
    state_of = states(tx, context, subscription_ids, now)
    return tuple(
        SubscriptionRow(state=state_of[row.subscription_id], **asdict(row))
        for row in store.listed(tx, subscription_ids, now)
    )


def _credential_kind(row: tables.Subscription) -> str:
    for name, value in (
        ("sealed", row.secret_sealed),
        ("nt_hash", row.nt_hash),
        ("pbkdf2", row.pbkdf2),
    ):
        if value is not None:
            return name
    return "none"
