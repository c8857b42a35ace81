"""What a customer sets of auto-recharge: threshold, amount, caps, and that it goes on (P5, P7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from billing.errors import InvalidFields, NotFound, Refused
from billing.model.payments import RechargeView
from billing.rules.recharge import Terms, problems
from billing.services import methods, recharges, renewals
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.settling import checked_charge
from billing.store import customers, gateways, prepayments, spending, tables
from billing.store import recharge as store
from billing.store.guard import Transaction


def set_up(
    context: Context,
    customer_id: int,
    *,
    method_id: int,
    threshold_micros: int,
    amount_micros: int,
    now: datetime,
    cap_day_micros: int | None = None,
    cap_month_micros: int | None = None,
    wallet_id: int | None = None,
) -> RechargeView:
    """Recharge a wallet, by default the customer's own, by `amount` from a method on file whenever
    `threshold` or less is available. Caps: what is recharged in a local day and calendar month at
    most. Whoever sets it acts: what was paused goes on. Manual funding ends by it (rule P5).

    Raises NotFound, InvalidInput, InvalidFields.
    """
    with _changing(context, customer_id, wallet_id) as (tx, customer, wallet):
        checked_charge(amount_micros, wallet.currency)
        found = problems(
            Terms(
                threshold_micros=threshold_micros,
                amount_micros=amount_micros,
                cap_day_micros=cap_day_micros,
                cap_month_micros=cap_month_micros,
            )
        )
        if found:
            raise InvalidFields(found)
        methods.on_file(tx, customer_id, method_id)
        row = store.get(tx, customer_id, wallet.wallet_id)
        if row is None:
            row = tables.AutoRecharge(
                customer_id=customer_id, wallet_id=wallet.wallet_id, org_id=customer.org_id
            )
            tx.add(row)
        row.method_id, row.set_at = method_id, now
        row.threshold_micros, row.amount_micros = threshold_micros, amount_micros
        row.cap_day_micros, row.cap_month_micros = cap_day_micros, cap_month_micros
        recharges.resume(row)
        prepayments.remove(tx, customer_id, wallet.wallet_id, now)
        tx.flush()
        detail: dict[str, object] = {
            "wallet": wallet.wallet_id,
            "threshold_micros": threshold_micros,
            "amount_micros": amount_micros,
            "method": method_id,
        }
        _finish(tx, context, customer, "wallet.recharge", now, detail)
        return _view(tx, row)


def resume(
    context: Context, customer_id: int, now: datetime, *, wallet_id: int | None = None
) -> RechargeView:
    """The customer acts: what was paused, or waits for its retry, is tried at once. Raises
    NotFound, Refused (there is none)."""
    with _changing(context, customer_id, wallet_id) as (tx, customer, wallet):
        row = _existing(tx, wallet)
        recharges.resume(row)
        tx.flush()
        detail: dict[str, object] = {"wallet": wallet.wallet_id}
        _finish(tx, context, customer, "wallet.recharge_resume", now, detail)
        return _view(tx, row)


def stop(
    context: Context, customer_id: int, now: datetime, *, wallet_id: int | None = None
) -> None:
    """No recharge any more; what is on its way still comes. Raises NotFound, Refused."""
    with _changing(context, customer_id, wallet_id) as (tx, customer, wallet):
        recharges.stop(tx, _existing(tx, wallet), wallet)
        detail: dict[str, object] = {"wallet": wallet.wallet_id}
        _finish(tx, context, customer, "wallet.recharge_stop", now, detail)


def settings(context: Context, customer_id: int) -> list[RechargeView]:
    """Of every wallet of the customer that is recharged by itself."""
    with context.transaction() as tx:
        return [_view(tx, row) for row in store.of_customer(tx, customer_id)]


@contextmanager
def _changing(
    context: Context, customer_id: int, wallet_id: int | None
) -> Iterator[tuple[Transaction, tables.Customer, tables.Wallet]]:
    with changing_customer(context, customer_id) as (tx, customer):
        own = customers.wallets_of(tx, customer_id)[0].wallet_id
        wallet = spending.wallet(tx, customer_id, own if wallet_id is None else wallet_id)
        if wallet is None:
            raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
        yield tx, customer, wallet


def _existing(tx: Transaction, wallet: tables.Wallet) -> tables.AutoRecharge:
    row = store.get(tx, wallet.customer_id, wallet.wallet_id)
    if row is None:
        raise Refused("the wallet has no auto-recharge (rule P7)", field="wallet")
    return row


def _finish(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    # Looked at now, as what is available may be low already.
    renewals.credited(tx, context, customer.customer_id, now)
    audit_customer(context, tx, customer, action, now, detail)


def _view(tx: Transaction, row: tables.AutoRecharge) -> RechargeView:
    tx.flush()
    method = gateways.method(tx, row.customer_id, row.method_id)
    wallet = spending.wallet(tx, row.customer_id, row.wallet_id)
    return RechargeView(
        wallet_id=row.wallet_id,
        currency="" if wallet is None else wallet.currency,
        method_id=row.method_id,
        method="removed" if method is None or method.removed_at else method.label,
        threshold_micros=row.threshold_micros,
        amount_micros=row.amount_micros,
        cap_day_micros=row.cap_day_micros,
        cap_month_micros=row.cap_month_micros,
        declines=row.declines,
        retry_at=row.retry_at,
        paused_at=row.paused_at,
        paused_for=row.paused_for,
        pending=store.is_pending(tx, row.customer_id, row.wallet_id),
    )
