"""Money that came and is nobody's yet: looked at, matched to customers, given back (rule P1)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import SuspenseView
from billing.model.views import PaymentReceipt
from billing.services import bills, money_in, prepayments
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.settling import check_takes_money, checked_amount, checked_channel
from billing.store import audit, customers, invoices, tables
from billing.store import gateways as store
from billing.store import prepayments as prepayment_store
from billing.store.guard import Transaction

LIST_LIMIT = 500


def receive(
    context: Context,
    amount: Money,
    channel: MoneyChannel,
    *,
    reference: str,
    note: str,
    now: datetime,
) -> bool:
    """Keep money whose payer is not known; False: this reference of the channel is kept already.
    Raises InvalidInput."""
    if not 1 <= len(reference) <= 200:
        raise InvalidInput("must have 1 to 200 characters", field="reference")
    checked_amount(amount.amount_micros, amount.currency)
    checked_channel(channel)
    with context.transaction() as tx:
        check_takes_money(tx, context.home_org_id)
        org_id = context.home_org_id
        return keep(tx, context, org_id, amount, channel, reference=reference, note=note, now=now)


def keep(
    tx: Transaction,
    context: Context,
    org_id: int,
    amount: Money,
    channel: MoneyChannel,
    *,
    reference: str,
    note: str,
    now: datetime,
) -> bool:
    """The same as part of another command, for an organisation."""
    kept = store.put_in_suspense(
        tx,
        {
            "org_id": org_id,
            "channel": channel.value,
            "amount_micros": amount.amount_micros,
            "currency": amount.currency,
            "reference": reference,
            "note": note,
            "received_at": now,
            "taken_by": context.actor,
        },
    )
    if kept:
        detail: dict[str, object] = {"amount_micros": amount.amount_micros, "reference": reference}
        _note(tx, context, org_id, "suspense.receive", "suspense", now, detail)
    return kept


def listed(
    context: Context, *, everything: bool = False, after: int | None = None, limit: int = 50
) -> list[SuspenseView]:
    """What waits, oldest first, behind the one with the number `after`. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return store.suspended(tx, everything=everything, after=after, limit=limit)


def match(
    context: Context,
    suspense_id: int,
    customer_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    amount_micros: int | None = None,
    wallet_id: int | None = None,
    number: str | None = None,
    note: str = "",
) -> PaymentReceipt:
    """Credit a customer with it, or with a part; the rest goes on waiting. It is used as any money
    that comes in (rule I4). `number`: it pays that bill of the customer first, or that prepayment
    invoice (rule P5), of which it is the whole amount unless another is given.

    Raises NotFound, Refused (another currency or organisation, not so much is left), InvalidInput,
    Conflict.
    """
    with changing_customer(context, customer_id) as (tx, customer):

        def act() -> PaymentReceipt:
            row = _locked(tx, suspense_id)
            if customer.org_id not in store.organisations_served(tx, row.org_id):
                raise Refused("it came to another organisation", field="customer")
            if number is not None:
                use = _for_prepayment if is_prepayment(number) else _for_bill
                receipt = use(tx, context, customer, row, number, amount_micros, now)
            else:
                receipt = _for_wallet(tx, context, customer, row, wallet_id, amount_micros, now)
            amount = Money(receipt.amount_micros, receipt.currency)
            _move(tx, context, row, amount, customer_id, receipt.payment_id, note, now)
            return receipt

        return run_once(
            tx,
            PaymentReceipt,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "match",
                "suspense": suspense_id,
                "amount": amount_micros,
                "wallet": wallet_id,
                **({"number": number} if number else {}),
            },
            now=now,
            act=act,
        )


def give_back(
    context: Context,
    suspense_id: int,
    *,
    note: str,
    now: datetime,
    amount_micros: int | None = None,
    if_left_micros: int | None = None,
) -> SuspenseView:
    """It went back to whom it came from, or a part did. `if_left_micros`: only while just so much
    is left of it, so that what is sent twice is done once (rule M5). Raises NotFound, Refused,
    Unconfirmed, InvalidInput."""
    if not note.strip():
        raise InvalidInput("say how it was given back", field="note")
    with context.transaction() as tx:
        row = _locked(tx, suspense_id)
        left = row.amount_micros - row.moved_micros
        if if_left_micros is not None and if_left_micros != left:
            raise Refused(
                f"some of it was moved since you looked: {Money(left, row.currency)} is left of it",
                field="amount",
            )
        amount = _part(row, amount_micros)
        with confirmed(context, tx, row.org_id, f"suspense:{suspense_id}", amount, now):
            _move(tx, context, row, amount, None, None, note.strip(), now)
        return store.suspense_view(row)


def is_prepayment(number: str) -> bool:
    """Whether a number is that of a prepayment invoice; else it is a bill's."""
    return number.startswith(f"{prepayment_store.SERIES}-")


def _for_wallet(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.Suspense,
    wallet_id: int | None,
    amount_micros: int | None,
    now: datetime,
) -> PaymentReceipt:
    customer_id = customer.customer_id
    wallets = {one.wallet_id: one for one in customers.wallets_of(tx, customer_id)}
    chosen = wallets.get(wallet_id or min(wallets))
    if chosen is None:
        raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
    if chosen.currency != row.currency:
        raise Refused(f"the wallet is in {chosen.currency}", field="wallet")
    amount, channel = _part(row, amount_micros), MoneyChannel(row.channel)
    return money_in.credit_wallet(
        tx, context, customer, chosen.wallet_id, amount, channel, row.reference, now
    )


def _for_bill(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.Suspense,
    number: str,
    amount_micros: int | None,
    now: datetime,
) -> PaymentReceipt:
    bill = bills.bill_numbered(tx, number, customer.customer_id)
    if bill.currency != row.currency:
        raise Refused(f"{bill.number} is in {bill.currency}", field="invoice")
    if not (invoices.open_micros(bill) or bill.written_off_micros):
        raise Refused(f"nothing of {bill.number} is left to pay", field="invoice")
    micros, channel = _part(row, amount_micros).amount_micros, MoneyChannel(row.channel)
    return bills.pay_within(context, tx, customer, bill, micros, channel, row.reference, now)


def _for_prepayment(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.Suspense,
    number: str,
    amount_micros: int | None,
    now: datetime,
) -> PaymentReceipt:
    asked = prepayments.prepayment_numbered(tx, number, customer.customer_id)
    whole = Money(asked.amount_micros, asked.currency)
    if asked.currency != row.currency:
        raise Refused(f"{asked.number} is in {asked.currency}", field="invoice")
    if _part(row, amount_micros or asked.amount_micros) != whole:
        raise Refused(
            f"{asked.number} asks for {whole}, no more and no less; credit the wallet instead",
            field="amount",
        )
    channel = MoneyChannel(row.channel)
    return prepayments.pay_within(context, tx, customer, asked, channel, row.reference, now)


def _locked(tx: Transaction, suspense_id: int) -> tables.Suspense:
    row = store.suspense(tx, suspense_id)
    if row is None:
        raise NotFound(f"nothing in suspense has the number {suspense_id}", field="suspense")
    return row


def _part(row: tables.Suspense, amount_micros: int | None) -> Money:
    left = row.amount_micros - row.moved_micros
    if left == 0:
        raise Refused("all of it was moved already", field="suspense")
    amount = checked_amount(left if amount_micros is None else amount_micros, row.currency)
    if amount.amount_micros > left:
        raise Refused(f"{Money(left, row.currency)} is left of it", field="amount")
    return amount


def _move(
    tx: Transaction,
    context: Context,
    row: tables.Suspense,
    amount: Money,
    customer_id: int | None,
    payment_id: int | None,
    note: str,
    now: datetime,
) -> None:
    row.moved_micros += amount.amount_micros
    store.insert_move(
        tx,
        tables.SuspenseMove(
            suspense_id=row.suspense_id,
            org_id=row.org_id,
            at=now,
            amount_micros=amount.amount_micros,
            customer_id=customer_id,
            payment_id=payment_id,
            note=note,
            actor=context.actor,
        ),
    )
    action = "suspense.match" if customer_id else "suspense.give_back"
    detail: dict[str, object] = {"amount_micros": amount.amount_micros, "customer": customer_id}
    _note(tx, context, row.org_id, action, f"suspense:{row.suspense_id}", now, detail)


def _note(
    tx: Transaction,
    context: Context,
    org_id: int,
    action: str,
    subject: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=subject,
        detail=detail,
    )
