"""`tollway shift`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.model.shifts import ShiftView
from billing.services import shifts as services

_shift = click.argument("shift_id", metavar="NUMBER", type=int)


@click.group(cls=Group)
def shift() -> None:
    """Cashiers' shifts: money that is taken at the desk, from a counted float to a count."""


@shift.command("open", cls=Command)
@click.option("--float", "counted", required=True, help="What is in the drawer, counted.")
@at_option
@click.pass_obj
def open_(app: App, counted: str, at: datetime) -> None:
    """Open your shift: what you take from now on is in it."""
    done = services.start(app.context, amount(app, counted, "float"), at)
    app.show(
        done,
        f"shift {done.shift_id} of {done.cashier} is open, "
        f"float {show_money(done.float_micros, done.currency)}",
    )


@shift.command("close", cls=Command)
@_shift
@click.option("--counted", required=True, help="What is in the drawer, counted.")
@click.option("--note", help="Why it differs, where that is known.")
@at_option
@click.pass_obj
def close(app: App, shift_id: int, counted: str, note: str | None, at: datetime) -> None:
    """Close a shift. What should be in the drawer is told afterwards."""
    micros = amount(app, counted, "counted")
    _show(app, services.close(app.context, shift_id, micros, at, note=note))


@shift.command("show", cls=Command)
@_shift
@click.pass_obj
def show(app: App, shift_id: int) -> None:
    """The report of a shift."""
    _show(app, services.show(app.context, shift_id))


@shift.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """Shifts: open ones first, then the newest."""
    found = services.listed(app.context)
    app.show_table(
        found,
        ("shift", "cashier", "opened", "closed", "float", "counted", "difference"),
        [
            (
                one.shift_id,
                one.cashier,
                show_instant(one.opened_at),
                show_instant(one.closed_at) if one.closed_at else None,
                show_money(one.float_micros, one.currency),
                _money(one, one.counted_micros),
                _money(one, one.difference_micros),
            )
            for one in found
        ],
    )


@shift.command("hand-over", cls=Command)
@_shift
@click.option("--to", required=True, help="Who took the money.")
@at_option
@click.pass_obj
def hand_over(app: App, shift_id: int, to: str, at: datetime) -> None:
    """The counted money of a closed shift was handed to somebody."""
    _show(app, services.hand_over(app.context, shift_id, to, at))


@shift.command("deposit", cls=Command)
@_shift
@click.option("--reference", required=True, help="Of the paying-in slip.")
@at_option
@click.pass_obj
def deposit(app: App, shift_id: int, reference: str, at: datetime) -> None:
    """The money of a closed shift was paid in at the bank."""
    _show(app, services.deposit(app.context, shift_id, reference, at))


def _money(view: ShiftView, micros: int | None) -> str | None:
    return None if micros is None else show_money(micros, view.currency)


def _show(app: App, view: ShiftView) -> None:
    lines = [f"shift {view.shift_id} of {view.cashier}, opened {show_instant(view.opened_at)}"]
    if view.closed_at is not None:
        lines[0] += f", closed {show_instant(view.closed_at)} by {view.closed_by}"
    lines.append(f"float       {_money(view, view.float_micros)}")
    for line in view.lines:
        lines.append(
            f"{line.channel:<12}{_money(view, line.in_micros)} in, "
            f"{_money(view, line.out_micros)} out, {line.count} times"
        )
    if view.closed_at is not None:
        lines += [
            f"expected    {_money(view, view.expected_micros)}",
            f"counted     {_money(view, view.counted_micros)}",
            f"difference  {_money(view, view.difference_micros)}",
        ]
    else:
        lines.append("open: what should be in the drawer is told when it is counted")
    if view.note:
        lines.append(f"note        {view.note}")
    if view.handed_at is not None:
        lines.append(f"handed to   {view.handed_to}, {show_instant(view.handed_at)}")
    if view.deposited_at is not None:
        lines.append(f"deposited   {view.deposit_reference}, {show_instant(view.deposited_at)}")
    app.show(view, *lines)
