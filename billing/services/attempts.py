"""A payment by a gateway is stored before anybody calls its provider (rule M5)."""

from __future__ import annotations

import secrets
from datetime import datetime

from billing.model.brands import with_brand
from billing.model.money import Money
from billing.model.payments import PaymentKind, PaymentPurpose, PaymentState
from billing.store import brands, tables
from billing.store import payments as store
from billing.store.guard import Transaction


def new_key(customer_id: int) -> str:
    """What a provider knows a payment or refund by; nobody guesses it."""
    return f"tw-{customer_id}-{secrets.token_hex(12)}"


def store_attempt(
    tx: Transaction,
    customer: tables.Customer,
    *,
    wallet_id: int,
    gateway_id: int,
    purpose: PaymentPurpose,
    kind: PaymentKind,
    amount: Money,
    text: str,
    requested_by: str,
    now: datetime,
    method_id: int | None = None,
    invoice_id: int | None = None,
    command_key: str | None = None,
    return_url: str = "",
    saves_method: bool = False,
    follows_id: int | None = None,
    prepayment_id: int | None = None,
) -> tables.PaymentAttempt:
    """Due at once: the worker calls its provider where nobody else does. The customer is locked."""
    row = tables.PaymentAttempt(
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        wallet_id=wallet_id,
        gateway_id=gateway_id,
        method_id=method_id,
        invoice_id=invoice_id,
        purpose=purpose.value,
        kind=kind.value,
        saves_method=saves_method,
        state=PaymentState.CREATED.value,
        amount_micros=amount.amount_micros,
        currency=amount.currency,
        key=new_key(customer.customer_id),
        command_key=command_key,
        text=text,
        return_url=return_url and with_brand(return_url, brands.key_of(tx, customer.org_id)),
        requested_by=requested_by,
        follows_id=follows_id,
        prepayment_id=prepayment_id,
        created_at=now,
        due_at=now,
    )
    store.insert_attempt(tx, row)
    return row
