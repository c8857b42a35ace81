"""What every gateway can be asked. An adapter speaks to one provider, and keeps no state.

A call never raises for what the provider does: an outage, an answer that came too late or makes
no sense is `Outcome.NO_ANSWER`, and what came of it is asked later by `look_up`. Calls may be
repeated: the order's `key` goes to the provider, which does what is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from billing.errors import InvalidInput
from billing.model.method_setups import SetupOrder
from billing.model.payments import (
    Answer,
    Capabilities,
    GatewayConfig,
    PaymentOrder,
    ProviderEvent,
    RefundOrder,
)
from billing.model.sepa import CollectionFile, Creditor

TIMEOUT_SECONDS = 20.0
"""Of a call; far below rules.payments.LEASE."""
EVENT_AGE = timedelta(seconds=300)
"""What was signed longer ago, or is to be signed later than that, is refused (security.md 12)."""


def timeout_seconds(config: GatewayConfig) -> float:
    """How long a call waits, from the settings of a gateway: a shorter one than TIMEOUT_SECONDS may
    be set. Raises InvalidInput."""
    try:
        seconds = float(config.settings.get("timeout_seconds", TIMEOUT_SECONDS))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= TIMEOUT_SECONDS:
        raise InvalidInput(f"must be seconds, {TIMEOUT_SECONDS:g} at most", field="timeout_seconds")
    return seconds


class WebhookRefused(Exception):
    """What came is not signed by the provider, too old, or cannot be read; in words."""


class Gateway(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    def pay(self, order: PaymentOrder) -> Answer:
        """Open a checkout, or charge a saved method, as the order's kind says."""
        ...

    def look_up(self, order: PaymentOrder) -> Answer:
        """What has become of it, by its key or by the provider's reference. Where payers only
        approve, what they have approved is taken now."""
        ...

    def refund(self, order: RefundOrder) -> Answer:
        """Give back a part; PAID where it has gone."""
        ...

    def look_up_refund(self, order: RefundOrder) -> Answer: ...

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        """The events in a request of the provider. The signature is checked over the raw body
        before anything in it is read. Raises WebhookRefused, and Unavailable where it cannot be
        checked now: the provider tells again."""
        ...

    def check(self) -> str:
        """Whether the provider can be reached with these credentials, in words; empty: yes."""
        ...


@runtime_checkable
class CancelsCheckouts(Protocol):
    """A gateway may have this, too: a page that it can close before anybody has paid there."""

    def cancel(self, order: PaymentOrder) -> Answer:
        """Close the page of a checkout. CANCELLED where nobody can pay there any more; PAID where
        somebody has."""
        ...


@runtime_checkable
class SetsUpMethods(Protocol):
    """A gateway may have this, too: a page where a method goes on file without a payment."""

    def set_up(self, order: SetupOrder) -> Answer:
        """Open the page. PAID, with the method, when it is on file."""
        ...

    def look_up_setup(self, order: SetupOrder) -> Answer:
        """What has become of it, by its key or by the provider's reference."""
        ...


@runtime_checkable
class DetachesMethods(Protocol):
    """A gateway may have this, too: a method that is taken off file here is forgotten there."""

    def detach(self, reference: str) -> Answer:
        """PAID where it is gone, NOT_FOUND where it was before."""
        ...


@runtime_checkable
class CollectsByFile(Protocol):
    """A gateway may have this, too: nobody is called, and payments wait for a file that the bank is
    given (`Capabilities.by_file`)."""

    @property
    def creditor(self) -> Creditor: ...

    def checked_account(self, iban: str, bic: str) -> tuple[str, str | None]:
        """An account that can be collected from, without blanks. Raises InvalidInput."""
        ...

    def file(self, wanted: CollectionFile) -> bytes:
        """The file of these collections, the same each time."""
        ...


OpenGateway = Callable[[GatewayConfig], Gateway]
"""Makes the adapter of a configured gateway; raises InvalidInput."""
