"""A gateway to try everything with: it speaks to a provider on this machine (rig/provider.py).

JSON over HTTP. `POST /payments`, `/cancellations`, `/refunds`, `/setups` and `/detachments`, each
with an Idempotency-Key; `GET /payments/KEY` and so on tell what has become of them. Events are
signed as `Provider-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of the seconds, a point and the
body.
"""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.method_setups import SetupOrder
from billing.model.money import Money
from billing.model.payments import (
    Answer,
    Capabilities,
    DeclineKind,
    GatewayConfig,
    Outcome,
    PaymentEvent,
    PaymentOrder,
    ProviderEvent,
    RefundOrder,
    SavedMethod,
    from_minor,
    to_minor,
)
from billing.payments.protocol import EVENT_AGE, WebhookRefused, timeout_seconds

_ANSWER_LIMIT = 100_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OUTCOMES = {
    "paid": Outcome.PAID,
    "open": Outcome.WAITS,
    "declined": Outcome.DECLINED,
    "expired": Outcome.CANCELLED,
}
_EVENTS = {
    "payment.paid": PaymentEvent.PAID,
    "payment.open": PaymentEvent.WAITS,
    "payment.declined": PaymentEvent.DECLINED,
    "payment.expired": PaymentEvent.CANCELLED,
    "refund.paid": PaymentEvent.REFUNDED,
    "refund.declined": PaymentEvent.REFUND_FAILED,
    "dispute.opened": PaymentEvent.CHARGED_BACK,
    "dispute.won": PaymentEvent.CHARGEBACK_WON,
}


def open_gateway(config: GatewayConfig) -> SandboxGateway:
    """Settings: `url` of loopback, `timeout_seconds`; secrets: `api_key`, `signing_secret`. Raises
    InvalidInput."""
    url = config.settings.get("url", "")
    if urlsplit(url).scheme != "http" or urlsplit(url).hostname not in _LOOPBACK:
        raise InvalidInput("the sandbox is on this machine: http://127.0.0.1:PORT", field="url")
    if not config.secrets.get("signing_secret"):
        raise InvalidInput("what events are signed with is missing", field="signing_secret")
    return SandboxGateway(
        url=url,
        api_key=config.secrets.get("api_key", ""),
        signing_secret=config.secrets["signing_secret"],
        timeout_seconds=timeout_seconds(config),
    )


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """As it stands in the header."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxGateway:
    url: str
    api_key: str = field(repr=False)
    signing_secret: str = field(repr=False)
    timeout_seconds: float

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            channel=MoneyChannel.CARD,
            saves_methods=True,
            refunds=True,
            partial_refunds=True,
            page_hosts=(urlsplit(self.url).hostname or "",),
        )

    def pay(self, order: PaymentOrder) -> Answer:
        body: dict[str, object] = {
            "key": order.key,
            "kind": order.kind.value,
            "amount": to_minor(order.amount),
            "currency": order.amount.currency,
            "text": order.text,
            "method": order.method,
            "return_url": order.return_url,
            "saves_method": order.saves_method,
        }
        return self._asked("POST", "/payments", body)

    def look_up(self, order: PaymentOrder) -> Answer:
        return self._asked("GET", f"/payments/{quote(order.key, safe='')}")

    def cancel(self, order: PaymentOrder) -> Answer:
        return self._asked("POST", "/cancellations", {"key": order.key})

    def refund(self, order: RefundOrder) -> Answer:
        body: dict[str, object] = {
            "key": order.key,
            "payment": order.payment_ref,
            "amount": to_minor(order.amount),
            "currency": order.amount.currency,
        }
        return self._asked("POST", "/refunds", body)

    def look_up_refund(self, order: RefundOrder) -> Answer:
        return self._asked("GET", f"/refunds/{quote(order.key, safe='')}")

    def set_up(self, order: SetupOrder) -> Answer:
        body: dict[str, object] = {"key": order.key, "return_url": order.return_url}
        return self._asked("POST", "/setups", body)

    def look_up_setup(self, order: SetupOrder) -> Answer:
        return self._asked("GET", f"/setups/{quote(order.key, safe='')}")

    def detach(self, reference: str) -> Answer:
        return self._asked("POST", "/detachments", {"key": reference})

    def check(self) -> str:
        found = self._asked("GET", "/health")
        return "" if found.reason == "healthy" else found.reason or "it gives no answer"

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        self._check_signature(body, headers.get("Provider-Signature", ""), now)
        try:
            said = json.loads(body)
            return [_event(said)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WebhookRefused(f"it cannot be read: {error}") from None

    def _check_signature(self, body: bytes, given: str, now: datetime) -> None:
        parts = dict(one.partition("=")[::2] for one in given.split(","))
        stamp = parts.get("t", "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise WebhookRefused("it is not signed")
        expected = signature(self.signing_secret, int(stamp), body)
        if not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
            raise WebhookRefused("its signature is wrong")
        if abs(now.timestamp() - int(stamp)) > EVENT_AGE.total_seconds():
            raise WebhookRefused("it was signed too long ago")

    def _asked(self, method: str, path: str, body: dict[str, object] | None = None) -> Answer:
        parts = urlsplit(self.url)
        client = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self.timeout_seconds
        )
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        if body is not None:
            headers["Idempotency-Key"] = str(body["key"])
        try:
            content = None if body is None else json.dumps(body).encode()
            client.request(method, path, content, headers)
            answer = client.getresponse()
            said = answer.read(_ANSWER_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            return Answer(outcome=Outcome.NO_ANSWER, reason=str(error) or type(error).__name__)
        finally:
            client.close()
        return _answer(answer.status, said)


def _answer(status: int, said: bytes) -> Answer:
    if status == HTTPStatus.NOT_FOUND:
        return Answer(outcome=Outcome.NOT_FOUND, reason="the provider does not know it")
    try:
        found: dict[str, Any] = json.loads(said)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return Answer(
                outcome=Outcome.DECLINED, decline=DeclineKind.HARD, reason=str(found["error"])
            )
        if status != HTTPStatus.OK:
            return Answer(outcome=Outcome.NO_ANSWER, reason=f"{status} {found.get('error', '')}")
        if "state" not in found:
            return Answer(outcome=Outcome.NO_ANSWER, reason=str(found.get("status", "")))
        return Answer(
            outcome=_OUTCOMES[found["state"]],
            provider_ref=str(found["id"]),
            amount=from_minor(int(found["amount"]), str(found["currency"]))
            if "amount" in found
            else None,
            redirect_url=found.get("redirect_url"),
            decline=DeclineKind(found["decline"]) if found.get("decline") else None,
            reason=found.get("reason"),
            method=_method(found),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer(outcome=Outcome.NO_ANSWER, reason=f"{status}, not understood: {error}")


def _event(said: dict[str, Any]) -> ProviderEvent:
    about = said["about"]
    payment = about.get("payment", about)
    amount: Money | None = None
    if about.get("amount") is not None:
        amount = from_minor(int(about["amount"]), str(about["currency"]))
    event = _EVENTS.get(said["kind"])
    reverses = event is not None and event.is_reversal
    return ProviderEvent(
        event_id=str(said["id"]),
        event=event,
        kind=str(said["kind"]),
        key=payment.get("key"),
        provider_ref=payment.get("id"),
        amount=amount,
        decline=DeclineKind(about["decline"]) if about.get("decline") else None,
        reason=about.get("reason"),
        reversal_key=about.get("key") if reverses else None,
        reversal_ref=str(about["id"]) if reverses else None,
        method=_method(about),
    )


def _method(found: dict[str, Any]) -> SavedMethod | None:
    method = found.get("saved_method")
    if not method:
        return None
    until = method.get("expires_on")
    return SavedMethod(
        reference=str(method["reference"]),
        label=str(method["label"]),
        payer=method.get("payer"),
        expires_on=date.fromisoformat(until) if until else None,
    )
