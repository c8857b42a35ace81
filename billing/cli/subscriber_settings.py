"""`tollway subscriber set`: from where, when and how often a subscriber may log in (rule A4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import click

from billing.cli.app import App, Command, at_option
from billing.errors import InvalidInput
from billing.model.access_settings import Changed
from billing.model.views import SubscriptionView
from billing.services import customers, subscriber_settings, subscribers
from billing.services.nas import list_nas
from billing.services.subscriber_settings import Change


def _clearable(name: str, field: str, what: str, **more: Any) -> Callable[..., Any]:
    """`--NAME VALUE` and `--no-NAME`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(f"--no-{name}", f"no_{field}", is_flag=True, help="None.")(command)
        return click.option(f"--{name}", field, help=what, **more)(command)

    return decorate


@click.command("set", cls=Command)
@click.argument("username")
@_clearable("mac", "macs", "Only from this device (repeatable).", multiple=True)
@_clearable("hours", "login_hours", "Like 'mon-fri 08:00-20:00'.")
@_clearable("sessions", "session_limit", "Sessions at the same time.", type=int)
@_clearable("ip", "framed_ip", "Fixed address.")
@_clearable("nas", "nas_names", "Only at this NAS (repeatable).", multiple=True)
@click.option("--now", "end_sessions", is_flag=True, help="End sessions that do not fit.")
@at_option
@click.pass_obj
def set_(app: App, /, username: str, end_sessions: bool, at: datetime, **given: Any) -> None:
    """Change from where, when and how often a subscriber may log in; what is not named stays.

    It holds from the next login on. --now disconnects sessions that do not fit what is set then:
    from another device, NAS or with another address, those that began last of too many, and all of
    them when the hours are changed.
    """
    subscription_id = customers.subscription_id_of(app.context, username)
    wanted = _change(app, given, at)
    if not wanted and not end_sessions:
        raise InvalidInput("say what to change, like --mac 02:00:5e:10:00:01", field="mac")
    changed = subscriber_settings.change(
        app.context, subscription_id, at, end_sessions=end_sessions, **wanted
    )
    view = subscribers.show(app.context, subscription_id, at)
    app.show(changed, f"{view.row.username}:", *settings_lines(view), *_sessions(changed))


def nas_ids(app: App, names: tuple[str, ...], at: datetime) -> tuple[int, ...]:
    """Raises InvalidInput where there is no NAS of a name."""
    known = {view.name: view.nas_id for view in list_nas(app.context, at)} if names else {}
    for name in names:
        if name not in known:
            raise InvalidInput(f"no NAS is named {name!r}", field="nas")
    return tuple(known[name] for name in names)


def settings_lines(view: SubscriptionView) -> list[str]:
    """What is limited of a subscriber's logins."""
    sessions = None if view.session_limit is None else f"{view.session_limit} at once"
    nas = ", ".join(view.allowed_nas_names)
    facts = {
        "devices:": ", ".join(view.allowed_macs or ()),
        "hours:": view.login_hours,
        "sessions:": sessions,
        "address:": view.row.framed_ip,
        "NAS:": nas,
    }
    return [f"{name:<9} {value}" for name, value in facts.items() if value]


def _change(app: App, given: Mapping[str, Any], at: datetime) -> Change:
    """Of what was given; both of a pair is refused."""
    wanted: dict[str, Any] = {}
    for field, option in (
        ("macs", "mac"),
        ("login_hours", "hours"),
        ("session_limit", "sessions"),
        ("framed_ip", "ip"),
        ("nas_names", "nas"),
    ):
        value, none = given[field], given[f"no_{field}"]
        if none and value not in (None, ()):
            raise InvalidInput(f"give --{option} or --no-{option}", field=option)
        if none:
            wanted[field] = () if isinstance(value, tuple) else None
        elif value not in (None, ()):
            wanted[field] = value
    if "nas_names" in wanted:
        wanted["nas_ids"] = nas_ids(app, wanted.pop("nas_names"), at)
    return cast(Change, wanted)


def _sessions(changed: Changed) -> list[str]:
    """What becomes of those that run."""
    lines = []
    if changed.ended:
        lines.append(f"{changed.ended} of its sessions disconnected")
    if changed.running and changed.names:
        lines.append(f"{changed.running} of its sessions go on as they began")
    return lines
