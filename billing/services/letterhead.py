"""What an organisation and a customer are called on bills: address, country and tax number. A bill
says what held when it was issued (rule I2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import InvalidFields, InvalidInput, NotFound
from billing.model.countries import COUNTRIES
from billing.model.documents import Party
from billing.rules.e_invoices import seller_problems
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


def makes_e_invoices(context: Context, org_id: int) -> bool:
    """Whether an organisation's bills are e-invoices. Raises NotFound."""
    with context.transaction() as tx:
        found = store.organisation(tx, org_id)
        if found is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        return found.e_invoice


def set_of_organisation(
    context: Context,
    org_id: int,
    *,
    now: datetime,
    address_lines: Sequence[str] | None = None,
    tax_id: str | None = None,
    country: str | None = None,
    e_invoice: bool | None = None,
) -> Party:
    """What is None stays as it is; an empty one is taken away. Bills that were issued go on saying
    what they said. `e_invoice`: its bills from now on are e-invoices, which need an address, a
    country and a VAT number.

    Raises InvalidFields (what e-invoices need is missing), InvalidInput, NotFound.
    """
    with context.transaction() as tx:
        row = store.lock_organisation(tx, org_id)
        if row is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        _set(row, address_lines, tax_id, country)
        if e_invoice is not None:
            row.e_invoice = e_invoice
        if row.e_invoice and (missing := seller_problems(party(row))):
            raise InvalidFields(missing)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="organisation.letterhead",
            subject=f"organisation:{org_id}",
            detail=_called(row) | {"e_invoice": row.e_invoice},
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
    country: str | None = None,
) -> Party:
    """As `set_of_organisation`. Raises InvalidInput, NotFound."""
    with changing_customer(context, customer_id) as (tx, row):
        _set(row, address_lines, tax_id, country)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="customer.letterhead",
            subject=f"customer:{customer_id}",
            detail=_called(row),
        )
        return party(row)


def party(
    row: tables.Organisation
    | tables.Customer
    | tables.OrganisationLetterhead
    | tables.CustomerLetterhead,
) -> Party:
    """As it stands on bills."""
    contact = row if isinstance(row, (tables.Customer, tables.CustomerLetterhead)) else None
    return Party(
        name=row.name,
        address_lines=tuple((row.postal_address or "").splitlines()),
        tax_id=row.tax_id,
        country=row.country,
        email=contact.email if contact else None,
        phone=contact.phone if contact else None,
        language=contact.locale if contact else "en",
    )


def _set(
    row: tables.Organisation | tables.Customer,
    address_lines: Sequence[str] | None,
    tax_id: str | None,
    country: str | None,
) -> None:
    if address_lines is not None:
        row.postal_address = _checked_address(address_lines)
    if tax_id is not None:
        row.tax_id = _short(tax_id, "tax_id")
    if country is not None:
        row.country = _checked_country(country)


def _called(row: tables.Organisation | tables.Customer) -> dict[str, object]:
    return {"address": row.postal_address, "tax_id": row.tax_id, "country": row.country}


def _checked_country(text: str) -> str | None:
    country = text.strip().upper()
    if country and country not in COUNTRIES:
        raise InvalidInput("no such country; write it like DE", field="country")
    return country or None


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
