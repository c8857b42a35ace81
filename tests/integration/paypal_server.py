"""PayPal on a free port of loopback: orders, captures, refunds, and whether it signed an event.

Every request and every answer is held against what PayPal has published (paypal_contract.py). It is
exact about money (a request id is done once, an order is captured once) and as bad a partner as a
test wants. How it signs is its own: a MAC over what PayPal says that its signature is over.
"""

from __future__ import annotations

import hmac
import json
import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from http.server import ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from rig.loopback import Handler, answering
from rig.provider import Fault
from tests.integration.paypal_contract import CONTRACT, problems

CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID = "client-of-a-test", "secret-of-a-test", "1JE4291016473214C"
_SIGNS_WITH = b"what PayPal signs with"
_TIME = "2026-03-20T09:00:00Z"
PAYER = "ada@payer.example"
_NUMBERS = count(1)
"""PayPal gives none twice, whichever server of a test it is."""


@dataclass
class PayPalServer:
    """`orders` and `refunds` by PayPal's numbers; `calls` in the order of arrival; `faults`: what
    goes wrong at the next calls of a path. `charges`: what becomes of an account on file."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    """Where payers go back to from the page of an order."""
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    charges: dict[str, str] = field(default_factory=dict)
    refuses: list[str] = field(default_factory=list)
    """Issues that the next captures are refused for."""
    forgotten: list[str] = field(default_factory=list)
    """Vaulted accounts that it was asked to delete."""
    vaults_late: bool = False
    """An account is kept some time after the payment."""
    refuses_again: list[str] = field(default_factory=list)
    """Issues that what is sent again under its request id is refused for."""
    broken: list[str] = field(default_factory=list)
    """What was not as published; a test that uses it looks."""
    tokens: set[str] = field(default_factory=set)
    forgets_keys: bool = False
    late_seconds: float = 1.0
    port: int = 0
    _done: dict[tuple[str, str], tuple[int, dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[PayPalServer]:
        server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = server.server_address[1]
        with answering(server):
            try:
                yield self
            finally:
                self._stopping.set()

    def fail(self, called: str, *faults: Fault) -> None:
        """The next calls of `POST orders`, `GET orders`, `POST capture`, `POST refund`, … go
        wrong."""
        self.faults.setdefault(called, []).extend(faults)

    def order_of(self, key: str) -> dict[str, Any]:
        """The newest with a key of ours."""
        found = [one for one in self.orders.values() if _unit(one)["custom_id"] == key]
        return found[-1]

    def taken(self) -> Decimal:
        """What payers paid, less what went back."""
        paid = sum(
            Decimal(one["amount"]["value"])
            for order in self.orders.values()
            for one in _captures(order)
            if one["status"] in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
        )
        gone = sum(Decimal(one["amount"]["value"]) for one in self.refunds.values())
        return Decimal(paid - gone)

    # --- what payers do -------------------------------------------------------------------------

    def approve(self, key: str) -> dict[str, Any]:
        """The payer says yes at PayPal's page; nothing is taken yet."""
        with self._lock:
            order = self.order_of(key)
            order["status"] = "APPROVED"
            return deepcopy(order)

    def capture_of(self, key: str) -> dict[str, Any]:
        """As events show it: with its order."""
        order = self.order_of(key)
        related = {"related_ids": {"order_id": order["id"]}}
        return deepcopy(_captures(order)[0]) | {"supplementary_data": related}

    def give_back(self, key: str, value: str, custom_id: str | None = None) -> dict[str, Any]:
        """Somebody refunds at PayPal's site, or PayPal takes it back."""
        with self._lock:
            capture = _captures(self.order_of(key))[0]
            refund = self._new_refund(capture, capture["amount"] | {"value": value}, custom_id)
            return deepcopy(refund)

    # --- what PayPal says -----------------------------------------------------------------------

    def event(
        self,
        kind: str,
        resource: dict[str, Any],
        now: datetime,
        *,
        webhook_id: str = WEBHOOK_ID,
        signs_with: bytes = _SIGNS_WITH,
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of an event, sent now. Its JSON is not written as Python's would be."""
        number = f"WH-{next(_NUMBERS)}"
        said = {
            "id": number,
            "event_version": "1.0",
            "create_time": _TIME,
            "resource_version": "2.0",
            "event_type": kind,
            "summary": "Geld für Ada",
            "resource": resource,
        }
        assert problems(said, "event") == []
        self.broken += [f"{kind}{one}" for one in problems(resource, _held_in(kind))]
        body = json.dumps(said, ensure_ascii=False, separators=(" ,", ":")).encode()
        sent_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = _mac(f"t{number}", sent_at, webhook_id, body, signs_with)
        return body, {
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-CERT-URL": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
            "PAYPAL-TRANSMISSION-ID": f"t{number}",
            "PAYPAL-TRANSMISSION-SIG": signed,
            "PAYPAL-TRANSMISSION-TIME": sent_at,
        }

    def answer(
        self, method: str, path: str, body: bytes, request_id: str
    ) -> tuple[int, dict[str, Any]]:
        """What a call does, once by its request id, and says."""
        with self._lock:
            called = (path, request_id)
            if request_id and called in self._done and self.refuses_again:
                return 422, _error("UNPROCESSABLE_ENTITY", self.refuses_again.pop(0))
            if request_id and called in self._done and not self.forgets_keys:
                return 200, deepcopy(self._done[called][1])
            status, said = self._routed(method, path, body)
            if request_id and status < 400:
                self._done[called] = status, said
            return status, deepcopy(said)

    def answered(
        self, method: str, path: str, body: bytes, request_id: str
    ) -> tuple[int, dict[str, Any]]:
        """The same, held against what is published: whatever is said, also for the second time."""
        status, said = self.answer(method, path, body, request_id)
        schema = "error" if status >= 400 else _answer_of(path)
        if status != 204:
            self.broken += [f"{path} {status}{one}" for one in problems(said, schema)]
        return status, said

    def _routed(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        parts = path.strip("/").split("/")
        match method, parts:
            case "POST", ["v2", "checkout", "orders"]:
                return self._create(self.read(body, "order_request"))
            case "GET", ["v2", "checkout", "orders", number]:
                return self._shown(self.orders.get(number), "order")
            case "POST", ["v2", "checkout", "orders", number, "capture"]:
                self.read(body, "order_capture_request")
                return self._capture(self.orders[number])
            case "POST", ["v2", "payments", "captures", number, "refund"]:
                return self._refund(number, self.read(body, "refund_request"))
            case "GET", ["v2", "payments", "refunds", number]:
                return self._shown(self.refunds.get(number), "refund")
            case "DELETE", ["v3", "vault", "payment-tokens", number]:
                known = number not in self.forgotten
                self.forgotten.append(number)
                return (204, {}) if known else (404, _error("RESOURCE_NOT_FOUND", "NOT_FOUND"))
            case "POST", ["v1", "notifications", "verify-webhook-signature"]:
                return self._verified(body)
        raise AssertionError(f"{method} {path} is not PayPal's")

    def read(self, body: bytes, schema: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(body)
        self.broken += [f"{schema}{problem}" for problem in problems(said, schema)]
        return said

    def _shown(self, found: dict[str, Any] | None, schema: str) -> tuple[int, dict[str, Any]]:
        if found is None:
            return 404, _error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
        self.broken += [f"{schema}{problem}" for problem in problems(found, schema)]
        return 200, found

    def _create(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        wallet = said["payment_source"]["paypal"]
        number = f"ORDER{next(_NUMBERS):012d}"
        order = {
            "id": number,
            "intent": said["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "create_time": _TIME,
            "purchase_units": [{"reference_id": "default", **said["purchase_units"][0]}],
            "payment_source": {"paypal": {}},
            "links": [
                {"href": f"{self.url}/v2/checkout/orders/{number}", "rel": "self", "method": "GET"},
                {
                    "href": f"https://www.sandbox.paypal.com/checkoutnow?token={number}",
                    "rel": "payer-action",
                    "method": "GET",
                },
            ],
        }
        if "vault_id" in wallet:
            becomes = self.charges.get(wallet["vault_id"], "COMPLETED")
            if becomes in CONTRACT["capture_issues"]:
                return 422, _error("UNPROCESSABLE_ENTITY", becomes)
            if becomes != "PAYER_ACTION_REQUIRED":
                self._take(order, becomes)
        elif "vault" in wallet.get("attributes", {}):
            order["payment_source"]["paypal"]["attributes"] = {"vault": {"status": "CREATED"}}
        self.orders[number] = order
        self.places[number] = wallet.get("experience_context", {})
        return 201, self._shown(order, "order")[1]

    def _capture(self, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if _captures(order):
            return 422, _error("UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED")
        if order["status"] != "APPROVED":
            return 422, _error("UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED")
        if self.refuses:
            return 422, _error("UNPROCESSABLE_ENTITY", self.refuses.pop(0))
        self._take(order, "COMPLETED")
        wallet = order["payment_source"]["paypal"]
        wallet |= {"email_address": PAYER, "account_id": "QYR5Z8XDVJNXQ"}
        if "attributes" in wallet and self.vaults_late:
            wallet["attributes"]["vault"] = {"status": "APPROVED"}
        elif "attributes" in wallet:
            wallet["attributes"]["vault"] = {
                "id": f"vault-{order['id']}",
                "status": "VAULTED",
                "customer": {"id": "ada_of_paypal"},
            }
        return 201, self._shown(order, "order")[1]

    def _take(self, order: dict[str, Any], status: str) -> None:
        number = f"CAPT{next(_NUMBERS):013d}"
        unit = _unit(order)
        order["status"] = "COMPLETED"
        unit["payments"] = {
            "captures": [
                {
                    "id": number,
                    "status": status,
                    "amount": dict(unit["amount"]),
                    "custom_id": unit["custom_id"],
                    "final_capture": True,
                    "create_time": _TIME,
                }
            ]
        }

    def _refund(self, number: str, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        capture = next(
            one for order in self.orders.values() for one in _captures(order) if one["id"] == number
        )
        gone = sum(
            Decimal(one["amount"]["value"])
            for one in self.refunds.values()
            if one["links"][0]["href"].endswith(number)
        )
        if gone + Decimal(said["amount"]["value"]) > Decimal(capture["amount"]["value"]):
            return 422, _error("UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED")
        made = self._new_refund(capture, said["amount"], said["custom_id"])
        return 201, self._shown(made, "refund")[1]

    def _new_refund(
        self, capture: dict[str, Any], amount: dict[str, str], custom_id: str | None
    ) -> dict[str, Any]:
        number = f"REFU{next(_NUMBERS):013d}"
        up = f"{self.url}/v2/payments/captures/{capture['id']}"
        made: dict[str, Any] = {
            "id": number,
            "status": "COMPLETED",
            "amount": dict(amount),
            "links": [{"href": up, "rel": "up", "method": "GET"}],
        }
        if custom_id is not None:
            made["custom_id"] = custom_id
        self.refunds[number] = made
        return made

    def _verified(self, body: bytes) -> tuple[int, dict[str, Any]]:
        said = self.read(body, "verify_webhook_signature")
        # The event as it stands in there, byte for byte.
        event = body[body.index(b'"webhook_event": ') + len(b'"webhook_event": ') : -1]
        expected = _mac(said["transmission_id"], said["transmission_time"], WEBHOOK_ID, event)
        is_good = said["webhook_id"] == WEBHOOK_ID and hmac.compare_digest(
            expected, said["transmission_sig"]
        )
        answer = {"verification_status": "SUCCESS" if is_good else "FAILURE"}
        self.broken += problems(answer, "verify_webhook_signature_response")
        return 200, answer

    def token(self, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        given = b64decode(authorization.removeprefix("Basic ")).decode()
        if given != f"{CLIENT_ID}:{CLIENT_SECRET}":
            words = "Client Authentication failed"
            return 401, {"error": "invalid_client", "error_description": words}
        assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"]}
        token = f"A21AA{next(_NUMBERS)}"
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 32400}

    def next_fault(self, called: str) -> Fault | None:
        with self._lock:
            self.calls.append(called)
            waiting = self.faults.get(called, [])
            return waiting.pop(0) if waiting else None

    def wait(self, seconds: float | None) -> None:
        self._stopping.wait(seconds)


def _answer_of(path: str) -> str:
    """The schema of what a path answers."""
    if path.endswith("verify-webhook-signature"):
        return "verify_webhook_signature_response"
    return "refund" if "/refund" in path else "order"


def _held_in(kind: str) -> str | dict[str, str]:
    """The schema of an event's resource: PayPal shows orders, captures and refunds as its calls do.
    Of disputes and vaulted accounts the contract has none."""
    if kind == "PAYMENT.CAPTURE.REFUNDED":
        return "refund"
    if kind.startswith("PAYMENT.CAPTURE."):
        return "capture"
    return "order" if kind == "CHECKOUT.ORDER.APPROVED" else {"type": "object"}


def _unit(order: dict[str, Any]) -> dict[str, Any]:
    unit: dict[str, Any] = order["purchase_units"][0]
    return unit


def _captures(order: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _unit(order).get("payments", {}).get("captures", [])
    return found


def _error(name: str, issue: str) -> dict[str, Any]:
    said = {
        "name": name,
        "message": "The requested action could not be performed.",
        "debug_id": "90957fca61718",
        "details": [{"issue": issue, "description": issue.replace("_", " ").capitalize()}],
    }
    assert problems(said, "error") == []
    return said


def _mac(
    number: str, sent_at: str, webhook_id: str, body: bytes, signs_with: bytes = _SIGNS_WITH
) -> str:
    over = f"{number}|{sent_at}|{webhook_id}|{zlib.crc32(body)}".encode()
    return "s" + b64encode(hmac.new(signs_with, over, sha256).digest()).decode()


class _Server(ThreadingHTTPServer):
    """Hundreds may call at once: whom it does not let wait connects seconds later, or never."""

    daemon_threads = True
    request_queue_size = 512


def _handler(server: PayPalServer) -> type[Handler]:
    class Call(Handler):
        def get(self) -> None:
            self._serve("GET", b"")

        def delete(self) -> None:
            self._serve("DELETE", b"")

        def post(self) -> None:
            self._serve("POST", self.body())

        def _serve(self, method: str, body: bytes) -> None:
            parts = self.path.strip("/").split("/")
            names = [one for one in parts if one in _NAMES]
            fault = server.next_fault(f"{method} {names[-1]}")
            if fault is Fault.LOST:
                self._hang_up()
            elif fault is Fault.DOWN:
                self.say(503, json.dumps(_error("SERVICE_UNAVAILABLE", "DOWN")).encode())
            else:
                status, said = self._answer(method, body)
                if fault is Fault.NEVER:
                    self._hang_up()
                    return
                if fault is Fault.LATE:
                    server.wait(server.late_seconds)
                good = json.dumps(said).encode()
                self.say(status, b"<html>" if fault is Fault.GARBAGE else good)

        def _answer(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
            given = self.headers.get("Authorization", "")
            if self.path == "/v1/oauth2/token":
                return server.token(given, body)
            if given.removeprefix("Bearer ") not in server.tokens:
                return 401, _error("AUTHENTICATION_FAILURE", "INVALID_TOKEN")
            for name, rule in CONTRACT["request_headers"].items():
                if name in self.headers:
                    server.broken += problems(self.headers[name], rule, name)
            request_id = self.headers.get("PayPal-Request-Id", "")
            return server.answered(method, self.path, body, request_id)

        def _hang_up(self) -> None:
            server.wait(None)
            self.close_connection = True

    return Call


_NAMES = (
    "token", "orders", "capture", "refund", "refunds", "payment-tokens",
    "verify-webhook-signature",
)  # fmt: skip
