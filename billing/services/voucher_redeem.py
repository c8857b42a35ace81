"""A voucher is redeemed, once (rule R3): what is owed for it becomes a wallet's money or a package.

The customers concerned are locked first, then the voucher's row: whoever comes second finds it
redeemed. What is refused leaves everything as it was, but for the count of wrong codes.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.self_care import SubscriberLogin
from billing.model.vouchers import Redemption, VoucherState, serial_text
from billing.rules.cycles import local_day
from billing.rules.vouchers import canonical, could_be_code
from billing.services import brands, limits, voucher_guesses, voucher_keys
from billing.services.bills import tx_customer
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.money_in import credit_wallet
from billing.services.sales import sell_for_voucher
from billing.services.voucher_keys import Keys
from billing.services.voucher_sales import begun, close_logins
from billing.store import audit, catalog, customers, gateways, messages, tables
from billing.store import vouchers as store
from billing.store.guard import Transaction

_NOBODYS = "no voucher has this code, or not with this password; look at the card again"
_WORDS = {
    VoucherState.CREATED: "was not sold yet",
    VoucherState.REDEEMED: "was redeemed already",
    VoucherState.EXPIRED: "has expired",
    VoucherState.REVOKED: "was revoked",
    VoucherState.REPLACED: "was replaced by another card",
}


def redeem(
    context: Context,
    code: str,
    customer_id: int,
    *,
    source: str,
    idempotency_key: str,
    now: datetime,
    password: str = "",
    subscription_id: int | None = None,
    known: bool = False,
) -> Redemption:
    """Redeem a code for a customer: money for the wallet, or a package for the subscription, by
    default the customer's only one. `password`: of a card that has one; the code alone is too easy
    to guess then. `source` says who types it, for the throttle; `known`: staff.

    Raises InvalidInput (a typing error), NotFound (nobody's code, no such customer), Conflict (rule
    M5), Refused (the voucher's state, the throttle, and whatever refuses the sale).
    """
    text = canonical(code)
    if not could_be_code(text):
        raise InvalidInput("a character is wrong or missing; look at the card again", field="code")
    voucher_guesses.check(context, source, now, known=known)
    with context.transaction() as tx:
        keys = voucher_keys.known(context, tx)
        found = store.by_hashes(tx, [key.code_hash(text) for key in keys])
        if found is not None and is_right(tx, keys, found, text, password):
            return _redeem(
                _Redemption(
                    context, tx, found.serial, found.customer_id, customer_id, subscription_id, now
                ),
                idempotency_key,
            )
    voucher_guesses.count_failure(context, source, now)
    raise NotFound(_NOBODYS, field="code")


def redeem_own(
    nobody: Context,
    login: SubscriberLogin,
    code: str,
    *,
    idempotency_key: str,
    now: datetime,
    password: str = "",
) -> Redemption:
    """Redeem a code for the subscription that is logged in. A card is good for whoever holds it,
    so the voucher's organisation is seen, too, and those above; the customer is the login's alone.
    `nobody`: the context of who is not logged in. Raises as `redeem`."""
    text = canonical(code)
    with nobody.transaction() as tx:
        known = None
        if could_be_code(text):
            hashes = [key.code_hash(text) for key in voucher_keys.known(nobody, tx)]
            known = store.organisation_of(tx, hashes)
        org_ids = {
            above
            for org_id in (login.org_id, known)
            if org_id is not None
            for above in gateways.organisations_above(tx, org_id)
        }
    actor = f"subscriber:{login.username}"
    return redeem(
        replace(nobody, actor=actor, home_org_id=login.org_id, org_ids=tuple(sorted(org_ids))),
        code,
        login.customer_id,
        source=f"customer:{login.customer_id}",
        idempotency_key=idempotency_key,
        now=now,
        password=password,
        subscription_id=login.subscription_id,
    )


def is_right(tx: Transaction, keys: Keys, found: tables.Voucher, text: str, password: str) -> bool:
    """Whether the code is this voucher's, and the password beside it, compared in constant time."""
    form = store.format_of(tx.get_one(tables.VoucherBatch, found.batch_id))
    right = False
    for key in keys:
        wanted = key.password_of(text, form)
        typed = canonical(password) if wanted else ""
        is_its = hmac.compare_digest(found.code_hmac, key.code_hash(text))
        right |= hmac.compare_digest(typed.encode(), wanted.encode()) and is_its
    return right


def check_login(tx: Transaction, voucher: tables.Voucher, now: datetime) -> SubscriberLogin:
    """Whose service a voucher logs in to, also after its first login. Raises Refused (its state, or
    it is none to log in by)."""
    if voucher.state == VoucherState.REDEEMED:
        logs_in = voucher.login_name is not None
    else:
        logs_in = voucher.state == VoucherState.ACTIVE and begun(tx, voucher)
    if not logs_in:
        _check(tx, voucher, now)
    if voucher.login_name is None or voucher.customer_id is None:
        raise Refused(
            f"voucher {serial_text(voucher.serial)} is for an account: log in at your provider's "
            "pages and redeem it there",
            field="code",
        )
    return SubscriberLogin(
        customer_id=voucher.customer_id,
        subscription_id=voucher.subscription_id or 0,
        org_id=voucher.org_id,
        username=voucher.login_name,
    )


@dataclass(frozen=True, slots=True)
class _Redemption:
    context: Context
    tx: Transaction
    serial: int
    holder_id: int | None
    """Who waits to log in by it, when it was looked up."""
    customer_id: int
    subscription_id: int | None
    now: datetime


def _redeem(one: _Redemption, key: str) -> Redemption:
    tx = one.tx
    limits.check_no_account(tx, one.customer_id)
    others = [] if one.holder_id is None else [one.holder_id]
    customers.lock_customers(tx, [one.customer_id, *others])
    customer = customers.lock_customer(tx, one.customer_id)
    if customer is None:
        raise NotFound(f"no customer has the number {one.customer_id}", field="customer")
    return run_once(
        tx,
        Redemption,
        customer_id=one.customer_id,
        key=key,
        content={
            "command": "redeem",
            "voucher": one.serial,
            "subscription": one.subscription_id,
        },
        now=one.now,
        act=lambda: _act(one, customer),
    )


def _act(one: _Redemption, customer: tables.Customer) -> Redemption:
    tx, now = one.tx, one.now
    voucher = store.by_serial(tx, one.serial, lock=True)
    if voucher is None:
        raise NotFound(_NOBODYS, field="code")
    if voucher.state == VoucherState.ACTIVE and voucher.customer_id != one.holder_id:
        raise Conflict("the voucher was being sold just now; try again", field="code")
    _check(tx, voucher, now)
    batch = tx.get_one(tables.VoucherBatch, voucher.batch_id)
    face = Money(batch.face_micros, batch.currency)
    if customer.closed_at is not None:
        raise Refused(f"customer {customer.customer_id} is closed", field="customer")
    if batch.plan_version_id is None:
        given = _as_money(one, customer, face)
    else:
        given = _as_package(one, batch, batch.plan_version_id, face)
    close_logins(tx, [voucher], now)
    voucher.state, voucher.ended_at = VoucherState.REDEEMED.value, now
    voucher.customer_id, voucher.subscription_id = customer.customer_id, given.subscription_id
    voucher.entitlement_id, voucher.payment_id = given.entitlement_id, given.payment_id
    voucher.login_name = None
    audit.append(
        tx,
        at=now,
        org_id=customer.org_id,
        actor=one.context.actor,
        action="voucher.redeem",
        subject=f"voucher:{voucher.serial}",
        detail={"customer": customer.customer_id, "face_micros": face.amount_micros},
    )
    _tell(tx, customer.customer_id, voucher.serial, face, given, now)
    return Redemption(
        serial=voucher.serial,
        customer_id=customer.customer_id,
        subscription_id=given.subscription_id,
        entitlement_id=given.entitlement_id,
        face_micros=face.amount_micros,
        currency=face.currency,
        plan_name=given.plan_name,
        available_micros=given.available_micros,
        receipt_number=given.receipt_number,
    )


def _tell(
    tx: Transaction, customer_id: int, serial: int, face: Money, given: _Given, now: datetime
) -> None:
    draft = MessageDraft(
        customer_id=customer_id,
        kind=MessageKind.VOUCHER_RECEIPT,
        idempotency_key=f"voucher:{serial}",
        facts={
            "serial": serial_text(serial),
            "plan_name": given.plan_name,
            "amount_micros": face.amount_micros,
            "currency": face.currency,
            "redeemed_on": local_day(now, operator_of(tx).time_zone),
            "available_micros": given.available_micros,
        },
    )
    messages.queue(tx, [draft], now)


def _check(tx: Transaction, voucher: tables.Voucher, now: datetime) -> None:
    """Raises Refused where it is not to be redeemed now, whether a job has been there or not."""
    name = f"voucher {serial_text(voucher.serial)}"
    state = VoucherState(voucher.state)
    if state is VoucherState.ACTIVE and begun(tx, voucher):
        raise Refused(f"{name} is in use: somebody has logged in by it", field="code")
    if voucher.expires_at is not None and voucher.expires_at <= now and state in _USABLE:
        state = VoucherState.EXPIRED
    if state is not VoucherState.ACTIVE:
        ended = state is VoucherState.REDEEMED and voucher.ended_at is not None
        when = f" {voucher.ended_at:%Y-%m-%d %H:%M} UTC" if ended else ""
        raise Refused(f"{name} {_WORDS[state]}{when}: {_ask_seller(tx, voucher)}", field="code")


def _ask_seller(tx: Transaction, voucher: tables.Voucher) -> str:
    """What the holder of a card that does nothing can do; how to reach the reseller whose it is,
    where it says so to its customers."""
    contact = brands.contact_of(tx, voucher.org_id)
    return "ask where you bought it" + (f" ({contact})" if contact else "")


def _other_currency(tx: Transaction, serial: int, face: Money, currency: str) -> Refused:
    voucher = store.by_serial(tx, serial)
    ask = "ask where you bought it" if voucher is None else _ask_seller(tx, voucher)
    return Refused(
        f"the voucher is in {face.currency} and the wallet in {currency}, so it cannot be put "
        f"there; it is still good: {ask}",
        field="code",
    )


_USABLE = (VoucherState.CREATED, VoucherState.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    subscription_id: int | None = None
    entitlement_id: int | None = None
    payment_id: int | None
    plan_name: str | None = None
    available_micros: int
    receipt_number: str | None


def _as_money(one: _Redemption, customer: tables.Customer, face: Money) -> _Given:
    wallets = customers.wallets_of(one.tx, customer.customer_id)
    wallet = wallets[0]
    if one.subscription_id is not None:
        row = _subscription(one)
        wallet = next(known for known in wallets if known.wallet_id == row.wallet_id)
    if wallet.currency != face.currency:
        raise _other_currency(one.tx, one.serial, face, wallet.currency)
    receipt = credit_wallet(
        one.tx,
        one.context,
        customer,
        wallet.wallet_id,
        face,
        MoneyChannel.VOUCHER,
        serial_text(one.serial),
        one.now,
    )
    return _Given(
        payment_id=receipt.payment_id,
        available_micros=receipt.available_micros,
        receipt_number=receipt.receipt_number,
    )


def _as_package(
    one: _Redemption, batch: tables.VoucherBatch, plan_version_id: int, face: Money
) -> _Given:
    row = _subscription(one)
    terms = catalog.get_terms(one.tx, plan_version_id)
    if terms is None:
        raise NotFound("the voucher's plan is outside of what you may see", field="code")
    wallets = customers.wallets_of(one.tx, one.customer_id)
    currency = next(known.currency for known in wallets if known.wallet_id == row.wallet_id)
    if currency != face.currency:
        raise _other_currency(one.tx, one.serial, face, currency)
    sale, payment_id = sell_for_voucher(one.context, one.tx, row, terms, face, one.now)
    if sale.total_micros < face.amount_micros:
        limits.check_rest(one.tx, batch, Money(sale.total_micros, face.currency))
    return _Given(
        subscription_id=row.subscription_id,
        entitlement_id=sale.entitlement_id,
        payment_id=payment_id,
        plan_name=sale.plan_name,
        available_micros=sale.available_micros,
        receipt_number=sale.receipt_number,
    )


def _subscription(one: _Redemption) -> tables.Subscription:
    rows = customers.subscriptions_of(one.tx, tx_customer(one.tx, one.customer_id).customer_id)
    if one.subscription_id is not None:
        chosen = [row for row in rows if row.subscription_id == one.subscription_id]
        if not chosen:
            raise NotFound(
                f"customer {one.customer_id} has no subscription {one.subscription_id}",
                field="subscription",
            )
        return chosen[0]
    still_open = [row for row in rows if row.closed_at is None]
    if len(still_open) != 1:
        raise InvalidInput(
            f"the customer has {len(still_open)} open subscriptions: say for which one",
            field="subscription",
        )
    return still_open[0]
