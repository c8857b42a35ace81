"""How an organisation's bills look: its own design, or the operator's (rule I3)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from billing.documents import checks
from billing.errors import InvalidFields, NotFound
from billing.model.designs import InvoiceDesign
from billing.services.context import Context
from billing.store import audit
from billing.store import designs as store
from billing.store import documents as organisations

OPERATOR_ORG_ID = 1


def design_of(context: Context, org_id: int) -> InvoiceDesign:
    """What its bills are set by: its own, else the operator's, else the built-in one."""
    with context.transaction() as tx:
        return store.get(tx, org_id) or store.get(tx, OPERATOR_ORG_ID) or InvoiceDesign()


def checked(design: InvoiceDesign) -> InvoiceDesign:
    """Raises InvalidFields, each problem with its field and the line, where there is one."""
    if found := checks.problems(design):
        raise InvalidFields(found)
    return design


def save(context: Context, org_id: int, design: InvoiceDesign, now: datetime) -> None:
    """For all bills from now on, those issued before included. Raises InvalidFields, NotFound."""
    checked(design)
    with context.transaction() as tx:
        if organisations.organisation(tx, org_id) is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        store.put(tx, org_id, design, now)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="design.save",
            subject=f"organisation:{org_id}",
            detail={
                "accent": design.accent,
                "blocks": list(design.blocks),
                "footer": design.footer,
                "css": design.css,
                "template": design.template,
                "logo_sha256": design.logo and sha256(design.logo.encode()).hexdigest(),
            },
        )


def reset(context: Context, org_id: int, now: datetime) -> InvoiceDesign:
    """Its own goes; returns what its bills are set by now. Raises NotFound."""
    with context.transaction() as tx:
        if organisations.organisation(tx, org_id) is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        store.remove(tx, org_id)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="design.reset",
            subject=f"organisation:{org_id}",
            detail={},
        )
    return design_of(context, org_id)
