"""E-invoices from the switch to the file: what was issued while it was on is one (rules I2, I3)."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing.documents.cii import to_xml
from billing.services import bills, credits, documents, letterhead
from billing.services.context import Context
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.conftest import Run

TAXED = replace(MONTHLY, cycle_day=10, tax_rate_ppm=210_000)
NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
# WeasyPrint forgets to close the colour profile that PDF/A needs.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def attached(file: Path) -> str:
    return subprocess.run(
        ["pdfdetach", "-list", str(file)], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.rule("I2", "I3")
def test_what_was_issued_while_the_switch_was_on_is_one_for_ever(
    context: Context, make: Factory, run: Run, tmp_path: Path
) -> None:
    owner = make.subscriber(NOW, profile=TAXED, plan=MONTH_PLAN)

    def issued(month: int) -> str:
        return bills.issue_bill(
            context,
            owner.subscription_id,
            cycle_from=date(2026, month, 10),
            cycle_until=date(2026, month + 1, 10),
            amount_micros=12_100_000,
            now=NOW,
        ).number

    before = issued(3)
    assert run("bill", "xml", before, "--out", str(tmp_path / "x.xml"))[0] == 2
    code, _, err = run("bill", "pdf", before, "--e-invoice", "--out", str(tmp_path / "x.pdf"))
    assert code == 2
    for field in ("address_line", "country", "tax_id"):
        assert field in err
    letterhead.set_of_organisation(
        context,
        1,
        address_lines=["1 Tower Road"],
        country="ES",
        tax_id="ESB12345678",
        e_invoice=True,
        now=NOW,
    )
    while_on = issued(4)
    note = credits.credit(
        context,
        while_on,
        reason="no service",
        idempotency_key="part",
        now=NOW,
        amount_micros=10_000,
    )
    letterhead.set_of_organisation(context, 1, e_invoice=False, tax_id="", now=NOW)
    wanted = {before: False, while_on: True, note.number: True, issued(5): False}
    for number, is_one in wanted.items():
        assert documents.by_number(context, number, org_id=1).e_invoice is is_one
        file = tmp_path / f"{number}.pdf"
        assert run("bill", "pdf", number, "--out", str(file))[0] == 0
        assert ("factur-x.xml" in attached(file)) is is_one
    plain = tmp_path / "plain.pdf"
    assert run("bill", "pdf", while_on, "--no-e-invoice", "--out", str(plain))[0] == 0
    assert "factur-x" not in attached(plain)
    assert run("bill", "pdf", while_on, "--e-invoice", "--size", "receipt", "--out", "x")[0] == 2
    xml = tmp_path / "bill.xml"
    done = run("bill", "xml", while_on, "--out", str(xml))
    assert done == (0, f"e-invoice {while_on} is in {xml}\n", "")
    assert xml.read_bytes() == to_xml(documents.by_number(context, while_on, org_id=1))
