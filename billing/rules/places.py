"""What a login takes and how long it holds it: session slots, grants and addresses (rules A6, A7,
Q4, U10)."""

from __future__ import annotations

from dataclasses import replace

from billing.model.account import Account
from billing.model.decision import Accept, Admission, Limits, Suspended
from billing.model.plan import PlanTerms, Sharing
from billing.model.profile import BillingKind

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
    grant = strict_plan(account) if isinstance(decision, Accept) else None
    if account.session_limit is None and (pool_id is None or fixed) and grant is None:
        return None
    return Admission(
        session_limit=account.session_limit or 0,
        pool_id=0 if pool_id is None or fixed else pool_id,
        silence_seconds=silence_seconds(decision.service.interim_seconds),
        grant_version_id=0 if grant is None else grant.plan_version_id,
        normal_seconds=0 if grant is None else decision.service.limits.session_seconds or 0,
    )


def strict_plan(account: Account) -> PlanTerms | None:
    """The plan whose slices sessions of this subscription hold; None: they share all (rule Q4).

    Monthly service runs on past its quota (rule A5): there is nothing to reserve.
    """
    sold = account.package_plan or account.plan
    if sold is None or sold.sharing is not Sharing.STRICT:
        return None
    return sold if account.profile.kind is BillingKind.DAILY else None


def granting(decision: Accept | Suspended) -> Accept | Suspended:
    """The decision for a login that takes a grant: its limits come with that (rule Q4)."""
    return replace(decision, service=replace(decision.service, limits=Limits()))


def leasing(decision: Accept | Suspended) -> Accept | Suspended:
    """The decision for a pool of ours: the NAS is not to look for one of that name."""
    service = replace(decision.service, pool=None, leased_pool=decision.service.pool)
    return replace(decision, service=service)
