"""Above its organisation's limit, staff of the panel proves again who it is before money moves by
hand (security.md 16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count

import pytest
from sqlalchemy import select

from billing.errors import InvalidInput, NotFound, Unconfirmed
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.services import (
    bills,
    books,
    collections,
    confirmations,
    credits,
    payments,
    reseller_money,
    sales,
    suspense,
    suspense_desk,
    suspense_undo,
    write_offs,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from rig.provider import Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory
from tests.integration.reseller_world import NOON, Trade
from tests.integration.till import Till

UNIT = 1_000_000
AMOUNT = 20 * UNIT
CASH = MoneyChannel.CASH
FIVE_MINUTES, MICROSECOND = timedelta(minutes=5), timedelta(microseconds=1)
Command = Callable[[Context], object]
_numbers = count(1)


@dataclass
class World:
    """Somebody at the operator's desk; each of the methods prepares a command that moves AMOUNT."""

    trade: Trade
    till: Till
    org_id: int = 1

    @property
    def clerk(self) -> Context:
        return replace(self.trade.owner, actor="clerk@isp.example")

    def limit(self, micros: int | None) -> None:
        confirmations.set_limit(self.trade.context, self.org_id, micros, NOON)

    def confirmed(self) -> list[tables.AuditLog]:
        with self.trade.context.transaction() as tx:
            found = tx.scalars(
                select(tables.AuditLog)
                .where(tables.AuditLog.action == "money.confirmed")
                .order_by(tables.AuditLog.audit_id)
            )
            return list(found)

    def written(self) -> int:
        with self.trade.context.transaction() as tx:
            return len(tx.scalars(select(tables.AuditLog.audit_id)).all())

    def bill(self) -> str:
        who = self.trade.make.subscriber(NOON, profile=MONTHLY, plan=MONTH_PLAN)
        return bills.issue_bill(
            self.trade.context,
            who.subscription_id,
            cycle_from=date(2026, 3, 1),
            cycle_until=date(2026, 4, 1),
            amount_micros=AMOUNT,
            now=NOON,
        ).number

    def kept(self) -> int:
        reference = f"line {next(_numbers)}"
        suspense.receive(self.trade.context, Money(AMOUNT, "USD"), MoneyChannel.BANK_TRANSFER,
                         reference=reference, note="", now=NOON)  # fmt: skip
        found = suspense.listed(self.trade.context, limit=500)
        return next(one.suspense_id for one in found if one.reference == reference)

    def refund(self, key: str) -> Command:
        paid = self.till.pay(self.till.customer(), AMOUNT // UNIT)
        return lambda who: payments.refund(
            who, paid.attempt_id, reason="ordered twice", idempotency_key=key, now=NOON
        )

    def credit(self, key: str) -> Command:
        bill = self.bill()
        return lambda who: credits.credit(who, bill, reason="wrong", idempotency_key=key, now=NOON)

    def write_off(self, key: str) -> Command:
        bill = self.bill()
        return lambda who: write_offs.write_off(
            who, bill, reason="gone", idempotency_key=key, now=NOON
        )

    def top_up(self, key: str) -> Command:
        ada = self.trade.make.subscriber(NOON)
        return lambda who: sales.topup(
            who, ada.customer_id, AMOUNT, channel=CASH, idempotency_key=key, now=NOON
        )

    def pay(self, key: str) -> Command:
        bill = self.bill()
        return lambda who: bills.pay(who, bill, channel=CASH, idempotency_key=key, now=NOON)

    def receipt(self, key: str) -> Command:
        ada = self.trade.make.subscriber(NOON)
        book = collections.open_book(
            self.trade.context, "walker@isp.example", series=f"C{next(_numbers)}X", first=1,
            last=9, now=NOON,
        )  # fmt: skip
        return lambda who: collections.take(who, book.book_id, 1, ada.customer_id, AMOUNT, NOON)

    def put_in(self, key: str) -> Command:
        shop = self.trade.parent
        return lambda who: reseller_money.transfer(
            who, shop.org_id, AMOUNT, idempotency_key=key, now=NOON
        )

    def pull_back(self, key: str) -> Command:
        shop = self.trade.parent
        self.put_in(f"{key} first")(self.trade.context)
        return lambda who: reseller_money.transfer(
            who, shop.org_id, -AMOUNT, idempotency_key=key, now=NOON
        )

    def answer(self, key: str) -> Command:
        shop = self.trade.parent
        asked = reseller_money.ask(shop.staff, shop.org_id, AMOUNT, NOON)
        return lambda who: reseller_money.answer(who, asked.request_id, NOON, approve=True)

    def give_back(self, key: str) -> Command:
        number = self.kept()
        return lambda who: suspense.give_back(who, number, note="sent back", now=NOON)

    def undo(self, key: str) -> Command:
        number, ada = self.kept(), self.trade.make.subscriber(NOON)
        suspense.match(
            self.trade.context, number, ada.customer_id, idempotency_key=f"{key} match", now=NOON
        )
        move_id = suspense_desk.show(self.trade.context, number).moves[-1].move_id
        return lambda who: suspense_undo.undo(who, move_id, "of another Ada", NOON)


COMMANDS = [
    World.refund,
    World.credit,
    World.write_off,
    World.top_up,
    World.pay,
    World.receipt,
    World.put_in,
    World.pull_back,
    World.answer,
    World.give_back,
    World.undo,
]
each_command = pytest.mark.parametrize("prepare", COMMANDS, ids=lambda one: one.__name__)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture(scope="module")
def made(context: Context, settings: Settings, provider: Provider) -> Iterator[World]:
    make = Factory(context, settings.dsn("radius"))
    with closing(Database(settings.dsn("panel"))) as panel:
        yield World(Trade(context, make, panel, settings), Till(context, make, provider, NOON))
    assert books.check_ledger(context, NOON).findings == ()


@pytest.fixture
def world(made: World) -> Iterator[World]:
    """No organisation has a limit."""
    yield made
    for org_id in (made.trade.parent.org_id, 1):
        made.org_id = org_id
        made.limit(None)


@each_command
def test_nobody_is_asked_at_the_limit_and_staff_of_the_panel_above(
    world: World, prepare: Callable[[World, str], Command]
) -> None:
    """The command line and jobs never are."""
    noted = len(world.confirmed())
    command = prepare(world, f"at {next(_numbers)}")
    world.limit(AMOUNT)
    command(world.clerk)
    assert len(world.confirmed()) == noted
    world.limit(None)
    command = prepare(world, f"above {next(_numbers)}")
    world.limit(AMOUNT - 1)
    before = world.written()
    for proved_at in (None, NOON - FIVE_MINUTES - MICROSECOND, NOON + MICROSECOND):
        with pytest.raises(Unconfirmed, match=r"more than .*: enter your password again"):
            command(replace(world.clerk, proved_at=proved_at))
    assert world.written() == before
    command(replace(world.clerk, proved_at=NOON - FIVE_MINUTES))
    (line,) = world.confirmed()[noted:]
    assert line.actor == "clerk@isp.example"
    command = prepare(world, f"by hand {next(_numbers)}")
    command(world.trade.context)
    assert len(world.confirmed()) == noted + 1
    for words in (f'"amount_micros": {AMOUNT}', f'"limit_micros": {AMOUNT - 1}', "11:55:00"):
        assert words in line.detail.replace("-", "")


def test_a_command_that_was_done_is_not_asked_again(world: World) -> None:
    command = world.top_up("once only")
    world.limit(0)
    first = command(replace(world.clerk, proved_at=NOON))
    again = command(world.clerk)
    assert replace(again, repeated=False) == first  # type: ignore[type-var]
    assert again.repeated  # type: ignore[attr-defined]


def test_the_limit_is_that_of_the_persons_own_organisation(world: World) -> None:
    trade = world.trade
    world.limit(0)
    trade.fund(trade.parent, 5000, trade.context)
    trade.fund(trade.child, 1000)
    world.org_id = trade.parent.org_id
    world.limit(10 * UNIT - 1)
    with pytest.raises(Unconfirmed):
        trade.fund(trade.child, 1000)
    trade.fund(trade.child, 999)


def test_a_limit_that_makes_no_sense(world: World) -> None:
    with pytest.raises(InvalidInput, match="less than zero"):
        world.limit(-1)
    with pytest.raises(NotFound, match="no organisation has the number 99999"):
        confirmations.set_limit(world.trade.context, 99_999, 1, NOON)
    with pytest.raises(NotFound, match="no organisation has the number 99999"):
        confirmations.limit_of(world.trade.context, 99_999)
