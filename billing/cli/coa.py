"""`tollway coa`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import show_instant
from billing.errors import InvalidInput
from billing.model.orders import NOT_DONE, AttemptView, OrderState, OrderView
from billing.services import coa as services
from billing.services import customers

_STATES = [*(state.value for state in OrderState), "all"]


@click.group(cls=Group)
def coa() -> None:
    """Orders to running sessions: CoA and Disconnect, and what their NAS answered."""


@coa.command("list", cls=Command)
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    help="Several may be given; pending, acked and failed unless given.",
)
@click.option("--user", "username", help="Only those of this subscriber.")
@click.option("--nas", help="Only those to the NAS of this name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.pass_obj
def list_(
    app: App, states: tuple[str, ...], username: str | None, nas: str | None, limit: int
) -> None:
    """Orders, newest first; those that are not done unless --state says otherwise."""
    chosen = list(NOT_DONE) if not states else [OrderState(s) for s in states if s != "all"]
    found = services.list_orders(
        app.context,
        states=list(OrderState) if "all" in states else chosen,
        nas=nas,
        subscription_id=None
        if username is None
        else customers.subscription_id_of(app.context, username),
        limit=limit,
    )
    app.show_table(
        found,
        ("id", "written", "subscriber", "NAS", "order", "state", "tries", "last answer", "next"),
        (_row(view) for view in found),
    )


def _row(view: OrderView) -> tuple[object, ...]:
    return (
        view.order_id,
        show_instant(view.created_at),
        view.username,
        view.nas_name,
        f"{view.goal} ({view.reason})",
        view.state.value,
        view.tries,
        view.last_answer,
        show_instant(view.next_attempt_at) if view.next_attempt_at else None,
    )


@coa.command("show", cls=Command)
@click.argument("order_id", type=int)
@click.pass_obj
def show(app: App, order_id: int) -> None:
    """Every packet of an order, with its answer."""
    view = services.get_order(app.context, order_id)
    if not app.json:
        app.out.print(
            f"order {view.order_id}: {view.goal} {view.username} at {view.nas_name}"
            f" ({view.reason}): {view.state.value}"
            f"{', from now on by Disconnect' if view.escalated and view.next_attempt_at else ''}",
            soft_wrap=True,
        )
    app.show_table(
        view, ("try", "sent", "packet", "answered", "answer"), _attempt_rows(view.attempts)
    )


def _attempt_rows(attempts: Iterable[AttemptView]) -> Iterable[tuple[object, ...]]:
    return (
        (
            one.attempt,
            show_instant(one.sent_at),
            one.packet,
            show_instant(one.answered_at) if one.answered_at else None,
            one.text,
        )
        for one in attempts
    )


@coa.command("retry", cls=Command)
@click.argument("order_id", type=int, required=False)
@click.option("--nas", help="All that have failed at the NAS of this name.")
@at_option
@click.pass_obj
def retry(app: App, order_id: int | None, nas: str | None, at: datetime) -> None:
    """Send an order again at once: ORDER_ID, or with --nas all that have failed there."""
    if (order_id is None) == (nas is None):
        raise InvalidInput("give the number of an order, or --nas NAME", field="order")
    if order_id is not None:
        view = services.retry(app.context, order_id, at)
        app.show(view, f"order {view.order_id} is sent again to {view.nas_name}")
        return
    result = services.retry_failed(app.context, nas or "", at)
    app.show(
        result,
        f"{len(result.retried)} order(s) are sent again, {len(result.left)} are left",
        *(reason for _, reason in result.left),
    )
