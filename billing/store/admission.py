"""What a verified login takes, one statement a batch (rules A1, A6, A7, Q4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.model.events import Admitted, LoginRecord
from billing.model.grants import GrantLimits
from billing.store.arrays import columns
from billing.store.hotpath import HotConnection, login_row
from billing.store.pool import named_query


def admit_logins(
    lane: HotConnection, logins: Sequence[LoginRecord], now: datetime
) -> list[Admitted]:
    """Take slots, grants and addresses, start first-login packages, write the history; in their
    order.

    Safe to repeat: the same station gets the same slot and address again, and another grant.
    """
    rows = [
        (
            *login_row(login),
            str(login.session_limit),
            str(login.pool_id),
            str(login.silence_seconds),
            str(login.grant_version_id),
            str(int(login.nas_can)),
        )
        for login in logins
    ]
    found = lane.fetch(named_query("admit_logins"), (now, *columns(rows)))
    found.sort(key=_ord)
    return [_admitted(row) for row in found]


def _admitted(row: Any) -> Admitted:
    if row.reservation_id is None:
        return Admitted(row.reason, row.address, row.netmask)
    grant = GrantLimits(
        seconds=row.limit_seconds,
        octets=row.granted_octets,
        input_octets=row.limit_input_octets,
        output_octets=row.limit_output_octets,
    )
    return Admitted(row.reason, row.address, row.netmask, row.reservation_id, grant)


def load_pools(lane: HotConnection) -> list[Any]:
    """Every organisation with its parent and its pools; empty where there is no pool at all."""
    return lane.fetch(named_query("load_pools"), ())


def _ord(row: Any) -> int:
    return int(row.ord)
