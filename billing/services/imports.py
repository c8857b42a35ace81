"""Subscribers from a file: all of them or none, gently enough that logins go on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from billing.errors import BadLines, NotFound
from billing.model.profile import BillingKind
from billing.services.catalog import credit_limit
from billing.services.context import Context
from billing.services.import_file import ImportFile, ImportRow, read_file
from billing.store import audit, catalog
from billing.store import imports as store
from billing.store.guard import Transaction

CHUNK_ROWS = 1_000
# 2,500 rows a second: 100,000 in 40 s. The server's share of two cores stays small, so that a
# login waits no longer than usual; where a chunk takes long by itself, the pause is bounded.
PACE_SECONDS_PER_ROW = 1 / 2_500
PAUSE_LIMIT = 2.0  # times the chunk's own duration
_Item = TypeVar("_Item")

Progress = Callable[[str, int, int], None]
"""Called with the stage (`check`, `store`), what is done of it and the whole (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What was, or with `dry_run` would have been, imported."""

    subscribers: int
    entitlements: int
    balances: int
    dry_run: bool


def import_subscribers(
    context: Context, path: Path, now: datetime, progress: Progress, *, dry_run: bool = False
) -> ImportReport:
    """One customer with one subscription for each line; columns as in import_file.

    What a subscriber has left becomes an entitlement, its balance a journal entry against
    `opening`. Raises BadLines (every bad line, nothing was imported), InvalidInput (the file or
    its header), Conflict (a name was taken while the import ran).
    """
    with context.transaction() as tx:
        operator = catalog.operator(tx)
        if operator is None:
            raise NotFound("the installation has no operator yet; run `tollway migrate`")
        profiles = {view.profile.name: view for view in catalog.list_profiles(tx)}
        plans = {view.name: view for view in catalog.list_plans(tx, now)}
    found = read_file(
        path,
        profiles=profiles,
        plans=plans,
        currency=operator.currency,
        now=now,
        progress=lambda lines: progress("check", lines, 0),
    )
    _check_taken(context, found)
    if found.problems:
        raise BadLines(sorted(found.problems))
    report = ImportReport(
        subscribers=len(found.rows),
        entitlements=sum(row.entitled for row in found.rows),
        balances=sum(row.balance_micros is not None for row in found.rows),
        dry_run=dry_run,
    )
    if not dry_run:
        _store(context, found.rows, operator.currency, now, progress, _digest(path))
    return report


def _check_taken(context: Context, found: ImportFile) -> None:
    for chunk in _chunks(found.rows):
        with context.transaction() as tx:
            taken = store.taken_usernames(tx, [row.username for row in chunk])
        found.problems += [
            (row.line, "username", f"{row.username!r} is taken already")
            for row in chunk
            if row.username in taken
        ]


def _store(
    context: Context,
    rows: Sequence[ImportRow],
    currency: str,
    now: datetime,
    progress: Progress,
    digest: str,
) -> None:
    """One transaction: readers see all of it or nothing, and it locks nothing that they use."""
    with context.transaction() as tx:
        store.open_stage(tx)
        done = 0
        for chunk in _chunks(rows):
            began = time.monotonic()
            staged = list(_staged(context, tx, chunk))
            store.load_chunk(tx, staged, org_id=context.home_org_id, currency=currency, now=now)
            done += len(chunk)
            progress("store", done, len(rows))
            took = time.monotonic() - began
            pause = len(chunk) * PACE_SECONDS_PER_ROW - took
            time.sleep(max(0.0, min(pause, took * PAUSE_LIMIT)))
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="import.subscribers",
            subject="file",
            detail={"subscribers": len(rows), "sha256": digest},
        )


def _staged(
    context: Context, tx: Transaction, chunk: Sequence[ImportRow]
) -> Iterator[tuple[object, ...]]:
    """Values of STAGED_COLUMNS, with ids of their own and the password sealed to its row."""
    size = len(chunk)
    customer_ids = store.reserve_ids(tx, "customer", "customer_id", size)
    wallet_ids = store.reserve_ids(tx, "wallet", "wallet_id", size)
    subscription_ids = store.reserve_ids(tx, "subscription", "subscription_id", size)
    entitled = sum(row.entitled for row in chunk)
    funded = sum(row.balance_micros is not None for row in chunk)
    entitlement_ids = iter(store.reserve_ids(tx, "entitlement", "entitlement_id", entitled))
    entry_ids = iter(store.reserve_ids(tx, "journal_entry", "entry_id", funded))
    for position, row in enumerate(chunk):
        subscription_id = subscription_ids[position]
        profile = row.profile.profile
        yield (
            customer_ids[position],
            wallet_ids[position],
            subscription_id,
            next(entitlement_ids) if row.entitled else None,
            next(entry_ids) if row.balance_micros is not None else None,
            row.username,
            row.name,
            row.email,
            row.phone,
            row.profile.profile_id,
            None if row.plan is None else row.plan.plan_version_id,
            profile.kind is BillingKind.DAILY,
            credit_limit(profile),
            context.box.seal(row.password, f"subscription:{subscription_id}"),
            row.framed_ip,
            row.macs,
            row.valid_until,
            row.seconds_left,
            row.octets_left,
            row.balance_micros,
        )


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), CHUNK_ROWS):
        yield items[start : start + CHUNK_ROWS]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        digest = sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
