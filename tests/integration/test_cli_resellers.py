"""`tollway reseller`, staff, subscribers and vouchers of one, `tollway shift` (rules R1–R4)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.model.commerce import SaleChannel
from billing.services import catalog, customers, sales
from billing.services.context import Context
from tests.factories import DAILY, DAY_PLAN, Factory
from tests.integration.conftest import Run

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT = ("--at", "2026-03-10T12:00")


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
    moved = run("reseller", "transfers", number)[1]
    assert "5.00 USD" in moved and "cash" in moved
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


@pytest.mark.rule("R1")
def test_what_customers_buy_themselves_and_who_earns_by_it(run: Run, context: Context) -> None:
    catalog.add_profile(context, replace(DAILY, name="Own"), NOW)
    plan_id = catalog.add_plan(context, replace(DAY_PLAN, plan_name="Own day"), NOW).plan_id
    _, out, _ = run("reseller", "add", "Self shop", "--profile", "Own", "--json", *AT)
    number = str(json.loads(out)["org_id"])
    run("reseller", "price", "set", number, "Own day", "--cost", "0.70", *AT)
    run("subscriber", "add", "kim", "--name", "Kim", "--profile", "Own (Self shop)",
        "--org", number, *AT)  # fmt: skip
    run("topup", "kim", "5.00", "--channel", "card", *AT)
    sales.sell(
        context,
        customers.subscription_id_of(context, "kim"),
        plan_id,
        idempotency_key="k",
        now=NOW,
        channel=SaleChannel.PORTAL,
    )
    _, out, _ = run("reseller", "purchases", number, "--json")
    (bought,) = json.loads(out)
    assert (bought["paid_micros"], bought["earned_micros"]) == (1_000_000, 300_000)
    assert "Kim" in run("reseller", "purchases", number)[1]
    assert "and by what customers buy themselves" in run("reseller", "show", number)[1]
    _, out, _ = run("reseller", "statement", number, "--month", "2026-03", *AT)
    assert "self service" in out and "commission 0.30 USD" in out
    code, out, err = run("reseller", "undo-purchase", str(bought["purchase_id"]), *AT)
    assert code == 0, err
    assert "undone: 1.00 USD back into the customer's wallet, 0.30 USD out of" in out
    code, out, _ = run("reseller", "set", number, "--no-self-service", *AT)
    assert (code, "by its sales only" in out) == (0, True)
    code, out, _ = run("reseller", "set", number, "--undo", "20", *AT)
    assert "by its sales only" in out


@pytest.mark.rule("R4")
def test_how_much_cash_a_collector_may_hold(run: Run) -> None:
    assert "walker may hold 50.00 USD at most" in run("collector", "limit", "walker", "50")[1]
    assert "50.00 USD" in run("collector", "limits")[1]
    assert run("collector", "limit", "walker", "-1")[0] != 0
    assert "as much as it takes" in run("collector", "limit", "walker", "none")[1]
    assert "50.00 USD" not in run("collector", "limits")[1]


@pytest.mark.rule("R1", "R3")
def test_cards_of_a_reseller_and_selling_again(run: Run, context: Context, tmp_path: Path) -> None:
    catalog.add_profile(context, replace(DAILY, name="Hourly"), NOW)
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="Hour"), NOW)
    _, out, _ = run("reseller", "add", "Kiosk", "--profile", "Hourly", "--json", *AT)
    number = str(json.loads(out)["org_id"])
    run("reseller", "price", "set", number, "Hour", "--cost", "0.70", *AT)
    run("reseller", "transfer", number, "5.00", *AT)
    code, out, err = run(
        "voucher", "batch", "add", "Cards", "--count", "2", "--profile", "Hourly (Kiosk)",
        "--plan", "Hour", "--org", number, "--json", *AT,
    )  # fmt: skip
    assert code == 0, err
    batch = str(json.loads(out)["batch_id"])
    run("voucher", "batch", "export", batch, "--csv", str(tmp_path / "codes.csv"), *AT)
    code, _, err = run("voucher", "batch", "activate", batch, "--pay", "cash", *AT)
    assert (code, "its wallet pays, at cost" in err) == (4, True)
    code, out, err = run("voucher", "batch", "activate", batch, *AT)
    assert (code, "the reseller paid 1.40 USD" in out) == (0, True), err
    assert "wallet     3.60 USD" in run("reseller", "show", number)[1]
    assert run("voucher", "batch", "revoke", batch, "--refund", *AT)[0] == 0
    assert "wallet     5.00 USD" in run("reseller", "show", number)[1]
    run("subscriber", "add", "eve", "--name", "Eve", "--profile", "Hourly (Kiosk)",
        "--org", number, *AT)  # fmt: skip
    run("reseller", "sell", "eve", "Hour", *AT)
    _, out, err = run("reseller", "renew", number, "--days", "2", *AT)
    assert ("eve" in out, "0.70 USD" in out) == (True, True), err
    assert "wallet     3.60 USD" in run("reseller", "show", number)[1]


@pytest.mark.rule("R4")
def test_a_shift_from_its_float_to_the_bank(run: Run, make: Factory) -> None:
    who = make.subscriber(NOW).username
    code, out, err = run("shift", "open", "--float", "100.00", "--json", *AT)
    assert code == 0, err
    number = str(json.loads(out)["shift_id"])
    assert run("shift", "open", "--float", "1.00", *AT)[0] != 0
    code, _, err = run("topup", who, "12.50", "--channel", "cash", *AT)
    assert code == 0, err
    assert "is told when it is counted" in run("shift", "show", number)[1]
    assert run("shift", "deposit", number, "--reference", "slip", *AT)[0] == 4
    _, out, err = run("shift", "close", number, "--counted", "112", "--note", "a coin", *AT)
    assert ("expected    112.50 USD" in out, "difference  -0.50 USD" in out) == (True, True), err
    assert "cash        12.50 USD in, 0.00 USD out, 1 times" in out
    assert "-0.50 USD" in run("shift", "list")[1]
    assert "handed to   Ada" in run("shift", "hand-over", number, "--to", "Ada", *AT)[1]
    assert "deposited   slip 9" in run("shift", "deposit", number, "--reference", "slip 9", *AT)[1]


@pytest.mark.rule("R1")
def test_how_many_nas_and_plans_a_reseller_may_have(run: Run, context: Context) -> None:
    catalog.add_profile(context, replace(DAILY, name="Few"), NOW)
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="Few day"), NOW)
    _, out, _ = run("reseller", "add", "Small shop", "--profile", "Few", "--nas", "1",
                    "--plans", "0", "--json", *AT)  # fmt: skip
    number = str(json.loads(out)["org_id"])
    assert "at most 1 NAS, at most 0 plans on its list" in run("reseller", "show", number)[1]
    for name, address, expected in (("roof", "10.73.0.1", 0), ("yard", "10.73.0.2", 4)):
        code, _, err = run("nas", "add", name, address, "--org", number, *AT)
        assert code == expected, err
    assert "the 1 NAS that it may have: ask who is above it, who can raise that" in err
    price = ("reseller", "price", "set", number, "Few day", "--cost", "0.70", *AT)
    code, _, err = run(*price)
    assert (code, "the 0 plans on its price list" in err) == (4, True)
    assert run("reseller", "set", number, "--plans", "1", *AT)[0] == 0
    assert run(*price)[0] == 0
    assert run("reseller", "set", number, "--nas", "-1", *AT)[0] == 0
    assert "any number of NAS, at most 1 plans" in run("reseller", "show", number)[1]
    assert run("nas", "add", "yard", "10.73.0.2", "--org", number, *AT)[0] == 0
