"""Checks of where, when and how often a subscription may log in, when it is made and later (A4)."""

from __future__ import annotations

from datetime import datetime

from billing.model.access_settings import AccessSettings
from billing.services import pools
from billing.services.identity import (
    checked_address,
    checked_login_hours,
    checked_mac,
    checked_number,
)
from billing.store import tables
from billing.store.guard import Transaction


def checked_settings(
    tx: Transaction,
    wanted: AccessSettings,
    *,
    org_id: int,
    now: datetime,
    username: str,
) -> AccessSettings:
    """In their stored form. Raises InvalidInput; Conflict where somebody but `username` has the
    address from a pool of ours."""
    checked_number(wanted.session_limit, "session_limit")
    macs = tuple(sorted({checked_mac(mac) for mac in wanted.macs}))
    hours = None if wanted.login_hours is None else checked_login_hours(wanted.login_hours)
    address = None if wanted.framed_ip is None else checked_address(wanted.framed_ip)
    if address is not None:
        pools.check_not_leased(tx, org_id, address, now, username)
    return AccessSettings(
        macs=macs,
        nas_ids=tuple(sorted(set(wanted.nas_ids))),
        login_hours=hours,
        session_limit=wanted.session_limit,
        framed_ip=address,
    )


def write_settings(row: tables.Subscription, settings: AccessSettings) -> None:
    """Into the columns of the subscription."""
    row.allowed_macs = list(settings.macs) or None
    row.allowed_nas_ids = list(settings.nas_ids) or None
    row.login_hours = settings.login_hours
    row.session_limit = settings.session_limit
    row.framed_ip = settings.framed_ip


def settings_of(row: tables.Subscription) -> AccessSettings:
    """As they are stored."""
    return AccessSettings(
        macs=tuple(row.allowed_macs or ()),
        nas_ids=tuple(row.allowed_nas_ids or ()),
        login_hours=row.login_hours,
        session_limit=row.session_limit,
        framed_ip=None if row.framed_ip is None else str(row.framed_ip),
    )
