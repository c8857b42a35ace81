"""Customers read their own pages and the captive portal in their language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from jinja2 import Environment, nodes

from billing.languages import entries, languages, told
from billing.model.payments import SavedMethod
from billing.payments.stripe_declines import _WORDS, reason_of
from billing.services import gateways, messages
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from billing.services.voucher_redeem import _WORDS as DEAD
from billing.settings import Settings
from rig.provider import Fault, Provider
from tests.web.isp import Isp
from tests.web.payers import UNIT, Payer, add_gateway, house, text_of
from tests.web.test_customer_vouchers import sold
from web import create_app

ROOT = Path(__file__).parents[2] / "web"
PAGES = [*ROOT.glob("templates/customer/*.html"), *ROOT.glob("templates/portal/*.html")]
CODE = [*ROOT.glob("customer/*.py"), *ROOT.glob("portal/*.py"), ROOT / "formats.py"]
OTHERS = [one for one in languages() if one != "en"]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture(scope="module")
def gateway_id(context: Context, isp: Isp, provider: Provider, began: datetime) -> int:
    name = add_gateway(context, provider, began, timeout_seconds=1)
    return gateways.find(context, name).gateway_id


@pytest.fixture
def app(settings: Settings, gateway_id: int, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def ana(app: Flask, context: Context, isp: Isp, began: datetime) -> Payer:
    """Reads Spanish, whatever her browser asks for."""
    who = house(context, isp, began)
    messages.set_alerts(context, who.customer_id, began, language="es")
    return Payer.logged_in(app, context, who)


def constants(node: nodes.Node) -> Iterator[str]:
    """What an expression may be, of those that are written there."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        for one in (node.expr1, node.expr2):
            if one is not None:
                yield from constants(one)
    elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Dict):
        for pair in node.node.items:
            yield from constants(pair.value)


def sentences() -> Iterator[tuple[str, str]]:
    """Where words of ours stand, and the words."""
    for page in PAGES:
        tree = Environment(autoescape=True).parse(page.read_text())
        for found in tree.find_all(nodes.Filter):
            if found.name == "said" and found.node is not None:
                yield from ((page.name, text) for text in constants(found.node))
    for module in CODE:
        for call in ast.walk(ast.parse(module.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func).rpartition(".")[2]
            texts: list[ast.expr] = []
            if name == "words":
                first = call.args[0]
                texts = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            elif name == "_waits":
                texts = [one for one in ast.walk(call) if isinstance(one, ast.Constant)]
            elif name.endswith("Field"):
                helps = [one.value for one in call.keywords if one.arg == "description"]
                texts = [*call.args[:1], *helps]
            for one in texts:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield module.name, one.value


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_these_pages_is_in_every_language(language: str) -> None:
    found = list(sentences())
    assert len(found) > 200
    known = {english for context, english in entries(language) if context == ""}
    assert sorted({one for one in found if one[1] not in known and one[1].strip()}) == []


def test_these_pages_have_no_words_that_are_not_looked_up() -> None:
    bare = []
    for page in PAGES:
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", page.read_text(), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", text)
        bare += [(page.name, word) for word in re.findall(r"[A-Za-z]{2,}", text)]
    assert {word for _, word in bare} <= {"my", "panel", "alone"}, bare


@pytest.mark.parametrize("language", OTHERS)
def test_declines_and_dead_vouchers_are_told_in_every_language(language: str) -> None:
    reasons = {reason_of(code) for code in (*_WORDS, "lost_card", None)}
    vouchers_ = {f"voucher 1000-0012 {words}: ask where you bought it" for words in DEAD.values()}
    for text in reasons | vouchers_:
        assert told(text, language) != text
    assert reason_of("lost_card") == reason_of("stolen_card") == reason_of("never heard of")


def way(ana: Payer, context: Context, gateway_id: int, token: str, now: datetime) -> str:
    with changing_customer(context, ana.house.customer_id) as (tx, customer):
        saved = SavedMethod(reference=token, label=f"Visa …{token}", expires_on=date(2031, 8, 31))
        return f"method-{save_method(tx, customer, gateway_id, saved, now)}"


def test_what_goes_wrong_with_a_payment_is_told_in_the_customers_language(
    ana: Payer, provider: Provider, context: Context, gateway_id: int, began: datetime
) -> None:
    page = ana.page("/my/topup")
    assert '<html lang="es">' in page and "Recargar saldo" in page
    hard = ana.page(ana.top_up("10", way(ana, context, gateway_id, "hard", began)).location)
    assert "No se ha cobrado nada." in hard and "Use otra tarjeta, o pregunte a su banco." in hard
    provider.fail("POST /payments", Fault.DOWN)
    down = ana.page(ana.top_up("10", f"page-{gateway_id}").location)
    assert "El servicio de pago no responde" in down
    card = way(ana, context, gateway_id, "ok", began)
    provider.fail("POST /payments", Fault.GARBAGE)
    unknown = ana.page(ana.top_up("10,50", card).location)
    assert "Todavía no se sabe si se han cobrado 10,50 USD de su tarjeta." in unknown
    provider.amounts["ok"] = 999
    try:
        kept = ana.page(ana.top_up("1000", card).location)
    finally:
        del provider.amounts["ok"]
    assert "Han llegado 9,99 USD y se habían pedido 1.000,00 USD" in kept
    assert "No pague otra vez: llámenos" in kept
    for text in (hard, down, unknown, kept):
        assert "Nothing" not in text and "Try" not in text
    wrong = ana.top_up("diez", card)
    assert "No es un importe: 'diez'" in text_of(wrong)
    assert "Hay que rellenarlo" in text_of(ana.top_up("", card))


@pytest.mark.rule("R3")
def test_a_voucher_that_does_nothing_says_in_the_customers_language_what_to_do(
    ana: Payer, context: Context, isp: Isp, began: datetime, settings: Settings
) -> None:
    def say(code: str) -> str:
        return text_of(ana.post("/my/voucher", {"code": code}))

    code, gone, late, foreign = (sold(context, isp, began, count)[0] for count in (1, 2, 3, 4))
    assert "no es correcto; mire otra vez la tarjeta" in say("wrong")
    assert ana.post("/my/voucher", {"code": code}).status_code == 302
    assert "Se han añadido 10,00 USD a su saldo: ahora 10,00 USD." in ana.page("/my/")
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for name, change in (
            ("batch of 2 None", "UPDATE voucher SET state = 'revoked', ended_at = now()"),
            ("batch of 3 None", "UPDATE voucher SET expires_at = '2020-01-01'"),
            ("batch of 4 None", "UPDATE voucher_batch SET currency = 'EUR'"),
        ):
            batch = "(SELECT max(batch_id) FROM voucher_batch WHERE name = %s)"
            admin.execute(f"{change} WHERE batch_id = {batch}", (name,))
    for dead, why in (
        (code, "ya se canjeó el"),
        (gone, "fue anulado"),
        (late, "ha caducado"),
        (foreign, "está en EUR y el saldo en USD"),
    ):
        page = say(dead)
        assert why in page and "pregunte donde lo compró" in page and 'id="field-code"' in page
    assert ana.balance() == 10 * UNIT


@pytest.mark.rule("P12")
def test_a_wallet_with_too_little_says_so_in_the_customers_language(ana: Payer, isp: Isp) -> None:
    page = ana.page(f"/my/buy/{isp.plan_id}")
    assert "el saldo es de 0.00 USD; faltan" in page.casefold().replace("usd", "USD")


def test_a_page_speaks_what_the_browser_asks_for_before_the_login(app: Flask) -> None:
    client = app.test_client()
    for asked, said in (("es-AR,es;q=0.9", "es"), ("fr,es;q=0.5", "es"), ("fr", "en"), ("", "en")):
        page = text_of(client.get("/my/login", headers={"Accept-Language": asked}))
        assert f'<html lang="{said}">' in page
        assert ("Usuario" in page) == (said == "es")
    lost = text_of(client.get("/hotspot/", headers={"Accept-Language": "es"}))
    assert '<html lang="es">' in lost and "punto de acceso" in lost
    panel = text_of(client.get("/login", headers={"Accept-Language": "es"}))
    assert '<html lang="en">' in panel
