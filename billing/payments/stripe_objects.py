"""What is read of Stripe's objects, for every kind of order."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import stripe

from billing.model.method_setups import SetupOrder
from billing.model.payments import (
    Answer,
    DeclineKind,
    Outcome,
    PaymentOrder,
    RefundOrder,
    SavedMethod,
)
from billing.payments.stripe_events import KEY

_CLOCKS_DIFFER_SECONDS = 600
"""Stripe counts when something was made by a clock of its own."""


def declined(kind: DeclineKind, reason: str | None, ref: str | None = None) -> Answer:
    return Answer(outcome=Outcome.DECLINED, decline=kind, reason=reason, provider_ref=ref)


def first_of(found: Iterator[Answer]) -> Answer:
    """The pages after it are not asked for."""
    return next(found, Answer(outcome=Outcome.NOT_FOUND))


def is_of(one: Any, order: PaymentOrder | RefundOrder | SetupOrder, name: str = KEY) -> bool:
    """Whether it has our key, as Stripe keeps it."""
    metadata = one.metadata
    return bool(metadata) and metadata.to_dict().get(name) == order.key


def made_between(sent_at: datetime) -> tuple[int, int]:
    """Seconds of Unix time: an order is sent once, so nothing of it is older or newer. On a busy
    account that leaves a few pages to go through, not all of its payments."""
    sent = int(sent_at.timestamp())
    return sent - _CLOCKS_DIFFER_SECONDS, sent + _CLOCKS_DIFFER_SECONDS


def id_of(one: object) -> str | None:
    """Of what may be expanded."""
    if one is None or isinstance(one, str):
        return one
    if isinstance(one, Mapping):
        return str(one["id"])
    return str(getattr(one, "id", "")) or None


def saved(method: stripe.PaymentMethod, payer: str | None) -> SavedMethod:
    card = method.card
    until = None
    if card is not None:
        last_day = monthrange(card.exp_year, card.exp_month)[1]
        until = date(card.exp_year, card.exp_month, last_day)
    return SavedMethod(
        reference=method.id, label=method_label(method), payer=payer, expires_on=until
    )


def method_label(method: stripe.PaymentMethod) -> str:
    """For people: Visa …4242."""
    card = method.card
    return f"{card.brand.capitalize()} …{card.last4}" if card is not None else method.type
