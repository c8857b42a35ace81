"""A payment provider on a free port of loopback, spoken to over HTTP by the sandbox gateway.

At its page a payer pays, is declined, or gives up (rig/provider_page.py).

It is exact about money (a key pays once) and as bad a partner as a test wants: it answers late,
never or with nonsense, does what it was asked or not, and tells of events when, in which order and
as often as the test says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http.server import ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote

from billing.payments.sandbox import signature
from rig.loopback import Handler, answering
from rig.ports import free_tcp_port
from rig.provider_page import PAGES, page

API_KEY = "sandbox key"
SIGNING_SECRET = "what the sandbox signs with"  # noqa: S105 (of a sandbox)
# What becomes of a charge, by the method's token.
METHODS: dict[str, dict[str, object]] = {
    "ok": {"state": "paid"},
    "slow": {"state": "open"},
    "soft": {"state": "declined", "decline": "soft", "reason": "too little on the card"},
    "hard": {"state": "declined", "decline": "hard", "reason": "the card was stolen"},
    "confirm": {
        "state": "declined",
        "decline": "authentication",
        "reason": "the bank wants the payer to confirm",
    },
}


class Fault(StrEnum):
    """How a call goes wrong. `LATE`, `NEVER`: it is done, and answered after the caller has gone,
    or not at all. `LOST`: it never arrives. `GARBAGE`, `DOWN`: it is done, or not, and the answer
    cannot be understood."""

    LATE = "late"
    NEVER = "never"
    LOST = "lost"
    GARBAGE = "garbage"
    DOWN = "down"


@dataclass
class Provider:
    """`payments` and `refunds` by their keys; `calls` in the order of arrival; `faults`: what goes
    wrong at the next call of a path, one after the other."""

    port: int = field(default_factory=free_tcp_port)
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    setups: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    at_page: Callable[[str, dict[str, Any]], None] | None = None
    """Is told of the kind of event and of the payment when a payer has done something at its page,
    before the payer goes back: as a provider that tells of it at once."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    amounts: dict[str, int] = field(default_factory=dict)
    """Minor units that are charged by a method instead of what was asked for."""
    late_seconds: float = 1.0
    _ids: Iterator[int] = field(default_factory=lambda: iter(count(1)))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[Provider]:
        self._stopping.clear()
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        with answering(server):
            try:
                yield self
            finally:
                self._stopping.set()

    def fail(self, path: str, *faults: Fault) -> None:
        """The next calls of `POST /payments`, `GET /payments`, … go wrong."""
        self.faults.setdefault(path, []).extend(faults)

    def taken_minor(self) -> int:
        """What payers were charged, less what went back."""
        paid = sum(one["amount"] for one in self.payments.values() if one["state"] == "paid")
        return paid - sum(one["amount"] for one in self.refunds.values() if one["state"] == "paid")

    def finish(self, key: str, state: str = "paid", **more: object) -> dict[str, Any]:
        """The payer pays at the page, or lets it expire."""
        with self._lock:
            payment = self.payments[key]
            payment.update(state=state, **more)
            if payment["saves_method"] and state == "paid":
                payment["saved_method"] = {
                    "reference": "ok",
                    "label": "Card …4242",
                    "payer": f"payer of {key}",
                }
            return dict(payment)

    def at_checkout(self, number: str, act: str) -> str:
        """What a payer does at the page of a payment or method; where it goes on to."""
        for kind, known in (("payment", self.payments), ("setup", self.setups)):
            key = next((key for key, one in known.items() if one["id"] == number), None)
            if key is None:
                continue
            if act != "leave":
                state = "paid" if act == "pay" else "declined"
                more = {} if act == "pay" else METHODS["hard"]
                done = self.finish(key, **more) if kind == "payment" else self.leave(key, state)
                if self.at_page is not None and kind == "payment":
                    self.at_page(f"payment.{state}", done)
            return str(known[key]["return_url"])
        raise KeyError(number)

    def leave(self, key: str, state: str = "paid", number: str = "1881") -> dict[str, Any]:
        """The payer leaves a card on file, whose number ends so; or the bank refuses it."""
        with self._lock:
            setup = self.setups[key]
            setup.update(state=state)
            if state == "paid":
                setup["saved_method"] = {
                    "reference": f"ok {number}",
                    "label": f"Visa …{number}",
                    "payer": f"payer of {key}",
                    "expires_on": "2031-08-31",
                }
            return dict(setup)

    def event(
        self,
        kind: str,
        about: dict[str, Any],
        now: datetime,
        *,
        event_id: str | None = None,
        secret: str = SIGNING_SECRET,
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of an event, signed now."""
        named = event_id or f"evt_{next(self._ids)}"
        body = json.dumps({"id": named, "kind": kind, "about": about}).encode()
        return body, {"Provider-Signature": signature(secret, int(now.timestamp()), body)}

    def about_refund(self, key: str) -> dict[str, Any]:
        """A refund as events tell of it, with its payment."""
        refund = self.refunds[key]
        return {**refund, "payment": self._by_id(refund["payment"])}

    def dispute(self, key: str, amount: int) -> dict[str, Any]:
        """The payer's bank takes a charge back."""
        payment = self.payments[key]
        return {
            "id": f"dis_{next(self._ids)}",
            "amount": amount,
            "currency": payment["currency"],
            "payment": dict(payment),
        }

    def own_refund(self, key: str, amount: int) -> dict[str, Any]:
        """One that somebody made at the provider's page; it knows no key of ours."""
        payment = self.payments[key]
        with self._lock:
            number = f"re_{next(self._ids)}"
            self.refunds[number] = {
                "id": number,
                "payment": payment["id"],
                "amount": amount,
                "currency": payment["currency"],
                "state": "paid",
            }
        return {**self.refunds[number], "key": None, "payment": dict(payment)}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What a call does, once by its key, and says."""
        with self._lock:
            self.calls.append((f"{method} /{path.split('/')[1]}", body.get("key", path)))
            if path == "/health":
                return 200, {"status": "healthy"}
            if method == "GET":
                _, kind, key = path.split("/", 2)
                known = {"payments": self.payments, "setups": self.setups}.get(kind, self.refunds)
                found = known.get(unquote(key))
                return (200, found) if found else (404, {"error": "not found"})
            if path == "/setups":
                return self._set_up(body)
            if path == "/cancellations":
                return self._cancel(body)
            return self._pay(body) if path == "/payments" else self._refund(body)

    def _set_up(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["key"] not in self.setups:
            number = f"set_{next(self._ids)}"
            page = f"{self.url}/checkout/{number}"
            self.setups[body["key"]] = {
                **body, "id": number, "state": "open", "redirect_url": page
            }  # fmt: skip
        return 200, self.setups[body["key"]]

    def _pay(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["key"] in self.payments:
            return 200, self.payments[body["key"]]
        number = f"pay_{next(self._ids)}"
        payment = {**body, "id": number, "state": "open"}
        if body["kind"] == "checkout":
            payment["redirect_url"] = f"{self.url}/checkout/{number}"
        else:
            payment |= METHODS[body["method"]]
            payment["amount"] = self.amounts.get(body["method"], body["amount"])
        self.payments[body["key"]] = payment
        return 200, payment

    def _cancel(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        payment = self.payments.get(body["key"])
        if payment is None:
            return 404, {"error": "not found"}
        if payment["state"] == "open":
            payment["state"] = "expired"
        return 200, payment

    def _refund(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body["key"] in self.refunds:
            return 200, self.refunds[body["key"]]
        payment = self._by_id(body["payment"])
        gone = sum(
            one["amount"] for one in self.refunds.values() if one["payment"] == body["payment"]
        )
        if payment["state"] != "paid" or gone + body["amount"] > payment["amount"]:
            return 422, {"error": "there is not so much left of it"}
        state = "open" if payment["method"] == "slow" else "paid"
        self.refunds[body["key"]] = {**body, "id": f"re_{next(self._ids)}", "state": state}
        return 200, self.refunds[body["key"]]

    def _by_id(self, number: str) -> dict[str, Any]:
        return next(dict(one) for one in self.payments.values() if one["id"] == number)

    def next_fault(self, called: str) -> Fault | None:
        with self._lock:
            waiting = self.faults.get(called, [])
            return waiting.pop(0) if waiting else None

    def wait(self, seconds: float | None) -> None:
        self._stopping.wait(seconds)


def _handler(provider: Provider) -> type[Handler]:
    class Call(Handler):
        def get(self) -> None:
            if self.path.startswith(PAGES):
                self.say(200, page(self.path), "text/html; charset=utf-8")
            else:
                self._serve("GET", {})

        def post(self) -> None:
            if self.path.startswith(PAGES):
                number, act = self.path.removeprefix(PAGES).split("/")
                self.say(303, b"", location=provider.at_checkout(number, act))
                return
            self._serve("POST", json.loads(self.body()))

        def _serve(self, method: str, body: dict[str, Any]) -> None:
            fault = provider.next_fault(f"{method} /{self.path.split('/')[1]}")
            if self.headers.get("Authorization") != f"Bearer {API_KEY}":
                self.say(401, b'{"error": "unknown key"}')
            elif fault is Fault.DOWN:
                self.say(503, b'{"error": "come back later"}')
            elif fault is Fault.LOST:
                provider.wait(None)
                self.close_connection = True
            else:
                status, said = provider.answer(method, self.path, body)
                self._tell(status, json.dumps(said).encode(), fault)

        def _tell(self, status: int, said: bytes, fault: Fault | None) -> None:
            if fault is Fault.NEVER:
                provider.wait(None)
                self.close_connection = True
                return
            if fault is Fault.LATE:
                provider.wait(provider.late_seconds)
            self.say(status, b"<html>" if fault is Fault.GARBAGE else said)

    return Call
