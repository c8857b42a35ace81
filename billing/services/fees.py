"""Fees that follow from not paying: on the next bill, or on one of their own (rules I1, I5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.model.bills import BillDraft
from billing.model.charges import ChargeKind
from billing.model.commerce import Owner
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.rules.cycles import day_passed_at, local_day
from billing.rules.moves import bills_by_itself
from billing.rules.taxes import charge
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import draft, one_line, operator_of, owner_of
from billing.services.settling import settle
from billing.store import charges, customers, invoices, ledger, messages, tables
from billing.store.guard import Transaction

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeDue:
    """A fee to be charged on the local day `on`; `price` is as the profile's prices are, with or
    without tax. `is_served`: the subscription is open and on a plan. `billed_until`: the day after
    its last billed cycle. `free_micros`: what its wallet has to pay with."""

    owner: Owner
    wallet_id: int
    free_micros: int
    profile: BillingProfile
    is_served: bool
    billed_until: date | None
    text: str
    price: Money
    on: date

    @property
    def on_next_bill(self) -> bool:
        return self.is_served and bills_by_itself(self.profile)


@dataclass(frozen=True, slots=True)
class Fee:
    """What it has become: a charge that the next bill carries, or a bill."""

    charge_id: int | None = None
    invoice_id: int | None = None


def fee_of(tx: Transaction, row: tables.Subscription, price: Money, text: str, on: date) -> FeeDue:
    """A fee of a subscription, whose customer is locked."""
    return FeeDue(
        owner=owner_of(row),
        wallet_id=row.wallet_id,
        free_micros=ledger.wallet(tx, row.customer_id, row.wallet_id).available_micros,
        profile=customers.effective_profile(tx, row),
        is_served=row.closed_at is None and row.plan_version_id is not None,
        billed_until=invoices.cycle_end(tx, row.customer_id, row.subscription_id),
        text=text,
        price=price,
        on=on,
    )


def charge_fees(
    tx: Transaction, context: Context, due: Sequence[FeeDue], now: datetime
) -> list[Fee]:
    """Charge these, in their order; the customers are locked. Where a subscription is billed by
    itself its next bill carries the fee, else it gets a bill of its own, with the profile's payment
    date."""
    rows = {place: _charge(one, now) for place, one in enumerate(due) if one.on_next_bill}
    charges.insert_all(tx, list(rows.values()))
    alone = {place: one for place, one in enumerate(due) if not one.on_next_bill}
    today = local_day(now, operator_of(tx).time_zone)
    issued = invoices.issue(tx, [_own_bill(one, today) for one in alone.values()], now)
    _take_in(tx, context, alone.values(), now)
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    bills = dict(zip(alone, issued, strict=True))
    return [
        Fee(charge_id=rows[place].charge_id)
        if place in rows
        else Fee(invoice_id=bills[place].invoice_id)
        for place in range(len(due))
    ]


def _charge(due: FeeDue, now: datetime) -> tables.Charge:
    # In arrears the next bill is for days before `on`, and carries what was due on its days.
    on = min(due.on, due.billed_until or due.on)
    return tables.Charge(
        customer_id=due.owner.customer_id,
        org_id=due.owner.org_id,
        subscription_id=due.owner.subscription_id,
        kind=ChargeKind.ONE_OFF.value,
        text=due.text,
        price_micros=due.price.amount_micros,
        discount_ppm=0,
        starts_on=on,
        ends_on=on + _ONE_DAY,
        created_at=now,
    )


def _own_bill(due: FeeDue, today: date) -> BillDraft:
    profile = due.profile
    amount = charge(due.price, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
    return draft(due.owner, profile, amount, None, one_line(due.text, profile, amount), today)


def _take_in(tx: Transaction, context: Context, due: Iterable[FeeDue], now: datetime) -> None:
    """Free credit pays first. Without any, nothing changes before the payment date has passed: the
    sweep is told to look by then."""
    zone = operator_of(tx).time_zone
    moments: dict[tuple[int, int], datetime] = {}
    for one in due:
        customer_id, _, subscription_id = one.owner
        if one.free_micros > 0 or subscription_id is None:
            customer = customers.lock_customer(tx, customer_id)
            if customer is not None:
                settle(tx, customer, one.wallet_id, now)
                enforcement.reconcile(tx, context, customer_id, now)
        else:
            # The payment date is today at the earliest.
            moments[customer_id, subscription_id] = day_passed_at(local_day(now, zone), zone)
    customers.look_again(tx, moments)
