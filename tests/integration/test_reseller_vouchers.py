"""A reseller's vouchers are sold from its wallet, at cost, up the chain (rules R1, R3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing.errors import NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.plan_changes import When
from billing.model.profile import BillIn, Payment
from billing.model.vouchers import BatchView, NewBatch
from billing.services import (
    brands,
    credits,
    customers,
    plan_changes,
    reseller_money,
    resellers,
    voucher_redeem,
    voucher_runs,
    voucher_sales,
    vouchers,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory
from tests.integration.reseller_cards import EXPIRY, PIN, Cards
from tests.integration.reseller_world import NOON, Shop, Trade, opened
from tests.integration.test_resellers_together import together

pytestmark = pytest.mark.rule("R1", "R3")
SOON = NOON + timedelta(minutes=5)
LATE = NOON + timedelta(minutes=16)
MONEY = {"plan_id": None, "amount_micros": 10_000_000}


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    """The books agree after each test."""
    for made in opened(context, make, settings, pool_size=50):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        before = set(made.findings())
        yield made
        assert set(made.findings()) == before


def _wallets(trade: Trade) -> tuple[int, int]:
    """Of the parent and the child, in cents."""
    return trade.wallet(trade.parent), trade.wallet(trade.child)


def _counter(trade: Trade, shop: Shop) -> int:
    rows = trade.rows("SELECT customer_id FROM voucher_counter WHERE org_id = %s", shop.org_id)
    return int(str(rows[0][0]))


def test_stock_costs_nothing_and_a_sale_debits_all_the_way_up(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    assert _wallets(trade) == (50_00, 50_00)
    sold = cards.sell(0, 1)
    assert (sold.count, sold.total_micros, sold.cost_micros) == (2, 20_000_000, 16_000_000)
    assert sold.receipt_number is not None
    # The child pays 8.00 each, the parent gets 8.00 and pays 7.00.
    assert _wallets(trade) == (52_00, 34_00)
    assert trade.account(trade.child.account, "money:reseller") == 20_00
    assert trade.account(trade.child.account, "commission:reseller") == -4_00
    assert trade.account(trade.parent.account, "commission:reseller") == -2_00
    counter = _counter(trade, trade.child)
    assert trade.account(counter, "money:reseller") == -20_00
    assert trade.account(counter, "money:voucher") == 20_00
    assert cards.states() == {"active": 2, "created": 1}


def test_whoever_redeems_one_moves_no_account(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    cards.sell()
    before = _wallets(trade)
    own, others = trade.customer(trade.child), trade.customer(trade.stranger)
    for card, who in enumerate((own, others)):
        given = cards.redeem(card, who)
        assert (given.face_micros, given.available_micros) == (10_000_000, 0)
        assert trade.account(given.customer_id, "money:voucher") == -10_00
        assert trade.account(given.customer_id, "deferred:package") == 10_00
        assert trade.account(given.customer_id, "money:reseller") == 0
    assert _wallets(trade) == before
    # 30.00 are owed or deferred, 9.00 of them is what the resellers keep: the operator has 21.00.
    kept = sum(
        trade.account(one.account, "commission:reseller") for one in (trade.child, trade.parent)
    )
    assert kept == -9_00


def test_a_wallet_that_covers_two_of_three_sells_none(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    trade.fund(trade.child, -26_01)
    with pytest.raises(Refused, match=r"has 23\.99 USD; 0\.01 USD more is needed"):
        cards.sell()
    assert cards.states() == {"created": 3}
    assert _wallets(trade) == (76_01, 23_99)
    assert cards.sell(0, 1).count == 2


def test_a_parent_that_sells_below_its_cost_has_to_cover_it(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    resellers.set_cost(
        trade.owner, trade.child.org_id, trade.plan_id, 1_000_000, NOON, below_parent=True
    )
    trade.fund(trade.parent, -40_00)
    with pytest.raises(Refused, match=r"above does not pay its part: 8\.00 USD is missing"):
        cards.sell()
    assert cards.states() == {"created": 3}
    assert cards.sell(0, 0).cost_micros == 1_000_000
    assert _wallets(trade) == (4_00, 49_00)


def test_the_cost_is_that_of_the_moment_it_is_sold(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    cards.sell(0, 0)
    resellers.set_cost(trade.parent.staff, trade.child.org_id, trade.plan_id, 9_000_000, NOON)
    assert cards.sell(1, 1).cost_micros == 9_000_000
    assert _wallets(trade) == (50_00 + 1_00 + 2_00, 50_00 - 8_00 - 9_00)
    resellers.set_cost(trade.parent.staff, trade.child.org_id, trade.plan_id, None, NOON)
    with pytest.raises(Refused, match="not on the price list"):
        cards.sell(2, 2)
    # Each comes back at what it cost, whatever the list says now.
    back = voucher_sales.revoke(trade.child.staff, cards.range(), SOON, refund=True)
    assert back == 3
    assert _wallets(trade) == (50_00, 50_00)


def test_money_costs_its_face_and_leaves_no_margin(trade: Trade) -> None:
    cards = Cards(trade, trade.child, options=MONEY)
    assert cards.sell(0, 1).cost_micros == 20_000_000
    assert _wallets(trade) == (50_00, 30_00)
    given = cards.redeem(0, trade.customer(trade.stranger))
    assert given.available_micros == 10_000_000
    voucher_sales.revoke(trade.child.staff, cards.range(), SOON, refund=True)
    assert _wallets(trade) == (50_00, 40_00)


def test_the_face_is_the_resellers_own_price(trade: Trade) -> None:
    resellers.set_retail(trade.child.staff, trade.child.org_id, trade.plan_id, 12_000_000, NOON)
    cards = Cards(trade, trade.child)
    assert cards.batch.face_micros == 12_000_000
    assert cards.sell(0, 0).cost_micros == 8_000_000
    assert trade.account(trade.child.account, "commission:reseller") == -4_00


def test_unused_ones_go_back_within_the_window_and_later_by_who_is_above(trade: Trade) -> None:
    cards = Cards(trade, trade.child, count=4)
    cards.sell()
    cards.redeem(0, trade.customer(trade.child))
    assert _wallets(trade) == (54_00, 18_00)
    one = cards.range(1, 1)
    assert voucher_sales.revoke(trade.child.staff, one, SOON, refund=True) == 1
    assert _wallets(trade) == (53_00, 26_00)
    with pytest.raises(Refused, match="sold more than 15 minutes ago"):
        voucher_sales.revoke(trade.child.staff, cards.range(), LATE, refund=True)
    assert cards.states() == {"active": 2, "redeemed": 1, "revoked": 1}
    assert voucher_sales.revoke(trade.parent.staff, cards.range(), LATE, refund=True) == 2
    assert _wallets(trade) == (51_00, 42_00)
    assert cards.states() == {"redeemed": 1, "revoked": 3}
    with pytest.raises(Refused, match="no vouchers to revoke"):
        voucher_sales.revoke(trade.parent.staff, cards.range(), LATE, refund=True)
    with pytest.raises(Refused, match=r"was revoked: ask where you bought it$"):
        cards.redeem(1, trade.customer(trade.child))
    brands.save(
        trade.context, trade.child.org_id, LATE, accent="#206bc4", logo=None,
        contact=["Corner shop", "+1 555 0100"],
    )  # fmt: skip
    contact = r"ask where you bought it \(Corner shop, \+1 555 0100\)$"
    with pytest.raises(Refused, match=contact):
        cards.redeem(1, trade.customer(trade.child))


def test_what_lapses_gives_nothing_back(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    cards.sell(0, 1)
    before = _wallets(trade)
    voucher_sales.revoke(trade.child.staff, cards.range(0, 0), LATE)
    voucher_runs.run(trade.context, EXPIRY)
    assert cards.states() == {"revoked": 1, "expired": 2}, "stock expires as well"
    assert _wallets(trade) == before
    assert trade.account(_counter(trade, trade.child), "revenue:breakage") == 20_00


def test_a_replaced_card_goes_back_once(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    cards.sell(0, 0)
    old = cards.codes[0].serial
    new = vouchers.replace(trade.child.staff, old, SOON)
    with pytest.raises(Refused, match="replaced by another card"):
        cards.redeem(0, trade.customer(trade.child))
    whole = replace(cards.range(), first=None, last=None)
    assert voucher_sales.revoke(trade.child.staff, whole, SOON, refund=True) == 3
    assert vouchers.show(trade.context, new.serial).state == "revoked"
    assert _wallets(trade) == (50_00, 50_00)


def test_a_resellers_vouchers_are_paid_in_no_other_way(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    buyer = customers.customer_of(trade.context, trade.customer(trade.child))
    for options in ({"pay_by": MoneyChannel.CASH}, {"buyer_id": buyer}):
        with pytest.raises(Refused, match="its wallet pays, at cost"):
            voucher_sales.activate(
                trade.owner, cards.range(), idempotency_key="x", now=NOON, **options
            )
    assert cards.states() == {"created": 3}
    # Who is above may sell them, too: from the same wallet.
    sold = voucher_sales.activate(trade.owner, cards.range(0, 0), idempotency_key="y", now=NOON)
    assert sold.cost_micros == 8_000_000 and trade.wallet(trade.child) == 42_00
    resellers.change(
        trade.parent.staff,
        trade.child.org_id,
        NOON,
        undo_minutes=15,
        max_customers=None,
        max_nas=None,
        max_plans=None,
        alert_percent=None,
        closed=True,
    )
    with pytest.raises(Refused, match="is closed"):
        cards.sell(1, 1)


def test_an_account_neither_buys_nor_redeems(trade: Trade) -> None:
    cards = Cards(trade, trade.child, options=MONEY)
    cards.sell(0, 0)
    with pytest.raises(Refused, match="account of a reseller"):
        voucher_redeem.redeem(
            trade.context,
            cards.codes[0].code,
            trade.child.account,
            source="x",
            idempotency_key="x",
            now=NOON,
        )
    with pytest.raises(Refused, match="account of a reseller"):
        voucher_sales.activate(
            trade.context,
            cards.range(1, 1),
            idempotency_key="x",
            now=NOON,
            buyer_id=trade.child.account,
        )
    with pytest.raises(NotFound):
        voucher_sales.activate(trade.stranger.staff, cards.range(), idempotency_key="x", now=NOON)


def test_200_parallel_sales_of_vouchers_from_a_wallet_that_covers_50_are_50(trade: Trade) -> None:
    cards = Cards(trade, trade.child, count=200)
    trade.fund(trade.parent, 400_00)
    trade.fund(trade.child, 50 * 8_00 - 50_00 + 7_99)
    done = together(*(lambda n=n: cards.sell(n, n, key=f"{n}") for n in range(200)))
    sold = [one for one in done if not isinstance(one, Refused)]
    assert len(sold) == 50
    assert all("more is needed to pay 8.00" in str(one) for one in done if one not in sold)
    assert trade.wallet(trade.child) == 7_99
    assert cards.states() == {"active": 50, "created": 150}
    assert trade.rows(
        "SELECT count(*) FROM reseller_voucher_sale WHERE org_id = %s", trade.child.org_id
    ) == [(50,)]


def test_vouchers_and_packages_sold_and_taken_back_at_once(trade: Trade) -> None:
    """Of both shops, the accounts and the same customers: without a deadlock."""
    trade.fund(trade.parent, 400_00)
    trade.fund(trade.child, 200_00)
    below, above = Cards(trade, trade.child, count=16), Cards(trade, trade.parent, count=8)
    who = [trade.customer(trade.child) for _ in range(2)]
    below.sell(0, 3)
    acts: list[object] = []
    for n in range(4):
        acts += [lambda n=n: below.sell(4 + n, 4 + n), lambda n=n: above.sell(n, n)]
        acts += [
            lambda n=n: trade.sell(trade.child, who[n % 2]),
            lambda: trade.fund(trade.child, 1_00),
        ]
        acts += [
            lambda n=n: voucher_sales.revoke(
                trade.child.staff, below.range(n, n), SOON, refund=True
            )
        ]
        acts += [lambda n=n: below.redeem(n, who[n % 2])]
    done = together(*acts)  # type: ignore[arg-type]
    words = ("in use", "was revoked", "no vouchers to revoke")
    assert all(any(word in str(one) for word in words) for one in done if isinstance(one, Refused))
    back = below.states().get("revoked", 0)
    assert trade.wallet(trade.child) == 250_00 - (8 - back) * 8_00 - 4 * 8_00 + 4_00
    assert trade.wallet(trade.parent) == (
        250_00 - 50_00 + (8 - back) * 1_00 + 4 * 1_00 - 4 * 7_00 - 4_00 + 50_00
    )


def test_a_sale_sent_many_times_debits_once(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    receipts = together(*(lambda: cards.sell(key="once") for _ in range(10)))
    assert sum(not one.repeated for one in receipts) == 1  # type: ignore[attr-defined]
    assert trade.wallet(trade.child) == 26_00


def test_the_rest_of_a_month_is_not_paid_out(trade: Trade) -> None:
    """Else a reseller had 30.00 in a wallet for what cost it 24.00."""
    trade.fund(trade.child, 40_00)
    plan_id = trade.plan(MONTH_PLAN, 20_000_000, 24_000_000)
    monthly = replace(MONTHLY, cycle_day=10, bill_in=BillIn.ADVANCE, payment=Payment.PREPAID)
    with trade.context.transaction() as tx:
        own = trade.make.profile(NOON, monthly)
        tx.get_one(tables.BillingProfile, own).org_id = trade.child.org_id
    cards = Cards(trade, trade.child, options={"plan_id": plan_id, "profile_id": own})
    cards.sell()
    late = datetime(2026, 3, 18, 12, tzinfo=NOON.tzinfo)
    who = trade.customer(trade.child, own)
    assert cards.redeem(0, who, NOON).available_micros == 0
    (number,) = (
        str(row[0])
        for row in trade.rows("SELECT number FROM invoice WHERE org_id = %s", trade.child.org_id)
    )
    customer_id = customers.customer_of(trade.context, who)
    wanted = {"reason": "x", "idempotency_key": "c", "now": NOON, "customer_id": customer_id}
    with pytest.raises(Refused, match="paid by a reseller's voucher"):
        credits.credit(trade.child.staff, number, **wanted)
    other = trade.customer(trade.child, own)
    trade.rows("UPDATE subscription SET created_at = %s WHERE subscription_id = %s", late, other)
    trade.rows(
        "UPDATE customer SET created_at = %s WHERE customer_id ="
        " (SELECT customer_id FROM subscription WHERE subscription_id = %s)",
        late,
        other,
    )
    with pytest.raises(Refused, match="rest of a reseller's voucher of 30"):
        cards.redeem(1, other, late)
    assert cards.states() == {"active": 2, "redeemed": 1}


def test_a_package_by_voucher_is_not_turned_into_money(trade: Trade) -> None:
    cards = Cards(trade, trade.child)
    cards.sell()
    other = trade.plan(DAY_PLAN, 500_000, 600_000)
    own, others = trade.customer(trade.child), trade.customer(trade.stranger)
    # The stranger's staff sees the voucher of the child as little as its batch.
    resellers.set_cost(trade.owner, trade.stranger.org_id, other, 600_000, NOON)
    for card, (who, actor) in enumerate(((own, trade.owner), (others, trade.stranger.staff))):
        cards.redeem(card, who)
        with pytest.raises(Refused, match="of a reseller's voucher"):
            plan_changes.change_plan(
                actor, who, other, idempotency_key="c", now=SOON, when=When.NOW
            )


def test_vouchers_are_in_the_statement(trade: Trade) -> None:
    cards, money = Cards(trade, trade.child), Cards(trade, trade.child, options=MONEY)
    cards.sell()
    money.sell(0, 0)
    voucher_sales.revoke(trade.child.staff, cards.range(0, 0), SOON, refund=True)
    found = reseller_money.statement(trade.context, trade.child.org_id, NOON.date())
    of_plan, of_money = sorted(found.lines, key=lambda line: line.plan_name == "vouchers for money")
    assert (of_plan.sold, of_plan.undone, of_plan.paid_micros, of_plan.cost_micros) == (
        3, 1, 20_000_000, 16_000_000,
    )  # fmt: skip
    assert (of_money.sold, of_money.cost_micros, of_money.commission_micros) == (1, 10_000_000, 0)
    assert (found.sales_micros, found.transfers_micros) == (-26_000_000, 50_000_000)
    assert found.commission_micros == 4_000_000
    above = reseller_money.statement(trade.context, trade.parent.org_id, NOON.date())
    assert (above.sales_micros, above.commission_micros) == (2_000_000, 2_000_000)
    assert above.transfers_micros == 50_000_000


def test_who_logs_in_by_a_card_is_no_customer_that_is_counted(trade: Trade) -> None:
    cards = Cards(trade, trade.child, options={"as_login": True})
    cards.sell()
    assert resellers.show(trade.context, trade.child.org_id).customers == 0
    assert trade.wallet(trade.child) == 26_00
    waiting = trade.rows(
        "SELECT customer_id, entitlement_id FROM voucher WHERE batch_id = %s ORDER BY serial",
        cards.batch.batch_id,
    )
    trade.rows(
        "UPDATE entitlement SET valid_from = %s, valid_until = %s"
        " WHERE customer_id = %s AND entitlement_id = %s",
        SOON, SOON + timedelta(days=30), *waiting[0],
    )  # fmt: skip
    voucher_runs.run(trade.context, SOON)
    assert cards.states() == {"redeemed": 1, "active": 2}
    assert voucher_sales.revoke(trade.child.staff, cards.range(), SOON, refund=True) == 2
    assert _wallets(trade) == (51_00, 42_00)


@pytest.mark.rule("R1", "R3")
def test_who_is_above_makes_a_batch_for_a_reseller_at_its_price(trade: Trade) -> None:
    resellers.set_retail(trade.child.staff, trade.child.org_id, trade.plan_id, 12_000_000, NOON)

    def make(context: Context, org_id: int | None) -> BatchView:
        wanted = NewBatch(name="ordered", count=2, code=PIN, plan_id=trade.plan_id, org_id=org_id)
        return vouchers.make_batch(context, wanted, NOON)

    for context in (trade.owner, trade.parent.staff):
        made = make(context, trade.child.org_id)
        assert (made.org_id, made.face_micros) == (trade.child.org_id, 12_000_000)
        assert vouchers.get_batch(trade.child.staff, made.batch_id).codes_kept
    assert make(trade.owner, None).org_id == 1
    for stranger, org_id in ((trade.stranger.staff, trade.child.org_id), (trade.owner, 1)):
        with pytest.raises(NotFound, match="is no reseller"):
            make(stranger, org_id)
    cashier = replace(trade.child.staff, cashier=True)
    taken: list[object] = []
    with pytest.raises(Refused, match="ask the owner of the shop"):
        vouchers.hand_over(cashier, made.batch_id, lambda _, codes: taken.extend(codes), NOON)
    with pytest.raises(Refused, match="ask the owner of the shop"):
        vouchers.replace(cashier, made.first_serial, NOON)
    with pytest.raises(Refused, match="ask the owner of the shop"):
        make(cashier, None)
    assert taken == []
    resellers.change(
        trade.owner, trade.child.org_id, NOON, undo_minutes=5, max_customers=None, max_nas=None,
        max_plans=None, alert_percent=None, closed=True,
    )  # fmt: skip
    with pytest.raises(Refused, match="the reseller is closed"):
        make(trade.owner, trade.child.org_id)
