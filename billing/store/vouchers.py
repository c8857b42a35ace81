"""Vouchers by batch, by serial number and by the keyed hash of their code (rule R3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, any_, case, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from billing.model.vouchers import (
    Alphabet,
    BatchView,
    CodeFormat,
    VoucherKind,
    VoucherState,
    VoucherView,
)
from billing.store import tables
from billing.store.pool import named_query


def insert_batch(tx: Session, row: tables.VoucherBatch) -> int:
    """Returns the batch's id."""
    tx.add(row)
    tx.flush()
    return row.batch_id


def insert_vouchers(
    tx: Session, batch: tables.VoucherBatch, serials: Sequence[int], hashes: Sequence[bytes]
) -> int:
    """A page of a batch; returns how many of these codes nobody had."""
    done = tx.connection().exec_driver_sql(
        named_query("insert_vouchers"),
        {
            "batch_id": batch.batch_id,
            "org_id": batch.org_id,
            "expires_at": batch.expires_at,
            "serials": list(serials),
            "hashes": list(hashes),
        },
    )
    return done.rowcount


def get_batch(tx: Session, batch_id: int, *, lock: bool = False) -> tables.VoucherBatch | None:
    """`lock`: until the transaction ends, as its codes are handed over once."""
    return tx.get(tables.VoucherBatch, batch_id, with_for_update=lock, populate_existing=lock)


def batches(
    tx: Session, *, batch_id: int | None = None, before: int | None = None, most: int = 1
) -> list[BatchView]:
    """The newest first, of one or of all before one."""
    rows = tx.connection().exec_driver_sql(
        named_query("voucher_batches"), {"batch_id": batch_id, "before": before, "most": most}
    )
    return [
        BatchView(
            batch_id=row.batch_id,
            org_id=row.org_id,
            name=row.name,
            kind=VoucherKind(row.kind),
            plan_name=row.plan_name,
            face_micros=row.face_micros,
            currency=row.currency,
            code=_format(row),
            as_login=row.as_login,
            made_at=row.made_at,
            expires_at=row.expires_at,
            codes_kept=row.codes_kept,
            first_serial=row.first_serial or 0,
            last_serial=row.last_serial or 0,
            stock=dict(row.stock or {}),
        )
        for row in rows
    ]


def format_of(row: tables.VoucherBatch) -> CodeFormat:
    """Of a batch's codes."""
    return _format(row)


def live_stock(tx: Session, code: CodeFormat) -> int:
    """How many vouchers of this format can be used, or sold, in the whole installation."""
    batch, voucher = tables.VoucherBatch, tables.Voucher
    found = (
        select(func.count())
        .select_from(voucher)
        .join(batch, batch.batch_id == voucher.batch_id)
        .where(
            batch.prefix == code.prefix,
            batch.length == code.length,
            batch.alphabet == code.alphabet.value,
            voucher.state.in_((VoucherState.CREATED, VoucherState.ACTIVE)),
        )
    )
    return int(tx.scalar(found) or 0)


def by_hashes(tx: Session, hashes: Sequence[bytes]) -> tables.Voucher | None:
    """The one that has one of these keyed hashes, not locked."""
    return tx.scalar(select(tables.Voucher).where(tables.Voucher.code_hmac.in_(hashes)))


def any_exists(tx: Session, hashes: Sequence[bytes]) -> bool:
    """Whether a voucher has one of these keyed hashes."""
    chosen = select(tables.Voucher.serial).where(tables.Voucher.code_hmac.in_(hashes))
    return tx.scalar(chosen.limit(1)) is not None


def organisation_of(tx: Session, hashes: Sequence[bytes]) -> int | None:
    """Whose the voucher with one of these hashes is, whoever asks; None: nobody's."""
    for code_hmac in hashes:
        rows = tx.connection().exec_driver_sql(
            named_query("organisation_of_voucher"), {"code_hmac": code_hmac}
        )
        found: int | None = rows.scalar_one()
        if found is not None:
            return found
    return None


def keys(tx: Session) -> list[tuple[int, bytes]]:
    """Number and sealed octets of the keys that were added, oldest first."""
    key = tables.VoucherKey
    rows = tx.execute(select(key.key_id, key.key_sealed).order_by(key.key_id))
    return [(row.key_id, row.key_sealed) for row in rows]


def add_key(tx: Session, key_id: int, sealed: bytes, actor: str, now: datetime) -> bool:
    """False: there is one of this number."""
    statement = insert(tables.VoucherKey).values(
        key_id=key_id, key_sealed=sealed, made_by=actor, made_at=now
    )
    made = tx.execute(statement.on_conflict_do_nothing().returning(tables.VoucherKey.key_id))
    return made.first() is not None


def by_serial(tx: Session, serial: int, *, lock: bool = False) -> tables.Voucher | None:
    """As it is now; with `lock` nobody else changes it until this transaction ends. Customers are
    locked before vouchers."""
    found = select(tables.Voucher).where(tables.Voucher.serial == serial)
    if lock:
        found = found.with_for_update()
    return tx.scalar(found.execution_options(populate_existing=True))


def locked(tx: Session, serials: Sequence[int]) -> list[tables.Voucher]:
    """Several, in the order of their numbers; customers are locked already."""
    row = tables.Voucher
    found = select(row).where(_among(serials)).order_by(row.serial).with_for_update()
    return list(tx.scalars(found.execution_options(populate_existing=True)))


def lock_range(
    tx: Session, batch_id: int, first: int | None, last: int | None, states: Sequence[VoucherState]
) -> list[int]:
    """Serial numbers of a batch's vouchers in these states, from one to another, locked."""
    row = tables.Voucher
    found = select(row.serial).where(row.batch_id == batch_id, row.state.in_(states))
    if first is not None:
        found = found.where(row.serial >= first)
    if last is not None:
        found = found.where(row.serial <= last)
    return list(tx.scalars(found.order_by(row.serial).with_for_update()))


def waiting_customers(tx: Session, batch_id: int, first: int | None, last: int | None) -> list[int]:
    """Customers who wait to log in by vouchers of a range."""
    row = tables.Voucher
    found = select(row.customer_id).where(
        row.batch_id == batch_id, row.state == VoucherState.ACTIVE, row.customer_id.is_not(None)
    )
    if first is not None:
        found = found.where(row.serial >= first)
    if last is not None:
        found = found.where(row.serial <= last)
    return [one for one in tx.scalars(found) if one is not None]


def buyers(tx: Session, batch_id: int) -> list[int]:
    """In whose journals the sales of a batch's vouchers are that can still be redeemed."""
    row = tables.Voucher
    found = select(row.sold_customer_id).where(
        row.batch_id == batch_id, row.state == VoucherState.ACTIVE
    )
    return [one for one in tx.scalars(found.distinct()) if one is not None]


def begun_of_batch(tx: Session, batch_id: int) -> set[int]:
    """Serial numbers of vouchers by which somebody has logged in, and that are not booked yet."""
    row, package = tables.Voucher, tables.Entitlement
    found = (
        select(row.serial)
        .join(
            package,
            (package.customer_id == row.customer_id)
            & (package.entitlement_id == row.entitlement_id),
        )
        .where(
            row.batch_id == batch_id,
            row.state == VoucherState.ACTIVE,
            package.valid_from.is_not(None),
        )
    )
    return set(tx.scalars(found))


def set_all(tx: Session, serials: Sequence[int], values: dict[str, object]) -> None:
    """The same change to several vouchers that are locked."""
    row = tables.Voucher
    tx.execute(
        update(row)
        .where(_among(serials))
        .values(values)
        .execution_options(synchronize_session=False)
    )


def open_logins(tx: Session, batch_id: int, serials: Sequence[int], now: datetime) -> None:
    """Make the subscribers that log in by these vouchers."""
    tx.connection().exec_driver_sql(
        named_query("open_voucher_logins"),
        {"batch_id": batch_id, "serials": list(serials), "now": now},
    )


def close_logins(tx: Session, serials: Sequence[int], now: datetime) -> None:
    """The reverse, of vouchers by which nobody has logged in; their customers are locked."""
    tx.connection().exec_driver_sql(
        named_query("close_voucher_logins"), {"serials": list(serials), "now": now}
    )


def begun_logins(tx: Session, after: int, most: int) -> list[int]:
    """Customers whose first login by a voucher is not booked."""
    rows = tx.connection().exec_driver_sql(
        named_query("begun_voucher_logins"), {"after": after, "most": most}
    )
    return [row.customer_id for row in rows]


def active_of(tx: Session, customer_id: int) -> tables.Voucher | None:
    """The voucher that a customer logs in by and that is not booked, locked."""
    row = tables.Voucher
    found = select(row).where(row.customer_id == customer_id, row.state == VoucherState.ACTIVE)
    return tx.scalar(found.with_for_update().execution_options(populate_existing=True))


def lapsed(tx: Session, now: datetime, most: int) -> list[Any]:
    """Vouchers, sold or not, whose expiry has passed: rows of (serial, org_id, customer_id)."""
    rows = tx.connection().exec_driver_sql(
        named_query("lapsed_vouchers"), {"now": now, "most": most}
    )
    return list(rows)


def counter(tx: Session, org_id: int) -> int | None:
    """The customer in whose journal an organisation's counter is."""
    row = tx.get(tables.VoucherCounter, org_id)
    return None if row is None else row.customer_id


def insert_counter(tx: Session, org_id: int, customer_id: int) -> bool:
    """False where somebody else made one meanwhile."""
    made = tx.execute(
        insert(tables.VoucherCounter)
        .values(org_id=org_id, customer_id=customer_id)
        .on_conflict_do_nothing()
        .returning(tables.VoucherCounter.org_id)
    )
    return made.first() is not None


def view(tx: Session, row: tables.Voucher) -> VoucherView:
    """What support sees of it."""
    batch = batches(tx, batch_id=row.batch_id)[0]
    return VoucherView(
        serial=row.serial,
        org_id=row.org_id,
        batch_id=row.batch_id,
        batch_name=batch.name,
        state=VoucherState(row.state),
        face_micros=batch.face_micros,
        currency=batch.currency,
        plan_name=batch.plan_name,
        expires_at=row.expires_at,
        activated_at=row.activated_at,
        ended_at=row.ended_at,
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        login_name=row.login_name,
        replaced_by=row.replaced_by,
    )


def report(tx: Session, since: datetime, until: datetime) -> list[Any]:
    """Rows of voucher_report.sql, by batch."""
    return list(
        tx.connection().exec_driver_sql(
            named_query("voucher_report"), {"since": since, "until": until}
        )
    )


def failures(tx: Session, sources: Sequence[str], since: datetime) -> dict[str, int]:
    """Wrong codes of these sources in windows that began after `since`."""
    row = tables.VoucherGuess
    found = tx.execute(
        select(row.source, row.failures).where(
            row.source.in_(sources), row.window_started_at > since
        )
    )
    return {one.source: one.failures for one in found}


def add_failure(tx: Session, sources: Sequence[str], now: datetime, window: timedelta) -> None:
    """Count one wrong code for each; a window that is over starts anew."""
    row = tables.VoucherGuess
    for source in sorted(sources):
        over = row.window_started_at <= now - window
        tx.execute(
            insert(row)
            .values(source=source, failures=1, window_started_at=now)
            .on_conflict_do_update(
                index_elements=[row.source],
                set_={
                    "failures": case((over, 1), else_=row.failures + 1),
                    "window_started_at": case((over, now), else_=row.window_started_at),
                },
            )
        )


def forget_failures(tx: Session, before: datetime) -> None:
    """Of windows that are over."""
    tx.execute(delete(tables.VoucherGuess).where(tables.VoucherGuess.window_started_at <= before))


def _among(serials: Sequence[int]) -> ColumnElement[bool]:
    """One parameter, however many they are."""
    return tables.Voucher.serial == any_(cast(list(serials), ARRAY(BigInteger())))


def _format(row: Any) -> CodeFormat:
    return CodeFormat(
        length=row.length,
        alphabet=Alphabet(row.alphabet),
        prefix=row.prefix,
        password_length=row.password_length,
    )
