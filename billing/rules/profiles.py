"""Billing profiles whose switches contradict each other are refused (B1, B6, B7, B10, B12)."""

from __future__ import annotations

from billing.model.money import AMOUNT_LIMIT_MICROS
from billing.model.profile import BillIn, BillingKind, BillingProfile, DueBasis, Payment
from billing.rules.texts import pool_problem, text_problem

DUE_DAYS_LIMIT = 365
PROMISE_LIMIT = 100
PROMISE_DAYS_LIMIT = 365
TAX_LIMIT_PPM = 1_000_000
# A cycle billed in arrears began up to two months before day 1, when its bill is issued (B7).
ARREARS_CYCLE_START_DAYS = 62

Problem = tuple[str, str]
"""The field at fault, and why, in words for the operator."""


def problems(profile: BillingProfile) -> list[Problem]:
    """Everything that is wrong with a profile; empty when it may be used."""
    parts = (_ranges, _calendar, _kind, _payment, _promises)
    return [problem for part in parts for problem in part(profile)]


def _ranges(profile: BillingProfile) -> list[Problem]:
    found: list[Problem] = []
    if reason := text_problem(profile.name):
        found.append(("name", reason))
    if not 1 <= profile.cycle_day <= 31:
        found.append(("cycle_day", "must be a day of the month, 1 to 31 (29–31 mean the last day)"))
    if not 0 <= profile.due_days <= DUE_DAYS_LIMIT:
        found.append(("due_days", f"must be 0 to {DUE_DAYS_LIMIT} days"))
    if not 0 <= profile.suspend_at_hour <= 23:
        found.append(("suspend_at_hour", "must be an hour of the day, 0 to 23"))
    if not 0 <= profile.credit_limit_micros <= AMOUNT_LIMIT_MICROS:
        found.append(
            (
                "credit_limit_micros",
                "must be 0 or more, and at most 1,000,000,000.00: it is how far below zero a "
                "wallet may go",
            )
        )
    if not 0 <= profile.tax_rate_ppm <= TAX_LIMIT_PPM:
        found.append(("tax_rate_ppm", "must be 0 % to 100 %"))
    if profile.suspended_pool is not None and (reason := pool_problem(profile.suspended_pool)):
        found.append(("suspended_pool", reason))
    return found


def _calendar(profile: BillingProfile) -> list[Problem]:
    found: list[Problem] = []
    if profile.cycle_ends_with_month and profile.cycle_day != 1:
        found.append(
            (
                "cycle_day",
                f"must be 1 where cycles end with the month: a cycle from the {profile.cycle_day}. "
                "does not (rule B12)",
            )
        )
    if any(not 0 <= weekday <= 6 for weekday in profile.no_cut_weekdays):
        found.append(("no_cut_weekdays", "must be 0 (Monday) to 6 (Sunday)"))
    if profile.automatic_suspend and profile.no_cut_weekdays >= frozenset(range(7)):
        found.append(
            (
                "no_cut_weekdays",
                "must leave a day to cut on; to cut nobody, switch automatic suspension off",
            )
        )
    return found


def _kind(profile: BillingProfile) -> list[Problem]:
    if profile.kind is BillingKind.MONTHLY:
        if profile.automatic_suspend and profile.suspended_pool is None:
            return [
                (
                    "suspended_pool",
                    "is needed for automatic suspension: an overdue monthly customer may still "
                    "connect, with an address from this pool (rule B10)",
                )
            ]
        return []
    found: list[Problem] = []
    if profile.automatic_bill:
        found.append(
            (
                "automatic_bill",
                "is for monthly profiles: a daily customer pays for each package when buying it "
                "and gets no periodic bill (rule B1)",
            )
        )
    if profile.payment is Payment.POSTPAID:
        found.append(
            (
                "payment",
                "must be prepaid for daily profiles: without a periodic bill nothing would ever "
                "ask for the money (rule B1)",
            )
        )
    if profile.bill_in is BillIn.ARREARS:
        found.append(("bill_in", "must be advance for daily profiles: packages are paid first"))
    return found


def _payment(profile: BillingProfile) -> list[Problem]:
    found: list[Problem] = []
    if profile.payment is Payment.PREPAID and profile.credit_limit_micros > 0:
        found.append(
            (
                "credit_limit_micros",
                "must be 0 for prepaid profiles: a prepaid wallet pays first and never goes below "
                "zero (rule P12)",
            )
        )
    if profile.kind is BillingKind.DAILY or profile.bill_in is not BillIn.ARREARS:
        return found
    if profile.payment is Payment.PREPAID:
        found.append(
            ("bill_in", "must be advance for prepaid profiles: arrears are paid afterwards")
        )
    if profile.due_basis is DueBasis.CYCLE_START and profile.due_days < ARREARS_CYCLE_START_DAYS:
        found.append(
            (
                "due_basis",
                "must be the issue day where cycles are billed in arrears: counted from the "
                "cycle's start the bill would be overdue before it is issued (rule B7)",
            )
        )
    return found


def _promises(profile: BillingProfile) -> list[Problem]:
    """What customers may promise to pay themselves (rule B19)."""
    found: list[Problem] = []
    if not 0 <= profile.promise_count <= PROMISE_LIMIT:
        found.append(("promise_count", f"must be 0 (only staff takes promises) to {PROMISE_LIMIT}"))
    for field, days in (
        ("promise_period_days", profile.promise_period_days),
        ("promise_days", profile.promise_days),
    ):
        if not 1 <= days <= PROMISE_DAYS_LIMIT:
            found.append((field, f"must be 1 to {PROMISE_DAYS_LIMIT} days"))
    if not 0 <= profile.promise_amount_micros <= AMOUNT_LIMIT_MICROS:
        found.append(("promise_amount_micros", "must be 0 or more, at most 1,000,000,000.00"))
    if profile.promise_count and not profile.promise_amount_micros:
        found.append(
            (
                "promise_amount_micros",
                "is needed where customers may promise: say up to what amount, or set the number "
                "of promises to 0",
            )
        )
    return found
