"""What an e-invoice cannot be without (EN 16931)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.documents.sample import FULL
from billing.model.documents import Party
from billing.rules.e_invoices import problems, seller_problems, vat_number

SELLER = Party(
    name="Tower Net", address_lines=("1 Tower Road",), tax_id="ESB12345678", country="ES"
)


@pytest.mark.parametrize(
    ("tax_id", "number"),
    [
        ("ESB12345678", "ESB12345678"),
        (" de 123.456-789 ", "DE123456789"),
        ("EL123456789", "EL123456789"),
        ("12/345", None),
        ("123456789", None),
        ("X1", None),
        ("DE1", None),
        ("DE12345678901234", None),
        ("", None),
        (None, None),
    ],
)
def test_a_vat_number_begins_with_its_country(tax_id: str | None, number: str | None) -> None:
    assert vat_number(replace(SELLER, tax_id=tax_id)) == number


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"address_lines": ()}, ["address_line"]),
        ({"country": None}, ["country"]),
        ({"tax_id": "12/345"}, ["tax_id"]),
        (
            {"address_lines": (), "country": None, "tax_id": None},
            ["address_line", "country", "tax_id"],
        ),
    ],
)
def test_the_seller_is_named_whole(change: dict[str, object], fields: list[str]) -> None:
    found = seller_problems(replace(SELLER, **change))
    assert [field for field, _ in found] == fields
    assert all("e-invoices need" in reason for _, reason in found)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"currency": "JPY"}, []),
        ({"currency": "KWD"}, ["currency"]),
        ({"lines": ()}, ["lines"]),
        ({"seller": replace(SELLER, country=None)}, ["country"]),
    ],
)
def test_a_bill_that_cannot_be_one_says_why(change: dict[str, object], fields: list[str]) -> None:
    bill = replace(FULL, seller=SELLER)
    assert [field for field, _ in problems(replace(bill, **change))] == fields
