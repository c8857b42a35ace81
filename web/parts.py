"""What a request works with: the parts that `create_app` made, and the caller's context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flask import current_app, g
from flask_security import current_user

from billing.model.staff import StaffMember
from billing.model.views import OperatorView
from billing.services import catalog
from billing.services.context import Context
from billing.services.gateways import Gateways


@dataclass(frozen=True, slots=True)
class Parts:
    """Made once for each process."""

    nobody: Context
    """The context of a caller who is not logged in: it sees no organisation."""
    clock: Callable[[], datetime]
    gateways: Gateways
    dictionary_dir: Path
    """FreeRADIUS's dictionaries, which a subscriber's own attributes must fit."""

    def close(self) -> None:
        """Give the database connections back."""
        self.nobody.db.close()


def parts() -> Parts:
    found: Parts = current_app.extensions["tollway"]
    return found


def now() -> datetime:
    """The instant of this request: the same for all that it does."""
    if "now" not in g:
        g.now = parts().clock()
    instant: datetime = g.now
    return instant


def member() -> StaffMember:
    """Who is logged in. Only behind `staff_only`."""
    person: StaffMember = current_user.member
    return person


def context() -> Context:
    """The caller's context. Organisations come from the session's person only (security.md 7)."""
    person = member()
    cashier, own_only = person.is_shop_cashier, person.is_shop_cashier or person.is_collector
    return replace(
        parts().nobody,
        actor=person.email,
        home_org_id=person.org_id,
        org_ids=(person.org_id,) if own_only else person.org_ids,
        cashier=cashier,
        proved_at=person.proved_at,
    )


def login_context() -> Context:
    """Nobody is logged in: sees no organisation."""
    return parts().nobody


def operator() -> OperatorView:
    """Name, zone and currency of the installation, read once a request."""
    if "operator" not in g:
        g.operator = catalog.operator(login_context())
    found: OperatorView = g.operator
    return found
