"""Charges and discounts that bills carry beside the plan (rule I1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.charges import ChargeKind, Extra
from billing.rules.cycles import local_day
from billing.rules.extras import PPM
from billing.rules.moves import bills_by_itself
from billing.rules.profiles import TAX_LIMIT_PPM
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.customers import audit_customer, changing
from billing.services.issuing import operator_of
from billing.services.settling import checked_amount
from billing.store import charges as store
from billing.store import customers, ledger, tables
from billing.store.guard import Transaction

TEXT_MOST = 200
_ONE_DAY = timedelta(days=1)


def add_charge(
    context: Context,
    subscription_id: int,
    kind: ChargeKind,
    text: str,
    now: datetime,
    *,
    price_micros: int = 0,
    discount_ppm: int = 0,
    tax_rate_ppm: int | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
    idempotency_key: str | None = None,
) -> Extra:
    """Agree on a charge or a discount from the local day `starts_on` (today) to before `ends_on`;
    the next bills carry it. Of cycles that are billed already a charge's days are caught up, a
    discount's are not. A one-off charge is due on its first day. `tax_rate_ppm`: its own, else the
    profile's (rule I1). With a key the same command acts once (rule M5).

    Raises InvalidInput, NotFound, Refused (nothing bills the subscription by itself), Conflict.
    """
    with changing(context, subscription_id) as (tx, row):
        wanted = tables.Charge(
            customer_id=row.customer_id,
            org_id=row.org_id,
            subscription_id=subscription_id,
            kind=kind.value,
            text=_checked_text(text),
            price_micros=_checked_price(tx, row, kind, price_micros),
            discount_ppm=_checked_discount(kind, discount_ppm),
            tax_rate_ppm=_checked_tax(kind, tax_rate_ppm),
            starts_on=starts_on,
            ends_on=ends_on,
            created_at=now,
        )
        if idempotency_key is None:
            return _add(context, tx, row, wanted, now)
        extra = run_once(
            tx,
            Extra,
            customer_id=row.customer_id,
            key=idempotency_key,
            content={
                "command": "charge",
                "subscription": subscription_id,
                "kind": kind,
                "text": wanted.text,
                "price": price_micros,
                "discount": discount_ppm,
                "starts_on": starts_on,
                "ends_on": ends_on,
                **({} if tax_rate_ppm is None else {"tax_rate": tax_rate_ppm}),
            },
            now=now,
            act=lambda: _add(context, tx, row, wanted, now),
        )
        return replace(extra, kind=ChargeKind(extra.kind))


def _add(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    wanted: tables.Charge,
    now: datetime,
) -> Extra:
    if not bills_by_itself(customers.effective_profile(tx, row)):
        raise Refused(
            "its profile issues no bills automatically, so nothing would bill the charge (B7)",
            field="subscription",
        )
    wanted.starts_on = wanted.starts_on or local_day(now, operator_of(tx).time_zone)
    if wanted.kind == ChargeKind.ONE_OFF:
        wanted.ends_on = wanted.starts_on + _ONE_DAY
    if wanted.ends_on is not None and wanted.ends_on <= wanted.starts_on:
        raise InvalidInput(f"must lie after {wanted.starts_on}", field="ends_on")
    store.insert(tx, wanted)
    extra = _found(tx, row.customer_id, wanted.charge_id)
    _audit(context, tx, row, "charge.add", extra, now)
    return extra


def end_charge(
    context: Context, subscription_id: int, charge_id: int, on: date, now: datetime
) -> Extra:
    """Its last day is the one before the local day `on`. Raises NotFound, InvalidInput (days from
    `on` on are billed already; take the bill back first), Refused (it has ended)."""
    with changing(context, subscription_id) as (tx, row):
        charge = _charge(tx, row, charge_id)
        known = _found(tx, row.customer_id, charge_id)
        if charge.ends_on is not None and charge.ends_on <= on:
            raise Refused(f"it ends on {charge.ends_on} already", field="on")
        earliest = max(known.billed_until or charge.starts_on, charge.starts_on + _ONE_DAY)
        if on < earliest:
            raise InvalidInput(
                f"the earliest is {earliest}, as bills hold the days before it", field="on"
            )
        charge.ends_on = on
        tx.flush()
        extra = _found(tx, row.customer_id, charge_id)
        _audit(context, tx, row, "charge.end", extra, now)
        return extra


def waive_charge(context: Context, subscription_id: int, charge_id: int, now: datetime) -> Extra:
    """Let a one-off charge go that no bill holds yet: no bill will. Raises NotFound, Refused (it is
    billed: credit the bill; it is no one-off charge: end it; it was waived before)."""
    with changing(context, subscription_id) as (tx, row):
        charge = _charge(tx, row, charge_id)
        known = _found(tx, row.customer_id, charge_id)
        if known.kind is not ChargeKind.ONE_OFF:
            raise Refused("only a one-off charge is waived; end this one", field="charge")
        if known.billed_until is not None:
            raise Refused("a bill holds it already; credit that bill", field="charge")
        if charge.waived_at is not None:
            raise Refused("it was waived already", field="charge")
        charge.waived_at = now
        tx.flush()
        extra = _found(tx, row.customer_id, charge_id)
        _audit(context, tx, row, "charge.waive", extra, now)
        return extra


def charges_of(context: Context, subscription_id: int) -> Sequence[Extra]:
    """All of a subscription's charges and discounts, also those that are over. Raises NotFound."""
    with changing(context, subscription_id) as (tx, row):
        found = store.extras_of(tx, [row.customer_id], with_ended=True)
        return [extra for extra in found if extra.subscription_id == subscription_id]


def charges_of_customer(context: Context, customer_id: int) -> Sequence[Extra]:
    """Of all its subscriptions, also those that are over."""
    with context.transaction() as tx:
        return store.extras_of(tx, [customer_id], with_ended=True)


def _charge(tx: Transaction, row: tables.Subscription, charge_id: int) -> tables.Charge:
    charge = store.get(tx, row.customer_id, charge_id)
    if charge is None or charge.subscription_id != row.subscription_id:
        raise NotFound(f"{row.username} has no charge with the number {charge_id}", field="charge")
    return charge


def _found(tx: Transaction, customer_id: int, charge_id: int) -> Extra:
    (extra,) = (
        one
        for one in store.extras_of(tx, [customer_id], with_ended=True)
        if one.charge_id == charge_id
    )
    return extra


def _checked_text(text: str) -> str:
    text = text.strip()
    if not text or len(text) > TEXT_MOST:
        raise InvalidInput(f"must have 1 to {TEXT_MOST} characters", field="text")
    return text


def _checked_price(
    tx: Transaction, row: tables.Subscription, kind: ChargeKind, price_micros: int
) -> int:
    if kind is ChargeKind.DISCOUNT:
        if price_micros:
            raise InvalidInput("a discount is a share of the plan's price", field="price")
        return 0
    wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
    return checked_amount(price_micros, wallet.currency, field="price").amount_micros


def _checked_discount(kind: ChargeKind, discount_ppm: int) -> int:
    if kind is not ChargeKind.DISCOUNT:
        if discount_ppm:
            raise InvalidInput("only a discount has a percentage", field="percent")
        return 0
    if not 0 < discount_ppm <= PPM:
        raise InvalidInput("must be more than 0 and at most 100", field="percent")
    return discount_ppm


def _checked_tax(kind: ChargeKind, tax_rate_ppm: int | None) -> int | None:
    if tax_rate_ppm is None:
        return None
    if kind is ChargeKind.DISCOUNT:
        raise InvalidInput("a discount has the tax of the plan that it is on", field="tax_percent")
    if not 0 <= tax_rate_ppm <= TAX_LIMIT_PPM:
        raise InvalidInput("must be 0 % to 100 %", field="tax_percent")
    return tax_rate_ppm


def _audit(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    action: str,
    extra: Extra,
    now: datetime,
) -> None:
    customer = customers.lock_customer(tx, row.customer_id)
    if customer is None:  # it was locked a moment ago
        raise NotFound(f"no customer has the number {row.customer_id}", field="customer")
    detail: dict[str, object] = {
        "charge": extra.charge_id,
        "kind": extra.kind,
        "text": extra.text,
        "price_micros": extra.price_micros,
        "discount_ppm": extra.discount_ppm,
        "tax_rate_ppm": extra.tax_rate_ppm,
        "starts_on": extra.starts_on,
        "ends_on": extra.ends_on,
    }
    audit_customer(context, tx, customer, action, now, detail, row.subscription_id)
