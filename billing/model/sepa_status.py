"""What a bank answers to a file of direct debits, and what became of it (rules P1, M5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.model.money import Money
from billing.model.sepa import ReturnEffect

_REFUSED = frozenset({"RJCT", "CANC"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`code`: RJCT, ACCP, … of ISO 20022. `reason`: a code, where it was refused. `words`: what the
    bank says beside it."""

    code: str
    reason: str
    words: str

    @property
    def is_refused(self) -> bool:
        return self.code in _REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusItem:
    """Of one collection. `number`: its place in the file. `amount`: as the bank repeats it."""

    number: int
    end_to_end_id: str
    status: Status | None
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """A pain.002. `original_id`: of the file that it answers. `collections`: how many that has, as
    the bank says. `creditor_ids`: whose collections it speaks of. `group`: of the whole file."""

    message_id: str
    original_id: str
    collections: int | None
    creditor_ids: frozenset[str]
    group: Status | None
    batches: tuple[tuple[str, Status], ...]
    items: tuple[StatusItem, ...]


class StatusEffect(StrEnum):
    """What a line of an answer did. `NOTED`: nothing is to be done. `UNPLACED`: it fits no
    collection, and a person has to look at it."""

    FAILED = ReturnEffect.FAILED.value
    CHARGED_BACK = ReturnEffect.CHARGED_BACK.value
    KNOWN = ReturnEffect.KNOWN.value
    NOTED = "noted"
    UNPLACED = "unplaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLine:
    """`reference`: an end-to-end id, or the id of a file or batch. `customer_id` and
    `amount_micros`: where it is a collection."""

    reference: str
    effect: StatusEffect
    words: str
    attempt_id: int | None = None
    customer_id: int | None = None
    amount_micros: int | None = None
    mandate_revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusImport:
    """What was, or with `dry_run` would be, done. `file_id`: which file the bank has answered."""

    file_id: int
    original_id: str
    dry_run: bool
    lines: tuple[StatusLine, ...]

    @property
    def refused(self) -> int:
        """Collections that have failed by it, or were taken back."""
        return self._count(StatusEffect.FAILED, StatusEffect.CHARGED_BACK)

    @property
    def known(self) -> int:
        return self._count(StatusEffect.KNOWN)

    @property
    def unplaced(self) -> int:
        return self._count(StatusEffect.UNPLACED)

    def _count(self, *effects: StatusEffect) -> int:
        return sum(one.effect in effects for one in self.lines)
