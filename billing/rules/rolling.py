"""What is unused of a package goes into the one that follows it, where its plan says so (rule B4).

It is carried for as long as packages follow each other without a gap: what a package has got is a
part of what it leaves. What nothing follows lapses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.model.views import EntitlementView
from billing.rules.words import octet_words

NO_GAP = timedelta(minutes=5)
"""What begins so soon after the end follows without a gap: a renewal is bought by a job."""
SETTLED_AFTER = timedelta(days=33)
"""So long after its end no record of use belongs to a package any more (rules U7, U10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """A package as it is now; None in a quantity: not limited. `ended_at`: when it was used up or
    given back. `carried_*`: what it has got so far from `carried_from_id`."""

    entitlement_id: int
    rolls_over: bool
    valid_from: datetime | None
    valid_until: datetime | None
    ended_at: datetime | None
    seconds_left: int | None
    octets_left: int | None
    carried_from_id: int | None = None
    carried_seconds: int = 0
    carried_octets: int = 0

    @property
    def end(self) -> datetime | None:
        """By use, by being given back, or by time."""
        return min((at for at in (self.ended_at, self.valid_until) if at), default=None)

    @property
    def given_back(self) -> bool:
        """It was taken back with what is left of it."""
        return self.ended_at is not None and self.seconds_left != 0 and self.octets_left != 0


def followed(packages: Sequence[Rolling], now: datetime) -> list[tuple[Rolling, Rolling]]:
    """Each package of a subscription that has ended by `now` and rolls over, with the one that
    follows it, in the order in which those began. A package takes over from one at most."""
    by_id = {one.entitlement_id: one for one in packages}
    taken = {one.carried_from_id for one in packages}
    found = []
    begun = [
        (one.valid_from, one.entitlement_id, one)
        for one in packages
        if one.valid_from is not None and one.valid_from <= now
    ]
    for began, _, follower in sorted(begun):
        if follower.carried_from_id is None:
            ended = [one for one in packages if one.entitlement_id not in taken]
            before = _before(follower, began, ended)
        else:
            before = by_id.get(follower.carried_from_id)
        if before is not None:
            taken.add(before.entitlement_id)
            found.append((before, follower))
    return found


def carried(before: Rolling, follower: Rolling) -> tuple[int, int]:
    """Seconds and octets that a package leaves to its follower: what is unused of it by what is
    known now, of quantities that both limit."""
    if before.given_back:
        return 0, 0
    seconds = before.seconds_left if follower.seconds_left is not None else None
    octets = before.octets_left if follower.octets_left is not None else None
    return seconds or 0, octets or 0


def raised(left: int | None, had: int, has: int) -> int | None:
    """What is left of a follower that had got `had` and gets `has` instead. Where use of its
    predecessor was reported late it is less; what was used of it already stays used."""
    return None if left is None else max(0, left + has - had)


def words(packages: Sequence[EntitlementView]) -> list[str]:
    """For `why`: what packages that are not over have of those before them, and leave (B16)."""
    found = []
    for one in packages:
        if one.status not in ("running", "waiting"):
            continue
        seconds, octets = one.carried_seconds, one.carried_octets
        got = [*([f"{seconds} s"] if seconds else []), *([octet_words(octets)] if octets else [])]
        if got:
            found.append(f"{one.plan_name!r} has {', '.join(got)} of the one before it (B4)")
        if one.rolls_over:
            found.append(f"what is unused of {one.plan_name!r} goes into what follows it (B4)")
    return found


def settled(package: Rolling, now: datetime) -> bool:
    """Whether nothing of it can change any more."""
    return package.end is not None and package.end + SETTLED_AFTER < now


def _before(follower: Rolling, began: datetime, ended: Sequence[Rolling]) -> Rolling | None:
    """The last one that ended as the follower began."""
    found = [
        (one.end, one.entitlement_id, one)
        for one in ended
        if one.rolls_over
        and not one.given_back
        and one.entitlement_id != follower.entitlement_id
        and one.end is not None
        and one.end <= began <= one.end + NO_GAP
    ]
    return max(found)[2] if found else None
