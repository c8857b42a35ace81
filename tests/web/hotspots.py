"""Hotspot gateways on a free port of loopback. Each plays the login pages of its make, and asks the
real FreeRADIUS with what a browser has sent it, as that make does."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from rig.loopback import Handler, answering
from rig.nas import LoginOutcome, SimulatedNas


@dataclass
class Gateway:
    """`logins`: what came of each; `sent`: the fields that browsers have sent. `page`: where its
    guests log in; `name`: of its NAS at Tollway."""

    nas: SimulatedNas
    page: str = ""
    name: str = ""
    port: int = 0
    mac: str = "02:00:00:00:00:01"
    logins: list[LoginOutcome] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, name: str, password: str = "", proof: tuple[bytes, bytes] | None = None
    ) -> LoginOutcome:
        """Ask the real FreeRADIUS."""
        outcome = self.nas.login(name, password, proof=proof, calling_station=self.mac)
        self.logins.append(outcome)
        return outcome

    def answer(self, path: str, told: dict[str, str]) -> tuple[str, str]:
        """Where to go on to, or a page."""
        raise NotImplementedError

    @contextmanager
    def serving(self) -> Iterator[Gateway]:
        gateway = self

        class Pages(Handler):
            def get(self) -> None:
                parts = urlsplit(self.path)
                self._answer(parts.path, parts.query)

            def post(self) -> None:
                self._answer(self.path, self.body().decode())

            def _answer(self, path: str, query: str) -> None:
                told = {name: values[-1] for name, values in parse_qs(query).items()}
                if told:
                    gateway.sent.append(told)
                location, page = gateway.answer(path, told)
                if location:
                    self.say(302, b"", location=location)
                else:
                    self.say(200, page.encode(), "text/html")

        server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.port = server.server_port
        with answering(server):
            yield self


@dataclass
class Mikrotik(Gateway):
    """RouterOS with the login.html that `tollway hotspot login-file` writes. `chap`: what
    `login-by=http-chap` does."""

    login_html: str = ""
    chap: bool = False
    challenge: bytes = b""
    chap_id: bytes = b""

    def answer(self, path: str, told: dict[str, str]) -> tuple[str, str]:
        if path == "/login" and "username" in told:
            outcome = self._asked(told)
            if outcome.result == "accept":
                return told["dst"], ""
            return "", self.shown(outcome.message or "invalid username or password")
        if path == "/logout":
            return "", "<h1>Logged out</h1>"
        if path.startswith("/login") or path == "/":
            return "", self.shown("")
        return "", f"<h1>The page {html.escape(path)}</h1>"

    def _asked(self, told: dict[str, str]) -> LoginOutcome:
        if not self.chap:
            return self.ask(told["username"], told["password"])
        proof = self.chap_id + bytes.fromhex(told["password"])
        return self.ask(told["username"], proof=(self.challenge, proof))

    def shown(self, error: str) -> str:
        """login.html with its variables filled in, as RouterOS does."""
        self.challenge = secrets.token_bytes(16) if self.chap else b""
        self.chap_id = secrets.token_bytes(1) if self.chap else b""
        values = {
            "link-login-only": f"{self.address}/login",
            "link-orig": f"{self.address}/news?a=b&c=d",
            "mac": self.mac,
            "error": error,
            "chap-id": _octal(self.chap_id),
            "chap-challenge": _octal(self.challenge),
        }
        kept = r"\1" if self.chap else ""
        text = re.sub(r"\$\(if chap-id\)(.*?)\$\(endif\)", kept, self.login_html)

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if name.endswith("-esc"):
                return quote(values[name.removesuffix("-esc")], safe="")
            return values[name]

        return re.sub(r"\$\(([a-z-]+)\)", fill, text)


@dataclass
class Chilli(Gateway):
    """CoovaChilli with its UAM; `secret` is HS_UAMSECRET."""

    secret: str = ""
    challenge: bytes = b""

    def answer(self, path: str, told: dict[str, str]) -> tuple[str, str]:
        if path == "/logon":
            outcome = self._asked(told)
            if outcome.result == "accept":
                return self._uam("success"), ""
            return self._uam("failed", reply=outcome.message), ""
        if path == "/logoff":
            return self._uam("logoff"), ""
        return self._uam("notyet"), ""

    def _asked(self, told: dict[str, str]) -> LoginOutcome:
        mask = md5(self.challenge + self.secret.encode()).digest()  # noqa: S324
        if "response" in told:
            return self.ask(told["username"], proof=(mask, b"\0" + bytes.fromhex(told["response"])))
        masked = bytes.fromhex(told["password"])
        typed = bytes(a ^ b for a, b in zip(masked, mask, strict=True)).rstrip(b"\0")
        return self.ask(told["username"], typed.decode())

    def _uam(self, res: str, **more: str) -> str:
        self.challenge = secrets.token_bytes(16)
        told = {
            "res": res,
            "uamip": "127.0.0.1",
            "uamport": str(self.port),
            "challenge": self.challenge.hex(),
            "called": "02-00-00-00-00-FE",
            "mac": self.mac.replace(":", "-"),
            "ip": "10.1.0.7",
            "nasid": "cafe",
            "userurl": f"{self.address}/news",
            **more,
        }
        return f"{self.page}?{urlencode(told)}"


def _octal(octets: bytes) -> str:
    return "".join(f"\\{octet:03o}" for octet in octets)
