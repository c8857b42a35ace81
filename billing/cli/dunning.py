"""`tollway dunning`, and what `tollway bill` says and does of bills that stay unpaid."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from functools import partial

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.parked import echo_would_park, parked_lines, show_parked
from billing.cli.progress import progress_bars
from billing.cli.units import show_money
from billing.errors import InvalidInput
from billing.model.dunning import DunningEventView, DunningPreview, DunningSchedule, DunningStep
from billing.model.dunning_text import read_step, step_words
from billing.services import catalog, dunning_run, write_offs
from billing.services import dunning as services


@click.group(cls=Group)
def dunning() -> None:
    """Reminders and late fees of bills that stay unpaid."""


@dunning.command("show", cls=Command)
@click.argument("profile")
@click.pass_obj
def show(app: App, profile: str) -> None:
    """A billing profile's schedule."""
    profile_id = catalog.find_profile(app.context, profile).profile_id
    _show(app, profile, services.schedule_of(app.context, profile_id))


@dunning.command("set", cls=Command)
@click.argument("profile")
@click.option(
    "--step",
    "texts",
    multiple=True,
    help="One each; together they take the place of the steps before. Days after the "
    "payment date, what it does: '-3 remind', '14 remind fee 5.00 2% most 20.00'.",
)
@click.option("--no-steps", is_flag=True, help="Remind nobody, charge nobody.")
@click.option("--tolerance", help="Leave bills alone of which less is open, like 1.00.")
@click.option("--reconnection-fee", help="Once a payment ends a suspension, like 10.00; 0: none.")
@at_option
@click.pass_obj
def set_(
    app: App,
    profile: str,
    texts: tuple[str, ...],
    no_steps: bool,
    tolerance: str | None,
    reconnection_fee: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Set a billing profile's schedule; what is not given stays."""
    if texts and no_steps:
        raise click.UsageError("give --step or --no-steps")
    profile_id = catalog.find_profile(app.context, profile).profile_id
    wanted = services.schedule_of(app.context, profile_id)
    if texts or no_steps:
        wanted = replace(wanted, steps=tuple(_step(app, text) for text in texts))
    if tolerance is not None:
        wanted = replace(wanted, tolerance_micros=amount(app, tolerance, "tolerance"))
    if reconnection_fee is not None:
        fee_micros = amount(app, reconnection_fee, "reconnection_fee")
        wanted = replace(wanted, reconnection_fee_micros=fee_micros)
    _show(app, profile, services.set_schedule(app.context, profile_id, wanted, at))


@dunning.command("run", cls=Command)
@click.option("--dry-run", is_flag=True, help="List what would be done; write nothing.")
@at_option
@click.pass_obj
def run(app: App, dry_run: bool, at: datetime) -> int:
    """Remind and charge whoever is late (rule I5); exit code 1 when customers were parked."""
    if dry_run:
        _preview(app, at)
        return 0
    with progress_bars({"dunning": "customers"}) as bars:
        report = dunning_run.run(app.context, at, partial(bars, "dunning"))
    fees = show_money(report.fees_micros, report.currency)
    app.show(
        report,
        f"{report.reminders} reminders, {report.fees} late fees, {fees} in all",
        *parked_lines(report.parked),
    )
    return 1 if report.parked else 0


@dunning.command("parked", cls=Command)
@click.pass_obj
def parked(app: App) -> None:
    """Customers that could not be dunned, and why; each run tries them again."""
    show_parked(app, dunning_run.parked(app.context))


@click.command("dunning", cls=Command)
@click.argument("number")
@at_option
@click.pass_obj
def bill_dunning(app: App, number: str, at: datetime) -> None:
    """What was done about a bill that is unpaid, and what comes next."""
    view = services.of_bill(app.context, number, at)
    currency = view.bill.currency
    lines = [f"{view.bill.number}: {show_money(view.bill.open_micros, currency)} open, "
             f"due {view.bill.due_on}"]  # fmt: skip
    lines += [
        f"done  {one.at:%Y-%m-%d %H:%M}  day {one.days}: {_event_words(one)}" for one in view.done
    ]
    lines += [
        f"next  {one.on}  day {one.step.days}: {step_words(one.step, currency)}"
        + (f" = {show_money(one.fee_micros, currency)}" if one.fee_micros else "")
        for one in view.next_steps
    ]
    if view.held:
        lines.append(f"held: {view.held}")
    app.show(view, *lines)


@click.command("write-off", cls=Command)
@click.argument("number")
@click.option("--reason", required=True, help="Why nobody expects it to be paid.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is done once.")
@at_option
@click.pass_obj
def write_off(app: App, number: str, reason: str, key: str | None, at: datetime) -> None:
    """Give up what is open of a bill; it holds nobody back any more. Paid after all (`bill pay`)
    it is recovered."""
    view = write_offs.write_off(
        app.context,
        number,
        reason=reason,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
    )
    app.show(view, f"{view.number}: {show_money(view.amount_micros, view.currency)} written off")


def _step(app: App, text: str) -> DunningStep:
    try:
        return read_step(text, catalog.operator(app.context).currency)
    except ValueError as error:
        raise InvalidInput(str(error), field="step") from None


def _show(app: App, profile: str, schedule: DunningSchedule) -> None:
    currency = catalog.operator(app.context).currency
    app.show(
        schedule,
        f"dunning of {profile}: bills with less open than "
        f"{show_money(schedule.tolerance_micros, currency)} are left alone, reconnection fee "
        f"{show_money(schedule.reconnection_fee_micros, currency)}",
        *(
            f"day {one.days}: {step_words(one, currency)} (since {one.since})"
            for one in schedule.steps
        ),
        *([] if schedule.steps else ["no steps"]),
    )


def _event_words(event: DunningEventView) -> str:
    parts = []
    if event.reminded:
        parts.append(f"reminder {event.message or 'not sent: no address'}")
    if event.fee_micros:
        where = f"on {event.fee_bill}" if event.fee_bill else "on the next bill"
        if event.charge_id is not None:
            where += f" (charge {event.charge_id})"
        fee = show_money(event.fee_micros, event.currency)
        parts.append(f"fee {fee} {'waived' if event.waived else where}")
    return ", ".join(parts) or "passed over"


def _preview(app: App, at: datetime) -> None:
    listed = list(dunning_run.preview(app.context, at))
    found = [one for one in listed if isinstance(one, DunningPreview)]
    app.show_table(
        listed,
        ("customer", "bill", "day", "on", "reminder", "fee", "open"),
        [
            (
                one.customer_id,
                one.number,
                one.days,
                one.on,
                "yes" if one.reminds else None,
                show_money(one.fee_micros, one.currency) if one.fee_micros else None,
                show_money(one.open_micros, one.currency),
            )
            for one in found
        ],
    )
    if app.json:
        return
    if found:
        fees = [one.fee_micros for one in found if one.fee_micros]
        click.echo(
            f"{sum(one.reminds for one in found)} reminders, {len(fees)} late fees, "
            f"{show_money(sum(fees), found[0].currency)} in all; nothing was written"
        )
    echo_would_park(listed)
