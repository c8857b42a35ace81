"""Sessions that held an address (rule U12)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.model.who_had import Holding, WantedAddress
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
