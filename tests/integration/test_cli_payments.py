"""`tollway gateway`, `payment`, `suspense`, `customer recharge` and `prepay` (rules P1, P5, P7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import pytest

from billing.cli import main
from billing.jobs.registry import JOBS
from billing.model.payments import PaymentView
from billing.services import bills, customers
from billing.services.context import Context
from billing.settings import Settings
from rig.provider import API_KEY, SIGNING_SECRET, Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.till import Till

Run = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
AT = ("--at", "2026-03-20T09:00")


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)
    monkeypatch.setattr(
        "click.prompt", lambda name, **_: API_KEY if name == "api_key" else SIGNING_SECRET
    )

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


@pytest.fixture
def till(context: Context, make: Factory) -> Iterator[Till]:
    with Provider().serving() as provider:
        yield Till(context, make, provider, NOW)


@pytest.fixture
def ada(till: Till) -> Subscriber:
    return till.customer()


@pytest.fixture
def paid(till: Till, ada: Subscriber) -> PaymentView:
    """10.00, by a card on file."""
    return till.pay(ada)


def test_a_gateway_is_set_up_and_its_secrets_are_not_shown(run: Run, till: Till) -> None:
    url = f"url={till.provider.url}"
    code, out, _ = run("gateway", "add", "mine", "--adapter", "sandbox", "--set", url,
                       "--secret", "api_key", "--secret", "signing_secret", *AT)  # fmt: skip
    assert code == 0 and "its provider calls http://127.0.0.1:8080/hooks/" in out
    assert run("gateway", "test", "mine")[1] == "mine answers\n"
    for command in (("list",), ("show", "mine"), ("show", "mine", "--json"), ("list", "--json")):
        code, out, _ = run("gateway", *command)
        assert code == 0 and API_KEY not in out and SIGNING_SECRET not in out
    assert run("gateway", "disable", "mine", *AT)[0] == 0
    assert "disabled" in run("gateway", "show", "mine")[1]
    assert run("gateway", "enable", "mine", *AT)[0] == 0
    code, out, _ = run("gateway", "adapters", "--json")
    assert {"adapter": "paypal", "package": "tollway"} in json.loads(out)
    code, _, err = run("gateway", "add", "bad", "--adapter", "nobody", *AT)
    assert code == 2 and "one of paypal, sandbox, sepa, stripe" in err
    assert run("gateway", "show", "nobody")[0] == 3


def test_a_payment_is_begun_shown_and_given_back(run: Run, till: Till, ada: Subscriber) -> None:
    method = str(till.method(ada))
    code, out, _ = run("payment", "begin", str(ada.customer_id), "12.50", "--gateway",
                       str(till.gateway_id), "--method", method, *AT)  # fmt: skip
    assert code == 0 and "12.50 USD" in out and "succeeded" in out
    number = out.split()[1]
    assert "card ok" in run("payment", "methods", str(ada.customer_id))[1]
    assert number in run("payment", "list", str(ada.customer_id), "--state", "succeeded")[1]
    code, out, _ = run("payment", "refund", number, "2.50", "--reason", "a mistake", *AT)
    assert (code, out) == (0, "2.50 USD has left the wallet and is on its way\n")
    till.work()
    out = run("payment", "show", number)[1]
    assert "partly refunded" in out and "refund" in out and "a mistake" in out
    shown = json.loads(run("payment", "show", number, "--json")[1])
    assert shown["payment"]["refunded_micros"] == 2_500_000
    code, _, err = run("payment", "refund", number, "10.01", "--reason", "too much", *AT)
    assert code == 4 and "10.00 USD is left" in err
    assert run("payment", "lookup", number, *AT)[0] == 4
    assert run("payment", "retry", number, *AT)[0] == 4
    assert run("payment", "show", "987654")[0] == 3


def test_what_failed_is_tried_again(run: Run, till: Till, ada: Subscriber) -> None:
    failed = till.pay(ada, card="soft")
    assert run("payment", "retry", str(failed.attempt_id), *AT)[0] == 0


def test_a_page_is_looked_up(run: Run, till: Till, ada: Subscriber) -> None:
    code, out, _ = run("payment", "begin", str(ada.customer_id), "5", "--gateway",
                       str(till.gateway_id), *AT)  # fmt: skip
    assert code == 0 and "the payer goes to http" in out
    number = out.split()[1]
    till.provider.finish(next(iter(till.provider.payments)))
    code, out, _ = run("payment", "lookup", number, *AT)
    assert code == 0 and "succeeded" in out


@pytest.mark.rule("P7")
def test_auto_recharge_is_set_shown_and_stopped(run: Run, till: Till, ada: Subscriber) -> None:
    customer = str(ada.customer_id)
    assert run("customer", "recharge", customer)[1] == "no auto-recharge\n"
    code, out, _ = run("customer", "recharge", customer, "--method", str(till.method(ada)),
                       "--at-or-below", "0", "--by", "20", "--day-cap", "60", *AT)  # fmt: skip
    assert code == 0
    assert "by 20.00 USD at 0.00 USD or less, from card ok, at most 60.00 USD a day" in out
    assert "one is on its way" in out
    assert run("customer", "recharge", customer, "--resume", *AT)[0] == 0
    assert run("customer", "recharge", customer, "--by", "20", *AT)[0] == 2
    assert run("customer", "recharge", customer, "--stop", "--resume", *AT)[0] == 2
    assert run("customer", "recharge", customer, "--stop", *AT)[1] == "no auto-recharge\n"


@pytest.mark.rule("P5")
def test_prepayments_are_asked_for_and_paid(run: Run, context: Context, ada: Subscriber) -> None:
    customer = str(ada.customer_id)
    assert "30.00 USD a month" in run("customer", "prepay", customer, "30", *AT)[1]
    JOBS["prepayments"].run(context, NOW)
    out = run("customer", "prepay", customer, *AT)[1]
    number = out.splitlines()[1].split()[0]
    assert f"{number} of 2026-03: 30.00 USD, due 2026-04-03, open" in out
    code, out, _ = run("prepaid", number, "--by", "bank_transfer", *AT)
    assert code == 0 and out.startswith("credited 30.00 USD, receipt RC-")
    assert run("prepaid", number, "--by", "cash", *AT)[0] == 4
    assert customers.get_customer(context, ada.customer_id).wallets[0].posted_micros == 30_000_000
    assert run("customer", "prepay", customer, "--stop", *AT)[0] == 0


@pytest.mark.rule("B8")
def test_a_bill_is_paid_by_a_gateway(run: Run, till: Till) -> None:
    who = till.make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    bill = bills.issue_bill(
        till.context,
        who.subscription_id,
        cycle_from=date(2026, 3, 1),
        cycle_until=date(2026, 4, 1),
        amount_micros=30_000_000,
        now=NOW,
    )
    begin = ("payment", "begin", str(who.customer_id), "--gateway", str(till.gateway_id),
             "--method", str(till.method(who)), *AT)  # fmt: skip
    code, out, _ = run(*begin, "--bill", bill.number)
    assert code == 0 and "30.00 USD" in out and "succeeded" in out
    assert till.balance(who) == 0
    assert run(*begin, "--bill", bill.number)[0] == 4
    assert run(*begin)[0] == run(*begin, "--bill", bill.number, "--save")[0] == 2
    till.check()


@pytest.mark.rule("P1")
def test_money_of_a_stranger_waits_once(run: Run, ada: Subscriber) -> None:
    came = ("suspense", "receive", "7.50", "--by", "bank_transfer", "--reference", "line 12", *AT)
    assert run(*came)[1] == "7.50 USD waits\n"
    assert run(*came)[1] == "line 12 is kept already\n"
    rows = json.loads(run("suspense", "list", "--json")[1])
    number = str(next(row["suspense_id"] for row in rows if row["reference"] == "line 12"))
    out = run("suspense", "match", number, str(ada.customer_id), *AT)[1]
    assert "credited 7.50 USD" in out


@pytest.mark.rule("P1")
def test_money_of_nobody_is_listed_matched_and_returned(
    run: Run, till: Till, ada: Subscriber, paid: PaymentView
) -> None:
    about = {**till.provider.payments[paid.key], "key": None, "id": f"nobody {paid.key}"}
    till.hear("payment.paid", about)
    rows = json.loads(run("suspense", "list", "--json")[1])
    number = str(next(row["suspense_id"] for row in rows if row["reference"] == about["id"]))
    code, out, _ = run("suspense", "match", number, str(ada.customer_id), "4", *AT)
    assert code == 0 and "credited 4.00 USD" in out
    code, out, _ = run("suspense", "return", number, "--note", "to the card", *AT)
    assert (code, out) == (0, "0.00 USD is left of it\n")
    assert run("suspense", "match", number, str(ada.customer_id), *AT)[0] == 4
