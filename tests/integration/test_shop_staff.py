"""A reseller's cashiers sell in their shifts, and neither price nor fund nor see margins; its owner
says who works there (rules R1, R2, R4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.services import (
    counter,
    customers,
    reseller_money,
    reseller_sales,
    resellers,
    shifts,
    staff,
    voucher_sales,
)
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_cards import Cards
from tests.integration.reseller_world import NOON, Trade, opened

DENIED = psycopg.errors.InsufficientPrivilege
EVENING = NOON + timedelta(hours=8)
CLERK = "till@child.example"


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        yield made
        assert made.findings() == []


@pytest.fixture
def clerk(trade: Trade) -> Context:
    return trade.cashier(trade.child, CLERK)


def _sell(trade: Trade, by: Context, who: int, **options: MoneyChannel) -> int:
    return reseller_sales.sell(
        by, who, trade.plan_id, idempotency_key=f"c{who}{len(options)}", now=NOON, **options
    ).sale_id


@pytest.mark.rule("R1", "R4")
def test_a_cashier_sells_in_its_shift_which_holds_what_customers_paid(
    trade: Trade, clerk: Context
) -> None:
    first, second, third = (trade.customer(trade.child) for _ in range(3))
    with pytest.raises(Refused, match="open your shift first"):
        _sell(trade, clerk, first)
    assert trade.wallet(trade.child) == 50_00
    shift = shifts.start(clerk, 20_000_000, NOON)
    sale = _sell(trade, clerk, first)
    _sell(trade, clerk, second, collect_by=MoneyChannel.CARD)
    _sell(trade, trade.child.staff, third)  # the owner's, who has no shift
    with pytest.raises(InvalidInput, match="in cash, by card or by bank transfer"):
        _sell(trade, clerk, third, collect_by=MoneyChannel.VOUCHER)
    done = reseller_sales.undo(clerk, sale, idempotency_key="undo", now=NOON)
    assert (done.back_micros, done.cost_back_micros) == (10_000_000, None)
    closed = shifts.close(clerk, shift.shift_id, 20_000_000, EVENING)
    assert closed.difference_micros == 0
    found = [(one.channel, one.in_micros, one.out_micros) for one in closed.lines]
    assert found == [("card", 10_000_000, 0), ("cash", 10_000_000, 10_000_000)]
    assert trade.wallet(trade.child) == 50_00 - 2 * 8_00
    with pytest.raises(Refused, match="open your shift first"):
        reseller_sales.undo(clerk, sale, idempotency_key="again", now=NOON)


@pytest.mark.rule("R3", "R4")
def test_vouchers_over_the_counter_are_in_the_shift(trade: Trade, clerk: Context) -> None:
    cards = Cards(trade, trade.child)
    cards.shop = replace(trade.child, staff=clerk)
    with pytest.raises(Refused, match="open your shift first"):
        cards.sell(0, 1)
    shift = shifts.start(clerk, 0, NOON)
    cards.sell(0, 1)
    with pytest.raises(Refused, match="the shop's wallet does not pay it") as refused:
        trade.fund(trade.child, -30_00)
        cards.sell(2, 2)
    assert "8.00" not in refused.value.message
    closed = shifts.close(clerk, shift.shift_id, 20_000_000, EVENING)
    assert (closed.expected_micros, closed.difference_micros) == (20_000_000, 0)


@pytest.mark.rule("R4")
def test_who_is_above_has_none_of_it_in_its_own_shift(trade: Trade) -> None:
    boss = replace(trade.owner, actor="boss@isp.example")
    shift = shifts.start(boss, 0, NOON)
    sale = _sell(trade, trade.child.staff, trade.customer(trade.child))
    reseller_sales.undo(boss, sale, idempotency_key="above", now=NOON)
    assert shifts.close(boss, shift.shift_id, 0, EVENING).lines == ()


@pytest.mark.rule("R1", "R2")
def test_services_refuse_a_cashier_what_is_the_owners(trade: Trade, clerk: Context) -> None:
    org_id, plan_id = trade.child.org_id, trade.plan_id
    acts: list[Callable[[], object]] = [
        lambda: resellers.set_retail(clerk, org_id, plan_id, 12_000_000, NOON),
        lambda: resellers.set_cost(clerk, org_id, plan_id, 1_000_000, NOON),
        lambda: resellers.price_list(clerk, org_id, NOON),
        lambda: reseller_money.ask(clerk, org_id, 1_000_000, NOON),
        lambda: reseller_money.requests(clerk),
        lambda: reseller_money.statement(clerk, org_id, NOON.date()),
        lambda: reseller_money.transfer(clerk, org_id, 1, idempotency_key="t", now=NOON),
        lambda: staff.list_staff(clerk),
        lambda: staff.enrol(clerk, "x@child.example", [StaffRole.SHOP_CASHIER], NOON),
        lambda: staff.set_role(clerk, CLERK, StaffRole.RESELLER, NOON),
        lambda: staff.set_active(clerk, CLERK, True, NOON),
        lambda: voucher_sales.revoke(clerk, Cards(trade, trade.child).range(), NOON),
    ]
    for act in acts:
        with pytest.raises(Refused, match="ask the owner of the shop"):
            act()
    with pytest.raises(NotFound):
        customers.get_customer(clerk, trade.child.account)
    assert customers.get_customer(trade.child.staff, trade.child.account)


@pytest.mark.rule("R1", "F16")
def test_the_database_refuses_a_cashier_whatever_the_statement(
    trade: Trade, clerk: Context
) -> None:
    trade.sell(trade.child, trade.customer(trade.child))
    org_id = trade.child.org_id
    with psycopg.connect(trade.settings.dsn("panel")) as db:
        db.execute("SELECT set_config('tollway.org_ids', %s, false)", (str(org_id),))
        counts = "SELECT (SELECT count(*) FROM reseller_share), (SELECT count(*) FROM posting p"
        counts += " WHERE p.customer_id = %s), (SELECT count(*) FROM reseller_transfer)"
        seen = db.execute(counts, (trade.child.account,)).fetchone()
        assert seen is not None and min(seen) > 0
        db.execute("SELECT set_config('tollway.cashier', 'on', false)")
        db.commit()
        assert db.execute(counts, (trade.child.account,)).fetchone() == (0, 0, 0)
        for statement, arguments in (
            (
                "INSERT INTO reseller_retail (org_id, plan_id, retail_micros, set_at, set_by)"
                " VALUES (%s, %s, 1, now(), 'x')",
                (org_id, trade.plan_id),
            ),
            (
                "INSERT INTO reseller_request (customer_id, org_id, amount_micros, currency, state,"
                " asked_at, asked_by) VALUES (%s, %s, 1, 'USD', 'pending', now(), 'x')",
                (trade.child.account, org_id),
            ),
            (
                "INSERT INTO staff (org_id, email, active, session_token, roles, created_at)"
                " VALUES (%s, 'x', true, 'x', '{reseller}', now())",
                (org_id,),
            ),
        ):
            with pytest.raises(DENIED), db.transaction():
                db.execute(statement, arguments)
        for table in ("staff", "plan", "billing_profile", "reseller"):
            column = {"staff": "active", "reseller": "undo_minutes"}.get(table, "name")
            assert db.execute(f"UPDATE {table} SET {column} = {column}").rowcount == 0  # noqa: S608
    view = counter.show_sale(clerk, reseller_sales.listed(clerk, org_id)[0].sale_id)
    assert (view.cost_micros, view.retail_micros) == (None, 10_000_000)


@pytest.mark.rule("R2")
def test_an_owner_of_a_shop_says_who_works_there_and_nowhere_else(trade: Trade) -> None:
    boss = replace(trade.child.staff, actor="boss@child.example")
    org_id = trade.child.org_id
    for email, role in (("boss", StaffRole.RESELLER), ("ann", StaffRole.SHOP_CASHIER)):
        address = f"{email}@child.example"
        staff.enrol(trade.context, address, [role], NOON, org_id=org_id)
    staff.enrol(trade.context, "op@isp.example", [StaffRole.OWNER], NOON)
    assert {one.email for one in staff.list_staff(boss)} == {
        "boss@child.example", "ann@child.example",
    }  # fmt: skip
    staff.set_role(boss, "ann@child.example", StaffRole.RESELLER, NOON)
    assert staff.find(boss, "ann@child.example").roles == {StaffRole.RESELLER}
    staff.set_active(boss, "ann@child.example", False, NOON)
    assert not staff.find(trade.context, "ann@child.example").active
    for act in (
        lambda: staff.set_active(boss, "boss@child.example", False, NOON),
        lambda: staff.set_role(boss, "boss@child.example", StaffRole.SHOP_CASHIER, NOON),
    ):
        with pytest.raises(Refused, match="nobody changes or disables itself"):
            act()
    with pytest.raises(InvalidInput, match="the role reseller or cashier"):
        staff.set_role(boss, "ann@child.example", StaffRole.OWNER, NOON)
    for email in ("op@isp.example", "ann@child.example"):
        with pytest.raises(Conflict):
            staff.enrol_new(boss, email, StaffRole.SHOP_CASHIER, NOON, org_id=org_id)
    for act in (
        lambda: staff.set_active(boss, "op@isp.example", False, NOON),
        lambda: staff.enrol_new(boss, "y@p.example", StaffRole.RESELLER, NOON,
                                org_id=trade.parent.org_id),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            act()
