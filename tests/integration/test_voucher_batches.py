"""Batches of vouchers as a whole: what is refused, guesses, counts, and the check of the ledger
(rule R3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select

from billing.errors import InvalidFields, InvalidInput, NotFound, Refused
from billing.model.vouchers import Alphabet, CodeFormat
from billing.rules import vouchers as rules
from billing.services import books, voucher_runs, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.voucher_codes import new_codes
from billing.services.voucher_sales import Range
from billing.settings import Settings
from billing.store import tables
from billing.store import vouchers as store
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory
from tests.integration.voucher_desk import NOW, UNIT, Desk

pytestmark = pytest.mark.rule("R3")


@pytest.fixture
def desk(context: Context, make: Factory) -> Iterator[Desk]:
    """The books agree after each test."""
    yield Desk(context, make)
    assert books.check_ledger(context, NOW).findings == ()


def test_guesses_are_counted_and_slowed_down(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    (code,) = desk.sold()
    at = NOW - timedelta(days=1)
    guesses = new_codes(CodeFormat(length=12), 11)
    for guess in guesses[:10]:
        with pytest.raises(NotFound):
            desk.redeem(guess, who, at, source="web:203.0.113.7")
    for guess in (guesses[10], code.code):
        with pytest.raises(Refused, match="too many wrong codes"):
            desk.redeem(guess, who, at, source="web:203.0.113.7", known=True)
    # Another address is not held up, nor this one once the window is over.
    desk.redeem(code, who, at, source="web:203.0.113.8")
    (other,) = desk.sold()
    desk.redeem(other, who, at + rules.THROTTLE_WINDOW, source="web:203.0.113.7")


def test_everybody_together_is_slowed_down_but_staff(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    first, second = desk.sold(2)
    at = NOW - timedelta(days=2)
    with desk.context.transaction() as tx:
        for _ in range(rules.ALL_FAILURES_LIMIT):
            store.add_failure(tx, [""], at, rules.THROTTLE_WINDOW)
    with pytest.raises(Refused, match="too many wrong codes"):
        desk.redeem(first, who, at, source="web:203.0.113.9")
    desk.redeem(second, who, at, source="staff:7", known=True)


def test_batches_that_cannot_be(desk: Desk) -> None:
    with pytest.raises(InvalidFields, match="too easy to guess"):
        desk.batch(1000, code=CodeFormat(length=8))
    with pytest.raises(InvalidInput, match="more than zero"):
        desk.batch(amount=0)
    with pytest.raises(InvalidInput, match="future"):
        desk.batch(expires_at=NOW)
    with pytest.raises(InvalidInput, match="one of them"):
        desk.batch(amount=None)
    with pytest.raises(InvalidInput, match="login needs a plan"):
        desk.batch(as_login=True)
    with pytest.raises(InvalidInput, match="password is for vouchers that log in"):
        desk.batch(code=CodeFormat(length=8, password_length=6))
    with pytest.raises(Refused, match="B13"):
        desk.batch(plan=MONTH_PLAN, profile=MONTHLY, as_login=True)
    with pytest.raises(Refused, match="B5"):
        desk.batch(plan=DAY_PLAN, profile=MONTHLY)


def test_100000_codes_are_made_in_pages(desk: Desk) -> None:
    code = CodeFormat(length=24, alphabet=Alphabet.DIGITS)
    batch = desk.batch(100_000, code=code)
    assert batch.stock == {"created": 100_000}
    codes = desk.codes(batch)
    assert len({one.code for one in codes}) == 100_000
    desk.activate(batch)
    assert desk.redeem(codes[-1], desk.make.subscriber(NOW)).face_micros == 10 * UNIT
    voucher_sales.revoke(desk.context, Range(batch_id=batch.batch_id), NOW)


def test_the_check_finds_vouchers_that_contradict_the_ledger(
    desk: Desk, settings: Settings, context: Context
) -> None:
    who = desk.make.subscriber(NOW)
    used, kept = desk.sold(2)
    desk.redeem(used, who)
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        for statement, serial, problems in (
            (
                "UPDATE voucher SET state = 'active', ended_at = NULL WHERE serial = %s",
                used.serial,
                {
                    "what is owed for vouchers differs from those that can be redeemed",
                    "redeemed voucher differs from its payment",
                },
            ),
            (
                "UPDATE voucher SET payment_id = NULL WHERE serial = %s",
                used.serial,
                {"redeemed voucher differs from its payment"},
            ),
            (
                "UPDATE voucher SET sold_entry_id = NULL WHERE serial = %s",
                kept.serial,
                {"vouchers sold differ from their entry"},
            ),
            (
                "UPDATE voucher_batch SET face_micros = 11000000 WHERE batch_id ="
                " (SELECT batch_id FROM voucher WHERE serial = %s)",
                kept.serial,
                {
                    "what is owed for vouchers differs from those that can be redeemed",
                    "redeemed voucher differs from its payment",
                    "vouchers sold differ from their entry",
                },
            ),
        ):
            row = admin.execute(
                "SELECT state, ended_at, payment_id, sold_entry_id FROM voucher WHERE serial = %s",
                (serial,),
            ).fetchone()
            assert row is not None
            admin.execute(statement, (serial,))
            found = {one.problem for one in books.check_ledger(context, NOW).findings}
            admin.execute(
                "UPDATE voucher SET state = %s, ended_at = %s, payment_id = %s, sold_entry_id = %s"
                " WHERE serial = %s",
                (*row, serial),
            )
            admin.execute("UPDATE voucher_batch SET face_micros = 10000000 WHERE kind = 'amount'")
            assert found == problems


def test_the_report_counts_by_days(desk: Desk) -> None:
    day = NOW.replace(year=2031)
    who = desk.make.subscriber(day)
    codes = desk.sold(3, now=day, expires_at=day + timedelta(days=5))
    desk.redeem(codes[0], who, day + timedelta(days=1))
    voucher_runs.run(desk.context, day + timedelta(days=5))
    first = day.date()

    def line(days: int, of: int) -> tuple[int, int, int, int]:
        found = vouchers.report(
            desk.context, first + timedelta(days=days), first + timedelta(days=days + of)
        )[-1]
        return found.sold, found.redeemed, found.lapsed, found.outstanding

    assert line(0, 0) == (3, 0, 0, 3)
    assert line(1, 0) == (0, 1, 0, 2)
    assert line(0, 9) == (3, 1, 2, 0)


@pytest.mark.rule("B13")
def test_who_comes_by_a_voucher_needs_no_profile(desk: Desk) -> None:
    """The organisation's own for hotspots is made once, and is daily."""
    made = [
        desk.sold(plan=DAY_PLAN, profile=None, as_login=True, code=CodeFormat(length=12))
        for _ in range(2)
    ]
    with desk.context.transaction() as tx:
        profiles = tx.scalars(
            select(tables.BillingProfile).where(tables.BillingProfile.name == "Hotspot")
        ).all()
        assert [(one.kind, one.payment, one.automatic_bill) for one in profiles] == [
            ("daily", "prepaid", False)
        ]
        used = tx.scalars(
            select(tables.VoucherBatch.profile_id).where(
                tables.VoucherBatch.batch_id.in_([desk.look(codes[0]).batch_id for codes in made])
            )
        ).all()
    assert used == [profiles[0].profile_id] * 2
    with pytest.raises(Refused, match="month"):
        desk.batch(plan=MONTH_PLAN, profile=None, as_login=True)
