"""A dunning run that is killed again and again: no fee and no reminder twice, none missing (I5)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.model.dunning import DunningSchedule, DunningStep
from billing.services import bill_run, books, catalog, dunning, dunning_run, imports
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY
from tests.integration.killing import killed_in_the_middle

CREATED = datetime(2026, 3, 10, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 6, 1, tzinfo=UTC)
# Of them every second one is billed automatically, so that fees are charges and bills.
CUSTOMERS = 1_000
KILLS = 6
LONGEST_SECONDS = 300.0
SCHEDULE = DunningSchedule(
    steps=(
        DunningStep(days=-3, reminds=True),
        DunningStep(days=7, reminds=True, fee_micros=5_000_000),
        DunningStep(days=14, fee_ppm=100_000),
    )
)


@pytest.mark.rule("I5")
def test_a_run_that_is_killed_is_taken_up_where_it_was(
    context: Context, settings: Settings, tmp_path: Path
) -> None:
    _make_late(context, tmp_path)
    bills_before = _count(context, tables.Invoice)
    assert bills_before == CUSTOMERS
    run = ["dunning", "run", "--at", APRIL.isoformat()]
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _count(context, tables.DunningEvent) < CUSTOMERS * 3:
        kills += killed_in_the_middle(
            settings, run, lambda: _count(context, tables.DunningEvent), chance.uniform(0, 0.4)
        )
        assert books.check_ledger(context, APRIL).findings == ()
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the run was hardly ever killed"
    dunning_run.run(context, APRIL)
    dunning_run.run(context, APRIL)
    assert books.check_ledger(context, APRIL).findings == ()
    assert _count(context, tables.DunningEvent) == CUSTOMERS * 3
    # Two fees each: 5.00 and 3.00.
    assert _count(context, tables.Charge) == CUSTOMERS
    assert _count(context, tables.Invoice) == bills_before + CUSTOMERS
    with context.transaction() as tx:
        charge, event, message = tables.Charge, tables.DunningEvent, tables.Message
        by_price = select(charge.price_micros, func.count()).group_by(charge.price_micros)
        prices = {row.price_micros: row[1] for row in tx.execute(by_price)}
        fees = tx.scalars(select(event.charge_id).where(event.charge_id.is_not(None))).all()
        own = tx.scalars(select(event.fee_invoice_id).where(event.fee_invoice_id.is_not(None)))
        told = tx.scalars(select(message.customer_id).where(message.kind == "reminder")).all()
        numbers = sorted(int(number[4:]) for number in tx.scalars(select(tables.Invoice.number)))
        assert len(set(own)) == CUSTOMERS
    assert prices == {5_000_000: CUSTOMERS // 2, 3_000_000: CUSTOMERS // 2}
    assert len(set(fees)) == CUSTOMERS
    assert len(told) == len(set(told)) == CUSTOMERS
    assert numbers == list(range(1, len(numbers) + 1))


def _make_late(context: Context, folder: Path) -> None:
    """Everybody has a bill of 30.00, due on 20 March."""
    terms = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
    profile = replace(MONTHLY, cycle_day=10, automatic_bill=True)
    catalog.add_plan(context, terms, CREATED)
    for name in ("Homes", "Offices"):
        view = catalog.add_profile(context, replace(profile, name=name), CREATED)
        dunning.set_schedule(context, view.profile_id, SCHEDULE, CREATED)
    rows = "".join(
        f"late{number},long enough 7,{('Homes', 'Offices')[number % 2]},Home,late@example.net\n"
        for number in range(CUSTOMERS)
    )
    source = folder / "subscribers.csv"
    source.write_text(f"username,password,profile,plan,email\n{rows}")
    imports.import_subscribers(context, source, CREATED, lambda *_: None)
    bill_run.run(context, CREATED)
    by_hand = replace(profile, name="Offices", automatic_bill=False)
    offices = catalog.find_profile(context, "Offices").profile_id
    catalog.update_profile(context, offices, by_hand, CREATED)


def _count(context: Context, table: type[tables.Base]) -> int:
    with context.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(table)) or 0
