"""A mobile money network on a free port of loopback, as README.md describes its protocol.

It is exact about money: a reference is pushed once, and a prompt that was confirmed takes once. And
it is as bad a partner as a test wants: it answers late, never, with nonsense, did what it was asked
or not, and the payer confirms late, twice or never. It shares no code with the adapter.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote

API_KEY = "the key of an account"
CALLBACK_KEY = "what callbacks are signed with"
SUBSCRIBER = "+254712345678"
"""A number that can be asked; one that ends in 000 is no subscriber of the network's."""
_NUMBERS = count(1)


class Fault(StrEnum):
    """How a call goes wrong. `LATE`, `NEVER`: it is done, and answered after the caller has gone,
    or not at all. `GARBAGE`: it is done, and the answer is nonsense. `LOST`: it never arrives.
    `DOWN`: the network refuses to do anything."""

    LATE = "late"
    NEVER = "never"
    GARBAGE = "garbage"
    LOST = "lost"
    DOWN = "down"


@dataclass
class MobileNetwork:
    """`pushes` and `reversals` by reference; `calls` in the order of arrival; `faults`: what goes
    wrong at the next calls of a path, one after the other."""

    pushes: dict[str, dict[str, str]] = field(default_factory=dict)
    reversals: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    late_seconds: float = 1.0
    port: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[MobileNetwork]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def fail(self, called: str, *faults: Fault) -> None:
        """The next calls of `POST /pushes`, `GET /pushes`, … go wrong."""
        self.faults.setdefault(called, []).extend(faults)

    def taken(self) -> Decimal:
        """What payers paid, less what went back."""
        paid = sum(Decimal(p["amount"]) for p in self.pushes.values() if p["status"] == "confirmed")
        back = sum(Decimal(r["amount"]) for r in self.reversals.values() if r["status"] == "done")
        return Decimal(paid - back)

    # --- what payers do -------------------------------------------------------------------------

    def confirm(self, reference: str, *, again: bool = False, **more: str) -> dict[str, str]:
        """The payer types the PIN. `again`: a second prompt of the same push was confirmed as well,
        which is another movement of money."""
        with self._lock:
            push = self.pushes[reference]
            if again or push["status"] == "waiting":
                push.update(status="confirmed", receipt=f"R{next(_NUMBERS):06d}", **more)
            return dict(push)

    def end(self, reference: str, status: str, reason: str = "") -> dict[str, str]:
        """`refused` (with a reason) or `expired`."""
        with self._lock:
            push = self.pushes[reference]
            push.update(status=status, reason=reason, reason_text=reason.replace("_", " "))
            return dict(push)

    def paid_in(self, amount: str, currency: str, account: str) -> dict[str, str]:
        """Somebody pays to the account's number, unasked."""
        return {
            "receipt": f"R{next(_NUMBERS):06d}",
            "phone": SUBSCRIBER,
            "amount": amount,
            "currency": currency,
            "account": account,
        }

    # --- what the network says ------------------------------------------------------------------

    def callback(
        self, event: str, about: dict[str, str], now: datetime, *, key: str = CALLBACK_KEY
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers, signed now."""
        named = f"cb-{next(_NUMBERS)}"
        body = json.dumps({"id": named, "event": event, "about": about}).encode()
        stamp = str(int(now.timestamp()))
        signed = hmac.new(key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return body, {"Network-Timestamp": stamp, "Network-Signature": signed}

    def answer(self, method: str, path: str, body: dict[str, str]) -> tuple[int, dict[str, str]]:
        with self._lock:
            self.calls.append(f"{method} /{path.split('/')[1]}")
            if path == "/account":
                return 200, {"name": "Test ISP"}
            known = self.pushes if path.startswith("/pushes") else self.reversals
            if method == "GET":
                found = known.get(unquote(path.split("/", 2)[2]))
                return (200, dict(found)) if found else (404, {"error_text": "unknown reference"})
            if body["reference"] in known:
                return 200, dict(known[body["reference"]])
            return self._push(body) if path == "/pushes" else self._reverse(body)

    def _push(self, body: dict[str, str]) -> tuple[int, dict[str, str]]:
        assert sorted(body) == ["amount", "currency", "phone", "reference", "text"]
        assert all(type(value) is str for value in body.values())
        if body["phone"].endswith("000"):
            return 422, {"error_text": "no subscriber has this number"}
        push = body | {"id": f"P{next(_NUMBERS)}", "status": "waiting"}
        self.pushes[body["reference"]] = push
        return 202, dict(push)

    def _reverse(self, body: dict[str, str]) -> tuple[int, dict[str, str]]:
        assert sorted(body) == ["amount", "currency", "receipt", "reference"]
        paid = [p for p in self.pushes.values() if p.get("receipt") == body["receipt"]]
        gone = sum(
            Decimal(r["amount"])
            for r in self.reversals.values()
            if r["receipt"] == body["receipt"] and r["status"] != "refused"
        )
        if not paid or gone + Decimal(body["amount"]) > Decimal(paid[0]["amount"]):
            return 422, {"error_text": "there is not so much left of it"}
        reversal = body | {"id": f"V{next(_NUMBERS)}", "status": "done"}
        self.reversals[body["reference"]] = reversal
        return 200, dict(reversal)

    def next_fault(self, called: str) -> Fault | None:
        with self._lock:
            waiting = self.faults.get(called, [])
            return waiting.pop(0) if waiting else None

    def wait(self, seconds: float | None) -> None:
        self._stopping.wait(seconds)


def _handler(network: MobileNetwork) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET", {})

        def do_POST(self) -> None:
            self._serve("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _serve(self, method: str, body: dict[str, Any]) -> None:
            fault = network.next_fault(f"{method} /{self.path.split('/')[1]}")
            if self.headers.get("Authorization") != f"Bearer {API_KEY}":
                self._say(401, b'{"error_text": "unknown key"}')
            elif fault is Fault.DOWN:
                self._say(503, b'{"error_text": "come back later"}')
            elif fault is Fault.LOST:
                self._hang_up()
            else:
                status, said = network.answer(method, self.path, body)
                if fault is Fault.NEVER:
                    self._hang_up()
                    return
                if fault is Fault.LATE:
                    network.wait(network.late_seconds)
                good = json.dumps(said).encode()
                self._say(status, b"<html>" if fault is Fault.GARBAGE else good)

        def _hang_up(self) -> None:
            network.wait(None)
            self.close_connection = True

        def _say(self, status: int, said: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
            except OSError:
                self.close_connection = True  # the caller has gone

        def log_message(self, *_: object) -> None:
            """Nothing: `calls` has it."""

    return Handler
