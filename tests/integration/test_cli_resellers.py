"""`tollway reseller`, and staff and subscribers of a reseller (rules R1, R2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.cli import main
from billing.services import catalog
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import DAILY, DAY_PLAN

Run = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT = ("--at", "2026-03-10T12:00")


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


@pytest.mark.rule("R1", "R2")
def test_a_reseller_from_its_first_day_to_its_statement(run: Run, context: Context) -> None:
    catalog.add_profile(context, replace(DAILY, name="Daily"), NOW)
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="Day"), NOW)
    code, out, err = run(
        "reseller", "add", "Corner shop", "--profile", "Daily", "--email", "s@example.com",
        "--customers", "1", "--json", *AT,
    )  # fmt: skip
    assert code == 0, err
    number = str(json.loads(out)["org_id"])
    assert run("reseller", "price", "set", number, "Day", "--cost", "0.70", *AT)[0] == 0
    assert "0.70 USD  1.00 USD  0.30 USD" in run("reseller", "price", "list", number, *AT)[1]
    ada = ("subscriber", "add", "ada", "--name", "Ada", "--profile", "Daily (Corner shop)")
    assert run(*ada, "--org", number, *AT)[0] == 0
    code, _, err = run("reseller", "sell", "ada", "Day", *AT)
    assert (code, "0.70 USD more is needed" in err) == (4, True)
    assert "receipt R" in run("reseller", "transfer", number, "5.00", *AT)[1]
    _, out, _ = run("reseller", "sell", "ada", "Day", "--json", *AT)
    sale = json.loads(out)
    assert (sale["cost_micros"], sale["account_micros"]) == (700_000, 4_300_000)
    assert "Ada" in run("reseller", "sales", number)[1]
    _, out, _ = run("reseller", "undo", str(sale["sale_id"]), *AT)
    assert "undone: 1.00 USD back to the customer, 0.70 USD to the reseller's wallet" in out
    _, out, _ = run("reseller", "request", number, "20", "--note", "Float", "--json", *AT)
    asked = str(json.loads(out)["request_id"])
    assert "Float" in run("reseller", "requests")[1]
    assert "approved: 20.00 USD to Corner shop" in run("reseller", "approve", asked, *AT)[1]
    assert run("reseller", "decline", asked, *AT)[0] == 4
    assert run("reseller", "transfer", number, "1.00", "--back", *AT)[0] == 0
    _, out, _ = run("reseller", "statement", number, "--month", "2026-03", *AT)
    assert "closing    24.00 USD" in out
    code, out, _ = run("reseller", "set", number, "--undo", "30", "--close", *AT)
    assert (code, "within 30 minutes" in out, ", closed" in out) == (0, True, True)
    assert "closed" in run("reseller", "list")[1]
    assert "wallet     24.00 USD" in run("reseller", "show", number)[1]
    code, out, _ = run("staff", "enrol", "s@example.com", "--role", "reseller", "--org", number)
    assert (code, "open within 24 hours" in out) == (0, True)
