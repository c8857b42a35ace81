"""Methods that customers have on file, and put there without paying anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class SetupState(StrEnum):
    """Of a method that is to go on file; `PENDING`: the payer is at the page, or may be."""

    CREATED = "created"
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        return self in (SetupState.CREATED, SetupState.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOrder:
    """A page where the payer leaves a method; as of a payment."""

    key: str
    payer: str | None = None
    provider_ref: str | None = None
    email: str | None = None
    return_url: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupView:
    """A method that is to go on file, or went."""

    customer_id: int
    setup_id: int
    gateway_id: int
    state: SetupState
    redirect_url: str | None
    reason: str | None
    method_id: int | None
    lookups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodView:
    customer_id: int
    method_id: int
    gateway_id: int
    label: str
    created_at: datetime
    expires_on: date | None
    """Its last day."""
    is_default: bool
    """Is offered first."""
