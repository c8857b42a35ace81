"""localstripe, a stand-in for Stripe that nobody here wrote, in a process of its own; and a proxy
before it at which calls go wrong, as they do in networks.

It keeps no Idempotency-Key, which Stripe does: the proxy answers a key that it knows as before.

localstripe takes no filters when it lists payment intents, which Stripe does, and lists the oldest
first: the proxy writes the filters down and leaves them out, so that the rest of a look-up is
tried. It has no Checkout either, which `stripe_checkout` adds.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from rig.loopback import Handler, answering
from rig.ports import free_tcp_port
from rig.provider import Fault
from tests.integration.stripe_checkout import PAGES, SESSIONS, Checkout
from tests.integration.stripe_contract import answer_problems, request_problems

GATEWAY_KEY = "sk_test_of_localstripe"
"""Of the gateway under test; what tests do at Stripe by themselves is not looked at."""
KNOWN = frozenset({
    "event.pending_webhooks is missing",
    "no object: ['available', 'livemode', 'pending']",
    "list.total_count is not known",
    "payment_intent.charges is not known",
    "payment_intent.confirmation_method is missing",
    "payment_intent.payment_method_types is missing",
    "refund.date is not known",
    "refund.livemode is not known",
})  # fmt: skip
"""How localstripe's answers are known to differ from what Stripe describes: the gateway reads none
of it."""
_START_SECONDS = 60.0
_CALLS = frozenset({
    "balance", "payment_intents", "setup_intents", "sessions", "expire", "refunds",
    "payment_methods", "detach",
})  # fmt: skip
"""What calls are named by: the last of these in their path."""


class Trouble(StrEnum):
    """How a call goes wrong besides as a `Fault`. `TWICE`: it arrives twice, and is answered so.
    `CLOSED`: it is done, and the connection ends without an answer. `EMPTY`: it is done, and the
    answer is JSON that says nothing. `LIMITED`: refused with 429, as too many at once."""

    TWICE = "twice"
    CLOSED = "closed"
    EMPTY = "empty"
    LIMITED = "limited"


AnyFault = Fault | Trouble
FAULTS: tuple[AnyFault, ...] = (*Fault, *Trouble)
NOT_DONE: frozenset[AnyFault] = frozenset({Fault.LOST, Fault.DOWN, Trouble.LIMITED})
_REFUSED: dict[AnyFault, tuple[int, dict[str, str]]] = {
    Fault.DOWN: (503, {"type": "api_error", "message": "come back later"}),
    Trouble.LIMITED: (
        429,
        {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"},
    ),
}
_SPOILED: dict[AnyFault, bytes] = {Fault.GARBAGE: b"<html>", Trouble.EMPTY: b"{}"}


@dataclass
class StripeServer:
    """`url`: of the proxy. `faults`: what goes wrong at the next call of a name, one after the
    other."""

    backend: int = field(default_factory=free_tcp_port)
    port: int = field(default_factory=free_tcp_port)
    faults: dict[str, list[AnyFault]] = field(default_factory=dict)
    late_seconds: float = 1.0
    posts: list[str] = field(default_factory=list)
    checkout: Checkout = field(init=False)
    listed: list[dict[str, str]] = field(default_factory=list)
    """The parameters of each list that was asked for."""
    broken: list[str] = field(default_factory=list)
    """What the gateway sent, or was answered, that Stripe's description does not know."""
    _done: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)
    """Answers by path and Idempotency-Key."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.checkout = Checkout(self.forward, self.url)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[StripeServer]:
        process = subprocess.Popen(
            [sys.executable, "-m", "localstripe", "--port", str(self.backend), "--from-scratch"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        proxy = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        proxy.daemon_threads = True
        try:
            self._wait(process)
            with answering(proxy):
                try:
                    yield self
                finally:
                    self._stopping.set()
        finally:
            proxy.server_close()
            process.terminate()
            process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            assert process.poll() is None, "localstripe ended; is it installed?"
            client = http.client.HTTPConnection("127.0.0.1", self.backend, timeout=5)
            try:
                client.request("GET", "/v1/plans")
                client.getresponse().read()
            except OSError:
                time.sleep(0.1)
            else:
                return
            finally:
                client.close()
        raise AssertionError("localstripe does not answer")

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        status, said = self._answered(method, path, body, headers)
        if path.startswith("/v1/"):
            found = answer_problems(status, said)
            is_ours = path.startswith(SESSIONS)
            self.broken += [one for one in found if is_ours or one not in KNOWN]
        return status, said

    def _answered(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        parts = urlsplit(path)
        if parts.path.startswith(SESSIONS):
            return self.checkout.answer(method, path, body, headers)
        if method == "GET" and parts.path == "/v1/payment_intents":
            asked = dict(parse_qsl(parts.query))
            self.listed.append(asked)
            kept = {name: asked[name] for name in ("limit", "starting_after") if name in asked}
            path = f"{parts.path}?{urlencode(kept)}"
        client = http.client.HTTPConnection("127.0.0.1", self.backend, timeout=30)
        try:
            client.request(method, path, body or None, headers)
            answer = client.getresponse()
            return answer.status, self._completed(parts.path, answer.read())
        finally:
            client.close()

    def _completed(self, path: str, said: bytes) -> bytes:
        """What localstripe does not keep of a payment intent."""
        usage = self.checkout.future_usage.get(path.rpartition("/")[2])
        if not path.startswith("/v1/payment_intents/"):
            return said
        return json.dumps({**json.loads(said), "setup_future_usage": usage}).encode()

    def call_hook(self, url: str, secret: str) -> None:
        """Have it tell of events there from now on."""
        body = urlencode({"url": url, "secret": secret}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, said = self.forward("POST", "/_config/webhooks/tollway", body, form)
        assert status == 200, said

    def fail(self, called: str, *faults: AnyFault) -> None:
        """The next calls of `POST payment_intents`, `GET sessions`, `POST expire`, … go wrong."""
        self.faults.setdefault(called, []).extend(faults)

    def next_fault(self, method: str, path: str) -> AnyFault | None:
        names = [part for part in path.split("/") if part in _CALLS]
        with self._lock:
            waiting = self.faults.get(f"{method} {names[-1]}", []) if names else []
            return waiting.pop(0) if waiting else None

    def once(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """What a call does, once by its key, and says."""
        key = headers.get("Idempotency-Key")
        if method != "POST" or key is None:
            return self.forward(method, path, body, headers)
        with self._lock:
            if (path, key) not in self._done:
                self._done[path, key] = self.forward(method, path, body, headers)
            return self._done[path, key]

    def wait(self, seconds: float | None) -> None:
        self._stopping.wait(seconds)


def _handler(server: StripeServer) -> type[Handler]:
    class Call(Handler):
        says_last = False

        def get(self) -> None:
            if self.path.startswith(PAGES):
                self._page(server.checkout.page(self.path))
            else:
                self._serve("GET")

        def post(self) -> None:
            if not self.path.startswith(PAGES):
                self._serve("POST")
                return
            on, said = server.checkout.pay(self.path, self.body())
            if on:
                self.say(303, b"", location=on)
            else:
                self._page(server.checkout.page(self.path, said))

        def _page(self, page: bytes) -> None:
            self.say(200, page, "text/html; charset=utf-8")

        def _serve(self, method: str) -> None:
            body = self.body()
            names = ("Authorization", "Content-Type", "Idempotency-Key")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            parts = urlsplit(self.path)
            sent = parts.query if method == "GET" else body.decode()
            if headers.get("Authorization") == f"Bearer {GATEWAY_KEY}":
                server.broken += request_problems(method, parts.path, sent)
            if method == "POST":
                server.posts.append(self.path)
            fault = server.next_fault(method, parts.path)
            if fault in _REFUSED:
                refused, error = _REFUSED[fault]
                self.say(refused, json.dumps({"error": error}).encode())
            elif fault is Fault.LOST:
                self._hang_up()
            else:
                self.says_last = fault is Trouble.TWICE
                self._tell(fault, *server.once(method, self.path, body, headers))
                if fault is Trouble.TWICE:
                    self._tell(None, *server.once(method, self.path, body, headers))

        def end_headers(self) -> None:
            if self.says_last:  # else the second answer is read as that to the next request
                self.send_header("Connection", "close")
            super().end_headers()

        def _tell(self, fault: AnyFault | None, status: int, said: bytes) -> None:
            if fault is Fault.NEVER:
                self._hang_up()
            elif fault is Trouble.CLOSED:
                self.close_connection = True
            else:
                if fault is Fault.LATE:
                    server.wait(server.late_seconds)
                self.say(status, said if fault is None else _SPOILED.get(fault, said))

        def _hang_up(self) -> None:
            server.wait(None)
            self.close_connection = True

    return Call
