"""What a login takes and how long it holds it: session slots and addresses (rules A6, A7, U10)."""

from __future__ import annotations

from dataclasses import replace

from billing.model.account import Account
from billing.model.decision import Accept, Admission, Suspended

SHORTEST_SILENCE_SECONDS = 15 * 60


def silence_seconds(interim_seconds: int) -> int:
    """How long a session may send nothing before it counts as gone (rule U10)."""
    return max(3 * interim_seconds, SHORTEST_SILENCE_SECONDS)


def admission(
    account: Account, decision: Accept | Suspended, pool_id: int | None
) -> Admission | None:
    """What this login must take once its password was verified; None: nothing.

    `pool_id` is our own pool that the decision names, None where the NAS has it. A fixed address
    needs no lease; suspension withholds it, so then one is leased (rule A6).
    """
    fixed = isinstance(decision, Accept) and decision.service.framed_ip is not None
    if account.session_limit is None and (pool_id is None or fixed):
        return None
    return Admission(
        session_limit=account.session_limit or 0,
        pool_id=0 if pool_id is None or fixed else pool_id,
        silence_seconds=silence_seconds(decision.service.interim_seconds),
    )


def leasing(decision: Accept | Suspended) -> Accept | Suspended:
    """The decision for a pool of ours: the NAS is not to look for one of that name."""
    service = replace(decision.service, pool=None, leased_pool=decision.service.pool)
    return replace(decision, service=service)
