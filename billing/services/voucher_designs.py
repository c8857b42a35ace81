"""How an organisation's voucher cards look: by its own design, the operator's, or in the colour of
its bills (rule R3)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from billing.documents import checks
from billing.errors import InvalidFields
from billing.model.designs import CardDesign
from billing.services import designs
from billing.services.context import Context
from billing.store import audit
from billing.store import designs as store
from billing.store.guard import Transaction


def design_of(context: Context, org_id: int) -> CardDesign:
    """What its cards are set by."""
    with context.transaction() as tx:
        found = store.cards(tx, org_id) or store.cards(tx, designs.OPERATOR_ORG_ID)
    if found is not None:
        return found
    bills = designs.design_of(context, org_id)
    return CardDesign(accent=bills.accent, logo=bills.logo, css=bills.css)


def checked(design: CardDesign) -> CardDesign:
    """Raises InvalidFields, each problem with its field and the line, where there is one."""
    if found := checks.card_problems(design):
        raise InvalidFields(found)
    return design


def save(context: Context, org_id: int, design: CardDesign, now: datetime) -> None:
    """For cards that are printed from now on. Raises InvalidFields."""
    checked(design)
    detail: dict[str, object] = {
        "accent": design.accent,
        "paper": design.paper,
        "blocks": list(design.blocks),
        "size_mm": [design.width_mm, design.height_mm],
        "text": design.text,
        "css": design.css,
        "logo_sha256": design.logo and sha256(design.logo.encode()).hexdigest(),
    }
    with context.transaction() as tx:
        store.put_cards(tx, org_id, design, now)
        _note(tx, context, "voucher.design", org_id, now, detail)


def reset(context: Context, org_id: int, now: datetime) -> None:
    """Its own goes."""
    with context.transaction() as tx:
        store.remove_cards(tx, org_id)
        _note(tx, context, "voucher.design_reset", org_id, now, {})


def _note(
    tx: Transaction,
    context: Context,
    action: str,
    org_id: int,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=f"organisation:{org_id}",
        detail=detail,
    )
