"""`tollway usage`, `tollway sessions`, `tollway why`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.units import show_instant, show_money, show_octets, show_seconds
from billing.model.grants import OverspendView
from billing.services import customers, explain, subscribers


@click.command(cls=Command)
@click.argument("username")
@click.option("--days", type=click.IntRange(1, 3660), default=31, show_default=True)
@at_option
@click.pass_obj
def usage(app: App, username: str, days: int, at: datetime) -> None:
    """What a subscriber has left, and what it used by local day."""
    subscription_id = customers.subscription_id_of(app.context, username)
    view = subscribers.usage_of(app.context, subscription_id, at, days=days)
    row = view.row
    if not app.json:
        bought = row.valid_until or row.seconds_total or row.octets_total
        left = f"{show_seconds(row.seconds_left)}, {show_octets(row.octets_left)}"
        app.out.print(f"{row.username}: {row.state.text}", soft_wrap=True)
        app.out.print(
            f"left: {left}, until {show_instant(row.valid_until)}" if bought else "left: nothing",
            soft_wrap=True,
        )
        for one in view.overspends:
            app.out.print(
                f"overspent after {show_instant(one.exhausted_at)}: {_over(one)}",
                soft_wrap=True,
            )
    app.show_table(
        view,
        ("day", "paid by", "time", "sent", "received", "charged"),
        [
            *(
                (
                    part.day,
                    part.paid_by,
                    show_seconds(part.seconds),
                    show_octets(part.input_octets),
                    show_octets(part.output_octets),
                    show_money(part.charged_micros, view.currency),
                )
                for part in view.days
            ),
            (
                "total",
                "",
                show_seconds(view.seconds),
                show_octets(view.input_octets),
                show_octets(view.output_octets),
                show_money(view.charged_micros, view.currency),
            ),
        ],
    )


@click.command(cls=Command)
@click.argument("username")
@click.option("--open", "open_only", is_flag=True, help="Only those that run.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@at_option
@click.pass_obj
def sessions(app: App, username: str, open_only: bool, limit: int, at: datetime) -> None:
    """Sessions of a subscriber, newest first."""
    found = subscribers.sessions_of(
        app.context,
        customers.subscription_id_of(app.context, username),
        at,
        open_only=open_only,
        limit=limit,
    )
    app.show_table(
        found,
        ("started", "ended", "NAS", "address", "station", "time", "sent", "received", "cause"),
        (
            (
                show_instant(session.started_at),
                show_instant(session.closed_at) if session.closed_at else "open",
                session.nas_name or session.nas_id,
                session.framed_ip,
                session.calling_station,
                show_seconds(session.seconds),
                show_octets(session.input_octets),
                show_octets(session.output_octets),
                session.terminate_cause,
            )
            for session in found
        ),
    )


@click.command(cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def why(app: App, username: str, at: datetime) -> None:
    """Why a subscriber is served or refused at an instant (rule B16)."""
    subscription_id = customers.subscription_id_of(app.context, username)
    view = explain.why(app.context, subscription_id, at)
    app.show(view, f"{view.username} at {show_instant(view.at)}", *view.lines)


def _over(one: OverspendView) -> str:
    """What was used of packages, or what it cost past the wallet's limit (P12)."""
    if one.currency is not None:
        return show_money(one.micros, one.currency)
    return f"{show_seconds(one.seconds)}, {show_octets(one.octets)}"
