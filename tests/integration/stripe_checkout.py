"""Stripe's Checkout, which localstripe lacks: sessions as Stripe's reference describes them, ours;
the customers, cards, intents and declines behind them are localstripe's.

A parameter that this does not know is refused, as Stripe refuses those that it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.integration.stripe_contract import whole

SESSIONS, PAGES = "/v1/checkout/sessions", "/pay/"
Call = Callable[[str, str, bytes, dict[str, str]], tuple[int, bytes]]
_KNOWN = {
    "payment": {
        "mode", "client_reference_id", "metadata", "payment_intent_data", "line_items",
        "success_url", "cancel_url", "customer", "customer_creation", "customer_email",
    },
    "setup": {
        "mode", "client_reference_id", "metadata", "setup_intent_data", "success_url", "cancel_url",
        "allowed_payment_method_types", "customer", "customer_creation", "customer_email",
    },
}  # fmt: skip
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Checkout</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<h1>Checkout</h1><p role="alert">{said}</p>
<form method="post"><label>Card <input name="number"></label><button>Pay</button></form>
<a href="{back}">Back</a></html>"""


@dataclass
class Checkout:
    """`call`: to localstripe. `url`: where the pages are. Keys of requests are kept as Stripe does:
    the same key again is answered by the same session."""

    call: Call
    url: str
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    future_usage: dict[str, str] = field(default_factory=dict)
    """By payment intent: localstripe keeps none."""
    _numbers: Any = field(default_factory=lambda: count(1))

    def answer(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        number = path.partition("?")[0].removeprefix(SESSIONS).strip("/")
        if method == "POST" and number.endswith("/expire"):
            number = number.removesuffix("/expire")
            self.expire(number)
            status, said = 200, _shown(self.sessions[number])
        elif method == "POST":
            status, said = self._create(_nested(body), headers.get("Idempotency-Key", ""))
        elif not number:
            found = [_shown(one) for one in reversed(self.sessions.values())]
            status, said = 200, {
                "object": "list", "data": found, "has_more": False, "url": SESSIONS,
            }  # fmt: skip
        elif number in self.sessions:
            status, said = 200, _shown(self.sessions[number])
        else:
            status, said = 404, _error("No such checkout.session", "resource_missing")
        return status, json.dumps(said).encode()

    def page(self, path: str, said: str = "") -> bytes:
        session = self.sessions[path.removeprefix(PAGES)]
        return _PAGE.format(said=said, back=session["cancel_url"]).encode()

    def pay(self, path: str, body: bytes) -> tuple[str, str]:
        """A card is typed: where the payer goes on to, or what the page says."""
        session = self.sessions[path.removeprefix(PAGES)]
        number = dict(parse_qsl(body.decode()))["number"]
        try:
            if session["status"] == "open":
                act = self._pay if session["mode"] == "payment" else self._set_up
                act(session, number)
        except _Declined as declined:
            return "", str(declined)
        return str(session["success_url"]), ""

    def expire(self, number: str) -> None:
        """Nobody came within a day."""
        self.sessions[number].update(status="expired", url=None)

    def _create(self, asked: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        if key in self.keys:
            return 200, _shown(self.sessions[self.keys[key]])
        strange = set(asked) - _KNOWN.get(asked.get("mode", ""), set())
        if strange:
            return 400, _error(f"Received unknown parameter: {sorted(strange)[0]}")
        if "customer" in asked and ({"customer_creation", "customer_email"} & set(asked)):
            return 400, _error("You may only specify one of these parameters: customer, …")
        number = f"cs_test_{next(self._numbers)}"
        item = asked["line_items"]["0"] if asked["mode"] == "payment" else None
        self.sessions[number] = {
            **whole("checkout.session", asked),
            "id": number,
            "status": "open",
            "payment_status": "unpaid" if item else "no_payment_required",
            "amount_total": int(item["price_data"]["unit_amount"]) if item else None,
            "currency": item["price_data"]["currency"] if item else None,
            "customer": asked.get("customer"),
            "payment_intent": None,
            "setup_intent": None,
            "url": f"{self.url}{PAGES}{number}",
        }
        self.keys[key] = number
        return 200, _shown(self.sessions[number])

    def _pay(self, session: dict[str, Any], number: str) -> None:
        wanted = session.get("payment_intent_data", {})
        payer, card = self._card(session, number)
        made = self._post(
            "/v1/payment_intents",
            {
                "amount": session["amount_total"],
                "currency": session["currency"],
                "customer": payer,
                "payment_method": card,
                **_metadata(wanted),
            },
        )
        self._post(f"/v1/payment_intents/{made['id']}/confirm", {})
        if "setup_future_usage" in wanted:
            self.future_usage[made["id"]] = wanted["setup_future_usage"]
        session.update(
            status="complete", payment_status="paid", payment_intent=made["id"], customer=payer,
            url=None,
        )  # fmt: skip

    def _set_up(self, session: dict[str, Any], number: str) -> None:
        payer, card = self._card(session, number)
        wanted = session.get("setup_intent_data", {})
        made = self._post("/v1/setup_intents", {"customer": payer, **_metadata(wanted)})
        self._post(f"/v1/setup_intents/{made['id']}/confirm", {"payment_method": card})
        session.update(status="complete", setup_intent=made["id"], customer=payer, url=None)

    def _card(self, session: dict[str, Any], number: str) -> tuple[str, str]:
        """Payer and card, attached to each other."""
        payer = session["customer"]
        if payer is None:
            email = session.get("customer_email", "nobody@net.example")
            payer = self._post("/v1/customers", {"email": email})["id"]
        card = self._post(
            "/v1/payment_methods",
            {
                "type": "card", "card[number]": number, "card[exp_month]": 8,
                "card[exp_year]": 2031, "card[cvc]": "123",
            },
        )["id"]  # fmt: skip
        self._post(f"/v1/payment_methods/{card}/attach", {"customer": payer})
        return payer, card

    def _post(self, path: str, values: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "Authorization": "Bearer sk_test_of_the_page",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        status, said = self.call("POST", path, urlencode(values).encode(), headers)
        found: dict[str, Any] = json.loads(said)
        if status != 200:
            raise _Declined(found["error"]["message"])
        return found


class _Declined(Exception):
    """What Stripe says of the card."""


def _shown(session: dict[str, Any]) -> dict[str, Any]:
    """Without what was asked for and is not shown again."""
    hidden = ("payment_intent_data", "setup_intent_data", "line_items", "customer_email")
    return {name: value for name, value in session.items() if name not in hidden}


def _metadata(wanted: dict[str, Any]) -> dict[str, str]:
    return {f"metadata[{name}]": value for name, value in wanted.get("metadata", {}).items()}


def _nested(body: bytes) -> dict[str, Any]:
    """`a[b]=1` as {a: {b: 1}}."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        place = found
        for part in (first, *rest)[:-1]:
            place = place.setdefault(part, {})
        place[(first, *rest)[-1]] = value
    return found


def _error(message: str, code: str = "parameter_unknown") -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "message": message, "code": code}}
