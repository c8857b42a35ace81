"""Forms that act once, and where it matters after showing first what they will do (rule M5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import flash
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField

from billing.errors import Conflict, InvalidInput, NotBuiltYet, NotFound, Refused
from billing.services.context import Context
from web.forms import show_errors

Act = Callable[[Context], Sequence[str]]
"""Does it, within a context, and says in sentences what it did."""


class OnceForm(FlaskForm):
    """`key` makes its command act once; `quoted` names the quote that was shown."""

    key = HiddenField()
    quoted = HiddenField()

    def shown(self) -> list[Field]:
        """The fields that a person sees, in their order."""
        return [one for one in self if not isinstance(one, HiddenField)]


@dataclass(frozen=True, slots=True)
class Sent:
    """Whether it was done; else what it would do, where the form is good so far."""

    done: bool
    quote: Sequence[str] | None = None


def send(
    context: Context,
    form: OnceForm,
    act: Act,
    *,
    quoted: bool = False,
    errors_at: Mapping[str, str] | None = None,
) -> Sent:
    """Carry out a form that was sent, and flash what was done. `quoted`: first what it would do is
    shown, from a rehearsal, and has to be confirmed. Refusals stand at the form's fields
    (`errors_at`: a service's field → the form's)."""
    if not form.is_submitted():
        form.key.data = secrets.token_hex(16)
    if not form.validate_on_submit():
        return Sent(False)
    try:
        quote = _quote(context, form, act) if quoted else None
        if quote is not None:
            return Sent(False, quote)
        for sentence in act(context):
            flash(sentence, "success")
    except (InvalidInput, NotFound, Refused, Conflict, NotBuiltYet) as error:
        _show(form, error, errors_at or {})
        return Sent(False)
    return Sent(True)


def _quote(context: Context, form: OnceForm, act: Act) -> Sequence[str] | None:
    """What the form would do; None when the person has confirmed just that."""
    with context.rehearsed() as trial:
        said = act(trial)
    filled_in = {one.name: one.data for one in form.shown()}
    digest = sha256(repr((sorted(filled_in.items(), key=str), list(said))).encode()).hexdigest()
    if form.quoted.data == digest:
        return None
    form.quoted.data = digest
    return said


def _show(form: OnceForm, error: Any, errors_at: Mapping[str, str]) -> None:
    if error.field == "idempotency_key":
        # Sent before with something else in it, as by the browser's way back.
        form.key.data = secrets.token_hex(16)
        form.form_errors.append(
            "This form was sent before with other values, and that was carried out. Look at what "
            "was done; if this is to be done as well, send it again."
        )
        return
    show_errors(form, error, errors_at)
