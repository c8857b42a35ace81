"""The command line, from arguments to exit code, on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest

from billing.cli import main
from billing.settings import Settings
from rig.account import service_account
from rig.certificates import EapOptions, ensure
from tests.waiting import until


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]
ODD_NAME = "o'brien [50%] ☃"


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway ARGUMENTS` on this module's database."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def tollway(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return Result(int(ended.value.code or 0), said.out, said.err)

    return tollway


@pytest.fixture
def catalogue(run: Run) -> None:
    """A daily and a monthly profile and a plan for each; made once for the module's database."""
    if run("profile", "list", "--json").value:
        return
    for arguments in (
        ("profile", "add", "Daily", "--kind", "daily"),
        ("profile", "add", "Monthly", "--kind", "monthly", "--payment", "postpaid",
         "--automatic-suspend", "--cycle-day", "10", "--suspended-pool", "walled"),
        ("plan", "add", "Day", "--price", "3.00", "--validity", "1440m", "--data", "10GB",
         "--time", "5h", "--down", "50M"),
        ("plan", "add", "Home", "--price", "30.00", "--validity", "1month"),
    ):  # fmt: skip
        assert run(*arguments, "--at", "2026-01-01").code == 0


@pytest.mark.rule("Q3")
@pytest.mark.usefixtures("catalogue")
def test_plans_with_free_nights_and_peak_prices(run: Run) -> None:
    night, peak = "night mon-sun 00:00-06:00 free", "peak mon-fri 18:00-23:00 0.02/min 0.05/MB"
    added = run(
        *("plan", "add", "Night", "--price", "3.00", "--validity", "1440m", "--data", "1GB"),
        *("--payg-time-step", "60s", "--payg-time-price", "0.01", "--at", "2026-01-01"),
        *("--window", night, "--window", peak),
    )
    assert (added.code, added.err) == (0, "")
    assert f"  {night}\n  {peak}\n" in added.out
    listed = run("plan", "list", "--json").value
    (plan,) = (one for one in listed if one["name"] == "Night")
    assert plan["terms"]["tariff_windows"] == (
        "night:0123456:0:360:free peak:01234:1080:1380:60:20000:1000000:50000"
    )
    assert run("plan", "version", "Night", "--price", "4.00", "--validity", "1440m").code == 0
    added = run("subscriber", "add", "owl", "--name", "Owl", "--profile", "Daily")
    assert added.code == 0
    at = "2026-01-02T03:00:00Z"
    assert run("sell", "owl", "Night", "--pay", "cash", "--at", at).code == 0
    told = run("why", "owl", "--at", at).out
    assert "Q3 tariff: night, free" in told
    assert "2 Jan 2026 06:00: the plan's own terms" in told


@pytest.mark.rule("Q3")
@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        (("night mon-sun 00:00-06:00 free", "dawn mon 05:00-07:00 free"),
         "tariff_windows: windows 'night' and 'dawn' overlap on mon from 05:00"),
        (("night mon-sun 00:00-06:00 cheap",), "tariff_windows: window 'night': price: 'cheap'"),
        (("night sometimes 00:00-06:00 free",), "tariff_windows: window 'night': days:"),
        (("peak mon-fri 18:00-23:00 0.02/min",), "tariff_windows: window 'peak': has a price, but"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("catalogue")
def test_windows_that_are_refused(run: Run, windows: tuple[str, ...], complaint: str) -> None:
    options = [word for window in windows for word in ("--window", window)]
    refused = run("plan", "add", "Wrong", "--price", "3.00", "--validity", "1440m", *options)
    assert refused.code == 2
    assert complaint in refused.err


@pytest.mark.usefixtures("catalogue")
def test_story_of_a_daily_subscriber(run: Run) -> None:
    added = run("subscriber", "add", ODD_NAME, "--name", "Ann", "--profile", "Daily", "--json")
    assert added.value["password"]
    assert added.value["subscriber"]["row"]["state"]["rule"] == "S7"
    assert run("sell", ODD_NAME, "Day").code == 4
    assert run("topup", ODD_NAME, "5.00", "--key", "t").code == 0
    assert run("topup", ODD_NAME, "5.00", "--key", "t", "--json").value["repeated"] is True
    sold = run("sell", ODD_NAME, "Day", "--at", "2026-03-10T14:30:00Z", "--json").value
    assert sold["valid_until"] == "2026-03-11T14:30:00+00:00"
    assert sold["available_micros"] == 2_000_000
    usage = run("usage", ODD_NAME, "--at", "2026-03-10T15:00:00Z", "--json").value
    assert (usage["row"]["octets_left"], usage["row"]["seconds_left"]) == (10**10, 18_000)
    why = run("why", ODD_NAME, "--at", "2026-03-11T14:30:00Z")
    assert "refused (expired), S7" in why.out
    assert run("sessions", ODD_NAME, "--json").value == []
    assert ODD_NAME in run("subscriber", "list", "brien").out
    assert run("subscriber", "show", ODD_NAME.upper()).code == 0


@pytest.mark.usefixtures("catalogue")
def test_what_one_subscriber_gets_of_its_own(run: Run) -> None:
    run("subscriber", "add", "uma", "--name", "Uma", "--profile", "Daily")
    fixed = run("subscriber", "ipv6", "uma", "--framed-prefix", "2001:db8:1::/64", "--json")
    assert fixed.value["framed_ipv6_prefix"] == "2001:db8:1::/64"
    refused = run("subscriber", "ipv6", "uma", "--framed-prefix", "2001:db8:1::1/64")
    assert (refused.code, "host bits" in refused.err) == (2, True)
    put = ("subscriber", "attribute", "set", "uma")
    assert run(*put, "mikrotik-rate-limit", "10M/50M").code == 0
    assert run(*put, "Filter-Id", "a", "--operator", "+=", "--when-suspended").code == 0
    for arguments, field in (
        (("Class", "x"), "name"),
        (("Clas", "x"), "name"),
        (("Idle-Timeout", "x"), "value"),
        (("Filter-Id", "x", "--operator", "=="), "operator"),
    ):
        failed = run(*put, *arguments, "--json")
        assert (failed.code != 0, json.loads(failed.err)["field"]) == (True, field)
    listed = run("subscriber", "attribute", "list", "uma", "--json").value
    assert [(item["name"], item["operator"], item["value"]) for item in listed] == [
        ("Mikrotik-Rate-Limit", ":=", "10M/50M"),
        ("Filter-Id", "+=", "a"),
    ]
    shown = run("subscriber", "show", "uma").out
    assert "Framed-IPv6-Prefix := 2001:db8:1::/64" in shown
    assert "Filter-Id += a (also when suspended)" in shown
    assert "own: Mikrotik-Rate-Limit := 10M/50M – withheld" in run("why", "uma").out
    assert run("subscriber", "attribute", "remove", "uma", "filter-id").code == 0
    assert run("subscriber", "attribute", "remove", "uma", "filter-id").code == 3
    assert len(run("subscriber", "attribute", "list", "uma", "--json").value) == 1


@pytest.mark.usefixtures("catalogue")
def test_monthly_bill_is_issued_and_paid(run: Run) -> None:
    run("subscriber", "add", "mia", "--name", "Mia", "--profile", "Monthly", "--plan", "Home",
        "--at", "2026-03-10")  # fmt: skip
    bill = run("bill", "issue", "mia", "--from", "2026-03-10", "--until", "2026-04-10",
               "--amount", "30.00", "--at", "2026-03-10T09:00:00Z", "--json").value  # fmt: skip
    assert bill["due_on"] == "2026-03-20"
    overdue = run("why", "mia", "--at", "2026-03-21T00:00:00Z", "--json").value
    assert overdue["state"] == {
        "rule": "S5",
        "reason": "overdue",
        "effect": "suspended_pool",
        "text": "suspended (overdue), pool 'walled'",
    }
    paid = run("topup", "mia", "30.00", "--at", "2026-03-22T09:00:00Z", "--json").value
    assert paid["settled"] == [bill["number"]]
    again = run("bill", "pay", bill["number"], "--pay", "cash")
    nothing = f"error: invoice: nothing of {bill['number']} is left to pay\n"
    assert (again.code, again.err) == (4, nothing)
    note = run("bill", "credit", bill["number"], "--amount", "5.00", "--reason", "two days out",
               "--at", "2026-03-23", "--json").value  # fmt: skip
    assert (note["invoice_number"], note["to_wallet_micros"]) == (bill["number"], 5_000_000)
    assert "two days out" in run("bill", "credits", bill["number"]).out
    beyond = run("bill", "credit", bill["number"], "--amount", "25.01", "--reason", "more")
    assert beyond.err == f"error: amount: only 25.00 USD of {bill['number']} can be credited\n"


@pytest.mark.usefixtures("catalogue")
def test_charges_are_agreed_listed_and_ended(run: Run) -> None:
    run("profile", "add", "Billed", "--kind", "monthly", "--payment", "prepaid",
        "--automatic-bill", "--at", "2026-01-01")  # fmt: skip
    run("subscriber", "add", "cho", "--name", "Cho", "--profile", "Billed", "--plan", "Home",
        "--at", "2026-03-01")  # fmt: skip
    added = run("charge", "add", "cho", "Static IP", "--monthly", "5.00", "--at", "2026-03-05")
    assert "Static IP" not in added.err and "5.00 USD a month, from 2026-03-05" in added.out
    run("charge", "add", "cho", "Installation", "--once", "40", "--at", "2026-03-05")
    off = run("charge", "add", "cho", "Loyalty", "--discount", "12.5%", "--until", "2026-06-01",
              "--at", "2026-03-05", "--json").value  # fmt: skip
    assert off["discount_ppm"] == 125_000
    assert "12.5% off" in run("charge", "list", "cho").out
    ended = run("charge", "end", "cho", str(off["charge_id"]), "--on", "2026-05-01")
    assert "until 2026-05-01" in ended.out
    assert run("charge", "add", "cho", "Nothing").code == 2
    assert run("charge", "add", "cho", "X", "--discount", "much").err.startswith("error: discount:")


@pytest.mark.usefixtures("catalogue")
@pytest.mark.rule("P10")
def test_packages_renew_and_periods_are_asked_for(run: Run) -> None:
    run("subscriber", "add", "rea", "--name", "Rea", "--profile", "Daily", "--plan", "Day",
        "--at", "2026-03-10T12:00:00Z")  # fmt: skip
    on = run("subscriber", "renew", "rea", "--on", "--at", "2026-03-10T12:00:00Z")
    assert on.out.startswith("rea: refused (no-entitlement)\nrenews:   Day again, ")
    assert on.out.endswith("as soon as it is covered\n")
    run("topup", "rea", "50.00", "--at", "2026-03-10T12:05:00Z")
    shown = run("subscriber", "show", "rea", "--at", "2026-03-10T12:05:00Z").out
    assert "state:    active" in shown and "renews:   Day again, " in shown
    due = ("jobs", "run", "renewals", "--at", "2026-03-11T12:01:00Z")
    swept = run("jobs", "run", "sweep", "--dry-run", "--at", "2026-03-11T12:06:00Z").out
    assert "rea: from S8 to S7 (expired)" in swept and "in all " in swept
    assert run(*due, "--dry-run").out.startswith("rea: Day again, ")
    assert run(*due).out.startswith("paid 0 bills and 1 packages, ")
    assert run(*due).out == "nothing to do\n"
    assert run("subscriber", "renew", "rea", "--off").out.startswith("rea: ")

    run("profile", "add", "Ahead", "--kind", "monthly", "--payment", "prepaid",
        "--automatic-bill", "--at", "2026-01-01")  # fmt: skip
    run("subscriber", "add", "ida", "--name", "Ida", "--profile", "Ahead", "--plan", "Home",
        "--at", "2026-03-17")  # fmt: skip
    assert "S6 is lifted by a credit of " in run("why", "ida", "--at", "2026-03-17").out
    assert "on hold:  since " in run("subscriber", "show", "ida", "--at", "2026-03-17").out
    billed = run("jobs", "run", "bill_run", "--dry-run", "--at", "2026-03-17").out
    assert "ida: Home" in billed and "NOT COVERED, " in billed
    assert "\nin all 2, 69.64 USD\n" in billed
    assert "\n" in run("jobs", "run", "check_wallets", "--dry-run", "--at", "2026-03-17").out
    assert run("jobs", "run", "post_usage", "--dry-run").err.startswith("error: dry-run: ")
    assert run("jobs", "parked").code == 0


@pytest.mark.usefixtures("catalogue")
def test_a_customer_is_moved_to_another_profile(run: Run) -> None:
    run("subscriber", "add", "moe", "--name", "Moe", "--profile", "Monthly", "--plan", "Home",
        "--at", "2026-03-10")  # fmt: skip
    refused = run("customer", "profile", "Moe", "Daily", "--at", "2026-03-12")
    assert refused.code == 4 and "moe is on Home: daily customers buy" in refused.err
    moved = run("customer", "profile", "Moe", "Daily", "--plan", "Day", "--at", "2026-03-12")
    assert "Moe (Daily)" in moved.out
    assert "no customer is named" in run("customer", "profile", "Nobody", "Daily").err


@pytest.mark.usefixtures("catalogue")
def test_a_plan_is_changed_after_a_look_at_what_it_costs(run: Run) -> None:
    run("profile", "add", "Cycles", "--kind", "monthly", "--payment", "prepaid",
        "--automatic-bill", "--cycle-day", "10", "--at", "2026-01-01")  # fmt: skip
    for name, price in (("Small", "20.00"), ("Middle", "30.00"), ("Large", "45.00")):
        run("plan", "add", name, "--price", price, "--validity", "1month", "--at", "2026-01-01")
    run("subscriber", "add", "pia", "--name", "Pia", "--profile", "Cycles", "--plan", "Middle",
        "--email", "pia@example.org", "--at", "2026-03-10")  # fmt: skip
    run("topup", "pia", "30.00", "--at", "2026-03-10")
    at = ("--at", "2026-03-20T12:00")
    short = run("subscriber", "plan", "pia", "Large", *at)
    assert short.code == 4 and "9.68 USD more is needed" in short.err
    run("topup", "pia", "9.68", *at)
    quoted = run("subscriber", "plan", "pia", "Large", "--dry-run", *at)
    assert "20 of 31 days from 2026-03-21" in quoted.out and "nothing was changed" in quoted.out
    assert "credited 19.35 USD, charged 29.03 USD: difference 9.68 USD" in quoted.out
    waits = run("subscriber", "plan", "pia", "Small", *at)
    assert "Middle → Small, next" in waits.out and "begins on 2026-04-10" in waits.out
    assert "pending" in run("subscriber", "plan", "pia").out
    assert "Small is revoked" in run("subscriber", "plan", "pia", "--revoke", *at).out
    for _ in range(2):
        done = run("subscriber", "plan", "pia", "Large", "--key", "up", *at, "--json").value
    assert (done["repeated"], done["difference_micros"]) == (True, 9_680_000)
    assert run("subscriber", "plan", "pia", "Large", *at).code == 4
    assert run("subscriber", "plan", "pia", "Large", "--revoke").code == 2


@pytest.mark.usefixtures("catalogue")
def test_a_price_is_changed_after_a_look_at_whom_it_concerns(run: Run) -> None:
    run("profile", "add", "Priced", "--kind", "monthly", "--payment", "prepaid",
        "--automatic-bill", "--cycle-day", "10", "--at", "2026-01-01")  # fmt: skip
    run("plan", "add", "Priced", "--price", "30.00", "--validity", "1month", "--at", "2026-01-01")
    run("subscriber", "add", "rex", "--name", "Rex", "--profile", "Priced", "--plan", "Priced",
        "--at", "2026-03-10")  # fmt: skip
    reprice = ("plan", "reprice", "Priced", "--price", "33.00", "--from", "2026-04-01",
               "--notice-days", "30", "--at", "2026-03-20")  # fmt: skip
    dry = run(*reprice, "--dry-run").out
    assert "2026-05-10" in dry and "NO ADDRESS" in dry and "nothing was changed" in dry
    assert "1 subscribers, 3.00 USD more" in dry
    assert run(*reprice, "--json").value["new_version"] == 2
    assert "2026-05-10" in run("subscriber", "plan", "rex").out
    assert run(*reprice).code == 4


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (("why", "nobody"), 3, "username"),
        (("why", "nobody", "--at", "yesterday"), 2, "at"),
        (("sell",), 2, "username"),
        (("plan", "add", "P", "--validity", "1d"), 2, "price"),
        (("plan", "add", "P", "--price", "cheap", "--validity", "1d"), 2, "price"),
        (("plan", "add", "P", "--price", "1", "--validity", "soon"), 2, "validity"),
        (("plan", "add", "P", "--price", "1", "--data", "10 bananas"), 2, "data"),
        (("plan", "add", "P", "--price", "1", "--outage", "always"), 2, "outage"),
        (("plan", "add", "Day", "--price", "1", "--validity", "1d"), 5, "name"),
        (("profile", "add", "P", "--kind", "monthly", "--cycle-day", "32"), 2, "cycle_day"),
        (("subscriber", "add", "x", "--name", "N"), 2, "profile"),
        (("subscriber", "add", "x", "--name", "N", "--profile", "None"), 3, "profile"),
        (("subscriber", "add", "x"), 2, "customer"),
        (("nas", "add", "n", "nowhere"), 2, "address"),
        (("subscriber", "list", "--limit", "0"), 2, "limit"),
    ],
)
def test_errors_name_the_field_and_have_their_code(
    run: Run, arguments: tuple[str, ...], code: int, field: str
) -> None:
    plain = run(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert plain.err.startswith(f"error: {field}: ")
    for given in ((*arguments, "--json"), ("--json", *arguments)):
        as_json = run(*given)
        assert as_json.code == code
        assert json.loads(as_json.err)["field"] == field


def test_secrets_are_shown_once(run: Run) -> None:
    added = run("nas", "add", "edge", "192.0.2.1", "--vendor", "mikrotik", "--json").value
    assert added["secret"] not in run("nas", "list", "--json").out
    assert "edge" in run("nas", "list").out


def test_an_unknown_vendor_is_taken_and_said_to_be_unknown(run: Run) -> None:
    added = run("nas", "add", "odd", "192.0.2.77", "--vendor", "Acme-9000", "--json").value
    assert (added["nas"]["vendor"], added["nas"]["dialect"]) == ("acme-9000", "generic")
    assert "acme-9000 (not known: generic)" in run("nas", "list").out
    checks = {check["name"]: check for check in run("doctor", "--json").value}
    assert checks["NAS vendors"]["status"] == "warn"
    assert "acme-9000" in checks["NAS vendors"]["detail"]
    refused = run("nas", "add", "odd", "192.0.2.78", "--vendor", "no such vendor!")
    assert refused.code == 2
    assert "vendor: must be one of mikrotik, " in refused.err


def test_the_port_for_orders_follows_the_vendor(run: Run) -> None:
    def port(address: str, *options: str) -> int:
        added = run("nas", "add", address, address, *options, "--json").value
        return int(added["nas"]["coa_port"])

    assert port("192.0.2.81", "--vendor", "cisco") == 1700
    assert port("192.0.2.82", "--vendor", "juniper") == 3799
    assert port("192.0.2.83", "--vendor", "cisco", "--coa-port", "4000") == 4000


def test_a_nas_is_changed(run: Run) -> None:
    run("nas", "add", "changing", "192.0.2.91", "--vendor", "mikrotik")
    changed = run("nas", "set", "changing", "--vendor", "cisco", "--json").value
    assert (changed["vendor"], changed["coa_port"]) == ("cisco", 1700)
    changed = run("nas", "set", "changing", "--coa-port", "3799", "--swap-octets", "--json").value
    assert (changed["vendor"], changed["coa_port"], changed["swap_octets"]) == ("cisco", 3799, True)
    assert run("nas", "set", "changing", "--coa-port", "0").code == 2
    assert run("nas", "set", "nowhere").code == 3


def test_a_plan_has_steps_of_fair_use(run: Run) -> None:
    steps = ("--price", "9", "--validity", "30d", "--down", "20M", "--fair-use")
    made = run("plan", "add", "Fair", *steps, "50GB:2M,100GB:512k", "--json").value
    assert made["terms"]["fair_use"] == "50000000000:2000 100000000000:512"
    refused = run("plan", "add", "Unfair", *steps, "50GB:50M")
    assert (refused.code, "slower than the plan" in refused.err) == (2, True)
    assert run("plan", "add", "Odd", *steps, "a lot").code == 2


def test_orders_are_listed_and_retried(run: Run) -> None:
    assert run("coa", "list", "--json").value == []
    assert run("coa", "list", "--state", "all").code == 0
    assert run("coa", "list", "--state", "lost").code == 2
    assert run("coa", "list", "--nas", "nowhere").code == 3
    assert run("coa", "show", "12345").code == 3
    assert run("coa", "retry", "12345").code == 3
    assert run("coa", "retry").code == 2
    run("nas", "add", "mended", "192.0.2.90")
    again = run("coa", "retry", "--nas", "mended", "--json").value
    assert again == {"retried": [], "left": []}


def test_enrolment_link(run: Run) -> None:
    assert "/enrol/" in run("staff", "enrol", "owner@example.com", "--json").value["link"]
    assert run("staff", "enrol", "not an address").code == 2


def test_migrate_is_repeatable(run: Run) -> None:
    told = run("migrate", "--json").value
    assert told["before"] == told["after"]
    assert told["operator_made"] is False


def test_before_and_after_migrate(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{settings.database_name}_empty"
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", name)
    missing = run("subscriber", "list")
    assert (missing.code, "does not exist" in missing.err) == (6, True)
    try:
        assert run("migrate", "--time-zone", "Mars/Olympus").code == 2
        made = run("migrate", "--time-zone", "Asia/Tokyo", "--currency", "JPY", "--json").value
        assert made["operator"] == {
            "name": "My ISP",
            "time_zone": "Asia/Tokyo",
            "currency": "JPY",
        }
        assert run("plan", "add", "P", "--price", "100", "--validity", "1d").code == 0
    finally:
        with psycopg.connect(settings.admin_dsn(), autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def durable(settings: Settings) -> Iterator[None]:
    """The cluster as it is in service: the tests' own has `fsync` off."""

    def switch(admin: psycopg.Connection, statement: LiteralString, value: str) -> None:
        admin.execute(statement)
        admin.execute("SELECT pg_reload_conf()")
        until(lambda: _current(settings, "fsync") == value)

    with psycopg.connect(settings.admin_dsn(), autocommit=True) as admin:
        switch(admin, "ALTER SYSTEM SET fsync = on", "on")
        try:
            yield
        finally:
            switch(admin, "ALTER SYSTEM RESET fsync", "off")


def _current(settings: Settings, name: str) -> str:
    with psycopg.connect(settings.admin_dsn()) as admin:
        (value,) = admin.execute("SELECT current_setting(%s)", (name,)).fetchone() or ("",)
        return str(value)


def test_doctor_is_content_and_says_what_is_wrong(
    run: Run, settings: Settings, durable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(settings.state_dir, EapOptions(), service_account())
    healthy = run("doctor", "--json")
    assert {c["name"]: c["detail"] for c in healthy.value if c["status"] == "fail"} == {}
    assert healthy.code == 0
    with psycopg.connect(settings.admin_dsn(), autocommit=True) as admin:
        admin.execute("ALTER ROLE tollway_worker SET synchronous_commit = off")
    try:
        lax = run("doctor", "--json")
        failed = [check for check in lax.value if check["status"] == "fail"]
        assert [check["name"] for check in failed] == ["synchronous_commit"]
        assert "synchronous_commit = on" in failed[0]["mend"]
        assert lax.code == 1
    finally:
        with psycopg.connect(settings.admin_dsn(), autocommit=True) as admin:
            admin.execute("ALTER ROLE tollway_worker RESET synchronous_commit")
    monkeypatch.setenv("TOLLWAY_EAP_CERTIFICATE", "/nowhere/server.pem")
    lost = run("doctor")
    assert (lost.code, "/nowhere/server.pem: No such file" in lost.out) == (1, True)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", "no_such_database")
    down = run("doctor")
    assert (down.code, "does not exist" in down.out) == (1, True)


@pytest.mark.rule("A6")
def test_pools_are_made_shown_and_given_back(run: Run) -> None:
    added = run("pool", "add", "lease", "10.44.0.0/30", "10.44.0.9", "--netmask", "/24", "--json")
    assert added.code == 0
    assert added.value["ranges"] == ["10.44.0.1-10.44.0.2", "10.44.0.9"]
    assert (added.value["addresses"], added.value["free"]) == (3, 3)
    assert added.value["netmask"] == "255.255.255.0"
    again = run("pool", "add", "lease", "10.45.0.1")
    assert (again.code, "exists" in again.err) == (5, True)
    assert run("pool", "add", "wrong", "10.44.0.0/99").code == 2
    assert run("pool", "add", "fenced", "10.46.0.1", "--suspended").code == 0
    assert [one["kind"] for one in run("pool", "list", "--json").value] == ["suspended", "normal"]
    assert "3 addresses: 0 running, 0 waiting" in run("pool", "show", "lease").out
    assert run("pool", "leases", "lease", "--json").value == []
    assert run("pool", "release", "lease", "10.44.0.1").code == 4
    assert run("pool", "release", "lease", "10.44.0.77").code == 3
    assert run("pool", "show", "nothing").code == 3
    assert "4 addresses: 0 running" in run("pool", "extend", "lease", "10.44.0.20").out
    assert run("pool", "remove", "fenced", "--json").value == {"removed": "fenced", "named_by": []}
    assert run("pool", "remove", "fenced").code == 3


@pytest.mark.rule("M4")
def test_the_books_are_checked_and_jobs_run_by_hand(run: Run, settings: Settings) -> None:
    checked = run("ledger", "check")
    assert (checked.code, checked.out) == (0, "the books agree\n")
    assert {"post_usage", "check_ledger"} <= {
        one["name"] for one in run("jobs", "list", "--json").value
    }
    assert run("jobs", "run", "post_usage").out == "nothing to do\n"
    assert run("jobs", "run", "make_tea").code == 2
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("UPDATE wallet SET posted_micros = posted_micros + 1")
        assert admin.execute("SELECT count(*) FROM wallet").fetchone() != (0,)
    broken = run("ledger", "check")
    assert broken.code == 1
    assert "wallet differs from its postings" in broken.out
    assert "THE BOOKS DISAGREE" in run("jobs", "run", "check_ledger").out
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("UPDATE wallet SET posted_micros = posted_micros - 1")
