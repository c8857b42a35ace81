"""Bills and credit notes as e-invoices: UN/CEFACT Cross Industry Invoice XML by EN 16931, as
Factur-X and ZUGFeRD embed it. Comments name the business terms of the norm (BT, BG).

A pure function that writes with the standard library alone; tests hold what it writes against the
schema and the rules of the norm.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from billing.errors import InvalidFields
from billing.languages import spoken, told
from billing.model.documents import BillDocument, CreditDocument, DocumentLine, Party, TaxTotal
from billing.model.money import MICROS_PER_UNIT, Money
from billing.rules.e_invoices import problems, vat_number

GUIDELINE = "urn:cen.eu:en16931:2017"
FILE_NAME = "factur-x.xml"
_INVOICE, _CREDIT_NOTE = "380", "381"
_STANDARD_RATE, _ZERO_RATE = "S", "Z"
_ONE_PIECE = "C62"

_SPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
for _prefix, _uri in _SPACES.items():
    register_namespace(_prefix, _uri)


def to_xml(bill: BillDocument) -> bytes:
    """The e-invoice, as the bill stands now. Amounts are rounded to the minor unit line by line,
    which the norm asks for; what that leaves is the rounding amount (BT-114).

    Raises InvalidFields, naming what is missing.
    """
    if found := problems(bill):
        raise InvalidFields(found)
    bill = _in_its_language(bill)
    root = Element(_name("rsm:CrossIndustryInvoice"))
    context = _sub(root, "rsm:ExchangedDocumentContext")
    _text(_sub(context, "ram:GuidelineSpecifiedDocumentContextParameter"), "ram:ID", GUIDELINE)
    _document(_sub(root, "rsm:ExchangedDocument"), bill)
    trade = _sub(root, "rsm:SupplyChainTradeTransaction")
    for place, line in enumerate(bill.lines, 1):
        _line(_sub(trade, "ram:IncludedSupplyChainTradeLineItem"), place, line, bill.currency)
    _parties(_sub(trade, "ram:ApplicableHeaderTradeAgreement"), bill)
    delivery = _sub(trade, "ram:ApplicableHeaderTradeDelivery")
    delivered = _sub(delivery, "ram:ActualDeliverySupplyChainEvent")
    _day(delivered, "ram:OccurrenceDateTime", bill.last_day or bill.issued_on)  # BT-72
    _settlement(_sub(trade, "ram:ApplicableHeaderTradeSettlement"), bill)
    octets: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return octets


def _in_its_language(bill: BillDocument) -> BillDocument:
    """As the paper says it."""
    language = spoken(bill.buyer.language)
    lines = tuple(replace(line, text=told(line.text, language)) for line in bill.lines)
    if isinstance(bill, CreditDocument):
        bill = replace(bill, reason=told(bill.reason, language))
    return replace(bill, lines=lines)


def _document(parent: Element, bill: BillDocument) -> None:
    is_credit = isinstance(bill, CreditDocument)
    _text(parent, "ram:ID", bill.number)  # BT-1
    _text(parent, "ram:TypeCode", _CREDIT_NOTE if is_credit else _INVOICE)  # BT-3
    _day(parent, "ram:IssueDateTime", bill.issued_on)  # BT-2
    if isinstance(bill, CreditDocument):
        _text(_sub(parent, "ram:IncludedNote"), "ram:Content", bill.reason)  # BT-22


def _line(parent: Element, place: int, line: DocumentLine, currency: str) -> None:
    """BG-25; a discount is minus one piece, as a price is never below nothing (BR-27)."""
    net_micros = _rounded(line.net_micros, currency)
    _text(_sub(parent, "ram:AssociatedDocumentLineDocument"), "ram:LineID", str(place))
    _text(_sub(parent, "ram:SpecifiedTradeProduct"), "ram:Name", line.text)  # BT-153
    price = _sub(_sub(parent, "ram:SpecifiedLineTradeAgreement"), "ram:NetPriceProductTradePrice")
    _text(price, "ram:ChargeAmount", _amount(abs(net_micros)))  # BT-146
    quantity = _text(
        _sub(parent, "ram:SpecifiedLineTradeDelivery"),
        "ram:BilledQuantity",
        "-1" if net_micros < 0 else "1",
    )  # BT-129
    quantity.set("unitCode", _ONE_PIECE)
    settlement = _sub(parent, "ram:SpecifiedLineTradeSettlement")
    tax = _sub(settlement, "ram:ApplicableTradeTax")
    _text(tax, "ram:TypeCode", "VAT")
    _text(tax, "ram:CategoryCode", _category(line.tax_rate_ppm))  # BT-151
    _text(tax, "ram:RateApplicablePercent", _percent(line.tax_rate_ppm))
    total = _sub(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    _text(total, "ram:LineTotalAmount", _amount(net_micros))  # BT-131


def _parties(parent: Element, bill: BillDocument) -> None:
    seller = _sub(parent, "ram:SellerTradeParty")
    _party(seller, bill.seller, bill.seller.country)
    buyer = _sub(parent, "ram:BuyerTradeParty")
    _text(buyer, "ram:ID", str(bill.customer_id))  # BT-46
    _party(buyer, bill.buyer, bill.buyer.country or bill.seller.country)


def _party(parent: Element, party: Party, country: str | None) -> None:
    """BG-4 to BG-8. The norm has three lines of address: what is more goes into the third."""
    _text(parent, "ram:Name", party.name)
    address = _sub(parent, "ram:PostalTradeAddress")
    first, second, *more = (*party.address_lines, "", "")
    for tag, text in (
        ("ram:LineOne", first),
        ("ram:LineTwo", second),
        ("ram:LineThree", ", ".join(line for line in more if line)),
    ):
        if text:
            _text(address, tag, text)
    if country:
        _text(address, "ram:CountryID", country)  # BT-40, BT-55
    number = vat_number(party)
    if number is not None:
        registration = _sub(parent, "ram:SpecifiedTaxRegistration")
        _text(registration, "ram:ID", number).set("schemeID", "VA")  # BT-31, BT-48


def _settlement(parent: Element, bill: BillDocument) -> None:
    _text(parent, "ram:PaymentReference", bill.number)  # BT-83
    _text(parent, "ram:InvoiceCurrencyCode", bill.currency)  # BT-5
    totals = [_rounded_total(bill, one) for one in bill.tax_totals]
    for total in totals:
        _tax(_sub(parent, "ram:ApplicableTradeTax"), total)
    if bill.first_day and bill.last_day:
        days = _sub(parent, "ram:BillingSpecifiedPeriod")  # BG-14
        _day(days, "ram:StartDateTime", bill.first_day)
        _day(days, "ram:EndDateTime", bill.last_day)
    terms = _sub(parent, "ram:SpecifiedTradePaymentTerms")
    if isinstance(bill, CreditDocument):
        _text(terms, "ram:Description", f"Credited against {bill.bill_number}")  # BT-20
    else:
        _day(terms, "ram:DueDateDateTime", bill.due_on)  # BT-9
    _summation(_sub(parent, "ram:SpecifiedTradeSettlementHeaderMonetarySummation"), bill, totals)
    if isinstance(bill, CreditDocument):
        reference = _sub(parent, "ram:InvoiceReferencedDocument")  # BG-3
        _text(reference, "ram:IssuerAssignedID", bill.bill_number)


def _rounded_total(bill: BillDocument, total: TaxTotal) -> TaxTotal:
    """What the rounded lines of a rate come to (BT-116), and its tax (BT-117)."""
    nets = (
        _rounded(line.net_micros, bill.currency)
        for line in bill.lines
        if line.tax_rate_ppm == total.tax_rate_ppm
    )
    return TaxTotal(
        tax_rate_ppm=total.tax_rate_ppm,
        net_micros=sum(nets),
        tax_micros=_rounded(total.tax_micros, bill.currency),
    )


def _tax(parent: Element, total: TaxTotal) -> None:
    """BG-23."""
    _text(parent, "ram:CalculatedAmount", _amount(total.tax_micros))
    _text(parent, "ram:TypeCode", "VAT")
    _text(parent, "ram:BasisAmount", _amount(total.net_micros))
    _text(parent, "ram:CategoryCode", _category(total.tax_rate_ppm))
    _text(parent, "ram:RateApplicablePercent", _percent(total.tax_rate_ppm))


def _summation(parent: Element, bill: BillDocument, totals: list[TaxTotal]) -> None:
    """BG-22. What credit notes take back is told by themselves: due is what is not paid."""
    net_micros = sum(one.net_micros for one in totals)
    tax_micros = sum(one.tax_micros for one in totals)
    gross_micros = net_micros + tax_micros
    _text(parent, "ram:LineTotalAmount", _amount(net_micros))  # BT-106
    _text(parent, "ram:TaxBasisTotalAmount", _amount(net_micros))  # BT-109
    tax = _text(parent, "ram:TaxTotalAmount", _amount(tax_micros))  # BT-110
    tax.set("currencyID", bill.currency)
    if bill.total_micros != gross_micros:
        _text(parent, "ram:RoundingAmount", _amount(bill.total_micros - gross_micros))  # BT-114
    _text(parent, "ram:GrandTotalAmount", _amount(gross_micros))  # BT-112
    _text(parent, "ram:TotalPrepaidAmount", _amount(bill.paid_micros))  # BT-113
    due_micros = bill.total_micros - bill.paid_micros
    _text(parent, "ram:DuePayableAmount", _amount(due_micros))  # BT-115


def _category(tax_rate_ppm: int) -> str:
    return _STANDARD_RATE if tax_rate_ppm else _ZERO_RATE


def _percent(tax_rate_ppm: int) -> str:
    return f"{Decimal(tax_rate_ppm) / 10_000:f}"


def _rounded(amount_micros: int, currency: str) -> int:
    return Money(amount_micros, currency).rounded().amount_micros


def _amount(amount_micros: int) -> str:
    return f"{Decimal(amount_micros) / MICROS_PER_UNIT:.2f}"


def _day(parent: Element, tag: str, moment: date) -> None:
    _text(_sub(parent, tag), "udt:DateTimeString", f"{moment:%Y%m%d}").set("format", "102")


def _text(parent: Element, tag: str, text: str) -> Element:
    made = _sub(parent, tag)
    # What XML cannot hold is left out: names come from people.
    made.text = "".join(mark for mark in text if mark.isprintable() or mark in "\n\t")
    return made


def _sub(parent: Element, tag: str) -> Element:
    return SubElement(parent, _name(tag))


def _name(tag: str) -> str:
    prefix, _, name = tag.partition(":")
    return f"{{{_SPACES[prefix]}}}{name}"
