"""Money of nobody as the person at the desk sees it: where it may belong, where it went (P1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from billing.model.payments import SuspenseView


class Why(IntEnum):
    """Why it may belong there, by how much that says. `REFERENCE`: the text that came with it names
    it. `PAYMENT`: a payment of that customer has the provider's reference. `AMOUNT`: just that is
    open. `NAME`: the text holds the customer's name."""

    NAME = 1
    AMOUNT = 2
    REFERENCE = 4
    PAYMENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A customer, or a bill or prepayment invoice of one (`number`, of which `open_micros` is left
    to pay), found for one reason."""

    why: Why
    customer_id: int
    customer_name: str
    number: str = ""
    open_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Empty `number`: the customer's wallet."""

    customer_id: int
    customer_name: str
    number: str
    open_micros: int
    why: frozenset[Why]

    @property
    def weight(self) -> int:
        return sum(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspenseMoveView:
    """A part that was matched to a customer, or given back (`customer_id` None); or a match that
    was undone (`undoes_id`)."""

    move_id: int
    undoes_id: int | None
    at: datetime
    amount_micros: int
    actor: str
    note: str
    customer_id: int | None
    customer_name: str | None
    receipt_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspenseCase:
    """One amount with all that became of it, oldest first. Empty `taken_by`: a gateway took it."""

    money: SuspenseView
    taken_by: str
    moves: tuple[SuspenseMoveView, ...]

    def may_undo(self, move: SuspenseMoveView) -> bool:
        """Whether it is a match that stands."""
        undone = {one.undoes_id for one in self.moves}
        is_match = move.customer_id is not None and move.undoes_id is None
        return is_match and move.move_id not in undone
