"""How the network is spoken to: JSON over HTTPS, and signed callbacks. Nothing of Tollway here."""

from __future__ import annotations

import hmac
import http.client
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

_ANSWER_LIMIT = 100_000
"""Octets; what is longer is no answer of the network's."""


class NoReply(Exception):
    """Nothing was said in time, or nothing that could be read; what was asked may be done."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    said: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One account at the network. `url`: without a path."""

    url: str
    api_key: str = field(repr=False)
    timeout_seconds: float

    def post(self, path: str, body: dict[str, str]) -> Reply:
        """Raises NoReply."""
        return self._call("POST", path, json.dumps(body).encode())

    def get(self, path: str, reference: str = "") -> Reply:
        """Raises NoReply."""
        return self._call("GET", f"{path}/{quote(reference, safe='')}" if reference else path)

    def _call(self, method: str, path: str, body: bytes | None = None) -> Reply:
        parts = urlsplit(self.url)
        opened = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        client = opened(parts.hostname or "", parts.port, timeout=self.timeout_seconds)
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        try:
            client.request(method, path, body, headers)
            answer = client.getresponse()
            said = json.loads(answer.read(_ANSWER_LIMIT))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoReply(str(error) or type(error).__name__) from None
        finally:
            client.close()
        if not isinstance(said, dict):
            raise NoReply(f"{answer.status}, not understood")
        return Reply(answer.status, said)


def signature(key: str, timestamp: str, body: bytes) -> str:
    """Of a callback: HMAC-SHA256 over the timestamp, a point and the body, in hex."""
    return hmac.new(key.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
