"""The adapter: what Tollway asks, in the network's words, and what the network says, in Tollway's.

The payer gets a prompt on the phone and confirms it there, or does not: no call ever says at once
that money came. It is told of by a callback, which may come late, twice or never; `look_up` asks.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import (
    Answer,
    Capabilities,
    DeclineKind,
    GatewayConfig,
    Outcome,
    PaymentEvent,
    PaymentKind,
    PaymentOrder,
    ProviderEvent,
    RefundOrder,
    SavedMethod,
    Unpayable,
    to_minor,
)
from billing.payments.protocol import EVENT_AGE, WebhookRefused, timeout_seconds
from tollway_mobile_money.network import Network, NoReply, signature

_Reader = Callable[[dict[str, Any]], Answer]
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PUSHED = {
    "waiting": Outcome.WAITS,
    "confirmed": Outcome.PAID,
    "refused": Outcome.DECLINED,
    "expired": Outcome.CANCELLED,
}
_REVERSED = {"waiting": Outcome.WAITS, "done": Outcome.PAID, "refused": Outcome.DECLINED}
_PUSH_EVENTS = {
    "push.confirmed": PaymentEvent.PAID,
    "push.refused": PaymentEvent.DECLINED,
    "push.expired": PaymentEvent.CANCELLED,
}
_REVERSAL_EVENTS = {
    "reversal.done": PaymentEvent.REFUNDED,
    "reversal.refused": PaymentEvent.REFUND_FAILED,
}
# Another day the payer may have money, or type the right PIN. The rest is for good.
_SOFT = frozenset({"too_little_money", "wrong_pin", "over_daily_limit", "phone_off"})


def open_gateway(config: GatewayConfig) -> MobileMoney:
    """What the entry point names. Settings: `url`, `country_code` (digits; for numbers that are
    written without one) and `timeout_seconds`; secrets: `api_key`, `callback_key`. Raises
    InvalidInput."""
    url = config.settings.get("url", "")
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.hostname and (parts.scheme == "https" or is_local)):
        raise InvalidInput("must be the network's address, https://…", field="url")
    country_code = config.settings.get("country_code", "")
    if country_code and not re.fullmatch(r"[1-9][0-9]{0,2}", country_code):
        raise InvalidInput("must be one to three digits, as 254", field="country_code")
    for name in ("api_key", "callback_key"):
        if not config.secrets.get(name):
            raise InvalidInput("is missing", field=name)
    return MobileMoney(
        network=Network(
            url=url, api_key=config.secrets["api_key"], timeout_seconds=timeout_seconds(config)
        ),
        callback_key=config.secrets["callback_key"],
        country_code=country_code,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileMoney:
    network: Network
    callback_key: str = field(repr=False)
    country_code: str

    @property
    def capabilities(self) -> Capabilities:
        """A number on file is asked again; there is no page to go to."""
        return Capabilities(
            channel=MoneyChannel.MOBILE_MONEY,
            saves_methods=True,
            refunds=True,
            partial_refunds=True,
        )

    def pay(self, order: PaymentOrder) -> Answer:
        written = order.method if order.kind is PaymentKind.CHARGE else order.phone
        phone = dialled(written or "", self.country_code)
        if phone is None:
            return _declined(
                f"{written!r} is no phone number that can be asked: correct it, with its country"
                if written
                else "there is no phone number to ask: it has to be written down first"
            )
        try:
            amount = _written(order.amount)
        except Unpayable as error:
            return _declined(f"the network takes no such amount: {error}")
        body = {
            "reference": order.key,
            "phone": phone,
            "amount": amount,
            "currency": order.amount.currency,
            "text": order.text,
        }
        return self._asked("/pushes", body, _pushed)

    def look_up(self, order: PaymentOrder) -> Answer:
        return self._found("/pushes", order.key, _pushed)

    def refund(self, order: RefundOrder) -> Answer:
        body = {
            "reference": order.key,
            "receipt": order.payment_ref,
            "amount": _written(order.amount),
            "currency": order.amount.currency,
        }
        return self._asked("/reversals", body, _reversed)

    def look_up_refund(self, order: RefundOrder) -> Answer:
        return self._found("/reversals", order.key, _reversed)

    def check(self) -> str:
        try:
            reply = self.network.get("/account")
        except NoReply as error:
            return str(error)
        return "" if reply.status == HTTPStatus.OK else _reason(reply.status, reply.said)

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        stamp = headers.get("Network-Timestamp", "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            raise WebhookRefused("it is not signed")
        expected = signature(self.callback_key, stamp, body).encode()
        given = headers.get("Network-Signature", "").encode(errors="replace")
        if not hmac.compare_digest(expected, given):
            raise WebhookRefused("its signature is wrong")
        if abs(now.timestamp() - int(stamp)) > EVENT_AGE.total_seconds():
            raise WebhookRefused("it was signed too long ago")
        try:
            return [_event(json.loads(body))]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WebhookRefused(f"it cannot be read: {error}") from None

    def _asked(self, path: str, body: dict[str, str], read: _Reader) -> Answer:
        try:
            reply = self.network.post(path, body)
        except NoReply as error:
            return _nothing(str(error))
        if reply.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            # It has refused to try: the payer was not asked.
            return _declined(_reason(reply.status, reply.said))
        return _read(reply.status, reply.said, read)

    def _found(self, path: str, reference: str, read: _Reader) -> Answer:
        try:
            reply = self.network.get(path, reference)
        except NoReply as error:
            return _nothing(str(error))
        if reply.status == HTTPStatus.NOT_FOUND:
            return Answer(outcome=Outcome.NOT_FOUND, reason="the network does not know it")
        return _read(reply.status, reply.said, read)


def dialled(written: str, country_code: str) -> str | None:
    """As the network wants it, +254712345678. None: it cannot be told which number that is."""
    digits = re.sub(r"[\s().-]", "", written)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not digits.startswith("+"):
        digits = f"+{country_code}{digits.removeprefix('0')}" if country_code else ""
    return digits if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) else None


def _read(status: int, said: dict[str, Any], read: _Reader) -> Answer:
    if status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        return _nothing(_reason(status, said))
    try:
        return read(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _nothing(f"{status}, not understood: {error}")


def _pushed(push: dict[str, Any]) -> Answer:
    outcome = _PUSHED[push["status"]]
    declined = outcome is Outcome.DECLINED
    return Answer(
        outcome=outcome,
        provider_ref=_reference(push, outcome is Outcome.PAID),
        amount=Money.parse(push["amount"], push["currency"]),
        decline=_decline(push) if declined else None,
        reason=push.get("reason_text"),
        method=_method(push) if outcome is Outcome.PAID else None,
    )


def _reversed(reversal: dict[str, Any]) -> Answer:
    return Answer(
        outcome=_REVERSED[reversal["status"]],
        provider_ref=str(reversal["id"]),
        amount=Money.parse(reversal["amount"], reversal["currency"]),
        reason=reversal.get("reason_text"),
    )


def _event(said: dict[str, Any]) -> ProviderEvent:
    """Raises KeyError, TypeError, ValueError: it is none."""
    event_id, kind, about = str(said["id"]), str(said["event"]), said["about"]
    if kind in _PUSH_EVENTS:
        return _push_event(event_id, kind, about)
    if kind == "payment.received":
        return _received(event_id, kind, about)
    if kind in _REVERSAL_EVENTS:
        return ProviderEvent(
            event_id=event_id,
            event=_REVERSAL_EVENTS[kind],
            kind=kind,
            provider_ref=str(about["receipt"]),
            amount=Money.parse(about["amount"], about["currency"]),
            reason=about.get("reason_text"),
            reversal_key=about.get("reference"),
            reversal_ref=str(about["id"]),
        )
    return ProviderEvent(event_id=event_id, event=None, kind=kind)


def _push_event(event_id: str, kind: str, push: dict[str, Any]) -> ProviderEvent:
    event = _PUSH_EVENTS[kind]
    paid = event is PaymentEvent.PAID
    return ProviderEvent(
        event_id=event_id,
        event=event,
        kind=kind,
        key=str(push["reference"]),
        provider_ref=_reference(push, paid),
        amount=Money.parse(push["amount"], push["currency"]),
        decline=_decline(push) if event is PaymentEvent.DECLINED else None,
        reason=push.get("reason_text"),
        method=_method(push) if paid else None,
    )


def _received(event_id: str, kind: str, about: dict[str, Any]) -> ProviderEvent:
    """Money that reached the account. The network tells so of pushes that were confirmed, too, and
    may do it before `push.confirmed`: then it names their reference. What somebody has paid in
    unasked has none, and waits in suspense for a person to match it: what the payer typed is no
    proof of whose it is."""
    reference = about.get("reference")
    typed = f", who typed {about['account']!r}" if about.get("account") else ""
    return ProviderEvent(
        event_id=event_id,
        event=PaymentEvent.PAID,
        kind=kind,
        key=reference,
        provider_ref=str(about["receipt"]),
        amount=Money.parse(about["amount"], about["currency"]),
        reason=None if reference else f"from {about['phone']}{typed}",
    )


def _reference(push: dict[str, Any], paid: bool) -> str:
    """The receipt, which both sides' books have, once there is one."""
    return str(push["receipt"] if paid else push["id"])


def _method(push: dict[str, Any]) -> SavedMethod:
    phone = str(push["phone"])
    return SavedMethod(reference=phone, label=f"Phone …{phone[-3:]}")


def _decline(push: dict[str, Any]) -> DeclineKind:
    return DeclineKind.SOFT if push.get("reason") in _SOFT else DeclineKind.HARD


def _written(amount: Money) -> str:
    """`10.00`. Raises Unpayable."""
    to_minor(amount)  # else it would be rounded
    return str(amount).split()[0]


def _reason(status: int, said: dict[str, Any]) -> str:
    return str(said.get("error_text") or f"{status}")


def _declined(reason: str) -> Answer:
    return Answer(outcome=Outcome.DECLINED, decline=DeclineKind.HARD, reason=reason)


def _nothing(reason: str) -> Answer:
    return Answer(outcome=Outcome.NO_ANSWER, reason=reason)
