"""`tollway hotspot`, what is entered at a NAS, and what may be bought there (rules B13, R1, P1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.cli import main
from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.hotspots import Hotspot
from billing.model.network import Vendor
from billing.model.payments import GatewayConfig, PaymentView
from billing.payments.registry import open_gateway
from billing.rules.vouchers import hits_a_year
from billing.services import catalog, hotspot_offers, hotspot_orders, hotspots, nas, resellers
from billing.services.context import Context
from billing.services.gateways import Gateways, add
from billing.services.hotspot_orders import ORDERS_MOST, Wanted
from billing.services.hotspot_setup import garden_commands
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from billing.store.vouchers import format_of
from rig.provider import API_KEY, SIGNING_SECRET, Provider
from tests.factories import DAY_PLAN, MONTH_PLAN, Factory

pytestmark = pytest.mark.rule("B13")
Run = Callable[..., tuple[int, str, str]]
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
AT = ("--at", "2026-03-20T09:00")
UNIT = 1_000_000
SECRET = "0123456789abcdef" * 2
PORTAL = "https://wifi.isp.example"


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway hotspot ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)
    monkeypatch.setenv("TOLLWAY_HOTSPOT_URL", PORTAL)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["hotspot", *arguments])
        out, err = capsys.readouterr()
        return int(str(ended.value.code or 0)), out, err

    return tollway


@pytest.fixture(scope="module")
def routers(context: Context) -> None:
    for number, vendor in enumerate((Vendor.MIKROTIK, Vendor.CHILLI, Vendor.GENERIC)):
        nas.add_nas(
            context, name=vendor.value, address=f"10.9.9.{number + 1}", vendor=vendor, now=NOW
        )


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture(scope="module")
def gateway_id(context: Context, provider: Provider) -> int:
    return add(
        context,
        Gateways(open_gateway),
        name="cards",
        adapter="sandbox",
        settings={"url": provider.url},
        secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
        now=NOW,
    ).gateway_id


@pytest.fixture(scope="module")
def nobody(settings: Settings, box: SecretBox) -> Iterator[Context]:
    """The portal's: the role `panel`, who sees no organisation."""
    opened = Database(settings.dsn("panel"))
    yield Context(db=opened, box=box, actor="panel", org_ids=())
    opened.close()


def test_a_hotspot_from_the_command_line(
    run: Run, routers: None, gateway_id: int, make: Factory, context: Context
) -> None:
    plan = catalog.get_plan(context, make.plan(NOW, DAY_PLAN), NOW).name
    code, out, _ = run("add", "mikrotik", "http://10.5.50.1/login", "http://10.6.0.1", *AT)
    assert code == 0
    assert "mikrotik takes logins at http://10.5.50.1, http://10.6.0.1" in out
    assert "SECRET" not in out
    code, _, err = run("add", "mikrotik", "http://10.5.50.1", *AT)
    assert code and "is a hotspot already" in err
    code, _, err = run("add", "nowhere", "http://10.5.50.1", *AT)
    assert code and "no NAS named" in err
    code, _, err = run("set", "mikrotik", "10.5.50.1", *AT)
    assert code and "no address of a login page" in err
    code, out, _ = run("login-file", "mikrotik")
    (key,) = (one.key for one in hotspots.listed(context) if one.nas_name == "mikrotik")
    assert f"{PORTAL}/hotspot/{key}?link-login-only=$(link-login-only-esc)&amp;" in out
    assert out.count("$(if chap-id)") == out.count("$(endif)") == 2
    code, out, _ = run("settings", "mikrotik")
    assert "login-by=http-chap" in out
    assert "walled-garden ip add dst-host=wifi.isp.example action=accept" in out
    code, out, _ = run("walled-garden", "mikrotik")
    assert out.split() == ["wifi.isp.example", "127.0.0.1"]
    code, out, _ = run("offer", "mikrotik", plan, *AT)
    assert out.strip() == f"guests of mikrotik may buy: {plan}"
    code, out, _ = run("offer", "mikrotik", plan, "--remove", *AT)
    assert out.strip() == "guests of mikrotik may buy: nothing"
    code, out, _ = run("set", "mikrotik", "--close", *AT)
    assert "(closed)" in out
    code, out, _ = run("list", "--json")
    assert [one["closed_at"] is None for one in json.loads(out)] == [False]
    assert run("orders")[0] == 0


def test_a_coovachilli_shares_a_secret_that_is_shown_once(
    run: Run, routers: None, nobody: Context, context: Context
) -> None:
    _, out, _ = run("add", "chilli", "http://10.1.0.1:3990", "--json", *AT)
    first = json.loads(out)
    assert len(first["uam_secret"]) == 32
    key = first["hotspot"]["key"]
    assert hotspots.at(nobody, key, NOW).uam_secret == first["uam_secret"]
    _, out, _ = run("settings", "chilli")
    assert "HS_UAMLISTEN=10.1.0.1\nHS_UAMPORT=3990\n" in out
    assert f"HS_UAMFORMAT='{PORTAL}/hotspot/{key}'" in out
    assert first["uam_secret"] not in out
    _, out, _ = run("set", "chilli", "--new-secret", "--json", *AT)
    second = json.loads(out)["uam_secret"]
    assert second != first["uam_secret"]
    assert hotspots.at(nobody, key, NOW).uam_secret == second
    code, _, err = run("login-file", "chilli")
    assert code and "is no MikroTik" in err
    with context.transaction() as tx:
        row = tx.get_one(tables.Nas, hotspots.show(context, "chilli").nas_id)
        row.closed_at = NOW
    with pytest.raises(NotFound, match="not known here"):
        hotspots.at(nobody, key, NOW)


def test_hosts_of_gateways_are_in_the_garden() -> None:
    stripe = open_gateway(
        GatewayConfig(
            gateway_id=1, name="s", adapter="stripe", settings={},
            secrets={"api_key": "sk_test_x", "signing_secret": "whsec_x"},
        )
    )  # fmt: skip
    assert "checkout.stripe.com" in stripe.capabilities.page_hosts
    assert garden_commands(("*.stripe.com", "wifi.example")) == [
        "/ip hotspot walled-garden add dst-host=*.stripe.com action=allow comment=tollway",
        "/ip hotspot walled-garden ip add dst-host=wifi.example action=accept comment=tollway",
    ]


@pytest.fixture
def place(context: Context, routers: None, nobody: Context, make: Factory) -> Hotspot:
    """A hotspot that sells a day for 1.00."""
    known = {one.nas_name: one for one in hotspots.listed(context)}
    if "generic" not in known:
        hotspots.add(context, "generic", ["https://ap.example/in"], NOW)
    hotspot_offers.offer(context, "generic", [make.plan(NOW, DAY_PLAN)], NOW)
    return hotspots.at(nobody, hotspots.show(context, "generic").key, NOW)


def wanted(place: Hotspot, plan_id: int, gateway_id: int, number: int, **more: object) -> Wanted:
    given = {
        "plan_id": plan_id, "shown_micros": UNIT, "gateway_id": gateway_id, "email": "",
        "phone": "", "secret": f"{number:032x}", "address": f"192.0.2.{number}", **more,
    }  # fmt: skip
    return Wanted(**given)  # type: ignore[arg-type]


def batch_of(context: Context, place: Hotspot, plan_id: int) -> int | None:
    """The batch that vouchers of a plan are added to."""
    with context.transaction() as tx:
        key = {"nas_id": place.nas_id, "plan_id": plan_id}
        return tx.get_one(tables.HotspotOffer, key).batch_id


def begin(nobody: Context, place: Hotspot, asked: Wanted) -> tuple[str, PaymentView]:
    payer = hotspot_orders.payer_of(nobody, place)
    return hotspot_orders.begin(payer, place, asked, lambda token: f"{PORTAL}/{token}", NOW)


@pytest.mark.rule("M5", "P1")
def test_an_order_is_placed_once_by_its_form(
    nobody: Context, place: Hotspot, make: Factory, gateway_id: int
) -> None:
    plan_id = make.plan(NOW, DAY_PLAN)
    asked = wanted(place, plan_id, gateway_id, 1)
    token, payment = begin(nobody, place, asked)
    assert begin(nobody, place, asked) == (token, payment)
    with pytest.raises(Conflict, match="sent before"):
        begin(nobody, place, replace(asked, shown_micros=2 * UNIT))
    found = hotspot_orders.find(nobody, token)
    assert (found.order.attempt_id, found.order.price_micros) == (payment.attempt_id, UNIT)
    assert found.order.serial is None and found.hotspot_key == place.key
    for stranger in (token[:-1] + "f", "0-" + asked.secret, asked.secret, "9" + token, ""):
        with pytest.raises(NotFound, match="no such order"):
            hotspot_orders.find(nobody, stranger)


def test_what_cannot_be_ordered(
    nobody: Context, place: Hotspot, make: Factory, gateway_id: int, context: Context
) -> None:
    plan_id = make.plan(NOW, DAY_PLAN)
    good = wanted(place, plan_id, gateway_id, 2)
    elsewhere = make.plan(NOW, replace(DAY_PLAN, price_micros=3 * UNIT))
    for problem, asked in (
        ("not for sale here", replace(good, plan_id=elsewhere)),
        ("price has changed", replace(good, shown_micros=UNIT - 1)),
        ("no gateway", replace(good, gateway_id=999)),
        ("address", replace(good, email="nobody")),
        ("number", replace(good, phone="12")),
        ("not complete", replace(good, secret="short")),
    ):
        with pytest.raises((InvalidInput, NotFound, Refused), match=problem):
            begin(nobody, place, asked)
    hotspot_offers.withdraw(context, "generic", [plan_id], NOW)
    with pytest.raises(NotFound, match="not for sale here"):
        begin(nobody, place, good)


@pytest.mark.rule("R3")
def test_vouchers_are_of_one_batch_until_the_price_changes(
    nobody: Context, place: Hotspot, make: Factory, gateway_id: int, context: Context
) -> None:
    plan_id = make.plan(NOW, DAY_PLAN)
    numbers = []
    for number in (10, 11):
        begin(nobody, place, wanted(place, plan_id, gateway_id, number))
        numbers.append(batch_of(context, place, plan_id))
    assert numbers[0] == numbers[1]
    view = catalog.get_plan(context, plan_id, NOW)
    catalog.add_plan_version(context, plan_id, replace(view.terms, price_micros=2 * UNIT), NOW)
    begin(nobody, place, wanted(place, plan_id, gateway_id, 12, shown_micros=2 * UNIT))
    last = batch_of(context, place, plan_id)
    with context.transaction() as tx:
        batch = tx.get_one(tables.VoucherBatch, last)
        assert (batch.face_micros, batch.as_login) == (2 * UNIT, True)
        # A million of them are still too many codes to guess one.
        assert hits_a_year(format_of(batch), 1_000_000) < 1 / 100
    assert last != numbers[0]


def test_orders_from_one_address_have_an_end(
    nobody: Context, place: Hotspot, make: Factory, gateway_id: int
) -> None:
    plan_id = make.plan(NOW, replace(DAY_PLAN, octets=5))
    asked = wanted(place, plan_id, gateway_id, 20)
    for _ in range(ORDERS_MOST):
        with pytest.raises(NotFound):
            begin(nobody, place, asked)
    with pytest.raises(Refused, match="too much is being ordered"):
        begin(nobody, place, asked)


@pytest.mark.rule("R1", "B5")
def test_what_no_hotspot_sells(
    context: Context, routers: None, make: Factory, place: Hotspot
) -> None:
    free = make.plan(NOW, replace(DAY_PLAN, price_micros=0))
    with pytest.raises(Refused, match="costs nothing"):
        hotspot_offers.offer(context, "generic", [free], NOW)
    with pytest.raises(Refused, match="minutes"):
        hotspot_offers.offer(context, "generic", [make.plan(NOW, MONTH_PLAN)], NOW)
    with pytest.raises(NotFound, match="on sale"):
        hotspot_offers.offer(context, "generic", [999], NOW)
    shop = resellers.add(
        context, name="Shop", parent_org_id=1, profile_id=make.profile(NOW), now=NOW
    )
    nas.add_nas(context, name="shop's", address="10.9.9.9", vendor=Vendor.MIKROTIK, now=NOW)
    hotspots.add(context, "shop's", ["http://10.5.50.1"], NOW, org_id=shop.org_id)
    with pytest.raises(Refused, match="rule R1"):
        hotspot_offers.offer(context, "shop's", [make.plan(NOW, DAY_PLAN)], NOW)
