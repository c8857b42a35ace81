"""Messages over HTTP to a webhook of the operator: an SMS gateway, a chat, whatever can be told.

Each is a POST of JSON, signed: `Tollway-Signature` is `sha256=` and the HMAC-SHA256, by the shared
secret, of `Tollway-Timestamp` (seconds since 1970), a point and the body. `Idempotency-Key` is the
same at every attempt.
"""

from __future__ import annotations

import hmac
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

from billing.messages.smtp import is_loopback
from billing.model.messages import (
    ChannelDown,
    DueMessage,
    Envelope,
    Handed,
    MessageChannel,
    Outcome,
)

TIMEOUT_SECONDS = 20.0
_ANSWER_LIMIT = 2_000
_LATER = frozenset(
    {
        # The secret is at fault, not this message: a person can mend it.
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


def compose(message: DueMessage, *, subject: str, text: str) -> Envelope:
    """What is POSTed. `text` is short, for a telephone; amounts in `facts` are micros."""
    body = {
        "id": message.mail_id,
        "kind": message.kind,
        "customer": message.customer_id,
        "to": message.addresses,
        "language": message.language,
        "subject": subject,
        "text": text,
        "facts": message.facts,
        "organisation": message.organisation_name,
        "queued_at": message.queued_at.isoformat(),
    }
    return Envelope(
        sender=message.sender,
        addresses=message.addresses,
        key=message.mail_id,
        content=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """As it stands in the header."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256)
    return f"sha256={signed.hexdigest()}"


def url_problem(url: str) -> str | None:
    """Why messages are not sent there; None when they may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("https", "http") or not host:
        return "must begin with https://, and name a host"
    if parts.scheme == "http" and not is_loopback(host):
        return "must begin with https://: http goes to this machine only"
    if parts.username is not None or parts.fragment:
        return "must hold no login and no fragment"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be plain ASCII without spaces"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """`url`: one without a `url_problem`; its certificate is checked, redirects are not followed.
    `clock`: when a request is signed."""

    way: ClassVar[MessageChannel] = MessageChannel.WEBHOOK
    url: str
    secret: str = field(repr=False)
    clock: Callable[[], datetime]
    timeout_seconds: float = TIMEOUT_SECONDS

    @contextmanager
    def open(self) -> Iterator[WebhookLine]:
        """Connect; raises ChannelDown with what went wrong."""
        client = self._client()
        try:
            client.connect()
        except OSError as error:
            client.close()
            raise ChannelDown(f"{client.host}:{client.port}: {_words(error)}") from error
        try:
            yield WebhookLine(self, client)
        finally:
            client.close()

    def _client(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, timeout = parts.hostname or "", self.timeout_seconds
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=timeout)
        tls = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=tls)

    def target(self) -> str:
        """What the request line names: path and query."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def headers(self, envelope: Envelope) -> dict[str, str]:
        """Signed now."""
        timestamp = str(int(self.clock().timestamp()))
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Tollway",
            "Idempotency-Key": envelope.key,
            "Tollway-Timestamp": timestamp,
            "Tollway-Signature": signature(self.secret, timestamp, envelope.content),
        }


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """One connection, for many messages; opened again where the other side closes it."""

    channel: WebhookChannel
    client: http.client.HTTPConnection

    def send(self, envelope: Envelope) -> Handed:
        """POST one message: 2xx is taken, 401, 408, 429, 5xx and a redirect another time, any
        other answer never. No answer in time: nobody knows."""
        target, headers = self.channel.target(), self.channel.headers(envelope)
        try:
            self.client.request("POST", target, envelope.content, headers)
            answer = self.client.getresponse()
            said = answer.read(_ANSWER_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            return Handed(Outcome.LOST, _words(error))
        if not answer.isclosed():  # It says more than is read.
            self.client.close()
        return _judged(answer.status, said)


def _judged(status: int, said: bytes) -> Handed:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Handed(Outcome.SENT)
    reason = " ".join(f"{status} {said.decode(errors='replace')}".split())
    final = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Handed(Outcome.NEVER if final and status not in _LATER else Outcome.LATER, reason)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
