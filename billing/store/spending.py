"""Wallets and packages that somebody wants to be told of, and what was spent (rules P6, P14)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from billing.model.payments import PaymentPurpose
from billing.store import tables
from billing.store.pool import named_query


def watched_wallets(tx: Session, customer_id: int) -> list[tables.Wallet]:
    """The customer's wallets with an alert, a cap or auto-recharge, as stored now; the customer is
    locked."""
    wallet, recharge = tables.Wallet, tables.AutoRecharge
    statement = select(wallet).where(
        wallet.customer_id == customer_id,
        or_(
            wallet.alert_percent.is_not(None),
            func.cardinality(wallet.usage_alert_percents) > 0,
            wallet.cap_micros.is_not(None),
            exists().where(
                recharge.customer_id == customer_id, recharge.wallet_id == wallet.wallet_id
            ),
        ),
    )
    ordered = statement.order_by(wallet.wallet_id).execution_options(populate_existing=True)
    return list(tx.scalars(ordered))


def wallet(tx: Session, customer_id: int, wallet_id: int) -> tables.Wallet | None:
    """One wallet as stored now."""
    key = {"customer_id": customer_id, "wallet_id": wallet_id}
    return tx.get(tables.Wallet, key, populate_existing=True)


def spent_micros(
    tx: Session, customer_id: int, wallet_id: int, first_day: date, since: datetime
) -> int:
    """What was spent from a wallet from a local day on, which begins at `since` (rule P14)."""
    found = tx.connection().exec_driver_sql(
        named_query("spent_from_wallet"),
        {
            "customer_id": customer_id,
            "wallet_id": wallet_id,
            "first_day": first_day,
            "since": since,
        },
    )
    return int(found.scalar_one())


def packages_to_tell(
    tx: Session, customer_id: int, subscription_ids: Sequence[int], now: datetime
) -> list[tuple[tables.Entitlement, str]]:
    """Limited packages that have begun and go on, or were used up since they were armed, with the
    names of their plans; the customer is locked."""
    package = tables.Entitlement
    statement = (
        select(package, tables.Plan.name)
        .join(tables.PlanVersion, tables.PlanVersion.plan_version_id == package.plan_version_id)
        .join(tables.Plan, tables.Plan.plan_id == tables.PlanVersion.plan_id)
        .where(
            package.customer_id == customer_id,
            package.subscription_id.in_(subscription_ids),
            or_(package.seconds_total.is_not(None), package.octets_total.is_not(None)),
            or_(
                package.ended_at.is_(None),
                package.alert_seconds_left.is_not(None),
                package.alert_octets_left.is_not(None),
            ),
            or_(package.valid_until.is_(None), package.valid_until > now),
        )
        .order_by(package.entitlement_id)
        .execution_options(populate_existing=True)
    )
    return [(row, name) for row, name in tx.execute(statement)]


def missed_alerts(tx: Session, customer_ids: Sequence[int], now: datetime) -> list[int]:
    """Those of these customers who have a wallet below its alert or at its recharge, or a package
    below its next level, as an event should have seen (rules P6, P7, P13)."""
    rows = tx.connection().exec_driver_sql(
        named_query("missed_alerts"), {"customer_ids": list(customer_ids), "now": now}
    )
    return [row.customer_id for row in rows]


def told_and_recharged(tx: Session, customer_id: int) -> tuple[int, int]:
    """How many messages a customer was ever sent, and recharges begun for it."""
    message, payment = tables.Message, tables.PaymentAttempt
    told = select(func.count()).where(message.customer_id == customer_id)
    begun = select(func.count()).where(
        payment.customer_id == customer_id, payment.purpose == PaymentPurpose.RECHARGE
    )
    return tx.scalar(told) or 0, tx.scalar(begun) or 0


def charged_micros(
    tx: Session, customer_id: int, subscription_ids: Collection[int], first_day: date
) -> int:
    """What the meter has charged for usage of these subscriptions from a local day on."""
    usage = tables.DailyUsage
    total = select(func.coalesce(func.sum(usage.charged_micros), 0)).where(
        usage.customer_id == customer_id,
        usage.subscription_id.in_(subscription_ids),
        usage.local_day >= first_day,
    )
    return int(tx.scalar(total) or 0)
