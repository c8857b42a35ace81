"""`tollway reseller purchases`, `undo-purchase`."""

from __future__ import annotations

import secrets
from datetime import datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.units import show_instant, show_money
from billing.services import self_purchases


@click.command("purchases", cls=Command)
@click.argument("org_id", metavar="NUMBER", type=int)
@click.option("--limit", default=50, show_default=True)
@click.pass_obj
def purchases(app: App, org_id: int, limit: int) -> None:
    """What its customers bought themselves, newest first, and what it earned by that."""
    found = self_purchases.listed(app.context, org_id, limit=limit)
    app.show_table(
        found,
        ("purchase", "bought", "customer", "plan", "paid", "given back", "earned"),
        (
            (
                one.purchase_id,
                show_instant(one.bought_at),
                one.customer_name,
                one.plan_name,
                show_money(one.paid_micros, one.currency),
                show_money(one.back_micros, one.currency) if one.back_micros else None,
                show_money(one.earned_micros or 0, one.currency),
            )
            for one in found
        ),
    )


@click.command("undo-purchase", cls=Command)
@click.argument("purchase_id", metavar="PURCHASE", type=int)
@click.option("--key", help="Idempotency key: repeated with the same one, it is done once.")
@at_option
@click.pass_obj
def undo_purchase(app: App, purchase_id: int, key: str | None, at: datetime) -> None:
    """Take back what a customer bought itself: its unused share, and what was earned by it."""
    done = self_purchases.undo(
        app.context, purchase_id, idempotency_key=key or secrets.token_hex(16), now=at
    )
    app.show(
        done,
        f"undone: {show_money(done.back_micros, done.currency)} back into the customer's wallet, "
        f"{show_money(done.lost_micros, done.currency)} out of the reseller's",
    )


COMMANDS = (purchases, undo_purchase)
