"""A reseller's own brand: its name, colour, logo and contact at its customers' pages, and on their
receipts and bills (rules R1, I3).

It is a part of the organisation's design of bills: the contact is that design's footer, as long as
it is plain text.
"""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.brands import Brand
from billing.model.designs import InvoiceDesign
from billing.services import designs
from billing.services.context import Context
from billing.services.identity import checked_optional
from billing.store import designs as store
from billing.store import documents as organisations
from billing.store.guard import Transaction

CONTACT_CHARACTERS = 200
_OF_TEMPLATES = frozenset("{}<>")


def of(context: Context, org_id: int) -> Brand:
    """The operator's has a name only: its pages look as they do. Raises NotFound."""
    with context.transaction() as tx:
        name, is_resellers = _organisation(tx, org_id)
        design = store.get(tx, org_id) if is_resellers else None
    if design is None:
        return Brand(name=name)
    return Brand(name=name, accent=design.accent, logo=design.logo, contact=_contact(design.footer))


def save(
    context: Context,
    org_id: int,
    now: datetime,
    *,
    accent: str,
    logo: str | None,
    contact: str | None,
) -> Brand:
    """Of a reseller, for its customers from now on. Raises InvalidInput, NotFound,
    Refused (the operator's bills have a designer of their own; a cashier asks)."""
    context.refuse_cashier()
    words = checked_optional(contact, "contact")
    if words is not None and (len(words) > CONTACT_CHARACTERS or _OF_TEMPLATES & set(words)):
        raise InvalidInput(
            f"must be at most {CONTACT_CHARACTERS} characters, without braces or angle brackets",
            field="contact",
        )
    with context.together() as joined, joined.transaction() as tx:
        _, is_resellers = _organisation(tx, org_id)
        if not is_resellers:
            raise Refused("the operator's papers are set under How bills look", field="org")
        kept = store.get(tx, org_id) or InvoiceDesign()
        footer = kept.footer if words is None and _contact(kept.footer) is None else (
            None if words is None else html.escape(words, quote=False)
        )  # fmt: skip
        designs.save(joined, org_id, replace(kept, accent=accent, logo=logo, footer=footer), now)
        return of(joined, org_id)


def _organisation(tx: Transaction, org_id: int) -> tuple[str, bool]:
    """Its name, and whether it is a reseller's. Raises NotFound."""
    found = organisations.organisation(tx, org_id)
    if found is None:
        raise NotFound(f"no organisation has the number {org_id}", field="org")
    return found.name, found.parent_org_id is not None


def _contact(footer: str | None) -> str | None:
    """The footer as plain text; None for one with expressions or markup."""
    if footer is None or _OF_TEMPLATES & set(footer):
        return None
    return html.unescape(footer)
