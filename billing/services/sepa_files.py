"""Files of SEPA direct debits that were made: what each collects, and the file itself (P1, M5)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.payments import PaymentPurpose, PaymentState
from billing.model.sepa import CollectionView, FileView, Sequence
from billing.rules.sepa import end_to_end_id, message_id
from billing.services.context import Context
from billing.store import audit, tables
from billing.store import sepa as store
from billing.store.guard import Transaction

LIST_LIMIT = 500


def files(context: Context, *, limit: int = 50) -> list[FileView]:
    """Newest first. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return [_file_view(*found) for found in store.files(tx, limit)]


def file(context: Context, file_id: int) -> tuple[FileView, tuple[CollectionView, ...]]:
    """One file with what it collects. Raises NotFound."""
    with context.transaction() as tx:
        return seen(tx, file_id), collection_views(tx, file_id)


def content(context: Context, file_id: int, now: datetime) -> bytes:
    """The file as it was made, each time the same; that somebody took it is written down. Raises
    NotFound."""
    with context.transaction() as tx:
        row = store.file(tx, file_id)
        if row is None or row.body_sealed is None:
            raise _unknown(file_id)
        body = context.box.open_bytes(row.body_sealed, sealed_for(file_id))
        note(tx, context, row.org_id, "sepa.download", file_id, now, {})
        return body


def seen(tx: Transaction, file_id: int) -> FileView:
    """Raises NotFound."""
    found = store.file_seen(tx, file_id)
    if found is None:
        raise _unknown(file_id)
    return _file_view(*found)


def collection_views(tx: Transaction, file_id: int) -> tuple[CollectionView, ...]:
    """What a file collects, in the order of customers."""
    told = {row[0]: row[1:] for row in store.described(tx, file_id)}
    second = store.collected_again(tx, file_id)
    found = []
    for line, attempt in store.collected(tx, file_id):
        name, reference, number = told[line.attempt_id]
        found.append(
            CollectionView(
                customer_id=line.customer_id,
                customer_name=name,
                attempt_id=line.attempt_id,
                end_to_end_id=end_to_end_id(file_id, line.attempt_id),
                mandate=reference,
                sequence=Sequence(line.sequence),
                amount_micros=attempt.amount_micros,
                invoice_number=number,
                state=PaymentState(attempt.state),
                returned_for=line.returned_for,
                again_id=line.again_id,
                may_again=line.returned_at is not None
                and line.again_id is None
                and line.attempt_id not in second
                and not _tries_itself(attempt),
            )
        )
    return tuple(found)


def _tries_itself(row: tables.PaymentAttempt) -> bool:
    """A recharge that was not paid is auto-recharge's (rule P7)."""
    return row.purpose == PaymentPurpose.RECHARGE and not PaymentState(row.state).has_paid


def _file_view(row: tables.SepaFile, gateway: str, open_count: int) -> FileView:
    return FileView(
        file_id=row.file_id,
        org_id=row.org_id,
        gateway_id=row.gateway_id,
        gateway=gateway,
        message_id=message_id(row.file_id),
        collect_on=row.collect_on,
        collections=row.collections,
        total_micros=row.total_micros,
        made_at=row.made_at,
        made_by=row.made_by,
        open_count=open_count,
    )


def sealed_for(file_id: int) -> str:
    """What a file is sealed for (security.md 10)."""
    return f"sepa_file:{file_id}"


def note(
    tx: Transaction,
    context: Context,
    org_id: int,
    action: str,
    file_id: int,
    now: datetime,
    detail: dict[str, object],
) -> None:
    """A line in the audit log about a file."""
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=f"sepa_file:{file_id}",
        detail=detail,
    )


def _unknown(file_id: int) -> NotFound:
    return NotFound(f"no file of direct debits has the number {file_id}", field="file")
