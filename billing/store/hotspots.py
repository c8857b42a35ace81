"""Hotspots of the captive portal (rule B13)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from billing.model.hotspots import HotspotOrder, HotspotView, login_dialect
from billing.store import tables
from billing.store.guard import unique
from billing.store.pool import named_query


def insert(tx: Session, row: tables.Hotspot) -> None:
    """Raises Conflict: the NAS has one."""
    with unique(tx, "this NAS is a hotspot already; see `tollway hotspot list`", field="nas"):
        tx.add(row)


def lock(tx: Session, nas_id: int) -> tables.Hotspot | None:
    """The row, to be changed."""
    return tx.get(tables.Hotspot, nas_id, with_for_update=True, populate_existing=True)


def listed(tx: Session, nas_id: int | None = None) -> list[HotspotView]:
    """By the names of their NAS: all of them, or one."""
    row, nas = tables.Hotspot, tables.Nas
    found = select(row, nas).join(nas, nas.nas_id == row.nas_id).order_by(nas.name)
    if nas_id is not None:
        found = found.where(row.nas_id == nas_id)
    return [
        HotspotView(
            nas_id=one.nas_id,
            org_id=one.org_id,
            key=one.key,
            nas_name=router.name,
            dialect=login_dialect(router.vendor),
            addresses=tuple(one.addresses),
            has_uam_secret=one.uam_secret_sealed is not None,
            created_at=one.created_at,
            closed_at=one.closed_at,
        )
        for one, router in tx.execute(found)
    ]


def by_key(tx: Session, key: str, now: datetime) -> Any | None:
    """A row of hotspot_by_key_v1, whoever asks."""
    found = tx.connection().exec_driver_sql(named_query("hotspot_by_key"), {"key": key, "now": now})
    return found.one_or_none()


def offers(tx: Session, nas_id: int) -> list[tables.HotspotOffer]:
    """What guests of a hotspot may buy."""
    row = tables.HotspotOffer
    return list(tx.scalars(select(row).where(row.nas_id == nas_id).order_by(row.plan_id)))


def lock_offer(tx: Session, nas_id: int, plan_id: int) -> tables.HotspotOffer | None:
    """The row, whose batch may be changed."""
    key = {"nas_id": nas_id, "plan_id": plan_id}
    return tx.get(tables.HotspotOffer, key, with_for_update=True, populate_existing=True)


def add_offer(tx: Session, row: tables.HotspotOffer) -> None:
    """Nothing where it is there."""
    values = {"nas_id": row.nas_id, "plan_id": row.plan_id, "org_id": row.org_id}
    tx.execute(upsert(tables.HotspotOffer).values(values).on_conflict_do_nothing())


def remove_offers(tx: Session, nas_id: int, plan_ids: Collection[int]) -> None:
    row = tables.HotspotOffer
    tx.execute(delete(row).where(row.nas_id == nas_id, row.plan_id.in_(plan_ids)))


def insert_order(tx: Session, row: tables.HotspotOrder) -> None:
    tx.add(row)
    tx.flush()


def order_of_token(tx: Session, token_sha256: str) -> tables.HotspotOrder | None:
    """Of the customer or the organisations that are seen."""
    row = tables.HotspotOrder
    return tx.scalar(select(row).where(row.token_sha256 == token_sha256))


def order_of_payment(tx: Session, customer_id: int, attempt_id: int) -> tables.HotspotOrder | None:
    """What a payment buys; the customer is locked."""
    row = tables.HotspotOrder
    found = select(row).where(row.customer_id == customer_id, row.attempt_id == attempt_id)
    return tx.scalar(found.execution_options(populate_existing=True))


def key_of(tx: Session, nas_id: int) -> str | None:
    """Of a hotspot, in the portal's address."""
    return tx.scalar(select(tables.Hotspot.key).where(tables.Hotspot.nas_id == nas_id))


def forget_codes(tx: Session, issued_before: datetime) -> None:
    """Of orders that were issued so long ago."""
    row = tables.HotspotOrder
    tx.execute(
        update(row)
        .where(row.code_sealed.is_not(None), row.issued_at < issued_before)
        .values(code_sealed=None)
    )


def orders(tx: Session, wanted: str, most: int) -> list[HotspotOrder]:
    """The newest; `wanted`: only those with this address, phone number, number of the payment or
    the voucher, or reference of the provider."""
    row, payer, attempt = tables.HotspotOrder, tables.Customer, tables.PaymentAttempt
    found = (
        select(row, payer.email, payer.phone, attempt.state)
        .join(payer, payer.customer_id == row.customer_id)
        .join(
            attempt,
            (attempt.customer_id == row.customer_id) & (attempt.attempt_id == row.attempt_id),
        )
        .order_by(row.created_at.desc(), row.order_id.desc())
        .limit(most)
    )
    if wanted:
        number = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 18 else 0
        found = found.where(
            (func.lower(payer.email) == wanted.lower())
            | (payer.phone == wanted)
            | (attempt.provider_ref == wanted)
            | (row.attempt_id == number)
            | (row.serial == number)
        )
    return [
        order_view(one, email=email, phone=phone, state=state)
        for one, email, phone, state in tx.execute(found)
    ]


def order_view(
    row: tables.HotspotOrder,
    *,
    email: str | None = None,
    phone: str | None = None,
    state: str = "",
    code: str | None = None,
) -> HotspotOrder:
    """The row as services hand it out, without what is sealed."""
    return HotspotOrder(
        order_id=row.order_id,
        customer_id=row.customer_id,
        org_id=row.org_id,
        nas_id=row.nas_id,
        plan_name=row.plan_name,
        price_micros=row.price_micros,
        currency=row.currency,
        attempt_id=row.attempt_id,
        serial=row.serial,
        problem=row.problem,
        created_at=row.created_at,
        issued_at=row.issued_at,
        email=email,
        phone=phone,
        state=state,
        code=code,
    )
