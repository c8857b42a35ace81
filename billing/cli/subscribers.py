"""`tollway subscriber`."""

from __future__ import annotations

import secrets
import sys
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.own_reply import attribute, ipv6, own_lines
from billing.cli.subscriber_settings import nas_ids, set_, settings_lines
from billing.cli.units import (
    INSTANT,
    KBPS,
    show_instant,
    show_money,
    show_octets,
    show_seconds,
    uninvoiced_words,
)
from billing.errors import InvalidInput
from billing.model.account import HoldBehaviour
from billing.model.views import EntitlementView, SubscriptionRow, SubscriptionView
from billing.services import catalog, customers, holds, resellers, speeds, subscribers
from billing.services.customers import NewCustomer, NewSubscription

_RANDOM_PASSWORD_OCTETS = 9


@click.group(cls=Group)
def subscriber() -> None:
    """Subscribers: who logs in."""


@subscriber.command("add", cls=Command)
@click.argument("username")
@click.option("--customer", help="Number or exact name of an existing customer.")
@click.option("--name", help="Add a customer of this name (with --profile).")
@click.option("--profile", help="Billing profile: the new customer's, else the subscriber's own.")
@click.option("--org", "org_id", type=int, help="Reseller whose customer the new one is.")
@click.option("--email", help="The new customer's.")
@click.option("--phone", help="The new customer's.")
@click.option("--plan", help="Plan it is on; a daily subscriber still has to buy.")
@click.option("--password", help="A random one, printed once, unless given.")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@click.option("--nt-hash", help="Instead of a password: 32 hex digits.")
@click.option("--pbkdf2", help="Instead of a password: HMACSHA2+256:iterations:salt:hash.")
@click.option("--own-wallet", is_flag=True, help="A wallet of its own.")
@click.option("--framed-ip", help="Fixed address.")
@click.option("--mac", "macs", multiple=True, help="Only from this device (repeatable).")
@click.option("--nas", "nas_names", multiple=True, help="Only at this NAS (repeatable).")
@click.option("--login-hours", help="Like 'mon-fri 08:00-20:00'.")
@click.option("--session-limit", type=int, help="Sessions at the same time.")
@click.option("--up", type=KBPS, help="Upload speed instead of the plan's: 512k, 10M.")
@click.option("--down", type=KBPS, help="Download speed instead of the plan's.")
@at_option
@click.pass_obj
def add(
    app: App,
    username: str,
    customer: str | None,
    name: str | None,
    profile: str | None,
    org_id: int | None,
    email: str | None,
    phone: str | None,
    plan: str | None,
    password: str | None,
    password_stdin: bool,
    nt_hash: str | None,
    pbkdf2: str | None,
    own_wallet: bool,
    framed_ip: str | None,
    macs: tuple[str, ...],
    nas_names: tuple[str, ...],
    login_hours: str | None,
    session_limit: int | None,
    up: int | None,
    down: int | None,
    at: datetime,
) -> None:
    """Add a subscriber, for an existing customer or with a new one."""
    if (customer is None) == (name is None):
        raise InvalidInput("give --customer, or --name and --profile", field="customer")
    generated = None
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif password is None and nt_hash is None and pbkdf2 is None:
        generated = password = secrets.token_urlsafe(_RANDOM_PASSWORD_OCTETS)
    profile_id = None if profile is None else catalog.find_profile(app.context, profile).profile_id
    plan_id = None if plan is None else catalog.find_plan(app.context, plan, at).plan_id
    wanted = NewSubscription(
        username=username,
        password=password,
        nt_hash=nt_hash,
        pbkdf2=pbkdf2,
        plan_id=plan_id,
        profile_id=None if name is not None else profile_id,
        own_wallet=own_wallet,
        framed_ip=framed_ip,
        macs=macs,
        nas_ids=nas_ids(app, nas_names, at),
        login_hours=login_hours,
        session_limit=session_limit,
        speed_up_kbps=up,
        speed_down_kbps=down,
    )
    if name is not None:
        if profile_id is None:
            raise InvalidInput("a new customer needs a billing profile", field="profile")
        new = NewCustomer(name=name, profile_id=profile_id, email=email, phone=phone)
        context = app.context
        if org_id is not None:
            context = replace(context, home_org_id=resellers.show(context, org_id).org_id)
        subscription_id = customers.add_subscriber(context, new, wanted, at)
    else:
        owner = customers.find_customer(app.context, customer or "").customer_id
        subscription_id = customers.add_subscription(
            app.context, customer_id=owner, now=at, **_fields_of(wanted)
        )
    view = subscribers.show(app.context, subscription_id, at)
    shown = [] if generated is None else [f"password: {generated} (not shown again)"]
    app.show(
        {"subscriber": view, "password": generated},
        f"subscriber {view.row.username} (subscription {subscription_id}, customer "
        f"{view.customer.customer_id} {view.customer.name}): {view.row.state.text}",
        *shown,
    )


@subscriber.command("speed", cls=Command)
@click.argument("username")
@click.option("--up", type=KBPS, help="Upload: 512k, 10M; the plan's unless given.")
@click.option("--down", type=KBPS, help="Download: 512k, 10M; the plan's unless given.")
@at_option
@click.pass_obj
def speed(app: App, username: str, up: int | None, down: int | None, at: datetime) -> None:
    """Give a subscriber a speed of its own, running sessions too; without options the plan's."""
    subscription_id = customers.subscription_id_of(app.context, username)
    speeds.set_speed(app.context, subscription_id, up_kbps=up, down_kbps=down, now=at)
    own = f"up {up or 'as its plan'}, down {down or 'as its plan'} (kbit/s)"
    app.show(subscribers.show(app.context, subscription_id, at), f"{username}: {own}")


subscriber.add_command(set_)
subscriber.add_command(ipv6)
subscriber.add_command(attribute)


@subscriber.command("show", cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def show(app: App, username: str, at: datetime) -> None:
    """Everything about a subscriber but its password."""
    view = _find(app, username, at)
    app.show(view, *_lines(view))


@subscriber.command("list", cls=Command)
@click.argument("search", default="")
@click.option("--limit", type=int, default=50, show_default=True)
@click.option("--after", help="Continue behind this user name.")
@click.option("--closed", is_flag=True, help="Closed ones, too.")
@at_option
@click.pass_obj
def list_(app: App, search: str, limit: int, after: str | None, closed: bool, at: datetime) -> None:
    """Subscribers by user name; SEARCH in names, customers, MAC and addresses."""
    page = subscribers.search(app.context, search, at, after=after, limit=limit, closed=closed)
    app.show_table(
        page,
        ("user name", "customer", "plan", "state", "time left", "data left", "until", "online"),
        (_cells(row) for row in page.rows),
    )
    if page.next_after is not None and not app.json:
        click.echo(f"more: --after {page.next_after!r}")


@subscriber.command("suspend", cls=Command)
@click.argument("username")
@click.option("--note", required=True, help="Why.")
@click.option("--until", type=INSTANT, help="Ends by itself then.")
@click.option("--pool", is_flag=True, help="Into the suspended pool instead of refusing.")
@at_option
@click.pass_obj
def suspend(
    app: App, username: str, note: str, until: datetime | None, pool: bool, at: datetime
) -> None:
    """Suspend a subscriber (rule S2)."""
    holds.suspend(
        app.context,
        customers.subscription_id_of(app.context, username),
        note=note,
        now=at,
        until=until,
        behaviour=HoldBehaviour.SUSPENDED_POOL if pool else HoldBehaviour.REJECT,
    )
    _show_state(app, username, at)


@subscriber.command("pause", cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def pause(app: App, username: str, at: datetime) -> None:
    """Pause a subscriber (rule S3)."""
    holds.pause(app.context, customers.subscription_id_of(app.context, username), at)
    _show_state(app, username, at)


@subscriber.command("resume", cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def resume(app: App, username: str, at: datetime) -> None:
    """End a suspension by staff and a pause."""
    holds.resume(app.context, customers.subscription_id_of(app.context, username), at)
    _show_state(app, username, at)


@subscriber.command("renew", cls=Command)
@click.argument("username")
@click.option("--on/--off", "on", required=True, help="Whether.")
@at_option
@click.pass_obj
def renew(app: App, username: str, on: bool, at: datetime) -> None:
    """Buy the last package again from the wallet at its end, by itself (rule P10)."""
    subscription_id = customers.subscription_id_of(app.context, username)
    holds.set_renewal(app.context, subscription_id, at, on=on)
    view = subscribers.show(app.context, subscription_id, at)
    app.show(view, f"{view.row.username}: {view.row.state.text}", *_upcoming(view))


@subscriber.command("close", cls=Command)
@click.argument("username")
@at_option
@click.pass_obj
def close(app: App, username: str, at: datetime) -> None:
    """Close a subscriber for good (rule S1)."""
    holds.close(app.context, customers.subscription_id_of(app.context, username), at)
    _show_state(app, username, at)


def _fields_of(wanted: NewSubscription) -> dict[str, Any]:
    """The fields by name, for the service that takes them one by one."""
    return {item.name: getattr(wanted, item.name) for item in fields(wanted)}


def _find(app: App, username: str, at: datetime) -> SubscriptionView:
    return subscribers.show(app.context, customers.subscription_id_of(app.context, username), at)


def _show_state(app: App, username: str, at: datetime) -> None:
    row = _find(app, username, at).row
    app.show(row, f"{row.username}: {row.state.text}")


def _cells(row: SubscriptionRow) -> tuple[object, ...]:
    bought = row.valid_until or row.seconds_total or row.octets_total
    return (
        row.username,
        row.customer_name,
        row.plan_name,
        row.state.text,
        show_seconds(row.seconds_left) if bought else None,
        show_octets(row.octets_left) if bought else None,
        show_instant(row.valid_until),
        row.live_sessions or None,
    )


def _lines(view: SubscriptionView) -> list[str]:
    row, wallet = view.row, view.wallet
    available = show_money(wallet.available_micros, wallet.currency)
    lines = [
        f"{row.username} (subscription {row.subscription_id})",
        f"state:    {row.state.text} ({row.state.rule})",
        f"customer: {view.customer.customer_id} {view.customer.name}",
        f"profile:  {view.profile.name} ({view.profile.kind.value}, {view.profile.payment.value})",
        f"plan:     {row.plan_name or '–'}",
        f"wallet:   {available} available{uninvoiced_words(wallet)}",
    ]
    if view.slowed_after_octets is not None:
        lines.append(
            f"fair use: {view.slowed_up_kbps} up, {view.slowed_down_kbps} down (kbit/s)"
            f" after {show_octets(view.slowed_after_octets)}"
        )
    lines += _upcoming(view)
    lines += settings_lines(view)
    lines += own_lines(view.own_reply)
    lines += [f"package:  {_package(entitlement)}" for entitlement in view.entitlements]
    lines += [
        f"bill:     {bill.number} due {bill.due_on}, {show_money(bill.open_micros, bill.currency)}"
        for bill in view.unpaid_bills
    ]
    lines += [
        f"session:  {session.acct_session_id} at {session.nas_name or session.nas_id}, "
        f"{session.framed_ip or 'no address'}, {show_seconds(session.seconds)}, "
        f"{show_octets(session.input_octets + session.output_octets)}"
        for session in view.sessions
    ]
    return lines


def _upcoming(view: SubscriptionView) -> list[str]:
    """What is bought next by itself (rule P10)."""
    lines = []
    if view.on_hold_since is not None:
        lines.append(f"on hold:  since {show_instant(view.on_hold_since)}, the wallet is short")
    one, wallet = view.upcoming, view.wallet
    if one is not None:
        when = "as soon as it is covered" if one.begins_at is None else show_instant(one.begins_at)
        lines.append(
            f"renews:   {one.text}, {show_money(one.total_micros, wallet.currency)}, {when}"
        )
    return lines


def _package(entitlement: EntitlementView) -> str:
    left = [
        text
        for limited, text in (
            (entitlement.seconds_left, show_seconds(entitlement.seconds_left)),
            (entitlement.octets_left, show_octets(entitlement.octets_left)),
        )
        if limited is not None
    ]
    got = [
        text
        for carried, text in (
            (entitlement.carried_seconds, show_seconds(entitlement.carried_seconds)),
            (entitlement.carried_octets, show_octets(entitlement.carried_octets)),
        )
        if carried
    ]
    rolled = [f"{' and '.join(filter(None, got))} of it rolled over"] if got else []
    words = [entitlement.plan_name, entitlement.status, *left, *rolled]
    return f"{', '.join(words)}, until {show_instant(entitlement.valid_until)}"
