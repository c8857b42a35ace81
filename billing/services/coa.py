"""Orders to running sessions as people see them, and taking up again what had failed (rule C1)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from billing.errors import Conflict, NotFound, Refused
from billing.model.orders import NOT_DONE, OrderState, OrderView, RetryView
from billing.services import enforcement
from billing.services.context import Context
from billing.services.nas import nas_id_of
from billing.store import audit, customers
from billing.store import enforcement as intents
from billing.store import orders as store
from billing.store.guard import Transaction

RETRY_LIMIT = 10_000


def list_orders(
    context: Context,
    *,
    states: Collection[OrderState] = NOT_DONE,
    nas: str | None = None,
    subscription_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[OrderView]:
    """Newest first, each with its packets and answers. `nas` is a name. Raises NotFound."""
    with context.transaction() as tx:
        return store.find_orders(
            tx,
            states=states,
            nas_id=None if nas is None else nas_id_of(tx, nas),
            subscription_id=subscription_id,
            before=before,
            limit=limit,
        )


def get_order(context: Context, order_id: int) -> OrderView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return _order(tx, order_id)


def retry(context: Context, order_id: int, now: datetime) -> OrderView:
    """Send an order again at once: one that failed, or one that waits for its next attempt.

    Raises NotFound; Refused when it is done, when its session has ended, or when it is not wanted
    any more (who has paid meanwhile is not disconnected by it); Conflict when another order does
    the same already.
    """
    with context.transaction() as tx:
        customer_id = store.customer_of_order(tx, order_id)
        if customer_id is None or customers.lock_customer(tx, customer_id) is None:
            raise _unknown(order_id)
        view = _order(tx, order_id)
        if not view.running:
            raise Refused(f"order {order_id}: its session has ended", field="order")
        if not view.may_retry:
            raise Refused(
                f"order {order_id} is {view.state}: only what has failed or waits can be retried",
                field="order",
            )
        order = store.lock_order(tx, customer_id, order_id)
        if not enforcement.still_wanted(tx, order, now):
            raise Refused(
                f"order {order_id}: the subscriber's state has changed, it is not wanted any more",
                field="order",
            )
        if store.has_open_twin(tx, order):
            raise Conflict(f"order {order_id}: a newer order does the same", field="order")
        store.reopen(order, now)
        tx.flush()
        intents.notify(tx)
        audit.append(
            tx,
            at=now,
            org_id=order.org_id,
            actor=context.actor,
            action="coa.retry",
            subject=f"coa:{order_id}",
            detail={"goal": order.goal, "nas": order.nas_id, "session": order.session_id},
        )
        return _order(tx, order_id)


def retry_failed(context: Context, nas: str, now: datetime) -> RetryView:
    """Everything that has failed at a NAS, each order in a transaction of its own.

    Raises NotFound when there is no such NAS.
    """
    failed = list_orders(context, states=[OrderState.FAILED], nas=nas, limit=RETRY_LIMIT)
    retried, left = [], []
    for view in reversed(failed):
        try:
            retry(context, view.order_id, now)
        except (NotFound, Refused, Conflict) as error:
            left.append((view.order_id, error.message))
        else:
            retried.append(view.order_id)
    return RetryView(retried=tuple(retried), left=tuple(left))


def _order(tx: Transaction, order_id: int) -> OrderView:
    found = store.find_orders(tx, states=list(OrderState), order_id=order_id, limit=1)
    if not found:
        raise _unknown(order_id)
    return found[0]


def _unknown(order_id: int) -> NotFound:
    return NotFound(f"there is no order {order_id}; see `tollway coa list`", field="order")
