"""Who acts, on which database, within which organisations: the first argument of every service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.errors import Refused
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
    message_days: int = 400
    """How long messages that were sent or given up are kept."""
    customer_id: int | None = None
    """The one customer of `org_ids` that the actor may see and touch: itself. None: all of them."""
    cashier: bool = False
    """The actor is a reseller's cashier: it sells in its shift, and moves nothing else."""
    proved_at: datetime | None = None
    """When the actor, a person at the panel, last proved again who it is."""

    def transaction(self) -> AbstractContextManager[Session]:
        """The one transaction of a service call, bound to the actor's organisations."""
        return self.db.transaction(
            self.org_ids, customer_id=self.customer_id, actor=self.actor, cashier=self.cashier
        )

    def at_one_instant(self) -> AbstractContextManager[Session]:
        """The same, to read by several statements what was there at one instant."""
        return self.db.transaction(
            self.org_ids, customer_id=self.customer_id, frozen=True, cashier=self.cashier
        )

    def refuse_cashier(self) -> None:
        """Raises Refused where a reseller's cashier asks for what is its owner's."""
        if self.cashier:
            raise Refused("a cashier sells and takes money only: ask the owner of the shop")

    @contextmanager
    def reading(self) -> Iterator[Context]:
        """A context whose service calls read what was there at one instant, no row twice by its
        key: for pages of many parts."""
        with self.db.transaction(
            self.org_ids,
            customer_id=self.customer_id,
            frozen=True,
            held=True,
            cashier=self.cashier,
        ) as tx:
            yield self._within(tx)

    @contextmanager
    def together(self) -> Iterator[Context]:
        """A context whose service calls are one transaction: all of them happen, or none."""
        with self.transaction() as tx:
            yield self._within(tx)

    @contextmanager
    def rehearsed(self) -> Iterator[Context]:
        """A context whose service calls are undone at the end. What they return, and refuse, is
        what the same calls would do: a quote that cannot differ from the act."""
        try:
            with self.transaction() as tx:
                yield self._within(tx)
                raise _Undone
        except _Undone:
            pass

    def _within(self, tx: Session) -> Context:
        return _Joined(
            self.db,
            self.box,
            self.actor,
            self.home_org_id,
            self.org_ids,
            self.portal_url,
            self.message_days,
            self.customer_id,
            self.cashier,
            self.proved_at,
            tx,
        )


class _Undone(Exception):
    """Ends a rehearsal."""


@dataclass(frozen=True, slots=True)
class _Joined(Context):
    """Within a transaction that somebody else ends."""

    tx: Session | None = None

    def transaction(self) -> AbstractContextManager[Session]:
        if self.tx is None:
            raise RuntimeError("a joined context has a transaction")
        return nullcontext(self.tx)
