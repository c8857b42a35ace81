"""What the kills have cost: the NAS's own logs against the books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from billing.services.context import Context
from tests.chaos.killing import ANSWER_RECORDS, Kill
from tests.chaos.router import Acknowledged, Played, Router
from tests.radius import meter

_STATUSES = {1: "Start", 2: "Stop", 3: "Interim-Update"}
Content = tuple[str, str, int, int, int]


@dataclass(frozen=True)
class Verdict:
    """`lost`: acknowledged records that are in no journal. `wrong`: sessions whose totals, slices,
    package or journal are not what the NAS counted. `left_alone`: sessions that used up their
    package and got no Disconnect, or whose order is not confirmed by their Stop. `between`: records
    that were committed before a kill and acknowledged only after it, at another try."""

    acknowledged: int
    sessions: int
    lost: tuple[Content, ...]
    wrong: tuple[str, ...]
    left_alone: tuple[str, ...]
    between: int

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} records acknowledged, lost {len(self.lost)}; {self.sessions}"
            f" sessions, charged wrongly {len(self.wrong)}, left without Disconnect"
            f" {len(self.left_alone)}; {self.between} records had been committed, but not answered,"
            " when a part was killed"
        )


def verdict(
    context: Context, routers: Sequence[Router], kills: Sequence[Kill], package_octets: int
) -> Verdict:
    """Compare everything; all sessions have ended."""
    committed = _committed(context, routers)
    wrong, left_alone = [], []
    for router in routers:
        for one in router.played:
            wrong += _wrong(context, one, package_octets)
            if not router.was_cut(one.session) or not is_confirmed(context, one):
                left_alone.append(str(one.session))
    noted = [one for router in routers for one in router.acknowledged()]
    return Verdict(
        len(noted),
        sum(len(router.played) for router in routers),
        tuple(_content(one) for one in noted if _content(one) not in committed),
        tuple(wrong),
        tuple(left_alone),
        between(context, routers, kills),
    )


def between(context: Context, routers: Sequence[Router], kills: Sequence[Kill]) -> int:
    """How many records were committed before a kill and acknowledged after it, sent again."""
    committed = _committed(context, routers)
    instants = [kill.at for kill in kills if kill.part in ANSWER_RECORDS]
    return sum(
        any(min(committed[_content(one)]) < at <= one.acknowledged_at for at in instants)
        for router in routers
        for one in router.acknowledged()
        if one.tries > 1 and len(committed.get(_content(one), ())) > 1
    )


def _committed(context: Context, routers: Sequence[Router]) -> dict[Content, list[float]]:
    """What is in the journal, and when each copy had arrived."""
    found: dict[Content, list[float]] = defaultdict(list)
    for router in routers:
        for one in list(router.played):
            for line in meter.journal(context, one.subscriber):
                content = (
                    *(line.acct_session_id, _STATUSES[line.status], line.session_seconds or 0),
                    *(line.input_octets or 0, line.output_octets or 0),
                )
                found[content].append(line.arrived_at.timestamp())
    return found


def _content(one: Acknowledged) -> Content:
    return (one.acct_session_id, one.status, one.seconds, one.input_octets, one.output_octets)


def is_confirmed(context: Context, one: Played) -> bool:
    """Whether the one order to end this session is known to have ended it (C1)."""
    return [state for _, _, state in meter.intents(context, one.subscriber)] == ["confirmed"]


def _wrong(context: Context, one: Played, package_octets: int) -> list[str]:
    """Whether what the NAS counted is charged, and just once."""
    session = one.session
    counted = (session.seconds, session.input_octets, session.output_octets)
    lines = meter.journal(context, one.subscriber)
    added = (
        sum(line.added_seconds for line in lines),
        sum(line.added_input_octets for line in lines),
        sum(line.added_output_octets for line in lines),
    )
    left = max(0, package_octets - session.input_octets - session.output_octets)
    stored = (
        meter.totals(context, one.subscriber),
        meter.sliced(context, one.subscriber),
        added,
        [octets for _, octets in meter.left(context, one.subscriber)],
    )
    return [] if stored == ([counted], counted, counted, [left]) else [f"{counted}: {stored}"]
