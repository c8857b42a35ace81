"""A webhook on a free port of loopback: keeps what it is told, answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from billing.clock import utc_now
from billing.messages.webhook import WebhookChannel
from rig.loopback import Handler, answering
from rig.ports import free_tcp_port

SECRET = "a secret that nobody guesses"


@dataclass(frozen=True)
class Told:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class WebhookServer:
    """`answers`: the status it gives a number instead of 200; 0: none at all. `said`: the body of
    each answer. `on_told` is called when a request is in, before its answer."""

    port: int = field(default_factory=free_tcp_port)
    told: list[Told] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    said: bytes = b"ok"
    on_told: Callable[[Told], None] = lambda _told: None
    _running: ExitStack = field(default_factory=ExitStack)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        webhook = self
        self._stopping.clear()

        class Call(Handler):
            def post(self) -> None:
                body = self.body()
                webhook.told.append(Told(self.path, dict(self.headers.items()), body))
                webhook.on_told(webhook.told[-1])
                status = webhook.status_of(json.loads(body)["to"])
                if status == 0:
                    webhook._stopping.wait()
                    self.close_connection = True
                    return
                self.say(status, webhook.said)

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Call)
        server.daemon_threads = True
        self._running.enter_context(answering(server))

    def status_of(self, numbers: list[str]) -> int:
        return next((self.answers[one] for one in numbers if one in self.answers), 200)

    def stop(self) -> None:
        self._stopping.set()
        self._running.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/sms?account=7"

    @property
    def channel(self) -> WebhookChannel:
        return WebhookChannel(url=self.url, secret=SECRET, clock=utc_now, timeout_seconds=0.5)

    def to(self, number: str) -> list[Told]:
        """What came for this number, in the order of arrival."""
        return [one for one in self.told if number in one.message["to"]]
