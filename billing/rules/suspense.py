"""Where money of nobody may belong: what is proposed to the person at the desk (rule P1).

Nothing is decided here: what could be decided was, before the money came into suspense.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from billing.model.suspense import Hit, Proposal, Why

_BETWEEN = re.compile(r"[\s.,;:/()'\"&+-]+")
_SHORT = 2


def words_of(text: str) -> list[str]:
    """The words that may be somebody's name, in small letters; initials and numbers are none."""
    found = {word.lower() for word in _BETWEEN.split(text)}
    return sorted(word for word in found if len(word) > _SHORT and not word.isdecimal())


def proposals(hits: Iterable[Hit]) -> list[Proposal]:
    """Each customer and bill once, with all that speaks for it, the most first. What speaks for a
    customer speaks for its bills; its wallet is proposed where none of its bills is."""
    known = list(hits)
    reasons: dict[tuple[int, str], set[Why]] = {}
    first: dict[tuple[int, str], Hit] = {}
    for hit in known:
        place = hit.customer_id, hit.number
        reasons.setdefault(place, set()).add(hit.why)
        first.setdefault(place, hit)
    with_bills = {customer_id for customer_id, number in reasons if number}
    found = [
        Proposal(
            customer_id=hit.customer_id,
            customer_name=hit.customer_name,
            number=hit.number,
            open_micros=hit.open_micros,
            why=frozenset(reasons[place] | reasons.get((hit.customer_id, ""), set())),
        )
        for place, hit in first.items()
        if hit.number or hit.customer_id not in with_bills
    ]
    return sorted(found, key=lambda one: (-one.weight, one.customer_id, one.number))
