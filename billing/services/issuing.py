"""Bills come to be: rows, numbers, the entries that make them owed (rules B7, I2, M4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from billing.errors import NotFound
from billing.model.bills import Billable, BillDraft
from billing.model.charges import BillLine
from billing.model.commerce import Owner
from billing.model.profile import BillingProfile, TaxPoint
from billing.model.views import OperatorView
from billing.rules.cycles import due_on
from billing.rules.extras import PricedLine
from billing.rules.taxes import Charge, Taxed, due_by_payment, rate_of
from billing.store import catalog, invoices, tables
from billing.store.guard import Transaction


def operator_of(tx: Transaction) -> OperatorView:
    """The installation's one operator. Raises NotFound before `tollway migrate` made it."""
    operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    return operator


def draft(
    owner: Owner,
    profile: BillingProfile,
    amount: Charge,
    cycle: tuple[date, date] | None,
    lines: Sequence[BillLine],
    today: date,
) -> BillDraft:
    """A bill issued on the local day `today`, with the profile's payment date; `lines` sum to the
    amount's net. Without a cycle it is due as if its cycle began today."""
    first_day, next_first_day = cycle or (None, None)
    return BillDraft(
        customer_id=owner.customer_id,
        org_id=owner.org_id,
        subscription_id=owner.subscription_id,
        due_on=due_on(profile, today, first_day or today),
        cycle_from=first_day,
        cycle_until=next_first_day,
        lines=tuple(lines),
        net_micros=amount.net.amount_micros,
        tax_micros=amount.tax.amount_micros,
        rounding_micros=amount.rounding.amount_micros,
        currency=amount.total.currency,
        tax_point=profile.tax_point,
        tax_due_micros=tax_due(amount, profile.tax_point, paid_micros=0),
    )


def tax_due(amount: Charge, tax_point: TaxPoint, *, paid_micros: int) -> int:
    """Of a bill's tax, what is due at the issue, when so much of it is paid already (rule I6)."""
    tax_micros, total_micros = amount.tax.amount_micros, amount.total.amount_micros
    if tax_point is TaxPoint.ISSUE:
        return tax_micros
    return due_by_payment(tax_micros, paid_micros, total_micros) if paid_micros else 0


def one_line(text: str, profile: BillingProfile, amount: Charge) -> list[BillLine]:
    """The whole amount as a single line, of the profile's rate."""
    return [
        BillLine(
            text=text,
            net_micros=amount.net.amount_micros,
            tax_rate_ppm=profile.tax_rate_ppm,
            tax_micros=amount.tax.amount_micros,
        )
    ]


def bill_line(profile: BillingProfile, line: PricedLine, taxed: Taxed) -> BillLine:
    """A line of a bill, with what it is of: a charge and its days, or usage."""
    plain = BillLine(
        text=line.text,
        net_micros=taxed.net.amount_micros,
        tax_rate_ppm=rate_of(line.tax_rate_ppm, profile),
        tax_micros=taxed.tax.amount_micros,
    )
    if line.usage is not None:
        return replace(
            plain,
            usage_micros=line.usage.gross_micros,
            usage_charge_ids=line.usage.usage_charge_ids,
        )
    if line.extra is None or line.cycle is None:
        return plain
    return replace(
        plain,
        charge_id=line.extra.charge_id,
        first_day=line.cycle.first_day,
        next_first_day=line.cycle.next_first_day,
    )


def write_bill(tx: Transaction, bill: BillDraft, now: datetime) -> tables.Invoice:
    """Issue one; nothing is settled yet."""
    (issued,) = invoices.issue(tx, [bill], now)
    return invoices.get_invoice(tx, issued.customer_id, issued.invoice_id)


def owner_of(row: tables.Subscription | Billable) -> Owner:
    """Whose a bill or a package of the subscription is."""
    return Owner(row.customer_id, row.org_id, row.subscription_id)
