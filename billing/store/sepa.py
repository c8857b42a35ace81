"""SEPA direct debit: mandates, files, and the payments that each collects."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from billing.model.payments import PaymentKind, PaymentState
from billing.model.sepa import CURRENCY
from billing.store import tables
from billing.store.payments import OPEN_STATES

_MANDATE, _FILE, _COLLECTION = tables.SepaMandate, tables.SepaFile, tables.SepaCollection
_ATTEMPT, _METHOD, _BILL = tables.PaymentAttempt, tables.PaymentMethod, tables.Invoice

Collected = tuple[tables.SepaCollection, tables.PaymentAttempt]


def insert_mandate(tx: Session, row: tables.SepaMandate) -> int:
    """Returns its number."""
    tx.add(row)
    tx.flush()
    return row.mandate_id


def mandate_of_method(tx: Session, customer_id: int, method_id: int) -> tables.SepaMandate | None:
    """As stored now."""
    return tx.scalar(
        select(_MANDATE)
        .where(_MANDATE.customer_id == customer_id, _MANDATE.method_id == method_id)
        .execution_options(populate_existing=True)
    )


def mandates(
    tx: Session, customer_id: int | None, limit: int
) -> list[tuple[tables.SepaMandate, bool]]:
    """Newest first, each with whether its method was removed."""
    chosen = (
        select(_MANDATE, _METHOD.removed_at.is_not(None))
        .join(_METHOD, _of_mandate())
        .order_by(_MANDATE.mandate_id.desc())
        .limit(limit)
    )
    if customer_id is not None:
        chosen = chosen.where(_MANDATE.customer_id == customer_id)
    return [(row, removed) for row, removed in tx.execute(chosen)]


def mandate(tx: Session, mandate_id: int) -> tuple[tables.SepaMandate, bool] | None:
    """By its number, with whether its method was removed."""
    found = tx.execute(
        select(_MANDATE, _METHOD.removed_at.is_not(None))
        .join(_METHOD, _of_mandate())
        .where(_MANDATE.mandate_id == mandate_id)
    ).first()
    return None if found is None else (found[0], found[1])


def lock_gateway(tx: Session, gateway_id: int) -> None:
    """Who makes a file of a gateway waits here for who makes one already."""
    gateway = tables.Gateway
    tx.execute(
        select(gateway.gateway_id)
        .where(gateway.gateway_id == gateway_id)
        .with_for_update(key_share=True)
    )


def due_bills(tx: Session, gateway_id: int, until: date) -> list[tuple[int, int, int]]:
    """Customer, bill and method of what a gateway's mandates may be collected for: bills in euro
    that are due by a local day, with something open, and that no file and no open payment of this
    gateway has had; neither has anybody taken one back. Of several mandates the default one's, or
    the oldest."""
    open_micros = (
        _BILL.total_micros - _BILL.paid_micros - _BILL.credited_micros - _BILL.written_off_micros
    )
    collected = select(_COLLECTION.attempt_id).where(
        _COLLECTION.customer_id == _BILL.customer_id, _COLLECTION.invoice_id == _BILL.invoice_id
    )
    begun = select(_ATTEMPT.attempt_id).where(
        _ATTEMPT.customer_id == _BILL.customer_id,
        _ATTEMPT.invoice_id == _BILL.invoice_id,
        _ATTEMPT.state.in_(OPEN_STATES)
        | ((_ATTEMPT.gateway_id == gateway_id) & (_ATTEMPT.state == PaymentState.CANCELLED)),
    )
    rows = tx.execute(
        select(_BILL.customer_id, _BILL.invoice_id, _METHOD.method_id)
        .join(_METHOD, _METHOD.customer_id == _BILL.customer_id)
        .join(_MANDATE, _of_mandate())
        .where(
            _MANDATE.gateway_id == gateway_id,
            _METHOD.removed_at.is_(None),
            _BILL.paid_at.is_(None),
            _BILL.due_on <= until,
            _BILL.currency == CURRENCY,
            open_micros > 0,
            ~collected.exists(),
            ~begun.exists(),
        )
        .ext(distinct_on(_BILL.customer_id, _BILL.invoice_id))
        .order_by(_BILL.customer_id, _BILL.invoice_id, _METHOD.is_default.desc(), _METHOD.method_id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def waiting(tx: Session, gateway_id: int, limit: int) -> list[tuple[int, int]]:
    """Customer and number of payments that wait for a file, in the order of customers."""
    rows = tx.execute(
        select(_ATTEMPT.customer_id, _ATTEMPT.attempt_id)
        .where(
            _ATTEMPT.gateway_id == gateway_id,
            _ATTEMPT.kind == PaymentKind.CHARGE,
            _ATTEMPT.state.in_((PaymentState.CREATED, PaymentState.PENDING)),
            _ATTEMPT.sent_at.is_(None),
        )
        .order_by(_ATTEMPT.customer_id, _ATTEMPT.attempt_id)
        .limit(limit)
    )
    return [(row.customer_id, row.attempt_id) for row in rows]


def unfinished(tx: Session, gateway_id: int, *, lock: bool = False) -> tables.SepaFile | None:
    """The file that payments of a gateway are put into at present: it is not finished before this
    transaction ends. `lock`: nobody puts anything into it either."""
    chosen = select(_FILE).where(_FILE.gateway_id == gateway_id, _FILE.body_sealed.is_(None))
    return tx.scalar(
        chosen.with_for_update(read=not lock).execution_options(populate_existing=True)
    )


def insert(tx: Session, row: tables.SepaFile | tables.SepaCollection) -> None:
    tx.add(row)
    tx.flush()


def file(tx: Session, file_id: int) -> tables.SepaFile | None:
    return tx.get(_FILE, file_id)


def files(tx: Session, limit: int) -> list[tuple[tables.SepaFile, str, int]]:
    """Newest first, each with its gateway's name and the number of its collections whose outcome
    is still to come."""
    return [(row, name, count) for row, name, count in tx.execute(_files().limit(limit))]


def file_seen(tx: Session, file_id: int) -> tuple[tables.SepaFile, str, int] | None:
    found = tx.execute(_files().where(_FILE.file_id == file_id)).first()
    return None if found is None else (found[0], found[1], found[2])


def _files() -> Select[tables.SepaFile, str, int]:
    still_open = (
        select(func.count())
        .select_from(_COLLECTION)
        .join(_ATTEMPT, _of_collection())
        .where(_COLLECTION.file_id == _FILE.file_id, _ATTEMPT.state.in_(OPEN_STATES))
        .scalar_subquery()
    )
    gateway = tables.Gateway
    return (
        select(_FILE, func.coalesce(gateway.name, ""), still_open)
        .outerjoin(gateway, gateway.gateway_id == _FILE.gateway_id)
        .where(_FILE.body_sealed.is_not(None))
        .order_by(_FILE.file_id.desc())
    )


def collected(tx: Session, file_id: int) -> list[Collected]:
    """What a file collects, in the order of customers."""
    chosen = (
        select(_COLLECTION, _ATTEMPT)
        .join(_ATTEMPT, _of_collection())
        .where(_COLLECTION.file_id == file_id)
        .order_by(_COLLECTION.customer_id, _COLLECTION.attempt_id)
        .execution_options(populate_existing=True)
    )
    return [(row, attempt) for row, attempt in tx.execute(chosen)]


def mandates_of_file(tx: Session, file_id: int) -> dict[int, tables.SepaMandate]:
    """By payment."""
    rows = tx.execute(
        select(_COLLECTION.attempt_id, _MANDATE)
        .join(
            _MANDATE,
            (_MANDATE.customer_id == _COLLECTION.customer_id)
            & (_MANDATE.mandate_id == _COLLECTION.mandate_id),
        )
        .where(_COLLECTION.file_id == file_id)
    )
    return {row.attempt_id: row[1] for row in rows}


def collection(tx: Session, customer_id: int, attempt_id: int) -> tables.SepaCollection | None:
    """As stored now."""
    key = {"customer_id": customer_id, "attempt_id": attempt_id}
    return tx.get(_COLLECTION, key, populate_existing=True)


def collection_of_bill(tx: Session, customer_id: int, invoice_id: int) -> int | None:
    """The file that a bill is in, unless what was collected came back."""
    return tx.scalar(
        select(_COLLECTION.file_id).where(
            _COLLECTION.customer_id == customer_id,
            _COLLECTION.invoice_id == invoice_id,
            _COLLECTION.returned_at.is_(None),
        )
    )


def good_method(tx: Session, customer_id: int, gateway_id: int) -> int | None:
    """The method of a mandate that is on file at a gateway: the default one, or the oldest."""
    return tx.scalar(
        select(_METHOD.method_id)
        .join(_MANDATE, _of_mandate())
        .where(
            _MANDATE.customer_id == customer_id,
            _MANDATE.gateway_id == gateway_id,
            _METHOD.removed_at.is_(None),
        )
        .order_by(_METHOD.is_default.desc(), _METHOD.method_id)
        .limit(1)
    )


def is_again(tx: Session, customer_id: int, attempt_id: int) -> bool:
    """Whether a payment collects again what came back."""
    chosen = select(_COLLECTION.attempt_id).where(
        _COLLECTION.customer_id == customer_id, _COLLECTION.again_id == attempt_id
    )
    return tx.scalar(chosen) is not None


def collected_again(tx: Session, file_id: int) -> set[int]:
    """Those payments of a file that collect again what came back."""
    first = aliased(_COLLECTION)
    chosen = (
        select(_COLLECTION.attempt_id)
        .join(
            first,
            (first.customer_id == _COLLECTION.customer_id)
            & (first.again_id == _COLLECTION.attempt_id),
        )
        .where(_COLLECTION.file_id == file_id)
    )
    return set(tx.scalars(chosen))


def file_of(tx: Session, attempt_id: int) -> tuple[int, int] | None:
    """File and customer of a payment that one collects."""
    found = tx.execute(
        select(_COLLECTION.file_id, _COLLECTION.customer_id).where(
            _COLLECTION.attempt_id == attempt_id
        )
    ).first()
    return None if found is None else (found.file_id, found.customer_id)


def described(tx: Session, file_id: int) -> list[tuple[int, str, str, str | None]]:
    """Payment, customer's name, mandate's reference and bill's number of what a file collects."""
    customer = tables.Customer
    rows = tx.execute(
        select(_COLLECTION.attempt_id, customer.name, _MANDATE.reference, _BILL.number)
        .join(customer, customer.customer_id == _COLLECTION.customer_id)
        .join(
            _MANDATE,
            (_MANDATE.customer_id == _COLLECTION.customer_id)
            & (_MANDATE.mandate_id == _COLLECTION.mandate_id),
        )
        .outerjoin(
            _BILL,
            (_BILL.customer_id == _COLLECTION.customer_id)
            & (_BILL.invoice_id == _COLLECTION.invoice_id),
        )
        .where(_COLLECTION.file_id == file_id)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _of_mandate() -> ColumnElement[bool]:
    return (_METHOD.customer_id == _MANDATE.customer_id) & (_METHOD.method_id == _MANDATE.method_id)


def _of_collection() -> ColumnElement[bool]:
    return (_ATTEMPT.customer_id == _COLLECTION.customer_id) & (
        _ATTEMPT.attempt_id == _COLLECTION.attempt_id
    )
