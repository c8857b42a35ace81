"""A gateway that a package of its own brings along: examples/mobile_money, installed as an operator
does it, takes payments without a change to Tollway (rules P1, M5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from flask import Flask

from billing.errors import InvalidInput
from billing.model.payments import EventOutcome, PaymentState, PaymentView
from billing.rules.payments import GIVEN_UP_AFTER
from billing.services import books, contacts, customers, gateways, payment_calls, payments, suspense
from billing.services import methods as methods_on_file
from billing.services.context import Context
from billing.settings import Settings
from examples.mobile_money.tests.mobile_network import (
    API_KEY,
    CALLBACK_KEY,
    SUBSCRIBER,
    Fault,
    MobileNetwork,
)
from tests.factories import Factory, Subscriber
from tests.integration.replays import REPLAYS, replayed, wide_panel
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS
from web import create_app

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "examples" / "mobile_money"
S, E = PaymentState, EventOutcome
_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the package is installed into, and that Python looks for packages in."""
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--disable-pip-version-check", "--target", str(target)),
            str(EXAMPLE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.append(str(target))
    yield target
    sys.path.remove(str(target))
    for name in [one for one in sys.modules if one.startswith("tollway_mobile_money")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def app(settings: Settings, site: Path) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: NOW)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def network() -> Iterator[MobileNetwork]:
    with MobileNetwork().serving() as running:
        yield running


@dataclass
class Kiosk:
    """A gateway of the package, and a customer with a phone."""

    context: Context
    app: Flask
    network: MobileNetwork
    who: Subscriber
    now: datetime = NOW
    gateway_id: int = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        made = gateways.add(
            self.context,
            GATEWAYS,
            name=f"phones {next(_numbers)}",
            adapter="mobile_money",
            settings={"url": self.network.url, "country_code": "254", "timeout_seconds": "0.5"},
            secret_settings={"api_key": API_KEY, "callback_key": CALLBACK_KEY},
            now=NOW,
        )
        self.gateway_id, self.token = made.gateway_id, made.hook_token
        self.call_at("0712 345 678")

    def call_at(self, phone: str | None) -> None:
        contacts.change(
            self.context, self.who.customer_id, NOW, name="Ada", email=None, phone=phone
        )

    def begin(self, *, saves: bool = False, method_id: int | None = None) -> PaymentView:
        return payments.top_up(
            self.context,
            self.who.customer_id,
            self.gateway_id,
            10 * UNIT,
            idempotency_key=f"phone {next(_numbers)}",
            now=self.now,
            saves_method=saves,
            method_id=method_id,
        )

    def asked(self) -> PaymentView:
        """The prompt is on the phone."""
        made = self.begin()
        self.work()
        return self.seen(made)

    def work(self, after: timedelta = timedelta(0)) -> None:
        self.now += after
        while payment_calls.run_due(self.context, GATEWAYS, lambda: self.now):
            pass

    def seen(self, made: PaymentView) -> PaymentView:
        return payments.history(self.context, made.attempt_id).payment

    def told(self, event: str, about: dict[str, str]) -> int:
        """The network calls back; the status of our answer."""
        return self.post(*self.network.callback(event, about, NOW))

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        answer = self.app.test_client().post(f"/hooks/{self.token}", data=body, headers=headers)
        return answer.status_code

    def balance(self) -> int:
        """In units; the books are looked through, too."""
        assert books.check_ledger(self.context, self.now).findings == ()
        found = customers.get_customer(self.context, self.who.customer_id)
        return found.wallets[0].posted_micros // UNIT

    def waiting(self, receipt: str) -> list[tuple[int, str]]:
        """What is in suspense of it, in units, and why."""
        found = suspense.listed(self.context, limit=500)
        return [
            (one.left_micros // UNIT, one.note)
            for one in found
            if (one.channel, one.reference) == ("mobile_money", receipt)
        ]


@pytest.fixture
def kiosk(context: Context, make: Factory, app: Flask, network: MobileNetwork) -> Kiosk:
    return Kiosk(context, app, network, make.subscriber(NOW))


def tollway(settings: Settings, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as the operator types it, in a process of its own."""
    environment = os.environ | {
        "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{site}",
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    return subprocess.run(
        [sys.executable, "-m", "billing.cli", *arguments],
        env=environment,
        input=f"{API_KEY}\n{CALLBACK_KEY}\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_once_installed_it_is_listed_and_set_up_like_our_own(
    settings: Settings, site: Path, kiosk: Kiosk
) -> None:
    listed = json.loads(tollway(settings, site, "gateway", "adapters", "--json").stdout)
    assert {"adapter": "mobile_money", "package": "tollway-mobile-money 0.1.0"} in listed
    assert {"adapter": "stripe", "package": "tollway"} in listed
    added = tollway(
        *(settings, site, "gateway", "add", "mpesa", "--adapter", "mobile_money"),
        *("--set", f"url={kiosk.network.url}", "--set", "country_code=254"),
        *("--secret", "api_key", "--secret", "callback_key"),
    )
    assert added.returncode == 0, added.stderr
    assert tollway(settings, site, "gateway", "test", "mpesa").stdout == "mpesa answers\n"
    assert "mobile_money" in tollway(settings, site, "gateway", "list").stdout
    begun = tollway(
        *(settings, site, "payment", "begin", str(kiosk.who.customer_id), "10"),
        *("--gateway", "mpesa", "--json"),
    )
    assert begun.returncode == 0, begun.stderr
    assert json.loads(begun.stdout)["payment"]["state"] == "pending"
    (push,) = kiosk.network.pushes.values()
    assert (push["phone"], push["amount"], push["currency"]) == (SUBSCRIBER, "10.00", "USD")


def test_without_the_package_its_gateways_say_so(
    settings: Settings, kiosk: Kiosk, tmp_path: Path
) -> None:
    gone = tollway(settings, tmp_path, "gateway", "test", str(kiosk.gateway_id))
    assert gone.returncode == InvalidInput.exit_code
    assert "no gateway is called 'mobile_money'" in gone.stderr


def test_two_packages_of_one_name_are_none(context: Context, site: Path, tmp_path: Path) -> None:
    """It would be chance which of them takes the money."""
    info = tmp_path / "other_phones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-phones\nVersion: 1.0\n")
    entry = "[tollway.gateways]\nmobile_money = nowhere:open_gateway\nbroken = nowhere:x\n"
    (info / "entry_points.txt").write_text(entry)
    sys.path.append(str(tmp_path))
    try:
        for adapter, words in (("mobile_money", "both bring"), ("broken", "cannot be loaded")):
            with pytest.raises(InvalidInput, match=words):
                gateways.add(
                    context,
                    GATEWAYS,
                    name="x",
                    adapter=adapter,
                    settings={},
                    secret_settings={},
                    now=NOW,
                )
    finally:
        sys.path.remove(str(tmp_path))


def test_the_tests_of_the_package_pass(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path],
        cwd=EXAMPLE,
        env=os.environ | {"PYTHONPATH": f"{CHECKOUT}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.rule("P1")
def test_the_payer_confirms_on_the_phone_and_is_credited(kiosk: Kiosk) -> None:
    made = kiosk.asked()
    assert (made.state, made.redirect_url, kiosk.balance()) == (S.PENDING, None, 0)
    pushed = kiosk.network.confirm(made.key)
    assert kiosk.told("push.confirmed", pushed) == 200
    paid = kiosk.seen(made)
    assert (paid.state, paid.provider_ref, kiosk.balance()) == (S.SUCCEEDED, pushed["receipt"], 10)


@pytest.mark.rule("M5")
def test_a_thousand_callbacks_at_once_credit_once(
    settings: Settings, context: Context, make: Factory, network: MobileNetwork, site: Path
) -> None:
    with wide_panel(settings, NOW) as app:
        _replay(Kiosk(context, app, network, make.subscriber(NOW)))


def _replay(kiosk: Kiosk) -> None:
    made = kiosk.asked()
    told = kiosk.network.callback("push.confirmed", kiosk.network.confirm(made.key), NOW)
    assert replayed(lambda: kiosk.post(*told)) == {200: REPLAYS}
    assert (kiosk.balance(), kiosk.seen(made).state) == (10, S.SUCCEEDED)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_callback_that_never_comes_is_asked_for(kiosk: Kiosk, fault: Fault) -> None:
    """Also where the first time of asking goes wrong."""
    made = kiosk.asked()
    kiosk.network.confirm(made.key)
    kiosk.network.fail("GET /pushes", fault)
    kiosk.work(MINUTE)
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.UNKNOWN, 0)
    kiosk.work(timedelta(minutes=5))
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.SUCCEEDED, 10)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.LATE, Fault.NEVER, Fault.GARBAGE])
def test_a_push_that_was_not_answered_is_asked_once(kiosk: Kiosk, fault: Fault) -> None:
    kiosk.network.fail("POST /pushes", fault)
    made = kiosk.asked()
    assert made.state is S.UNKNOWN
    kiosk.network.confirm(made.key)
    kiosk.work(MINUTE)
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.SUCCEEDED, 10)
    assert kiosk.network.calls.count("POST /pushes") == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DOWN])
def test_a_push_that_never_arrived_is_given_up(kiosk: Kiosk, fault: Fault) -> None:
    kiosk.network.fail("POST /pushes", fault)
    made = kiosk.asked()
    kiosk.work(MINUTE)
    assert kiosk.seen(made).state is S.UNKNOWN
    kiosk.work(GIVEN_UP_AFTER)
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.FAILED, 0)
    assert kiosk.network.pushes == {}


def test_who_confirms_long_after_it_was_given_up_is_credited(kiosk: Kiosk) -> None:
    made = kiosk.asked()
    kiosk.told("push.expired", kiosk.network.pushes[made.key])
    assert kiosk.seen(made).state is S.CANCELLED
    assert kiosk.told("push.confirmed", kiosk.network.confirm(made.key)) == 200
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.SUCCEEDED, 10)


def test_callbacks_in_any_order_credit_once(kiosk: Kiosk) -> None:
    """What reached the account is told of before the push that it answers, and what ended it
    afterwards."""
    made = kiosk.asked()
    pushed = kiosk.network.confirm(made.key)
    for event in ("payment.received", "push.expired", "push.confirmed", "payment.received"):
        assert kiosk.told(event, pushed) == 200
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.SUCCEEDED, 10)
    assert kiosk.waiting(pushed["receipt"]) == []


def test_who_confirms_two_prompts_has_the_second_kept(kiosk: Kiosk) -> None:
    made = kiosk.asked()
    kiosk.told("push.confirmed", kiosk.network.confirm(made.key))
    second = kiosk.network.confirm(made.key, again=True)
    for _ in range(2):
        assert kiosk.told("push.confirmed", second) == 200
    ((units, note),) = kiosk.waiting(second["receipt"])
    assert (kiosk.balance(), units) == (10, 10) and "it was paid already" in note


@pytest.mark.parametrize(("amount", "currency"), [("9.99", "USD"), ("10.00", "KES")])
def test_another_amount_or_currency_is_not_credited(
    kiosk: Kiosk, amount: str, currency: str
) -> None:
    made = kiosk.asked()
    pushed = kiosk.network.confirm(made.key, amount=amount, currency=currency)
    kiosk.told("push.confirmed", pushed)
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.FAILED, 0)
    assert len(kiosk.waiting(pushed["receipt"])) == 1


@pytest.mark.rule("P1")
def test_money_that_nobody_announced_waits_for_its_payer(kiosk: Kiosk) -> None:
    paid = kiosk.network.paid_in("25.00", "USD", "house 4")
    for _ in range(3):  # told again under another number, too
        assert kiosk.told("payment.received", paid) == 200
    ((units, note),) = kiosk.waiting(paid["receipt"])
    assert (units, kiosk.balance()) == (25, 0)
    assert SUBSCRIBER in note and "'house 4'" in note
    (kept,) = [one for one in suspense.listed(kiosk.context) if one.reference == paid["receipt"]]
    suspense.match(
        kiosk.context,
        kept.suspense_id,
        kiosk.who.customer_id,
        idempotency_key=f"match {next(_numbers)}",
        now=NOW,
    )
    assert (kiosk.balance(), kiosk.waiting(paid["receipt"])) == (25, [])


def test_a_number_on_file_is_asked_the_next_time(kiosk: Kiosk) -> None:
    made = kiosk.begin(saves=True)
    kiosk.work()
    kiosk.told("push.confirmed", kiosk.network.confirm(made.key))
    (method,) = methods_on_file.of_customer(kiosk.context, kiosk.who.customer_id)
    assert method.label == "Phone …678"
    kiosk.call_at(None)
    again = kiosk.begin(method_id=method.method_id)
    kiosk.work()
    assert kiosk.network.pushes[again.key]["phone"] == SUBSCRIBER
    kiosk.told("push.confirmed", kiosk.network.confirm(again.key))
    assert kiosk.balance() == 20


def test_who_has_no_phone_is_told_what_to_do(kiosk: Kiosk) -> None:
    kiosk.call_at(None)
    made = kiosk.asked()
    assert (made.state, kiosk.network.pushes) == (S.FAILED, {})
    assert made.reason is not None and "no phone number" in made.reason


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [None, *Fault])
def test_a_refund_goes_once_whatever_goes_wrong(kiosk: Kiosk, fault: Fault | None) -> None:
    made = kiosk.asked()
    kiosk.told("push.confirmed", kiosk.network.confirm(made.key))
    for called in () if fault is None else ("POST /reversals", "GET /reversals"):
        kiosk.network.fail(called, fault)
    payments.refund(
        kiosk.context,
        made.attempt_id,
        reason="a test",
        idempotency_key=f"refund {next(_numbers)}",
        now=kiosk.now,
        amount_micros=4 * UNIT,
    )
    for minutes in (0, 1, 5, 60):
        kiosk.work(timedelta(minutes=minutes))
    arrived = fault not in (Fault.LOST, Fault.DOWN)
    assert kiosk.network.calls.count("POST /reversals") == arrived
    assert kiosk.seen(made).state is (S.PARTLY_REFUNDED if arrived else S.SUCCEEDED)
    assert kiosk.balance() == (6 if arrived else 10) == int(kiosk.network.taken())
    for reversal in kiosk.network.reversals.values():  # told late
        assert kiosk.told("reversal.done", reversal) == 200
    assert kiosk.balance() == int(kiosk.network.taken())


def test_what_is_forged_changes_nothing(kiosk: Kiosk) -> None:
    made = kiosk.asked()
    forged = kiosk.network.callback("push.confirmed", {"reference": made.key}, NOW, key="a guess")
    old = kiosk.network.callback("push.confirmed", {"reference": made.key}, NOW - 6 * MINUTE)
    assert (kiosk.post(*forged), kiosk.post(*old)) == (400, 400)
    assert (kiosk.seen(made).state, kiosk.balance()) == (S.PENDING, 0)
