"""Forms that act once, and where it matters after showing first what they will do (rule M5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import flash
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, PasswordField, StringField

from billing.errors import Conflict, InvalidInput, NotBuiltYet, NotFound, Refused, Unconfirmed
from billing.services.context import Context
from web import parts, proof
from web.forms import show_errors

Act = Callable[[Context], Sequence[str]]
"""Does it, within a context, and says in sentences what it did."""


class OnceForm(FlaskForm):
    """`key` makes its command act once; `quoted` names the quote that was shown. Where its command
    asks who it is, the form comes back as it was filled in, with the fields of `proof`."""

    key = HiddenField()
    quoted = HiddenField()
    proof_password = PasswordField("Your password")
    proof_code = StringField("Code of your authenticator app", render_kw={"inputmode": "numeric"})
    asks_proof = False

    def shown(self) -> list[Field]:
        """The fields that a person sees, in their order."""
        apart = (self.proof_password, self.proof_code)
        return [one for one in self if not isinstance(one, HiddenField) and one not in apart]

    def proof(self) -> list[Field]:
        """Those in which the person proves who it is, where that is asked for."""
        if not self.asks_proof:
            return []
        exempt = parts.member().two_factor_exempt
        return [self.proof_password] if exempt else [self.proof_password, self.proof_code]


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
        context = _proved(context, form)
        quote = _quote(context, form, act) if quoted else None
        if quote is not None:
            return Sent(False, quote)
        for sentence in act(context):
            flash(sentence, "success")
    except (InvalidInput, NotFound, Refused, Conflict, NotBuiltYet) as error:
        form.asks_proof = form.asks_proof or isinstance(error, Unconfirmed)
        _show(form, error, errors_at or {})
        return Sent(False)
    return Sent(True)


def _proved(context: Context, form: OnceForm) -> Context:
    """What the person gave to prove who it is counts; until it is right it is asked for again."""
    if not form.proof_password.data:
        return context
    form.asks_proof = True
    proved = proof.prove(context, form.proof_password.data, (form.proof_code.data or "").strip())
    form.asks_proof = False
    return proved


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
