"""`tollway collector`."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.services import collections as services

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group(cls=Group)
def collector() -> None:
    """Collectors in the field: receipt books, cash by numbers, what is handed over."""


@collector.command("book", cls=Command)
@click.argument("name", metavar="COLLECTOR")
@click.option("--series", default="", help="Letters before the number.")
@click.option("--first", type=int, required=True)
@click.option("--last", type=int, required=True)
@at_option
@click.pass_obj
def book(app: App, name: str, series: str, first: int, last: int, at: datetime) -> None:
    """Give a collector the numbers FIRST to LAST of a series."""
    done = services.open_book(app.context, name, series=series, first=first, last=last, now=at)
    app.show(
        done,
        f"book {done.book_id} of {done.collector}: {done.series}{done.first_number} to "
        f"{done.series}{done.last_number}",
    )


@collector.command("books", cls=Command)
@click.pass_obj
def books(app: App) -> None:
    """Open books first, then the newest."""
    found = services.books(app.context)
    app.show_table(
        found,
        ("book", "collector", "numbers", "entered", "next", "state"),
        (
            (
                one.book_id,
                one.collector,
                f"{one.series}{one.first_number}-{one.last_number}",
                one.used,
                one.next_number,
                "closed" if one.closed_at else "open",
            )
            for one in found
        ),
    )


@collector.command("close-book", cls=Command)
@click.argument("book_id", metavar="BOOK", type=int)
@at_option
@click.pass_obj
def close_book(app: App, book_id: int, at: datetime) -> None:
    """No number of a book is entered any more."""
    done = services.close_book(app.context, book_id, at)
    app.show(done, f"book {book_id} is closed")


@collector.command("take", cls=Command)
@click.argument("book_id", metavar="BOOK", type=int)
@click.argument("number", type=int)
@click.argument("customer_id", metavar="CUSTOMER", type=int)
@click.argument("amount_text", metavar="AMOUNT")
@click.option("--bill", help="The bill that it is for; the wallet unless given.")
@at_option
@click.pass_obj
def take(
    app: App,
    book_id: int,
    number: int,
    customer_id: int,
    amount_text: str,
    bill: str | None,
    at: datetime,
) -> None:
    """Enter the receipt NUMBER of a book: cash of a customer. Each number once."""
    micros = amount(app, amount_text, "amount")
    done = services.take(app.context, book_id, number, customer_id, micros, at, bill_number=bill)
    was = "entered before" if done.repeated else "entered"
    app.show(
        done, f"{was}: {done.text}, {show_money(done.amount_micros, done.currency)} of "
        f"{done.customer_name}"
    )  # fmt: skip


@collector.command("hand-over", cls=Command)
@click.argument("name", metavar="COLLECTOR")
@click.option("--counted", required=True, help="The cash, counted.")
@click.option("--note")
@at_option
@click.pass_obj
def hand_over(app: App, name: str, counted: str, note: str | None, at: datetime) -> None:
    """A collector hands over all it has. What should be there is told afterwards."""
    micros = amount(app, counted, "counted")
    done = services.hand_over(app.context, name, micros, at, note=note)
    app.show(
        done,
        f"{done.receipts} receipts of {show_money(done.expected_micros, done.currency)}, counted "
        f"{show_money(done.counted_micros, done.currency)}, difference "
        f"{show_money(done.difference_micros, done.currency)}",
    )


@collector.command("limit", cls=Command)
@click.argument("name", metavar="COLLECTOR")
@click.argument("amount_text", metavar="AMOUNT")
@at_option
@click.pass_obj
def limit(app: App, name: str, amount_text: str, at: datetime) -> None:
    """How much cash it may hold before it hands over; 'none' for as much as it takes."""
    micros = None if amount_text == "none" else amount(app, amount_text, "amount")
    done = services.set_limit(app.context, name, micros, at)
    may = "as much as it takes"
    if done.limit_micros is not None:
        may = f"{show_money(done.limit_micros, done.currency)} at most"
    app.show(done, f"{done.collector} may hold {may}")


@collector.command("limits", cls=Command)
@click.pass_obj
def limits(app: App) -> None:
    """Who may hold only so much."""
    found = services.limits(app.context)
    app.show_table(
        found,
        ("collector", "may hold", "since", "by"),
        (
            (
                one.collector,
                show_money(one.limit_micros or 0, one.currency),
                show_instant(one.set_at),
                one.set_by,
            )
            for one in found
        ),
    )


@collector.command("settlements", cls=Command)
@click.pass_obj
def settlements(app: App) -> None:
    """What was handed over, newest first."""
    found = services.settlements(app.context)
    app.show_table(
        found,
        ("at", "collector", "receipts", "counted", "difference", "by"),
        (
            (
                show_instant(one.at),
                one.collector,
                one.receipts,
                show_money(one.counted_micros, one.currency),
                show_money(one.difference_micros, one.currency),
                one.by,
            )
            for one in found
        ),
    )


@collector.command("report", cls=Command)
@click.option("--from", "first_day", type=_DAY, required=True)
@click.option("--to", "last_day", type=_DAY, required=True, help="Included.")
@click.pass_obj
def report(app: App, first_day: datetime, last_day: datetime) -> None:
    """What each collector took, handed over, and has still."""
    found = services.report(
        app.context, first_day.date(), last_day.date() + timedelta(days=1)
    ).lines
    app.show_table(
        found,
        ("collector", "receipts", "taken", "handed over", "difference", "still has"),
        (
            (
                one.collector,
                one.receipts,
                show_money(one.taken_micros, one.currency),
                show_money(one.handed_micros, one.currency),
                show_money(one.difference_micros, one.currency),
                show_money(one.open_micros, one.currency),
            )
            for one in found
        ),
    )
