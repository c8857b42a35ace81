"""Payments by gateways, what goes back of them, and what providers said (rules P1, M5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.money import Money
from billing.model.payments import (
    DeclineKind,
    EventOutcome,
    EventView,
    PaymentEvent,
    PaymentKind,
    PaymentPurpose,
    PaymentState,
    PaymentView,
    ReversalKind,
    ReversalState,
    ReversalView,
)
from billing.store import tables

_ATTEMPT, _REVERSAL, _EVENT = tables.PaymentAttempt, tables.PaymentReversal, tables.ProviderEvent
OPEN_STATES = [state.value for state in PaymentState if state.is_open]


def insert_attempt(tx: Session, row: tables.PaymentAttempt) -> int:
    """Returns its number."""
    tx.add(row)
    tx.flush()
    return row.attempt_id


def attempt(tx: Session, customer_id: int, attempt_id: int) -> tables.PaymentAttempt | None:
    """As stored now."""
    key = {"customer_id": customer_id, "attempt_id": attempt_id}
    return tx.get(_ATTEMPT, key, populate_existing=True)


def owner_of(tx: Session, attempt_id: int) -> int | None:
    """Whose payment it is."""
    return tx.scalar(select(_ATTEMPT.customer_id).where(_ATTEMPT.attempt_id == attempt_id))


def by_command(tx: Session, customer_id: int, command_key: str) -> tables.PaymentAttempt | None:
    return tx.scalar(
        select(_ATTEMPT).where(
            _ATTEMPT.customer_id == customer_id, _ATTEMPT.command_key == command_key
        )
    )


def count_open(tx: Session, customer_id: int) -> int:
    """Payments of a customer whose outcome is still to come."""
    chosen = select(func.count()).where(
        _ATTEMPT.customer_id == customer_id, _ATTEMPT.state.in_(OPEN_STATES)
    )
    return tx.scalar(chosen) or 0


def bill_is_being_paid(tx: Session, customer_id: int, invoice_id: int) -> bool:
    """Whether a payment of it by any gateway has no outcome yet."""
    chosen = select(_ATTEMPT.attempt_id).where(
        _ATTEMPT.customer_id == customer_id,
        _ATTEMPT.invoice_id == invoice_id,
        _ATTEMPT.state.in_(OPEN_STATES),
    )
    return tx.scalar(chosen.limit(1)) is not None


def on_its_way(tx: Session, customer_id: int, wallet_id: int) -> int:
    """Micros that are asked for as credit of a wallet, and whose outcome is still to come."""
    chosen = select(func.coalesce(func.sum(_ATTEMPT.amount_micros), 0)).where(
        _ATTEMPT.customer_id == customer_id,
        _ATTEMPT.wallet_id == wallet_id,
        _ATTEMPT.purpose == PaymentPurpose.TOP_UP,
        _ATTEMPT.state.in_(OPEN_STATES),
    )
    return int(tx.scalar(chosen) or 0)


def meant_by(
    tx: Session, gateway_id: int, key: str | None, provider_ref: str | None
) -> tuple[int, int] | None:
    """Customer and number of the payment of a gateway that has this key of ours, or else this
    reference of the provider."""
    for chosen in (
        None if key is None else _ATTEMPT.key == key,
        None if provider_ref is None else _ATTEMPT.provider_ref == provider_ref,
    ):
        if chosen is None:
            continue
        found = tx.execute(
            select(_ATTEMPT.customer_id, _ATTEMPT.attempt_id)
            .where(_ATTEMPT.gateway_id == gateway_id, chosen)
            .order_by(_ATTEMPT.attempt_id)
            .limit(1)
        ).first()
        if found is not None:
            return found.customer_id, found.attempt_id
    return None


def due_attempts(tx: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    """Customer and number of payments that somebody must call or ask for, longest due first."""
    rows = tx.execute(
        select(_ATTEMPT.customer_id, _ATTEMPT.attempt_id)
        .where(_ATTEMPT.due_at <= now)
        .order_by(_ATTEMPT.due_at, _ATTEMPT.attempt_id)
        .limit(limit)
    )
    return [(row.customer_id, row.attempt_id) for row in rows]


def due_reversals(tx: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    """The same of refunds."""
    rows = tx.execute(
        select(_REVERSAL.customer_id, _REVERSAL.reversal_id)
        .where(_REVERSAL.due_at <= now)
        .order_by(_REVERSAL.due_at, _REVERSAL.reversal_id)
        .limit(limit)
    )
    return [(row.customer_id, row.reversal_id) for row in rows]


def insert_reversal(tx: Session, row: tables.PaymentReversal) -> int:
    """Returns its number."""
    tx.add(row)
    tx.flush()
    return row.reversal_id


def reversal(tx: Session, customer_id: int, reversal_id: int) -> tables.PaymentReversal | None:
    """As stored now."""
    key = {"customer_id": customer_id, "reversal_id": reversal_id}
    return tx.get(_REVERSAL, key, populate_existing=True)


def reversals_of(tx: Session, customer_id: int, attempt_id: int) -> list[tables.PaymentReversal]:
    """Oldest first, as stored now."""
    chosen = (
        select(_REVERSAL)
        .where(_REVERSAL.customer_id == customer_id, _REVERSAL.attempt_id == attempt_id)
        .order_by(_REVERSAL.reversal_id)
        .execution_options(populate_existing=True)
    )
    return list(tx.scalars(chosen))


def reversal_by_command(
    tx: Session, customer_id: int, command_key: str
) -> tables.PaymentReversal | None:
    return tx.scalar(
        select(_REVERSAL).where(
            _REVERSAL.customer_id == customer_id, _REVERSAL.command_key == command_key
        )
    )


def keep_event(tx: Session, row: dict[str, object]) -> bool:
    """Write an event of a provider, unless it is known; another transaction that writes the same
    one is waited for. False: it is known."""
    statement = (
        insert(_EVENT).values(row).on_conflict_do_nothing(index_elements=["gateway_id", "event_id"])
    )
    kept = tx.execute(statement.returning(_EVENT.event_id)).first()
    return kept is not None


def event(tx: Session, gateway_id: int, event_id: str) -> tables.ProviderEvent:
    """As stored now. Raises NoResultFound."""
    key = {"gateway_id": gateway_id, "event_id": event_id}
    return tx.get_one(_EVENT, key, populate_existing=True)


def waiting_events(tx: Session, row: tables.PaymentAttempt) -> list[tables.ProviderEvent]:
    """Reversals that came before their payment, in the order of arrival: also before it was known
    under its provider's reference."""
    ours = (
        (_EVENT.customer_id == row.customer_id)
        & (_EVENT.attempt_id == row.attempt_id)
        & (_EVENT.outcome == EventOutcome.WAITING)
    )
    nobodys = (
        (_EVENT.gateway_id == row.gateway_id)
        & (_EVENT.facts["provider_ref"].astext == row.provider_ref)
        & (_EVENT.outcome == EventOutcome.UNMATCHED)
        & _EVENT.facts["event"].astext.in_([one.value for one in PaymentEvent if one.is_reversal])
    )
    in_order = (_EVENT.received_at, _EVENT.event_id)
    return [
        event
        for which in (ours, nobodys)
        for event in tx.scalars(select(_EVENT).where(which).order_by(*in_order))
    ]


def events_of(tx: Session, customer_id: int, attempt_id: int) -> list[EventView]:
    rows = tx.scalars(
        select(_EVENT)
        .where(_EVENT.customer_id == customer_id, _EVENT.attempt_id == attempt_id)
        .order_by(_EVENT.received_at, _EVENT.event_id)
    )
    return [
        EventView(
            event_id=row.event_id,
            kind=row.kind,
            received_at=row.received_at,
            outcome=EventOutcome(row.outcome),
            detail=row.detail,
        )
        for row in rows
    ]


def remove_old_events(tx: Session, before: datetime, limit: int) -> int:
    """Remove events of long ago; how many."""
    old = select(_EVENT.gateway_id, _EVENT.event_id).where(_EVENT.received_at < before).limit(limit)
    chosen = old.subquery()
    statement = (
        delete(_EVENT)
        .where(_EVENT.gateway_id == chosen.c.gateway_id, _EVENT.event_id == chosen.c.event_id)
        .returning(_EVENT.event_id)
    )
    return len(tx.execute(statement).all())


def listed(
    tx: Session,
    *,
    customer_id: int | None = None,
    states: Sequence[PaymentState] = (),
    before: int | None = None,
    limit: int,
) -> list[PaymentView]:
    """The newest first."""
    chosen = _views().order_by(_ATTEMPT.attempt_id.desc()).limit(limit)
    if customer_id is not None:
        chosen = chosen.where(_ATTEMPT.customer_id == customer_id)
    if states:
        chosen = chosen.where(_ATTEMPT.state.in_(states))
    if before is not None:
        chosen = chosen.where(_ATTEMPT.attempt_id < before)
    return [_view(*row) for row in tx.execute(chosen)]


def view(tx: Session, attempt_id: int) -> PaymentView | None:
    tx.flush()
    row = tx.execute(_views().where(_ATTEMPT.attempt_id == attempt_id)).first()
    return None if row is None else _view(*row)


def _views() -> Select[tables.PaymentAttempt, str, str, str]:
    gateway = tables.Gateway
    return (
        select(
            _ATTEMPT,
            tables.Customer.name,
            func.coalesce(gateway.name, ""),
            func.coalesce(gateway.channel, ""),
        )
        .join(tables.Customer, tables.Customer.customer_id == _ATTEMPT.customer_id)
        # It may belong to an organisation above, which whoever asks does not see.
        .outerjoin(gateway, gateway.gateway_id == _ATTEMPT.gateway_id)
        .execution_options(populate_existing=True)
    )


def kept(row: tables.PaymentAttempt) -> Money | None:
    """What came and was not what was asked for."""
    if row.kept_micros is None or row.kept_currency is None:
        return None
    return Money(row.kept_micros, row.kept_currency)


def _view(
    row: tables.PaymentAttempt, customer_name: str, gateway: str, channel: str
) -> PaymentView:
    return PaymentView(
        customer_id=row.customer_id,
        attempt_id=row.attempt_id,
        org_id=row.org_id,
        customer_name=customer_name,
        wallet_id=row.wallet_id,
        gateway_id=row.gateway_id,
        gateway=gateway,
        channel=channel,
        purpose=PaymentPurpose(row.purpose),
        kind=PaymentKind(row.kind),
        state=PaymentState(row.state),
        amount_micros=row.amount_micros,
        currency=row.currency,
        refunded_micros=row.refunded_micros,
        charged_back_micros=row.charged_back_micros,
        invoice_id=row.invoice_id,
        key=row.key,
        provider_ref=row.provider_ref,
        redirect_url=row.redirect_url,
        decline=None if row.decline is None else DeclineKind(row.decline),
        reason=row.reason,
        payment_id=row.payment_id,
        kept=kept(row),
        created_at=row.created_at,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        due_at=row.due_at,
        lookups=row.lookups,
        requested_by=row.requested_by,
    )


def reversal_view(row: tables.PaymentReversal) -> ReversalView:
    return ReversalView(
        reversal_id=row.reversal_id,
        kind=ReversalKind(row.kind),
        state=ReversalState(row.state),
        amount_micros=row.amount_micros,
        currency=row.currency,
        reason=row.reason,
        provider_ref=row.provider_ref,
        requested_by=row.requested_by,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )


def meant_by_reversal(tx: Session, gateway_id: int, key: str) -> tuple[int, int] | None:
    """Customer and number of the payment of a gateway that a refund with this key of ours is of."""
    found = tx.execute(
        select(_REVERSAL.customer_id, _REVERSAL.attempt_id)
        .join(
            _ATTEMPT,
            (_ATTEMPT.customer_id == _REVERSAL.customer_id)
            & (_ATTEMPT.attempt_id == _REVERSAL.attempt_id),
        )
        .where(_REVERSAL.key == key, _ATTEMPT.gateway_id == gateway_id)
    ).first()
    return None if found is None else (found.customer_id, found.attempt_id)
