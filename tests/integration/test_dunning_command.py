"""`tollway dunning`, `bill dunning`, `bill write-off`, `bill now`, `charge waive` (rule I5)."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Run


@pytest.mark.rule("I5")
def test_an_unpaid_bill_from_the_reminder_to_the_write_off(run: Run) -> None:
    run("profile", "add", "Homes", "--kind", "monthly", "--payment", "postpaid",
        "--automatic-bill", "--cycle-day", "10", "--at", "2026-01-01")  # fmt: skip
    run("plan", "add", "Home", "--price", "30.00", "--validity", "1month", "--at", "2026-01-01")
    code, out, _ = run("dunning", "set", "Homes", "--step", "-3 remind",
                       "--step", "7 remind fee 5.00", "--step", "14 fee 10% most 2.00",
                       "--tolerance", "1.00", "--at", "2026-01-01")  # fmt: skip
    assert code == 0
    assert "day 14: fee 10% of what is open, 2.00 USD at most (since 2026-01-01)" in out
    code, out, _ = run("dunning", "set", "Homes", "--reconnection-fee", "10")
    assert "less open than 1.00 USD" in out and "reconnection fee 10.00 USD" in out
    assert json.loads(run("dunning", "show", "Homes", "--json")[1])["steps"][1]["days"] == 7
    run("subscriber", "add", "cho", "--name", "Cho", "--profile", "Homes", "--plan", "Home",
        "--email", "cho@example.net", "--at", "2026-03-10")  # fmt: skip

    code, out, _ = run("dunning", "run", "--dry-run", "--at", "2026-03-28")
    assert "1 reminders, 1 late fees, 5.00 USD in all; nothing was written" in out
    code, out, _ = run("jobs", "run", "dunning", "--at", "2026-03-28")
    assert (code, out) == (0, "1 reminders, 1 late fees\n")
    assert run("dunning", "run", "--at", "2026-03-28")[1].startswith("0 reminders, 0 late fees")
    assert run("dunning", "parked")[0] == 0
    _, out, _ = run("bill", "dunning", "INV-1", "--at", "2026-03-28")
    assert "INV-1: 30.00 USD open, due 2026-03-20" in out
    assert "day -3: passed over" in out
    assert "day 7: reminder queued, fee 5.00 USD on the next bill (charge 1)" in out
    assert "next  2026-04-03  day 14" in out

    assert "waived" in run("charge", "waive", "cho", "1", "--at", "2026-03-29")[1]
    assert "on 2026-03-27, waived" in run("charge", "list", "cho")[1]
    assert run("charge", "waive", "cho", "1")[0] == 4
    _, out, _ = run("bill", "now", "Cho", "--until", "2026-06-10", "--at", "2026-04-02")
    assert out.count("bill INV-") == 2
    assert run("bill", "now", "Cho", "--at", "2026-04-02")[1] == "nothing is to be billed\n"
    assert run("bill", "now", "Cho", "--until", "2026-06-11")[2].startswith("error: until:")

    code, out, _ = run("bill", "write-off", "INV-1", "--reason", "moved", "--at", "2026-04-02")
    assert (code, out) == (0, "INV-1: 30.00 USD written off\n")
    code, _, err = run("bill", "write-off", "INV-1", "--reason", "moved", "--at", "2026-04-02")
    assert code == 4 and "written off already" in err
    assert "held: it was written off" in run("bill", "dunning", "INV-1")[1]
    assert run("ledger", "check", "--at", "2026-04-02") == (0, "the books agree\n", "")


@pytest.mark.rule("I5")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--step", "7 remind", "--step", "7 fee 1.00"), "error: steps: two on the same day, 7"),
        (("--step", "7 fee -1.00"), "error: steps: day 7: the fee must be 0 or more"),
        (("--step", "7 fee 101%"), "error: steps: day 7: the percentage must be 0 to 100"),
        (("--step", "0 fee 1.00"), "error: steps: day 0: a fee comes on day 1 or later"),
        (("--step", "soon"), "error: step: 'soon' begins with no number of days"),
        (("--tolerance", "-1"), "error: tolerance: must be 0 or more"),
        (("--step", "7 remind", "--no-steps"), "error: give --step or --no-steps"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(
    run: Run, arguments: tuple[str, ...], complaint: str
) -> None:
    run("profile", "add", "Odd", "--kind", "monthly", "--at", "2026-01-01")
    code, _, err = run("dunning", "set", "Odd", *arguments)
    assert code == 2
    assert err.startswith(complaint)


@pytest.mark.rule("I5")
def test_a_daily_profile_has_no_schedule(run: Run) -> None:
    run("profile", "add", "Daily", "--kind", "daily", "--at", "2026-01-01")
    code, _, err = run("dunning", "set", "Daily", "--step", "7 remind")
    assert (code, err.startswith("error: steps: are for monthly profiles")) == (2, True)
    assert "no steps" in run("dunning", "set", "Daily", "--no-steps")[1]
