"""Gateways that an organisation takes money by: set up, opened, tried (security.md 10 and 11)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.payments import GatewayConfig, GatewayView
from billing.payments.protocol import Gateway, OpenGateway
from billing.services.context import Context
from billing.services.settling import check_takes_money
from billing.store import audit, tables
from billing.store import gateways as store
from billing.store.guard import Transaction, unique

_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class Gateways:
    """What services need to speak to providers."""

    open_gateway: OpenGateway

    def open(self, tx: Transaction, context: Context, gateway_id: int) -> Gateway:
        """Also one that is disabled: what was begun by it is still asked for. Raises NotFound,
        InvalidInput (its settings)."""
        return self.open_gateway(config_of(context, found(tx, gateway_id)))


def add(
    context: Context,
    gateways: Gateways,
    *,
    name: str,
    adapter: str,
    settings: Mapping[str, str],
    secret_settings: Mapping[str, str],
    now: datetime,
    org_id: int | None = None,
) -> GatewayView:
    """Set one up. Its settings are tried on the adapter first; nobody is called.

    Raises InvalidInput, Conflict (the name is taken), Refused (rule R1: what a reseller's own
    gateway takes in, the operator would never get).
    """
    if not 1 <= len(name) <= _NAME_LIMIT or not name.isprintable():
        raise InvalidInput(f"must have 1 to {_NAME_LIMIT} characters", field="name")
    config = GatewayConfig(
        gateway_id=0,
        name=name,
        adapter=adapter,
        settings=dict(settings),
        secrets=dict(secret_settings),
    )
    channel = gateways.open_gateway(config).capabilities.channel
    owner = context.home_org_id if org_id is None else org_id
    with context.transaction() as tx:
        check_takes_money(tx, owner)
        row = tables.Gateway(
            org_id=owner,
            name=name,
            adapter=adapter,
            channel=channel.value,
            settings=dict(settings),
            secrets_sealed=b"",
            hook_token=secrets.token_urlsafe(24),
            created_at=now,
        )
        with unique(tx, f"a gateway is called {name!r} already", field="name"):
            store.insert_gateway(tx, row)
        row.secrets_sealed = _sealed(context, row.gateway_id, secret_settings)
        tx.flush()
        _note(tx, context, row, "gateway.add", now, {"name": name, "adapter": adapter})
        return store.gateway_view(row)


def set_secrets(
    context: Context, gateway_id: int, secret_settings: Mapping[str, str], now: datetime
) -> GatewayView:
    """Exchange keys; those that are not named stay. Raises NotFound, Refused (as `add`)."""
    with context.transaction() as tx:
        row = found(tx, gateway_id)
        check_takes_money(tx, row.org_id)
        known = config_of(context, row).secrets | dict(secret_settings)
        row.secrets_sealed = _sealed(context, gateway_id, known)
        tx.flush()
        _note(tx, context, row, "gateway.secrets", now, {"names": sorted(secret_settings)})
        return store.gateway_view(row)


def set_enabled(context: Context, gateway_id: int, now: datetime, *, enabled: bool) -> GatewayView:
    """One that is disabled begins no payments; of what it began before, it still asks, hears, and
    gives back. Raises NotFound."""
    with context.transaction() as tx:
        row = found(tx, gateway_id)
        row.disabled_at = None if enabled else now
        tx.flush()
        _note(tx, context, row, "gateway.enable" if enabled else "gateway.disable", now, {})
        return store.gateway_view(row)


def listed(context: Context) -> list[GatewayView]:
    with context.transaction() as tx:
        return [store.gateway_view(row) for row in store.all_gateways(tx)]


def serving(context: Context, org_id: int) -> list[GatewayView]:
    """Those that customers of an organisation can begin payments by now."""
    with context.transaction() as tx:
        above = store.organisations_above(tx, org_id)
        return [
            store.gateway_view(row)
            for row in store.all_gateways(tx)
            if row.disabled_at is None and row.org_id in above
        ]


def find(context: Context, wanted: str) -> GatewayView:
    """By its number or name. Raises NotFound, InvalidInput (several organisations have one)."""
    with context.transaction() as tx:
        if wanted.isascii() and wanted.isdecimal() and len(wanted) <= 18:
            return store.gateway_view(found(tx, int(wanted)))
        rows = store.named(tx, wanted)
        if len(rows) > 1:
            numbers = ", ".join(str(row.gateway_id) for row in rows)
            raise InvalidInput(f"several are called {wanted!r}: one of {numbers}", field="gateway")
        if not rows:
            raise NotFound(f"no gateway is called {wanted!r}", field="gateway")
        return store.gateway_view(rows[0])


def tried(context: Context, gateways: Gateways, gateway_id: int) -> str:
    """Why its provider cannot be used, in words; empty: it can. Raises NotFound, InvalidInput."""
    with context.transaction() as tx:
        gateway = gateways.open(tx, context, gateway_id)
    return gateway.check()


def found(tx: Transaction, gateway_id: int) -> tables.Gateway:
    """Raises NotFound."""
    row = store.gateway(tx, gateway_id)
    if row is None:
        raise NotFound(f"no gateway has the number {gateway_id}", field="gateway")
    return row


def usable(tx: Transaction, gateway_id: int) -> tables.Gateway:
    """Raises NotFound, Refused (it is disabled)."""
    row = found(tx, gateway_id)
    if row.disabled_at is not None:
        raise Refused(f"the gateway {row.name} is disabled", field="gateway")
    return row


def serves(tx: Transaction, gateway: tables.Gateway, customer: tables.Customer) -> None:
    """Raises NotFound where it takes no money for the customer's organisation."""
    if gateway.org_id not in store.organisations_above(tx, customer.org_id):
        raise NotFound(f"no gateway has the number {gateway.gateway_id}", field="gateway")


def config_of(context: Context, row: tables.Gateway) -> GatewayConfig:
    opened = context.box.open(row.secrets_sealed, _associated(row.gateway_id))
    return GatewayConfig(
        gateway_id=row.gateway_id,
        name=row.name,
        adapter=row.adapter,
        settings=dict(row.settings),
        secrets=json.loads(opened),
    )


def hooked(nobody: Context, token: str) -> tuple[Context, int] | None:
    """The context of a gateway's provider, by the token of its address, and the gateway's number:
    it sees the organisations that the gateway takes money for. None: no gateway has it."""
    with nobody.transaction() as tx:
        known = store.by_hook(tx, token)
    if known is None:
        return None
    gateway_id, org_id, org_ids = known
    actor = actor_of(gateway_id)
    return replace(nobody, actor=actor, home_org_id=org_id, org_ids=org_ids), gateway_id


def provider_of(nobody: Context, payer: Context, gateway_id: int) -> Context:
    """The context of a gateway's provider, as `hooked`, for a payer who may use the gateway: what
    the provider answers is carried out with its eyes, not with the payer's. Raises NotFound."""
    with payer.transaction() as tx:
        token = found(tx, gateway_id).hook_token
    known = hooked(nobody, token)
    if known is None:
        raise NotFound(f"no gateway has the number {gateway_id}", field="gateway")
    return known[0]


def actor_of(gateway_id: int) -> str:
    """Who did what a provider says, in the books and the audit log."""
    return f"gateway:{gateway_id}"


def _sealed(context: Context, gateway_id: int, plain: Mapping[str, str]) -> bytes:
    return context.box.seal(json.dumps(dict(plain)), _associated(gateway_id))


def _associated(gateway_id: int) -> str:
    return f"gateway:{gateway_id}"


def _note(
    tx: Transaction,
    context: Context,
    row: tables.Gateway,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"gateway:{row.gateway_id}",
        detail=detail,
    )
