"""What an organisation and a customer are called on bills: postal address and tax number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.documents import Party
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.identity import checked_optional
from billing.store import audit, tables
from billing.store import documents as store

ADDRESS_LINES = 6
LINE_CHARACTERS = 80


def of_organisation(context: Context, org_id: int) -> Party:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.organisation(tx, org_id)
        if found is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        return party(found)


def set_of_organisation(
    context: Context,
    org_id: int,
    *,
    now: datetime,
    address_lines: Sequence[str] | None = None,
    tax_id: str | None = None,
) -> Party:
    """What is None stays as it is; an empty one is taken away. Bills are read anew each time, so
    ones issued before carry it, too. Raises InvalidInput, NotFound."""
    with context.transaction() as tx:
        row = store.lock_organisation(tx, org_id)
        if row is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        _set(row, address_lines, tax_id)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="organisation.letterhead",
            subject=f"organisation:{org_id}",
            detail={"address": row.postal_address, "tax_id": row.tax_id},
        )
        return party(row)


def of_customer(context: Context, customer_id: int) -> Party:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.customer(tx, customer_id)
        if found is None:
            raise NotFound(f"no customer has the number {customer_id}", field="customer")
        return party(found)


def set_of_customer(
    context: Context,
    customer_id: int,
    *,
    now: datetime,
    address_lines: Sequence[str] | None = None,
    tax_id: str | None = None,
) -> Party:
    """As `set_of_organisation`. Raises InvalidInput, NotFound."""
    with changing_customer(context, customer_id) as (tx, row):
        _set(row, address_lines, tax_id)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="customer.letterhead",
            subject=f"customer:{customer_id}",
            detail={"address": row.postal_address, "tax_id": row.tax_id},
        )
        return party(row)


def party(row: tables.Organisation | tables.Customer) -> Party:
    """As it stands on bills."""
    contact = row if isinstance(row, tables.Customer) else None
    return Party(
        name=row.name,
        address_lines=tuple((row.postal_address or "").splitlines()),
        tax_id=row.tax_id,
        email=contact.email if contact else None,
        phone=contact.phone if contact else None,
    )


def _set(
    row: tables.Organisation | tables.Customer,
    address_lines: Sequence[str] | None,
    tax_id: str | None,
) -> None:
    if address_lines is not None:
        row.postal_address = _checked_address(address_lines)
    if tax_id is not None:
        row.tax_id = _short(tax_id, "tax_id")


def _checked_address(lines: Sequence[str]) -> str | None:
    kept = [line for line in (_short(line, "address_line") for line in lines) if line]
    if len(kept) > ADDRESS_LINES:
        raise InvalidInput(f"at most {ADDRESS_LINES} lines", field="address_line")
    return "\n".join(kept) or None


def _short(text: str, field: str) -> str | None:
    kept = checked_optional(text, field)
    if kept is not None and len(kept) > LINE_CHARACTERS:
        raise InvalidInput(f"longer than {LINE_CHARACTERS} characters", field=field)
    return kept
