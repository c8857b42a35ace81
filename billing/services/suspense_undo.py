"""A wrong match is undone: the money leaves the customer's wallet and is nobody's again (P1, M4).

As with a chargeback, a bill that it paid stays paid: what is missing stands in the wallet. A
prepayment invoice that it met is open again. The receipt stays, as it was given.
"""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.money import Money
from billing.model.payments import SuspenseView
from billing.services import enforcement, renewals
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.settling import check_takes_money
from billing.store import audit, ledger, prepayments, tables
from billing.store import gateways as gateway_store
from billing.store import suspense as store
from billing.store.guard import Transaction, unique
from billing.store.ledger import Line


def undo(
    context: Context,
    move_id: int,
    reason: str,
    now: datetime,
    *,
    even_if_spent: bool = False,
) -> SuspenseView:
    """Take a match back, in whole, once. `even_if_spent`: the wallet may fall below zero.

    Raises NotFound, InvalidInput (no reason), Unconfirmed, Refused (it was given back to whom it
    came from, or undone; the customer has spent it).
    """
    if not reason.strip():
        raise InvalidInput("say what was wrong with it", field="reason")
    with context.transaction() as tx:
        owner_id = _found(tx, move_id).customer_id
    if owner_id is None:
        raise Refused("it was given back to whom it came from, not matched", field="move")
    with changing_customer(context, owner_id) as (tx, customer):
        check_takes_money(tx, customer.org_id)
        move = _found(tx, move_id)
        row = gateway_store.suspense(tx, move.suspense_id)
        if row is None or move.undoes_id is not None or store.is_undone(tx, move_id):
            raise Refused("it was undone already", field="move")
        payment = ledger.payment(tx, owner_id, move.payment_id or 0)
        if payment is None:
            raise NotFound("the payment that it became is not there", field="move")
        amount = Money(move.amount_micros, row.currency)
        wallet = ledger.wallet(tx, owner_id, payment.wallet_id)
        if amount.amount_micros > wallet.available_micros and not even_if_spent:
            available = Money(wallet.available_micros, row.currency)
            raise Refused(
                f"the wallet has {available}: the rest of {amount} is spent. Say that the customer"
                " may owe it",
                field="even_if_spent",
            )
        with confirmed(context, tx, row.org_id, f"suspense:{row.suspense_id}", amount, now):
            _take_back(context, tx, row, move, payment, amount, reason.strip(), now)
        return gateway_store.suspense_view(row)


def _take_back(
    context: Context,
    tx: Transaction,
    row: tables.Suspense,
    move: tables.SuspenseMove,
    payment: tables.Payment,
    amount: Money,
    reason: str,
    now: datetime,
) -> None:
    owner_id = payment.customer_id
    _post(tx, payment, amount, now)
    prepayments.reopen_paid_by(tx, owner_id, payment.payment_id)
    row.moved_micros -= amount.amount_micros
    with unique(tx, "it was undone already", field="move"):
        undone = tables.SuspenseMove(
            suspense_id=row.suspense_id,
            org_id=row.org_id,
            at=now,
            amount_micros=amount.amount_micros,
            customer_id=owner_id,
            payment_id=payment.payment_id,
            note=reason,
            actor=context.actor,
            undoes_id=move.move_id,
        )
        gateway_store.insert_move(tx, undone)
    enforcement.reconcile(tx, context, owner_id, now)
    renewals.credited(tx, context, owner_id, now)
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action="suspense.undo",
        subject=f"suspense:{row.suspense_id}",
        detail={"amount_micros": amount.amount_micros, "customer": owner_id, "move": move.move_id},
    )


def _post(tx: Transaction, payment: tables.Payment, amount: Money, now: datetime) -> None:
    ledger.post(
        tx,
        customer_id=payment.customer_id,
        org_id=payment.org_id,
        kind="refund",
        memo="matched to the wrong customer",
        lines=[
            Line(ledger.WALLET, -amount.amount_micros, payment.wallet_id),
            Line(f"money:{payment.channel}", amount.amount_micros),
        ],
        currency=amount.currency,
        now=now,
        corrects_entry_id=payment.entry_id,
    )


def _found(tx: Transaction, move_id: int) -> tables.SuspenseMove:
    row = store.move(tx, move_id)
    if row is None:
        raise NotFound(f"no match has the number {move_id}", field="move")
    return row
