"""Customers, their wallets, logins and subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.orm import Session

from billing.model.events import fold_station, fold_username
from billing.model.own_reply import OwnReply, attributes_of
from billing.model.profile import BillingProfile
from billing.model.views import CustomerView, WalletView
from billing.store import tables
from billing.store.catalog import profile_of
from billing.store.guard import unique
from billing.store.pool import named_query
from billing.store.usage import uninvoiced


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSubscription:
    """What a list shows of a subscription, but for its state; see SubscriptionRow."""

    customer_id: int
    subscription_id: int
    org_id: int
    username: str
    customer_name: str
    profile_name: str
    plan_name: str | None
    framed_ip: str | None
    closed_at: datetime | None
    valid_until: datetime | None
    seconds_left: int | None
    seconds_total: int | None
    octets_left: int | None
    octets_total: int | None
    live_sessions: int


def lock_customer(tx: Session, customer_id: int) -> tables.Customer | None:
    """Take the customer's row lock: first of all in every service that touches one (F15)."""
    return tx.get(
        tables.Customer, customer_id, with_for_update={"key_share": True}, populate_existing=True
    )


def lock_customers(tx: Session, customer_ids: Sequence[int]) -> None:
    """The same for several, in the order in which everybody takes them."""
    customer = tables.Customer
    tx.execute(
        select(customer.customer_id)
        .where(customer.customer_id.in_(customer_ids))
        .order_by(customer.customer_id)
        .with_for_update(key_share=True)
    )


def organisations_of(tx: Session, customer_ids: Sequence[int]) -> list[int]:
    """Ids of the organisations that these customers belong to, ascending."""
    org_id = tables.Customer.org_id
    found = select(org_id).where(tables.Customer.customer_id.in_(customer_ids)).distinct()
    return list(tx.scalars(found.order_by(org_id)))


def look_again(tx: Session, moments: Mapping[tuple[int, int], datetime]) -> None:
    """Have the sweep look at subscriptions (customer and own number) at these moments, if not
    before."""
    if moments:
        tx.connection().exec_driver_sql(
            named_query("look_again"),
            {
                "customer_ids": [customer_id for customer_id, _ in moments],
                "subscription_ids": [subscription_id for _, subscription_id in moments],
                "moments": list(moments.values()),
            },
        )


def set_packages_until(tx: Session, until: Mapping[tuple[int, int], date]) -> None:
    """Note up to before which local days packages have come, by customer and subscription."""
    if until:
        tx.connection().exec_driver_sql(
            named_query("set_packages_until"),
            {
                "customer_ids": [customer_id for customer_id, _ in until],
                "subscription_ids": [subscription_id for _, subscription_id in until],
                "days": list(until.values()),
            },
        )


def set_renewal(
    tx: Session,
    key: tuple[int, int],
    *,
    on_hold_since: datetime | None,
    renews_at: datetime | None,
    billed_from: date | None = None,
) -> None:
    """Of a subscription (customer and own number): since when its billing is on hold, when its next
    period is to be paid, and, where it is given, from which local day on it is billed."""
    row = tables.Subscription
    values: dict[str, object] = {"on_hold_since": on_hold_since, "renews_at": renews_at}
    if billed_from is not None:
        values["billed_from"] = billed_from
    tx.execute(
        update(row).where(row.customer_id == key[0], row.subscription_id == key[1]).values(values)
    )


def customer_of(tx: Session, subscription_id: int) -> int | None:
    """The customer that a subscription belongs to."""
    return tx.scalar(
        select(tables.Subscription.customer_id).where(
            tables.Subscription.subscription_id == subscription_id
        )
    )


def find_login(tx: Session, username: str) -> tuple[int, int] | None:
    """Customer and subscription of a folded user name."""
    row = tx.get(tables.Login, username)
    return (row.customer_id, row.subscription_id) if row else None


def find_customers(tx: Session, name: str) -> list[int]:
    """Ids of the customers with exactly this name, at most ten."""
    statement = select(tables.Customer.customer_id).where(tables.Customer.name == name)
    return list(tx.scalars(statement.order_by(tables.Customer.customer_id).limit(10)))


def insert_customer(
    tx: Session, row: tables.Customer, *, currency: str, credit_limit_micros: int
) -> int:
    """The customer and its wallet (rule P1); returns the customer's id."""
    tx.add(row)
    tx.flush()
    insert_wallet(tx, row, currency=currency, credit_limit_micros=credit_limit_micros)
    return row.customer_id


def insert_wallet(
    tx: Session, customer: tables.Customer, *, currency: str, credit_limit_micros: int
) -> int:
    """Returns the id of a new, empty wallet of the customer."""
    wallet = tables.Wallet(
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        currency=currency,
        credit_limit_micros=credit_limit_micros,
        created_at=customer.created_at,
    )
    tx.add(wallet)
    tx.flush()
    return wallet.wallet_id


def set_credit_limit(tx: Session, customer_id: int, wallet_id: int, limit_micros: int) -> None:
    """How far below zero a wallet may go (rule P12); the customer is locked already."""
    row = tables.Wallet
    tx.execute(
        update(row)
        .where(row.customer_id == customer_id, row.wallet_id == wallet_id)
        .values(credit_limit_micros=limit_micros)
    )


def insert_subscription(tx: Session, row: tables.Subscription) -> int:
    """The subscription and its login; returns its id. Raises Conflict when the name is taken."""
    tx.add(row)
    tx.flush()
    login = tables.Login(
        username=row.username,
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        org_id=row.org_id,
    )
    with unique(tx, f"the user name {row.username!r} is taken", field="username"):
        tx.add(login)
    return row.subscription_id


def get_subscription(tx: Session, subscription_id: int) -> tables.Subscription | None:
    """The row, for the services in this transaction only; never handed out."""
    return tx.scalar(
        select(tables.Subscription).where(tables.Subscription.subscription_id == subscription_id)
    )


def own_reply(row: tables.Subscription) -> OwnReply:
    """What the subscription alone is sent."""
    return OwnReply(
        framed_ipv6_prefix=_text(row.framed_ipv6_prefix),
        delegated_ipv6_prefix=_text(row.delegated_ipv6_prefix),
        framed_ipv6_address=_text(row.framed_ipv6_address),
        attributes=attributes_of(row.reply_attributes),
    )


def _text(address: object) -> str | None:
    """An address as the driver reads it."""
    return None if address is None else str(address)


def ipv6_taken(tx: Session, subscription_id: int, wanted: str, now: datetime) -> bool:
    """Whether an address or prefix overlaps another subscription's in any organisation; nobody
    else is told a fixed one until this transaction ends."""
    prefixes = cast([wanted], ARRAY(INET()))
    return bool(tx.scalar(select(func.ipv6_taken_v1(now, subscription_id, prefixes))))


def subscriptions_of(tx: Session, customer_id: int) -> list[tables.Subscription]:
    """The customer's subscriptions in the order they were added."""
    return list(
        tx.scalars(
            select(tables.Subscription)
            .where(tables.Subscription.customer_id == customer_id)
            .order_by(tables.Subscription.subscription_id)
        )
    )


def subscriptions_of_all(tx: Session, customer_ids: Sequence[int]) -> list[tables.Subscription]:
    """The subscriptions of several customers."""
    row = tables.Subscription
    return list(tx.scalars(select(row).where(row.customer_id.in_(customer_ids))))


def effective_profile(tx: Session, subscription: tables.Subscription) -> BillingProfile:
    """The subscription's own billing profile where it has one, else its customer's."""
    return profile_of(effective_profile_row(tx, subscription))


def effective_profile_row(tx: Session, subscription: tables.Subscription) -> tables.BillingProfile:
    """The same with what is stored beside the switches."""
    profile_id = subscription.profile_id
    if profile_id is None:
        customer = tx.get_one(tables.Customer, subscription.customer_id)
        profile_id = customer.profile_id
    return tx.get_one(tables.BillingProfile, profile_id)


def customer_view(tx: Session, customer_id: int) -> CustomerView | None:
    """The customer with its wallets and the ids of its subscriptions."""
    row = tx.get(tables.Customer, customer_id)
    if row is None:
        return None
    profile = tx.get_one(tables.BillingProfile, row.profile_id)
    return CustomerView(
        customer_id=row.customer_id,
        org_id=row.org_id,
        name=row.name,
        email=row.email,
        phone=row.phone,
        locale=row.locale,
        alert_addresses=tuple(row.alert_addresses),
        alert_numbers=tuple(row.alert_numbers),
        profile_id=row.profile_id,
        profile_name=profile.name,
        created_at=row.created_at,
        closed_at=row.closed_at,
        discontinue_on=row.discontinue_on,
        promise_until=row.promise_until,
        monthly_statement=row.monthly_statement,
        wallets=tuple(_with_uninvoiced(tx, customer_id)),
        subscription_ids=tuple(s.subscription_id for s in subscriptions_of(tx, customer_id)),
    )


def wallets_of(tx: Session, customer_id: int) -> list[WalletView]:
    """The customer's wallets, its own (the first made) first."""
    rows = tx.scalars(
        select(tables.Wallet)
        .where(tables.Wallet.customer_id == customer_id)
        .order_by(tables.Wallet.wallet_id)
        .execution_options(populate_existing=True)
    )
    return [wallet_view(row) for row in rows]


def _with_uninvoiced(tx: Session, customer_id: int) -> list[WalletView]:
    found = uninvoiced(tx, [customer_id])
    return [
        replace(wallet, uninvoiced_micros=found[wallet.wallet_id].micros)
        if wallet.wallet_id in found
        else wallet
        for wallet in wallets_of(tx, customer_id)
    ]


def wallet_view(row: tables.Wallet) -> WalletView:
    """The wallet as services hand it out."""
    return WalletView(
        wallet_id=row.wallet_id,
        currency=row.currency,
        posted_micros=row.posted_micros,
        unposted_micros=row.unposted_micros,
        reserved_micros=row.reserved_micros,
        credit_limit_micros=row.credit_limit_micros,
    )


def search(
    tx: Session, text: str, *, after: str | None, limit: int, closed: bool
) -> list[tuple[int, str]]:
    """(subscription id, user name) by user name, of what matches `text` anywhere; '' is all."""
    wanted = text.strip()
    result = tx.connection().exec_driver_sql(
        named_query("search_subscriptions"),
        {
            "text": wanted or None,
            "username": fold_username(wanted),
            "station": fold_station(wanted),
            "looks_like_station_or_address": any(mark in wanted for mark in ".:-")
            or len(wanted) == 12,
            "after": after,
            "closed": closed,
            "limit": limit,
        },
    )
    return [(row[0], row[1]) for row in result]


def listed(tx: Session, subscription_ids: Iterable[int], now: datetime) -> list[ListedSubscription]:
    """What a list shows of these subscriptions, by user name."""
    result = tx.connection().exec_driver_sql(
        named_query("subscription_rows"), {"subscription_ids": list(subscription_ids), "now": now}
    )
    return [ListedSubscription(**row._mapping) for row in result]
