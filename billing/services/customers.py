"""Customers and their subscriptions: made, found, changed (rules P1, A1, A2).

Every service here locks the customer first (radius.md F15) and, at its end, has enforcement bring
running sessions in line with the new state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

from billing.errors import Conflict, NotFound, Refused
from billing.model.access_settings import AccessSettings
from billing.model.profile import BillingKind, BillingProfile
from billing.model.views import CustomerView
from billing.rules.plans import sale_problem
from billing.services import cycle_bills, due_bills, enforcement, limits
from billing.services.catalog import credit_limit
from billing.services.context import Context
from billing.services.identity import (
    checked_credential,
    checked_name,
    checked_number,
    checked_optional,
    checked_username,
)
from billing.services.settings_checks import checked_settings, write_settings
from billing.store import audit, catalog, resellers, self_care, tables
from billing.store import customers as store
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """A customer to be added; `profile_id` is its billing profile."""

    name: str
    profile_id: int
    email: str | None = None
    phone: str | None = None
    locale: str = "en"
    discontinue_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """A RADIUS identity to be added.

    `plan_id`: the plan it is on from the start; a daily subscriber still has to buy (rule B3).
    `profile_id`: a billing profile of its own. At most one of the three credentials.
    """

    username: str
    password: str | None = field(default=None, repr=False)
    nt_hash: str | None = field(default=None, repr=False)
    pbkdf2: str | None = field(default=None, repr=False)
    plan_id: int | None = None
    profile_id: int | None = None
    own_wallet: bool = False
    framed_ip: str | None = None
    macs: Sequence[str] = ()
    nas_ids: Sequence[int] = ()
    login_hours: str | None = None
    session_limit: int | None = None
    speed_up_kbps: int | None = None
    speed_down_kbps: int | None = None


def add_customer(
    context: Context,
    *,
    name: str,
    profile_id: int,
    now: datetime,
    email: str | None = None,
    phone: str | None = None,
    locale: str = "en",
    discontinue_on: date | None = None,
) -> CustomerView:
    """A customer with an empty wallet in the operator's currency (rule P1).

    Raises InvalidInput, NotFound (the profile).
    """
    wanted = NewCustomer(
        name=name,
        profile_id=profile_id,
        email=email,
        phone=phone,
        locale=locale,
        discontinue_on=discontinue_on,
    )
    with context.transaction() as tx:
        return read_customer(tx, _insert_customer(context, tx, wanted, now).customer_id)


def add_subscriber(
    context: Context, customer: NewCustomer, subscription: NewSubscription, now: datetime
) -> int:
    """A new customer with its first subscription, both or none; returns the subscription's id.

    Raises what `add_customer` and `add_subscription` raise.
    """
    with context.transaction() as tx:
        row = _insert_customer(context, tx, customer, now)
        return _insert_subscription(context, tx, row, subscription, now)


def get_customer(context: Context, customer_id: int) -> CustomerView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return read_customer(tx, limits.checked_seen(context, tx, customer_id))


def find_customer(context: Context, name: str) -> CustomerView:
    """By number, or by exact name where only one has it. Raises NotFound, Conflict."""
    with context.transaction() as tx:
        if name.isascii() and name.isdigit() and len(name) < 19:
            return read_customer(tx, int(name))
        found = store.find_customers(tx, name)
        if len(found) > 1:
            numbers = ", ".join(map(str, found))
            raise Conflict(
                f"several customers are named {name!r}: give one of the numbers {numbers}",
                field="customer",
            )
        if not found:
            raise NotFound(f"no customer is named {name!r}", field="customer")
        return read_customer(tx, found[0])


def add_subscription(
    context: Context,
    *,
    customer_id: int,
    username: str,
    now: datetime,
    password: str | None = None,
    nt_hash: str | None = None,
    pbkdf2: str | None = None,
    plan_id: int | None = None,
    profile_id: int | None = None,
    own_wallet: bool = False,
    framed_ip: str | None = None,
    macs: Sequence[str] = (),
    nas_ids: Sequence[int] = (),
    login_hours: str | None = None,
    session_limit: int | None = None,
    speed_up_kbps: int | None = None,
    speed_down_kbps: int | None = None,
) -> int:
    """A RADIUS identity of the customer (fields as in NewSubscription); returns its id.

    Raises InvalidInput, NotFound, Refused (the plan does not fit the billing profile, rule B5),
    Conflict (the user name is taken).
    """
    wanted = NewSubscription(
        username=username,
        password=password,
        nt_hash=nt_hash,
        pbkdf2=pbkdf2,
        plan_id=plan_id,
        profile_id=profile_id,
        own_wallet=own_wallet,
        framed_ip=framed_ip,
        macs=macs,
        nas_ids=nas_ids,
        login_hours=login_hours,
        session_limit=session_limit,
        speed_up_kbps=speed_up_kbps,
        speed_down_kbps=speed_down_kbps,
    )
    with changing_customer(context, customer_id) as (tx, customer):
        return _insert_subscription(context, tx, customer, wanted, now)


def set_password(context: Context, subscription_id: int, password: str, now: datetime) -> None:
    """Replace any credential; its browsers are logged out. Raises InvalidInput, NotFound."""
    credential = checked_credential(password, None, None)
    with changing(context, subscription_id) as (tx, row):
        sealed_for = f"subscription:{subscription_id}"
        row.secret_sealed = context.box.seal(credential.cleartext or "", sealed_for)
        row.nt_hash = row.pbkdf2 = None
        self_care.end_sessions_of(tx, row.customer_id, subscription_id)
        finish(context, tx, row, "subscription.password", now, {})


def customer_of(context: Context, subscription_id: int) -> int:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.customer_of(tx, subscription_id)
    if found is None:
        raise NotFound(f"no subscription has the number {subscription_id}", field="subscription")
    return found


def subscription_id_of(context: Context, username: str) -> int:
    """By user name in any spelling; NotFound."""
    with context.transaction() as tx:
        found = store.find_login(tx, checked_username(username))
    if found is None:
        raise NotFound(f"no subscriber is named {username!r}", field="username")
    return found[1]


@contextmanager
def changing_customer(
    context: Context, customer_id: int
) -> Iterator[tuple[Transaction, tables.Customer]]:
    """A transaction that holds the customer's row lock (F15). Raises NotFound, Refused (R1)."""
    with context.transaction() as tx:
        limits.check_no_account(tx, customer_id)
        customer = store.lock_customer(tx, customer_id)
        if customer is None:
            raise NotFound(f"no customer has the number {customer_id}", field="customer")
        yield tx, customer


@contextmanager
def changing(
    context: Context, subscription_id: int, *, with_accounts: bool = False
) -> Iterator[tuple[Transaction, tables.Subscription]]:
    """A transaction, with the customer locked, and whose accounts earn by it. Raises NotFound."""
    with context.transaction() as tx:
        customer_id = store.customer_of(tx, subscription_id)
        if with_accounts:
            resellers.lock_chain_of(tx, customer_id or 0)
        if customer_id is None or store.lock_customer(tx, customer_id) is None:
            raise NotFound(f"no subscription has number {subscription_id}", field="subscription")
        row = store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound("the subscription has been moved", field="subscription")
        yield tx, row


def _insert_customer(
    context: Context, tx: Transaction, wanted: NewCustomer, now: datetime
) -> tables.Customer:
    profile = catalog.get_profile(tx, wanted.profile_id)
    operator = catalog.operator(tx)
    if profile is None or profile.archived_at is not None:
        raise NotFound(f"no billing profile has the number {wanted.profile_id}", field="profile")
    limits.check_new(tx, context.home_org_id, profile.profile)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    row = tables.Customer(
        org_id=context.home_org_id,
        profile_id=wanted.profile_id,
        name=checked_name(wanted.name),
        email=checked_optional(wanted.email, "email"),
        phone=checked_optional(wanted.phone, "phone"),
        locale=wanted.locale,
        created_at=now,
        discontinue_on=wanted.discontinue_on,
    )
    limit = credit_limit(profile.profile)
    store.insert_customer(tx, row, currency=operator.currency, credit_limit_micros=limit)
    detail: dict[str, object] = {"name": row.name, "profile": row.profile_id}
    audit_customer(context, tx, row, "customer.add", now, detail)
    return row


def _insert_subscription(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    wanted: NewSubscription,
    now: datetime,
) -> int:
    name = checked_username(wanted.username)
    credential = checked_credential(wanted.password, wanted.nt_hash, wanted.pbkdf2)
    for field_name in ("speed_up_kbps", "speed_down_kbps"):
        checked_number(getattr(wanted, field_name), field_name)
    if customer.closed_at is not None:
        raise Refused(f"customer {customer.customer_id} is closed", field="customer")
    if store.find_login(tx, name) is not None:
        raise Conflict(f"the user name {name!r} is taken", field="username")
    profile = catalog.get_profile(tx, wanted.profile_id or customer.profile_id)
    if profile is None:
        raise NotFound(f"no billing profile has the number {wanted.profile_id}", field="profile")
    settings = AccessSettings(
        macs=tuple(wanted.macs),
        nas_ids=tuple(wanted.nas_ids),
        login_hours=wanted.login_hours,
        session_limit=wanted.session_limit,
        framed_ip=wanted.framed_ip,
    )
    settings = checked_settings(tx, settings, org_id=customer.org_id, now=now, username=name)
    row = tables.Subscription(
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        username=name,
        profile_id=wanted.profile_id,
        wallet_id=_wallet_for(tx, customer, profile.profile, own=wanted.own_wallet),
        plan_version_id=_plan_for(tx, wanted.plan_id, profile.profile.kind, now),
        requires_entitlement=profile.profile.kind is BillingKind.DAILY,
        nt_hash=credential.nt_hash,
        pbkdf2=credential.pbkdf2,
        speed_up_kbps=wanted.speed_up_kbps,
        speed_down_kbps=wanted.speed_down_kbps,
        created_at=now,
    )
    write_settings(row, settings)
    subscription_id = store.insert_subscription(tx, row)
    if credential.cleartext is not None:
        # The sealed value is bound to the row's number, so it comes after the row.
        row.secret_sealed = context.box.seal(
            credential.cleartext, f"subscription:{subscription_id}"
        )
    enforcement.reconcile(tx, context, customer.customer_id, now)
    # What day 1 of the month would have issued, had it been known (rule B7).
    issued = due_bills.issue_due(tx, context, [customer.customer_id], now)
    detail: dict[str, object] = {"username": name, "plan": wanted.plan_id}
    audit_customer(context, tx, customer, "subscription.add", now, detail, subscription_id)
    cycle_bills.note_issued(tx, context, issued, now)
    return subscription_id


def _wallet_for(
    tx: Transaction, customer: tables.Customer, profile: BillingProfile, *, own: bool
) -> int:
    first = store.wallets_of(tx, customer.customer_id)[0]
    if not own:
        return first.wallet_id
    limit = credit_limit(profile)
    return store.insert_wallet(tx, customer, currency=first.currency, credit_limit_micros=limit)


def _plan_for(tx: Transaction, plan_id: int | None, kind: BillingKind, now: datetime) -> int | None:
    if plan_id is None:
        return None
    plan = catalog.get_plan(tx, plan_id, now)
    if plan is None:
        raise NotFound(f"no plan has the number {plan_id}", field="plan")
    if problem := sale_problem(plan.terms, kind):
        raise Refused(problem, field="plan")
    return plan.terms.plan_version_id


def read_customer(tx: Transaction, customer_id: int) -> CustomerView:
    """As it is now in this transaction. Raises NotFound."""
    found = store.customer_view(tx, customer_id)
    if found is None:
        raise NotFound(f"no customer has the number {customer_id}", field="customer")
    return found


def finish(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    """Bring running sessions in line with the change, then record it (the log comes last)."""
    enforcement.reconcile(tx, context, row.customer_id, now)
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"subscription:{row.subscription_id}",
        detail={"username": row.username, **detail},
    )


def audit_customer(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    action: str,
    now: datetime,
    detail: dict[str, object],
    subscription_id: int | None = None,
) -> None:
    """One line about the customer, or one of its subscriptions; last in a transaction."""
    subject = f"customer:{customer.customer_id}"
    if subscription_id is not None:
        subject = f"subscription:{subscription_id}"
    audit.append(
        tx,
        at=now,
        org_id=customer.org_id,
        actor=context.actor,
        action=action,
        subject=subject,
        detail=detail,
    )
