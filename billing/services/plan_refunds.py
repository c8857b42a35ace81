"""What a change of plan gives back of bills and packages (rules B17, I2, M4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from billing.model.credits import CreditNoteView
from billing.model.money import Money
from billing.rules.credits import credited
from billing.rules.cycles import Cycle, day_start
from billing.rules.plan_changes import (
    BilledLine,
    Bought,
    bill_share,
    given_back,
    package_share,
    used_quantities,
)
from billing.rules.taxes import Charge
from billing.services import deferrals, limits
from billing.services.credits import rates_of, take_back
from billing.store import entitlements, invoices, ledger, self_service, tables
from billing.store.guard import Transaction
from billing.store.ledger import Line

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BillGiven:
    """A bill whose plan ends early: its unused days, and the credit note, unless of nothing."""

    bill: tables.Invoice
    unused: Cycle
    note: CreditNoteView | None
    words: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be taken back of a bill; `by_rate`: of which tax rates, in micros (rule I1)."""

    amount: Money
    by_rate: Mapping[int, Fraction] | None = None


@dataclass(frozen=True, slots=True)
class PackageGiven:
    """A package that was ended, and what went to the wallet for it."""

    amount: Money
    words: str


def give_back_bills(
    tx: Transaction,
    row: tables.Subscription,
    today: date,
    reason: str,
    now: datetime,
    time_zone: str,
) -> Iterator[BillGiven]:
    """Credit the days after the local day `today` of the subscription's bills, latest first, and
    end the packages that came with them. A bill of a cycle that has not begun is void: it is issued
    anew; one that was written off in part stays (rule I5), and what was paid of it is credited.
    What the bill has of charges beside the plan stays billed.
    """
    tomorrow = today + _ONE_DAY
    past = invoices.billed_past(tx, row.customer_id, row.subscription_id, tomorrow)
    for bill, first_day, until in past:
        package = entitlements.ending_at(
            tx, row.customer_id, row.subscription_id, day_start(until, time_zone)
        )
        ahead = first_day >= tomorrow
        void = ahead and not bill.written_off_micros
        unused = Cycle(max(first_day, tomorrow), until)
        left = Money(invoices.creditable_micros(bill), bill.currency)
        quantity = None if package is None else used_quantities(bought(package))
        claim = Claim(left) if ahead else _of_plan(tx, bill, unused, quantity)
        amount = claim.amount
        if package is not None:
            package.ended_at = now
        if not void:
            bill.plan_until = tomorrow
        days = f"{unused.days} of {(until - first_day).days} days"
        why = f"{reason}: {days}"
        note = None
        if amount.amount_micros > 0:
            note = take_back(
                tx, bill, amount, why, now, void=void, of_days=not ahead, by_rate=claim.by_rate
            )
        used = f", {_percent(quantity)} of its allowance left" if quantity is not None else ""
        words = f"credit   {amount}  of {bill.number}, {days} from {unused.first_day}{used}"
        yield BillGiven(bill, unused, note, words)


def credit_days(
    tx: Transaction, row: tables.Subscription, days: Cycle, reason: str, now: datetime
) -> list[tuple[tables.Invoice, CreditNoteView]]:
    """Credit local days of the plan that bills hold already, and nothing else of these bills."""
    found = []
    past = invoices.billed_past(tx, row.customer_id, row.subscription_id, days.first_day)
    for bill, first_day, until in past:
        part = Cycle(max(first_day, days.first_day), min(until, days.next_first_day))
        claim = _of_plan(tx, bill, part, None)
        if part.days > 0 and claim.amount.amount_micros > 0:
            note = take_back(
                tx,
                bill,
                claim.amount,
                reason,
                now,
                void=False,
                of_days=True,
                by_rate=claim.by_rate,
            )
            found.append((bill, note))
    return found


def give_back_packages(
    tx: Transaction, row: tables.Subscription, now: datetime
) -> Iterator[PackageGiven]:
    """End the packages of a daily subscription and put what is unused of their price into its
    wallet, in an entry that corrects the sale's (rule M4)."""
    for package in entitlements.open_rows(tx, row.customer_id, row.subscription_id, now):
        limits.check_not_sold(tx, package)
        share = package_share(bought(package), now)
        package.ended_at = now
        yield _refund(tx, row, package, share, now)
    tx.flush()


def give_back_package(
    tx: Transaction,
    row: tables.Subscription,
    package: tables.Entitlement,
    share: Fraction,
    now: datetime,
) -> Money:
    """End one package and put this share of its price into the wallet; returns what that was."""
    package.ended_at = now
    given = _refund(tx, row, package, share, now)
    tx.flush()
    return given.amount


def _refund(
    tx: Transaction,
    row: tables.Subscription,
    package: tables.Entitlement,
    share: Fraction,
    now: datetime,
) -> PackageGiven:
    currency = ledger.wallet(tx, row.customer_id, row.wallet_id).currency
    if package.entry_id is None:
        nothing = Money(0, currency)
        words = f"refund   {nothing}  of package {package.entitlement_id}: nothing was paid for it"
        return PackageGiven(nothing, words)
    sale = _sale(tx, row.customer_id, package.entry_id, currency)
    amount = given_back(sale.total, share, sale.total)
    words = f"refund   {amount}  of {sale.total}: {_share_words(package, share, now)}"
    if amount.amount_micros > 0:
        _reverse(tx, row, package, sale, amount, now)
    return PackageGiven(amount, words)


def _sale(tx: Transaction, customer_id: int, entry_id: int, currency: str) -> Charge:
    """What was paid for a package, as its entry says."""
    lines = ledger.postings(tx, customer_id, entry_id)
    net_micros = lines.get(ledger.DEFERRED_PACKAGE, 0) + lines.get(ledger.REVENUE_PACKAGE, 0)
    return Charge(
        Money(-lines[ledger.WALLET], currency),
        Money(net_micros, currency),
        Money(lines.get(ledger.TAX, 0), currency),
        Money(lines.get(ledger.ROUNDING, 0), currency),
    )


def _reverse(
    tx: Transaction,
    row: tables.Subscription,
    package: tables.Entitlement,
    sale: Charge,
    amount: Money,
    now: datetime,
) -> None:
    parts = credited(sale, Money(0, amount.currency), amount)
    given = deferrals.give_back_package(tx, package, parts.net.amount_micros, now)
    entry_id = ledger.post(
        tx,
        customer_id=row.customer_id,
        org_id=row.org_id,
        kind="refund",
        memo="unused share of a package",
        lines=[
            Line(ledger.WALLET, amount.amount_micros, row.wallet_id),
            *given.lines,
            Line(ledger.TAX, -parts.tax.amount_micros),
            Line(ledger.ROUNDING, -parts.rounding.amount_micros),
        ],
        currency=amount.currency,
        now=now,
        corrects_entry_id=package.entry_id,
    )
    deferrals.note_package(tx, given, entry_id, now)
    self_service.take_back(tx, package, now)


def not_served(tx: Transaction, bill: tables.Invoice, first_day: date) -> Claim:
    """What a bill asks for the days from `first_day` on when nothing is served any more: its plan's
    part with the discounts on it, and recurring charges', each by the days of its line; at most
    what is left to credit (rule B6)."""
    if bill.cycle_until is None:
        return Claim(Money(0, bill.currency))
    plan = Cycle(first_day, bill.plan_until or bill.cycle_until)
    rest = Cycle(first_day, bill.cycle_until)
    recurring = [
        BilledLine(Money(net_micros, bill.currency), Cycle(first, end), rate)
        for net_micros, first, end, rate in invoices.recurring_lines(tx, bill)
    ]
    plan_lines = _plan_lines(tx, bill)

    def share(rate: int, net: Money) -> Fraction:
        of_plan = bill_share(_of_rate(plan_lines, rate), net, plan)
        return of_plan + bill_share(_of_rate(recurring, rate), net, rest)

    return _claim(tx, bill, share)


def _of_plan(
    tx: Transaction, bill: tables.Invoice, unused: Cycle, quantity: Fraction | None
) -> Claim:
    lines = _plan_lines(tx, bill)

    def share(rate: int, net: Money) -> Fraction:
        return bill_share(_of_rate(lines, rate), net, unused, quantity)

    return _claim(tx, bill, share)


def _claim(tx: Transaction, bill: tables.Invoice, share: Callable[[int, Money], Fraction]) -> Claim:
    """The sum of the shares of what each tax rate charged, rounded once (rule M2)."""
    by_rate = {
        one.tax_rate_ppm: one.total_micros
        * share(one.tax_rate_ppm, Money(one.net_micros, bill.currency))
        for one in rates_of(tx, bill)
    }
    total = Money(bill.total_micros, bill.currency)
    left = Money(invoices.creditable_micros(bill), bill.currency)
    whole = sum(by_rate.values(), Fraction(0)) / (bill.total_micros or 1)
    return Claim(given_back(total, whole, left), by_rate)


def _of_rate(lines: Sequence[BilledLine], tax_rate_ppm: int) -> list[BilledLine]:
    return [line for line in lines if line.tax_rate_ppm == tax_rate_ppm]


def _plan_lines(tx: Transaction, bill: tables.Invoice) -> list[BilledLine]:
    if bill.cycle_from is None or bill.cycle_until is None:
        return []
    return [
        BilledLine(
            Money(net_micros, bill.currency),
            Cycle(first_day or bill.cycle_from, next_first_day or bill.cycle_until),
            rate,
        )
        for net_micros, first_day, next_first_day, rate in invoices.plan_lines(tx, bill)
    ]


def bought(package: tables.Entitlement) -> Bought:
    """A package as the rules of what is unused see it."""
    return Bought(
        validity_minutes=package.validity_minutes,
        valid_from=package.valid_from,
        valid_until=package.valid_until,
        seconds_total=package.seconds_total,
        seconds_left=package.seconds_left,
        octets_total=package.octets_total,
        octets_left=package.octets_left,
    )


def _share_words(package: tables.Entitlement, share: Fraction, now: datetime) -> str:
    if package.valid_from is None or package.valid_from > now:
        return "it has not begun"
    words = [f"{_percent(share)} unused"]
    if package.valid_until is not None:
        words.append(f"{max(0, (package.valid_until - now) // _ONE_DAY)} whole days left")
    quantity = used_quantities(bought(package))
    if quantity is not None:
        words.append(f"{_percent(quantity)} of its allowance left")
    return ", ".join(words)


def _percent(share: Fraction) -> str:
    return f"{round(share * 100)} %"
