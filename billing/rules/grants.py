"""Terms of strict sharing, and the limits that follow from a grant (rule Q4, RFC 8506)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from billing.model.account import Account
from billing.model.decision import Limits, Service
from billing.model.events import COUNTER_LIMIT
from billing.model.grants import GrantLimits
from billing.model.plan import FinalUnit, PlanTerms, Sharing
from billing.rules.profiles import Problem

SLICES_OF_AN_ALLOWANCE = 20
SLICE_OCTETS = (1_000_000, 1_000_000_000)
SLICE_SECONDS = (300, 6 * 3600)
"""Least and most of a slice that is derived from the allowance."""
SECONDS_FLOOR = 60
VALID_SECONDS_FLOOR = 120
VALID_SECONDS_LIMIT = 7 * 86_400
VALID_INTERIMS = 6
TIGHTER = 4
INTERIM_SECONDS_FLOOR = 60
SPEED_LIMIT_KBPS = 2**32 - 1
SESSION_SECONDS_LIMIT = 2**31 - 1
LIFTED_OCTETS = 2**50
"""More than any session uses: how a limit that a CoA cannot remove is lifted."""

_TERMS = (
    *("slice_seconds", "slice_octets", "grant_valid_seconds", "final_unit_action"),
    *("restricted_up_kbps", "restricted_down_kbps"),
)


def completed(plan: PlanTerms) -> PlanTerms:
    """The terms with what was left out of strict sharing filled in: a slice is a twentieth of the
    allowance, within bounds; a grant is valid for six intervals of usage reports, an hour at
    least."""
    if plan.sharing is not Sharing.STRICT:
        return plan
    return replace(
        plan,
        slice_seconds=plan.slice_seconds or _slice(plan.seconds, *SLICE_SECONDS),
        slice_octets=plan.slice_octets or _slice(plan.octets, *SLICE_OCTETS),
        grant_valid_seconds=plan.grant_valid_seconds
        or max(3600, VALID_INTERIMS * plan.interim_seconds),
        final_unit_action=plan.final_unit_action or FinalUnit.TERMINATE,
    )


def problems(plan: PlanTerms) -> list[Problem]:
    """What is wrong with how a plan shares its allowance."""
    if plan.sharing is not Sharing.STRICT:
        reason = "is for strict sharing only: set sharing to strict, or leave it out (rule Q4)"
        return [(name, reason) for name in _TERMS if getattr(plan, name) is not None]
    found = [*_conflicts(plan), *_restricted(plan)]
    for name, low, high in (
        ("slice_seconds", SECONDS_FLOOR, plan.seconds),
        ("slice_octets", 2, plan.octets),
        ("grant_valid_seconds", VALID_SECONDS_FLOOR, VALID_SECONDS_LIMIT),
    ):
        value = getattr(plan, name)
        most = COUNTER_LIMIT if high is None else max(high, low)
        if value is not None and not low <= value <= most:
            what = "" if name == "grant_valid_seconds" else ", no more than what the plan contains"
            found.append((name, f"must be {low} to {most}{what}; left out, it is derived"))
    valid = plan.grant_valid_seconds
    if valid is not None and valid < 2 * plan.interim_seconds:
        found.append(
            (
                "grant_valid_seconds",
                f"must be two usage reports at least ({2 * plan.interim_seconds} s), as these "
                "renew a grant",
            )
        )
    return found


def _conflicts(plan: PlanTerms) -> list[Problem]:
    found: list[Problem] = []
    if plan.seconds is None and plan.octets is None:
        found.append(
            ("sharing", "strict needs time or data to share: the plan contains neither (rule Q4)")
        )
    if plan.pay_as_you_go:
        found.append(
            (
                "sharing",
                "strict reserves what was bought, and money of a wallet is not reserved: leave "
                "pay-as-you-go prices out, or share it (rule Q4)",
            )
        )
    if plan.tariff_windows is not None:
        found.append(
            (
                "tariff_windows",
                "must be left out with strict sharing: a slice is held by the clock of no tariff "
                "(rules Q3, Q4)",
            )
        )
    if plan.outage_minutes is not None:
        found.append(
            (
                "outage_minutes",
                "must be left out with strict sharing: nothing can be reserved while the database "
                "is out (rules A8, Q4)",
            )
        )
    return found


def _restricted(plan: PlanTerms) -> list[Problem]:
    found: list[Problem] = []
    speeds = (plan.restricted_up_kbps, plan.restricted_down_kbps)
    if plan.final_unit_action is FinalUnit.RESTRICT_SPEED:
        if speeds[1] is None:
            found.append(("restricted_down_kbps", "is missing: how fast is the restricted speed?"))
    elif speeds != (None, None):
        found.append(
            ("final_unit_action", "must be restrict-speed where a restricted speed is set")
        )
    if plan.final_unit_action is FinalUnit.REDIRECT and plan.pay_only_pool is None:
        found.append(("pay_only_pool", "is missing: where are subscribers redirected to?"))
    for name, kbps, normal in (
        ("restricted_up_kbps", speeds[0], plan.speed_up_kbps),
        ("restricted_down_kbps", speeds[1], plan.speed_down_kbps),
    ):
        if kbps is not None and not 1 <= kbps <= (normal or SPEED_LIMIT_KBPS):
            found.append((name, "must be 1 kbit/s or more, and no faster than the plan's speed"))
    return found


def _slice(allowance: int | None, least: int, most: int) -> int:
    if allowance is None:
        return most
    return min(max(allowance // SLICES_OF_AN_ALLOWANCE, min(least, allowance)), most)


def granted(normal_seconds: int | None, grant: GrantLimits, used: GrantLimits) -> Limits:
    """What a NAS is told of a grant: what is left of it after `used` (both count from the session's
    start), never longer than its service otherwise runs (A5). Never 0."""

    def left(limit: int | None, spent: int | None) -> int | None:
        return None if limit is None else max(limit - (spent or 0), 1)

    seconds = max(grant.seconds - used.seconds, 1)
    return Limits(
        session_seconds=seconds if normal_seconds is None else min(seconds, normal_seconds),
        total_octets=left(grant.octets, used.octets),
        input_octets=left(grant.input_octets, used.input_octets),
        output_octets=left(grant.output_octets, used.output_octets),
    )


def tightened(interim_seconds: int) -> int:
    """How often usage is reported near the end of a shared allowance (rule Q5): four times as
    often, RFC 2869's floor apart."""
    return min(interim_seconds, max(interim_seconds // TIGHTER, INTERIM_SECONDS_FLOOR))


def restricted(
    account: Account,
    speeds_kbps: tuple[int | None, int | None],
    interim_seconds: int,
    now: datetime,
) -> Service:
    """What a session has from when nothing more can be reserved for it: the restricted speed (up
    and down) in place of a limit, until what was bought expires."""
    bought = [*account.entitlements, *([account.last_ended] if account.last_ended else [])]
    ends = [one.valid_until for one in bought]
    seconds = SESSION_SECONDS_LIMIT
    if ends and all(end is not None for end in ends):
        last = max(end for end in ends if end is not None)
        seconds = min(max((last - now) // timedelta(seconds=1), 1), seconds)
    return Service(
        speed_up_kbps=speeds_kbps[0],
        speed_down_kbps=speeds_kbps[1],
        interim_seconds=interim_seconds,
        limits=Limits(session_seconds=seconds, total_octets=LIFTED_OCTETS),
        session_class=f"tw1:{account.subscription_id}:n",
    )
