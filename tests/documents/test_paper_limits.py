"""A design that takes for ever, or all of the memory, ends nothing but the attempt (rule I3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.documents.html import to_html
from billing.documents.pdf import bill_to_pdf, to_pdf
from billing.documents.press import set_page
from billing.errors import Refused
from billing.model.designs import InvoiceDesign
from billing.model.documents import Paper
from tests.documents.paper import BILL, text_of

ENDLESS = "dl { display: grid; grid-template-columns: repeat(9999999, 1px) }"


def test_a_page_set_by_a_process_of_its_own_is_the_same() -> None:
    for paper in Paper:
        html = to_html(BILL, paper)
        assert to_pdf(html, paper) == set_page(html, paper)
    green = InvoiceDesign(css="p { color: green }", footer="Quote {{ bill.number }}.")
    assert "Quote INV-7." in text_of(bill_to_pdf(BILL, design=green))
    assert "Quote" not in text_of(bill_to_pdf(BILL))


@pytest.mark.rule("I3")
def test_an_endless_style_sheet_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="style sheet simpler"):
        to_pdf(to_html(BILL, design=InvoiceDesign(css=ENDLESS)), cpu_seconds=4)


def test_only_what_people_wrote_needs_a_process() -> None:
    plain = InvoiceDesign(logo="data:", accent="#000000")
    assert not plain.has_own_words
    for own in ({"css": "p {}"}, {"footer": "x"}, {"template": "x"}):
        assert replace(plain, **own).has_own_words
