"""What is decided while the database is out (rule A8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from billing.model.account import Account, LoginContext
from billing.model.decision import Accept, Decision, Reason, Suspended
from billing.model.plan import Entitlement
from billing.rules.access import decide

REFUSED_FOR_GOOD = frozenset(
    {
        Reason.NO_CREDENTIAL,
        Reason.CLOSED,
        Reason.STAFF_SUSPENDED,
        Reason.PAUSED,
        Reason.DISCONTINUED,
        Reason.OVERDUE,
        Reason.WALLET_EXHAUSTED,
        Reason.SPENDING_CAP,
        Reason.NOT_COVERED,
        Reason.NO_ENTITLEMENT,
        Reason.EXPIRED,
        Reason.TIME_USED_UP,
        Reason.DATA_USED_UP,
    }
)
"""Reasons that lie in the account: once refused for one of them, a login stays refused during an
outage. The others (place, hour, throttle) are judged anew."""


def outage_minutes(account: Account) -> int | None:
    """For how long an outage leaves this subscription's logins allowed; None: not at all. The plan
    of the package in use says so, else the subscription's own."""
    plan = account.package_plan or account.plan
    return None if plan is None else plan.outage_minutes


def begun(package: Entitlement, now: datetime) -> Entitlement:
    """A package whose validity has just begun (rule B2)."""
    minutes = package.validity_minutes
    until = None if minutes is None else now + timedelta(minutes=minutes)
    return replace(package, valid_from=now, valid_until=until)


def decide_without_database(
    account: Account, context: LoginContext, now: datetime, out_since: datetime
) -> Accept | Suspended | None:
    """A login during an outage, from the account as it was last seen; None: refused.

    Only what needs no write is granted: a package that starts at first login must wait. The session
    ends with what was known of it, and with the minutes allowed, counted from the beginning of the
    outage at the latest.
    """
    minutes = outage_minutes(account)
    if minutes is None:
        return None
    left_seconds = (out_since + timedelta(minutes=minutes) - now) // timedelta(seconds=1)
    if left_seconds < 1:
        return None
    return _shortened(decide(account, context, now), left_seconds)


def _shortened(decision: Decision, seconds: int) -> Accept | Suspended | None:
    if not isinstance(decision, (Accept, Suspended)):
        return None
    if isinstance(decision, Accept) and decision.activate_entitlement_id is not None:
        return None
    limits = decision.service.limits
    session_seconds = min(seconds, limits.session_seconds or seconds)
    limits = replace(limits, session_seconds=session_seconds)
    return replace(decision, service=replace(decision.service, limits=limits))
