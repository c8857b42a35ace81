"""How long does the bill run take? `./run bench bills [--prepaid]`

Monthly customers with an address that are all due, billed by the service that the worker runs, a
message queued with each bill; then the books are checked and the run is repeated, which must issue
nothing. With `--prepaid` each wallet pays its bills at once (rule P10). Ends with 1 when it took
longer than ten minutes for 100,000 customers, when memory grew with their number, or when anything
is not exact.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from billing.clock import utc_now
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.services import bill_run, books, catalog
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.store.pool import Database

from . import measure
from .ground import Ground, ground
from .tollway_target import TollwayTarget

SECONDS_FOR_100_000 = 600.0
ALLOWED_GROWTH = 1.05
_FUNDS_MICROS = 500_000_000


@dataclass
class Progress:
    """Resident octets of this process after a tenth of the customers, and the most since."""

    early: int = 0
    late: int = 0

    def __call__(self, done: int, of: int) -> None:
        octets = measure.rss_octets([os.getpid()])
        if done * 10 <= of or not self.early:
            self.early = octets
        self.late = max(self.late, octets)


def bench(place: Ground, customers: int, *, prepaid: bool = False) -> bool:
    """True when all of it is as it must be."""
    name = "prepaid" if prepaid else "bills"
    target = TollwayTarget(place.cluster, place.state_dir, 0, name=name)
    target.seed(customers)
    now = utc_now()
    box = SecretBox(target.settings.secrets_key())
    with closing(Database(target.settings.dsn("worker"))) as database:
        context = Context(db=database, box=box, actor="bench")
        _make_monthly(place, name, context, now - timedelta(days=70), prepaid=prepaid)
        progress = Progress()
        began = time.monotonic()
        report = bill_run.run(context, now, progress)
        seconds = time.monotonic() - began
        began = time.monotonic()
        again = bill_run.run(context, now)
        repeated_seconds = time.monotonic() - began
        began = time.monotonic()
        findings = books.check_ledger(context, now).findings
        check_seconds = time.monotonic() - began
        with place.admin(name) as db:
            (queued,) = db.execute("SELECT count(*) FROM message").fetchone() or (0,)
            (unpaid,) = db.execute(
                "SELECT count(*) FROM invoice WHERE paid_at IS NULL"
            ).fetchone() or (0,)
    growth = progress.late / progress.early
    place.say(
        f"{report.issued:,} bills{', paid by their wallets,' if prepaid else ''} to"
        f" {customers:,} customers in {seconds:.0f} s"
        f" ({report.issued / seconds:,.0f} a second), {len(report.parked)} parked,"
        f" {queued:,} messages queued\n"
        f"memory {progress.early / 2**20:.0f} → {progress.late / 2**20:.0f} MiB\n"
        f"repeated: {again.issued} bills, {repeated_seconds:.1f} s;"
        f" books checked in {check_seconds:.1f} s: {len(findings)} findings"
    )
    soon = seconds <= SECONDS_FOR_100_000 * customers / 100_000 or customers < 10_000
    exact = report.issued >= customers and not report.parked and not again.issued and not findings
    exact = exact and queued == report.issued and unpaid == (0 if prepaid else report.issued)
    return soon and exact and growth <= ALLOWED_GROWTH


def _make_monthly(
    place: Ground, name: str, context: Context, since: datetime, *, prepaid: bool
) -> None:
    profile = BillingProfile(
        name="bench monthly",
        kind=BillingKind.MONTHLY,
        payment=Payment.PREPAID if prepaid else Payment.POSTPAID,
        automatic_bill=True,
        cycle_day=10,
        tax_rate_ppm=190_000,
    )
    plan = PlanTerms(
        plan_version_id=0,
        plan_name="bench monthly",
        price_micros=29_990_000,
        currency="USD",
        validity_months=1,
    )
    profile_id = catalog.add_profile(context, profile, since).profile_id
    version_id = catalog.add_plan(context, plan, since).terms.plan_version_id
    with place.admin(name) as db:
        db.execute(
            "UPDATE customer SET profile_id = %s, email = 'c' || customer_id || '@example.net'",
            (profile_id,),
        )
        db.execute(
            "UPDATE subscription SET plan_version_id = %s, requires_entitlement = false,"
            " created_at = %s",
            (version_id, since),
        )
        db.execute("DELETE FROM entitlement")
        if prepaid:
            _fund(db, since)
        db.execute("VACUUM ANALYZE")


def _fund(db: psycopg.Connection[TupleRow], since: datetime) -> None:
    """Enough for every bill, as an import takes it over."""
    db.execute(
        "WITH funded AS (UPDATE wallet SET posted_micros = posted_micros + %s"
        " RETURNING customer_id, wallet_id, org_id, currency), entry AS ("
        " INSERT INTO journal_entry (customer_id, org_id, at, kind, memo)"
        " SELECT customer_id, org_id, %s, 'opening', 'bench' FROM funded"
        " RETURNING customer_id, entry_id)"
        " INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id,"
        " amount_micros, currency)"
        " SELECT f.customer_id, e.entry_id, x.line, f.org_id, x.account,"
        " CASE x.line WHEN 1 THEN f.wallet_id END, x.amount, f.currency"
        " FROM funded f JOIN entry e USING (customer_id)"
        " CROSS JOIN (VALUES (1, 'wallet', %s), (2, 'opening', -%s)) x(line, account, amount)",
        (_FUNDS_MICROS, since, _FUNDS_MICROS, _FUNDS_MICROS),
    )


def main(arguments: Sequence[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench bills", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="500 customers: does it work?")
    parser.add_argument("--prepaid", action="store_true", help="wallets pay the bills at once")
    given = parser.parse_args(arguments)
    with ground() as place:
        good = bench(place, 500 if given.quick else given.customers, prepaid=given.prepaid)
    raise SystemExit(0 if good else 1)
