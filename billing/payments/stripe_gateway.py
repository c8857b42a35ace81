"""Stripe by its own SDK: hosted Checkout, saved cards charged while the payer is away, refunds.

Our key goes along twice: as the Idempotency-Key, so that what is sent again is done once, and in
the metadata, so that what was never answered is found and events say what they are about. Payments
without a key of ours belong to somebody else who uses the account, and are of no interest.
What of this was checked against what: docs/payments.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import stripe

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.method_setups import SetupOrder
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
    SavedMethod,
    Unpayable,
)
from billing.payments.protocol import EVENT_AGE, WebhookRefused, timeout_seconds
from billing.payments.stripe_declines import decline_of, reason_of
from billing.payments.stripe_events import KEY, KIND, SETUP_KEY, event_of
from billing.payments.stripe_objects import (
    declined,
    first_of,
    id_of,
    is_of,
    made_between,
    saved,
)
from billing.payments.stripe_units import from_units, to_units

_PAGE = 100
_REFUNDED = {
    "succeeded": Outcome.PAID,
    "pending": Outcome.WAITS,
    "requires_action": Outcome.WAITS,
    "failed": Outcome.DECLINED,
    "canceled": Outcome.DECLINED,
}


def open_gateway(config: GatewayConfig) -> StripeGateway:
    """Secrets: `api_key` (sk_… or rk_…) and `signing_secret` (whsec_…) of the webhook; settings:
    `return_url`, where payers come back to; `url`: another address than Stripe's, to try it. Raises
    InvalidInput."""
    key = config.secrets.get("api_key", "")
    if not key.startswith(("sk_", "rk_")):
        raise InvalidInput("must begin with sk_ or rk_", field="api_key")
    if not config.secrets.get("signing_secret"):
        raise InvalidInput(
            "what events are signed with is missing (whsec_…)", field="signing_secret"
        )
    url = config.settings.get("url")
    client = stripe.StripeClient(
        key,
        base_addresses={"api": url} if url else {},
        # Whether it was done is looked up, not tried again unseen.
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout_seconds(config)),
    )
    return StripeGateway(
        client=client,
        signing_secret=config.secrets["signing_secret"],
        return_url=config.settings.get("return_url", ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeGateway:
    client: stripe.StripeClient = field(repr=False)
    signing_secret: str = field(repr=False)
    return_url: str

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            channel=MoneyChannel.CARD,
            saves_methods=True,
            refunds=True,
            partial_refunds=True,
            page_hosts=(
                "checkout.stripe.com",
                "*.stripe.com",
                "*.stripecdn.com",
                "*.stripe.network",
            ),
        )

    def pay(self, order: PaymentOrder) -> Answer:
        try:
            units = to_units(order.amount)
        except Unpayable as error:
            return declined(DeclineKind.HARD, f"Stripe takes no such amount: {error}")
        if order.kind is PaymentKind.CHARGE:
            return _asked(lambda: self._charge(order, units))
        return _asked(lambda: self._check_out(order, units))

    def look_up(self, order: PaymentOrder) -> Answer:
        if order.kind is PaymentKind.CHARGE:
            return _asked(lambda: self._find_charge(order), looks=True)
        return _asked(lambda: self._find_session(order), looks=True)

    def cancel(self, order: PaymentOrder) -> Answer:
        """Stripe expires a session that is open and refuses one that is complete."""

        def expire() -> Answer:
            found = self._find_session(order)
            if found.outcome is not Outcome.WAITS or not found.provider_ref:
                return found
            return self._session(self.client.v1.checkout.sessions.expire(found.provider_ref))

        return _asked(expire, looks=True)

    def refund(self, order: RefundOrder) -> Answer:
        return _asked(
            lambda: _refunded(
                self.client.v1.refunds.create(
                    {
                        "payment_intent": order.payment_ref,
                        "amount": to_units(order.amount),
                        "metadata": {KEY: order.key},
                    },
                    {"idempotency_key": order.key},
                )
            )
        )

    def look_up_refund(self, order: RefundOrder) -> Answer:
        def find() -> Answer:
            if order.provider_ref:
                return _refunded(self.client.v1.refunds.retrieve(order.provider_ref))
            found = self.client.v1.refunds.list(
                {"payment_intent": order.payment_ref, "limit": _PAGE}
            )
            return first_of(_refunded(one) for one in found.auto_paging_iter() if is_of(one, order))

        return _asked(find, looks=True)

    def set_up(self, order: SetupOrder) -> Answer:
        return _asked(lambda: self._open_setup(order))

    def look_up_setup(self, order: SetupOrder) -> Answer:
        return _asked(lambda: self._find_setup(order), looks=True)

    def detach(self, reference: str) -> Answer:
        def detached() -> Answer:
            methods = self.client.v1.payment_methods
            # One that was detached has no customer, and is refused a second time.
            if methods.retrieve(reference).customer is not None:
                methods.detach(reference)
            return Answer(outcome=Outcome.PAID)

        return _asked(detached, looks=True)

    def check(self) -> str:
        found = _asked(self._balance)
        return "" if found.outcome is Outcome.WAITS else found.reason or "it gives no answer"

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        header = headers.get("Stripe-Signature", "")
        try:
            stripe.WebhookSignature.verify_header(body, header, self.signing_secret)
        except (stripe.SignatureVerificationError, ValueError, TypeError) as error:
            # TypeError: of a header that is not ASCII.
            raise WebhookRefused(str(error)) from None
        stamps = [part[2:] for part in header.split(",") if part.startswith("t=")]
        # By our clock and both ways; the SDK's own check is of its clock.
        if not stamps or abs(now.timestamp() - int(stamps[0])) > EVENT_AGE.total_seconds():
            raise WebhookRefused("it was signed too long ago")
        try:
            return [event_of(json.loads(body))]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WebhookRefused(f"it cannot be read: {error}") from None

    def _balance(self) -> Answer:
        self.client.v1.balance.retrieve()
        return Answer(outcome=Outcome.WAITS)

    def _charge(self, order: PaymentOrder, units: int) -> Answer:
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": units,
            "currency": order.amount.currency.lower(),
            "payment_method": order.method or "",
            "off_session": True,
            "confirm": True,
            "metadata": {KEY: order.key, KIND: order.kind.value},
        }
        if order.payer:
            params["customer"] = order.payer
        made = self.client.v1.payment_intents.create(params, {"idempotency_key": order.key})
        return _paid(made)

    def _check_out(self, order: PaymentOrder, units: int) -> Answer:
        back = order.return_url or self.return_url
        metadata = {KEY: order.key, KIND: order.kind.value}
        intent: stripe.params.checkout.SessionCreateParamsPaymentIntentData = {"metadata": metadata}
        if order.saves_method:
            intent["setup_future_usage"] = "off_session"
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "payment",
            "client_reference_id": order.key,
            "metadata": metadata,
            "payment_intent_data": intent,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.amount.currency.lower(),
                        "unit_amount": units,
                        "product_data": {"name": order.text},
                    },
                }
            ],
            "success_url": back,
            "cancel_url": back,
        }
        if order.payer:
            params["customer"] = order.payer
        else:
            params["customer_creation"] = "always" if order.saves_method else "if_required"
            if order.email:
                params["customer_email"] = order.email
        made = self.client.v1.checkout.sessions.create(params, {"idempotency_key": order.key})
        return self._session(made)

    def _open_setup(self, order: SetupOrder) -> Answer:
        """A page of Stripe's that makes a SetupIntent; its key is not one of a payment's."""
        back = order.return_url or self.return_url
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "setup",
            "allowed_payment_method_types": ["card"],
            "client_reference_id": order.key,
            "metadata": {SETUP_KEY: order.key},
            "setup_intent_data": {"metadata": {SETUP_KEY: order.key}},
            "success_url": back,
            "cancel_url": back,
        }
        if order.payer:
            params["customer"] = order.payer
        else:
            params["customer_creation"] = "always"
            if order.email:
                params["customer_email"] = order.email
        made = self.client.v1.checkout.sessions.create(params, {"idempotency_key": order.key})
        return self._set_up(made)

    def _find_setup(self, order: SetupOrder) -> Answer:
        sessions = self.client.v1.checkout.sessions
        if order.provider_ref:
            return self._set_up(sessions.retrieve(order.provider_ref))
        chosen: stripe.params.checkout.SessionListParams = {"limit": _PAGE}
        if order.sent_at is not None:
            begun, last = made_between(order.sent_at)
            chosen["created"] = {"gte": begun, "lte": last}
        found = sessions.list(chosen).auto_paging_iter()
        return first_of(self._set_up(one) for one in found if is_of(one, order, SETUP_KEY))

    def _set_up(self, session: stripe.checkout.Session) -> Answer:
        if session.status == "expired":
            return Answer(outcome=Outcome.CANCELLED, provider_ref=session.id)
        if session.status != "complete":
            return Answer(outcome=Outcome.WAITS, provider_ref=session.id, redirect_url=session.url)
        intent = self.client.v1.setup_intents.retrieve(
            id_of(session.setup_intent) or "", {"expand": ["payment_method"]}
        )
        method = intent.payment_method
        if intent.status != "succeeded" or not isinstance(method, stripe.PaymentMethod):
            return declined(DeclineKind.HARD, f"it is {intent.status}", session.id)
        payer = id_of(intent.customer) or id_of(session.customer)
        return Answer(outcome=Outcome.PAID, provider_ref=session.id, method=saved(method, payer))

    def _find_charge(self, order: PaymentOrder) -> Answer:
        if order.provider_ref:
            return _paid(self.client.v1.payment_intents.retrieve(order.provider_ref))
        chosen: stripe.params.PaymentIntentListParams = {"limit": _PAGE}
        if order.payer:
            chosen["customer"] = order.payer
        if order.sent_at is not None:
            first, last = made_between(order.sent_at)
            chosen["created"] = {"gte": first, "lte": last}
        found = self.client.v1.payment_intents.list(chosen)
        return first_of(_paid(one) for one in found.auto_paging_iter() if is_of(one, order))

    def _find_session(self, order: PaymentOrder) -> Answer:
        sessions = self.client.v1.checkout.sessions
        if order.provider_ref and order.provider_ref.startswith("cs_"):
            return self._session(sessions.retrieve(order.provider_ref))
        chosen: stripe.params.checkout.SessionListParams = {"limit": _PAGE}
        if order.sent_at is not None:
            first, last = made_between(order.sent_at)
            chosen["created"] = {"gte": first, "lte": last}
        found = sessions.list(chosen)
        return first_of(self._session(one) for one in found.auto_paging_iter() if is_of(one, order))

    def _session(self, session: stripe.checkout.Session) -> Answer:
        if session.status == "expired":
            return Answer(outcome=Outcome.CANCELLED, provider_ref=session.id)
        if session.status == "complete" and session.payment_status == "paid":
            return Answer(
                outcome=Outcome.PAID,
                provider_ref=id_of(session.payment_intent) or session.id,
                amount=from_units(session.amount_total or 0, session.currency or ""),
                method=self._method(session),
            )
        return Answer(outcome=Outcome.WAITS, provider_ref=session.id, redirect_url=session.url)

    def _method(self, session: stripe.checkout.Session) -> SavedMethod | None:
        """The card that was used, where it stays on file."""
        if not session.payment_intent:
            return None
        intent = self.client.v1.payment_intents.retrieve(
            id_of(session.payment_intent) or "", {"expand": ["payment_method"]}
        )
        method = intent.payment_method
        if intent.setup_future_usage is None or not isinstance(method, stripe.PaymentMethod):
            return None
        return saved(method, id_of(intent.customer))


def _paid(intent: stripe.PaymentIntent) -> Answer:
    amount = from_units(intent.amount, intent.currency)
    if intent.status == "succeeded":
        return Answer(outcome=Outcome.PAID, provider_ref=intent.id, amount=amount)
    if intent.status == "canceled":
        return Answer(outcome=Outcome.CANCELLED, provider_ref=intent.id)
    if intent.status == "requires_action":
        return declined(DeclineKind.AUTHENTICATION, None, intent.id)
    if intent.status == "requires_payment_method":
        error: Any = intent.last_payment_error
        code = None if error is None else getattr(error, "decline_code", None) or error.code
        return declined(decline_of(code), reason_of(code), intent.id)
    return Answer(outcome=Outcome.WAITS, provider_ref=intent.id)


def _refunded(refund: stripe.Refund) -> Answer:
    return Answer(
        outcome=_REFUNDED.get(refund.status or "", Outcome.WAITS),
        provider_ref=refund.id,
        amount=from_units(refund.amount, refund.currency),
        decline=DeclineKind.HARD if refund.status in ("failed", "canceled") else None,
        reason=getattr(refund, "failure_reason", None),
    )


def _asked(call: Callable[[], Answer], *, looks: bool = False) -> Answer:
    """What came of a call. An outage, and whatever Stripe does not say clearly, is no answer."""
    try:
        return call()
    except stripe.CardError as error:
        said: Any = error.error
        code = getattr(said, "decline_code", None) or error.code
        intent = getattr(said, "payment_intent", None)
        advice = getattr(said, "advice_code", None)
        return declined(decline_of(code, advice), reason_of(code), id_of(intent))
    except stripe.InvalidRequestError as error:
        if looks and error.http_status == 404:
            return Answer(outcome=Outcome.NOT_FOUND, reason=error.user_message)
        if looks or error.http_status not in (400, 402, 404):
            return Answer(outcome=Outcome.NO_ANSWER, reason=error.user_message)
        # It has refused to try: nothing was taken.
        return declined(DeclineKind.HARD, error.user_message)
    except (stripe.StripeError, Unpayable) as error:
        return Answer(outcome=Outcome.NO_ANSWER, reason=str(error) or type(error).__name__)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # JSON without what an object of its kind has: of a proxy, or cut short.
        return Answer(outcome=Outcome.NO_ANSWER, reason=f"its answer cannot be read: {error}")
