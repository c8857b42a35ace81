"""Promises to pay: what they lend, whether they are kept, and those of customers (rule B19)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.decision import Accept, Reason, Reject
from billing.model.events import AccessRequest
from billing.model.profile import Payment
from billing.model.promises import PromiseState
from billing.model.self_care import SubscriberLogin
from billing.services import (
    agreements,
    bills,
    books,
    customer_record,
    customers,
    enforcement,
    explain,
    promises,
    sales,
    self_care,
)
from billing.services.access import AccessDesk
from billing.services.context import Context
from billing.services.secrets import SecretBox
from rig.nas import SimulatedNas
from tests.factories import DAILY, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.talker import BY_THE_MIB, MIB, UNIT, Talker, lane_of

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
UNTIL = date(2026, 3, 25)
OVER = datetime(2026, 3, 26, tzinfo=UTC)
LIMITS = {
    "promise_count": 2,
    "promise_period_days": 30,
    "promise_days": 7,
    "promise_amount_micros": 40 * UNIT,
}
OWN_DAILY = replace(DAILY, **LIMITS)
OWN_MONTHLY = replace(MONTHLY, cycle_day=10, **LIMITS)
OWN_PREPAID = replace(OWN_MONTHLY, payment=Payment.PREPAID, automatic_bill=True)


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, NOW).findings == ()


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(NOW) as simulated:
        yield simulated


def _talker(context: Context, make: Factory, router: SimulatedNas) -> Talker:
    """Pays as she goes, 1.00 a MiB; her 10.00 are used up."""
    made = Talker(context, make, make.subscriber(NOW, profile=OWN_DAILY, plan=BY_THE_MIB), router)
    made.top_up(10, NOW)
    made.start(NOW)
    made.use(10, NOW + MINUTE)
    assert made.rule() == "S6"
    return made


def _owner(context: Context, make: Factory, units: int = 30) -> Subscriber:
    """Owes a bill that was due on 15 March, and is suspended."""
    owner = make.subscriber(NOW - 15 * DAY, profile=OWN_MONTHLY, plan=MONTH_PLAN)
    bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 5),
        cycle_until=date(2026, 3, 18),
        amount_micros=units * UNIT,
        now=NOW - 15 * DAY,
    )
    return owner


def _herself(context: Context, who: Subscriber) -> Context:
    """As its own pages act: within its rows only."""
    view = customers.get_customer(context, who.customer_id)
    login = SubscriberLogin(
        customer_id=who.customer_id,
        subscription_id=who.subscription_id,
        org_id=view.org_id,
        username=who.username,
    )
    return self_care.context_of(context, login)


def _own(
    context: Context, who: Subscriber, until: date, now: datetime = NOW, credit: int = 0
) -> None:
    agreements.promise_oneself(
        _herself(context, who),
        who.customer_id,
        until,
        now,
        wallet_id=customers.get_customer(context, who.customer_id).wallets[0].wallet_id,
        credit_micros=credit * UNIT,
    )


def _pay(context: Context, who: Subscriber, units: int, now: datetime) -> None:
    sales.topup(
        context,
        who.customer_id,
        units * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key=f"{who.username} {now}",
        now=now,
    )


def _states(context: Context, who: Subscriber) -> list[PromiseState]:
    return [one.state for one in promises.of_customer(context, who.customer_id)]


def _log_in(ada: Talker, box: SecretBox, now: datetime) -> Accept | Reject:
    request = AccessRequest(username=ada.who.username, nas_address=ada.nas.address)
    with lane_of(ada.make) as lane:
        (outcome,) = AccessDesk(box).decide_batch(lane, [request], lambda: now)
    assert isinstance(outcome.decision, (Accept, Reject))
    return outcome.decision


@pytest.mark.rule("B19")
@pytest.mark.rule("P8")
def test_a_promise_lends_a_used_up_wallet_so_much_until_its_day_is_over(
    context: Context, make: Factory, router: SimulatedNas, box: SecretBox
) -> None:
    ada = _talker(context, make, router)
    agreements.promise(
        context, ada.who.customer_id, UNTIL, NOW + 2 * MINUTE, credit_micros=5 * UNIT
    )
    assert ada.rule() == "S8"
    granted = _log_in(ada, box, NOW + 3 * MINUTE)
    assert isinstance(granted, Accept)
    assert granted.service.limits.total_octets == 5 * MIB
    why = explain.why(context, ada.who.subscription_id, NOW + 3 * MINUTE)
    assert "lent 5.00 USD on a promise until 26 Mar 2026 00:00" in "\n".join(why.lines)
    ada.start(NOW + 3 * MINUTE)
    ada.use(4, NOW + 4 * MINUTE, look=False)
    assert ada.orders() == [("disconnect", "wallet-exhausted")]  # the one before the promise
    enforcement.sweep(context, OVER - MINUTE)
    assert ada.rule() == "S8"
    enforcement.sweep(context, OVER)
    assert ada.rule() == "S6"
    assert len(ada.orders()) > 1
    assert _log_in(ada, box, OVER) == Reject(reason=Reason.WALLET_EXHAUSTED)
    assert _states(context, ada.who) == [PromiseState.BROKEN]


@pytest.mark.rule("B19")
@pytest.mark.rule("P8")
@pytest.mark.rule("P12")
def test_the_meter_ends_service_when_what_was_lent_is_used_up(
    context: Context, make: Factory, router: SimulatedNas, box: SecretBox
) -> None:
    ada = _talker(context, make, router)
    _own(context, ada.who, UNTIL, NOW + 2 * MINUTE, credit=5)
    ada.start(NOW + 3 * MINUTE)
    ada.use(4, NOW + 4 * MINUTE, look=False)
    assert len(ada.orders()) == 1
    ada.use(1, NOW + 5 * MINUTE, look=False)
    assert set(ada.orders()[1:]) == {("disconnect", "wallet-exhausted")}
    assert _log_in(ada, box, NOW + 6 * MINUTE) == Reject(reason=Reason.WALLET_EXHAUSTED)
    ada.top_up(4, NOW + 7 * MINUTE)  # not what was lent
    assert _states(context, ada.who) == [PromiseState.STANDS]
    ada.top_up(2, NOW + 8 * MINUTE)
    assert _states(context, ada.who) == [PromiseState.KEPT]
    granted = _log_in(ada, box, NOW + 9 * MINUTE)
    assert isinstance(granted, Accept)
    assert granted.service.limits.total_octets == MIB  # nothing is lent any more


@pytest.mark.rule("B19")
@pytest.mark.rule("P12")
def test_what_is_lent_buys_no_package(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    ada = _talker(context, make, router)
    _own(context, ada.who, UNTIL, NOW + 2 * MINUTE, credit=5)
    with pytest.raises(Refused, match="needed"):
        sales.sell(
            context,
            ada.who.subscription_id,
            make.plan(NOW),
            idempotency_key=f"{ada.who.username} buys",
            now=NOW + 3 * MINUTE,
        )


@pytest.mark.rule("B19")
@pytest.mark.rule("S5")
def test_a_customer_promises_and_keeps_it(context: Context, make: Factory) -> None:
    owner = _owner(context, make)
    assert explain.why(context, owner.subscription_id, NOW).state.rule == "S5"
    offer = promises.offer(
        _herself(context, owner),
        owner.customer_id,
        customers.get_customer(context, owner.customer_id).wallets[0].wallet_id,
        NOW,
    )
    assert (offer.wanted, offer.used_up, offer.refused) == (True, False, None)
    assert (offer.open_micros, offer.left, offer.latest) == (30 * UNIT, 2, date(2026, 3, 27))
    _own(context, owner, UNTIL)
    assert explain.why(context, owner.subscription_id, NOW).state.rule == "S8"
    _pay(context, owner, 30, NOW + DAY)
    assert _states(context, owner) == [PromiseState.KEPT]
    assert customers.get_customer(context, owner.customer_id).promise_until is None


@pytest.mark.rule("B19")
def test_a_promise_is_broken_when_its_day_is_over_however_late_somebody_looks(
    context: Context, make: Factory
) -> None:
    owner = _owner(context, make)
    _own(context, owner, UNTIL)
    enforcement.sweep(context, OVER - MINUTE)
    assert _states(context, owner) == [PromiseState.STANDS]
    _pay(context, owner, 30, OVER + MINUTE)  # nobody looked at midnight
    assert _states(context, owner) == [PromiseState.BROKEN]
    prompt = _owner(context, make)
    _own(context, prompt, UNTIL)
    enforcement.sweep(context, OVER)
    assert _states(context, prompt) == [PromiseState.BROKEN]


@pytest.mark.rule("B19")
def test_the_limits_of_the_profile(context: Context, make: Factory) -> None:
    owner = _owner(context, make)
    with pytest.raises(Refused, match="choose a day from today to 27 Mar 2026") as refused:
        _own(context, owner, date(2026, 3, 28))
    assert refused.value.field == "until"
    with pytest.raises(Refused, match="your wallet is not used up: leave this empty") as refused:
        _own(context, owner, UNTIL, credit=5)
    assert refused.value.field == "credit"
    with pytest.raises(Refused, match=r"choose an amount up to 10\.00 USD"):
        _own(context, owner, UNTIL, credit=11)
    _own(context, owner, date(2026, 3, 20))
    with pytest.raises(Refused, match="have promised to pay by 20 Mar 2026 already: pay by then"):
        _own(context, owner, UNTIL)
    _own(context, owner, date(2026, 3, 21), NOW + DAY)
    words = "2 promises in 30 days is the most, and the next may be made on 19 Apr 2026: pay, or"
    with pytest.raises(Refused, match=words):
        _own(context, owner, date(2026, 3, 23), NOW + 2 * DAY)
    with pytest.raises(Refused, match="2 promises"):
        _own(context, owner, date(2026, 4, 19), datetime(2026, 4, 18, 23, 59, tzinfo=UTC))
    _own(context, owner, date(2026, 4, 19), datetime(2026, 4, 19, tzinfo=UTC))
    states = [PromiseState.STANDS, PromiseState.BROKEN, PromiseState.BROKEN]
    assert _states(context, owner) == states
    rich = _owner(context, make, units=41)
    with pytest.raises(Refused, match=r"up to 40\.00 USD: pay 1\.00 USD first, or ask your"):
        _own(context, rich, UNTIL)


@pytest.mark.rule("B19")
def test_where_the_profile_says_nothing_only_staff_takes_promises(
    context: Context, make: Factory
) -> None:
    nobody = make.subscriber(NOW, profile=replace(OWN_MONTHLY, promise_count=0), plan=MONTH_PLAN)
    with pytest.raises(Refused, match="your provider takes promises itself: pay, or ask it"):
        _own(context, nobody, UNTIL)
    with pytest.raises(Refused, match="say with credit how much it is lent") as refused:
        agreements.promise(context, nobody.customer_id, UNTIL, NOW)
    assert refused.value.field == "credit"
    with pytest.raises(InvalidInput, match="more than zero") as wrong:
        agreements.promise(context, nobody.customer_id, UNTIL, NOW, credit_micros=-1)
    assert wrong.value.field == "credit"


@pytest.mark.rule("B19")
@pytest.mark.rule("P10")
def test_a_customer_promises_for_a_period_that_is_not_covered(
    context: Context, make: Factory
) -> None:
    owner = make.subscriber(NOW, profile=OWN_PREPAID, plan=MONTH_PLAN)
    assert explain.why(context, owner.subscription_id, NOW).state.rule == "S6"
    _own(context, owner, UNTIL)
    assert explain.why(context, owner.subscription_id, NOW).state.rule == "S8"
    (promise,) = promises.of_customer(context, owner.customer_id)
    assert 0 < promise.open_micros <= 30 * UNIT
    dear = replace(OWN_PREPAID, promise_amount_micros=UNIT)
    poor = make.subscriber(NOW, profile=dear, plan=MONTH_PLAN)
    with pytest.raises(Refused, match=r"covers up to 1\.00 USD: pay "):
        _own(context, poor, UNTIL)
    assert customer_record.bills(context, poor.customer_id, NOW, limit=9).lines == ()


@pytest.mark.rule("B19")
def test_a_later_promise_takes_its_place_and_a_withdrawn_one_lends_no_more(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    ada = _talker(context, make, router)
    at = NOW + 2 * MINUTE
    _own(context, ada.who, UNTIL, at, credit=5)
    agreements.promise(context, ada.who.customer_id, UNTIL, at, credit_micros=2 * UNIT)
    assert _states(context, ada.who) == [PromiseState.STANDS, PromiseState.REPLACED]
    assert ada.rule() == "S8"
    agreements.withdraw(context, ada.who.customer_id, at + MINUTE)
    assert _states(context, ada.who)[0] is PromiseState.WITHDRAWN
    assert ada.rule() == "S6"
