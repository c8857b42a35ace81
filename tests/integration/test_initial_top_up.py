"""Who becomes prepaid tops up what was used this month (rule P4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.moves import ProfileMove
from billing.model.profile import Payment
from billing.services import books, customers, moves, spending
from billing.services.context import Context
from billing.store import ledger
from rig.nas import SimulatedNas
from tests.factories import MONTHLY, Factory
from tests.integration.talker import BY_THE_MIB, MIB, UNIT, Talker

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POSTPAID = replace(MONTHLY, credit_limit_micros=200 * UNIT)
PREPAID = replace(MONTHLY, payment=Payment.PREPAID)
PLAN = replace(BY_THE_MIB, validity_months=1, price_micros=30 * UNIT)


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(NOW) as simulated:
        yield simulated


@pytest.fixture
def ada(context: Context, make: Factory, router: SimulatedNas) -> Talker:
    """Postpaid; has used 12.00 in February and 40.00 in March."""
    before = datetime(2026, 2, 20, 9, tzinfo=UTC)
    made = Talker(context, make, make.subscriber(before, profile=POSTPAID, plan=PLAN), router)
    made.start(before)
    made.use(12, before + MINUTE)
    made.start(NOW)
    made.use(40, NOW + MINUTE)
    return made


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, NOW).findings == ()


def move(ada: Talker, micros: int | None, now: datetime = NOW + 2 * MINUTE) -> ProfileMove:
    profile_id = ada.make.profile(NOW, PREPAID)
    return moves.change_profile(
        ada.context, ada.who.customer_id, profile_id, now, top_up_micros=micros
    )


def wallet_micros(ada: Talker) -> int:
    with ada.context.transaction() as tx:
        return ledger.balance(tx, ada.who.customer_id, ledger.WALLET)


@pytest.mark.rule("P4")
@pytest.mark.parametrize("micros", [None, 10_000, 40 * UNIT - 10_000])
def test_less_than_the_months_usage_is_refused_with_the_amount(
    ada: Talker, micros: int | None
) -> None:
    with pytest.raises(Refused, match=r"must top up 40\.00 USD at least") as refused:
        move(ada, micros)
    assert refused.value.field == "top_up"
    assert wallet_micros(ada) == 0
    view = customers.get_customer(ada.context, ada.who.customer_id)
    assert view.profile_id == ada.make.profile(NOW, POSTPAID)


@pytest.mark.rule("P4")
def test_the_top_up_comes_with_the_move(ada: Talker) -> None:
    done = move(ada, 60 * UNIT)
    (wallet,) = done.customer.wallets
    # What was used until now, 52.00, is posted with the move.
    assert (done.topped_up_micros, wallet.posted_micros) == (60 * UNIT, 8 * UNIT)
    assert (wallet.available_micros, wallet.credit_limit_micros) == (8 * UNIT, 0)
    (watch,) = spending.watches(ada.context, ada.who.customer_id, NOW)
    assert watch.topped_up_micros == 8 * UNIT
    with pytest.raises(Refused, match="already"):
        move(ada, 60 * UNIT)
    assert wallet_micros(ada) == 8 * UNIT


@pytest.mark.rule("P4")
@pytest.mark.rule("P2")
def test_usage_counts_posted_or_not(ada: Talker) -> None:
    tomorrow = NOW + timedelta(days=1)
    books.post_usage(ada.context, tomorrow)
    with pytest.raises(Refused, match=r"40\.00 USD at least, .*, 39\.99 USD is too little"):
        move(ada, 40 * UNIT - 10_000, tomorrow)
    assert move(ada, 40 * UNIT, tomorrow).customer.wallets[0].available_micros == -12 * UNIT


@pytest.mark.rule("P4")
def test_a_new_month_begins_with_nothing_used(ada: Talker) -> None:
    assert move(ada, None, datetime(2026, 4, 1, tzinfo=UTC)).topped_up_micros == 0


@pytest.mark.rule("P4")
def test_each_wallet_gets_what_was_used_on_it_and_the_customers_own_the_rest(
    ada: Talker,
) -> None:
    subscription_id = customers.add_subscription(
        ada.context,
        customer_id=ada.who.customer_id,
        username="own-wallet",
        plan_id=ada.make.plan(NOW, PLAN),
        now=NOW,
        own_wallet=True,
    )
    who = replace(ada.who, subscription_id=subscription_id, username="own-wallet")
    other = Talker(ada.context, ada.make, who, ada.nas)
    other.start(NOW)
    other.use(5, NOW + MINUTE)
    with pytest.raises(Refused, match=r"45\.00 USD at least"):
        move(ada, 44 * UNIT)
    own, second = move(ada, 50 * UNIT).customer.wallets
    # 45.00 and 5.00 came in, 52.00 and 5.00 were used.
    assert (own.available_micros, second.available_micros) == (-7 * UNIT, 0)


@pytest.mark.rule("P4")
def test_a_fraction_of_a_cent_is_rounded_up(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    fine = replace(PLAN, payg_octet_step=MIB, payg_octet_step_micros=333_333)
    bob = Talker(context, make, make.subscriber(NOW, profile=POSTPAID, plan=fine), router)
    bob.start(NOW)
    bob.use(1, NOW + MINUTE)
    with pytest.raises(Refused, match=r"0\.34 USD at least"):
        move(bob, 330_000)
    assert move(bob, 340_000).topped_up_micros == 340_000


@pytest.mark.rule("P4")
def test_a_top_up_that_nobody_can_pay_or_by_no_way_is_refused(ada: Talker) -> None:
    for micros in (0, -UNIT, 40 * UNIT + 1):
        with pytest.raises(InvalidInput):
            move(ada, micros)
    with pytest.raises(InvalidInput, match="R3"):
        moves.change_profile(
            ada.context,
            ada.who.customer_id,
            ada.make.profile(NOW, PREPAID),
            NOW,
            top_up_micros=40 * UNIT,
            channel=MoneyChannel.VOUCHER,
        )
