"""How organisations' bills look (rule I3)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.designs import Block, CardBlock, CardDesign, InvoiceDesign
from billing.store import tables


def get(tx: Session, org_id: int) -> InvoiceDesign | None:
    """An organisation's own."""
    row = tx.get(tables.InvoiceDesign, org_id)
    if row is None:
        return None
    return InvoiceDesign(
        accent=row.accent,
        blocks=tuple(Block(name) for name in row.blocks),
        logo=row.logo,
        footer=row.footer,
        css=row.css,
        template=row.template,
    )


def put(tx: Session, org_id: int, design: InvoiceDesign, now: datetime) -> None:
    """In place of the one it had."""
    values = asdict(design) | {"blocks": [block.value for block in design.blocks]}
    values["changed_at"] = now
    statement = insert(tables.InvoiceDesign).values(org_id=org_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


def remove(tx: Session, org_id: int) -> None:
    tx.execute(delete(tables.InvoiceDesign).where(tables.InvoiceDesign.org_id == org_id))


def cards(tx: Session, org_id: int) -> CardDesign | None:
    """An organisation's own for vouchers."""
    row = tx.get(tables.VoucherDesign, org_id)
    if row is None:
        return None
    return CardDesign(
        accent=row.accent,
        paper=row.paper,
        blocks=tuple(CardBlock(name) for name in row.blocks),
        width_mm=row.width_mm,
        height_mm=row.height_mm,
        logo=row.logo,
        text=row.text,
        css=row.css,
    )


def put_cards(tx: Session, org_id: int, design: CardDesign, now: datetime) -> None:
    """In place of the one it had."""
    values = asdict(design) | {"blocks": [block.value for block in design.blocks]}
    values["changed_at"] = now
    statement = insert(tables.VoucherDesign).values(org_id=org_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


def remove_cards(tx: Session, org_id: int) -> None:
    tx.execute(delete(tables.VoucherDesign).where(tables.VoucherDesign.org_id == org_id))
