"""Every sale and all money that comes in has a receipt with its tax and its own number (I6, I2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from billing.cli import main
from billing.errors import NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.documents import DocumentLine, TaxTotal
from billing.model.plan import PlanTerms
from billing.model.profile import BillingProfile, TaxPoint
from billing.model.receipts import Receipt, ReceiptKind
from billing.services import bills, books, receipts, sales
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
VAT = 210_000
TAXED = replace(DAILY, tax_rate_ppm=VAT, tax_inclusive=True)
DAY = replace(DAY_PLAN, price_micros=12_100_000)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, NOW).findings == ()


def top_up(context: Context, owner: Subscriber, key: str = "top up") -> str | None:
    return sales.topup(
        context,
        owner.customer_id,
        20_000_000,
        channel=MoneyChannel.BANK_TRANSFER,
        idempotency_key=key,
        now=NOW,
        reference="T-99",
    ).receipt_number


def sell(
    context: Context,
    make: Factory,
    owner: Subscriber,
    plan: PlanTerms = DAY,
    **options: MoneyChannel,
) -> str | None:
    return sales.sell(
        context,
        owner.subscription_id,
        make.plan(NOW, plan),
        idempotency_key=f"sale {plan.price_micros}",
        now=NOW,
        **options,
    ).receipt_number


def read(context: Context, number: str | None) -> Receipt:
    assert number is not None
    return receipts.by_number(context, number)


@pytest.mark.rule("I6")
def test_a_top_up_shows_no_tax_and_the_sale_that_spends_it_does(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(NOW, profile=TAXED, plan=DAY)
    received = read(context, top_up(context, owner))
    assert (received.kind, received.channel, received.reference) == (
        ReceiptKind.TOP_UP,
        "bank_transfer",
        "T-99",
    )
    assert (received.total_micros, received.tax_micros, received.tax_totals) == (20_000_000, 0, ())
    sold = read(context, sell(context, make, owner))
    assert (sold.kind, sold.channel, sold.reference) == (ReceiptKind.SALE, "wallet", None)
    assert (sold.net_micros, sold.tax_micros, sold.total_micros) == (
        10_000_000,
        2_100_000,
        12_100_000,
    )
    assert sold.tax_totals == (
        TaxTotal(tax_rate_ppm=VAT, net_micros=10_000_000, tax_micros=2_100_000),
    )
    assert [(line.net_micros, line.tax_rate_ppm) for line in sold.lines] == [(10_000_000, VAT)]
    assert sold.buyer.name == f"Customer {owner.username}"
    found = receipts.of_customer(context, owner.customer_id)
    assert [one.number for one in found] == [sold.number, received.number]


@pytest.mark.rule("I6")
def test_a_sale_for_cash_has_one_receipt_and_so_has_one_for_nothing(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(NOW, profile=TAXED, plan=DAY)
    sold = read(context, sell(context, make, owner, pay_by=MoneyChannel.CASH))
    assert sold.channel == "cash"
    gift = read(context, sell(context, make, owner, replace(DAY, price_micros=0)))
    assert (gift.total_micros, gift.kind) == (0, ReceiptKind.SALE)
    assert len(receipts.of_customer(context, owner.customer_id)) == 2


@pytest.mark.rule("I2")
def test_what_is_refused_or_repeated_takes_no_number(context: Context, make: Factory) -> None:
    owner = make.subscriber(NOW, profile=TAXED, plan=DAY)
    first = top_up(context, owner)
    assert top_up(context, owner) == first
    with pytest.raises(Refused):
        sell(context, make, owner, replace(DAY, price_micros=900_000_000))
    second = top_up(context, owner, "again")
    assert first is not None and second == f"RC-{int(first[3:]) + 1}"


WRONG = {
    "numbers of bills have gaps": "number = 'X-1'",
    "payment without a receipt": "payment_id = NULL",
    "receipt differs from its lines": "net_micros = net_micros - 1, tax_micros = tax_micros + 1",
    "receipt differs from its sale": "total_micros = total_micros + 1, net_micros = net_micros + 1",
}


@pytest.mark.rule("I2")
@pytest.mark.rule("M4")
@pytest.mark.parametrize("problem", WRONG)
def test_the_check_of_the_books_finds(
    context: Context, settings: Settings, make: Factory, problem: str
) -> None:
    top_up(context, make.subscriber(NOW, profile=TAXED, plan=DAY))  # not the first one
    owner = make.subscriber(NOW, profile=TAXED, plan=DAY)
    number = sell(context, make, owner, pay_by=MoneyChannel.CASH)
    key = {"customer": owner.customer_id}
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        change = f"UPDATE receipt SET {WRONG[problem]} WHERE customer_id = %(customer)s"  # noqa: S608
        admin.execute(change, key)
        found = {one.problem for one in books.check_ledger(context, NOW).findings}
        admin.execute(
            "UPDATE receipt SET number = %(number)s, net_micros = 10000000, tax_micros = 2100000,"
            " total_micros = 12100000, payment_id = (SELECT payment_id FROM payment p"
            " WHERE p.customer_id = receipt.customer_id) WHERE customer_id = %(customer)s",
            key | {"number": number},
        )
    assert problem in found


def _bill(context: Context, make: Factory, profile: BillingProfile) -> str:
    owner = make.subscriber(NOW, profile=profile, plan=MONTH_PLAN)
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=10_000_000,
        now=NOW,
    ).number


@pytest.mark.rule("I6")
@pytest.mark.parametrize(("point", "tax"), [(TaxPoint.ISSUE, 0), (TaxPoint.PAYMENT, 1_050_000)])
def test_the_receipt_of_a_bill_shows_the_tax_that_is_due_by_it(
    context: Context, make: Factory, point: TaxPoint, tax: int
) -> None:
    profile = replace(MONTHLY, tax_rate_ppm=VAT, tax_inclusive=False, tax_point=point)
    number = _bill(context, make, profile)
    paid = bills.pay(
        context,
        number,
        idempotency_key=number,
        now=NOW,
        amount_micros=6_050_000,
        channel=MoneyChannel.CARD,
    )
    found = read(context, paid.receipt_number)
    assert (found.kind, found.reference, found.tax_micros) == (ReceiptKind.BILL, number, tax)
    assert found.lines == (
        DocumentLine(
            text=f"Payment of {number}",
            net_micros=6_050_000 - tax,
            tax_rate_ppm=VAT if tax else 0,
            tax_micros=tax,
        ),
    )


@pytest.mark.rule("I6")
def test_a_month_that_is_sold_has_a_receipt_that_names_its_bill(
    context: Context, make: Factory
) -> None:
    profile = replace(MONTHLY, cycle_day=10, tax_rate_ppm=VAT)
    owner = make.subscriber(NOW, profile=profile, plan=MONTH_PLAN)
    found = read(context, sell(context, make, owner, MONTH_PLAN, pay_by=MoneyChannel.CASH))
    assert found.reference is not None and found.reference.startswith("INV-")
    assert (found.total_micros, found.tax_micros) == (30_000_000, 5_210_000)


def test_there_is_no_other(context: Context) -> None:
    with pytest.raises(NotFound, match="no receipt has the number"):
        receipts.by_number(context, "RC-0")


@pytest.mark.rule("I6")
def test_the_command_line_shows_lists_and_prints_them(
    context: Context,
    settings: Settings,
    make: Factory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    owner = make.subscriber(NOW, profile=TAXED, plan=DAY)
    top_up(context, owner)
    number = str(sell(context, make, owner))
    code, out, _ = run("receipt", "show", number)
    assert code == 0
    assert "tax 21 % of 10.00 USD: 2.10 USD" in out and "total: 12.10 USD, by wallet" in out
    listed = json.loads(run("receipt", "list", str(owner.customer_id), "--json")[1])
    assert [one["kind"] for one in listed] == ["sale", "top_up"]
    for size in ("a4", "receipt"):
        file = tmp_path / f"{size}.pdf"
        code, out, _ = run("receipt", "pdf", number, "--size", size, "--out", str(file))
        assert (code, out) == (0, f"receipt {number} is in {file}\n")
        assert file.read_bytes().startswith(b"%PDF")
    missing = tmp_path / "missing" / "x.pdf"
    code, _, err = run("receipt", "pdf", number, "--out", str(missing))
    assert code == 2 and "cannot be written" in err
    assert run("receipt", "show", "RC-0")[0] == 3
    days = ("--from", "2026-03-10", "--to", "2026-03-10")
    report = json.loads(run("revenue", *days, "--json")[1])
    (packages,) = (one for one in report["lines"] if one["kind"] == "package")
    assert (
        packages["earned_micros"] + packages["deferred_after_micros"] == (packages["added_micros"])
    )
    code, out, _ = run("revenue", *days)
    assert code == 0 and "comes into the ledger with the next posting" in out
    assert run("revenue", "--from", "2026-03-10", "--to", "2026-03-09")[0] == 2
