"""Vouchers are made, sold, redeemed once, taken back, and lapse (rule R3)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import psycopg
import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.profile import BillIn, Payment
from billing.model.vouchers import VoucherState, serial_text
from billing.rules import vouchers as rules
from billing.services import (
    books,
    catalog,
    contacts,
    holds,
    recognition,
    sales,
    voucher_runs,
    voucher_sales,
    vouchers,
)
from billing.services.context import Context
from billing.services.voucher_sales import Range
from billing.settings import Settings
from billing.store import ledger
from billing.store.pool import Database
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory
from tests.integration.voucher_desk import EXPIRY, NOW, UNIT, Desk

pytestmark = pytest.mark.rule("R3")
SOON = timedelta(minutes=1)
TAXED = replace(DAILY, tax_rate_ppm=210_000, tax_inclusive=False)
WEEK = replace(DAY_PLAN, price_micros=7 * UNIT, validity_minutes=7 * 1440)


@pytest.fixture
def desk(context: Context, make: Factory) -> Iterator[Desk]:
    """The books agree after each test."""
    found = Desk(context, make)
    found_before = found.owed()
    yield found
    assert books.check_ledger(context, NOW).findings == ()
    assert found.owed() >= 0 and found_before >= 0


def test_stock_is_worth_nothing_until_it_is_sold(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    batch = desk.batch(3)
    assert batch.stock == {"created": 3} and batch.codes_kept
    before = desk.owed()
    codes = desk.codes(batch)
    assert [len(one.code) for one in codes] == [12] * 3
    assert [one.serial for one in codes] == list(range(batch.first_serial, batch.last_serial + 1))
    with pytest.raises(Refused, match="not sold yet"):
        desk.redeem(codes[0], who)
    assert desk.owed() == before
    desk.activate(batch)
    assert desk.owed() == before + 30 * UNIT
    assert vouchers.get_batch(desk.context, batch.batch_id).stock == {"active": 3}


def test_codes_are_handed_over_once_and_stored_as_keyed_hashes(
    desk: Desk, settings: Settings
) -> None:
    batch = desk.batch(2)
    with pytest.raises(RuntimeError, match="printer"):
        vouchers.hand_over(desk.context, batch.batch_id, _broken_printer, NOW)
    with pytest.raises(Refused, match="hand the codes over"):
        desk.activate(batch)
    codes = desk.codes(batch)
    with pytest.raises(Conflict, match="handed over already"):
        desk.codes(batch)
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for (table,) in admin.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'voucher%'"
        ).fetchall():
            dumped = str(admin.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
            assert not [one for one in codes if one.code in dumped]


def _broken_printer(*_: object) -> None:
    raise RuntimeError("the printer is on fire")


def test_money_goes_to_the_wallet_once(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    (code,) = desk.sold()
    before = desk.owed()
    given = desk.redeem(rules.grouped(code.code).lower(), who, key="once")
    assert (given.available_micros, given.face_micros) == (10 * UNIT, 10 * UNIT)
    assert desk.owed() == before - 10 * UNIT
    again = desk.redeem(code, who, key="once")
    assert again.repeated and again.receipt_number == given.receipt_number
    with pytest.raises(Refused, match="redeemed already 2026-03-10 14:30"):
        desk.redeem(code, who)
    seen = desk.look(code)
    assert (seen.state, seen.customer_id) == (VoucherState.REDEEMED, who.customer_id)


def test_200_parallel_redemptions_give_one_credit(
    desk: Desk, settings: Settings, context: Context
) -> None:
    """By as many connections as the server has room for, of two customers."""
    people = [desk.make.subscriber(NOW) for _ in range(2)]
    (code,) = desk.sold()
    before, threads = desk.owed(), 50
    database = Database(settings.dsn("worker"), pool_size=threads)
    crowd = Desk(replace(context, db=database), desk.make)
    start = Barrier(threads)

    def redeem(number: int) -> bool:
        if number < threads:
            start.wait()
        try:
            crowd.redeem(code, people[number % 2], key=f"crowd {number}")
        except Refused:
            return False
        return True

    try:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(redeem, range(200)))
    finally:
        database.close()
    assert done.count(True) == 1
    wallets = desk.rows(
        "SELECT sum(posted_micros) FROM wallet WHERE customer_id = ANY (:ids)",
        ids=[one.customer_id for one in people],
    )
    assert wallets[0][0] == 10 * UNIT
    assert desk.owed() == before - 10 * UNIT


def test_a_package_costs_what_its_voucher_cost(desk: Desk) -> None:
    """7.00 and 21 % tax are 8.47: sold for it, and worth it for whoever pays another tax, too."""
    buyer, untaxed = desk.make.subscriber(NOW, profile=TAXED), desk.make.subscriber(NOW)
    first, second = desk.sold(2, plan=WEEK, profile=TAXED)
    before, tax, deferred = desk.owed(), desk.sum_of("tax"), desk.sum_of("deferred:package")
    given = desk.redeem(first, buyer)
    assert (given.face_micros, given.available_micros) == (8_470_000, 0)
    assert desk.sum_of("tax") - tax == 1_470_000
    assert desk.sum_of("deferred:package") - deferred == 7 * UNIT
    desk.redeem(second, untaxed)
    assert desk.sum_of("deferred:package") - deferred == 7 * UNIT + 8_470_000
    assert before - desk.owed() == 2 * 8_470_000
    (package,) = desk.rows(
        "SELECT valid_until - valid_from AS time, price_micros FROM entitlement"
        " WHERE entitlement_id = :id",
        id=given.entitlement_id,
    )
    assert (package.time, package.price_micros) == (timedelta(days=7), 8_470_000)


def test_the_version_that_was_printed_is_sold(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    (code,) = desk.sold(plan=WEEK)
    plan_id = desk.make.plan(NOW, WEEK)
    catalog.add_plan_version(
        desk.context,
        plan_id,
        replace(WEEK, plan_name="x", price_micros=70 * UNIT, validity_minutes=60),
        NOW,
        effective_from=NOW + SOON,
    )
    given = desk.redeem(code, who, NOW + 2 * SOON)
    assert given.face_micros == 7 * UNIT
    (package,) = desk.rows(
        "SELECT validity_minutes FROM entitlement WHERE entitlement_id = :id",
        id=given.entitlement_id,
    )
    assert package.validity_minutes == 7 * 1440


@pytest.mark.rule("B5")
def test_a_monthly_customer_redeems_months_only_and_keeps_the_rest(desk: Desk) -> None:
    monthly = replace(MONTHLY, cycle_day=10, bill_in=BillIn.ADVANCE, payment=Payment.PREPAID)
    created = NOW.replace(day=18)
    who = desk.make.subscriber(created, profile=monthly, plan=MONTH_PLAN)
    (day,) = desk.sold(plan=DAY_PLAN)
    with pytest.raises(Refused, match="B5"):
        desk.redeem(day, who, created)
    assert desk.look(day).state is VoucherState.ACTIVE
    (month,) = desk.sold(plan=MONTH_PLAN, profile=monthly, now=created)
    given = desk.redeem(month, who, created)
    # 18 March to 10 April, 23 of 31 days (B11), of 30.00: 22.26.
    assert given.available_micros == 30 * UNIT - 22_260_000


def test_free_vouchers_move_no_money(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    before = desk.owed()
    (code,) = desk.sold(plan=replace(DAY_PLAN, price_micros=0))
    given = desk.redeem(code, who)
    assert given.entitlement_id is not None and given.face_micros == 0
    assert desk.owed() == before


def test_expiry_is_exact_and_becomes_breakage(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    used, late, unsold = desk.sold(1), desk.sold(2), desk.batch(1)
    before, lapsed = desk.owed(), desk.sum_of("revenue:breakage")
    desk.redeem(used[0], who, EXPIRY - timedelta(seconds=1))
    with pytest.raises(Refused, match="expired"):
        desk.redeem(late[0], who, EXPIRY)
    assert voucher_runs.run(desk.context, EXPIRY - timedelta(seconds=1)).expired == 0
    report = voucher_runs.run(desk.context, EXPIRY)
    assert report.expired >= 2
    assert voucher_runs.run(desk.context, EXPIRY).expired == 0
    assert [desk.look(one).state for one in late] == [VoucherState.EXPIRED] * 2
    assert desk.look(used[0]).state is VoucherState.REDEEMED
    assert desk.sum_of("revenue:breakage") - lapsed == before - 10 * UNIT - desk.owed()
    with pytest.raises(Refused, match="expired"):
        desk.codes(unsold)
        desk.activate(unsold, EXPIRY)


def test_breakage_is_in_the_report_of_revenue(desk: Desk) -> None:
    expires = NOW.replace(year=2030)
    desk.sold(1, expires_at=expires)
    voucher_runs.run(desk.context, expires)
    found = recognition.report(desk.context, expires.date(), expires.date())
    (line,) = [one for one in found.lines if one.kind.value == "breakage"]
    assert line.earned_micros >= 10 * UNIT


def test_a_customer_buys_from_its_wallet_and_gets_it_back(desk: Desk) -> None:
    shop = desk.make.subscriber(NOW)
    batch = desk.batch(3)
    codes = desk.codes(batch)
    with pytest.raises(Refused, match="P12"):
        desk.activate(batch, pay_by=None, buyer_id=shop.customer_id)
    sales.topup(
        desk.context,
        shop.customer_id,
        30 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="float",
        now=NOW,
    )
    before = desk.owed()
    desk.activate(batch, pay_by=None, buyer_id=shop.customer_id)
    assert _wallet(desk, shop.customer_id) == 0
    desk.redeem(codes[1], desk.make.subscriber(NOW))
    whole = Range(batch_id=batch.batch_id)
    assert voucher_sales.revoke(desk.context, whole, NOW, refund=True) == 2
    assert _wallet(desk, shop.customer_id) == 20 * UNIT
    assert desk.owed() == before
    with pytest.raises(Refused, match="revoked"):
        desk.redeem(codes[0], shop)
    with pytest.raises(Refused, match="no vouchers to revoke"):
        voucher_sales.revoke(desk.context, whole, NOW)


def test_revoked_over_the_counter(desk: Desk) -> None:
    batch = desk.batch(2)
    desk.codes(batch)
    desk.activate(batch)
    cash, lapsed = desk.sum_of("money:cash"), desk.sum_of("revenue:breakage")
    one = Range(batch_id=batch.batch_id, first=batch.first_serial, last=batch.first_serial)
    with pytest.raises(InvalidInput, match="how the money goes back"):
        voucher_sales.revoke(desk.context, one, NOW, refund=True)
    voucher_sales.revoke(desk.context, one, NOW, refund=True, refund_by=MoneyChannel.CASH)
    assert desk.sum_of("money:cash") - cash == 10 * UNIT
    voucher_sales.revoke(desk.context, Range(batch_id=batch.batch_id), NOW)
    assert desk.sum_of("revenue:breakage") - lapsed == 10 * UNIT


def test_a_part_is_sold_and_a_sale_sent_twice_acts_once(desk: Desk) -> None:
    batch = desk.batch(5)
    desk.codes(batch)
    first = batch.first_serial
    before = desk.owed()
    part = Range(batch_id=batch.batch_id, first=first, last=first + 1)

    def sell(which: Range, key: str) -> bool:
        return voucher_sales.activate(
            desk.context, which, idempotency_key=key, now=NOW, pay_by=MoneyChannel.CASH
        ).repeated

    assert [sell(part, "part"), sell(part, "part")] == [False, True]
    assert desk.owed() == before + 20 * UNIT
    with pytest.raises(Conflict, match="M5"):
        sell(replace(part, last=first + 2), "part")
    with pytest.raises(Refused, match="2 of the vouchers"):
        sell(replace(part, last=first + 2), "more")
    with pytest.raises(Refused, match="in stock"):
        sell(part, "again")


def test_a_damaged_card_is_replaced(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    (old,) = desk.sold()
    before = desk.owed()
    new = vouchers.replace(desk.context, old.serial, NOW)
    assert new.code != old.code and desk.look(old).replaced_by == new.serial
    assert desk.owed() == before
    with pytest.raises(Refused, match="another card"):
        desk.redeem(old, who)
    assert desk.redeem(new, who).available_micros == 10 * UNIT
    for used in (old, new):
        with pytest.raises(Refused, match="nothing to replace"):
            vouchers.replace(desk.context, used.serial, NOW)


def test_what_is_refused_leaves_the_voucher_as_it_was(desk: Desk) -> None:
    closed, two = desk.make.subscriber(NOW), desk.make.subscriber(NOW)
    holds.close(desk.context, closed.subscription_id, NOW)
    (code,) = desk.sold(plan=WEEK)
    with pytest.raises(InvalidInput, match="0 open subscriptions"):
        desk.redeem(code, closed)
    with pytest.raises(Refused, match="S1"):
        desk.redeem(code, closed, subscription_id=closed.subscription_id)
    with pytest.raises(NotFound, match="has no subscription"):
        desk.redeem(code, two, subscription_id=closed.subscription_id)
    with pytest.raises(InvalidInput, match="a character is wrong"):
        desk.redeem(code.code[:-1] + ("2" if code.code[-1] != "2" else "3"), two)
    assert desk.look(code).state is VoucherState.ACTIVE
    assert desk.redeem(code, two).plan_name is not None


def _wallet(desk: Desk, customer_id: int) -> int:
    (row,) = desk.rows("SELECT wallet_id FROM wallet WHERE customer_id = :id", id=customer_id)
    with desk.context.transaction() as tx:
        return ledger.wallet(tx, customer_id, row.wallet_id).available_micros


def test_who_redeems_one_is_told_of_it_once(desk: Desk) -> None:
    """And not of a payment besides."""
    who = desk.make.subscriber(NOW)
    contacts.change(
        desk.context, who.customer_id, NOW, name="Ada", email="ada@isp.example", phone=None
    )
    (money,), (package,) = desk.sold(), desk.sold(plan=WEEK)
    desk.redeem(money, who, key="told")
    assert desk.redeem(money, who, key="told").repeated
    bought = desk.redeem(package, who)
    told = desk.rows(
        "SELECT kind, addresses, facts FROM message WHERE customer_id = :id ORDER BY message_id",
        id=who.customer_id,
    )
    assert [(row.kind, list(row.addresses)) for row in told] == [
        ("voucher_receipt", ["ada@isp.example"])
    ] * 2
    assert [(row.facts["serial"], row.facts["plan_name"]) for row in told] == [
        (serial_text(money.serial), None),
        (serial_text(package.serial), bought.plan_name),
    ]
    assert told[0].facts["redeemed_on"] == NOW.date().isoformat()
    assert (told[0].facts["amount_micros"], told[0].facts["available_micros"]) == (10 * UNIT,) * 2
