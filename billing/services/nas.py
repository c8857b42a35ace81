"""Routers and hotspot controllers: who may speak RADIUS with us (security.md 1, 2)."""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound
from billing.model.network import Vendor, default_coa_port
from billing.model.views import NasView
from billing.services import limits
from billing.services.context import Context
from billing.services.identity import checked_address, checked_name
from billing.store import audit, resellers, tables
from billing.store import nas as store
from billing.store.guard import Transaction

_VENDOR_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
SECRET_BITS = 160
SECRET_MINIMUM_OCTETS = 16
SECRET_LIMIT_OCTETS = 128


def new_secret() -> str:
    """A random secret of letters and digits that any router's form accepts."""
    return secrets.token_hex(SECRET_BITS // 8)


def add_nas(
    context: Context,
    *,
    name: str,
    address: str,
    now: datetime,
    vendor: str = Vendor.GENERIC,
    secret: str | None = None,
    coa_port: int | None = None,
    swap_octets: bool = False,
    require_message_authenticator: bool = True,
    org_id: int | None = None,
) -> tuple[NasView, str]:
    """The NAS and its secret, random unless given: the one time that it is shown.

    A vendor that is not known is kept by its name and spoken to with standard attributes; without
    `coa_port` it is the vendor's own. `org_id`: whose it is; the caller's unless given.

    Raises InvalidInput, NotFound (no such organisation), Conflict (the address or the name is
    taken), Refused (a reseller has as many as it may have: R1).
    """
    chosen = new_secret() if secret is None else _checked_secret(secret)
    vendor = _checked_vendor(vendor)
    if coa_port is None:
        coa_port = default_coa_port(vendor)
    coa_port = _checked_port(coa_port)
    row = tables.Nas(
        org_id=context.home_org_id if org_id is None else org_id,
        revision=1,
        name=checked_name(name),
        address=checked_address(address, "address"),
        vendor=vendor,
        secret_sealed=b"",
        coa_port=coa_port,
        swap_octets=swap_octets,
        require_message_authenticator=require_message_authenticator,
        created_at=now,
    )
    context.refuse_cashier()
    with context.transaction() as tx:
        if resellers.organisation(tx, row.org_id) is None:
            raise NotFound(f"no organisation has the number {row.org_id}", field="org")
        limits.check_nas(tx, row.org_id)
        nas_id = store.insert_nas(tx, row)
        # The sealed value is bound to the row's number, so it comes after the row.
        row.secret_sealed = context.box.seal(chosen, f"nas:{nas_id}")
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="nas.add",
            subject=f"nas:{nas_id}",
            detail={"name": row.name, "address": row.address, "vendor": row.vendor},
        )
        return store.view(row), chosen


def change_nas(
    context: Context,
    name: str,
    *,
    now: datetime,
    vendor: str | None = None,
    coa_port: int | None = None,
    swap_octets: bool | None = None,
    require_message_authenticator: bool | None = None,
) -> NasView:
    """Change what is not None. A new vendor brings its own CoA port where the old one's was used.

    FreeRADIUS sees it when it looks the NAS up again, running sessions with their next order.
    Raises InvalidInput, NotFound, Conflict (several organisations have a NAS of this name).
    """
    with context.transaction() as tx:
        row = _lock(tx, name)
        before = store.view(row)
        if vendor is not None:
            named = _checked_vendor(vendor)
            if coa_port is None and row.coa_port == default_coa_port(row.vendor):
                row.coa_port = default_coa_port(named)
            row.vendor = named
        if coa_port is not None:
            row.coa_port = _checked_port(coa_port)
        if swap_octets is not None:
            row.swap_octets = swap_octets
        if require_message_authenticator is not None:
            row.require_message_authenticator = require_message_authenticator
        view = store.view(row)
        if view == before:
            return view
        row.revision += 1
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="nas.change",
            subject=f"nas:{row.nas_id}",
            detail={
                "name": row.name,
                "vendor": row.vendor,
                "coa_port": row.coa_port,
                "swap_octets": row.swap_octets,
                "require_message_authenticator": row.require_message_authenticator,
            },
        )
        return view


def _lock(tx: Transaction, name: str) -> tables.Nas:
    nas_id = nas_id_of(tx, name)
    row = store.lock_nas(tx, nas_id)
    if row is None:
        raise NotFound(f"there is no NAS named {name!r}; see `tollway nas list`", field="nas")
    return row


def nas_id_of(tx: Transaction, name: str) -> int:
    """The number of the NAS of this name. Raises NotFound, Conflict (there are several)."""
    found = store.find_nas(tx, name)
    if not found:
        raise NotFound(f"there is no NAS named {name!r}; see `tollway nas list`", field="nas")
    if len(found) > 1:
        raise Conflict(f"several organisations have a NAS named {name!r}", field="nas")
    return found[0]


def list_nas(context: Context, now: datetime) -> list[NasView]:
    """By name; secrets are never shown again."""
    with context.transaction() as tx:
        return store.list_nas(tx, now)


def _checked_vendor(vendor: str) -> str:
    name = vendor.strip().lower()
    if not _VENDOR_NAME.fullmatch(name):
        known = ", ".join(one.value for one in Vendor)
        raise InvalidInput(
            f"must be one of {known}, or another maker's name of at most 32 letters, digits"
            " and hyphens (it gets standard attributes)",
            field="vendor",
        )
    return name


def _checked_port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise InvalidInput("must be 1 to 65535", field="coa_port")
    return port


def _checked_secret(secret: str) -> str:
    octets = len(secret.encode())
    if not SECRET_MINIMUM_OCTETS <= octets <= SECRET_LIMIT_OCTETS or not secret.isprintable():
        raise InvalidInput(
            f"must be {SECRET_MINIMUM_OCTETS} to {SECRET_LIMIT_OCTETS} printable octets "
            "(leave it out to get a random one)",
            field="secret",
        )
    return secret
