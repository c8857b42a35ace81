"""Every sale and all money that comes in has a receipt (rule I6), written in its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.commerce import MoneyChannel
from billing.model.documents import DocumentLine, TaxTotal
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.model.receipts import Receipt, ReceiptKind
from billing.model.views import SaleReceipt
from billing.rules.cycles import local_day
from billing.rules.documents import credited_totals, tax_totals
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.letterhead import party
from billing.store import documents, letterheads, messages, tables
from billing.store import receipts as store
from billing.store.guard import Transaction

WALLET = "wallet"
_LIMIT = 500


def write(
    tx: Transaction,
    customer: tables.Customer,
    kind: ReceiptKind,
    lines: Sequence[DocumentLine],
    total: Money,
    now: datetime,
    *,
    channel: str,
    reference: str | None,
    tax_micros: int = 0,
    rounding_micros: int = 0,
    subscription_id: int | None = None,
    payment_id: int | None = None,
    entry_id: int | None = None,
) -> str:
    """Returns its number; last in a transaction, as numbers without gaps make others wait (I2)."""
    row = tables.Receipt(
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind=kind.value,
        issued_at=now,
        subscription_id=subscription_id,
        payment_id=payment_id,
        entry_id=entry_id,
        channel=channel,
        reference=reference,
        lines=[asdict(line) for line in lines],
        net_micros=total.amount_micros - tax_micros - rounding_micros,
        tax_micros=tax_micros,
        rounding_micros=rounding_micros,
        total_micros=total.amount_micros,
        currency=total.currency,
    )
    store.insert(tx, row)
    return row.number


def of_sale(
    tx: Transaction,
    customer: tables.Customer,
    sale: SaleReceipt,
    profile: BillingProfile,
    *,
    channel: MoneyChannel | None,
    now: datetime,
    payment_id: int | None = None,
) -> str:
    """Of a package or month sold, paid by `channel`, or from the wallet where that is None."""
    line = DocumentLine(
        text=sale.plan_name,
        net_micros=sale.total_micros - sale.tax_micros - sale.rounding_micros,
        tax_rate_ppm=profile.tax_rate_ppm,
        tax_micros=sale.tax_micros,
    )
    return write(
        tx,
        customer,
        ReceiptKind.SALE,
        [line],
        Money(sale.total_micros, sale.currency),
        now,
        tax_micros=sale.tax_micros,
        rounding_micros=sale.rounding_micros,
        channel=channel.value if channel else WALLET,
        reference=sale.invoice_number,
        subscription_id=sale.subscription_id,
        payment_id=payment_id,
        entry_id=sale.entry_id,
    )


def of_top_up(
    tx: Transaction,
    customer: tables.Customer,
    payment_id: int,
    amount: Money,
    channel: MoneyChannel,
    reference: str | None,
    now: datetime,
) -> str:
    """Of money for the wallet; no tax is due on it before it is spent. The customer is told."""
    line = DocumentLine(
        text="Credit to the wallet", net_micros=amount.amount_micros, tax_rate_ppm=0
    )
    number = write(
        tx,
        customer,
        ReceiptKind.TOP_UP,
        [line],
        amount,
        now,
        channel=channel.value,
        reference=reference,
        payment_id=payment_id,
    )
    if channel is not MoneyChannel.VOUCHER:  # who redeems one is told of the voucher
        _tell(tx, customer, payment_id, number, amount, None, now)
    return number


def of_bill(
    tx: Transaction,
    customer: tables.Customer,
    payment_id: int,
    bill: tables.Invoice,
    amount: Money,
    channel: MoneyChannel,
    tax_due_micros: int,
    now: datetime,
) -> str:
    """Of money for a bill; `tax_due_micros` of its tax is due by it: a line for each rate (I1). The
    customer is told."""
    charged = tax_totals(documents.charged_lines(tx, bill), bill.tax_micros, bill.currency)
    net_micros = amount.amount_micros - tax_due_micros
    paid: tuple[TaxTotal, ...] = (TaxTotal(tax_rate_ppm=0, net_micros=net_micros, tax_micros=0),)
    if tax_due_micros:
        paid = credited_totals(charged, (0, 0), (net_micros, tax_due_micros), bill.currency)
    number = write(
        tx,
        customer,
        ReceiptKind.BILL,
        [
            DocumentLine(
                text=f"Payment of {bill.number}",
                net_micros=one.net_micros,
                tax_rate_ppm=one.tax_rate_ppm,
                tax_micros=one.tax_micros,
            )
            for one in paid
        ],
        amount,
        now,
        channel=channel.value,
        reference=bill.number,
        tax_micros=tax_due_micros,
        subscription_id=bill.subscription_id,
        payment_id=payment_id,
    )
    _tell(tx, customer, payment_id, number, amount, bill.number, now)
    return number


def _tell(
    tx: Transaction,
    customer: tables.Customer,
    payment_id: int,
    number: str,
    amount: Money,
    invoice_number: str | None,
    now: datetime,
) -> None:
    draft = MessageDraft(
        customer_id=customer.customer_id,
        kind=MessageKind.PAYMENT_RECEIVED,
        idempotency_key=f"payment:{payment_id}",
        facts={
            "number": number,
            "invoice_number": invoice_number,
            "amount_micros": amount.amount_micros,
            "currency": amount.currency,
        },
    )
    messages.queue(tx, [draft], now)


def by_number(context: Context, number: str, *, org_id: int | None = None) -> Receipt:
    """Raises NotFound, InvalidInput (several organisations have a receipt of this number and
    `org_id` names none)."""
    with context.transaction() as tx:
        found = store.numbered(tx, number.strip(), org_id)
        if not found:
            raise NotFound(f"no receipt has the number {number!r}", field="number")
        if len(found) > 1:
            known = ", ".join(str(row.org_id) for row in found)
            raise InvalidInput(
                f"several organisations have a receipt {number}: name one of {known}", field="org"
            )
        return _receipt(tx, found[0])


def of_customer(context: Context, customer_id: int, *, limit: int = 24) -> list[Receipt]:
    """A customer's receipts, newest first. Raises InvalidInput."""
    if not 1 <= limit <= _LIMIT:
        raise InvalidInput(f"must be 1 to {_LIMIT}", field="limit")
    with context.transaction() as tx:
        return [_receipt(tx, row) for row in store.of_customer(tx, customer_id, limit)]


def _receipt(tx: Transaction, row: tables.Receipt) -> Receipt:
    seller, buyer = letterheads.seller(tx, row), letterheads.buyer(tx, row)
    if seller is None or buyer is None:
        raise NotFound("the receipt's organisation is outside of what you may see")
    lines = tuple(DocumentLine(**line) for line in row.lines)
    totals = tax_totals(lines, row.tax_micros, row.currency)
    return Receipt(
        org_id=row.org_id,
        customer_id=row.customer_id,
        number=row.number,
        kind=ReceiptKind(row.kind),
        issued_at=row.issued_at,
        issued_on=local_day(row.issued_at, operator_of(tx).time_zone),
        seller=party(seller),
        buyer=party(buyer),
        channel=row.channel,
        reference=row.reference,
        lines=lines,
        tax_totals=tuple(one for one in totals if one.tax_rate_ppm or one.tax_micros),
        net_micros=row.net_micros,
        tax_micros=row.tax_micros,
        rounding_micros=row.rounding_micros,
        total_micros=row.total_micros,
        currency=row.currency,
    )
