"""What a verified login takes, one statement a batch (rules A1, A6, A7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.model.events import Admitted, LoginRecord
from billing.store.arrays import columns
from billing.store.hotpath import HotConnection, login_row
from billing.store.pool import named_query


def admit_logins(
    lane: HotConnection, logins: Sequence[LoginRecord], now: datetime
) -> list[Admitted]:
    """Take slots and addresses, start first-login packages, write the history; in their order.

    Safe to repeat: the same station gets the same slot and address again.
    """
    rows = [
        (
            *login_row(login),
            str(login.session_limit),
            str(login.pool_id),
            str(login.silence_seconds),
        )
        for login in logins
    ]
    found = lane.fetch(named_query("admit_logins"), (now, *columns(rows)))
    found.sort(key=_ord)
    return [Admitted(row.reason, row.address, row.netmask) for row in found]


def load_pools(lane: HotConnection) -> list[Any]:
    """Every organisation with its parent and its pools; empty where there is no pool at all."""
    return lane.fetch(named_query("load_pools"), ())


def _ord(row: Any) -> int:
    return int(row.ord)
