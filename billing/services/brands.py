"""A reseller's own brand: its name, colour, logo and contact at its customers' pages, at their
login page by a link, in their mails, and on their receipts and bills (rules R1, I3).

It is a part of the organisation's design of bills: the contact is that design's footer, as long as
it is plain text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.brands import Brand
from billing.model.designs import OF_TEMPLATES, InvoiceDesign
from billing.services import designs
from billing.services.context import Context
from billing.services.identity import checked_optional
from billing.store import brands as store
from billing.store import designs as design_store
from billing.store import documents as organisations
from billing.store import tables
from billing.store.guard import Transaction

CONTACT_CHARACTERS = 200
CONTACT_LINES = 5
_KEY = re.compile(r"[0-9a-f]{32}")


def of(context: Context, org_id: int) -> Brand:
    """The operator's has a name only: its pages look as they do. Raises NotFound."""
    with context.transaction() as tx:
        row = _organisation(tx, org_id)
        is_resellers = row.parent_org_id is not None
        design = design_store.get(tx, org_id) if is_resellers else None
        key = row.brand_key if is_resellers else None
    if design is None:
        return Brand(name=row.name, key=key)
    return Brand(
        name=row.name, accent=design.accent, logo=design.logo, contact=design.contact, key=key
    )


def contact_of(tx: Transaction, org_id: int) -> str | None:
    """How a reseller is reached, in one line; None: it is the operator, or says nothing, or is not
    seen."""
    row = organisations.organisation(tx, org_id)
    design = None if row is None or row.parent_org_id is None else design_store.get(tx, org_id)
    lines = [] if design is None or design.contact is None else design.contact.splitlines()
    return ", ".join(line.strip() for line in lines if line.strip()) or None


def by_key(context: Context, key: str) -> Brand | None:
    """A reseller's, by what a link to the login page carries; nobody need be logged in. None: the
    operator's is shown. It tells nothing that the link's customers do not see, and decides nothing:
    whose customer somebody is, the login says."""
    if not _KEY.fullmatch(key):
        return None
    with context.transaction() as tx:
        return store.by_key(tx, key)


def save(
    context: Context,
    org_id: int,
    now: datetime,
    *,
    accent: str,
    logo: str | None,
    contact: Sequence[str],
) -> Brand:
    """Of a reseller, for its customers from now on; `contact` in lines. Raises InvalidInput,
    NotFound, Refused (the operator's bills have a designer of their own; a cashier asks)."""
    context.refuse_cashier()
    words = _checked_contact(contact)
    with context.together() as joined, joined.transaction() as tx:
        if _organisation(tx, org_id).parent_org_id is None:
            raise Refused("the operator's papers are set under How bills look", field="org")
        kept = design_store.get(tx, org_id) or InvoiceDesign()
        footer = kept.footer if words is None and kept.contact is None else (
            None if words is None else html.escape(words, quote=False)
        )  # fmt: skip
        designs.save(joined, org_id, replace(kept, accent=accent, logo=logo, footer=footer), now)
        return of(joined, org_id)


def _checked_contact(lines: Sequence[str]) -> str | None:
    kept = [line for line in (checked_optional(line, "contact") for line in lines) if line]
    words = "\n".join(kept)
    if len(words) > CONTACT_CHARACTERS or OF_TEMPLATES & set(words) or len(kept) > CONTACT_LINES:
        raise InvalidInput(
            f"must be at most {CONTACT_LINES} lines of {CONTACT_CHARACTERS} characters together, "
            "without braces or angle brackets",
            field="contact",
        )
    return words or None


def _organisation(tx: Transaction, org_id: int) -> tables.Organisation:
    """Raises NotFound."""
    found = organisations.organisation(tx, org_id)
    if found is None:
        raise NotFound(f"no organisation has the number {org_id}", field="org")
    return found
