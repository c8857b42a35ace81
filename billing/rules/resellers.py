"""What a sale by a reseller moves, and what is given back when it is undone (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from billing.model.money import Money
from billing.model.resellers import Level
from billing.rules.plan_changes import Bought, used_quantities

_ALL = Fraction(1)
_NOTHING = Fraction(0)


def price_list_problem(levels: Sequence[Level]) -> str | None:
    """Why a plan cannot be sold by the first of these resellers, whatever their wallets hold; None
    where it can."""
    for level in levels:
        whose = "it" if level.depth == 0 else f"reseller {level.org_id} above it"
        if level.closed_at is not None:
            return f"reseller {levels[0].org_id} sells nothing: {whose} is closed (rule R1)"
        if level.cost_micros is None:
            return f"the plan is not on the price list: {whose} has no cost for it (rule R1)"
    for child, parent in pairwise(levels):
        below = cost_problem(child.cost_micros or 0, parent.cost_micros or 0, parent.currency)
        if below and not child.below_parent:
            return f"reseller {child.org_id}: {below}"
    return None


def cost_problem(cost_micros: int, parent_cost_micros: int, currency: str) -> str | None:
    """Why a parent does not sell at this cost unless it says so: it would pay for each sale."""
    if cost_micros >= parent_cost_micros:
        return None
    cost, own = Money(cost_micros, currency), Money(parent_cost_micros, currency)
    return f"the cost {cost} is less than the {own} that the parent pays itself (rule R1)"


def sale_costs(levels: Sequence[Level], share: Fraction) -> list[Money]:
    """What each pays for a sale: its cost, or the share of it of a month that is sold in part,
    half-up to the smallest coin (rule M2)."""
    return [
        Money(level.cost_micros or 0, level.currency).prorated(share.numerator, share.denominator)
        for level in levels
    ]


def wallet_moves(costs: Sequence[Money]) -> list[Money]:
    """What a sale moves in the wallets: who sells pays its cost, each above gets the difference of
    what its child pays and what it pays itself. They sum to minus the cost of the uppermost."""
    return [
        -costs[0],
        *(below - own for below, own in pairwise(costs)),
    ]


def passed_on(levels: Sequence[Level], paid: Money) -> list[Money]:
    """What each passes on to who is above it of what its customer pays for a package that it buys
    itself: its cost, but at least what the one above passes on, and at most what was paid. So
    nobody pays for what a customer buys, and what the uppermost passes on is the operator's."""
    found: list[Money] = []
    above_micros = 0
    for level in reversed(levels):
        above_micros = min(paid.amount_micros, max(above_micros, level.cost_micros or 0))
        found.insert(0, Money(above_micros, paid.currency))
    return found


def missing(levels: Sequence[Level], costs: Sequence[Money]) -> tuple[Level, Money] | None:
    """The first reseller whose wallet does not cover what the sale takes from it, and by how much;
    None where all do (rule P12)."""
    for level, move in zip(levels, wallet_moves(costs), strict=True):
        short_micros = -move.amount_micros - level.spendable_micros
        if move.amount_micros < 0 and short_micros > 0:
            return level, Money(short_micros, level.currency)
    return None


def undo_share(package: Bought, now: datetime) -> Fraction:
    """The unused share of a package: of its time to the second, of its seconds and octets; the
    smallest counts. All of one that has not begun; of one that is limited by nothing, none can be
    told."""
    if package.valid_from is None or package.valid_from > now:
        return _ALL
    quantity = used_quantities(package)
    shares = [] if quantity is None else [quantity]
    if package.valid_until is not None:
        whole = package.valid_until - package.valid_from
        left = max(timedelta(), package.valid_until - now)
        shares.append(Fraction(left // timedelta(seconds=1), whole // timedelta(seconds=1)))
    return min(_ALL, min(shares, default=_NOTHING))


def undo_problem(
    sold_at: datetime, undo_minutes: int, now: datetime, *, from_above: bool
) -> str | None:
    """Why a sale is not to be undone by who asks: its window has passed, and only who is above the
    reseller may do it then (rule R1)."""
    if from_above or now <= sold_at + timedelta(minutes=undo_minutes):
        return None
    return (
        f"it was sold more than {undo_minutes} minutes ago: only who is above the reseller may "
        "undo it now (rule R1)"
    )
