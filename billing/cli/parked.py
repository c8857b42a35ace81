"""Customers that a job could not serve, as they are shown (each run tries them again)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from billing.cli.app import App
from billing.model.bills import Parked


def show_parked(app: App, found: Sequence[Parked]) -> None:
    """Who, since when, and why."""
    app.show_table(
        found,
        ("customer", "since", "problem"),
        [(one.customer_id, f"{one.at:%Y-%m-%d %H:%M}", one.problem) for one in found],
    )


def parked_lines(parked: Iterable[Parked]) -> list[str]:
    """Of a run."""
    return [f"PARKED customer {one.customer_id}: {one.problem}" for one in parked]


def echo_would_park(listed: Iterable[object]) -> None:
    """Those among what a dry run has listed."""
    for one in listed:
        if isinstance(one, Parked):
            click.echo(f"would be PARKED: customer {one.customer_id}: {one.problem}")
