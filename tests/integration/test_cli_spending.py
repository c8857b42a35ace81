"""`tollway customer alerts`, `customer cap` and `customer profile --top-up` (rules P4, P6, P14)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.conftest import Run
from tests.integration.talker import BY_THE_MIB

AT = ("--at", "2026-03-20T09:00")
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)


@pytest.fixture
def ada(make: Factory) -> Subscriber:
    return make.subscriber(NOW, plan=BY_THE_MIB)


@pytest.mark.rule("P6")
def test_alerts_are_set_and_shown(run: Run, ada: Subscriber) -> None:
    customer = str(ada.customer_id)
    code, out, _ = run("customer", "alerts", customer, "--balance", "20", "--usage", "80",
                       "--usage", "100", *AT)  # fmt: skip
    assert code == 0
    assert "alert at 20 %, the next top-up tells below which amount" in out
    assert "alert when 80 %, 100 % of a package is used" in out
    assert run("topup", ada.username, "200", *AT)[0] == 0
    assert "alert at 20 %, below 40.00 USD\n" in run("customer", "alerts", customer, *AT)[1]
    _, out, _ = run("customer", "alerts", customer, "--json", *AT)
    (wallet,) = json.loads(out)["wallets"]
    assert (wallet["threshold_micros"], wallet["armed"]) == (40_000_000, True)
    _, out, _ = run("customer", "alerts", customer, "--balance", "0", "--no-usage", *AT)
    assert "alert" not in out


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--balance", "100"), "balance_percent"),
        (("--usage", "0"), "usage_percents"),
        (("--wallet", "9999999"), "wallet"),
    ],
)
def test_alerts_that_cannot_be_set_are_refused(
    run: Run, ada: Subscriber, arguments: tuple[str, ...], field: str
) -> None:
    code, _, err = run("customer", "alerts", str(ada.customer_id), *arguments, *AT)
    assert (code > 0, err.startswith(f"error: {field}: ")) == (True, True)


def test_options_that_exclude_each_other(run: Run, ada: Subscriber) -> None:
    customer = str(ada.customer_id)
    assert run("customer", "alerts", customer, "--usage", "80", "--no-usage")[0] == 2
    assert run("customer", "alerts", customer, "--to", "a@net.example", "--to-email")[0] == 2
    assert run("customer", "cap", customer, "50", "--lift")[0] == 2


@pytest.mark.rule("P14")
def test_a_cap_is_set_shown_lifted_and_taken_away(run: Run, ada: Subscriber) -> None:
    cap = ("customer", "cap", str(ada.customer_id))
    assert "no spending cap" in run(*cap, *AT)[1]
    shown = "spent 0.00 USD of a cap of 50.00 USD until 2026-04-01 00:00:00Z"
    assert f"{shown} (rule P14)" in run(*cap, "50", *AT)[1]
    assert f"{shown}, lifted (rule P14)" in run(*cap, "--lift", *AT)[1]
    (watch,) = json.loads(run(*cap, "--json", *AT)[1])
    assert (watch["cap_micros"], watch["cap_left_micros"]) == (50_000_000, None)
    assert "no spending cap" in run(*cap, "--none", *AT)[1]
    code, _, err = run(*cap, "--lift", *AT)
    assert (code > 0, "no spending cap" in err) == (True, True)
    assert run(*cap, "0", *AT)[2].startswith("error: amount: ")


@pytest.mark.rule("P4")
def test_a_top_up_comes_with_a_move(run: Run, make: Factory) -> None:
    bob = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    prepaid = f"Prepaid {bob.username}"
    assert run("profile", "add", prepaid, "--kind", "monthly")[0] == 0
    code, out, _ = run("customer", "profile", str(bob.customer_id), prepaid, "--top-up", "15",
                       "--channel", "card", *AT)  # fmt: skip
    assert (code, "received 15.00 USD by card" in out) == (0, True)
    assert f"({prepaid})" in out


@pytest.mark.rule("B19")
def test_promises_and_their_limits(run: Run, ada: Subscriber) -> None:
    customer = str(ada.customer_id)
    code, _, err = run("customer", "promise", customer, "--until", "2026-03-25", *AT)
    assert code != 0
    assert err.startswith("error: credit: no bill is unpaid, so there is nothing to promise; where")
    code, out, _ = run("customer", "promise", customer, "--until", "2026-03-25", "--credit", "5.00",
                       *AT)  # fmt: skip
    assert (code, "promised to pay by 2026-03-25" in out) == (0, True)
    code, out, _ = run("customer", "promises", customer)
    assert code == 0
    assert "staff" in out and "5.00 USD" in out and "stands" in out
    assert run("customer", "promise", customer, "--withdraw", *AT)[0] == 0
    assert json.loads(run("--json", "customer", "promises", customer)[1])[0]["state"] == "withdrawn"
    _, out, _ = run("--json", "customer", "promises", customer)
    assert json.loads(out)[0]["credit_micros"] == 5_000_000


@pytest.mark.rule("B19")
def test_what_customers_of_a_profile_may_promise(run: Run) -> None:
    assert run("profile", "add", "Promisers", "--kind", "daily", *AT)[0] == 0
    _, out, _ = run("profile", "promises", "Promisers")
    assert "only staff takes promises (rule B19)" in out
    code, _, err = run("profile", "promises", "Promisers", "--count", "2", *AT)
    assert (code, "promise_amount_micros: is needed" in err) == (2, True)
    code, _, err = run("profile", "promises", "Promisers", "--days", "0", *AT)
    assert (code, "promise_days: must be 1 to 365 days" in err) == (2, True)
    code, out, _ = run("profile", "promises", "Promisers", "--count", "2", "--period", "60",
                       "--days", "5", "--amount", "40", *AT)  # fmt: skip
    assert code == 0
    assert "may promise 2 time(s) in 60 days, up to 5 days ahead and 40.00 USD" in out
