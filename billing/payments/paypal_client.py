"""How PayPal is spoken to: JSON over HTTPS, with an access token that serves for many calls."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import requests

_EARLY_SECONDS = 60.0
"""A token is asked for anew so long before it ends."""


class NoReply(Exception):
    """Nothing was said in time, or nothing that can be understood; what was asked may be done."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    said: dict[str, Any]

    @property
    def issue(self) -> str:
        """PayPal's code of what it refuses."""
        return str(self._detail.get("issue") or self.said.get("name") or "")

    @property
    def reason(self) -> str:
        """The same for people, with the number that PayPal's support asks for."""
        words = self._detail.get("description") or self.said.get("message") or ""
        number = self.said.get("debug_id")
        told = f"{self.issue}: {words}" if words else self.issue or str(self.status)
        return f"{told} (debug id {number})" if number else told

    @property
    def _detail(self) -> dict[str, Any]:
        details = self.said.get("details")
        first = details[0] if isinstance(details, list) and details else None
        return first if isinstance(first, dict) else {}


class _Tokens:
    """Access tokens of this process, by account: PayPal wants them used until they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[str, float]] = {}

    def get(self, account: bytes) -> str | None:
        with self._lock:
            token, ends_at = self._known.get(account, ("", 0.0))
            return token if time.monotonic() < ends_at else None

    def keep(self, account: bytes, token: str, seconds: float) -> None:
        with self._lock:
            self._known[account] = (token, time.monotonic() + seconds - _EARLY_SECONDS)

    def forget(self, account: bytes, token: str) -> None:
        with self._lock:
            if self._known.get(account, ("", 0.0))[0] == token:
                del self._known[account]


_TOKENS = _Tokens()


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPalClient:
    url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_seconds: float

    def get(self, path: str) -> Reply:
        """Raises NoReply."""
        return self._call("GET", path, {})

    def post(self, path: str, body: bytes, request_id: str = "") -> Reply:
        """`request_id`: what is sent again under it is done once. Raises NoReply."""
        headers = {"Content-Type": "application/json", "Prefer": "return=representation"}
        if request_id:
            headers["PayPal-Request-Id"] = request_id
        return self._call("POST", path, headers, body)

    def delete(self, path: str) -> Reply:
        """Raises NoReply."""
        return self._call("DELETE", path, {})

    def check(self) -> None:
        """Whether PayPal knows this account. Raises NoReply."""
        self._new_token()

    def _call(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Reply:
        token = _TOKENS.get(self._account) or self._new_token()
        reply = self._send(method, path, token, body, headers)
        if reply.status == HTTPStatus.UNAUTHORIZED:  # it was withdrawn; nothing was done
            _TOKENS.forget(self._account, token)
            reply = self._send(method, path, self._new_token(), body, headers)
        return reply

    def _send(
        self, method: str, path: str, token: str, body: bytes | None, headers: dict[str, str]
    ) -> Reply:
        try:
            answer = requests.request(
                method,
                f"{self.url}{path}",
                data=body,
                headers=headers | {"Authorization": f"Bearer {token}"},
                timeout=self.timeout_seconds,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NoReply(type(error).__name__) from None
        return Reply(answer.status_code, _said(answer))

    def _new_token(self) -> str:
        try:
            answer = requests.post(
                f"{self.url}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(self.client_id, self.client_secret),
                timeout=self.timeout_seconds,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NoReply(type(error).__name__) from None
        said = _said(answer)
        if answer.status_code != HTTPStatus.OK or not said.get("access_token"):
            words = said.get("error_description") or said.get("error") or answer.status_code
            raise NoReply(f"PayPal gives no access token: {words}")
        token = str(said["access_token"])
        _TOKENS.keep(self._account, token, float(said.get("expires_in") or 0))
        return token

    @property
    def _account(self) -> bytes:
        """Exchanged credentials are another one."""
        return sha256("\n".join((self.url, self.client_id, self.client_secret)).encode()).digest()


def _said(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NoReply(f"{answer.status_code}, not understood")
    return said
