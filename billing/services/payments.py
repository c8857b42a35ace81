"""Payments by gateways: begun, looked at, given back (rules P1, P7, M5, security.md 11).

A payment is stored by its own transaction before its provider is called (`payment_calls`), so
whatever dies on the way, it is known that it may have been paid, and its provider is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import (
    PaymentHistory,
    PaymentKind,
    PaymentPurpose,
    PaymentState,
    PaymentView,
    ReversalView,
)
from billing.services import gateways, methods, reversals
from billing.services.attempts import new_key, store_attempt
from billing.services.bills import bill_numbered, wallet_of
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.settling import checked_charge
from billing.store import customers, invoices, prepayments, sepa, tables
from billing.store import payments as store
from billing.store.guard import Transaction

LIST_LIMIT = 500


def top_up(
    context: Context,
    customer_id: int,
    gateway_id: int,
    amount_micros: int,
    *,
    idempotency_key: str,
    now: datetime,
    wallet_id: int | None = None,
    method_id: int | None = None,
    saves_method: bool = False,
    return_url: str = "",
    text: str = "Credit to the wallet",
) -> PaymentView:
    """Begin a top-up: at the provider's page, or by a method on file (`method_id`). Nothing is
    credited before the provider says that it was paid. `saves_method`: the payer's method goes on
    file. `text`: what it is for, at the provider's page.

    Raises InvalidInput, NotFound, Refused (the gateway is disabled), Conflict (rule M5).
    """
    with changing_customer(context, customer_id) as (tx, customer):
        wallets = {wallet.wallet_id: wallet for wallet in customers.wallets_of(tx, customer_id)}
        chosen = wallets.get(wallet_id or min(wallets))
        if chosen is None:
            raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
        amount = checked_charge(amount_micros, chosen.currency)
        return _begin(
            tx,
            context,
            customer,
            gateway_id=gateway_id,
            wallet_id=chosen.wallet_id,
            purpose=PaymentPurpose.TOP_UP,
            amount=amount,
            text=text,
            method_id=method_id,
            saves_method=saves_method,
            return_url=return_url,
            command_key=idempotency_key,
            now=now,
        )


def pay_bill(
    context: Context,
    number: str,
    gateway_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    customer_id: int | None = None,
    method_id: int | None = None,
    saves_method: bool = False,
    return_url: str = "",
) -> PaymentView:
    """Begin to pay all that is open of a bill, or was written off (rules B8, I5). What is paid of
    it meanwhile in another way stays in the wallet (rule I4). Raises as `top_up`; Refused (nothing
    is open)."""
    with context.transaction() as tx:
        bill = bill_numbered(tx, number, customer_id)
        owner_id, invoice_id = bill.customer_id, bill.invoice_id
    with changing_customer(context, owner_id) as (tx, customer):
        bill = invoices.get_invoice(tx, owner_id, invoice_id)
        known = store.by_command(tx, owner_id, idempotency_key)
        open_micros = invoices.open_micros(bill) or bill.written_off_micros
        if known is not None:
            open_micros = known.amount_micros
        if not open_micros:
            raise Refused(f"nothing of {bill.number} is left to pay", field="invoice")
        return _begin(
            tx,
            context,
            customer,
            gateway_id=gateway_id,
            wallet_id=wallet_of(tx, bill),
            purpose=PaymentPurpose.BILL,
            amount=Money(open_micros, bill.currency),
            text=f"Payment of {bill.number}",
            method_id=method_id,
            invoice_id=invoice_id,
            saves_method=saves_method,
            return_url=return_url,
            command_key=idempotency_key,
            now=now,
        )


def pay_prepayment(
    context: Context,
    customer_id: int,
    prepayment_id: int,
    gateway_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    method_id: int | None = None,
    saves_method: bool = False,
    return_url: str = "",
) -> PaymentView:
    """Begin to pay the whole of a prepayment invoice (rule P5). Where it is paid or cancelled
    meanwhile, the money is free credit. Raises as `top_up`; Refused (it is not open)."""
    with changing_customer(context, customer_id) as (tx, customer):
        asked = prepayments.find_invoice(tx, customer_id, prepayment_id)
        if asked is None:
            raise NotFound("there is no such prepayment invoice", field="invoice")
        known = store.by_command(tx, customer_id, idempotency_key)
        if known is None and (asked.paid_at or asked.cancelled_at):
            done = "paid" if asked.paid_at else "cancelled"
            raise Refused(f"{asked.number} is {done} already", field="invoice")
        return _begin(
            tx,
            context,
            customer,
            gateway_id=gateway_id,
            wallet_id=asked.wallet_id,
            purpose=PaymentPurpose.PREPAYMENT,
            amount=Money(asked.amount_micros, asked.currency),
            text=f"Prepayment {asked.number}",
            method_id=method_id,
            prepayment_id=prepayment_id,
            saves_method=saves_method,
            return_url=return_url,
            command_key=idempotency_key,
            now=now,
        )


def refund(
    context: Context,
    attempt_id: int,
    *,
    reason: str,
    idempotency_key: str,
    now: datetime,
    amount_micros: int | None = None,
    even_if_spent: bool = False,
) -> ReversalView:
    """Give back a payment, or a part of it, by the way it came. It leaves the wallet at once; the
    worker asks the provider. `even_if_spent`: the wallet may fall below zero.

    Raises NotFound, InvalidInput, Refused (not so much is left), Unconfirmed, Conflict (rule M5).
    """
    if not reason.strip():
        raise InvalidInput("say why it is given back", field="reason")
    _check_key(idempotency_key)
    with changing_customer(context, _owner(context, attempt_id)) as (tx, customer):
        row = _owned(tx, customer.customer_id, attempt_id)
        known = store.reversal_by_command(tx, customer.customer_id, idempotency_key)
        if known is not None:
            wanted = known.amount_micros if amount_micros is None else amount_micros
            if (known.attempt_id, known.amount_micros) != (attempt_id, wanted):
                raise _used(idempotency_key)
            return store.reversal_view(known)
        rest = row.amount_micros - row.refunded_micros - row.charged_back_micros
        amount = Money(rest if amount_micros is None else amount_micros, row.currency)
        with confirmed(context, tx, row.org_id, f"payment:{attempt_id}", amount, now):
            made = reversals.request(
                tx,
                context,
                row,
                amount.amount_micros,
                reason=reason.strip(),
                key=new_key(customer.customer_id),
                command_key=idempotency_key,
                now=now,
                even_if_spent=even_if_spent,
            )
        return store.reversal_view(made)


def retry(context: Context, attempt_id: int, *, idempotency_key: str, now: datetime) -> PaymentView:
    """Begin one that has failed or was cancelled anew, as a payment of its own. Raises NotFound,
    Refused (it has not failed; money came for it, though not what was asked for; a file collected
    it, see `sepa_again`), Conflict."""
    with changing_customer(context, _owner(context, attempt_id)) as (tx, customer):
        row = _owned(tx, customer.customer_id, attempt_id)
        if row.state not in (PaymentState.FAILED, PaymentState.CANCELLED):
            raise Refused(
                f"the payment is {row.state.replace('_', ' ')}; only what failed is tried again",
                field="payment",
            )
        if (kept := store.kept(row)) is not None:
            raise Refused(
                f"{kept} came for it and waits in suspense; nobody must pay it twice",
                field="payment",
            )
        if sepa.collection(tx, customer.customer_id, attempt_id) is not None:
            raise Refused(
                f"a file has collected it: that file's page, or `tollway sepa again {attempt_id}`,"
                " puts it into the next one, once",
                field="payment",
            )
        return _begin(
            tx,
            context,
            customer,
            gateway_id=row.gateway_id,
            wallet_id=row.wallet_id,
            purpose=_asked_for(row),
            amount=Money(row.amount_micros, row.currency),
            text=row.text,
            method_id=row.method_id if row.kind == PaymentKind.CHARGE else None,
            invoice_id=row.invoice_id,
            prepayment_id=row.prepayment_id,
            return_url=row.return_url,
            saves_method=row.saves_method,
            command_key=idempotency_key,
            now=now,
        )


def _asked_for(row: tables.PaymentAttempt) -> PaymentPurpose:
    """Of one that a person begins anew: auto-recharge counts its own."""
    if row.prepayment_id is not None:
        return PaymentPurpose.PREPAYMENT
    return PaymentPurpose.TOP_UP if row.invoice_id is None else PaymentPurpose.BILL


def ask_again(context: Context, attempt_id: int, now: datetime) -> PaymentView:
    """Have the provider asked at once what has become of it. Raises NotFound, Refused (its outcome
    is known)."""
    with changing_customer(context, _owner(context, attempt_id)) as (tx, customer):
        row = _owned(tx, customer.customer_id, attempt_id)
        if not PaymentState(row.state).is_open:
            raise Refused(f"its outcome is known: {row.state.replace('_', ' ')}", field="payment")
        row.due_at = now
        return _view(tx, attempt_id)


def history(context: Context, attempt_id: int) -> PaymentHistory:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = _view(tx, attempt_id)
        rows = store.reversals_of(tx, found.customer_id, attempt_id)
        return PaymentHistory(
            payment=found,
            reversals=tuple(store.reversal_view(row) for row in rows),
            events=tuple(store.events_of(tx, found.customer_id, attempt_id)),
        )


def listed(
    context: Context,
    *,
    customer_id: int | None = None,
    states: Sequence[PaymentState] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[PaymentView]:
    """The newest first, those before the number `before`. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return store.listed(tx, customer_id=customer_id, states=states, before=before, limit=limit)


def _begin(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    *,
    gateway_id: int,
    wallet_id: int,
    purpose: PaymentPurpose,
    amount: Money,
    text: str,
    command_key: str,
    now: datetime,
    method_id: int | None = None,
    invoice_id: int | None = None,
    prepayment_id: int | None = None,
    saves_method: bool = False,
    return_url: str = "",
) -> PaymentView:
    _check_key(command_key)
    known = store.by_command(tx, customer.customer_id, command_key)
    kind = PaymentKind.CHECKOUT if method_id is None else PaymentKind.CHARGE
    if known is not None:
        which = (invoice_id, prepayment_id)
        asked = (gateway_id, wallet_id, amount, which, purpose, kind, method_id)
        if asked != _content(known):
            raise _used(command_key)
        return _view(tx, known.attempt_id)
    gateway = gateways.usable(tx, gateway_id)
    gateways.serves(tx, gateway, customer)
    if method_id is None and gateway.channel == MoneyChannel.DIRECT_DEBIT:
        raise Refused(
            f"{gateway.name} has no page to pay at: it collects by a mandate", field="gateway"
        )
    if method_id is not None:
        method = methods.on_file(tx, customer.customer_id, method_id)
        if method.gateway_id != gateway_id:
            raise NotFound(f"no method on file has the number {method_id}", field="method")
    row = store_attempt(
        tx,
        customer,
        wallet_id=wallet_id,
        gateway_id=gateway_id,
        purpose=purpose,
        kind=kind,
        amount=amount,
        text=text,
        requested_by=context.actor,
        now=now,
        method_id=method_id,
        invoice_id=invoice_id,
        prepayment_id=prepayment_id,
        command_key=command_key,
        return_url=return_url,
        saves_method=saves_method,
    )
    detail: dict[str, object] = {
        "payment": row.attempt_id,
        "amount_micros": amount.amount_micros,
        "gateway": gateway.name,
        "purpose": purpose,
    }
    audit_customer(context, tx, customer, "payment.begin", now, detail)
    return _view(tx, row.attempt_id)


def _content(row: tables.PaymentAttempt) -> tuple[object, ...]:
    """What was asked for by its command (rule M5). A checkout's method came later."""
    charged = row.method_id if row.kind == PaymentKind.CHARGE else None
    amount, about = Money(row.amount_micros, row.currency), (row.invoice_id, row.prepayment_id)
    return row.gateway_id, row.wallet_id, amount, about, row.purpose, row.kind, charged


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 200:
        raise InvalidInput("must have 1 to 200 characters", field="idempotency_key")


def _used(key: str) -> Conflict:
    return Conflict(
        f"the key {key!r} was used for another command; use a new one (rule M5)",
        field="idempotency_key",
    )


def _owner(context: Context, attempt_id: int) -> int:
    with context.transaction() as tx:
        customer_id = store.owner_of(tx, attempt_id)
    if customer_id is None:
        raise NotFound(f"no payment has the number {attempt_id}", field="payment")
    return customer_id


def _owned(tx: Transaction, customer_id: int, attempt_id: int) -> tables.PaymentAttempt:
    row = store.attempt(tx, customer_id, attempt_id)
    if row is None:
        raise NotFound(f"no payment has the number {attempt_id}", field="payment")
    return row


def _view(tx: Transaction, attempt_id: int) -> PaymentView:
    found = store.view(tx, attempt_id)
    if found is None:
        raise NotFound(f"no payment has the number {attempt_id}", field="payment")
    return found
