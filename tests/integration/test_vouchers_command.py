"""`tollway voucher`, from the batch to the wallet (rule R3)."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from billing.cli import main
from billing.documents.html import cards_to_html
from billing.documents.voucher_cards import CARDS_MOST, cards, sheets
from billing.errors import Refused
from billing.model.designs import CardDesign
from billing.model.vouchers import Code
from billing.services import catalog, vouchers
from billing.services.context import Context
from billing.settings import Settings
from tests.documents.paper import looks_like
from tests.factories import DAILY, DAY_PLAN, Factory
from tests.integration.voucher_desk import NOW, Desk

pytestmark = pytest.mark.rule("R3")
Run = Callable[..., tuple[int, str, str]]
AT = ("--at", "2026-03-10T14:30")


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway voucher ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["voucher", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


@pytest.fixture
def profile(context: Context, make: Factory) -> str:
    return catalog.get_profile(context, make.profile(NOW, DAILY)).profile.name


def test_from_the_batch_to_the_wallet(
    run: Run, make: Factory, profile: str, tmp_path: Path
) -> None:
    who = make.subscriber(NOW)
    code, out, _ = run(
        "batch", "add", "tens", "--count", "3", "--profile", profile, "--amount", "10.00",
        "--expires", "2026-12-31T00:00", *AT, "--json",
    )  # fmt: skip
    assert code == 0
    batch = str(json.loads(out)["batch_id"])
    assert run("batch", "activate", batch, "--pay", "cash", *AT)[0] == 4
    out_csv, out_pdf = tmp_path / "codes.csv", tmp_path / "cards.pdf"
    files = ("--csv", str(out_csv), "--pdf", str(out_pdf))
    assert run("batch", "export", batch, *files, *AT)[0] == 0
    assert stat.S_IMODE(out_csv.stat().st_mode) == 0o600
    assert out_pdf.read_bytes().startswith(b"%PDF")
    rows = list(csv.DictReader(out_csv.read_text().splitlines()))
    code, _, err = run("batch", "export", batch, *files, *AT)
    assert code == 5 and "handed over already" in err
    code, out, _ = run("batch", "activate", batch, "--pay", "cash", *AT)
    assert code == 0 and out.startswith("sold 3 vouchers, 30.00 USD, receipt ")
    customer = str(who.customer_id)
    code, out, _ = run("redeem", customer, "--code", rows[0]["code"], *AT)
    assert code == 0 and "in the wallet: 10.00 USD" in out
    code, out, _ = run("replace", rows[1]["serial"], *AT, "--json")
    assert code == 0
    assert run("redeem", customer, "--code", rows[1]["code"], *AT)[0] == 4
    assert run("redeem", customer, "--code", json.loads(out)["code"], *AT)[0] == 0
    assert "redeemed" in run("show", rows[0]["serial"])[1]
    code, out, _ = run("batch", "revoke", batch, "--refund", "--pay", "cash", *AT)
    assert code == 0 and out == "revoked 1 vouchers\n"
    code, out, _ = run("report", "--from", "2026-03-10", "--to", "2026-03-10", "--json")
    line = json.loads(out)[-1]
    assert (line["sold"], line["redeemed"], line["lapsed"], line["outstanding"]) == (3, 2, 1, 0)
    assert "tens" in run("batch", "list")[1]
    assert "2 redeemed, 1 replaced, 1 revoked" in run("batch", "show", batch)[1]


def test_what_cannot_be_written_is_kept(run: Run, desk: Desk, tmp_path: Path) -> None:
    batch = desk.batch(2)
    number = str(batch.batch_id)
    assert run("batch", "export", number, *AT)[0] == 2
    assert run("batch", "print", number, "--out", str(tmp_path / "none" / "x.pdf"), *AT)[0] == 2
    assert vouchers.get_batch(desk.context, batch.batch_id).codes_kept
    assert run("batch", "print", number, "--out", str(tmp_path / "x.pdf"), *AT)[0] == 0


def test_cards_show_what_a_customer_needs(desk: Desk, tmp_path: Path) -> None:
    batch = desk.batch(1, plan=DAY_PLAN)
    codes = [Code(serial=17, code="7ABCDEFGHJK5", password="QRST")]
    html = cards_to_html(batch, cards(codes), CardDesign(accent="#abcdef"))
    for text in ("7ABC-DEFG-HJK5", "QRST", "No. 00000017", "1.00 USD", "#abcdef", '<path d="M'):
        assert text in html
    assert len(sheets(batch, codes * 30)) > len(sheets(batch, codes)) > 1_000
    with pytest.raises(Refused, match="CSV"):
        sheets(batch, codes * (CARDS_MOST + 1))
    named = replace(batch, plan_name="Day 10 GB")
    looks_like(sheets(named, codes * 3), "cards", tmp_path)


@pytest.fixture
def desk(context: Context, make: Factory) -> Desk:
    return Desk(context, make)
