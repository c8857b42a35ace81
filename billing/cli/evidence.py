"""`tollway session`, `tollway dispute`, `tollway anomalies`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import click

from billing.cli.app import App, Command
from billing.cli.units import DAY, show_instant, show_money, show_octets, show_seconds
from billing.model.evidence import (
    Dispute,
    DisputedSession,
    JournalRecord,
    RerateView,
    UsageSlice,
)
from billing.model.views import SessionView
from billing.services import evidence as services

DIFFERS_EXIT_CODE = 1


@click.command(cls=Command)
@click.argument("session")
@click.option("--user", "username", help="Of this subscriber: faster in a large installation.")
@click.option("--rerate", is_flag=True, help="Derive usage and charges again from its records.")
@click.pass_obj
def session(app: App, session: str, username: str | None, rerate: bool) -> int:
    """One session, by its number or the NAS's Acct-Session-Id: what paid for it on which day.

    With --rerate the exit code is 1 when what is stored is not what follows from its records.
    """
    if rerate:
        return _rerate(app, services.rerate(app.context, session, username))
    page = services.session_page(app.context, session, username)
    if app.json:
        app.show(page)
        return 0
    app.show(page, *_about(page.session, page.currency))
    app.show_table(page, _SLICE_HEADINGS, _slice_rows(page.slices, page.currency))
    return 0


def _rerate(app: App, view: RerateView) -> int:
    charged = (
        "charged within the stored step"
        if view.charged_micros is None
        else f"{view.charged_micros} micros {view.currency}"
    )
    lines = [
        f"session {view.session.session_id} ({view.session.username}), {view.records} records:",
        f"derived: {view.seconds} s, sent {view.input_octets} octets,"
        f" received {view.output_octets} octets, {charged}",
    ]
    if view.agrees:
        app.show(view, *lines, "what is stored agrees to the second, octet and micro")
        return 0
    if app.json:
        app.show(view)
        return DIFFERS_EXIT_CODE
    app.show(view, *lines, f"{len(view.differences)} differences:")
    app.show_table(
        view,
        ("figure", "stored", "derived"),
        ((one.field, one.stored, one.derived) for one in view.differences),
    )
    return DIFFERS_EXIT_CODE


@click.command(cls=Command)
@click.argument("username")
@click.option("--from", "first_day", type=DAY, required=True, help="First local day.")
@click.option("--to", "last_day", type=DAY, required=True, help="Last local day, included.")
@click.pass_obj
def dispute(app: App, username: str, first_day: date, last_day: date) -> None:
    """The evidence of some days: sessions, every record, sums by day, charges and the wallet."""
    found = services.dispute(app.context, username, first_day, last_day)
    if app.json:
        app.show(found)
        return
    currency = found.wallet.currency
    app.show(
        found,
        f"{found.username} ({found.customer_name}), {found.first_day} to {found.last_day},"
        f" days of {found.time_zone}; instants are UTC",
        "",
    )
    for one in found.sessions:
        _show_session(app, one, currency)
    _show_days(app, found, currency)
    _show_wallet(app, found, currency)


def _show_session(app: App, found: DisputedSession, currency: str) -> None:
    app.show(found, *_about(found.session, currency))
    app.show_table(found, _RECORD_HEADINGS, (_record_row(one, currency) for one in found.records))
    for one in found.records:
        if one.raw:
            app.show(one, f"record {one.record_id} as sent: {one.raw}")
    app.show_table(found, _SLICE_HEADINGS, _slice_rows(found.slices, currency))
    for gap in found.gaps:
        app.show(
            gap,
            f"gap: nothing heard from {show_instant(gap.since)} to {show_instant(gap.until)}"
            f" ({show_seconds(gap.seconds)})",
        )
    app.show(found, "")


def _show_days(app: App, found: Dispute, currency: str) -> None:
    app.show(found, "by local day")
    app.show_table(
        found,
        ("day", "paid by", "time", "sent", "received", "charged"),
        [
            *(
                (
                    part.day,
                    part.paid_by,
                    f"{part.seconds} s",
                    part.input_octets,
                    part.output_octets,
                    show_money(part.charged_micros, currency),
                )
                for part in found.days
            ),
            (
                "total",
                "",
                f"{found.seconds} s",
                found.input_octets,
                found.output_octets,
                show_money(found.charged_micros, currency),
            ),
        ],
    )
    app.show(found, "")


def _show_wallet(app: App, found: Dispute, currency: str) -> None:
    story = found.wallet
    app.show(
        story,
        f"wallet {story.wallet_id}: {show_money(story.before_micros, currency)} before"
        f" {found.first_day}",
    )
    for one in story.movements:
        amount = show_money(one.amount_micros, currency)
        app.show(one, f"  {show_instant(one.at)}  {amount}  {one.kind}: {one.memo}")
    app.show(
        story,
        f"  usage {show_money(-story.charged_micros, currency)},"
        f" of it {found.username} {show_money(-story.charged_here_micros, currency)}",
        f"  {show_money(story.after_micros, currency)} after {found.last_day}",
    )


@click.command(cls=Command)
@click.argument("username", required=False)
@click.option("--from", "first_day", type=DAY, help="First local day.")
@click.option("--to", "last_day", type=DAY, help="Last local day, included.")
@click.option("--code", help="Only those of this code, like counter-fell.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.pass_obj
def anomalies(
    app: App,
    username: str | None,
    first_day: date | None,
    last_day: date | None,
    code: str | None,
    limit: int,
) -> None:
    """What was odd in accounting records, newest first; all subscribers unless one is named."""
    found = services.anomalies(
        app.context,
        username=username,
        first_day=first_day,
        last_day=last_day,
        code=code,
        limit=limit,
    )
    app.show_table(
        found,
        ("arrived", "subscriber", "NAS", "session", "code", "record"),
        (
            (
                show_instant(one.at),
                one.username,
                one.nas_name,
                one.session_id,
                one.code,
                one.detail,
            )
            for one in found
        ),
    )


def _about(view: SessionView, currency: str) -> tuple[str, ...]:
    ended = f"ended {show_instant(view.closed_at)}" if view.closed_at else "open"
    cause = f" ({view.terminate_cause})" if view.terminate_cause else ""
    return (
        f"session {view.session_id}: {view.username} at {view.nas_name or view.nas_id},"
        f" Acct-Session-Id {view.acct_session_id}",
        f"began {show_instant(view.started_at)}, last heard of {show_instant(view.last_event_at)},"
        f" {ended}{cause}",
        f"{view.seconds} s ({show_seconds(view.seconds)}),"
        f" sent {view.input_octets} octets ({show_octets(view.input_octets)}),"
        f" received {view.output_octets} octets ({show_octets(view.output_octets)}),"
        f" charged {show_money(view.charged_micros, currency)}",
    )


_SLICE_HEADINGS = ("day", "paid by", "package", "time", "sent", "received", "charged")
_RECORD_HEADINGS = (
    "record",
    "arrived",
    "event",
    "kind",
    "time",
    "sent",
    "received",
    "added time",
    "added sent",
    "added received",
    "charged",
    "price",
    "outcome",
    "odd",
)


def _slice_rows(slices: Iterable[UsageSlice], currency: str) -> Iterable[tuple[object, ...]]:
    for part in slices:
        yield (
            part.day,
            f"{part.kind} ({part.tariff_window})" if part.tariff_window else part.kind,
            f"{part.entitlement_id} {part.plan_name}" if part.entitlement_id else None,
            f"{part.seconds} s",
            part.input_octets,
            part.output_octets,
            show_money(part.charged_micros, currency),
        )


def _record_row(one: JournalRecord, currency: str) -> tuple[object, ...]:
    return (
        one.record_id,
        show_instant(one.arrived_at),
        show_instant(one.event_at),
        one.status,
        one.seconds,
        one.input_octets,
        one.output_octets,
        one.added_seconds,
        one.added_input_octets,
        one.added_output_octets,
        show_money(one.charged_micros, currency),
        one.price_version,
        one.outcome,
        ", ".join(one.anomalies) or None,
    )
