"""Who acts, on which database, within which organisations: the first argument of every service."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.services.secrets import SecretBox
from billing.store.pool import Database


@dataclass(frozen=True, slots=True)
class Context:
    """`org_ids` is what the actor may see and touch; None only for the operator's own processes
    (command line, worker, hooks), whose database roles see everything. `home_org_id` is where
    what the actor creates belongs. `actor` is written to the audit log.
    """

    db: Database
    box: SecretBox
    actor: str
    home_org_id: int = 1
    org_ids: tuple[int, ...] | None = None
    portal_url: str = ""
    """Where customers recharge, for messages to link to; empty: nowhere yet."""

    def transaction(self) -> AbstractContextManager[Session]:
        """The one transaction of a service call, bound to the actor's organisations."""
        return self.db.transaction(self.org_ids)
