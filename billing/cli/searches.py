"""`tollway who-had`, `tollway logins`, `tollway dead-letters`: what was stored, read by people."""

from __future__ import annotations

from datetime import date, datetime

import click

from billing.cli.app import App, Command
from billing.cli.units import DAY, INSTANT, SECONDS, show_instant
from billing.clock import utc_now
from billing.model.decision import Reason
from billing.model.logins import LoginOutcome
from billing.model.who_had import Certainty, Holder
from billing.services import dead_letters as letters_service
from billing.services import logins as logins_service
from billing.services import who_had as who_had_service

_CERTAINTY = {
    Certainty.THEN: "yes",
    Certainty.SILENT: "not heard of since",
    Certainty.NEAR: "near it only",
}


@click.command("who-had", cls=Command)
@click.argument("address")
@click.option("--at", type=INSTANT, required=True, help="The instant (UTC unless it says).")
@click.option("--reason", required=True, help="Why it is asked: it stays in the audit log.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of an outer address of a NAT.")
@click.option(
    "--tolerance",
    type=SECONDS,
    default=who_had_service.TOLERANCE_SECONDS,
    show_default="1 min",
    help="How far around the instant is searched, like 5m.",
)
@click.pass_obj
def who_had(
    app: App, address: str, at: datetime, reason: str, port: int | None, tolerance: int
) -> None:
    """Who had an IPv4 or IPv6 address (or all of an IPv6 prefix) at a time; with --port, who had it
    behind carrier-grade NAT, by port blocks that were imported. Every request is in the audit log
    with its reason."""
    found = who_had_service.who_had(
        app.context,
        address,
        at=at,
        reason=reason,
        now=utc_now(),
        port=port,
        tolerance_seconds=tolerance,
    )
    app.show_table(
        found,
        ("then", "user name", "customer", "by", "began", "ended", "NAS", "device", "session"),
        (_holder_row(one) for one in found.holders),
    )
    if app.json:
        return
    if not found.holders:
        app.show(found, f"nobody had {found.address} then, as far as sessions tell")
    if port is not None and not found.blocks:
        app.show(found, "no port block of it is known: `tollway import nat-blocks`")
    if found.more:
        app.show(found, "there are more: ask with a shorter --tolerance")


def _holder_row(one: Holder) -> tuple[object, ...]:
    session = one.session
    return (
        _CERTAINTY[one.certainty],
        session.username,
        f"{session.customer_name} ({session.customer_id})",
        one.held,
        show_instant(session.started_at),
        show_instant(session.closed_at) if session.closed_at else "open",
        session.nas_name,
        session.calling_station,
        session.session_id,
    )


@click.command(cls=Command)
@click.argument("username", required=False, default="")
@click.option("--mac", default="", help="Of the device (Calling-Station-Id).")
@click.option("--nas", "nas_name", default="", help="Only at this NAS.")
@click.option("--reason", type=click.Choice([one.value for one in Reason]), default=None)
@click.option("--outcome", type=click.Choice([one.value for one in LoginOutcome]), default=None)
@click.option("--from", "first_day", type=DAY, help="First local day.")
@click.option("--to", "last_day", type=DAY, help="Last local day, included.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.pass_obj
def logins(
    app: App,
    username: str,
    mac: str,
    nas_name: str,
    reason: str | None,
    outcome: str | None,
    first_day: date | None,
    last_day: date | None,
    limit: int,
) -> None:
    """Attempts to log in, newest first, user names that nobody has included. Without a user name
    and --from, those of the last week."""
    found = logins_service.search(
        app.context,
        utc_now(),
        username=username,
        station=mac,
        nas_name=nas_name,
        reason=reason or "",
        outcome=outcome or "",
        first_day=first_day,
        last_day=last_day,
        limit=limit,
    )
    app.show_table(
        found,
        ("at", "user name", "subscription", "NAS", "device", "outcome", "reason", "in words"),
        (
            (
                show_instant(one.at),
                one.username,
                one.subscription_id,
                one.nas_name,
                one.calling_station,
                one.outcome,
                one.reason,
                one.text,
            )
            for one in found.rows
        ),
    )
    if found.next_before is not None and not app.json:
        app.show(found, "there are older ones: --to, or a larger --limit")


@click.command("dead-letters", cls=Command)
@click.option("--reason", default="", help="Only those of this reason, like unknown-nas.")
@click.option("--nas", "nas_address", default="", help="Only those from this address.")
@click.option("--from", "first_day", type=DAY, help="First local day; else the last week.")
@click.option("--to", "last_day", type=DAY, help="Last local day, included.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_obj
def dead_letters(
    app: App,
    reason: str,
    nas_address: str,
    first_day: date | None,
    last_day: date | None,
    limit: int,
) -> None:
    """Accounting that belongs to no session: how many by reason, then the records as they were
    readable, newest first."""
    found = letters_service.page(
        app.context,
        utc_now(),
        reason=reason,
        nas_address=nas_address,
        first_day=first_day,
        last_day=last_day,
        limit=limit,
    )
    if app.json:
        app.show(found)
        return
    app.show_table(
        found,
        ("reason", "records", "last", "in words"),
        ((one.reason, one.letters, show_instant(one.last_at), one.text) for one in found.counts),
    )
    for one in found.letters:
        nas = f"{one.nas_name} ({one.nas_address})" if one.nas_name else one.nas_address
        app.show(
            one,
            f"{one.letter_id}  {show_instant(one.arrived_at)}  {nas}  {one.reason}",
            f"    {one.raw}",
        )
    if not found.counts:
        app.show(found, f"none since {show_instant(found.since)}")
