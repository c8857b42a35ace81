"""What a customer was told, event by event: in the panel as well as where it was sent (P6, P8)."""

from __future__ import annotations

import logging

from billing.messages.render import Unrenderable, short
from billing.model.messages import Facts, MessageKind, Notice
from billing.model.views import CustomerView
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import messages as store

log = logging.getLogger(__name__)


def of_customer(context: Context, customer: CustomerView, *, limit: int) -> list[Notice]:
    """The newest `limit` events, each with the short text of its message in the language of staff
    and a row for each channel. One that cannot be written any more has an empty text."""
    with context.transaction() as tx:
        found = store.events(tx, customer.customer_id, limit)
        organisation = operator_of(tx).name
    return [
        Notice(
            kind=rows[0].kind,
            created_at=rows[0].created_at,
            text=_text(rows[0].kind, organisation, customer.name, facts),
            messages=tuple(rows),
        )
        for facts, rows in found
    ]


def _text(kind: MessageKind, organisation: str, customer: str, facts: Facts) -> str:
    try:
        return short(kind, "en", organisation=organisation, customer=customer, facts=facts)
    except Unrenderable as error:
        log.warning("a notice of kind %s cannot be shown: %s", kind, error)
        return ""
