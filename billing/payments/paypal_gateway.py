"""PayPal by its REST interface: orders that the payer approves at its page, accounts on file that
are charged while the payer is away, refunds.

Our key goes along twice: as the PayPal-Request-Id, so that what is sent again is done once, and as
the custom_id, so that events say what they are about. PayPal finds no order by either: what was
never answered is asked for by sending it again, as long as it surely knows the key (it keeps those
of orders for six hours, those of refunds for 45 days). What of this was checked against what:
docs/payments.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from billing.errors import InvalidInput, Unavailable
from billing.model.commerce import MoneyChannel
from billing.model.payments import (
    Answer,
    Capabilities,
    DeclineKind,
    GatewayConfig,
    Outcome,
    PaymentKind,
    PaymentOrder,
    ProviderEvent,
    RefundOrder,
    Unpayable,
)
from billing.payments.paypal_client import NoReply, PayPalClient, Reply
from billing.payments.paypal_events import event_of
from billing.payments.paypal_orders import REFUSALS, answer_of, decline_of, refund_of, to_value
from billing.payments.protocol import EVENT_AGE, WebhookRefused, timeout_seconds

_LIVE, _SANDBOX = "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com"
_VAULT = "/v3/vault/payment-tokens"
_ORDERS, _REFUNDS = "/v2/checkout/orders", "/v2/payments/refunds"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ORDER_KEYS_KNOWN = timedelta(hours=5)
_REFUND_KEYS_KNOWN = timedelta(days=40)
"""Shorter than PayPal says, for the time that a call takes and for clocks that differ."""
_EVENT_AGE = timedelta(days=3, hours=1)
"""PayPal tries for three days to tell of an event, and does not say that it signs it anew."""
_TEXT_LIMIT = 127
_HEADERS = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_HEADER_LIMIT = 500
_NO_WEBHOOK = (
    "it has no webhook_id yet: what PayPal tells cannot be checked (tollway gateway secret)"
)


def open_gateway(config: GatewayConfig) -> PayPalGateway:
    """Settings: `client_id`, `return_url`, where payers come back to, `mode`, live or sandbox, and
    `url`, another address on this machine, to try it. Secrets: `client_secret`; `webhook_id`, which
    PayPal gives when it is told the address to call, so later than the rest. Raises
    InvalidInput."""
    if not config.settings.get("client_id"):
        raise InvalidInput("is missing: PayPal shows it with the app", field="client_id")
    if not config.secrets.get("client_secret"):
        raise InvalidInput("is missing: PayPal shows it with the app", field="client_secret")
    if not urlsplit(config.settings.get("return_url", "")).hostname:
        raise InvalidInput("where payers come back to is missing", field="return_url")
    client = PayPalClient(
        url=_address(config),
        client_id=config.settings["client_id"],
        client_secret=config.secrets["client_secret"],
        timeout_seconds=timeout_seconds(config),
    )
    return PayPalGateway(
        client=client,
        webhook_id=config.secrets.get("webhook_id", ""),
        return_url=config.settings["return_url"],
    )


def _address(config: GatewayConfig) -> str:
    mode, url = config.settings.get("mode", "live"), config.settings.get("url")
    if mode not in ("live", "sandbox"):
        raise InvalidInput("must be live or sandbox", field="mode")
    if not url:
        return _LIVE if mode == "live" else _SANDBOX
    if urlsplit(url).scheme != "http" or urlsplit(url).hostname not in _LOOPBACK:
        raise InvalidInput("must be on this machine, or left out", field="url")
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPalGateway:
    client: PayPalClient = field(repr=False)
    webhook_id: str
    return_url: str

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            channel=MoneyChannel.PAYPAL,
            saves_methods=True,
            refunds=True,
            partial_refunds=True,
            page_hosts=("www.paypal.com", "*.paypal.com", "*.paypalobjects.com"),
        )

    def pay(self, order: PaymentOrder) -> Answer:
        return self._send(order)

    def look_up(self, order: PaymentOrder) -> Answer:
        """What the payer has approved is captured here; an order is captured once."""
        if order.provider_ref:
            path = f"{_ORDERS}/{quote(order.provider_ref, safe='')}"
            found = _asked(
                lambda: self.client.get(path), lambda said: _shown(said, order), looks=True
            )
            return self._capture(path, order) if found is _APPROVED else found
        if order.sent_ago < _ORDER_KEYS_KNOWN:
            return self._send(order, again=True)
        if order.kind is PaymentKind.CHECKOUT:
            # Nobody was ever sent to its page.
            return Answer(outcome=Outcome.NOT_FOUND, reason="PayPal never answered")
        return Answer(
            outcome=Outcome.NO_ANSWER,
            reason=f"PayPal does not know the key any more: look for {order.key} at its site",
        )

    def refund(self, order: RefundOrder) -> Answer:
        return self._send_refund(order)

    def look_up_refund(self, order: RefundOrder) -> Answer:
        if order.provider_ref:
            path = f"{_REFUNDS}/{quote(order.provider_ref, safe='')}"
            return _asked(lambda: self.client.get(path), refund_of, looks=True)
        if order.sent_ago < _REFUND_KEYS_KNOWN:
            return self._send_refund(order, again=True)
        return Answer(outcome=Outcome.NO_ANSWER, reason="PayPal does not know the key any more")

    def detach(self, reference: str) -> Answer:
        try:
            reply = self.client.delete(f"{_VAULT}/{quote(reference, safe='')}")
        except NoReply as error:
            return Answer(outcome=Outcome.NO_ANSWER, reason=str(error))
        if reply.status == HTTPStatus.NOT_FOUND:
            return Answer(outcome=Outcome.NOT_FOUND, reason=reply.reason)
        gone = reply.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
        return Answer(outcome=Outcome.PAID if gone else Outcome.NO_ANSWER, reason=reply.reason)

    def check(self) -> str:
        try:
            self.client.check()
        except NoReply as error:
            return str(error)
        return "" if self.webhook_id else _NO_WEBHOOK

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        """PayPal itself is asked whether it has signed it. Raises Unavailable, too: it cannot be
        asked, and tells again."""
        if not self.webhook_id:
            raise WebhookRefused(_NO_WEBHOOK)
        signed = _signature(headers, now)
        try:
            said = json.loads(body)
        except ValueError:
            raise WebhookRefused("it is no JSON") from None
        if not isinstance(said, dict):
            raise WebhookRefused("it is no event")
        self._check_signature(signed, body)
        try:
            return [self._of_its_order(event_of(said))]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise WebhookRefused(f"it cannot be read: {error}") from None

    def _of_its_order(self, told: ProviderEvent) -> ProviderEvent:
        """An account that was kept late names its order, by which we know no payment any more once
        it is paid: the order has our key. Raises Unavailable."""
        if told.method is None or told.key is not None or not told.provider_ref:
            return told
        try:
            reply = self.client.get(f"{_ORDERS}/{quote(told.provider_ref, safe='')}")
        except NoReply as error:
            raise Unavailable(f"PayPal cannot be asked about the order: {error}") from None
        if reply.status == HTTPStatus.NOT_FOUND:
            return replace(told, event=None)
        if reply.status != HTTPStatus.OK:
            raise Unavailable(f"PayPal cannot be asked about the order: {reply.reason}")
        return replace(told, key=str(reply.said["purchase_units"][0]["custom_id"]))

    def _send(self, order: PaymentOrder, *, again: bool = False) -> Answer:
        try:
            body = self._order(order)
        except Unpayable as error:
            return _declined(DeclineKind.HARD, f"PayPal takes no such amount: {error}")
        return _asked(
            lambda: self.client.post(_ORDERS, body, order.key),
            lambda said: answer_of(said, order),
            again=again,
        )

    def _send_refund(self, order: RefundOrder, *, again: bool = False) -> Answer:
        body = {"amount": to_value(order.amount), "custom_id": order.key}
        path = f"/v2/payments/captures/{quote(order.payment_ref, safe='')}/refund"
        content = json.dumps(body).encode()
        return _asked(lambda: self.client.post(path, content, order.key), refund_of, again=again)

    def _check_signature(self, signed: dict[str, str], body: bytes) -> None:
        # Byte for byte as it came: written anew, its signature would not be that of it.
        envelope = json.dumps(signed | {"webhook_id": self.webhook_id}).encode()
        content = envelope[:-1] + b', "webhook_event": ' + body + b"}"
        try:
            reply = self.client.post("/v1/notifications/verify-webhook-signature", content)
        except NoReply as error:
            raise Unavailable(f"PayPal cannot be asked about its signature: {error}") from None
        if reply.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            raise WebhookRefused(f"its signature is none: {reply.reason}")
        if reply.status != HTTPStatus.OK:
            raise Unavailable(f"PayPal cannot be asked about its signature: {reply.reason}")
        if reply.said.get("verification_status") != "SUCCESS":
            raise WebhookRefused("its signature is wrong")

    def _order(self, order: PaymentOrder) -> bytes:
        """Raises Unpayable."""
        unit = {
            "custom_id": order.key,
            "description": order.text[:_TEXT_LIMIT],
            "amount": to_value(order.amount),
        }
        if order.kind is PaymentKind.CHARGE:
            wallet: dict[str, Any] = {"vault_id": order.method or ""}
        else:
            wallet = {"experience_context": self._page(order)}
            if order.saves_method:
                wallet["attributes"] = _to_save(order)
        said = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": wallet},
        }
        return json.dumps(said).encode()

    def _page(self, order: PaymentOrder) -> dict[str, str]:
        back = order.return_url or self.return_url
        return {
            "return_url": back,
            "cancel_url": back,
            "shipping_preference": "NO_SHIPPING",
            "user_action": "PAY_NOW",
        }

    def _capture(self, path: str, order: PaymentOrder) -> Answer:
        """Take what the payer has approved; PayPal lets an order be captured once."""
        found = _asked(
            lambda: self.client.post(f"{path}/capture", b"{}"), lambda said: answer_of(said, order)
        )
        if found.outcome is not Outcome.DECLINED or found.decline is DeclineKind.HARD:
            return found
        # It was captured meanwhile, or the payer may choose another way to pay at PayPal's page.
        return _asked(
            lambda: self.client.get(path), lambda said: answer_of(said, order), looks=True
        )


_APPROVED = Answer(outcome=Outcome.WAITS, reason="approved")


def _shown(said: dict[str, Any], order: PaymentOrder) -> Answer:
    return _APPROVED if said["status"] == "APPROVED" else answer_of(said, order)


def _to_save(order: PaymentOrder) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "vault": {
            "store_in_vault": "ON_SUCCESS",
            "usage_type": "MERCHANT",
            "customer_type": "CONSUMER",
        }
    }
    return kept | ({"customer": {"id": order.payer}} if order.payer else {})


def _signature(headers: Mapping[str, str], now: datetime) -> dict[str, str]:
    """What the request says of its signature; what surely is none is not taken to PayPal. Raises
    WebhookRefused."""
    given = {name.lower(): value for name, value in headers.items()}
    signed = {name: given.get(header, "") for name, header in _HEADERS.items()}
    if not all(0 < len(value) <= _HEADER_LIMIT and value.isascii() for value in signed.values()):
        raise WebhookRefused("it is not signed")
    try:
        place = urlsplit(signed["cert_url"])
        sent_at = datetime.fromisoformat(signed["transmission_time"])
        seconds = (now - sent_at).total_seconds()
    except (ValueError, TypeError):
        raise WebhookRefused("it is not signed") from None
    if place.scheme != "https" or not f".{place.hostname}".endswith(".paypal.com"):
        raise WebhookRefused("its certificate is not PayPal's")
    if not -EVENT_AGE.total_seconds() <= seconds <= _EVENT_AGE.total_seconds():
        raise WebhookRefused("it was signed too long ago")
    return signed


def _asked(
    call: Callable[[], Reply],
    read: Callable[[dict[str, Any]], Answer],
    *,
    looks: bool = False,
    again: bool = False,
) -> Answer:
    """What came of a call. An outage, and whatever PayPal does not say clearly, is no answer: also
    a refusal of what was sent `again` that may be for just that."""
    try:
        reply = call()
    except NoReply as error:
        return Answer(outcome=Outcome.NO_ANSWER, reason=str(error))
    if reply.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        try:
            return read(reply.said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Answer(outcome=Outcome.NO_ANSWER, reason=f"not understood: {error!r}")
    if looks and reply.status == HTTPStatus.NOT_FOUND:
        return Answer(outcome=Outcome.NOT_FOUND, reason=reply.reason)
    is_clear = reply.status in (400, 404, 422) and (not again or reply.issue in REFUSALS)
    if looks or not is_clear:
        return Answer(outcome=Outcome.NO_ANSWER, reason=reply.reason)
    # It has refused to try: nothing was taken.
    return _declined(decline_of(reply.issue), reply.reason)


def _declined(kind: DeclineKind, reason: str) -> Answer:
    return Answer(outcome=Outcome.DECLINED, decline=kind, reason=reason)
