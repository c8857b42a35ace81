"""The access decision: account, request and time in, a typed decision out (rules A3–A5, B2, S).

Every check may be made before the password is verified, because the decision is enforced only
after it was (rule A3). This runs for every login: nothing is built that the answer does not need.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.model.account import Account, LoginContext
from billing.model.decision import Accept, Decision, Limits, Reason, Reject, Service, Suspended
from billing.model.events import COUNTER_LIMIT
from billing.model.making import maker
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind
from billing.rules.chain import Supply, supply, timeline
from billing.rules.cycles import END_OF_TIME
from billing.rules.hours import allowed_until
from billing.rules.states import Effect, State, deciding
from billing.rules.wallets import affordable
from billing.rules.windows import Windows, spent_at, window_at, windows_of

STATION_FAILURES_LIMIT = 10
ALL_FAILURES_LIMIT = 100
SESSION_SECONDS_LIMIT = 2**31 - 1
"""The longest Session-Timeout that a NAS with signed 32-bit arithmetic reads right."""

_ONE_SECOND = timedelta(seconds=1)
_REJECTS = {reason: Reject(reason=reason) for reason in Reason}
# A subscription without a plan: no limits, no price; XXX is no currency (ISO 4217).
_UNSOLD = PlanTerms(plan_version_id=0, plan_name="", price_micros=0, currency="XXX")
_NO_LIMITS = Limits()
_make_limits, _make_service, _make_accept = maker(Limits), maker(Service), maker(Accept)


def decide(account: Account | None, request: LoginContext, now: datetime) -> Decision:
    """Accept, suspend or reject a login (rules A3, A4).

    The throttle comes before every other reason: a guesser that is held back must not learn from
    the reason that a password was right.
    """
    if account is None:
        return _REJECTS[Reason.UNKNOWN_USER]
    if throttled(request):
        return _REJECTS[Reason.THROTTLED]
    if not account.credential.present:
        return _REJECTS[Reason.NO_CREDENTIAL]
    state = deciding(account, now)
    if state.effect is Effect.REJECT:
        return _REJECTS[state.reason]
    if account.allowed_nas_ids is not None and request.nas_id not in account.allowed_nas_ids:
        return _REJECTS[Reason.NAS_NOT_ALLOWED]
    if account.allowed_macs is not None and request.calling_station not in account.allowed_macs:
        return _REJECTS[Reason.MAC_NOT_ALLOWED]
    hours_end = END_OF_TIME
    if account.login_windows is not None:
        until = allowed_until(account.login_windows, now, account.time_zone)
        if until is None:
            return _REJECTS[Reason.OUTSIDE_HOURS]
        hours_end = until
    if account.session_limit is not None and request.open_sessions >= account.session_limit:
        return _REJECTS[Reason.TOO_MANY_SESSIONS]
    if state.effect is Effect.SUSPENDED_POOL:
        return _suspended(account, state, hours_end, now)
    return _accepted(account, hours_end, now)


def normal_speed(account: Account) -> tuple[int | None, int | None]:
    """Up and down in kbit/s of a service that nothing holds back; None: not limited."""
    sold = account.package_plan or account.plan or _UNSOLD
    return (
        account.speed_up_kbps or sold.speed_up_kbps,
        account.speed_down_kbps or sold.speed_down_kbps,
    )


def next_speed_change(account: Account, now: datetime) -> datetime | None:
    """When by time alone a package of another plan may come into use; None: at no known instant."""
    plans = {bought.plan_version_id for bought in account.entitlements}
    if account.plan is not None:
        plans.add(account.plan.plan_version_id)
    if len(plans) < 2:
        return None
    windows = timeline(account.entitlements, account.last_ended)
    moments = (moment for window in windows for moment in (window.start, window.end))
    ahead = (moment for moment in moments if moment is not None and now < moment < END_OF_TIME)
    return min(ahead, default=None)


def metered_by_time(account: Account) -> bool:
    """Whether being online uses up what there is, seconds bought or money."""
    plan = account.plan
    if plan is not None and plan.pay_as_you_go:
        windows = windows_of(account)
        if plan.payg_second_step is not None or _time_has_price(windows):
            return True
    return any(bought.seconds_left is not None for bought in account.entitlements)


def throttled(request: LoginContext) -> bool:
    """Too many wrong passwords (rule A4): from this station, or from all of them and this one is
    not known, so that a stranger's guessing does not lock the subscriber out."""
    return request.station_failures >= STATION_FAILURES_LIMIT or (
        request.all_failures >= ALL_FAILURES_LIMIT and not request.station_known
    )


def _accepted(account: Account, hours_end: datetime, now: datetime) -> Accept:
    plan = account.plan or _UNSOLD
    windows = windows_of(account)
    bought = supply(account.entitlements, account.last_ended, now, account.time_zone)
    end, extra_seconds, octets = _allowance(account, plan, bought, windows, now)
    hard_end = _dated_end(account, hours_end)
    seconds = None if end == END_OF_TIME else (end - now) // _ONE_SECOND + extra_seconds
    if hard_end != END_OF_TIME:
        rest = (hard_end - now) // _ONE_SECOND
        seconds = rest if seconds is None else min(seconds, rest)
    sold = account.package_plan or plan
    speed_up_kbps, speed_down_kbps = normal_speed(account)
    return _make_accept(
        service=_make_service(
            pool=sold.pool,
            framed_ip=account.framed_ip,
            speed_up_kbps=speed_up_kbps,
            speed_down_kbps=speed_down_kbps,
            interim_seconds=sold.interim_seconds,
            idle_timeout_seconds=sold.idle_timeout_seconds,
            limits=_limits(seconds, octets, is_provisional=windows != ()),
            session_class=f"tw1:{account.subscription_id}:n",
            own_reply=account.own_reply,
        ),
        activate_entitlement_id=bought.starts_id,
    )


def _suspended(account: Account, state: State, hours_end: datetime, now: datetime) -> Suspended:
    """The walled garden: no quota, no fixed address (rules A6, B10), never faster than bought, and
    of the subscriber's own attributes only those marked for it.

    A hold that ends by itself ends the session too, so that the next login is a normal one.
    """
    plan = account.plan or _UNSOLD
    end = _dated_end(account, hours_end)
    hold = account.staff_hold
    if state.reason is Reason.STAFF_SUSPENDED and hold is not None and hold.until is not None:
        end = min(end, hold.until)
    seconds = None if end == END_OF_TIME else (end - now) // _ONE_SECOND
    return Suspended(
        reason=state.reason,
        service=Service(
            pool=state.pool,
            speed_up_kbps=account.speed_up_kbps or plan.speed_up_kbps,
            speed_down_kbps=account.speed_down_kbps or plan.speed_down_kbps,
            interim_seconds=plan.interim_seconds,
            idle_timeout_seconds=plan.idle_timeout_seconds,
            limits=_limits(seconds, None),
            session_class=f"tw1:{account.subscription_id}:s",
            own_reply=None if account.own_reply is None else account.own_reply.suspended(),
        ),
    )


def _allowance(
    account: Account, plan: PlanTerms, bought: Supply, windows: Windows, now: datetime
) -> tuple[datetime, int, int | None]:
    """What bought packages and the wallet allow: end, seconds to add to it, octets (rule A5).

    Packages are used first, the wallet continues (rule Q1). What has no price is not limited
    while the wallet has anything left: use of the other dimension ends that. Time is looked at
    through all windows ahead; octets at the price of now, and not limited while they are free
    (rule Q3).
    """
    window = window_at(windows, now, account.time_zone) if windows else None
    if not plan.pay_as_you_go:
        if account.profile.kind is BillingKind.MONTHLY and account.plan is not None:
            return END_OF_TIME, 0, None  # runs on past its quota: ended by S5, not by use
        is_free = window is not None and window.price is None
        return bought.ends_at, 0, None if is_free else bought.octets
    spendable = account.wallet.spendable_at(now)
    end, octets = (bought.ends_at, bought.octets) if bought.usable else (now, 0)
    if window is not None and window.price is None:
        octets = None
    if spendable == 0:
        return end, 0, octets
    extra_seconds = 0
    if windows:
        end = spent_at(windows, plan, end, spendable, account.time_zone)
    elif plan.payg_second_step is None or plan.payg_second_step_micros is None:
        end = END_OF_TIME
    else:
        extra_seconds = affordable(spendable, plan.payg_second_step, plan.payg_second_step_micros)
    step, step_micros = plan.payg_octet_step, plan.payg_octet_step_micros
    if window is not None and window.price is not None:
        step, step_micros = window.price.octet_step, window.price.octet_step_micros
    if step is None or step_micros is None:
        octets = None
    elif octets is not None:
        octets += affordable(spendable, step, step_micros)
    return end, extra_seconds, octets


def _time_has_price(windows: Windows) -> bool:
    return any(one.price is not None and one.price.second_step is not None for one in windows)


def _dated_end(account: Account, hours_end: datetime) -> datetime:
    """The end of the login-hours, or of the service where staff dated its end ahead.

    A cut that a payment would still prevent (S4, S5) is not among them (rule A5): who pays in
    time keeps the session; who does not is moved at the cut (rule B10).
    """
    end = hours_end
    if account.closed_at is not None and account.closed_at < end:
        end = account.closed_at
    if account.paused_at is not None and account.paused_at < end:
        end = account.paused_at
    return end


def _limits(seconds: int | None, octets: int | None, *, is_provisional: bool = False) -> Limits:
    """Bounded for the NAS: never 0, which some read as unlimited (rule A5)."""
    if seconds is None and octets is None:
        return _NO_LIMITS
    return _make_limits(
        session_seconds=None if seconds is None else min(max(1, seconds), SESSION_SECONDS_LIMIT),
        total_octets=None if octets is None else min(max(1, octets), COUNTER_LIMIT),
        is_provisional=is_provisional and octets is not None,
    )
