"""Designs of bills on a real database: kept, inherited, refused with field and reason (rule I3)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from PIL import Image

from billing.errors import InvalidFields, NotFound
from billing.model.designs import Block, InvoiceDesign
from billing.services import bills, designs
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from tests.documents.paper import text_of
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.conftest import Run

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
OWN = InvoiceDesign(
    accent="#aa0000", blocks=tuple(Block)[1:], footer="IBAN ES12", css="p { color: red }"
)


@pytest.fixture
def reseller(context: Context) -> int:
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Corner Shop", created_at=NOW)
        tx.add(row)
        tx.flush()
        return row.org_id


@pytest.mark.rule("I3", "R2")
def test_who_has_no_design_has_the_operators(context: Context, reseller: int) -> None:
    designs.reset(context, 1, NOW)
    assert designs.design_of(context, reseller) == InvoiceDesign()
    designs.save(context, 1, OWN, NOW)
    assert designs.design_of(context, reseller) == OWN == designs.design_of(context, 1)
    theirs = replace(OWN, accent="#00aa00", css=None)
    designs.save(context, reseller, theirs, NOW)
    assert designs.design_of(context, reseller) == theirs
    assert designs.design_of(context, 1) == OWN
    assert designs.reset(context, reseller, NOW) == OWN


@pytest.mark.rule("I3", "R2", "F16")
def test_a_resellers_staff_reads_the_operators_design_and_changes_its_own_only(
    context: Context, settings: Settings, reseller: int
) -> None:
    designs.save(context, 1, OWN, NOW)
    database = Database(settings.dsn("panel"))
    own = replace(context, db=database, home_org_id=reseller, org_ids=(reseller,))
    try:
        assert designs.design_of(own, reseller) == OWN
        mine = replace(OWN, accent="#00aa00")
        designs.save(own, reseller, mine, NOW)
        assert designs.design_of(own, reseller) == mine
        with pytest.raises(NotFound):
            designs.save(own, 1, mine, NOW)
        with pytest.raises(NotFound):
            designs.reset(own, 1, NOW)
        nobody = replace(own, org_ids=())
        assert designs.design_of(nobody, 1) == InvoiceDesign()
    finally:
        database.close()
    assert designs.design_of(context, 1) == OWN


@pytest.mark.rule("I3")
def test_a_bad_design_is_refused_with_field_and_reason(context: Context) -> None:
    designs.save(context, 1, OWN, NOW)
    bad = replace(OWN, template="<p>\n{{ bill.number }", css="p {}\n@import 'x';")
    with pytest.raises(InvalidFields) as caught:
        designs.save(context, 1, bad, NOW)
    assert caught.value.problems == [
        ("template", "line 2: unexpected '}'"),
        ("css", "line 2: @import: documents open no address"),
    ]
    assert designs.design_of(context, 1) == OWN
    with pytest.raises(NotFound):
        designs.save(context, 10**9, OWN, NOW)


@pytest.mark.rule("I3")
def test_the_command_line_sets_a_design_that_bills_are_set_by(
    context: Context, make: Factory, run: Run, tmp_path: Path
) -> None:
    assert run("design", "reset")[0] == 0
    logo, css, template = tmp_path / "logo.png", tmp_path / "own.css", tmp_path / "own.html"
    Image.new("RGB", (40, 20), "green").save(logo)
    css.write_text(".footer { color: green }")
    code, out, err = run(
        *("design", "set", "--accent", "#00aa00", "--logo", str(logo), "--css", str(css)),
        *("--footer", "Quote {{ bill.number }}.", "--blocks", "heading,lines,totals,footer"),
    )
    assert (code, err) == (0, "")
    assert out == (
        "accent #00aa00\nblocks heading,lines,totals,footer\nlogo data:image/png\n"
        "footer Quote {{ bill.number }}.\ncss 24 characters\ntemplate none\n"
    )
    owner = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    number = bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=30_000_000,
        now=NOW,
    ).number
    file = tmp_path / "bill.pdf"
    assert run("bill", "pdf", number, "--out", str(file))[0] == 0
    text = text_of(file.read_bytes())
    assert f"Quote {number}." in text and "Please pay" not in text and "Test ISP" not in text
    template.write_text("<h1>Bill {{ bill.number }} for {{ bill.buyer.name }}</h1>")
    assert run("design", "set", "--template", str(template), "--no", "logo", "--no", "css")[0] == 0
    assert run("bill", "pdf", number, "--out", str(file))[0] == 0
    assert f"Bill {number} for Customer {owner.username}" in text_of(file.read_bytes())
    shown = json.loads(run("design", "show", "--json")[1])
    assert (shown["logo"], shown["css"], shown["accent"]) == (None, None, "#00aa00")


def test_the_command_line_tells_what_is_wrong(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text("{% for line in bill.lines %}")
    code, _, err = run("design", "set", "--template", str(broken))
    assert code == 2 and err.startswith("error: template: line 1: Unexpected end of template")
    broken.write_bytes(b"\xff\xfe")
    code, _, err = run("design", "set", "--css", str(broken))
    assert code == 2 and "css" in err and "not UTF-8" in err
    code, _, err = run("design", "set", "--logo", str(broken))
    assert code == 2 and "neither a PNG nor a JPEG" in err
    code, _, err = run("design", "set", "--logo", str(tmp_path / "absent.png"))
    assert code == 2 and "cannot be read: No such file" in err
    code, _, err = run("design", "set", "--blocks", "heading,nonsense")
    assert code == 2 and "blocks" in err and "letterhead, heading" in err
    code, _, err = run("design", "set", "--accent", "red")
    assert code == 2 and "write it like #206bc4" in err
