"""A customer whose service is metered, told by mail, and looked at by the sweep."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import select

from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, Status
from billing.model.messages import MessageKind, MessageView
from billing.services import enforcement, messages, sales
from billing.services.context import Context
from billing.store import tables
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory, Subscriber

MIB = 2**20
UNIT = 1_000_000
BY_THE_MIB = replace(
    DAY_PLAN,
    price_micros=0,
    validity_minutes=None,
    payg_octet_step=MIB,
    payg_octet_step_micros=UNIT,
)
"""1.00 a MiB."""
_keys = count(1)


@contextmanager
def lane_of(make: Factory) -> Iterator[HotConnection]:
    """A connection of the hooks."""
    lane = HotConnection(make.radius_dsn, statement_timeout_ms=20_000, lock_timeout_ms=20_000)
    try:
        yield lane
    finally:
        lane.close()


@dataclass
class Talker:
    """One subscriber with one session at a time; `used_mib` is the session's counter."""

    context: Context
    make: Factory
    who: Subscriber
    nas: SimulatedNas
    session_id: str = ""
    used_mib: int = 0
    started_at: datetime | None = None

    def start(self, now: datetime) -> None:
        self.session_id, self.used_mib, self.started_at = secrets.token_hex(6), 0, now
        with lane_of(self.make) as lane:
            charge_usage(lane, [usage_row(self._record(Status.START, now))], now)

    def use(self, mib: int, now: datetime, *, look: bool = True) -> None:
        """Use so much more in the running session, then let the sweep look."""
        self.used_mib += mib
        with lane_of(self.make) as lane:
            charge_usage(lane, [usage_row(self._record(Status.INTERIM, now))], now)
        if look:
            enforcement.sweep(self.context, now)

    def stop(self, now: datetime) -> None:
        """The running session has ended."""
        with lane_of(self.make) as lane:
            charge_usage(lane, [usage_row(self._record(Status.STOP, now))], now)

    def top_up(self, units: int, now: datetime) -> None:
        sales.topup(
            self.context,
            self.who.customer_id,
            units * UNIT,
            channel=MoneyChannel.CASH,
            idempotency_key=f"top up {next(_keys)}",
            now=now,
        )

    def told(self) -> list[tuple[str, dict[str, object]]]:
        """Kind and facts of what was queued, oldest first; receipts of payments left out."""
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(tables.Message)
                .where(
                    tables.Message.customer_id == self.who.customer_id,
                    tables.Message.kind != MessageKind.PAYMENT_RECEIVED,
                )
                .order_by(tables.Message.message_id)
            )
            return [(row.kind, row.facts) for row in rows]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told()]

    def log(self) -> list[MessageView]:
        return messages.listed(self.context, customer_id=self.who.customer_id)

    def orders(self) -> list[tuple[str, str]]:
        """Goal and reason of the orders to its sessions."""
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(tables.CoaIntent)
                .where(tables.CoaIntent.subscription_id == self.who.subscription_id)
                .order_by(tables.CoaIntent.intent_id)
            )
            return [(row.goal, row.reason) for row in rows]

    def rule(self) -> str:
        with self.context.transaction() as tx:
            return str(
                tx.scalar(
                    select(tables.Subscription.service_rule).where(
                        tables.Subscription.subscription_id == self.who.subscription_id
                    )
                )
            )

    def _record(self, status: Status, now: datetime) -> AccountingRecord:
        seconds = (now - (self.started_at or now)) // timedelta(seconds=1)
        return AccountingRecord(
            status=status,
            username=self.who.username,
            sent_username=self.who.username,
            nas_address=self.nas.address,
            acct_session_id=self.session_id,
            arrived_at=now,
            event_at=now,
            precise_time=True,
            session_seconds=None if status is Status.START else seconds,
            input_octets=0,
            output_octets=self.used_mib * MIB,
            has_gigawords=True,
            session_class=f"tw1:{self.who.subscription_id}:n",
        )
