"""The causes of S in words, with their inputs (rule B16); whether they hold is `states.py`'s."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from billing.model.account import Account, Cause, Upcoming
from billing.model.plan import Entitlement
from billing.model.profile import BillingKind
from billing.rules import states
from billing.rules.chain import ended_last, timeline, usable
from billing.rules.cycles import END_OF_TIME, day_passed_at
from billing.rules.prepaid import short_micros
from billing.rules.words import bill_words, day_words, instant_words, left_words, money_words


def examine(account: Account, now: datetime) -> tuple[Cause, ...]:
    """Every cause S1–S7 with what it was judged by, then S8; the first that holds decides."""
    causes = [
        Cause(rule=rule, holds=holds(account, now), detail=detail(account, now), lifted_by=lifted)
        for rule, holds, detail, lifted in (
            ("S1", states.closed, _closed, "reopening the account"),
            ("S2", states.held, _held, _hold_lifted_by(account)),
            ("S3", states.paused, _paused, "resuming"),
            ("S4", states.discontinued, _discontinued, _all_paid(account)),
            ("S5", states.overdue, _overdue, f"{_due_paid(account, now)}, or a promise to pay"),
            ("S6", states.prepaid_short, _unfunded, _credit_needed(account, now)),
            ("S7", states.unentitled, _unentitled, _package_needed(account)),
        )
    ]
    normal = not any(cause.holds for cause in causes)
    detail = "no cause holds: normal service" if normal else "a cause above holds"
    return (*causes, Cause(rule="S8", holds=normal, detail=detail))


_Detail = Callable[[Account, datetime], str]


def _closed(account: Account, now: datetime) -> str:
    if account.closed_at is None:
        return "not closed"
    return f"closed {instant_words(account.closed_at, account.time_zone)}"


def _held(account: Account, now: datetime) -> str:
    hold = account.staff_hold
    if hold is None:
        return "not suspended by staff"
    until = "until staff lifts it"
    if hold.until is not None:
        until = f"until {instant_words(hold.until, account.time_zone)}"
    over = "" if states.held(account, now) else ", which has passed"
    return f"suspended by staff ({hold.note}) {until}{over}"


def _hold_lifted_by(account: Account) -> str:
    hold = account.staff_hold
    if hold is None or hold.until is None:
        return "staff"
    return f"staff, or by itself on {instant_words(hold.until, account.time_zone)}"


def _paused(account: Account, now: datetime) -> str:
    if account.paused_at is None:
        return "not paused"
    return f"paused {instant_words(account.paused_at, account.time_zone)}"


def _discontinued(account: Account, now: datetime) -> str:
    if account.discontinue_on is None:
        return "no discontinue date"
    day = day_words(account.discontinue_on)
    if not account.unpaid_bills:
        return f"discontinue on {day}: no unpaid bill, so without effect"
    passed = now >= day_passed_at(account.discontinue_on, account.time_zone)
    bill = bill_words(account.unpaid_bills[0], account.wallet.currency)
    return f"discontinue on {day}, {bill}: {'passed' if passed else 'not passed'}"


def _overdue(account: Account, now: datetime) -> str:
    """Rule B9, each of its conditions in its words."""
    if account.profile.kind is not BillingKind.MONTHLY:
        return "daily: has no periodic bill"
    parts = [f"monthly, {_paid_words(account, now)}"]
    if not account.unpaid_bills:
        return f"{parts[0]}, no unpaid bill"
    bill = account.unpaid_bills[0]
    parts.append(bill_words(bill, account.wallet.currency))
    if len(account.unpaid_bills) > 1:
        parts.append(f"{len(account.unpaid_bills) - 1} more unpaid")
    if account.promise_until is not None:
        parts.append(f"promised until {day_words(account.promise_until)}")
    if not account.profile.automatic_suspend:
        return f"{', '.join(parts)}: automatic suspension is off"
    passed = now >= day_passed_at(bill.due_on, account.time_zone)
    cut = states.overdue_cut(account)
    when = "every weekday is a no-cut day"
    if cut is not None:
        when = f"cut {'' if now >= cut else 'not before '}{instant_words(cut, account.time_zone)}"
    return f"{', '.join(parts)}: {'passed' if passed else 'not passed'}, {when}"


def _paid_words(account: Account, now: datetime) -> str:
    if account.paid_until is None:
        return "no cycle ever paid"
    end = instant_words(account.paid_until, account.time_zone)
    return f"expired {end}" if account.paid_until <= now else f"paid until {end}"


def _unfunded(account: Account, now: datetime) -> str:
    parts = []
    if account.plan is not None and account.plan.pay_as_you_go:
        parts.append(_by_use(account, now))
    if account.profile.recurring_prepaid:
        parts.append(_by_period(account))
    return "; ".join(parts) or "not pay-as-you-go: the wallet is not asked"


def _by_use(account: Account, now: datetime) -> str:
    """Rule P8."""
    wallet = account.wallet
    available = money_words(wallet.available_micros, wallet.currency)
    cap = _lent_words(account, now) + _cap_words(account, now)
    limit = money_words(wallet.credit_limit_micros, wallet.currency)
    left = "an entitlement is left"
    if not usable(account.entitlements, account.last_ended, now):
        left = "no entitlement left"
    return f"pay-as-you-go, available {available}, credit limit {limit}, {cap}{left}"


def _lent_words(account: Account, now: datetime) -> str:
    """Rule B19: what a promise lends, and until when."""
    lent, until = account.wallet.lent_micros(now), account.wallet.promised_until
    if not lent or until is None:
        return ""
    amount = money_words(lent, account.wallet.currency)
    return f"lent {amount} on a promise until {instant_words(until, account.time_zone)}, "


def _cap_words(account: Account, now: datetime) -> str:
    """Rule P14: what was spent of which cap, and until when it holds."""
    wallet = account.wallet
    if wallet.cap is None or now >= wallet.cap.until:
        return ""
    spent = money_words(wallet.cap.amount_micros - wallet.cap.left_micros, wallet.currency)
    amount = money_words(wallet.cap.amount_micros, wallet.currency)
    until = instant_words(wallet.cap.until, account.time_zone)
    return f"spent {spent} of a cap of {amount} until {until}, "


def _by_period(account: Account) -> str:
    """Rule P10."""
    words = ["recurring prepaid"]
    if account.on_hold_since is not None:
        words.append(f"on hold since {instant_words(account.on_hold_since, account.time_zone)}")
    if account.upcoming is not None:
        words.append(_upcoming_words(account, account.upcoming))
    return ", ".join(words)


def _upcoming_words(account: Account, upcoming: Upcoming) -> str:
    """What is bought next, when, and whether the wallet covers it."""
    wallet = account.wallet
    cost = money_words(upcoming.total_micros, wallet.currency)
    begins = "now"
    if upcoming.begins_at is not None:
        begins = f"on {instant_words(upcoming.begins_at, account.time_zone)}"
    available = money_words(wallet.available_micros, wallet.currency)
    words = f"{upcoming.text} for {cost} {begins}, available {available}"
    if upcoming.problem is not None:
        return f"{words}: {upcoming.problem}"
    short = short_micros(upcoming.total_micros, wallet.spendable_micros)
    if short:
        return f"{words}: not covered, needs {money_words(short, wallet.currency)} more"
    return f"{words}: covered"


def _unentitled(account: Account, now: datetime) -> str:
    words = _bought(account, now)
    if account.upcoming is None or account.profile.kind is not BillingKind.DAILY:
        return words
    return f"{words}; renewal: {_upcoming_words(account, account.upcoming)}"


def _bought(account: Account, now: datetime) -> str:
    if account.plan is None and not account.entitlements:
        return "no plan and no package"
    packages = _packages(account, now)
    if account.plan is not None and account.plan.pay_as_you_go:
        return f"{packages}; pay-as-you-go, so S6 decides"
    if account.profile.kind is BillingKind.MONTHLY and account.plan is not None:
        return "monthly: runs on without a package, S5 decides"
    return f"{account.profile.kind}, {packages}"


def _packages(account: Account, now: datetime) -> str:
    words = [
        _package_words(window.entitlement, window.start, window.end, account.time_zone)
        for window in timeline(account.entitlements, account.last_ended)
        if window.end > now
    ]
    if words:
        return "; ".join(words)
    ended = ended_last(account.entitlements, account.last_ended, now)
    if ended is None:
        return "no package was ever bought"
    if ended.seconds_left == 0:
        return f"time of {ended.plan_name!r} used up"
    if ended.octets_left == 0:
        return f"data of {ended.plan_name!r} used up"
    end = f" {instant_words(ended.valid_until, account.time_zone)}" if ended.valid_until else ""
    return f"{ended.plan_name!r} expired{end}"


def _package_words(
    entitlement: Entitlement, start: datetime | None, end: datetime, time_zone: str
) -> str:
    left = left_words(entitlement)
    left = f", {left}" if left else ""
    name = repr(entitlement.plan_name)
    if start == END_OF_TIME:  # what comes before it has not begun
        return f"{name} begins after it{left}"
    if start is None:
        begins = "at the first login" if entitlement.starts_at_first_login else "at the next login"
        return f"{name} begins {begins}{left}"
    until = "without end" if end == END_OF_TIME else f"until {instant_words(end, time_zone)}"
    return f"{name} valid from {instant_words(start, time_zone)} {until}{left}"


def _all_paid(account: Account) -> str:
    owed = sum(bill.open_micros for bill in account.unpaid_bills)
    return f"paying {money_words(owed, account.wallet.currency)}" if owed else "payment"


def _due_paid(account: Account, now: datetime) -> str:
    """Paying what is past its payment date lifts B9; before that, the oldest bill is named."""
    due = [
        bill for bill in account.unpaid_bills
        if now >= day_passed_at(bill.due_on, account.time_zone)
    ] or list(account.unpaid_bills[:1])  # fmt: skip
    owed = sum(bill.open_micros for bill in due)
    return f"paying {money_words(owed, account.wallet.currency)}" if owed else "payment"


def _period_credit(account: Account) -> str:
    """What lets the wallet pay for what comes next (rule P10)."""
    upcoming, wallet = account.upcoming, account.wallet
    short = 0
    if upcoming is not None and upcoming.problem is None:
        short = short_micros(upcoming.total_micros, wallet.spendable_micros)
    return f"a credit of {money_words(short, wallet.currency)}" if short else ""


def _package_needed(account: Account) -> str:
    if account.profile.kind is BillingKind.DAILY and (credit := _period_credit(account)):
        return f"{credit}, or buying a package"
    return "buying a package"


def _credit_needed(account: Account, now: datetime) -> str:
    if states.uncovered(account, now):
        credit = _period_credit(account) or "the next look at what the wallet covers"
        return f"{credit}, or a promise to pay" if account.on_hold_since else credit
    wallet = account.wallet
    credit = "a credit"
    short = -wallet.available_micros - wallet.credit_limit_micros - wallet.lent_micros(now)
    if short > 0:
        credit = f"a credit of more than {money_words(short, wallet.currency)}"
    cap = wallet.cap
    if cap is not None and now < cap.until and cap.left_micros <= 0:
        lifted = "the spending cap lifted or raised, or by itself the end of the month on "
        lifted += instant_words(cap.until, account.time_zone)
        credit = f"{credit} and {lifted}" if wallet.funds_at(now) == 0 else lifted
    else:
        credit = f"{credit}, a promise to pay"
    return f"{credit}, or buying a package"
