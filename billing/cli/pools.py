"""`tollway pool`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import show_instant
from billing.model.pools import PoolKind, PoolView
from billing.services import pools as services


@click.group(cls=Group)
def pool() -> None:
    """Address pools that Tollway leases itself (rule A6). Pools that a NAS has need no entry."""


@pool.command("add", cls=Command)
@click.argument("name")
@click.argument("ranges", nargs=-1, required=True)
@click.option("--netmask", help="Sent with every address, like 255.255.255.0.")
@click.option("--suspended", is_flag=True, help="For suspended subscribers (rule B10).")
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    ranges: tuple[str, ...],
    netmask: str | None,
    suspended: bool,
    at: datetime,
) -> None:
    """Add a pool of RANGES like 10.20.0.0/24 or 10.20.0.10-10.20.0.99.

    Plans and billing profiles that name it are leased from it, instead of having their NAS look for
    a pool of that name.
    """
    view = services.add_pool(
        app.context,
        name=name,
        ranges=ranges,
        netmask=netmask,
        kind=PoolKind.SUSPENDED if suspended else PoolKind.NORMAL,
        now=at,
    )
    app.show(view, f"pool {view.pool_id} {view.name} ({view.kind}): {view.addresses} addresses")


@pool.command("extend", cls=Command)
@click.argument("name")
@click.argument("ranges", nargs=-1, required=True)
@at_option
@click.pass_obj
def extend(app: App, name: str, ranges: tuple[str, ...], at: datetime) -> None:
    """Add more RANGES to a pool."""
    view = services.find_pool(app.context, name, at)
    after = services.extend_pool(app.context, view.pool_id, ranges, at)
    app.show(after, f"{after.name}: {', '.join(after.ranges)}", _fill(after))


@pool.command("remove", cls=Command)
@click.argument("name")
@at_option
@click.pass_obj
def remove(app: App, name: str, at: datetime) -> None:
    """Forget a pool that nobody has an address of."""
    view = services.find_pool(app.context, name, at)
    uses = services.remove_pool(app.context, view.pool_id, at)
    told = [f"named by {', '.join(uses)}: its NAS must have a pool of this name"] if uses else []
    app.show({"removed": view.name, "named_by": uses}, f"pool {view.name} is removed", *told)


@pool.command("list", cls=Command)
@at_option
@click.pass_obj
def list_(app: App, at: datetime) -> None:
    """All pools of ours."""
    found = services.list_pools(app.context, at)
    app.show_table(
        found,
        ("id", "name", "kind", "addresses", "running", "waiting", "free"),
        (
            (
                view.pool_id,
                view.name,
                view.kind.value,
                view.addresses,
                view.running,
                view.waiting,
                view.free,
            )
            for view in found
        ),
    )


@pool.command("show", cls=Command)
@click.argument("name")
@at_option
@click.pass_obj
def show(app: App, name: str, at: datetime) -> None:
    """One pool: its ranges and how full it is."""
    view = services.find_pool(app.context, name, at)
    app.show(
        view,
        f"{view.name} ({view.kind}), made {show_instant(view.created_at)}",
        f"ranges: {', '.join(view.ranges)}",
        f"netmask: {view.netmask or 'none'}",
        _fill(view),
    )


@pool.command("leases", cls=Command)
@click.argument("name")
@click.option("--search", default="", help="Part of a user name, an address or a MAC.")
@click.option("--after", default="", help="Go on behind this address.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@at_option
@click.pass_obj
def leases(app: App, name: str, search: str, after: str, limit: int, at: datetime) -> None:
    """Who has which address."""
    view = services.find_pool(app.context, name, at)
    found = services.leases(app.context, view.pool_id, at, search=search, after=after, limit=limit)
    app.show_table(
        found,
        ("address", "user", "station", "since", "state", "NAS", "session since"),
        (
            (
                lease.address,
                lease.username,
                lease.calling_station,
                show_instant(lease.leased_at),
                lease.state.value,
                lease.nas_name,
                show_instant(lease.session_started_at) if lease.session_started_at else None,
            )
            for lease in found
        ),
    )


@pool.command("release", cls=Command)
@click.argument("name")
@click.argument("address")
@click.option("--force", is_flag=True, help="Even while a session has it (it is known to be gone).")
@at_option
@click.pass_obj
def release(app: App, name: str, address: str, force: bool, at: datetime) -> None:
    """Make an address free for anybody."""
    view = services.find_pool(app.context, name, at)
    services.release(app.context, view.pool_id, address, at, force=force)
    after = services.get_pool(app.context, view.pool_id, at)
    app.show(after, f"{address} is free", _fill(after))


def _fill(view: PoolView) -> str:
    return (
        f"{view.addresses} addresses: {view.running} running, {view.waiting} waiting for their "
        f"session, {view.free} free"
    )
