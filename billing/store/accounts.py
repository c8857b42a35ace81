"""The whole state of subscriptions, for decisions off the hot path: why, reconcile, sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from billing.model.account import (
    Account,
    Credential,
    HoldBehaviour,
    SpendingCap,
    StaffHold,
    UnpaidBill,
    Wallet,
)
from billing.model.login_hours import parse_login_hours
from billing.model.own_reply import OwnReply
from billing.model.plan import Entitlement
from billing.model.profile import BillingProfile as Profile
from billing.store.catalog import profile_of, terms_by_version
from billing.store.customers import own_reply
from billing.store.invoices import open_micros
from billing.store.tables import (
    BillingProfile,
    Customer,
    Invoice,
    Operator,
    Plan,
    PlanVersion,
    Subscription,
)
from billing.store.tables import Entitlement as EntitlementRow
from billing.store.tables import Wallet as WalletRow

_T = TypeVar("_T", int, str)
# Rows of this transaction may have been changed by SQL functions behind the session's back.
_FRESH = {"populate_existing": True}


class SecretOpener(Protocol):
    """What opens a sealed secret (services.secrets.SecretBox)."""

    def open(self, sealed: bytes, associated: str) -> str: ...


@dataclass
class _Bills:
    unpaid: list[UnpaidBill] = field(default_factory=list)
    paid_until: date | None = None


def load_accounts(
    tx: Session, box: SecretOpener | None, subscription_ids: Iterable[int], now: datetime
) -> list[Account]:
    """The accounts of these subscriptions as they are at `now`, by id; unknown ids are left out.

    Without `box` credentials stay closed. Raises ValueError for login-hours that cannot be read,
    InvalidInput for a secret that cannot be opened.
    """
    ids = list(subscription_ids)
    time_zone = tx.scalar(select(Operator.time_zone)) or "UTC"
    statement = (
        select(Subscription, Customer, BillingProfile, WalletRow)
        .join(Customer, Customer.customer_id == Subscription.customer_id)
        .join(
            BillingProfile,
            BillingProfile.profile_id
            == func.coalesce(Subscription.profile_id, Customer.profile_id),
        )
        .join(
            WalletRow,
            (WalletRow.customer_id == Subscription.customer_id)
            & (WalletRow.wallet_id == Subscription.wallet_id),
        )
        .where(Subscription.subscription_id.in_(ids))
        .order_by(Subscription.subscription_id)
        .execution_options(**_FRESH)
    )
    rows = tx.execute(statement).all()
    customer_ids = {customer.customer_id for _, customer, _, _ in rows}
    open_ones = _open_entitlements(tx, customer_ids, ids, now)
    ended = _last_ended(tx, customer_ids, [i for i in ids if i not in open_ones], now)
    bills = _bills(tx, customer_ids, ids)
    versions = {packages[0].plan_version_id for packages in open_ones.values()}
    versions |= {row.plan_version_id for row, *_ in rows if row.plan_version_id is not None}
    plans = terms_by_version(tx, versions)
    accounts = []
    for subscription, customer, profile, wallet in rows:
        number = subscription.subscription_id
        own, shared = bills[customer.customer_id, number], bills[customer.customer_id, None]
        packages = tuple(open_ones.get(number, ()))
        bare = _account(subscription, customer, wallet, profile_of(profile), time_zone)
        accounts.append(
            replace(
                bare,
                plan=plans.get(subscription.plan_version_id or 0),
                credential=_credential(subscription, box),
                package_plan=plans[packages[0].plan_version_id] if packages else None,
                entitlements=packages,
                last_ended=ended.get(number),
                paid_until=_paid_until((own, shared), time_zone),
                unpaid_bills=tuple(sorted(own.unpaid + shared.unpaid, key=lambda b: b.due_on)),
            )
        )
    return accounts


_NOTHING_OWN = OwnReply()


def _account(
    subscription: Subscription,
    customer: Customer,
    wallet: WalletRow,
    profile: Profile,
    time_zone: str,
) -> Account:
    """What the rows themselves tell."""
    closed = filter(None, (subscription.closed_at, customer.closed_at))
    hours = subscription.login_hours
    own = own_reply(subscription)
    return Account(
        customer_id=customer.customer_id,
        subscription_id=subscription.subscription_id,
        username=subscription.username,
        profile=profile,
        plan=None,
        wallet=_wallet(wallet),
        time_zone=time_zone,
        created_at=subscription.created_at,
        closed_at=min(closed, default=None),
        staff_hold=_hold(subscription),
        paused_at=subscription.paused_at,
        discontinue_on=customer.discontinue_on,
        promise_until=customer.promise_until,
        on_hold_since=subscription.on_hold_since,
        framed_ip=None if subscription.framed_ip is None else str(subscription.framed_ip),
        speed_up_kbps=_slower(subscription.speed_up_kbps, subscription.capped_up_kbps),
        speed_down_kbps=_slower(subscription.speed_down_kbps, subscription.capped_down_kbps),
        allowed_nas_ids=_set(subscription.allowed_nas_ids),
        allowed_macs=_set(subscription.allowed_macs),
        login_windows=None if hours is None else parse_login_hours(hours),
        session_limit=subscription.session_limit,
        own_reply=None if own == _NOTHING_OWN else own,
    )


def _slower(own_kbps: int | None, capped_kbps: int | None) -> int | None:
    """Its own speed, unless fair use leaves less (rule Q2); None: the plan's."""
    return min((kbps for kbps in (own_kbps, capped_kbps) if kbps is not None), default=None)


def _paid_until(bills: tuple[_Bills, ...], time_zone: str) -> datetime | None:
    """The end of the last paid cycle: the midnight at which its next day begins (rule M3)."""
    days = [bill.paid_until for bill in bills if bill.paid_until is not None]
    if not days:
        return None
    # A missing local time moves forward: that is what fold 0 gives.
    return datetime.combine(max(days), time(), tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


def _open_entitlements(
    tx: Session, customer_ids: set[int], subscription_ids: list[int], now: datetime
) -> dict[int, list[Entitlement]]:
    """Not used up and not expired, in the order of use (rule Q1): as load_access_v1 lists them."""
    waits = or_(EntitlementRow.valid_from.is_(None), EntitlementRow.valid_from > now)
    statement = (
        select(EntitlementRow, Plan.name, PlanVersion.tariff_windows)
        .join(PlanVersion, PlanVersion.plan_version_id == EntitlementRow.plan_version_id)
        .join(Plan, Plan.plan_id == PlanVersion.plan_id)
        .where(
            EntitlementRow.customer_id.in_(customer_ids),
            EntitlementRow.subscription_id.in_(subscription_ids),
            EntitlementRow.ended_at.is_(None),
            or_(EntitlementRow.valid_until.is_(None), EntitlementRow.valid_until > now),
        )
        .order_by(
            waits,
            EntitlementRow.use_order,
            EntitlementRow.valid_until,
            EntitlementRow.entitlement_id,
        )
        .execution_options(**_FRESH)
    )
    found: dict[int, list[Entitlement]] = defaultdict(list)
    for row, plan_name, windows in tx.execute(statement):
        found[row.subscription_id].append(_entitlement(row, plan_name, windows))
    return dict(found)


def _last_ended(
    tx: Session, customer_ids: set[int], subscription_ids: list[int], now: datetime
) -> dict[int, Entitlement]:
    """The one that ended last of those subscriptions that have none open."""
    ended_at = func.least(EntitlementRow.ended_at, EntitlementRow.valid_until)
    statement = (
        select(EntitlementRow, Plan.name, PlanVersion.tariff_windows)
        .join(PlanVersion, PlanVersion.plan_version_id == EntitlementRow.plan_version_id)
        .join(Plan, Plan.plan_id == PlanVersion.plan_id)
        .where(
            EntitlementRow.customer_id.in_(customer_ids),
            EntitlementRow.subscription_id.in_(subscription_ids),
            or_(EntitlementRow.ended_at.is_not(None), EntitlementRow.valid_until <= now),
        )
        .ext(distinct_on(EntitlementRow.subscription_id))
        .order_by(EntitlementRow.subscription_id, ended_at.desc())
        .execution_options(**_FRESH)
    )
    return {
        row.subscription_id: _entitlement(row, plan_name, windows)
        for row, plan_name, windows in tx.execute(statement)
    }


def _bills(
    tx: Session, customer_ids: set[int], subscription_ids: list[int]
) -> dict[tuple[int, int | None], _Bills]:
    """Bills by customer and subscription (None: a bill for the whole customer)."""
    statement = (
        select(Invoice)
        .where(
            Invoice.customer_id.in_(customer_ids),
            or_(Invoice.subscription_id.is_(None), Invoice.subscription_id.in_(subscription_ids)),
        )
        .order_by(Invoice.due_on, Invoice.invoice_id)
        .execution_options(**_FRESH)
    )
    found: dict[tuple[int, int | None], _Bills] = defaultdict(_Bills)
    for row in tx.scalars(statement):
        bills = found[row.customer_id, row.subscription_id]
        owed_micros = open_micros(row)
        if owed_micros > 0:
            bills.unpaid.append(
                UnpaidBill(number=row.number, due_on=row.due_on, open_micros=owed_micros)
            )
        elif row.cycle_until is not None and (row.paid_micros or not row.total_micros):
            # What a move to daily gave back is not paid any more for whoever has come back since;
            # what a change of plan gave back is: another bill has these days (B9, B17).
            until = row.served_until or row.cycle_until
            bills.paid_until = max(bills.paid_until or until, until)
    return found


def _entitlement(row: EntitlementRow, plan_name: str, windows: str | None) -> Entitlement:
    return Entitlement(
        entitlement_id=row.entitlement_id,
        plan_version_id=row.plan_version_id,
        plan_name=plan_name,
        validity_minutes=row.validity_minutes,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        seconds_left=row.seconds_left,
        octets_left=row.octets_left,
        follows=row.follows,
        tariff_windows=windows,
    )


def _wallet(row: WalletRow) -> Wallet:
    return Wallet(
        currency=row.currency,
        posted_micros=row.posted_micros,
        unposted_micros=row.unposted_micros,
        reserved_micros=row.reserved_micros,
        credit_limit_micros=row.credit_limit_micros,
        cap=spending_cap(row),
        promised_micros=row.promised_micros,
        promised_until=row.promised_until,
    )


def spending_cap(row: WalletRow) -> SpendingCap | None:
    """The wallet's spending cap as it was compiled last (rule P14); None: it has none, or it is
    lifted."""
    if row.cap_micros is None or row.cap_floor_micros is None or row.cap_until is None:
        return None
    left_micros = row.posted_micros - row.unposted_micros - row.cap_floor_micros
    return SpendingCap(amount_micros=row.cap_micros, left_micros=left_micros, until=row.cap_until)


def _hold(row: Subscription) -> StaffHold | None:
    if row.hold_behaviour is None:
        return None
    return StaffHold(
        note=row.hold_note or "",
        until=row.hold_until,
        behaviour=HoldBehaviour(row.hold_behaviour),
    )


def _credential(row: Subscription, box: SecretOpener | None) -> Credential:
    if row.secret_sealed is None or box is None:
        return Credential(nt_hash=row.nt_hash, pbkdf2=row.pbkdf2)
    return Credential(cleartext=box.open(row.secret_sealed, f"subscription:{row.subscription_id}"))


def _set(values: list[_T] | None) -> frozenset[_T] | None:
    return None if values is None else frozenset(values)
