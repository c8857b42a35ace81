"""Gateways, saved methods, and money that is nobody's yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.method_setups import MethodView
from billing.model.payments import GatewayView, SuspenseView
from billing.store import tables
from billing.store.pool import named_query


def insert_gateway(tx: Session, row: tables.Gateway) -> int:
    """Returns its number; its secrets are sealed afterwards, bound to it."""
    tx.add(row)
    tx.flush()
    return row.gateway_id


def gateway(tx: Session, gateway_id: int) -> tables.Gateway | None:
    return tx.get(tables.Gateway, gateway_id, populate_existing=True)


def named(tx: Session, name: str) -> list[tables.Gateway]:
    """Those of this name, each of another organisation."""
    found = select(tables.Gateway).where(tables.Gateway.name == name)
    return list(tx.scalars(found.order_by(tables.Gateway.org_id)))


def all_gateways(tx: Session) -> list[tables.Gateway]:
    return list(tx.scalars(select(tables.Gateway).order_by(tables.Gateway.gateway_id)))


def by_hook(tx: Session, token: str) -> tuple[int, int, tuple[int, ...]] | None:
    """Number, organisation and organisations served of the gateway with this token."""
    rows = tx.connection().exec_driver_sql(named_query("gateway_of_hook"), {"token": token})
    row = rows.first()
    return None if row is None else (row.gateway_id, row.org_id, tuple(row.org_ids))


def organisations_served(tx: Session, org_id: int) -> list[int]:
    """The organisation of a gateway and those below it."""
    rows = tx.connection().exec_driver_sql(named_query("organisations_below"), {"org_id": org_id})
    return [row.org_id for row in rows]


def organisations_above(tx: Session, org_id: int) -> tuple[int, ...]:
    """An organisation and those above it, whoever asks."""
    rows = tx.connection().exec_driver_sql(named_query("organisations_above"), {"org_id": org_id})
    return tuple(rows.scalar_one())


def save_method(tx: Session, row: tables.PaymentMethod) -> int:
    """Its number; a method that is on file already keeps its own. The first is the default. The
    customer is locked."""
    table = tables.PaymentMethod
    known = tx.scalar(
        select(table).where(
            table.customer_id == row.customer_id,
            table.gateway_id == row.gateway_id,
            table.reference == row.reference,
            table.removed_at.is_(None),
        )
    )
    if known is not None:
        known.label, known.payer = row.label, row.payer or known.payer
        known.expires_on = row.expires_on or known.expires_on
        return known.method_id
    row.is_default = not methods_of(tx, row.customer_id)
    tx.add(row)
    tx.flush()
    return row.method_id


def method(tx: Session, customer_id: int, method_id: int) -> tables.PaymentMethod | None:
    """One on file or removed."""
    key = {"customer_id": customer_id, "method_id": method_id}
    return tx.get(tables.PaymentMethod, key, populate_existing=True)


def is_on_file(tx: Session, customer_id: int, gateway_id: int, reference: str) -> bool:
    """Whether a method with this reference of the provider is on file."""
    table = tables.PaymentMethod
    chosen = select(table.method_id).where(
        table.customer_id == customer_id,
        table.gateway_id == gateway_id,
        table.reference == reference,
        table.removed_at.is_(None),
    )
    return tx.scalar(chosen.limit(1)) is not None


def due_detachments(tx: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    """Customer and number of removed methods whose provider is to be told, longest due first."""
    table = tables.PaymentMethod
    rows = tx.execute(
        select(table.customer_id, table.method_id)
        .where(table.detach_at <= now)
        .order_by(table.detach_at, table.method_id)
        .limit(limit)
    )
    return [(row.customer_id, row.method_id) for row in rows]


def methods_of(tx: Session, customer_id: int) -> list[MethodView]:
    """Those on file, oldest first."""
    table = tables.PaymentMethod
    rows = tx.scalars(
        select(table)
        .where(table.customer_id == customer_id, table.removed_at.is_(None))
        .order_by(table.method_id)
    )
    return [
        MethodView(
            customer_id=row.customer_id,
            method_id=row.method_id,
            gateway_id=row.gateway_id,
            label=row.label,
            created_at=row.created_at,
            expires_on=row.expires_on,
            is_default=row.is_default,
        )
        for row in rows
    ]


def make_default(tx: Session, customer_id: int, method_id: int | None) -> None:
    """This one and no other; None: none. The customer is locked."""
    table = tables.PaymentMethod
    tx.flush()
    for chosen, value in (
        (table.is_default, False),
        (table.method_id == method_id, True),
    ):
        tx.execute(
            update(table)
            .where(table.customer_id == customer_id, chosen)
            .values(is_default=value)
            .execution_options(synchronize_session=False)
        )


def payer_at(tx: Session, customer_id: int, gateway_id: int) -> str | None:
    """The provider's reference of the customer, from a method that it has or had there."""
    table = tables.PaymentMethod
    return tx.scalar(
        select(table.payer)
        .where(
            table.customer_id == customer_id,
            table.gateway_id == gateway_id,
            table.payer.is_not(None),
        )
        .order_by(table.method_id.desc())
        .limit(1)
    )


def put_in_suspense(tx: Session, row: dict[str, object]) -> bool:
    """Money of nobody, each reference of a gateway or channel once; False: it is there already."""
    table = tables.Suspense
    statement = (
        insert(table)
        .values(row)
        .on_conflict_do_nothing(index_elements=["org_id", "gateway_id", "channel", "reference"])
    )
    return tx.execute(statement.returning(table.suspense_id)).first() is not None


def suspense(tx: Session, suspense_id: int) -> tables.Suspense | None:
    """Locked."""
    table = tables.Suspense
    return tx.scalar(
        select(table)
        .where(table.suspense_id == suspense_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def suspended(
    tx: Session, *, everything: bool, after: int | None, limit: int
) -> list[SuspenseView]:
    """Oldest first, behind the one with the number `after`; `everything`: what was moved in whole,
    too."""
    table = tables.Suspense
    chosen = select(table).order_by(table.received_at, table.suspense_id).limit(limit)
    if after is not None:
        came = select(table.received_at).where(table.suspense_id == after).scalar_subquery()
        chosen = chosen.where(tuple_(table.received_at, table.suspense_id) > tuple_(came, after))
    if not everything:
        chosen = chosen.where(table.moved_micros < table.amount_micros)
    return [suspense_view(row) for row in tx.scalars(chosen)]


def insert_move(tx: Session, row: tables.SuspenseMove) -> None:
    tx.add(row)
    tx.flush()


def gateway_view(row: tables.Gateway) -> GatewayView:
    return GatewayView(
        gateway_id=row.gateway_id,
        org_id=row.org_id,
        name=row.name,
        adapter=row.adapter,
        channel=row.channel,
        settings=dict(row.settings),
        hook_token=row.hook_token,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def suspense_view(row: tables.Suspense) -> SuspenseView:
    return SuspenseView(
        suspense_id=row.suspense_id,
        org_id=row.org_id,
        channel=row.channel,
        amount_micros=row.amount_micros,
        currency=row.currency,
        reference=row.reference,
        note=row.note,
        received_at=row.received_at,
        left_micros=row.amount_micros - row.moved_micros,
    )
