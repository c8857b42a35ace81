"""What customers pay by themselves, below resellers too: with which eyes, by which gateways, whose
vouchers; methods on file without a payment (P1, P5, R2, R3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm.exc import StaleDataError

from billing.errors import Conflict, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.method_setups import SetupState, SetupView
from billing.model.payments import PaymentState
from billing.model.self_care import SubscriberLogin
from billing.services import (
    books,
    customers,
    gateways,
    method_setup,
    methods,
    online,
    payment_calls,
    payments,
    prepayments,
    self_care,
    subscribers,
    voucher_redeem,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store.pool import Database
from rig.provider import Fault, Provider
from tests.factories import Factory, Subscriber
from tests.integration.reseller_cards import Cards
from tests.integration.reseller_world import NOON, Trade, opened
from tests.integration.till import GATEWAYS, Till

UNIT = 1_000_000
MINUTE = timedelta(minutes=1)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def till(context: Context, make: Factory, provider: Provider) -> Till:
    return Till(context, make, provider, NOON, timeout_seconds=0.5)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.fixture
def nobody(context: Context, settings: Settings) -> Iterator[Context]:
    """The panel's, where nobody is logged in."""
    panel = Database(settings.dsn("panel"))
    yield replace(context, db=panel, actor="panel", org_ids=())
    panel.close()


def login(context: Context, subscription_id: int) -> SubscriberLogin:
    view = subscribers.show(context, subscription_id, NOON)
    return SubscriberLogin(
        customer_id=view.row.customer_id,
        subscription_id=subscription_id,
        org_id=view.customer.org_id,
        username=view.row.username,
    )


@pytest.mark.rule("R2", "F16")
def test_a_resellers_customer_pays_by_the_gateways_above_it_only(
    trade: Trade, nobody: Context, provider: Provider, till: Till
) -> None:
    who = login(trade.context, trade.customer(trade.child))
    payer = self_care.payer_of(nobody, who)
    assert set(payer.org_ids or ()) == {1, trade.parent.org_id, trade.child.org_id}
    seen = {one.gateway_id for one in online.ways(payer, GATEWAYS, who.customer_id).gateways}
    assert till.gateway_id in seen
    assert self_care.context_of(nobody, who).org_ids == (trade.child.org_id,)
    made = payments.top_up(
        payer,
        who.customer_id,
        till.gateway_id,
        10 * UNIT,
        idempotency_key="my own",
        now=NOON,
        return_url="http://127.0.0.1/back",
    )
    online.call(nobody, payer, GATEWAYS, made, lambda: NOON)
    made = online.payment(payer, who.customer_id, made.attempt_id)
    assert made.state is PaymentState.PENDING and made.redirect_url
    provider.finish(made.key)
    online.ask(nobody, payer, GATEWAYS, made, lambda: NOON)
    made = online.payment(payer, who.customer_id, made.attempt_id)
    assert made.state is PaymentState.SUCCEEDED
    (wallet,) = customers.get_customer(trade.context, who.customer_id).wallets
    assert wallet.posted_micros == 10 * UNIT
    assert trade.findings() == []


@pytest.mark.rule("R2", "F16")
def test_a_payer_sees_and_pays_for_nobody_else(trade: Trade, nobody: Context, till: Till) -> None:
    who = login(trade.context, trade.customer(trade.child))
    other = login(trade.context, trade.customer(trade.child))
    payer = self_care.payer_of(nobody, who)
    theirs = till.make.subscriber(NOON)
    made = till.begin(theirs, card="ok")
    for victim in (other.customer_id, theirs.customer_id):
        with pytest.raises(NotFound):
            payments.top_up(
                payer, victim, till.gateway_id, UNIT, idempotency_key="theirs", now=NOON
            )
        with pytest.raises(NotFound):
            method_setup.begin(
                payer, GATEWAYS, victim, till.gateway_id, idempotency_key="theirs", now=NOON
            )
    with pytest.raises(NotFound):
        online.payment(payer, theirs.customer_id, made.attempt_id)
    (method,) = methods.of_customer(till.context, theirs.customer_id)
    assert methods.of_customer(payer, theirs.customer_id) == []
    for act in (methods.remove, methods.make_default):
        with pytest.raises(NotFound):
            act(payer, theirs.customer_id, method.method_id, NOON)
        with pytest.raises(NotFound):
            act(payer, who.customer_id, method.method_id, NOON)
    with pytest.raises(NotFound, match="method"):
        payments.top_up(
            payer,
            who.customer_id,
            till.gateway_id,
            UNIT,
            idempotency_key="by theirs",
            now=NOON,
            method_id=method.method_id,
        )


@pytest.mark.rule("F16")
def test_a_payer_changes_no_gateway(nobody: Context, till: Till) -> None:
    who = login(till.context, till.customer().subscription_id)
    payer = self_care.payer_of(nobody, who)
    with pytest.raises(StaleDataError):
        gateways.set_enabled(payer, till.gateway_id, NOON, enabled=False)
    assert gateways.find(till.context, str(till.gateway_id)).disabled_at is None


@pytest.mark.rule("R3", "R2")
@pytest.mark.parametrize("shop", ["parent", "child", "stranger"])
def test_whoever_holds_a_card_redeems_it(trade: Trade, nobody: Context, shop: str) -> None:
    """One that the parent has sold, by a customer of it, below it and beside it."""
    trade.fund(trade.parent, 20_00)
    cards = Cards(trade, trade.parent, count=1)
    cards.sell()
    code = cards.codes[0].code
    who = login(trade.context, trade.customer(getattr(trade, shop)))
    done = voucher_redeem.redeem_own(nobody, who, code, idempotency_key="mine", now=NOON)
    assert (done.customer_id, done.subscription_id) == (who.customer_id, who.subscription_id)
    assert subscribers.show(trade.context, who.subscription_id, NOON).entitlements
    with pytest.raises(Refused, match="redeemed already"):
        voucher_redeem.redeem_own(nobody, who, code, idempotency_key="again", now=NOON)
    assert trade.findings() == []


def begin(till: Till, who: Subscriber, key: str = "a card") -> SetupView:
    return method_setup.begin(
        till.context,
        GATEWAYS,
        who.customer_id,
        till.gateway_id,
        idempotency_key=key,
        now=till.now,
        return_url="http://127.0.0.1/back",
    )


def seen(till: Till, made: SetupView) -> SetupView:
    return method_setup.show(till.context, made.customer_id, made.setup_id)


@pytest.mark.rule("P5", "M5")
def test_the_worker_finds_a_card_whose_payer_never_came_back(till: Till) -> None:
    who = till.customer()
    made = begin(till, who)
    assert begin(till, who).setup_id == made.setup_id
    till.work()
    assert seen(till, made).redirect_url and till.provider.calls == [("POST /setups", _key(till))]
    till.provider.leave(_key(till))
    assert methods.of_customer(till.context, who.customer_id) == []
    till.work(MINUTE)
    (method,) = methods.of_customer(till.context, who.customer_id)
    assert (method.label, str(method.expires_on)) == ("Visa …1881", "2031-08-31")
    assert method.is_default and seen(till, made).method_id == method.method_id
    till.work(timedelta(days=2))
    assert [call for call, _ in till.provider.calls] == ["POST /setups", "GET /setups"]
    till.begin(who, card=None)
    till.work()
    assert till.seen(payments.listed(till.context, customer_id=who.customer_id)[0]).redirect_url


def _key(till: Till) -> str:
    return next(reversed(till.provider.setups))


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", list(Fault))
def test_a_page_that_was_not_answered_is_asked_for(till: Till, fault: Fault) -> None:
    made = begin(till, till.customer())
    till.provider.fail("POST /setups", fault)
    till.work()
    assert seen(till, made).state is SetupState.PENDING
    till.work(MINUTE)
    arrived = fault in (Fault.LATE, Fault.NEVER, Fault.GARBAGE)
    assert bool(seen(till, made).redirect_url) == arrived
    till.work(timedelta(hours=2))
    assert seen(till, made).state is (SetupState.PENDING if arrived else SetupState.FAILED)
    assert [call for call, _ in till.provider.calls].count("POST /setups") == int(arrived)


def test_a_setup_that_cannot_be(till: Till) -> None:
    who, other = till.customer(), Till(till.context, till.make, till.provider, NOON)
    made = begin(till, who)
    with pytest.raises(Conflict):
        begin(other, who)
    gateways.set_enabled(till.context, till.gateway_id, NOON, enabled=False)
    till.work()
    assert seen(till, made).state is SetupState.FAILED
    with pytest.raises(Refused):
        begin(till, who, "another")
    with pytest.raises(NotFound):
        method_setup.show(till.context, till.customer().customer_id, made.setup_id)


def test_one_method_is_the_default(till: Till) -> None:
    who = till.customer()
    numbers = [till.method(who, card) for card in ("ok", "slow", "hard")]

    def default() -> list[int]:
        found = methods.of_customer(till.context, who.customer_id)
        return [one.method_id for one in found if one.is_default]

    assert default() == numbers[:1]
    methods.make_default(till.context, who.customer_id, numbers[2], NOON)
    assert default() == numbers[2:]
    methods.remove(till.context, who.customer_id, numbers[2], NOON)
    assert default() == numbers[:1]
    methods.remove(till.context, who.customer_id, numbers[1], NOON)
    assert default() == numbers[:1]
    methods.remove(till.context, who.customer_id, numbers[0], NOON)
    assert default() == []
    with pytest.raises(NotFound):
        methods.make_default(till.context, who.customer_id, numbers[0], NOON)
    assert default() == [] and till.method(who, "ok") in default()


def _asked(till: Till, who: Subscriber) -> int:
    prepayments.set_up(till.context, who.customer_id, 30 * UNIT, now=till.now)
    prepayments.run(till.context, till.now)
    return prepayments.invoices_of(till.context, who.customer_id)[0].prepayment_id


@pytest.mark.rule("P5", "M5")
@pytest.mark.parametrize("meanwhile", ["nothing", "paid", "cancelled"])
def test_a_prepayment_invoice_that_is_paid_by_a_gateway(till: Till, meanwhile: str) -> None:
    who = till.customer()
    number = _asked(till, who)

    def pay(key: str = "prepaid") -> int:
        return payments.pay_prepayment(
            till.context,
            who.customer_id,
            number,
            till.gateway_id,
            idempotency_key=key,
            now=till.now,
            method_id=method,
        ).attempt_id

    method = till.method(who)
    made = pay()
    assert pay() == made
    (asked,) = prepayments.invoices_of(till.context, who.customer_id)
    if meanwhile == "paid":
        prepayments.pay(
            till.context,
            asked.number,
            MoneyChannel.CASH,
            idempotency_key="cash",
            now=till.now,
            customer_id=who.customer_id,
        )
    elif meanwhile == "cancelled":
        prepayments.stop(till.context, who.customer_id, till.now)
    till.work()
    (asked,) = prepayments.invoices_of(till.context, who.customer_id)
    assert asked.state == ("cancelled" if meanwhile == "cancelled" else "paid")
    assert till.balance(who) == (60 if meanwhile == "paid" else 30)
    with pytest.raises(Refused, match="already"):
        pay("another")
    with pytest.raises(NotFound):
        payments.pay_prepayment(
            till.context,
            till.customer().customer_id,
            number,
            till.gateway_id,
            idempotency_key="theirs",
            now=till.now,
        )
    till.check()


@pytest.mark.rule("P5")
def test_a_prepayment_that_was_declined_is_begun_anew(till: Till) -> None:
    who = till.customer()
    number = _asked(till, who)
    made = payments.pay_prepayment(
        till.context,
        who.customer_id,
        number,
        till.gateway_id,
        idempotency_key="declined",
        now=till.now,
    )
    till.work()
    till.provider.finish(made.key, "declined", decline="soft", reason="too little")
    till.work(MINUTE)
    assert till.seen(made).state is PaymentState.FAILED
    again = payments.retry(till.context, made.attempt_id, idempotency_key="again", now=till.now)
    till.work()
    till.provider.finish(again.key)
    till.work(MINUTE)
    (asked,) = prepayments.invoices_of(till.context, who.customer_id)
    assert (asked.state, till.balance(who)) == ("paid", 30)


@pytest.mark.rule("M5")
def test_a_form_that_is_sent_ten_times_at_once_charges_once(nobody: Context, till: Till) -> None:
    who = till.customer()
    payer = self_care.payer_of(nobody, login(till.context, who.subscription_id))
    method_id = till.method(who)

    def send(_: int) -> int:
        made = payments.top_up(
            payer,
            who.customer_id,
            till.gateway_id,
            10 * UNIT,
            idempotency_key="one form",
            now=till.now,
            method_id=method_id,
        )
        online.call(nobody, payer, GATEWAYS, made, _at(till.now))
        return made.attempt_id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(send, range(10)))) == 1
    assert till.provider.calls == [("POST /payments", next(iter(till.provider.payments)))]
    till.work(MINUTE)
    assert till.balance(who) == 10
    till.check()


def test_a_payer_who_comes_back_has_the_provider_asked_so_often_only(
    nobody: Context, till: Till
) -> None:
    who = till.customer()
    payer = self_care.payer_of(nobody, login(till.context, who.subscription_id))
    made = till.begin(who, card=None)
    till.work()
    for _ in range(online.LOOK_UPS_BY_PAYER + 5):
        one = online.payment(payer, who.customer_id, made.attempt_id)
        online.ask(nobody, payer, GATEWAYS, one, _at(till.now))
    calls = [call for call, _ in till.provider.calls]
    assert calls.count("GET /payments") == online.LOOK_UPS_BY_PAYER
    till.provider.finish(made.key)
    while payment_calls.run_due(till.context, GATEWAYS, _at(till.now + timedelta(hours=2))):
        pass
    assert till.balance(who) == 10
    assert books.check_ledger(till.context, till.now).findings == ()


def _at(now: datetime) -> Callable[[], datetime]:
    return lambda: now
