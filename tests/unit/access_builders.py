"""Accounts, packages and profiles that tests of the access rules vary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from billing.model.account import Account, Credential, LoginContext, UnpaidBill, Wallet
from billing.model.plan import Entitlement, PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment

ZONE = "Europe/Paris"
USD = "USD"


def at(text: str) -> datetime:
    """`'2026-03-10 14:30:00'` as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily_profile(**changes: Any) -> BillingProfile:
    base = BillingProfile(name="Daily", kind=BillingKind.DAILY, payment=Payment.PREPAID)
    return replace(base, **changes)


def monthly_profile(**changes: Any) -> BillingProfile:
    base = BillingProfile(
        name="Monthly",
        kind=BillingKind.MONTHLY,
        payment=Payment.POSTPAID,
        automatic_bill=True,
        automatic_suspend=True,
        cycle_day=10,
        suspended_pool="walled",
    )
    return replace(base, **changes)


def plan(**changes: Any) -> PlanTerms:
    base = PlanTerms(
        plan_version_id=1,
        plan_name="1 day",
        price_micros=1_000_000,
        currency=USD,
        validity_minutes=1440,
        speed_up_kbps=5_000,
        speed_down_kbps=20_000,
        pool="main",
    )
    return replace(base, **changes)


def monthly_plan(**changes: Any) -> PlanTerms:
    return replace(
        plan(plan_name="Home 20", price_micros=30_000_000, validity_minutes=None),
        **{"validity_months": 1, **changes},
    )


def package(number: int = 1, begins: datetime | None = None, **changes: Any) -> Entitlement:
    """A package that began at `begins` and lasts its minutes; None: it has not begun."""
    minutes = changes.pop("validity_minutes", 1440)
    ends = None
    if begins is not None and minutes is not None:
        ends = begins + timedelta(minutes=minutes)
    base = Entitlement(
        entitlement_id=number,
        plan_version_id=1,
        plan_name="1 day",
        validity_minutes=minutes,
        valid_from=begins,
        valid_until=ends,
        seconds_left=None,
        octets_left=None,
    )
    return replace(base, **changes)


def account(profile: BillingProfile | None = None, **changes: Any) -> Account:
    base = Account(
        customer_id=7,
        subscription_id=42,
        username="ann",
        profile=profile or daily_profile(),
        plan=plan(),
        wallet=Wallet(currency=USD),
        time_zone=ZONE,
        created_at=at("2026-01-01 00:00:00"),
        credential=Credential(cleartext="secret"),
    )
    return replace(base, **changes)


def monthly(**changes: Any) -> Account:
    profile = changes.pop("profile", None) or monthly_profile()
    return account(profile, **{"plan": monthly_plan(), **changes})


def bill(due_on: date, open_micros: int = 30_000_000, number: str = "INV-7") -> UnpaidBill:
    return UnpaidBill(number=number, due_on=due_on, open_micros=open_micros)


def login(**changes: Any) -> LoginContext:
    return replace(LoginContext(nas_id=1, calling_station="001122334455"), **changes)
