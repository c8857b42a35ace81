"""Bills of monthly customers: issued with a number, settled oldest first (rules B6, B7, I2, I4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.profile import BillingKind, BillingProfile
from billing.model.views import InvoiceView, PaymentReceipt
from billing.rules.cycles import cycle_of, local_day, partial_cycle
from billing.rules.taxes import charge, taxed_as
from billing.services import receipts, reconnection, renewals
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import changing, changing_customer
from billing.services.issuing import draft, one_line, operator_of, owner_of, write_bill
from billing.services.settling import (
    check_takes_money,
    checked_amount,
    checked_channel,
    receive,
    settle,
    short_words,
)
from billing.store import audit, catalog, invoices, ledger, messages, tables
from billing.store import customers as store
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class NextCycle:
    """The next unbilled cycle of a subscription, or what is left of it (rules B6, B11)."""

    first_day: date
    next_first_day: date
    amount: Money


def issue_bill(
    context: Context,
    subscription_id: int,
    *,
    cycle_from: date,
    cycle_until: date,
    amount_micros: int,
    now: datetime,
    text: str = "",
) -> InvoiceView:
    """A bill for the local days from `cycle_from` to before `cycle_until`, with the profile's tax
    and payment date (rule B7). Free wallet credit settles it at once.

    Raises InvalidInput, NotFound, Refused (not a monthly customer, or the cycle was billed).
    """
    if cycle_from >= cycle_until:
        raise InvalidInput("must lie after cycle_from", field="cycle_until")
    with changing(context, subscription_id) as (tx, row):
        profile = store.effective_profile(tx, row)
        if profile.kind is not BillingKind.MONTHLY:
            raise Refused("daily customers get no periodic bills (rule B1)")
        billed = invoices.cycle_end(tx, row.customer_id, subscription_id)
        if billed is not None and cycle_from < billed:
            raise Refused(f"days before {billed} are billed already", field="cycle_from")
        if row.plan_version_id is not None:
            profile = taxed_as(profile, catalog.get_terms(tx, row.plan_version_id))
        wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
        price = checked_amount(amount_micros, wallet.currency)
        amount = charge(price, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
        words = text or f"service {cycle_from} to {cycle_until}"
        today = local_day(now, operator_of(tx).time_zone)
        cycle = (cycle_from, cycle_until)
        lines = one_line(words, profile, amount)
        bill = write_bill(tx, draft(owner_of(row), profile, amount, cycle, lines, today), now)
        customer = tx_customer(tx, row.customer_id)
        settle(tx, customer, row.wallet_id, now)
        renewals.credited(tx, context, row.customer_id, now)
        messages.queue_bills(tx, [(row.customer_id, bill.invoice_id)], now)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="bill.issue",
            subject=f"invoice:{bill.invoice_id}",
            detail={"number": bill.number, "total_micros": bill.total_micros, "due": bill.due_on},
        )
        return invoices.view(bill)


def pay(
    context: Context,
    number: str,
    *,
    idempotency_key: str,
    now: datetime,
    amount_micros: int | None = None,
    channel: MoneyChannel | None = None,
    customer_id: int | None = None,
    reference: str | None = None,
) -> PaymentReceipt:
    """Pay a bill, by default all that is open, with money that arrives by `channel`, or from the
    wallet when it is None. A part is allocated as a part; what is too much stays in the wallet
    (rule I4). What had been written off of it is recovered (rule I5). `reference`: what the money
    came with; the bill's number unless given.

    Raises NotFound, Refused (paid already, or the wallet has too little), Conflict, InvalidInput
    (several organisations have a bill of this number, and `customer_id` says not whose).
    """
    with context.transaction() as tx:
        found = bill_numbered(tx, number, customer_id)
        customer_id, invoice_id = found.customer_id, found.invoice_id
    with changing_customer(context, customer_id) as (tx, customer):
        bill = invoices.get_invoice(tx, customer_id, invoice_id)
        if channel is not None:
            check_takes_money(tx, customer.org_id)

        def act() -> PaymentReceipt:
            open_micros = invoices.open_micros(bill) or bill.written_off_micros
            if not open_micros:
                raise Refused(f"nothing of {bill.number} is left to pay", field="invoice")
            amount = Money(amount_micros or open_micros, bill.currency)
            # The wallet's own money moves nowhere by hand.
            by_hand = amount if channel is not None else Money(0, bill.currency)
            with confirmed(context, tx, bill.org_id, f"invoice:{invoice_id}", by_hand, now):
                micros = amount.amount_micros
                return pay_within(context, tx, customer, bill, micros, channel, reference, now)

        return run_once(
            tx,
            PaymentReceipt,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "pay",
                "invoice": bill.number,
                "amount": amount_micros,
                "channel": channel,
                **({"reference": reference} if reference else {}),
            },
            now=now,
            act=act,
        )


def next_cycle(
    tx: Transaction,
    row: tables.Subscription,
    profile: BillingProfile,
    price: Money,
    now: datetime,
    time_zone: str,
) -> NextCycle:
    """What a month bought now covers: the first cycle not billed yet, from today's on.

    Who joined within it pays its remaining days (rule B11); paying late never moves it (B6).
    """
    today = local_day(now, time_zone)
    billed = invoices.cycle_end(tx, row.customer_id, row.subscription_id)
    first_day = cycle_of(today, profile).first_day
    joined_on = max(local_day(row.created_at, time_zone), row.billed_from or first_day)
    first_day = max(first_day, joined_on, billed or first_day)
    if row.on_hold_since is not None:  # no charges accrued until today (rule P10)
        first_day = max(first_day, today)
    part = partial_cycle(price, first_day, profile)
    return NextCycle(part.first_day, part.next_first_day, part.amount)


def wallet_id_of(context: Context, customer_id: int, invoice_id: int) -> int:
    """Which wallet pays a bill that there is."""
    with context.transaction() as tx:
        return wallet_of(tx, invoices.get_invoice(tx, customer_id, invoice_id))


def tx_customer(tx: Transaction, customer_id: int) -> tables.Customer:
    """The row of a customer that this transaction has locked."""
    customer = store.lock_customer(tx, customer_id)
    if customer is None:
        raise NotFound(f"no customer has the number {customer_id}", field="customer")
    return customer


def pay_within(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    bill: tables.Invoice,
    amount_micros: int,
    channel: MoneyChannel | None,
    reference: str | None,
    now: datetime,
) -> PaymentReceipt:
    """Pay a bill as part of another command: the customer is locked, and that command is carried
    out once. Raises as `pay`."""
    amount = checked_amount(amount_micros, bill.currency)
    wallet_id = wallet_of(tx, bill)
    payment_id = None
    if channel is not None:
        checked_channel(channel)
        payment_id = receive(
            tx,
            customer,
            wallet_id,
            amount,
            channel,
            reference=reference or bill.number,
            actor=context.actor,
            now=now,
        )
    wallet = ledger.wallet(tx, customer.customer_id, wallet_id)
    if channel is None and wallet.available_micros < amount.amount_micros:
        raise Refused(short_words(wallet, amount), field="wallet")
    unpaid_before = ledger.balance(tx, customer.customer_id, ledger.TAX_UNPAID)
    lost_micros = bill.written_off_micros
    lost_tax_micros = invoices.tax_left(tx, bill) if lost_micros else 0
    held = reconnection.suspended(tx, customer.customer_id)
    settled = settle(
        tx,
        customer,
        wallet_id,
        now,
        first=bill,
        limit_micros=amount.amount_micros,
        received_micros=0 if channel is None else amount.amount_micros,
    )
    renewals.credited(tx, context, customer.customer_id, now)
    due = unpaid_before - ledger.balance(tx, customer.customer_id, ledger.TAX_UNPAID)
    if lost_micros:
        due += invoices.tax_left(tx, bill) - lost_tax_micros  # what a recovery has made due
    reconnection.charge_restored(tx, context, customer, held, now)
    number = None
    if payment_id is not None and channel is not None:
        number = receipts.of_bill(tx, customer, payment_id, bill, amount, channel, due, now)
    audit.append(
        tx,
        at=now,
        org_id=customer.org_id,
        actor=context.actor,
        action="bill.pay",
        subject=f"invoice:{bill.invoice_id}",
        detail={
            "number": bill.number,
            "amount_micros": amount_micros,
            "channel": channel,
            "recovered_micros": lost_micros - bill.written_off_micros,
        },
    )
    return PaymentReceipt(
        customer_id=customer.customer_id,
        payment_id=payment_id,
        amount_micros=amount.amount_micros,
        currency=amount.currency,
        settled=settled,
        recovered_micros=lost_micros - bill.written_off_micros,
        available_micros=ledger.wallet(tx, customer.customer_id, wallet_id).available_micros,
        receipt_number=number,
    )


def bill_numbered(tx: Transaction, number: str, customer_id: int | None = None) -> tables.Invoice:
    """The one bill of this number, of a customer where it is given. Raises NotFound, InvalidInput
    (several organisations have one)."""
    found = invoices.find_invoices(tx, number.strip(), customer_id)
    if not found:
        raise NotFound(f"no bill has the number {number!r}", field="invoice")
    if len(found) > 1:
        whose = ", ".join(str(bill.customer_id) for bill in found)
        raise InvalidInput(
            f"several organisations have a bill {number}: say whose (customer {whose})",
            field="customer",
        )
    return found[0]


def wallet_of(tx: Transaction, bill: tables.Invoice) -> int:
    """The wallet that pays a bill: its subscription's, else the customer's first."""
    if bill.subscription_id is not None:
        row = store.get_subscription(tx, bill.subscription_id)
        if row is not None:
            return row.wallet_id
    return store.wallets_of(tx, bill.customer_id)[0].wallet_id
