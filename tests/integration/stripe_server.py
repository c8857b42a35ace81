"""localstripe, a stand-in for Stripe that nobody here wrote, in a process of its own; and a proxy
before it that loses answers, as networks do.

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
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from rig.loopback import Handler, answering
from rig.ports import free_tcp_port
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


@dataclass
class StripeServer:
    """`url`: of the proxy. `lose_answers`: of so many POSTs from now on nobody hears."""

    backend: int = field(default_factory=free_tcp_port)
    port: int = field(default_factory=free_tcp_port)
    lose_answers: int = 0
    posts: list[str] = field(default_factory=list)
    checkout: Checkout = field(init=False)
    listed: list[dict[str, str]] = field(default_factory=list)
    """The parameters of each list that was asked for."""
    broken: list[str] = field(default_factory=list)
    """What the gateway sent, or was answered, that Stripe's description does not know."""
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

    def wait_for_ever(self) -> None:
        self._stopping.wait()


def _handler(server: StripeServer) -> type[Handler]:
    class Call(Handler):
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
            status, said = server.forward(method, self.path, body, headers)
            if method == "POST":
                server.posts.append(self.path)
                if server.lose_answers:
                    server.lose_answers -= 1
                    server.wait_for_ever()
                    self.close_connection = True
                    return
            self.say(status, said)

    return Call
