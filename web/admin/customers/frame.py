"""What cards and actions of the customer's page are made with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from billing.model.staff import StaffRole
from billing.model.views import CustomerView
from billing.services import customers
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.guards import staff_only
from web.once import OnceForm, send

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """`load` reads what `templates/admin/customer/NAME.html` shows; `place` is left, right or
    wide; `actions` are linked in its head."""

    name: str
    title: str
    load: Callable[[Context, CustomerView], Facts]
    place: str
    actions: tuple[str, ...]


class ActionForm(OnceForm):
    """A form of an action."""

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Set choices; and what the fields hold at first, where it is `fresh`."""


CarryOut = Callable[[Context, CustomerView, Any], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Action:
    """`carry_out` does it and says in sentences what it did. `quoted`: these sentences are shown
    first, from a rehearsal, and have to be confirmed. `errors_at`: a service's field → the form's.
    """

    name: str
    label: str
    form: type[ActionForm]
    roles: frozenset[StaffRole]
    carry_out: CarryOut
    hint: str = ""
    quoted: bool = False
    errors_at: Mapping[str, str] = field(default_factory=dict)


CARDS: dict[str, Card] = {}
ACTIONS: dict[str, Action] = {}


def card(
    name: str, title: str, *, place: str, actions: tuple[str, ...] = ()
) -> Callable[[Callable[[Context, CustomerView], Facts]], Callable[..., Facts]]:
    """Puts a card on the page; cards stand in the order in which they are registered."""

    def register(load: Callable[[Context, CustomerView], Facts]) -> Callable[..., Facts]:
        CARDS[name] = Card(name, title, load, place, actions)
        return load

    return register


def action(
    name: str, label: str, form: type[ActionForm], roles: frozenset[StaffRole], **more: Any
) -> Callable[[CarryOut], CarryOut]:
    """Makes `/customers/ID/NAME` the page of an action, for these roles."""

    def register(carry_out: CarryOut) -> CarryOut:
        made = Action(name, label, form, roles, carry_out, **more)

        def view(customer_id: int) -> ResponseReturnValue:
            return _answer(made, customer_id)

        ACTIONS[name] = made
        blueprint.add_url_rule(
            f"/customers/<int:customer_id>/{name}",
            f"customer_{name.replace('-', '_')}",
            staff_only(roles)(view),
            methods=["GET", "POST"],
        )
        return carry_out

    return register


def offered(names: Iterable[str]) -> list[Action]:
    """Of these actions, those that the person who is logged in may do."""
    roles = parts.member().roles
    return [ACTIONS[name] for name in names if ACTIONS[name].roles & roles]


def address_of(name: str, customer_id: int, **arguments: Any) -> str:
    """Of an action's page; the arguments fill in its form."""
    return url_for(f"admin.customer_{name.replace('-', '_')}", customer_id=customer_id, **arguments)


def _answer(made: Action, customer_id: int) -> ResponseReturnValue:
    context = parts.context()
    customer = customers.get_customer(context, customer_id)
    form = made.form()
    fresh = not form.is_submitted()
    form.prepare(context, customer, fresh=fresh)
    sent = send(
        context,
        form,
        lambda within: made.carry_out(within, customer, form),
        quoted=made.quoted,
        errors_at=made.errors_at,
    )
    if sent.done:
        return redirect(url_for("admin.customer", customer_id=customer_id))
    page = render_template(
        "admin/customer/_action.html", action=made, form=form, customer=customer, quote=sent.quote
    )
    return page, 422 if form.errors else 200


def request_argument(name: str) -> str | None:
    """What the link that led here fills in."""
    return request.args.get(name) or None
