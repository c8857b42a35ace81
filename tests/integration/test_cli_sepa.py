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
    assert run("sepa", "revoke", "1", "--reason", "asked for", *AT)[0] == 0
    code, _, err = run("sepa", "revoke", "1", "--reason", "again", *AT)
    assert code == 4 and "revoked already" in err
