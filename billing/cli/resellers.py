"""`tollway reseller`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.resellers import Chosen, ResellerView, Resold
from billing.model.shifts import CASH, DESK_CHANNELS
from billing.services import catalog, customers, reseller_renewals, reseller_sales
from billing.services import resellers as services

_EARNS = "Whether it earns by what customers buy themselves."
_key = click.option("--key", help="Idempotency key: repeated with the same one, it is done once.")
_org = click.argument("org_id", metavar="NUMBER", type=int)


@click.group(cls=Group)
def reseller() -> None:
    """Resellers: who sells from a wallet, by a price list of its own."""


@reseller.command("add", cls=Command)
@click.argument("name")
@click.option("--parent", default=1, show_default=True, help="Number of who is above it.")
@click.option("--profile", required=True, help="Billing profile that its customers get a copy of.")
@click.option("--email", help="Where it is told that little is left.")
@click.option("--undo", "undo_minutes", default=15, show_default=True, help="Minutes.")
@click.option("--customers", "most", type=int, help="How many it may have; no limit unless given.")
@click.option("--nas", "most_nas", type=int, help="How many NAS it may have.")
@click.option("--plans", "most_plans", type=int, help="How many plans on its price list.")
@click.option("--alert", default=20, show_default=True, help="Percent of the last transfer.")
@click.option("--self-service/--no-self-service", "earns", default=True, help=_EARNS)
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    parent: int,
    profile: str,
    email: str | None,
    undo_minutes: int,
    most: int | None,
    most_nas: int | None,
    most_plans: int | None,
    alert: int,
    earns: bool,
    at: datetime,
) -> None:
    """Add a reseller with an empty wallet."""
    view = services.add(
        app.context,
        name=name,
        parent_org_id=parent,
        profile_id=catalog.find_profile(app.context, profile).profile_id,
        now=at,
        email=email,
        undo_minutes=undo_minutes,
        max_customers=most,
        max_nas=most_nas,
        max_plans=most_plans,
        alert_percent=alert or None,
        earns_on_self_service=earns,
    )
    app.show(view, *_lines(view))


@reseller.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """Every reseller, with what its wallet has."""
    found = services.listed(app.context)
    app.show_table(
        found,
        ("number", "name", "above", "wallet", "customers", "state"),
        (
            (
                view.org_id,
                view.name,
                view.parent_org_id,
                show_money(view.available_micros, view.currency),
                view.customers,
                "closed" if view.closed_at else "open",
            )
            for view in found
        ),
    )


@reseller.command("show", cls=Command)
@_org
@click.pass_obj
def show(app: App, org_id: int) -> None:
    """One reseller."""
    view = services.show(app.context, org_id)
    app.show(view, *_lines(view))


@reseller.command("set", cls=Command)
@_org
@click.option("--undo", "undo_minutes", type=int, help="Minutes in which it may undo a sale.")
@click.option("--customers", "most", type=int, help="How many it may have; -1 for no limit.")
@click.option("--nas", "most_nas", type=int, help="How many NAS; -1 for no limit.")
@click.option("--plans", "most_plans", type=int, help="Plans on its list; -1 for no limit.")
@click.option("--alert", type=int, help="Percent of the last transfer; 0 for none.")
@click.option("--self-service/--no-self-service", "earns", default=None, help=_EARNS)
@click.option("--close/--open", "closed", default=None, help="A closed one sells nothing.")
@at_option
@click.pass_obj
def set_(
    app: App,
    org_id: int,
    undo_minutes: int | None,
    most: int | None,
    most_nas: int | None,
    most_plans: int | None,
    alert: int | None,
    earns: bool | None,
    closed: bool | None,
    at: datetime,
) -> None:
    """Change its limits; what is not named stays."""
    now = services.show(app.context, org_id)
    view = services.change(
        app.context,
        org_id,
        at,
        undo_minutes=now.undo_minutes if undo_minutes is None else undo_minutes,
        max_customers=_quota(most, now.max_customers),
        max_nas=_quota(most_nas, now.max_nas),
        max_plans=_quota(most_plans, now.max_plans),
        alert_percent=now.alert_percent if alert is None else alert or None,
        closed=now.closed_at is not None if closed is None else closed,
        earns_on_self_service=earns,
    )
    app.show(view, *_lines(view))


@reseller.group("price", cls=Group)
def price() -> None:
    """What it pays for plans, and what its customers pay."""


@price.command("set", cls=Command)
@_org
@click.argument("plan")
@click.option("--cost", help="What it pays, with all taxes; 'none' takes the plan off its list.")
@click.option("--retail", help="What its customers pay; 'none' for the plan's price.")
@click.option("--below-parent", is_flag=True, help="A cost that its parent pays a part of.")
@at_option
@click.pass_obj
def set_price(
    app: App,
    org_id: int,
    plan: str,
    cost: str | None,
    retail: str | None,
    below_parent: bool,
    at: datetime,
) -> None:
    """Set a plan's cost, its retail price, or both; sales from now on."""
    if cost is None and retail is None:
        raise InvalidInput("give --cost, --retail or both", field="cost")
    plan_id = catalog.find_plan(app.context, plan, at).plan_id
    with app.context.together() as context:
        if cost is not None:
            micros = None if cost == "none" else amount(app, cost, "cost")
            services.set_cost(context, org_id, plan_id, micros, at, below_parent=below_parent)
        if retail is not None:
            micros = None if retail == "none" else amount(app, retail, "retail")
            services.set_retail(context, org_id, plan_id, micros, at)
    _show_prices(app, org_id, at)


@price.command("list", cls=Command)
@_org
@at_option
@click.pass_obj
def list_prices(app: App, org_id: int, at: datetime) -> None:
    """The plans that it may sell."""
    _show_prices(app, org_id, at)


@reseller.command("sell", cls=Command)
@click.argument("username")
@click.argument("plan")
@click.option("--now", "start_now", is_flag=True, help="Start beside what is still active.")
@click.option(
    "--collect",
    type=click.Choice(DESK_CHANNELS),
    default=CASH,
    show_default=True,
    help="How the customer pays the reseller, for the shift of who sells.",
)
@_key
@at_option
@click.pass_obj
def sell(
    app: App,
    username: str,
    plan: str,
    start_now: bool,
    collect: str,
    key: str | None,
    at: datetime,
) -> None:
    """Sell PLAN to a subscriber of a reseller, from the reseller's wallet."""
    receipt = reseller_sales.sell(
        app.context,
        customers.subscription_id_of(app.context, username),
        catalog.find_plan(app.context, plan, at).plan_id,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        start_now=start_now,
        collect_by=MoneyChannel(collect),
    )
    done = "sold before" if receipt.repeated else "sold"
    total = show_money(receipt.total_micros, receipt.currency)
    app.show(
        receipt,
        f"{done}: {receipt.plan_name} for {total}, sale {receipt.sale_id}, receipt "
        f"{receipt.receipt_number}",
        f"the reseller paid {show_money(receipt.cost_micros, receipt.currency)}, its wallet has "
        f"{show_money(receipt.account_micros, receipt.currency)}",
    )


@reseller.command("renew", cls=Command)
@_org
@click.option("--days", type=click.IntRange(1, 31), default=3, show_default=True)
@click.option("--search", help="Only whose name, user name or phone has this.")
@click.option("--dry-run", is_flag=True, help="Say what would be sold, and sell nothing.")
@at_option
@click.pass_obj
def renew(
    app: App, org_id: int, days: int, search: str | None, dry_run: bool, at: datetime
) -> None:
    """Sell the same plan again to all whose last package ends within DAYS, or ended so lately."""
    within, context = timedelta(days=days), app.context
    found: Sequence[Resold] = ()
    if search is None and not dry_run:
        found = reseller_renewals.renew(context, org_id, within, at)
    elif due := reseller_renewals.due(context, org_id, within, at, text=search):
        pairs = [(one.subscription_id, one.entitlement_id) for one in due]
        chosen = [Chosen(subscription_id=who, entitlement_id=what) for who, what in pairs]
        most = reseller_renewals.DUE_MOST
        found = (
            reseller_renewals.quote(context, org_id, pairs, at, most=most).rows
            if dry_run
            else reseller_renewals.renew_chosen(context, org_id, chosen, at, most=most)
        )
    app.show_table(
        found,
        ("subscriber", "plan", "paid", "cost", "problem"),
        [
            (
                one.username,
                one.receipt.plan_name if one.receipt else None,
                show_money(one.receipt.total_micros, one.receipt.currency) if one.receipt else None,
                show_money(one.receipt.cost_micros, one.receipt.currency) if one.receipt else None,
                one.problem,
            )
            for one in found
        ],
    )


@reseller.command("undo", cls=Command)
@click.argument("sale_id", metavar="SALE", type=int)
@_key
@at_option
@click.pass_obj
def undo(app: App, sale_id: int, key: str | None, at: datetime) -> None:
    """Take a wrong sale back: its unused share, to the customer and to the wallets."""
    done = reseller_sales.undo(
        app.context, sale_id, idempotency_key=key or secrets.token_hex(16), now=at
    )
    app.show(
        done,
        f"undone: {show_money(done.back_micros, done.currency)} back to the customer, "
        f"{show_money(done.cost_back_micros or 0, done.currency)} to the reseller's wallet",
    )


@reseller.command("sales", cls=Command)
@_org
@click.option("--limit", default=50, show_default=True)
@click.pass_obj
def sales(app: App, org_id: int, limit: int) -> None:
    """What it sold, newest first."""
    found = reseller_sales.listed(app.context, org_id, limit=limit)
    app.show_table(
        found,
        ("sale", "sold", "customer", "plan", "paid", "cost", "undone"),
        (
            (
                one.sale_id,
                show_instant(one.sold_at),
                one.customer_name,
                one.plan_name,
                show_money(one.retail_micros, one.currency),
                show_money(one.cost_micros or 0, one.currency),
                show_instant(one.undone_at) if one.undone_at else None,
            )
            for one in found
        ),
    )


def _show_prices(app: App, org_id: int, at: datetime) -> None:
    found = services.price_list(app.context, org_id, at)
    app.show_table(
        found,
        ("plan", "cost", "retail", "margin"),
        (
            (
                line.plan_name,
                show_money(line.cost_micros, line.currency),
                show_money(line.retail_micros, line.currency),
                show_money(line.margin_micros, line.currency),
            )
            for line in found
        ),
    )


def _quota(asked: int | None, now: int | None) -> int | None:
    """What is asked for; -1: no limit, None: as it is."""
    if asked is None:
        return now
    return asked if asked >= 0 else None


def _at_most(quota: int | None) -> str:
    return "any number of" if quota is None else f"at most {quota}"


def _lines(view: ResellerView) -> list[str]:
    alert = f"below {view.alert_percent} %" if view.alert_percent else "never"
    own = ", and by what customers buy themselves" if view.earns_on_self_service else " only"
    return [
        f"reseller {view.org_id}: {view.name}, below {view.parent_org_id}"
        f"{', closed' if view.closed_at else ''}",
        f"wallet     {show_money(view.available_micros, view.currency)}, told {alert} of the last "
        "transfer",
        f"customers  {view.customers}, {_at_most(view.max_customers)} allowed",
        f"may have   {_at_most(view.max_nas)} NAS, {_at_most(view.max_plans)} plans on its list",
        f"undo       within {view.undo_minutes} minutes",
        f"earns      by its sales{own}",
    ]
