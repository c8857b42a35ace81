"""Bills as documents on a real database: what they say, by number and by key; the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing.cli import main
from billing.errors import InvalidInput, NotFound
from billing.model.commerce import MoneyChannel
from billing.model.documents import BillDocument, DocumentLine, DocumentPayment, Party, TaxTotal
from billing.model.views import InvoiceView
from billing.services import bills, catalog, customers, documents, letterhead
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

TAXED = replace(MONTHLY, cycle_day=10, tax_rate_ppm=210_000, tax_inclusive=False)
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
SELLER = ("1 Tower Road", "08001 Barcelona")


@pytest.fixture
def owner(make: Factory) -> Subscriber:
    return make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)


def billed(context: Context, owner: Subscriber) -> InvoiceView:
    return bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=10_000_000,
        now=NOW,
        text="Home 50",
    )


def numbered(context: Context, bill: InvoiceView) -> BillDocument:
    return documents.by_number(context, bill.number, org_id=1)


@pytest.mark.rule("I1", "I4")
def test_a_bill_says_who_what_and_what_is_open(context: Context, owner: Subscriber) -> None:
    letterhead.set_of_organisation(context, 1, address_lines=SELLER, tax_id="ESB1", now=NOW)
    letterhead.set_of_customer(context, owner.customer_id, address_lines=["Hill 4", " "], now=NOW)
    bill = billed(context, owner)
    bills.pay(
        context,
        bill.number,
        idempotency_key="part",
        amount_micros=2_100_000,
        channel=MoneyChannel.CASH,
        now=NOW,
    )
    found = numbered(context, bill)
    assert found.seller == Party(name="Test ISP", address_lines=SELLER, tax_id="ESB1")
    assert found.buyer == Party(name=f"Customer {owner.username}", address_lines=("Hill 4",))
    assert found.lines == (
        DocumentLine(
            text="Home 50", net_micros=10_000_000, tax_rate_ppm=210_000, tax_micros=2_100_000
        ),
    )
    assert found.tax_totals == (
        TaxTotal(tax_rate_ppm=210_000, net_micros=10_000_000, tax_micros=2_100_000),
    )
    assert (found.total_micros, found.paid_micros, found.open_micros) == (
        12_100_000, 2_100_000, 10_000_000,
    )  # fmt: skip
    assert found.payments == (DocumentPayment(on=date(2026, 3, 10), amount_micros=2_100_000),)
    assert (found.first_day, found.last_day) == (date(2026, 3, 10), date(2026, 4, 9))
    assert (found.issued_on, found.due_on) == (date(2026, 3, 10), bill.due_on)
    assert documents.by_id(context, owner.customer_id, bill.invoice_id) == found
    assert documents.newest(context, 1) == found
    assert documents.newest(context, 10**9) is None


def test_what_is_not_there_is_told(context: Context, owner: Subscriber) -> None:
    with pytest.raises(NotFound, match="INV-999999"):
        documents.by_number(context, "INV-999999")
    with pytest.raises(NotFound):
        documents.by_id(context, owner.customer_id, 10**9)
    with pytest.raises(NotFound, match="no organisation"):
        letterhead.set_of_organisation(context, 10**9, tax_id="X", now=NOW)
    with pytest.raises(InvalidInput, match="at most 6"):
        letterhead.set_of_organisation(context, 1, address_lines=["line"] * 7, now=NOW)
    with pytest.raises(InvalidInput, match="80") as caught:
        letterhead.set_of_customer(context, owner.customer_id, tax_id="x" * 81, now=NOW)
    assert caught.value.field == "tax_id"


@pytest.mark.rule("R2", "I2")
def test_each_organisation_has_numbers_of_its_own(
    context: Context, owner: Subscriber, make: Factory
) -> None:
    bill = billed(context, owner)
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Corner Shop", created_at=NOW)
        tx.add(row)
        tx.flush()
        org_id = row.org_id
    own = replace(context, home_org_id=org_id)
    profile = catalog.add_profile(own, replace(TAXED, name="Corner monthly"), NOW).profile_id
    home = catalog.add_plan(own, replace(MONTH_PLAN, plan_name="Corner home"), NOW).plan_id
    theirs = None
    while theirs is None or theirs.number != bill.number:
        customer = customers.add_customer(own, name="Corner One", profile_id=profile, now=NOW)
        username = f"corner{customer.customer_id}"
        subscription_id = customers.add_subscription(
            own, customer_id=customer.customer_id, username=username, plan_id=home, now=NOW
        )
        theirs = billed(context, Subscriber(customer.customer_id, subscription_id, username))
    with pytest.raises(InvalidInput, match=f"1, {org_id}") as caught:
        documents.by_number(context, bill.number)
    assert caught.value.field == "org"
    assert numbered(context, bill).seller.name == "Test ISP"
    named = documents.by_number(context, bill.number, org_id=org_id)
    assert named.seller.name == "Corner Shop"
    limited = replace(context, org_ids=(org_id,))
    assert documents.by_number(limited, bill.number, org_id=org_id) == named


@pytest.mark.rule("I3")
def test_the_command_line_writes_a_pdf_and_tells_what_is_wrong(
    context: Context,
    owner: Subscriber,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    assert run(
        "organisation", "set", "--address-line", "2 Tower Road", "--tax-id", "ESB2"
    ) == (0, "Test ISP\n2 Tower Road\ntax number ESB2\n", "")  # fmt: skip
    code, out, _ = run("organisation", "show", "--json")
    assert (code, json.loads(out)["tax_id"]) == (0, "ESB2")
    assert run("customer", "address", str(owner.customer_id), "--address-line", "Hill 9")[0] == 0
    number = billed(context, owner).number
    for size in ("a4", "receipt"):
        file = tmp_path / f"{size}.pdf"
        code, out, err = run(
            *("bill", "pdf", number, "--org", "1", "--size", size, "--out", str(file))
        )
        assert (code, out, err) == (0, f"bill {number} is in {file}\n", "")
        text = text_of(file.read_bytes())
        assert number in text and "2 Tower Road" in text and "12.10" in text
    assert run("bill", "pdf", "INV-0", "--out", str(tmp_path / "x"))[0] == 3
    missing = tmp_path / "missing" / "x.pdf"
    code, _, err = run("bill", "pdf", number, "--org", "1", "--out", str(missing))
    assert code == 2 and f"out: {missing} cannot be written: No such file" in err
