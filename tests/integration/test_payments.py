"""Payments by a gateway, with a provider that answers late, never, twice (rules P1, M5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.payments import EventOutcome, PaymentState, PaymentView, SavedMethod
from billing.rules.payments import GIVEN_UP_AFTER, LEASE
from billing.services import bills, doctor, gateways, methods, payment_calls, payments, write_offs
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from rig.provider import Fault, Provider
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS, Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
S = PaymentState


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def till(context: Context, make: Factory, provider: Provider) -> Till:
    return Till(context, make, provider, NOW)


@pytest.fixture
def hasty(context: Context, make: Factory, provider: Provider) -> Till:
    """It waits half a second for answers."""
    return Till(context, make, provider, NOW, timeout_seconds=0.5)


@pytest.fixture
def ada(till: Till) -> Subscriber:
    return till.customer()


def outcome(till: Till, who: Subscriber, made: PaymentView) -> tuple[S, int, int]:
    """State, what the wallet has, and what the provider took, in units."""
    till.check()
    return till.seen(made).state, till.balance(who), till.provider.taken_minor() // 100


@pytest.mark.rule("P1")
def test_a_saved_method_is_charged_and_credited(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada)
    assert (made.state, till.provider.calls, till.balance(ada)) == (S.CREATED, [], 0)
    till.work()
    assert outcome(till, ada, made) == (S.SUCCEEDED, 10, 10)
    seen = till.seen(made)
    assert seen.provider_ref is not None and seen.due_at is None and seen.settled_at == NOW
    assert till.account(ada, "money:card") == -10
    assert till.work(timedelta(days=1)) == 0
    assert len(till.provider.calls) == 1


def test_a_checkout_is_credited_when_it_was_paid(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada, card=None, saves=True)
    till.work()
    seen = till.seen(made)
    assert seen.state is S.PENDING and seen.redirect_url is not None
    assert till.balance(ada) == 0
    paid = till.provider.finish(made.key)
    assert till.hear("payment.paid", paid) is EventOutcome.APPLIED
    assert outcome(till, ada, made) == (S.SUCCEEDED, 10, 10)
    (method,) = methods.of_customer(till.context, ada.customer_id)
    assert method.label == "Card …4242"


def test_a_checkout_that_nobody_tells_of_is_asked_for(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada, card=None)
    till.work()
    till.work(MINUTE)
    assert till.seen(made).state is S.PENDING
    till.provider.finish(made.key)
    till.work(timedelta(hours=2))
    assert outcome(till, ada, made) == (S.SUCCEEDED, 10, 10)


def test_a_checkout_that_expires_is_cancelled(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada, card=None)
    till.work()
    till.provider.finish(made.key, "expired")
    till.work(MINUTE)
    assert outcome(till, ada, made) == (S.CANCELLED, 0, 0)


@pytest.mark.parametrize("card", ["soft", "hard", "confirm"])
def test_a_decline_takes_nothing(till: Till, ada: Subscriber, card: str) -> None:
    made = till.pay(ada, card=card)
    assert outcome(till, ada, made) == (S.FAILED, 0, 0)
    assert made.reason
    again = payments.retry(till.context, made.attempt_id, idempotency_key="again", now=NOW)
    assert again.attempt_id != made.attempt_id and again.key != made.key


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.LATE, Fault.NEVER, Fault.GARBAGE])
def test_what_was_done_and_not_answered_is_looked_up(
    hasty: Till, ada: Subscriber, fault: Fault
) -> None:
    hasty.provider.fail("POST /payments", fault)
    made = hasty.pay(ada)
    assert outcome(hasty, ada, made) == (S.UNKNOWN, 0, 10)
    hasty.work(MINUTE)
    assert outcome(hasty, ada, made) == (S.SUCCEEDED, 10, 10)
    assert [call for call, _ in hasty.provider.calls] == ["POST /payments", "GET /payments"]


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DOWN])
def test_what_never_arrived_is_given_up_and_never_charged_again(
    hasty: Till, ada: Subscriber, fault: Fault
) -> None:
    hasty.provider.fail("POST /payments", fault)
    made = hasty.pay(ada)
    hasty.work(MINUTE)
    assert outcome(hasty, ada, made) == (S.UNKNOWN, 0, 0)
    hasty.work(GIVEN_UP_AFTER + timedelta(hours=1))
    assert outcome(hasty, ada, made) == (S.FAILED, 0, 0)
    assert {call for call, _ in hasty.provider.calls} == {"GET /payments"}


@pytest.mark.parametrize("fault", list(Fault))
def test_look_ups_may_go_wrong_too(hasty: Till, ada: Subscriber, fault: Fault) -> None:
    hasty.provider.fail("POST /payments", Fault.NEVER)
    hasty.provider.fail("GET /payments", fault, fault)
    made = hasty.pay(ada)
    hasty.work(MINUTE)
    hasty.work(MINUTE)
    assert outcome(hasty, ada, made) == (S.UNKNOWN, 0, 10)
    hasty.work(timedelta(hours=1))
    assert outcome(hasty, ada, made) == (S.SUCCEEDED, 10, 10)


def test_an_event_may_come_before_the_answer(hasty: Till, ada: Subscriber) -> None:
    """And the answer after the event: both tell of one payment."""
    hasty.provider.fail("POST /payments", Fault.NEVER)
    made = hasty.begin(ada)
    hasty.work()
    paid = hasty.provider.payments[made.key]
    assert hasty.hear("payment.paid", paid) is EventOutcome.APPLIED
    hasty.work(timedelta(days=1))
    assert outcome(hasty, ada, made) == (S.SUCCEEDED, 10, 10)


def test_whoever_dies_between_call_and_outcome_leaves_it_to_be_looked_up(
    till: Till, ada: Subscriber
) -> None:
    made = till.begin(ada)
    call = payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    assert call is not None and call.first
    call.gateway.pay(call.order)  # and nobody hears the answer
    assert till.seen(made).state is S.PENDING
    assert till.work(LEASE - timedelta(seconds=1)) == 0
    till.work(timedelta(seconds=1))
    assert outcome(till, ada, made) == (S.SUCCEEDED, 10, 10)


def test_whoever_dies_before_the_call_leaves_it_to_be_looked_up(
    till: Till, ada: Subscriber
) -> None:
    made = till.begin(ada)
    payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    till.work(timedelta(days=1))
    assert outcome(till, ada, made) == (S.FAILED, 0, 0)
    assert "POST /payments" not in {call for call, _ in till.provider.calls}


def test_money_that_comes_after_all_counts(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada)
    call = payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    assert call is not None
    till.work(timedelta(days=1))
    assert till.seen(made).state is S.FAILED
    call.gateway.pay(call.order)  # a day on its way
    till.hear("payment.paid", till.provider.payments[made.key])
    assert outcome(till, ada, made) == (S.SUCCEEDED, 10, 10)


def test_two_workers_send_a_payment_once(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada)
    first = payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    second = payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    assert first is not None and second is None


@pytest.mark.parametrize("minor", [1001, 999, 1])
def test_another_amount_is_not_credited(till: Till, ada: Subscriber, minor: int) -> None:
    till.provider.amounts["ok"] = minor
    made = till.pay(ada)
    till.check()
    assert (till.seen(made).state, till.balance(ada)) == (S.FAILED, 0)
    ((waits, note),) = till.in_suspense()
    assert waits.amount_micros == minor * 10_000 and str(made.attempt_id) in note
    till.hear("payment.paid", till.provider.payments[made.key])
    assert len(till.in_suspense()) == 1


def test_a_command_sent_twice_begins_one_payment(till: Till, ada: Subscriber) -> None:
    def send(units: int) -> PaymentView:
        return payments.top_up(
            till.context,
            ada.customer_id,
            till.gateway_id,
            units * UNIT,
            idempotency_key="once",
            now=NOW,
        )

    assert send(10).attempt_id == send(10).attempt_id
    with pytest.raises(Conflict):
        send(11)


def test_what_cannot_be_begun_is_refused(till: Till, ada: Subscriber) -> None:
    def begin(**more: object) -> None:
        options = {"gateway_id": till.gateway_id, "amount_micros": UNIT} | more
        payments.top_up(
            till.context,
            ada.customer_id,
            idempotency_key=f"bad {sorted(more)}",
            now=NOW,
            **options,  # type: ignore[arg-type]
        )

    with pytest.raises(InvalidInput):
        begin(amount_micros=12_345)
    with pytest.raises(InvalidInput):
        begin(amount_micros=-UNIT)
    with pytest.raises(NotFound):
        begin(gateway_id=987_654)
    with pytest.raises(NotFound):
        begin(wallet_id=987_654)
    with pytest.raises(NotFound):
        begin(method_id=987_654)
    gateways.set_enabled(till.context, till.gateway_id, NOW, enabled=False)
    with pytest.raises(Refused):
        begin()


@pytest.mark.rule("M5")
def test_a_key_is_of_one_method_and_one_way_to_pay(till: Till, ada: Subscriber) -> None:
    methods = [till.method(ada, card) for card in ("ok", "soft")]

    def send(method_id: int | None) -> int:
        return payments.top_up(
            till.context,
            ada.customer_id,
            till.gateway_id,
            UNIT,
            idempotency_key="one way",
            now=NOW,
            method_id=method_id,
        ).attempt_id

    assert send(methods[0]) == send(methods[0])
    for other in (methods[1], None):
        with pytest.raises(Conflict):
            send(other)


def test_a_gateway_that_was_disabled_meanwhile_takes_nothing(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada)
    gateways.set_enabled(till.context, till.gateway_id, NOW, enabled=False)
    till.work()
    assert outcome(till, ada, made) == (S.FAILED, 0, 0)
    assert till.provider.calls == []


def test_what_was_sent_before_it_was_disabled_is_still_asked_for(
    hasty: Till, ada: Subscriber
) -> None:
    hasty.provider.fail("POST /payments", Fault.NEVER)
    made = hasty.pay(ada)
    gateways.set_enabled(hasty.context, hasty.gateway_id, NOW, enabled=False)
    hasty.work(MINUTE)
    assert outcome(hasty, ada, made) == (S.SUCCEEDED, 10, 10)


def test_a_method_that_was_removed_meanwhile_is_not_charged(till: Till, ada: Subscriber) -> None:
    made = till.begin(ada)
    (method,) = methods.of_customer(till.context, ada.customer_id)
    methods.remove(till.context, ada.customer_id, method.method_id, NOW)
    till.work()
    assert outcome(till, ada, made) == (S.FAILED, 0, 0)
    assert till.seen(made).reason == "the method of payment was removed"


def test_a_card_is_charged_as_the_payer_who_left_it(till: Till, ada: Subscriber) -> None:
    """Two payers of one customer: both paid for the first time at once."""

    def left(card: str, payer: str) -> int:
        with changing_customer(till.context, ada.customer_id) as (tx, customer):
            method = SavedMethod(reference=card, label=card, payer=payer)
            return save_method(tx, customer, till.gateway_id, method, NOW)

    first, _ = left("ok", "payer 1"), left("soft", "payer 2")
    made = payments.top_up(
        till.context,
        ada.customer_id,
        till.gateway_id,
        UNIT,
        idempotency_key="as the first",
        now=NOW,
        method_id=first,
    )
    call = payment_calls._take(till.context, GATEWAYS, ada.customer_id, made.attempt_id, NOW)
    assert call is not None and call.order.payer == "payer 1"


@pytest.mark.rule("I5")
def test_a_bill_that_was_given_up_before_its_payment_came_is_recovered(
    till: Till, make: Factory
) -> None:
    who = make.subscriber(NOW, profile=MONTHLY, plan=MONTH_PLAN)
    bill = bills.issue_bill(
        till.context,
        who.subscription_id,
        cycle_from=date(2026, 3, 1),
        cycle_until=date(2026, 4, 1),
        amount_micros=10 * UNIT,
        now=NOW,
    )

    def begin(key: str) -> PaymentView:
        return payments.pay_bill(
            till.context, bill.number, till.gateway_id, idempotency_key=key, now=NOW
        )

    made = begin("before")
    till.work()
    write_offs.write_off(till.context, bill.number, reason="gone", idempotency_key="lost", now=NOW)
    assert begin("after").amount_micros == made.amount_micros == bill.total_micros
    till.hear("payment.paid", till.provider.finish(made.key))
    (lost,) = write_offs.of_customer(till.context, who.customer_id)
    assert lost.recovered_micros == lost.amount_micros
    till.check()
    assert till.balance(who) == 0
    with pytest.raises(Refused, match="left to pay"):
        begin("again")


def test_doctor_tells_of_what_has_no_outcome_and_of_money_of_nobody(
    hasty: Till, ada: Subscriber
) -> None:
    def seen(at: datetime) -> list[int]:
        """Payments without an outcome, and sums in suspense."""
        checks = doctor.database_checks(hasty.context, at)
        said = next(one.detail for one in checks if one.name == "payments")
        return [int(word) for word in said.split() if word.isdecimal()]

    late = hasty.now + timedelta(hours=1)
    too_late = late + timedelta(seconds=1)
    before, (others, waiting) = seen(late), seen(too_late)
    hasty.provider.fail("POST /payments", Fault.NEVER)
    hasty.provider.fail("GET /payments", *[Fault.DOWN] * 40)
    hasty.pay(ada)
    assert (seen(late), seen(too_late)) == (before, [others + 1, waiting])
    hasty.now = too_late
    hasty.provider.faults.clear()
    hasty.provider.amounts["ok"] = 999
    hasty.pay(ada)
    hasty.work(timedelta(hours=2))
    assert seen(hasty.now)[1] == waiting + 1


def test_a_gateway_is_tried(till: Till) -> None:
    assert gateways.tried(till.context, GATEWAYS, till.gateway_id) == ""
    gateways.set_secrets(till.context, till.gateway_id, {"api_key": "wrong"}, NOW)
    assert "unknown key" in gateways.tried(till.context, GATEWAYS, till.gateway_id)
