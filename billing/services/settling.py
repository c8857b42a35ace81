"""How wallet money is received, spent and allocated to bills, inside a service's transaction."""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import from_minor
from billing.model.profile import TaxPoint
from billing.model.views import WalletView
from billing.rules.taxes import Charge, due_by_payment, due_by_recovery
from billing.services import caps
from billing.store import customers, invoices, ledger, resellers, tables, usage, write_offs
from billing.store.guard import Transaction
from billing.store.ledger import Line

LARGEST_MINOR = 99_999_999
"""No provider of payments takes more at once."""
_BY_HAND = (MoneyChannel.CASH, MoneyChannel.BANK_TRANSFER, MoneyChannel.ADJUSTMENT)


def checked_amount(amount_micros: int, currency: str, field: str = "amount") -> Money:
    """A payable amount: positive, in whole minor units, within bounds (rules M1, M2)."""
    try:
        amount = Money(amount_micros, currency)
    except ValueError as error:
        raise InvalidInput(str(error), field=field) from None
    if amount.amount_micros <= 0:
        raise InvalidInput("must be more than zero", field=field)
    if amount.rounded() != amount:
        raise InvalidInput(
            f"finer than the smallest unit of {currency}, which nobody can pay", field=field
        )
    return amount


def checked_charge(amount_micros: int, currency: str) -> Money:
    """An amount that a provider can be asked for: payable, of eight digits in minor units at most.
    Raises InvalidInput."""
    amount = checked_amount(amount_micros, currency)
    if amount.amount_micros > from_minor(LARGEST_MINOR, currency).amount_micros:
        raise InvalidInput(f"must be {from_minor(LARGEST_MINOR, currency)} at most", field="amount")
    return amount


def checked_channel(channel: MoneyChannel) -> None:
    """Raises Refused for a reseller's money, which comes with what it sells only (rule R1), and
    InvalidInput for the voucher's: its money comes with a code (rule R3)."""
    if channel is MoneyChannel.RESELLER:
        raise Refused("a reseller's money comes with what it sells (rule R1)", field="channel")
    if channel is MoneyChannel.VOUCHER:
        raise InvalidInput("redeem the voucher by its code instead (rule R3)", field="channel")


def check_takes_money(tx: Transaction, org_id: int) -> None:
    """Raises Refused where a reseller's own staff says that money came in, by whatever channel: the
    operator would never get it (rule R1)."""
    if resellers.sells_from_wallet(tx, org_id):
        raise Refused(
            "a reseller's staff sells packages from the reseller's wallet and takes the money for "
            "itself; it cannot credit a customer by hand (rule R1)",
            field="channel",
        )


def receive(
    tx: Transaction,
    customer: tables.Customer,
    wallet_id: int,
    amount: Money,
    channel: MoneyChannel,
    *,
    reference: str | None,
    actor: str,
    now: datetime,
) -> int:
    """Money in, taken by `actor`: journal entry and payment (rule P1); returns the payment's id.

    Raises Refused where a reseller's own staff takes money by hand: that is the reseller's, and
    what it sells is paid from its wallet (rule R1).
    """
    if channel in _BY_HAND:
        check_takes_money(tx, customer.org_id)
    entry_id = ledger.post(
        tx,
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind="payment",
        memo=f"payment by {channel.value}",
        lines=[
            Line(ledger.WALLET, amount.amount_micros, wallet_id),
            Line(f"money:{channel.value}", -amount.amount_micros),
        ],
        currency=amount.currency,
        now=now,
    )
    return ledger.insert_payment(
        tx,
        tables.Payment(
            customer_id=customer.customer_id,
            org_id=customer.org_id,
            wallet_id=wallet_id,
            entry_id=entry_id,
            channel=channel.value,
            reference=reference,
            amount_micros=amount.amount_micros,
            currency=amount.currency,
            received_at=now,
            taken_by=actor,
        ),
    )


def check_spendable(
    tx: Transaction, customer: tables.Customer, wallet_id: int, amount: Money
) -> None:
    """Raises Refused when the wallet would fall below −credit limit (rule P12)."""
    wallet = ledger.wallet(tx, customer.customer_id, wallet_id)
    if amount.amount_micros > wallet.spendable_micros:
        raise Refused(short_words(wallet, amount), field="wallet")


def spend(
    tx: Transaction,
    customer: tables.Customer,
    wallet_id: int,
    charge: Charge,
    *,
    memo: str,
    now: datetime,
    account: str = ledger.REVENUE_PACKAGE,
    capped: bool = True,
    paid: bool = False,
) -> int:
    """Debit the wallet for a package, for what `account` is credited; returns the entry's id.
    `capped`: not for more than the wallet's spending cap leaves; what is paid with money that
    arrives for it is counted only (rule P14). `paid`: its money has just come in for it and nothing
    else, so it is not asked for. Raises Refused (rules P12, P14)."""
    if not paid:
        check_spendable(tx, customer, wallet_id, charge.total)
    if capped:
        caps.check(tx, customer.customer_id, wallet_id, charge.total, now)
    return ledger.post(
        tx,
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind=ledger.SALE,
        memo=memo,
        lines=[
            Line(ledger.WALLET, -charge.total.amount_micros, wallet_id),
            Line(account, charge.net.amount_micros),
            Line(ledger.TAX, charge.tax.amount_micros),
            Line(ledger.ROUNDING, charge.rounding.amount_micros),
        ],
        currency=charge.total.currency,
        now=now,
    )


def short_words(wallet: WalletView, needed: Money) -> str:
    """What is missing, for the person at the desk (rule P12)."""
    missing = Money(needed.amount_micros - wallet.spendable_micros, needed.currency)
    available = Money(wallet.available_micros, wallet.currency)
    return f"the wallet has {available}; {missing} more is needed to pay {needed} (rule P12)"


def settle(
    tx: Transaction,
    customer: tables.Customer,
    wallet_id: int,
    now: datetime,
    *,
    first: tables.Invoice | None = None,
    limit_micros: int | None = None,
    received_micros: int = 0,
) -> tuple[str, ...]:
    """Pay open bills of a wallet's subscriptions from its free credit, oldest first (rule I4).

    `first` goes before all others, also what was written off of it (rule I5); `limit_micros` bounds
    what is spent. Only money that is there is used, never the credit limit; of it `received_micros`
    came in just now: that pays bills before usage that no bill asks for yet. Returns the numbers of
    the bills now paid in full.
    """
    wallet = ledger.wallet(tx, customer.customer_id, wallet_id)
    free_micros = max(0, wallet.available_micros)
    if free_micros < received_micros:
        owed_later = usage.uninvoiced(tx, [customer.customer_id]).get(wallet_id)
        if owed_later is not None:
            before_usage = wallet.available_micros + owed_later.owed_micros
            free_micros = max(free_micros, min(received_micros, before_usage))
    if limit_micros is not None:
        free_micros = min(free_micros, limit_micros)
    bills = [] if first is None else [first]
    if first is not None:
        recovered = min(free_micros, first.written_off_micros)
        if recovered:
            recover(tx, customer, wallet_id, first, recovered, now)
            free_micros -= recovered
    if first is None or free_micros > invoices.open_micros(first):
        others = _bills_of_wallet(tx, customer.customer_id, wallet_id)
        bills += [bill for bill in others if first is None or bill.invoice_id != first.invoice_id]
    paid: list[str] = []
    for bill in bills:
        amount_micros = min(free_micros, invoices.open_micros(bill))
        if amount_micros <= 0:
            continue
        pay_bill(tx, customer, wallet_id, bill, amount_micros, now)
        free_micros -= amount_micros
        if bill.paid_at is not None:
            paid.append(bill.number)
    return tuple(paid)


def pay_bill(
    tx: Transaction,
    customer: tables.Customer,
    wallet_id: int,
    bill: tables.Invoice,
    amount_micros: int,
    now: datetime,
) -> int:
    """Wallet money for what is owed of a bill; returns the entry's id (rules M4, I4)."""
    entry_id = ledger.post(
        tx,
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind="bill",
        memo=f"paid {bill.number}",
        lines=[
            Line(ledger.WALLET, -amount_micros, wallet_id),
            Line(ledger.RECEIVABLE, amount_micros),
            *becomes_due(tx, bill, paid_micros=amount_micros),
        ],
        currency=bill.currency,
        now=now,
    )
    invoices.record_paid(tx, bill, amount_micros, entry_id, now)
    return entry_id


def recover(
    tx: Transaction,
    customer: tables.Customer,
    wallet_id: int,
    bill: tables.Invoice,
    amount_micros: int,
    now: datetime,
) -> None:
    """Wallet money for what had been written off of a bill: the loss gets smaller by it, in an
    entry that corrects the write-off's; tax that waited for the payment is due (rules I5, M4)."""
    lost = write_offs.given_up(tx, bill)
    if lost is None:
        raise NotFound(f"nothing of {bill.number} was written off", field="invoice")
    tax_micros = due_by_recovery(
        lost.tax_micros, lost.amount_micros, lost.recovered_micros, amount_micros
    )
    entry_id = ledger.post(
        tx,
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind="recovery",
        memo=f"{bill.number}, which had been written off",
        lines=[
            Line(ledger.WALLET, -amount_micros, wallet_id),
            Line(ledger.BAD_DEBT, amount_micros - tax_micros),
            Line(ledger.TAX, tax_micros),
        ],
        currency=bill.currency,
        now=now,
        corrects_entry_id=lost.entry_id,
    )
    row = tables.Recovery(
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        invoice_id=bill.invoice_id,
        at=now,
        amount_micros=amount_micros,
        tax_micros=tax_micros,
        currency=bill.currency,
        entry_id=entry_id,
    )
    write_offs.insert_recovery(tx, row, bill)
    invoices.allocate(tx, bill, amount_micros, entry_id, now)


def becomes_due(
    tx: Transaction,
    bill: tables.Invoice,
    *,
    paid_micros: int = 0,
    credited: Charge | None = None,
) -> tuple[Line, ...]:
    """What a payment, or a credit note that gives paid money back, does to the tax of a bill (I6).

    Where the tax point is the issue a payment changes nothing; where it is the payment, tax is due
    in proportion to what is paid, and the rest waits in an account of its own.
    """
    taken = credited.tax.amount_micros if credited else 0
    if bill.tax_point != TaxPoint.PAYMENT:
        return (Line(ledger.TAX, -taken),)
    tax = invoices.tax_left(tx, bill)
    total = invoices.creditable_micros(bill)
    credited_micros = credited.total.amount_micros if credited else 0
    before = due_by_payment(tax, bill.paid_micros, total)
    after = due_by_payment(tax - taken, bill.paid_micros + paid_micros, total - credited_micros)
    if credited_micros == total:
        # A write-off released tax to the micro, notes take it back in coins: the rest is rounding.
        return Line(ledger.TAX, -before), Line(ledger.ROUNDING, before - taken)
    return Line(ledger.TAX, after - before), Line(ledger.TAX_UNPAID, before - after - taken)


def never_due(tx: Transaction, bill: tables.Invoice) -> int:
    """The tax of a bill that waits for a payment, in micros: it is not due when none will come."""
    if bill.tax_point != TaxPoint.PAYMENT:
        return 0
    tax = invoices.tax_left(tx, bill)
    return tax - due_by_payment(tax, bill.paid_micros, invoices.creditable_micros(bill))


def _bills_of_wallet(tx: Transaction, customer_id: int, wallet_id: int) -> list[tables.Invoice]:
    own_first = customers.wallets_of(tx, customer_id)[0].wallet_id
    ids = [
        row.subscription_id
        for row in customers.subscriptions_of(tx, customer_id)
        if row.wallet_id == wallet_id
    ]
    bills = invoices.open_invoices(tx, customer_id, ids)
    return [bill for bill in bills if bill.subscription_id or wallet_id == own_first]
