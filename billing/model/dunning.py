"""Dunning: what happens to a bill that stays unpaid, by a schedule of its profile (rule I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.bills import Parked
from billing.model.views import InvoiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningStep:
    """Taken `days` local days after a bill's payment date, before it where negative.

    The fee is `fee_micros` and `fee_ppm` of what is open, together `fee_most_micros` at most; with
    or without tax, as the profile's prices are. `since`: the local day on which the step was set;
    days before it are not its. None: not stored yet.
    """

    days: int
    reminds: bool = False
    fee_micros: int = 0
    fee_ppm: int = 0
    fee_most_micros: int | None = None
    since: date | None = None

    @property
    def charges(self) -> bool:
        return bool(self.fee_micros or self.fee_ppm)


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningSchedule:
    """A profile's steps by their days. Bills with less open than `tolerance_micros` are left alone;
    `reconnection_fee_micros` is charged when a payment ends a suspension (S5); 0: none."""

    steps: tuple[DunningStep, ...] = ()
    tolerance_micros: int = 0
    reconnection_fee_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBill:
    """What decides which steps of its schedule are due of a bill. Days are local; `done`: the days
    of steps that have had their effect."""

    issued_on: date
    due_on: date
    open_micros: int
    currency: str
    promise_until: date | None = None
    done: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """What a step does: `on` is its local day, which may have passed."""

    step: DunningStep
    on: date
    reminds: bool
    fee_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BillToDun:
    """An open bill with what its reminder and its fee need (`services.fees.FeeDue`)."""

    customer_id: int
    org_id: int
    invoice_id: int
    subscription_id: int | None
    profile_id: int
    number: str
    issued_at: datetime
    due_on: date
    open_micros: int
    currency: str
    promise_until: date | None
    wallet_id: int
    free_micros: int
    is_served: bool
    billed_until: date | None
    done: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningPreview:
    """A step that a run would take."""

    customer_id: int
    number: str
    days: int
    on: date
    reminds: bool
    fee_micros: int
    open_micros: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningReport:
    """`fees_micros` is the sum of `fees` late fees, as the profiles' prices are."""

    at: datetime
    reminders: int
    fees: int
    fees_micros: int
    currency: str
    parked: tuple[Parked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DunningEventView:
    """A step that was taken. The fee became charge `charge_id` on the next bill (its number is
    `fee_bill` once it was billed), or the bill `fee_bill`; `waived`: neither. `message`: what has
    become of the reminder, None where the customer has no address."""

    days: int
    at: datetime
    reminded: bool
    message: str | None
    fee_micros: int
    currency: str
    charge_id: int | None
    fee_bill: str | None
    waived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDunningView:
    """What was done about a bill, and what comes next; `next_steps` as it is if nobody pays.
    `held`: why nothing comes, in words."""

    bill: InvoiceView
    done: tuple[DunningEventView, ...]
    next_steps: tuple[DueStep, ...]
    held: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOffView:
    """What is not expected any more of a bill; `recovered_micros` of it came in after all.
    `repeated`: the same command had been carried out before (rule M5)."""

    customer_id: int
    number: str
    at: datetime
    reason: str
    amount_micros: int
    recovered_micros: int = 0
    currency: str
    repeated: bool = False
