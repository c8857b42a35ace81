"""Sessions that held an address (rule U12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.model.who_had import Holding, NatBlock, WantedAddress
from billing.store.pool import named_query


def holdings(
    tx: Session, wanted: WantedAddress, at: datetime, tolerance: timedelta, limit: int
) -> list[Holding]:
    """Those that held it within the tolerance, those of the instant itself first."""
    rows = tx.execute(
        text(named_query("who_had")),
        {
            "ipv4": wanted.ipv4,
            "ipv6": wanted.ipv6,
            "prefixes": list(wanted.prefixes),
            "interface_id": wanted.interface_id,
            "at": at,
            "since": at - tolerance,
            "until": at + tolerance,
            "limit": limit,
        },
    )
    return [Holding(**row._mapping) for row in rows]


def nat_blocks(
    tx: Session, address: str, port: int, at: datetime, tolerance: timedelta, limit: int
) -> list[NatBlock]:
    """Port blocks that an outer address and port belonged to within the tolerance."""
    rows = tx.execute(
        text(named_query("nat_blocks")),
        {
            "address": address,
            "port": port,
            "first": at - tolerance,
            "last": at + tolerance,
            "limit": limit,
        },
    )
    return [NatBlock(**row._mapping) for row in rows]


def import_blocks(tx: Session, org_id: int, blocks: Sequence[NatBlock]) -> tuple[int, int]:
    """Store blocks, none twice; returns how many were added, and how many end otherwise now."""
    columns = {
        field.name: [getattr(one, field.name) for one in blocks] for field in fields(NatBlock)
    }
    row = tx.execute(text(named_query("import_nat_blocks")), {"org_id": org_id, **columns}).one()
    return row.added, row.changed
