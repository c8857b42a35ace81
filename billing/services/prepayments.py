"""Manual funding (rule P5): each local month a wallet's customer gets a prepayment invoice, and its
amount is credited when it is paid, not before.

It is a request: nothing is owed by it, it bears no tax, and it suspends nobody. A wallet is funded
in one way at a time: auto-recharge and prepayment invoices end each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.bills import Parked
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.prepayments import (
    PrepaymentInvoiceView,
    PrepaymentRunReport,
    PrepaymentView,
)
from billing.model.views import PaymentReceipt, WalletView
from billing.rules.cycles import local_day
from billing.services import money_in, recharges
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.issuing import operator_of
from billing.services.parking import pages, serve_page
from billing.services.settling import check_takes_money, checked_amount, checked_channel
from billing.store import billing_jobs, customers, messages, recharge, spending, tables
from billing.store import prepayments as store
from billing.store.guard import Transaction

JOB = "prepayments"
DUE_DAYS_LIMIT = 60
LIST_LIMIT = 500


def set_up(
    context: Context,
    customer_id: int,
    amount_micros: int,
    *,
    now: datetime,
    due_days: int = 14,
    wallet_id: int | None = None,
) -> PrepaymentView:
    """Ask for `amount` each local calendar month, from the present one on. Auto-recharge of the
    wallet ends. Raises NotFound, InvalidInput."""
    if not 0 <= due_days <= DUE_DAYS_LIMIT:
        raise InvalidInput(f"must be 0 to {DUE_DAYS_LIMIT} days", field="due_days")
    with changing_customer(context, customer_id) as (tx, customer):
        wallet = _wallet(tx, customer_id, wallet_id)
        checked_amount(amount_micros, wallet.currency)
        automatic = recharge.get(tx, customer_id, wallet.wallet_id)
        stored = spending.wallet(tx, customer_id, wallet.wallet_id)
        if automatic is not None and stored is not None:
            recharges.stop(tx, automatic, stored)
        row = tables.Prepayment(
            customer_id=customer_id,
            wallet_id=wallet.wallet_id,
            org_id=customer.org_id,
            amount_micros=amount_micros,
            due_days=due_days,
            set_at=now,
        )
        store.put(tx, row)
        detail: dict[str, object] = {"wallet": wallet.wallet_id, "amount_micros": amount_micros}
        audit_customer(context, tx, customer, "wallet.prepayment", now, detail)
        return _view(row, wallet.currency)


def stop(
    context: Context, customer_id: int, now: datetime, *, wallet_id: int | None = None
) -> None:
    """Ask no more; what is open is cancelled. Raises NotFound, Refused (nothing is asked)."""
    with changing_customer(context, customer_id) as (tx, customer):
        wallet = _wallet(tx, customer_id, wallet_id)
        if store.get(tx, customer_id, wallet.wallet_id) is None:
            raise Refused("the wallet has no prepayment invoices (rule P5)", field="wallet")
        store.remove(tx, customer_id, wallet.wallet_id, now)
        detail: dict[str, object] = {"wallet": wallet.wallet_id}
        audit_customer(context, tx, customer, "wallet.prepayment_stop", now, detail)


def settings(context: Context, customer_id: int) -> list[PrepaymentView]:
    with context.transaction() as tx:
        currencies = {one.wallet_id: one.currency for one in customers.wallets_of(tx, customer_id)}
        rows = store.of_customer(tx, customer_id)
        return [_view(row, currencies[row.wallet_id]) for row in rows]


def invoices_of(
    context: Context, customer_id: int, *, limit: int = 24
) -> list[PrepaymentInvoiceView]:
    """Newest first. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return store.invoices_of(tx, customer_id, limit)


def invoice_of(context: Context, customer_id: int, prepayment_id: int) -> PrepaymentInvoiceView:
    """Raises NotFound."""
    with context.transaction() as tx:
        row = store.find_invoice(tx, customer_id, prepayment_id)
        if row is None:
            raise NotFound("there is no such prepayment invoice", field="invoice")
        return store.invoice_view(row)


def pay(
    context: Context,
    number: str,
    channel: MoneyChannel,
    *,
    idempotency_key: str,
    now: datetime,
    customer_id: int | None = None,
    amount_micros: int | None = None,
    reference: str | None = None,
) -> PaymentReceipt:
    """The whole amount of a prepayment invoice has come: credit it (rule P5). Where the amount that
    came is given and is another, it is refused: that is a top-up. Raises NotFound, Refused (paid or
    cancelled), InvalidInput, Conflict."""
    checked_channel(channel)
    with context.transaction() as tx:
        known = prepayment_numbered(tx, number, customer_id)
        owner_id, prepayment_id = known.customer_id, known.prepayment_id
        if amount_micros not in (None, known.amount_micros):
            whole = Money(known.amount_micros, known.currency)
            raise InvalidInput(
                f"{known.number} is paid with {whole}, in whole; other amounts are for the wallet",
                field="amount",
            )
    with changing_customer(context, owner_id) as (tx, customer):
        check_takes_money(tx, customer.org_id)

        def act() -> PaymentReceipt:
            row = store.invoice(tx, owner_id, prepayment_id)
            return pay_within(context, tx, customer, row, channel, reference, now)

        return run_once(
            tx,
            PaymentReceipt,
            customer_id=owner_id,
            key=idempotency_key,
            content={"command": "pay prepayment", "number": number, "channel": channel},
            now=now,
            act=act,
        )


def pay_within(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    row: tables.PrepaymentInvoice,
    channel: MoneyChannel,
    reference: str | None,
    now: datetime,
) -> PaymentReceipt:
    """Credit its whole amount as part of another command: the customer is locked, and that command
    is carried out once. Raises Refused (paid or cancelled)."""
    if row.paid_at or row.cancelled_at:
        done = "paid" if row.paid_at else "cancelled"
        raise Refused(f"{row.number} is {done} already", field="invoice")
    amount = Money(row.amount_micros, row.currency)
    receipt = money_in.credit_wallet(
        tx, context, customer, row.wallet_id, amount, channel, reference or row.number, now
    )
    row.paid_at, row.payment_id = now, receipt.payment_id
    return receipt


def prepayment_numbered(
    tx: Transaction, number: str, customer_id: int | None
) -> tables.PrepaymentInvoice:
    """The one invoice of this number, of a customer where it is given. Raises NotFound,
    InvalidInput (several organisations have one)."""
    found = [
        row for row in store.numbered(tx, number.strip()) if customer_id in (None, row.customer_id)
    ]
    if not found:
        raise NotFound(f"no prepayment invoice has the number {number!r}", field="invoice")
    if len(found) > 1:
        whose = ", ".join(str(row.customer_id) for row in found)
        raise InvalidInput(
            f"several organisations have {number}: say whose (customer {whose})", field="customer"
        )
    return found[0]


def run(context: Context, now: datetime) -> PrepaymentRunReport:
    """Ask for the present month, each wallet once. Months that passed while nothing ran are not
    asked for: nobody prepays the past. Raises NotFound (no operator yet), Unavailable."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        due = store.without(tx, today.replace(day=1))

    def serve(page: Sequence[int]) -> list[tables.PrepaymentInvoice]:
        return _ask(context, page, today, now)

    parked: list[Parked] = []
    issued = 0
    for page in pages(due):
        issued += len(serve_page(context, JOB, page, now, serve, parked))
    return PrepaymentRunReport(at=now, issued=issued, parked=tuple(parked))


def preview(context: Context, now: datetime) -> Iterator[tuple[int, Money]]:
    """Whom `run` would ask for how much; nothing is written."""
    with context.transaction() as tx:
        month = local_day(now, operator_of(tx).time_zone).replace(day=1)
        due = store.without(tx, month)
    for page in pages(due):
        with context.transaction() as tx:
            for row, currency in store.to_ask(tx, page, month):
                yield row.customer_id, Money(row.amount_micros, currency)


def _ask(
    context: Context, customer_ids: Sequence[int], today: date, now: datetime
) -> list[tables.PrepaymentInvoice]:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        # Read behind the lock: another run may have been here.
        rows = [
            tables.PrepaymentInvoice(
                customer_id=row.customer_id,
                org_id=row.org_id,
                wallet_id=row.wallet_id,
                month=today.replace(day=1),
                amount_micros=row.amount_micros,
                currency=currency,
                issued_at=now,
                due_on=today + timedelta(days=row.due_days),
            )
            for row, currency in store.to_ask(tx, customer_ids, today.replace(day=1))
        ]
        store.insert(tx, rows)
        messages.queue(tx, [_draft(context, row) for row in rows], now)
        billing_jobs.unpark(tx, JOB, customer_ids)
        return rows


def _draft(context: Context, row: tables.PrepaymentInvoice) -> MessageDraft:
    return MessageDraft(
        customer_id=row.customer_id,
        kind=MessageKind.PREPAYMENT_DUE,
        idempotency_key=f"prepayment:{row.wallet_id}:{row.month}",
        facts={
            "number": row.number,
            "month": f"{row.month:%Y-%m}",
            "amount_micros": row.amount_micros,
            "currency": row.currency,
            "due_on": row.due_on,
            "recharge_url": context.portal_url or None,
        },
    )


def _wallet(tx: Transaction, customer_id: int, wallet_id: int | None) -> WalletView:
    wallets = {one.wallet_id: one for one in customers.wallets_of(tx, customer_id)}
    chosen = wallets.get(wallet_id or min(wallets))
    if chosen is None:
        raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
    return chosen


def _view(row: tables.Prepayment, currency: str) -> PrepaymentView:
    return PrepaymentView(
        wallet_id=row.wallet_id,
        currency=currency,
        amount_micros=row.amount_micros,
        due_days=row.due_days,
    )
