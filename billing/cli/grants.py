"""`tollway quota`, `tollway overspend`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.units import show_instant, show_money, show_octets, show_seconds
from billing.model.grants import GrantView, OverspendView, QuotaView
from billing.services import customers
from billing.services import grants as services

_OVERSPEND_HEADINGS = (
    *("user", "used up", "packages", "time over", "data over", "money over", "last use"),
)


@click.command(cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def quota(app: App, username: str, at: datetime) -> None:
    """What the sessions of a subscriber hold of what is left, and what was overspent (Q4)."""
    subscription_id = customers.subscription_id_of(app.context, username)
    view = services.quota_of(app.context, subscription_id, at)
    if app.json:
        app.show(view)
        return
    app.show(view, *_summary(view))
    if view.grants:
        app.show_table(
            view,
            ("session", "NAS", "station", "granted", "used", "left", "valid until", "state"),
            (
                (
                    grant.acct_session_id or grant.session_id or "not begun",
                    grant.nas_name,
                    grant.calling_station,
                    _amount(grant.granted_seconds, grant.granted_octets),
                    _amount(grant.used_seconds, grant.used_octets),
                    _amount(grant.seconds_left, grant.octets_left),
                    show_instant(grant.valid_until),
                    _state(grant),
                )
                for grant in view.grants
            ),
        )
    if view.overspends:
        app.show_table(view, _OVERSPEND_HEADINGS, _overspend_rows(view.overspends))


@click.command(cls=Command)
@click.option("--user", "username", help="Of this subscriber alone.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.pass_obj
def overspend(app: App, username: str | None, limit: int) -> None:
    """What was used after it was used up, latest first (P12, Q4)."""
    found = services.overspends(app.context, username=username, limit=limit)
    app.show_table(found, _OVERSPEND_HEADINGS, _overspend_rows(found))


def _summary(view: QuotaView) -> list[str]:
    if not view.strict:
        return [f"{view.username}: sessions share all that is left"]
    left = _amount(view.reservable_seconds, view.reservable_octets)
    lines = [f"{view.username}: not held by any session: {left}"]
    loose = sorted({grant.nas_name or "?" for grant in view.grants if not grant.enforced})
    if loose:
        lines.append(
            f"no limit of octets at {', '.join(loose)}: sessions there are ended by their reports, "
            "an interval late"
        )
    return lines


def _overspend_rows(found: Sequence[OverspendView]) -> list[tuple[object, ...]]:
    return [
        (
            one.username,
            show_instant(one.exhausted_at),
            _used_up(one),
            show_seconds(one.seconds) if one.wallet_id is None else None,
            show_octets(one.octets) if one.wallet_id is None else None,
            None if one.currency is None else show_money(one.micros, one.currency),
            show_instant(one.last_at),
        )
        for one in found
    ]


def _used_up(one: OverspendView) -> str:
    """The packages, or the wallet, that had nothing left."""
    if one.wallet_id is not None:
        return f"wallet {one.wallet_id}"
    return ", ".join(map(str, one.entitlement_ids)) or "none"


def _amount(seconds: int | None, octets: int | None) -> str:
    parts = [
        text
        for value, text in ((seconds, show_seconds(seconds)), (octets, show_octets(octets)))
        if value is not None and text
    ]
    return ", ".join(parts) or "not limited"


def _state(grant: GrantView) -> str:
    if grant.restricted:
        return f"{grant.state}, restricted speed"
    return f"{grant.state}, nothing more to reserve" if grant.final else grant.state.value
