"""What an e-invoice (EN 16931) cannot be without, each problem with its field."""

from __future__ import annotations

import re

from billing.model.documents import BillDocument, Party
from billing.model.money import minor_digits

# The country first, as ISO 3166-1 writes it; Greece writes EL.
_VAT_NUMBER = re.compile(r"[A-Z]{2}[0-9A-Z]{2,13}")


def vat_number(party: Party) -> str | None:
    """The tax number without spaces where it is a VAT number, which begins with a country."""
    number = re.sub(r"[ .-]", "", party.tax_id or "").upper()
    return number if _VAT_NUMBER.fullmatch(number) else None


def seller_problems(seller: Party) -> list[tuple[str, str]]:
    """(field, reason) each, of the organisation that issues them."""
    found = []
    if not seller.address_lines:
        found.append(("address_line", "e-invoices need the seller's postal address"))
    if seller.country is None:
        found.append(("country", "e-invoices need the seller's country, like DE"))
    if vat_number(seller) is None:
        found.append(("tax_id", "e-invoices need the seller's VAT number, like DE123456789"))
    return found


def problems(bill: BillDocument) -> list[tuple[str, str]]:
    """Why this bill or credit note cannot be one; none when it can."""
    found = seller_problems(bill.seller)
    if minor_digits(bill.currency) > 2:
        found.append(("currency", f"e-invoices have two decimals, {bill.currency} has more"))
    if not bill.lines:
        found.append(("lines", "e-invoices need a line"))
    return found
