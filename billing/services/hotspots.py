"""Hotspots whose guests come to the captive portal: set up, and found by their key (rule B13)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.hotspots import Hotspot, HotspotView, LoginDialect, login_dialect
from billing.rules.hotspots import login_address
from billing.services.context import Context
from billing.services.nas import nas_id_of
from billing.store import audit, tables
from billing.store import documents as organisations
from billing.store import hotspots as store
from billing.store import nas as nas_store
from billing.store.guard import Transaction

ADDRESSES_MOST = 20
_KEY_BYTES = 6


def add(
    context: Context,
    nas: str,
    addresses: Sequence[str],
    now: datetime,
    *,
    org_id: int | None = None,
) -> tuple[HotspotView, str]:
    """Let a NAS send its guests to the portal, which sends logins to these addresses of it and to
    no other. Returns also CoovaChilli's shared secret, random, the one time that it is shown; for
    others it is empty. `org_id`: whose guests they are.

    Raises InvalidInput, NotFound, Conflict (it is one already).
    """
    with context.transaction() as tx:
        nas_id = nas_id_of(tx, nas)
        router = nas_store.get_nas(tx, nas_id)
        if router is None:
            raise NotFound(f"there is no NAS named {nas!r}; see `tollway nas list`", field="nas")
        owner = context.home_org_id if org_id is None else org_id
        if organisations.organisation(tx, owner) is None:
            raise NotFound(f"no organisation has the number {owner}", field="org")
        dialect = login_dialect(router.vendor)
        row = tables.Hotspot(
            nas_id=nas_id,
            org_id=owner,
            key=secrets.token_hex(_KEY_BYTES),
            addresses=_checked(addresses, dialect),
            created_at=now,
        )
        secret = _new_secret(context, row) if dialect is LoginDialect.CHILLI else ""
        store.insert(tx, row)
        return _noted(context, tx, row, "hotspot.add", now), secret


def change(
    context: Context,
    nas: str,
    now: datetime,
    *,
    addresses: Sequence[str] = (),
    closed: bool | None = None,
    new_secret: bool = False,
) -> tuple[HotspotView, str]:
    """Change what is given. `closed`: guests are told that it is not known any more. `new_secret`:
    of CoovaChilli; it is returned, else nothing. Raises as `add`."""
    with context.transaction() as tx:
        row = row_of(tx, nas)
        dialect = store.listed(tx, row.nas_id)[0].dialect
        if addresses:
            row.addresses = _checked(addresses, dialect)
        if closed is not None:
            row.closed_at = now if closed else None
        if new_secret and dialect is not LoginDialect.CHILLI:
            raise InvalidInput("only CoovaChilli shares a secret with the portal", field="nas")
        secret = _new_secret(context, row) if new_secret else ""
        return _noted(context, tx, row, "hotspot.change", now), secret


def listed(context: Context) -> list[HotspotView]:
    with context.transaction() as tx:
        return store.listed(tx)


def show(context: Context, nas: str) -> HotspotView:
    """By the name of its NAS. Raises NotFound."""
    with context.transaction() as tx:
        return store.listed(tx, row_of(tx, nas).nas_id)[0]


def at(nobody: Context, key: str, now: datetime) -> Hotspot:
    """The hotspot that a guest comes from. Raises NotFound."""
    with nobody.transaction() as tx:
        row = store.by_key(tx, key, now)
    if row is None:
        raise NotFound("This hotspot is not known here. Tell whoever runs it.")
    secret = ""
    if row.uam_secret_sealed is not None:
        secret = nobody.box.open(bytes(row.uam_secret_sealed), _associated(row.nas_id))
    return Hotspot(
        nas_id=row.nas_id,
        org_id=row.org_id,
        key=key,
        nas_name=row.nas_name,
        dialect=login_dialect(row.vendor),
        addresses=tuple(row.addresses),
        uam_secret=secret,
    )


def context_of(nobody: Context, hotspot: Hotspot) -> Context:
    """What the portal acts with for a guest of a hotspot: its organisation."""
    return replace(
        nobody,
        actor=f"hotspot:{hotspot.nas_id}",
        home_org_id=hotspot.org_id,
        org_ids=(hotspot.org_id,),
    )


def _checked(addresses: Sequence[str], dialect: LoginDialect) -> list[str]:
    found = []
    for text in addresses:
        address = login_address(text, dialect)
        if address is None:
            raise InvalidInput(
                f"{text!r} is no address of a login page: write it like http://10.5.50.1 or "
                "https://login.example.net",
                field="address",
            )
        found.append(address)
    if not 1 <= len(found) <= ADDRESSES_MOST:
        raise InvalidInput(f"give 1 to {ADDRESSES_MOST} addresses", field="address")
    return list(dict.fromkeys(found))


def row_of(tx: Transaction, nas: str) -> tables.Hotspot:
    """Locked, by the name of its NAS. Raises NotFound."""
    row = store.lock(tx, nas_id_of(tx, nas))
    if row is None:
        raise NotFound(f"{nas} is no hotspot yet: `tollway hotspot add`", field="nas")
    return row


def _new_secret(context: Context, row: tables.Hotspot) -> str:
    secret = secrets.token_hex(16)
    row.uam_secret_sealed = context.box.seal(secret, _associated(row.nas_id))
    return secret


def _associated(nas_id: int) -> str:
    return f"hotspot:{nas_id}"


def _noted(
    context: Context, tx: Transaction, row: tables.Hotspot, action: str, now: datetime
) -> HotspotView:
    tx.flush()
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"hotspot:{row.nas_id}",
        detail={"addresses": list(row.addresses), "closed": row.closed_at is not None},
    )
    return store.listed(tx, row.nas_id)[0]
