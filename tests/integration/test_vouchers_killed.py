"""The vouchers' job is killed again and again: every first login is booked once, and every voucher
lapses once (rule R3)."""

from __future__ import annotations

import random
import time
from collections import Counter

import psycopg
import pytest

from billing.services import books, voucher_runs
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import DAY_PLAN, Factory
from tests.integration.killing import killed_in_the_middle
from tests.integration.voucher_desk import EXPIRY, NOW, UNIT, Desk

LOGINS = 300  # by which somebody has logged in
WAITING = 300
MONEY = 1_500
KILLS = 5
LONGEST_SECONDS = 300.0


@pytest.mark.rule("R3")
def test_a_run_that_is_killed_is_taken_up_where_it_was(
    context: Context, make: Factory, settings: Settings
) -> None:
    desk = Desk(context, make)
    codes = desk.sold(LOGINS + WAITING, plan=DAY_PLAN, as_login=True)
    desk.sold(MONEY)
    _log_in(settings, [one.serial for one in codes[:LOGINS]])
    price = DAY_PLAN.price_micros
    assert desk.owed() == (LOGINS + WAITING) * price + MONEY * 10 * UNIT
    run = ["jobs", "run", "vouchers", "--at", EXPIRY.isoformat()]
    chance, kills = random.Random(7), 0
    give_up = time.monotonic() + LONGEST_SECONDS
    while kills < KILLS and _active(desk):
        kills += killed_in_the_middle(settings, run, lambda: _active(desk), chance.uniform(0, 0.4))
        assert books.check_ledger(context, EXPIRY).findings == ()
        assert time.monotonic() < give_up
    assert kills >= KILLS // 2, "the run was hardly ever killed"
    voucher_runs.run(context, EXPIRY)
    assert voucher_runs.run(context, EXPIRY) == voucher_runs.VoucherRun(
        at=EXPIRY, logins=0, expired=0, parked=0
    )
    assert books.check_ledger(context, EXPIRY).findings == ()
    assert desk.owed() == 0
    assert desk.sum_of("revenue:breakage") == WAITING * price + MONEY * 10 * UNIT
    states = Counter(row.state for row in desk.rows("SELECT state FROM voucher"))
    assert states == {"redeemed": LOGINS, "expired": WAITING + MONEY}
    paid = desk.rows(
        "SELECT customer_id, count(*) AS times, sum(amount_micros) AS micros"
        " FROM payment GROUP BY customer_id"
    )
    assert {(row.times, row.micros) for row in paid} == {(1, price)}
    assert len(paid) == LOGINS
    receipts = desk.rows("SELECT number FROM receipt WHERE kind = 'sale'")
    assert len({row.number for row in receipts}) == LOGINS == len(receipts)


def _log_in(settings: Settings, serials: list[int]) -> None:
    """As the hooks leave it."""
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute(
            "UPDATE entitlement e SET valid_from = %s, valid_until = %s::timestamptz"
            " + e.validity_minutes * interval '1 minute' FROM voucher v"
            " WHERE v.serial = ANY (%s) AND e.customer_id = v.customer_id"
            " AND e.entitlement_id = v.entitlement_id",
            (NOW, NOW, serials),
        )


def _active(desk: Desk) -> int:
    return int(desk.rows("SELECT count(*) AS n FROM voucher WHERE state = 'active'")[0].n)
