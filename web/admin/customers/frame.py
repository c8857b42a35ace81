"""What cards and actions of the customer's page are made with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField

from billing.errors import Conflict, InvalidInput, NotBuiltYet, NotFound, Refused
from billing.model.staff import StaffRole
from billing.model.views import CustomerView
from billing.services import customers
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.forms import show_errors
from web.guards import staff_only

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


class ActionForm(FlaskForm):
    """A form of an action. `key` makes its command act once (rule M5); `quoted` names the quote
    that was shown."""

    key = HiddenField()
    quoted = HiddenField()

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Set choices; and what the fields hold at first, where it is `fresh`."""

    def shown(self) -> list[Field]:
        """The fields that a person sees, in their order."""
        return [one for one in self if one.name not in ("key", "quoted", "csrf_token")]


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
    if fresh:
        form.key.data = secrets.token_hex(16)
    form.prepare(context, customer, fresh=fresh)
    quote: Sequence[str] | None = None
    if form.validate_on_submit():
        try:
            quote = _quote(made, context, customer, form) if made.quoted else None
            if quote is None:
                for sentence in made.carry_out(context, customer, form):
                    flash(sentence, "success")
                return redirect(url_for("admin.customer", customer_id=customer_id))
        except (InvalidInput, NotFound, Refused, Conflict, NotBuiltYet) as error:
            _show(made, form, error)
    page = render_template(
        "admin/customer/_action.html", action=made, form=form, customer=customer, quote=quote
    )
    return page, 422 if form.errors else 200


def _quote(
    made: Action, context: Context, customer: CustomerView, form: ActionForm
) -> Sequence[str] | None:
    """What the action would do; None when the person has confirmed just that."""
    with context.rehearsed() as trial:
        said = made.carry_out(trial, customer, form)
    filled_in = {one.name: one.data for one in form.shown()}
    digest = sha256(repr((sorted(filled_in.items(), key=str), list(said))).encode()).hexdigest()
    if form.quoted.data == digest:
        return None
    form.quoted.data = digest
    return said


def _show(made: Action, form: ActionForm, error: Any) -> None:
    if error.field == "idempotency_key":
        # Sent before with something else in it, as by the browser's way back.
        form.key.data = secrets.token_hex(16)
        form.form_errors.append(
            "This form was sent before with other values, and that was carried out. Look at the "
            "customer's page; if this is to be done as well, send it again."
        )
        return
    show_errors(form, error, made.errors_at)


def request_argument(name: str) -> str | None:
    """What the link that led here fills in."""
    return request.args.get(name) or None
