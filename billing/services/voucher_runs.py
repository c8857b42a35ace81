"""What follows from vouchers by itself (rule R3): a first login redeems one, its expiry ends it.

The hooks start the package (rule B2) and know nothing of money; this books it, as the meter's usage
is booked, behind the answer. Each page is a transaction: a run may be killed, repeated and late.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime

from billing.errors import Unavailable
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.views import SaleReceipt
from billing.model.vouchers import VoucherRun, VoucherState, serial_text
from billing.rules.taxes import Charge, charge, taxed_as
from billing.rules.vouchers import THROTTLE_WINDOW
from billing.services import hotspot_orders, receipts
from billing.services.context import Context
from billing.services.deferrals import account_of_sale, defer_package
from billing.services.settling import receive, spend
from billing.services.voucher_counter import counter_of, lapse
from billing.services.voucher_sales import begun, close_logins
from billing.store import audit, billing_jobs, catalog, customers, tables
from billing.store import vouchers as store
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

JOB = "vouchers"
_PAGE = 500
_USABLE = (VoucherState.CREATED, VoucherState.ACTIVE)


def run(context: Context, now: datetime) -> VoucherRun:
    """Book first logins, then let lapse what has expired. Raises Unavailable."""
    logins, parked = _book_logins(context, now)
    expired, more = 0, True
    while more:
        lapsed, more = _expire_page(context, now)
        expired += lapsed
    with context.transaction() as tx:
        store.forget_failures(tx, now - THROTTLE_WINDOW)
    hotspot_orders.forget_codes(context, now)
    return VoucherRun(at=now, logins=logins, expired=expired, parked=parked)


def _book_logins(context: Context, now: datetime) -> tuple[int, int]:
    booked, parked, last = 0, 0, 0
    while True:
        with context.transaction() as tx:
            page = store.begun_logins(tx, last, _PAGE)
        for customer_id in page:
            try:
                booked += _book_login(context, customer_id, now)
            except Unavailable:
                raise
            except Exception as error:
                # Whatever is wrong with one must not keep the others waiting.
                log.exception("the voucher of customer %d cannot be booked", customer_id)
                parked += 1
                with context.transaction() as tx:
                    billing_jobs.park(tx, JOB, customer_id, str(error), now)
        if len(page) < _PAGE:
            return booked, parked
        last = page[-1]


def _book_login(context: Context, customer_id: int, now: datetime) -> int:
    """What was owed for the voucher pays the package that its login has begun."""
    with context.transaction() as tx:
        customer = customers.lock_customer(tx, customer_id)
        voucher = store.active_of(tx, customer_id)
        if customer is None or voucher is None or not begun(tx, voucher):
            return 0
        key = {"customer_id": customer_id, "entitlement_id": voucher.entitlement_id}
        package = tx.get_one(tables.Entitlement, key)
        batch = tx.get_one(tables.VoucherBatch, voucher.batch_id)
        face = Money(batch.face_micros, batch.currency)
        if face.amount_micros:
            voucher.payment_id = _pay(tx, customer, voucher, package, face, now)
        voucher.state = VoucherState.REDEEMED.value
        voucher.ended_at = package.valid_from
        audit.append(
            tx,
            at=now,
            org_id=voucher.org_id,
            actor=context.actor,
            action="voucher.redeem",
            subject=f"voucher:{voucher.serial}",
            detail={"customer": customer_id, "face_micros": face.amount_micros, "login": True},
        )
        billing_jobs.unpark(tx, JOB, [customer_id])
        return 1


def _pay(
    tx: Transaction,
    customer: tables.Customer,
    voucher: tables.Voucher,
    package: tables.Entitlement,
    face: Money,
    now: datetime,
) -> int:
    row = tx.get_one(
        tables.Subscription,
        {"customer_id": customer.customer_id, "subscription_id": package.subscription_id},
    )
    terms = catalog.terms_by_version(tx, [package.plan_version_id])[package.plan_version_id]
    profile = taxed_as(customers.effective_profile(tx, row), terms)
    amount = charge(face, profile.tax_rate_ppm, inclusive=True)
    payment_id = receive(
        tx,
        customer,
        row.wallet_id,
        face,
        MoneyChannel.VOUCHER,
        reference=serial_text(voucher.serial),
        actor="voucher",
        now=now,
    )
    package.entry_id = spend(
        tx,
        customer,
        row.wallet_id,
        amount,
        memo=terms.plan_name,
        now=now,
        account=account_of_sale(terms),
        capped=False,
        paid=True,
    )
    defer_package(tx, package, terms, amount.net.amount_micros, now)
    sale = _sale(package, terms.plan_name, amount)
    receipts.of_sale(
        tx, customer, sale, profile, channel=MoneyChannel.VOUCHER, payment_id=payment_id, now=now
    )
    return payment_id


def _sale(package: tables.Entitlement, plan_name: str, amount: Charge) -> SaleReceipt:
    return SaleReceipt(
        customer_id=package.customer_id,
        subscription_id=package.subscription_id,
        entitlement_id=package.entitlement_id,
        entry_id=package.entry_id,
        invoice_number=None,
        plan_name=plan_name,
        total_micros=amount.total.amount_micros,
        tax_micros=amount.tax.amount_micros,
        rounding_micros=amount.rounding.amount_micros,
        currency=amount.total.currency,
        valid_from=package.valid_from,
        valid_until=package.valid_until,
        available_micros=0,
    )


def _expire_page(context: Context, now: datetime) -> tuple[int, bool]:
    """Up to a page of vouchers; returns how many have lapsed, and whether there may be more."""
    with context.transaction() as tx:
        found = store.lapsed(tx, now, _PAGE)
        if not found:
            return 0, False
        org_id = found[0].org_id
        page = [row for row in found if row.org_id == org_id]
        first = store.by_serial(tx, page[0].serial)
        if first is None:
            return 0, False
        batch = tx.get_one(tables.VoucherBatch, first.batch_id)
        counter_id = counter_of(context, tx, batch, now)
        waiting = [row.customer_id for row in page if row.customer_id is not None]
        customers.lock_customers(tx, [counter_id, *waiting])
        rows = [
            row
            for row in store.locked(tx, [row.serial for row in page])
            if row.state in _USABLE and not begun(tx, row)
        ]
        by_batch: dict[int, list[tables.Voucher]] = defaultdict(list)
        for row in rows:
            by_batch[row.batch_id].append(row)
        for batch_id, of_batch in sorted(by_batch.items()):
            batch = tx.get_one(tables.VoucherBatch, batch_id)
            sold = sum(row.state == VoucherState.ACTIVE for row in of_batch)
            memo = f"{sold} vouchers {batch.name} expired"
            lapse(tx, batch, counter_id, batch.face_micros * sold, memo, now)
        close_logins(tx, rows, now)
        store.set_all(
            tx,
            [row.serial for row in rows],
            {"state": VoucherState.EXPIRED.value, "ended_at": now},
        )
        # What somebody else has seen to meanwhile is not found again.
        return len(rows), True
