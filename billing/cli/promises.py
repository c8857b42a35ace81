"""`tollway customer promise`, `customer promises` and `tollway profile promises` (rule B19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import click

from billing.cli.app import App, Command, at_option
from billing.cli.catalog import amount
from billing.cli.customers import customer_lines
from billing.cli.units import DAY, show_instant, show_money
from billing.model.profile import BillingProfile
from billing.services import agreements, catalog, promises
from billing.services import customers as services


@click.command("promise", cls=Command)
@click.argument("customer")
@click.option("--until", type=DAY, help="The last day; overdue bills do not suspend before.")
@click.option("--credit", help="Lent until then to a wallet that is used up, like 5.00.")
@click.option("--wallet", type=int, help="Its number; the customer's own unless given.")
@click.option("--withdraw", is_flag=True, help="End the promise at once.")
@at_option
@click.pass_obj
def promise(
    app: App,
    customer: str,
    until: date | None,
    credit: str | None,
    wallet: int | None,
    withdraw: bool,
    at: datetime,
) -> None:
    """Take a promise to pay (rule B19)."""
    if (until is None) is not withdraw:
        raise click.UsageError("give either --until or --withdraw")
    customer_id = services.find_customer(app.context, customer).customer_id
    if until is None:
        view = agreements.withdraw(app.context, customer_id, at)
    else:
        view = agreements.promise(
            app.context,
            customer_id,
            until,
            at,
            credit_micros=0 if credit is None else amount(app, credit, "credit"),
            wallet_id=wallet,
        )
    app.show(view, *customer_lines(view))


@click.command("promises", cls=Command)
@click.argument("customer")
@click.pass_obj
def of_customer(app: App, customer: str) -> None:
    """What a customer promised to pay, and what became of it."""
    customer_id = services.find_customer(app.context, customer).customer_id
    found = promises.of_customer(app.context, customer_id)
    app.show_table(
        found,
        ("made", "by", "until", "open", "lent", "became", "on"),
        [
            (
                show_instant(one.made_at),
                "the customer" if one.by_customer else "staff",
                one.until,
                show_money(one.open_micros, one.currency),
                show_money(one.credit_micros, one.currency) if one.credit_micros else None,
                one.state.value,
                show_instant(one.settled_at),
            )
            for one in found
        ],
    )


@click.command("promises", cls=Command)
@click.argument("name")
@click.option("--count", type=int, help="So many in the period; 0: only staff takes promises.")
@click.option("--period", type=int, metavar="DAYS", help="The period that is counted in.")
@click.option("--days", type=int, help="So many days ahead at most.")
@click.option("--amount", "amount_text", help="Up to so much in all, like 50.00.")
@at_option
@click.pass_obj
def of_profile(
    app: App,
    name: str,
    count: int | None,
    period: int | None,
    days: int | None,
    amount_text: str | None,
    at: datetime,
) -> None:
    """What customers of a billing profile may promise themselves; what is not named stays."""
    view = catalog.find_profile(app.context, name)
    wanted: dict[str, int | None] = {
        "promise_count": count,
        "promise_period_days": period,
        "promise_days": days,
        "promise_amount_micros": None
        if amount_text is None
        else amount(app, amount_text, "promise_amount"),
    }
    given = {field: value for field, value in wanted.items() if value is not None}
    if given:
        changes: dict[str, Any] = {**given}
        profile = replace(view.profile, **changes)
        view = catalog.update_profile(app.context, view.profile_id, profile, at)
    currency = catalog.operator(app.context).currency
    app.show(view, _limit_words(view.profile, currency))


def _limit_words(profile: BillingProfile, currency: str) -> str:
    if not profile.promise_count:
        return f"{profile.name}: only staff takes promises (rule B19)"
    most = show_money(profile.promise_amount_micros, currency)
    return (
        f"{profile.name}: a customer may promise {profile.promise_count} time(s) in"
        f" {profile.promise_period_days} days, up to {profile.promise_days} days ahead and {most}"
        " (rule B19)"
    )
