"""A guest has paid: his wallet buys the voucher, in the transaction in which the money comes, so
that there is one for each payment (rules B13, R3, M5)."""

from __future__ import annotations

import logging
from datetime import datetime

from billing.errors import Conflict, TollwayError
from billing.model.messages import MessageDraft, MessageKind
from billing.model.vouchers import Code, VoucherState, serial_text
from billing.services import voucher_keys
from billing.services.context import Context
from billing.services.voucher_codes import new_codes
from billing.services.voucher_sales import Range, sell_stock
from billing.services.vouchers import store_codes
from billing.store import audit, messages, tables
from billing.store import hotspots as store
from billing.store import vouchers as voucher_store
from billing.store.guard import Transaction
from billing.store.imports import reserve_ids

log = logging.getLogger(__name__)

_TRIES = 3


def paid(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    now: datetime,
) -> None:
    """A payment's money is in the wallet: sell the voucher that it is for, if it is for one. What
    goes wrong leaves the money there, with the reason at the order. The customer is locked."""
    order = store.order_of_payment(tx, row.customer_id, row.attempt_id)
    if order is None or order.serial is not None:
        return
    try:
        with tx.begin_nested():
            made = _sell(tx, context, customer, order, now)
    except TollwayError as error:
        log.error("order %d is paid and has no voucher: %s", order.order_id, error)
        order.problem = error.message
        tx.flush()
        return
    order.serial, order.issued_at, order.problem = made.serial, now, None
    order.code_sealed = context.box.seal(made.code, sealed_for(order.order_id))
    tx.flush()
    _tell(tx, customer, order, now)
    audit.append(
        tx,
        at=now,
        org_id=order.org_id,
        actor=context.actor,
        action="hotspot.issue",
        subject=f"hotspot_order:{order.order_id}",
        detail={"voucher": made.serial, "payment": row.attempt_id},
    )


def sealed_for(order_id: int) -> str:
    """What a code is sealed for."""
    return f"hotspot_order:{order_id}"


def _sell(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    order: tables.HotspotOrder,
    now: datetime,
) -> Code:
    batch = tx.get_one(tables.VoucherBatch, order.batch_id)
    made = _stock(tx, context, batch)
    which = Range(batch_id=batch.batch_id, first=made.serial, last=made.serial)
    sell_stock(context, tx, batch, which, customer, None, now)
    return made


def _stock(tx: Transaction, context: Context, batch: tables.VoucherBatch) -> Code:
    """One more voucher of the batch. Raises Conflict: its code was there each time."""
    keys = voucher_keys.known(context, tx)
    (serial,) = reserve_ids(tx, "voucher", "serial", 1)
    for _ in range(_TRIES):
        (text,) = new_codes(voucher_store.format_of(batch), 1)
        if store_codes(tx, keys, batch, [serial], [text]):
            return Code(serial=serial, code=text, password="")
    raise Conflict(f"no code was free for {VoucherState.CREATED} vouchers", field="code")


def _tell(
    tx: Transaction, customer: tables.Customer, order: tables.HotspotOrder, now: datetime
) -> None:
    """The code goes by mail where there is an address; it waits sealed (`mailing.take`)."""
    if not customer.email or order.code_sealed is None:
        return
    draft = MessageDraft(
        customer_id=customer.customer_id,
        kind=MessageKind.HOTSPOT_CODE,
        idempotency_key=f"hotspot_order:{order.order_id}",
        facts={
            "serial": serial_text(order.serial or 0),
            "plan_name": order.plan_name,
            "sealed": order.code_sealed.hex(),
            "sealed_for": sealed_for(order.order_id),
        },
    )
    messages.queue(tx, [draft], now)
