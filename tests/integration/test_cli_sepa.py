"""`tollway sepa` (rules P1, P5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from sepaxml.validation import try_valid_xml

from billing.cli import main
from billing.services import bills
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.iso20022 import Answer, Detail, Entry, Item, camt
from tests.integration.talker import UNIT
from tests.integration.test_sepa import DUE_SOON, EURO_PLAN

Run = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
AT = ("--at", "2026-03-20T09:00")
IBAN = "DE89370400440532013000"


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)
    monkeypatch.setattr("click.prompt", lambda *_, **__: IBAN)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


def test_from_the_mandate_to_the_return(
    run: Run, context: Context, make: Factory, settings: Settings, tmp_path: Path
) -> None:
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("UPDATE operator SET currency = 'EUR'")
    code, _, err = run("gateway", "add", "debit", "--adapter", "sepa", "--set",
                       "creditor_name=Net", "--secret", "iban", *AT)  # fmt: skip
    assert code == 2 and "creditor_id: the creditor identifier is missing" in err
    known = ("--set", "creditor_name=Net", "--set", "creditor_id=DE98ZZZ09999999999")
    made = run("gateway", "add", "debit", "--adapter", "sepa", *known, "--secret", "iban", *AT)
    assert made[0] == 0
    who = make.subscriber(NOW, profile=DUE_SOON, plan=EURO_PLAN)
    bills.issue_bill(
        context, who.subscription_id, cycle_from=date(2026, 3, 1), cycle_until=date(2026, 4, 1),
        amount_micros=30 * UNIT, now=NOW,
    )  # fmt: skip
    code, out, _ = run("sepa", "sign", str(who.customer_id), "--gateway", "debit", "--iban", IBAN,
                       "--signed-on", "2026-03-01", *AT)  # fmt: skip
    assert code == 0 and "DE89 … 3000, signed" in out and IBAN not in out
    code, out, _ = run("sepa", "mandates", "--json", *AT)
    assert code == 0 and json.loads(out)[0]["sequence"] == "FRST" and IBAN not in out
    code, out, _ = run("sepa", "collect", "--gateway", "debit", "--dry-run", *AT)
    assert code == 0 and "would collect 30.00 EUR by 1 debits on 2026-03-25" in out
    code, _, err = run("sepa", "collect", "--gateway", "debit", "--on", "2026-03-24", *AT)
    assert code == 2 and "collect_on: is too soon: 2026-03-25 is the first day" in err
    code, out, _ = run("sepa", "collect", "--gateway", "debit", "--json", *AT)
    done = json.loads(out)
    number = str(done["file"]["file_id"])
    target = tmp_path / "debits.xml"
    code, out, _ = run("sepa", "file", number, "--to", str(target), *AT)
    assert code == 0 and target.stat().st_mode & 0o777 == 0o600
    try_valid_xml(target.read_bytes(), "pain.008.001.08")
    assert "1 awaited" in run("sepa", "file", number, *AT)[1]
    assert f"TWDD-{number}" not in run("sepa", "files")[2]
    code, out, _ = run("sepa", "arrived", number, *AT)
    assert code == 0 and out == f"1 debits of TWDD-{number} came\n"
    reference = done["collections"][0]["end_to_end_id"]
    code, out, _ = run("sepa", "returned", reference, "--reason", "MD06", *AT)
    assert code == 0 and "charged back (MD06: the payer wants it back)" in out
    returns = tmp_path / "returns.csv"
    returns.write_text(f"reference,reason\n{reference},MD06\n")
    code, out, _ = run("sepa", "returned", "--csv", str(returns), *AT)
    assert code == 0 and "known" in out
    assert run("sepa", "returned", *AT)[0] == 2
    assert run("sepa", "again", *AT)[0] == 2
    code, out, _ = run("sepa", "again", reference.rpartition("-")[2], *AT)
    assert code == 0 and "30.00 EUR, waits for the next file" in out
    code, out, _ = run("sepa", "again", "--file", number, *AT)
    assert code == 0 and out == "nothing of it came back\n"
    code, out, _ = run("sepa", "collect", "--gateway", "debit", "--json", *AT)
    second = json.loads(out)["collections"][0]["end_to_end_id"]
    name = second.rpartition("-")[0]
    answer = tmp_path / "answer.xml"
    items = [Item(end_to_end=second, reason="AM04"), Item(end_to_end="X-1")]
    answer.write_bytes(Answer(original=name, batches=[(f"{name}/1", "", "", items)]).xml())
    code, out, _ = run("sepa", "status", str(answer), "--dry-run", *AT)
    assert code == 0 and f"{name}: 1 would fail, 0 known already, 1 to look into" in out
    code, out, _ = run("sepa", "status", str(answer), *AT)
    assert code == 0 and f"{second}, 30.00 EUR: failed (AM04: the account had too little)" in out
    assert "X-1: unplaced (is no collection of this file: look into it)" in out
    code, _, err = run("sepa", "status", str(returns), *AT)
    assert code == 2 and "file: is no XML" in err
    statement(run, tmp_path, second)
    assert run("sepa", "revoke", "1", "--reason", "asked for", *AT)[0] == 0
    code, _, err = run("sepa", "revoke", "1", "--reason", "again", *AT)
    assert code == 4 and "revoked already" in err


def statement(run: Run, tmp_path: Path, name: str) -> None:
    """What came back is told of by a camt file, too."""
    code, _, err = run("bank", "set", "main", "--currency", "EUR", *AT)
    assert code == 2 and "name the column of the booking date" in err
    code, out, _ = run("bank", "set", "main", "--iban", IBAN, *AT)
    assert code == 0 and out == "bank account 1 is main\n"
    assert "camt only" in run("bank", "list")[1]
    file = tmp_path / "march.xml"
    detail = Detail(amount="30.00", end_to_end=name, reason="AM04")
    back = Entry(amount="30.00", ref="1", credit=False, details=(detail,))
    file.write_bytes(camt(back, Entry(amount="2.00", ref="2", status="PDNG")))
    code, out, _ = run("bank", "import", str(file), "--account", "main", *AT)
    assert code == 0
    assert f"line 1: -30.00 EUR {name} is known to be back (AM04" in out
    assert "0 were credited, 0 put in suspense" in out
    assert "1 went out again, see above; 1 not booked yet" in out
