"""Customers and their subscriptions: made, changed, held, closed (rules S1–S3, P1, A1, A2).

Every service here locks the customer first (radius.md F15) and, at its end, has enforcement bring
running sessions in line with the new state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.account import HoldBehaviour
from billing.model.profile import BillingKind
from billing.model.views import CustomerView
from billing.rules.plans import sale_problem
from billing.services import enforcement
from billing.services.catalog import credit_limit
from billing.services.context import Context
from billing.services.identity import (
    checked_address,
    checked_credential,
    checked_login_hours,
    checked_mac,
    checked_name,
    checked_optional,
    checked_username,
)
from billing.store import audit, catalog, tables
from billing.store import customers as store
from billing.store.guard import Transaction


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
    row = tables.Customer(
        org_id=context.home_org_id,
        profile_id=profile_id,
        name=checked_name(name),
        email=checked_optional(email, "email"),
        phone=checked_optional(phone, "phone"),
        locale=locale,
        created_at=now,
        discontinue_on=discontinue_on,
    )
    with context.transaction() as tx:
        profile = catalog.get_profile(tx, profile_id)
        operator = catalog.operator(tx)
        if profile is None or profile.archived_at is not None:
            raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
        if operator is None:
            raise NotFound("the installation has no operator yet; run `tollway migrate`")
        customer_id = store.insert_customer(
            tx,
            row,
            currency=operator.currency,
            credit_limit_micros=credit_limit(profile.profile),
        )
        _audit(context, tx, row, "customer.add", now, {"name": row.name, "profile": profile_id})
        return _customer(tx, customer_id)


def get_customer(context: Context, customer_id: int) -> CustomerView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return _customer(tx, customer_id)


def find_customer(context: Context, name: str) -> CustomerView:
    """By number, or by exact name where only one has it. Raises NotFound, Conflict."""
    with context.transaction() as tx:
        if name.isascii() and name.isdigit() and len(name) < 19:
            return _customer(tx, int(name))
        found = store.find_customers(tx, name)
        if len(found) > 1:
            numbers = ", ".join(map(str, found))
            raise Conflict(
                f"several customers are named {name!r}: give one of the numbers {numbers}",
                field="customer",
            )
        if not found:
            raise NotFound(f"no customer is named {name!r}", field="customer")
        return _customer(tx, found[0])


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
    """A RADIUS identity of the customer; returns its subscription id.

    `plan_id`: the plan it is on from the start; a daily subscriber still has to buy (rule B3).
    `profile_id`: a billing profile of its own. Raises InvalidInput, NotFound, Refused (the plan
    does not fit the billing profile, rule B5), Conflict (the user name is taken).
    """
    name = checked_username(username)
    credential = checked_credential(password, nt_hash, pbkdf2)
    for field, value in (
        ("session_limit", session_limit),
        ("speed_up_kbps", speed_up_kbps),
        ("speed_down_kbps", speed_down_kbps),
    ):
        if value is not None and not 1 <= value < 2**32:
            raise InvalidInput("must be at least 1", field=field)
    with changing_customer(context, customer_id) as (tx, customer):
        if customer.closed_at is not None:
            raise Refused(f"customer {customer_id} is closed", field="customer")
        taken = store.find_login(tx, name)
        if taken is not None:
            raise Conflict(f"the user name {name!r} is taken", field="username")
        profile = catalog.get_profile(tx, profile_id or customer.profile_id)
        if profile is None:
            raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
        plan = None if plan_id is None else catalog.get_plan(tx, plan_id, now)
        if plan_id is not None and plan is None:
            raise NotFound(f"no plan has the number {plan_id}", field="plan")
        if plan is not None and (problem := sale_problem(plan.terms, profile.profile.kind)):
            raise Refused(problem, field="plan")
        wallet_id = store.wallets_of(tx, customer_id)[0].wallet_id
        if own_wallet:
            operator = catalog.operator(tx)
            wallet_id = store.insert_wallet(
                tx,
                customer,
                currency=operator.currency if operator else "",
                credit_limit_micros=credit_limit(profile.profile),
            )
        row = tables.Subscription(
            customer_id=customer_id,
            org_id=customer.org_id,
            username=name,
            profile_id=profile_id,
            wallet_id=wallet_id,
            plan_version_id=None if plan is None else plan.terms.plan_version_id,
            requires_entitlement=profile.profile.kind is BillingKind.DAILY,
            nt_hash=credential.nt_hash,
            pbkdf2=credential.pbkdf2,
            framed_ip=None if framed_ip is None else checked_address(framed_ip),
            speed_up_kbps=speed_up_kbps,
            speed_down_kbps=speed_down_kbps,
            allowed_nas_ids=sorted(set(nas_ids)) or None,
            allowed_macs=sorted({checked_mac(mac) for mac in macs}) or None,
            login_hours=None if login_hours is None else checked_login_hours(login_hours),
            session_limit=session_limit,
            created_at=now,
        )
        subscription_id = store.insert_subscription(tx, row)
        if credential.cleartext is not None:
            # The sealed value is bound to the row's number, so it comes after the row.
            row.secret_sealed = context.box.seal(
                credential.cleartext, f"subscription:{subscription_id}"
            )
        enforcement.reconcile(tx, context, customer_id, now)
        detail: dict[str, object] = {"username": name, "plan": plan.name if plan else None}
        _audit(context, tx, customer, "subscription.add", now, detail, subscription_id)
    return subscription_id


def set_password(context: Context, subscription_id: int, password: str, now: datetime) -> None:
    """Replace whatever credential there is. Raises InvalidInput, NotFound."""
    credential = checked_credential(password, None, None)
    with changing(context, subscription_id) as (tx, row):
        row.secret_sealed = context.box.seal(
            credential.cleartext or "", f"subscription:{subscription_id}"
        )
        row.nt_hash = row.pbkdf2 = None
        _finish(context, tx, row, "subscription.password", now, {})


def suspend(
    context: Context,
    subscription_id: int,
    *,
    note: str,
    now: datetime,
    until: datetime | None = None,
    behaviour: HoldBehaviour = HoldBehaviour.REJECT,
) -> None:
    """Suspended by staff until `until`, or until staff lifts it (rule S2).

    Raises InvalidInput, NotFound, Refused when the suspended pool is asked for and the billing
    profile has none.
    """
    reason = checked_name(note, "note")
    if until is not None and until <= now:
        raise InvalidInput("lies in the past", field="until")
    with changing(context, subscription_id) as (tx, row):
        profile = store.effective_profile(tx, row)
        if behaviour is HoldBehaviour.SUSPENDED_POOL and profile.suspended_pool is None:
            raise Refused(
                f"the billing profile {profile.name!r} has no suspended pool; set one or reject",
                field="behaviour",
            )
        row.hold_note, row.hold_until, row.hold_behaviour = reason, until, behaviour.value
        detail: dict[str, object] = {"note": reason, "until": until, "behaviour": behaviour.value}
        _finish(context, tx, row, "subscription.suspend", now, detail)


def pause(context: Context, subscription_id: int, now: datetime) -> None:
    """Paused by the customer or staff (rule S3); bought validity runs on."""
    with changing(context, subscription_id) as (tx, row):
        if row.paused_at is not None:
            raise Refused("the subscription is paused already")
        row.paused_at = now
        _finish(context, tx, row, "subscription.pause", now, {})


def resume(context: Context, subscription_id: int, now: datetime) -> None:
    """End a staff suspension and a pause; whatever else holds the service stays held (P9)."""
    with changing(context, subscription_id) as (tx, row):
        held = row.hold_behaviour is not None and (row.hold_until is None or row.hold_until > now)
        if not held and row.paused_at is None:
            raise Refused("the subscription is neither suspended by staff nor paused")
        row.hold_note = row.hold_until = row.hold_behaviour = row.paused_at = None
        _finish(context, tx, row, "subscription.resume", now, {})


def close(context: Context, subscription_id: int, now: datetime) -> None:
    """Closed for good (rule S1); the user name stays taken, records stay."""
    with changing(context, subscription_id) as (tx, row):
        if row.closed_at is not None:
            raise Refused("the subscription is closed already")
        row.closed_at = now
        _finish(context, tx, row, "subscription.close", now, {})


def reopen(context: Context, subscription_id: int, now: datetime) -> None:
    """Undo a closing (rule S1)."""
    with changing(context, subscription_id) as (tx, row):
        if row.closed_at is None:
            raise Refused("the subscription is not closed")
        row.closed_at = None
        _finish(context, tx, row, "subscription.reopen", now, {})


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
    """A transaction that holds the customer's row lock (radius.md F15). Raises NotFound."""
    with context.transaction() as tx:
        customer = store.lock_customer(tx, customer_id)
        if customer is None:
            raise NotFound(f"no customer has the number {customer_id}", field="customer")
        yield tx, customer


@contextmanager
def changing(
    context: Context, subscription_id: int
) -> Iterator[tuple[Transaction, tables.Subscription]]:
    """A transaction on one subscription, its customer's row locked first. Raises NotFound."""
    with context.transaction() as tx:
        customer_id = store.customer_of(tx, subscription_id)
        if customer_id is None or store.lock_customer(tx, customer_id) is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        row = store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound("the subscription has been moved", field="subscription")
        yield tx, row


def _customer(tx: Transaction, customer_id: int) -> CustomerView:
    found = store.customer_view(tx, customer_id)
    if found is None:
        raise NotFound(f"no customer has the number {customer_id}", field="customer")
    return found


def _finish(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    """Bring running sessions in line with the change, then record it (the log comes last)."""
    tx.flush()
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


def _audit(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    action: str,
    now: datetime,
    detail: dict[str, object],
    subscription_id: int | None = None,
) -> None:
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
