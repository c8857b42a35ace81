"""Customers of an ISP that uses every part of billing: the books are checked after each step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from billing.jobs.registry import JOBS
from billing.model.commerce import MoneyChannel
from billing.model.credits import CreditNoteView
from billing.model.plan import PlanTerms
from billing.model.plan_changes import PlanChangeReceipt, When
from billing.model.profile import BillingProfile, Payment
from billing.services import books, credits, plan_changes, sales, write_offs
from billing.services.context import Context
from billing.store import ledger, tables
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.meter_world import MIB, MeterWorld, start, stop

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
POSTPAID = replace(MONTHLY, cycle_day=10, automatic_bill=True, credit_limit_micros=500_000_000)
PREPAID = replace(POSTPAID, payment=Payment.PREPAID, credit_limit_micros=0)
MONTH = replace(MONTH_PLAN, price_micros=31_000_000)
"""1.00 a day from 10 March to 10 April."""
METERED = replace(MONTH, payg_octet_step=MIB, payg_octet_step_micros=1_234_567)
WEEK = replace(DAY_PLAN, price_micros=7_000_000, validity_minutes=7 * 1440)
_keys = count(1)


def on(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


APRIL, MAY, JUNE = (on(month, 1, 1) for month in (4, 5, 6))


@dataclass
class Isp:
    """What is done to customers; amounts are in cents, of accounts in micros."""

    context: Context
    world: MeterWorld
    make: Factory

    def check(self, at: datetime) -> None:
        assert books.check_ledger(self.context, at).findings == ()

    def customer(
        self, profile: BillingProfile, plan: PlanTerms = METERED, cents: int = 0
    ) -> Subscriber:
        who = self.make.subscriber(JOINED, profile=profile, plan=plan)
        if cents:
            self.top_up(who, cents, JOINED)
        self.check(JOINED)
        return who

    def top_up(self, who: Subscriber, cents: int, at: datetime) -> None:
        sales.topup(
            self.context,
            who.customer_id,
            cents * 10_000,
            channel=MoneyChannel.CASH,
            idempotency_key=f"top up {next(_keys)}",
            now=at,
        )
        self.check(at)

    def buy(self, who: Subscriber, plan: PlanTerms, at: datetime) -> None:
        """For wallet money."""
        plan_id = self.make.plan(JOINED, plan)
        key = f"buy {next(_keys)}"
        sales.sell(self.context, who.subscription_id, plan_id, idempotency_key=key, now=at)
        self.check(at)

    def use(self, who: Subscriber, at: datetime, mib: int) -> None:
        """A session of a minute that ends at `at`."""
        sid = f"h{next(_keys)}"
        self.world.charge(start(who.username, at - timedelta(minutes=1), sid=sid), now=at)
        self.world.charge(stop(who.username, at, 60, mib * MIB, 0, sid=sid), now=at)

    def job(self, name: str, at: datetime) -> str:
        said = JOBS[name].run(self.context, at)
        assert "PARKED" not in said
        self.check(at)
        return said

    def bill(self, at: datetime) -> None:
        self.job("bill_run", at)

    def credit(
        self, number: str, at: datetime, cents: int | None = None, *, void: bool = False
    ) -> CreditNoteView:
        note = credits.credit(
            self.context,
            number,
            reason="a test",
            idempotency_key=f"credit {next(_keys)}",
            now=at,
            amount_micros=None if cents is None else cents * 10_000,
            void=void,
        )
        self.check(at)
        return note

    def write_off(self, number: str, at: datetime) -> int:
        view = write_offs.write_off(
            self.context, number, reason="gone", idempotency_key=f"off {next(_keys)}", now=at
        )
        self.check(at)
        return view.amount_micros // 10_000

    def change_plan(
        self, who: Subscriber, plan: PlanTerms, at: datetime, when: When | None = None
    ) -> PlanChangeReceipt:
        done = plan_changes.change_plan(
            self.context,
            who.subscription_id,
            self.make.plan(JOINED, plan),
            idempotency_key=f"plan {next(_keys)}",
            now=at,
            when=when,
        )
        self.check(at)
        return done

    def invoices(self, who: Subscriber) -> list[tables.Invoice]:
        with self.context.transaction() as tx:
            rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
            return list(rows.order_by(tables.Invoice.invoice_id))

    def totals(self, who: Subscriber) -> list[tuple[int, int]]:
        """Total and open cents of every bill that is not void."""
        return [
            (
                row.total_micros // 10_000,
                (row.total_micros - row.paid_micros - row.credited_micros - row.written_off_micros)
                // 10_000,
            )
            for row in self.invoices(who)
            if row.voided_at is None
        ]

    def packages(self, who: Subscriber) -> list[tuple[datetime | None, datetime | None]]:
        with self.context.transaction() as tx:
            rows = tx.query(tables.Entitlement).filter_by(
                customer_id=who.customer_id, ended_at=None
            )
            found = rows.order_by(tables.Entitlement.entitlement_id)
            return [(row.valid_from, row.valid_until) for row in found]

    def account(self, who: Subscriber, name: str) -> int:
        with self.context.transaction() as tx:
            return ledger.balance(tx, who.customer_id, name)

    def accounts(self, who: Subscriber) -> dict[str, int]:
        """All that are not zero."""
        with self.context.transaction() as tx:
            rows = tx.query(tables.Posting.account, tables.Posting.amount_micros).filter_by(
                customer_id=who.customer_id
            )
            found: dict[str, int] = {}
            for account, micros in rows:
                found[account] = found.get(account, 0) + micros
        return {name: micros for name, micros in sorted(found.items()) if micros}
