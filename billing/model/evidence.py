"""What is stored of a session, and what follows from its records: for disputes and re-rating.

Octets `input` are what the subscriber sent, `output` what it received; amounts are micros.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.views import DayUsage, SessionView


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRecord:
    """One accounting record as it came, and what it changed (rule U11).

    Counters as sent, None where absent or unusable. `outcome`: counted | repeated | late.
    `price_version` is the version of the plan that pay-as-you-go had then (rule M6).
    """

    record_id: int
    arrived_at: datetime
    status: str
    event_at: datetime
    seconds: int | None
    input_octets: int | None
    output_octets: int | None
    added_seconds: int
    added_input_octets: int
    added_output_octets: int
    charged_micros: int
    price_version: int | None
    outcome: str
    anomalies: tuple[str, ...]
    raw: str | None
    tariff_version: int | None = None
    """The version whose free windows held; None: there were no windows (rule Q3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSlice:
    """What one package (or nothing, `entitlement_id` 0) covered of a session on a local day."""

    day: date
    kind: str
    entitlement_id: int
    plan_name: str | None
    plan_version_id: int
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int
    tariff_window: str = ""
    """Free in this window, or at its own price (rule Q3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageBook:
    """A package that paid for a session: what was sold, is left, and was used by all sessions.

    None in a quantity: not limited.
    """

    entitlement_id: int
    seconds_total: int | None
    seconds_left: int | None
    octets_total: int | None
    octets_left: int | None
    used_seconds: int
    used_octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """The running count of pay-as-you-go of a session: one version's, from its beginning."""

    version_id: int | None
    seconds: int
    octets: int
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletBook:
    """A wallet's usage that is not posted yet: by the wallet, and by its subscriptions' slices."""

    wallet_id: int
    unposted_micros: int
    not_posted_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvidence:
    """All that is stored of one session. Records in the order in which they were charged."""

    session: SessionView
    has_gigawords: bool
    priced: Priced
    records: tuple[JournalRecord, ...]
    slices: tuple[UsageSlice, ...]
    packages: tuple[PackageBook, ...]
    wallet: WalletBook | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure that is not what follows from the records."""

    field: str
    stored: object
    derived: object


@dataclass(frozen=True, slots=True, kw_only=True)
class RerateView:
    """A session rated again. No differences: every second, octet and micro agrees."""

    session: SessionView
    records: int
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int | None
    """Derived; None where prices that came back leave it open within a step."""
    currency: str
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """A session with what paid for it, by local day."""

    session: SessionView
    currency: str
    slices: tuple[UsageSlice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch in which a session was not heard of for longer than it should."""

    since: datetime
    until: datetime
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputedSession:
    session: SessionView
    records: tuple[JournalRecord, ...]
    slices: tuple[UsageSlice, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """An entry of the journal that moved the wallet (rule M4)."""

    entry_id: int
    at: datetime
    kind: str
    memo: str
    amount_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletStory:
    """A wallet over the days asked for. `before` + moved − charged = `after` (rule P2).

    `charged` is the usage of all subscriptions on the wallet; `charged_here` of the one asked for.
    """

    wallet_id: int
    currency: str
    before_micros: int
    movements: tuple[Movement, ...]
    moved_micros: int
    charged_micros: int
    charged_here_micros: int
    after_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The evidence about a subscriber for local days, both included."""

    username: str
    customer_name: str
    first_day: date
    last_day: date
    time_zone: str
    sessions: tuple[DisputedSession, ...]
    days: tuple[DayUsage, ...]
    seconds: int
    input_octets: int
    output_octets: int
    charged_micros: int
    wallet: WalletStory


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyView:
    """Something odd in a record. `username` None: a subscription that is not seen any more."""

    anomaly_id: int
    at: datetime
    username: str | None
    subscription_id: int
    session_id: int
    nas_name: str
    code: str
    detail: str
