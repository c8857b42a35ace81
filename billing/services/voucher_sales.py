"""Vouchers are sold and taken back (rule R3): until they are redeemed, what they are good for is
owed to whoever holds them, in the account `money:voucher`.

An entry belongs to a customer's journal. The sale is in the buyer's, where its wallet pays;
over the counter it is in that of the organisation's own counter, and so is what lapses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.documents import DocumentLine
from billing.model.money import Money
from billing.model.receipts import ReceiptKind
from billing.model.vouchers import Activation, VoucherState, serial_text
from billing.services import limits, receipts, reseller_vouchers
from billing.services.bills import tx_customer
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.settling import check_spendable, checked_channel
from billing.services.voucher_counter import counter_of, lapse
from billing.store import audit, customers, ledger, tables
from billing.store import vouchers as store
from billing.store.guard import Transaction
from billing.store.ledger import Line

_LOGINS_PAGE = 1_000
_LOCKS_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Vouchers of a batch: all, or from one serial number to another."""

    batch_id: int
    first: int | None = None
    last: int | None = None


def activate(
    context: Context,
    which: Range,
    *,
    idempotency_key: str,
    now: datetime,
    pay_by: MoneyChannel | None = None,
    buyer_id: int | None = None,
) -> Activation:
    """Sell vouchers that are in stock at their face: for money over the counter (`pay_by`), or to a
    customer from its wallet. Those of a reseller are paid from its own wallet, at cost, by neither
    (rule R1). From now on they can be redeemed.

    Raises NotFound, InvalidInput, Conflict (rule M5), Refused (none in stock, the codes were not
    handed over yet, expired, a wallet has too little: P12, R1).
    """
    if pay_by is not None:
        checked_channel(pay_by)
    with context.transaction() as tx:
        batch = _batch(tx, which.batch_id)
        resold = reseller_vouchers.of_reseller(tx, batch)
        _check_payer(tx, resold, pay_by, buyer_id)
        customer_id = buyer_id or counter_of(context, tx, batch, now)
        if resold:
            reseller_vouchers.lock(tx, batch, customer_id)
        customer = customers.lock_customer(tx, customer_id)
        if customer is None:
            raise NotFound(f"no customer has the number {customer_id}", field="customer")
        paid_by = MoneyChannel.RESELLER if resold else pay_by
        return run_once(
            tx,
            Activation,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "activate vouchers",
                "batch": which.batch_id,
                "first": which.first,
                "last": which.last,
                "pay_by": pay_by,
                "buyer": buyer_id,
            },
            now=now,
            act=lambda: sell_stock(context, tx, batch, which, customer, paid_by, now),
        )


def revoke(
    context: Context,
    which: Range,
    now: datetime,
    *,
    refund_by: MoneyChannel | None = None,
    refund: bool = False,
) -> int:
    """Nobody can redeem these any more; returns how many. What was sold of them lapses, unless
    `refund` gives it back: to the wallet of the customer who bought them, and what was sold over
    the counter by `refund_by`; a reseller's to the wallets that paid, by its own staff within its
    window only (rule R1). Vouchers that are in use or redeemed stay as they are.

    Raises NotFound, InvalidInput, Refused (there are none, the window has passed), Conflict (being
    sold just now).
    """
    context.refuse_cashier()
    if refund_by is not None:
        checked_channel(refund_by)
    with context.transaction() as tx:
        batch = _batch(tx, which.batch_id)
        resold = refund and reseller_vouchers.of_reseller(tx, batch)
        counter_id = counter_of(context, tx, batch, now)
        if resold:
            reseller_vouchers.lock(tx, batch, counter_id)
        waiting = store.waiting_customers(tx, which.batch_id, which.first, which.last)
        buyers = store.buyers(tx, which.batch_id)
        concerned = sorted({counter_id, *waiting, *buyers})
        for start in range(0, len(concerned), _LOCKS_PAGE):
            customers.lock_customers(tx, concerned[start : start + _LOCKS_PAGE])
        states = (VoucherState.CREATED, VoucherState.ACTIVE)
        serials = store.lock_range(tx, which.batch_id, which.first, which.last, states)
        in_use = store.begun_of_batch(tx, which.batch_id)
        rows = [row for row in store.locked(tx, serials) if row.serial not in in_use]
        if not rows:
            raise Refused("there are no vouchers to revoke", field="batch")
        if not _customers_of(rows) <= set(concerned):
            # They are not locked, and customers are locked before vouchers.
            raise Conflict("some of them were being sold just now; try again", field="batch")
        if resold:
            reseller_vouchers.check_window(context, tx, batch, rows, now)
        else:
            _give_back(tx, batch, rows, counter_id, refund, refund_by, now)
        close_logins(tx, rows, now)
        numbers = [row.serial for row in rows]
        store.set_all(tx, numbers, {"state": VoucherState.REVOKED.value, "ended_at": now})
        if resold:
            reseller_vouchers.give_back(context, tx, batch, rows, now)
        audit.append(
            tx,
            at=now,
            org_id=batch.org_id,
            actor=context.actor,
            action="voucher.revoke",
            subject=f"voucher_batch:{batch.batch_id}",
            detail={"count": len(rows), "from": numbers[0], "to": numbers[-1], "refund": refund},
        )
        return len(rows)


def begun(tx: Transaction, voucher: tables.Voucher) -> bool:
    """Whether somebody has logged in by it; its customer is locked."""
    if voucher.customer_id is None:
        return False
    key = {"customer_id": voucher.customer_id, "entitlement_id": voucher.entitlement_id}
    package = tx.get_one(tables.Entitlement, key, populate_existing=True)
    return package.valid_from is not None


def close_logins(tx: Transaction, rows: Sequence[tables.Voucher], now: datetime) -> None:
    """Nobody logs in by these any more, and nobody has; their customers are locked."""
    waiting = [row.serial for row in rows if row.login_name is not None]
    if waiting:
        tx.flush()
        store.close_logins(tx, waiting, now)


def sell_stock(
    context: Context,
    tx: Transaction,
    batch: tables.VoucherBatch,
    which: Range,
    customer: tables.Customer,
    pay_by: MoneyChannel | None,
    now: datetime,
) -> Activation:
    """The same within a transaction that has locked the customer; without `pay_by` its wallet pays.
    Raises Refused."""
    if batch.codes_sealed is not None:
        raise Refused("hand the codes over first: nobody has them yet (rule R3)", field="batch")
    if batch.expires_at is not None and batch.expires_at <= now:
        raise Refused(f"the batch expired {batch.expires_at:%Y-%m-%d %H:%M} UTC", field="batch")
    serials = store.lock_range(tx, batch.batch_id, which.first, which.last, [VoucherState.CREATED])
    if not serials:
        raise Refused("none of these vouchers are in stock", field="batch")
    if which.first is not None and which.last is not None:
        missing = which.last - which.first + 1 - len(serials)
        if missing:
            raise Refused(
                f"{missing} of the vouchers {which.first} to {which.last} are not in stock",
                field="first",
            )
    total = Money(batch.face_micros * len(serials), batch.currency)
    entry_id = _sale_entry(tx, batch, customer, total, pay_by, serials, now)
    cost = None
    if pay_by is MoneyChannel.RESELLER:
        cost = reseller_vouchers.pay(context, tx, batch, serials, entry_id, now)
    store.set_all(
        tx,
        serials,
        {
            "state": VoucherState.ACTIVE.value,
            "activated_at": now,
            "sold_customer_id": customer.customer_id,
            "sold_entry_id": entry_id,
        },
    )
    if batch.as_login:
        for start in range(0, len(serials), _LOGINS_PAGE):
            page = serials[start : start + _LOGINS_PAGE]
            store.open_logins(tx, batch.batch_id, page, now)
    number = None
    if total.amount_micros:
        number = _receipt(tx, batch, customer, total, pay_by, serials, entry_id, now)
    audit.append(
        tx,
        at=now,
        org_id=batch.org_id,
        actor=context.actor,
        action="voucher.activate",
        subject=f"voucher_batch:{batch.batch_id}",
        detail={
            "count": len(serials),
            "from": serials[0],
            "to": serials[-1],
            "total_micros": total.amount_micros,
            "paid_by": pay_by or "wallet",
            "customer": customer.customer_id,
        },
    )
    return Activation(
        batch_id=batch.batch_id,
        count=len(serials),
        total_micros=total.amount_micros,
        currency=total.currency,
        customer_id=customer.customer_id,
        entry_id=entry_id,
        receipt_number=number,
        cost_micros=None if cost is None else cost.amount_micros,
    )


def _check_payer(
    tx: Transaction, resold: bool, pay_by: MoneyChannel | None, buyer_id: int | None
) -> None:
    if buyer_id is not None:
        limits.check_no_account(tx, buyer_id)
    if resold:
        if pay_by is not None or buyer_id is not None:
            raise Refused(
                "the batch is a reseller's: its wallet pays, at cost (rule R1); what its customers "
                "pay is its own",
                field="pay_by",
            )
    elif (pay_by is None) == (buyer_id is None):
        raise InvalidInput("give a way of payment or a customer, one of them", field="pay_by")


def _sale_entry(
    tx: Transaction,
    batch: tables.VoucherBatch,
    customer: tables.Customer,
    total: Money,
    pay_by: MoneyChannel | None,
    serials: Sequence[int],
    now: datetime,
) -> int | None:
    if not total.amount_micros:
        return None
    if pay_by is None:
        wallet = customers.wallets_of(tx, customer.customer_id)[0]
        if wallet.currency != total.currency:
            raise Refused(f"the wallet is in {wallet.currency}", field="customer")
        check_spendable(tx, customer, wallet.wallet_id, total)
        paid = Line(ledger.WALLET, -total.amount_micros, wallet.wallet_id)
    else:
        paid = Line(f"money:{pay_by.value}", -total.amount_micros)
    return ledger.post(
        tx,
        customer_id=customer.customer_id,
        org_id=customer.org_id,
        kind=ledger.VOUCHER,
        memo=f"{len(serials)} vouchers {batch.name}",
        lines=[paid, Line(ledger.MONEY_VOUCHER, total.amount_micros)],
        currency=total.currency,
        now=now,
    )


def _receipt(
    tx: Transaction,
    batch: tables.VoucherBatch,
    customer: tables.Customer,
    total: Money,
    pay_by: MoneyChannel | None,
    serials: Sequence[int],
    entry_id: int | None,
    now: datetime,
) -> str:
    face = Money(batch.face_micros, batch.currency)
    text = f"{len(serials)} vouchers of {face}, {batch.name}"
    return receipts.write(
        tx,
        customer,
        ReceiptKind.VOUCHER,
        [DocumentLine(text=text, net_micros=total.amount_micros, tax_rate_ppm=0)],
        total,
        now,
        channel=pay_by.value if pay_by else receipts.WALLET,
        reference=f"{serial_text(serials[0])}–{serial_text(serials[-1])}",
        entry_id=entry_id,
    )


def _give_back(
    tx: Transaction,
    batch: tables.VoucherBatch,
    rows: Sequence[tables.Voucher],
    counter_id: int,
    refund: bool,
    refund_by: MoneyChannel | None,
    now: datetime,
) -> None:
    """What was sold of these goes back to its buyers, or lapses."""
    sold = [row for row in rows if row.state == VoucherState.ACTIVE]
    memo = f"{len(sold)} vouchers {batch.name} revoked"
    if not refund:
        lapse(tx, batch, counter_id, batch.face_micros * len(sold), memo, now)
        return
    for buyer_id in sorted({row.sold_customer_id or counter_id for row in sold}):
        count = sum((row.sold_customer_id or counter_id) == buyer_id for row in sold)
        micros = batch.face_micros * count
        if not micros:
            continue
        if buyer_id != counter_id:
            wallet_id = customers.wallets_of(tx, buyer_id)[0].wallet_id
            given = Line(ledger.WALLET, micros, wallet_id)
        elif refund_by is not None:
            given = Line(f"money:{refund_by.value}", micros)
        else:
            raise InvalidInput(
                "they were sold over the counter: say how the money goes back", field="refund_by"
            )
        buyer = tx_customer(tx, buyer_id)
        ledger.post(
            tx,
            customer_id=buyer_id,
            org_id=buyer.org_id,
            kind=ledger.VOUCHER,
            memo=memo,
            lines=[Line(ledger.MONEY_VOUCHER, -micros), given],
            currency=batch.currency,
            now=now,
        )


def _customers_of(rows: Sequence[tables.Voucher]) -> set[int]:
    """Who bought these, and who waits to log in by them."""
    return {
        one
        for row in rows
        if row.state == VoucherState.ACTIVE
        for one in (row.sold_customer_id, row.customer_id)
        if one is not None
    }


def _batch(tx: Transaction, batch_id: int) -> tables.VoucherBatch:
    row = store.get_batch(tx, batch_id)
    if row is None:
        raise NotFound(f"no voucher batch has the number {batch_id}", field="batch")
    return row
