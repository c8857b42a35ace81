"""Spending caps: the meter, logins, purchases, months (rule P14)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.decision import Accept, Reason, Reject
from billing.model.events import AccessRequest
from billing.model.spending import WalletWatch
from billing.services import bills, books, enforcement, explain, messages, sales, spending
from billing.services.access import AccessDesk
from billing.services.context import Context
from billing.services.secrets import SecretBox
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, MONTHLY, Factory
from tests.integration.talker import BY_THE_MIB, MIB, UNIT, Talker, lane_of

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PACK = replace(DAY_PLAN, price_micros=20 * UNIT, octets=50 * MIB)


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(NOW) as simulated:
        yield simulated


@pytest.fixture
def ada(context: Context, make: Factory, router: SimulatedNas) -> Talker:
    """Pays as she goes, 1.00 a MiB, from 500.00; may spend 50.00 a month."""
    who = make.subscriber(NOW, plan=BY_THE_MIB)
    messages.set_alerts(context, who.customer_id, NOW, addresses=["ada@net.example"])
    made = Talker(context, make, who, router)
    made.top_up(500, NOW)
    cap(made, 50)
    made.start(NOW)
    return made


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, NOW).findings == ()


def cap(ada: Talker, units: int | None, now: datetime = NOW) -> WalletWatch:
    micros = None if units is None else units * UNIT
    return spending.set_cap(ada.context, ada.who.customer_id, micros, now)


def watched(ada: Talker, now: datetime = NOW) -> WalletWatch:
    return spending.watches(ada.context, ada.who.customer_id, now)[0]


def buy(ada: Talker, now: datetime, pay_by: MoneyChannel | None = None) -> None:
    plan_id = ada.make.plan(NOW, PACK)
    sales.sell(
        ada.context,
        ada.who.subscription_id,
        plan_id,
        idempotency_key=f"buy {now.isoformat()} {pay_by}",
        now=now,
        pay_by=pay_by,
    )


def log_in(ada: Talker, box: SecretBox, now: datetime) -> Accept | Reject:
    request = AccessRequest(username=ada.who.username, nas_address=ada.nas.address)
    with lane_of(ada.make) as lane:
        (outcome,) = AccessDesk(box).decide_batch(lane, [request], lambda: now)
    assert isinstance(outcome.decision, (Accept, Reject))
    return outcome.decision


@pytest.mark.rule("P14")
@pytest.mark.rule("S6")
def test_the_meter_ends_service_at_the_cap_and_the_customer_is_told(
    ada: Talker, box: SecretBox
) -> None:
    ada.use(49, NOW + MINUTE)
    assert (ada.orders(), watched(ada).cap_left_micros) == ([], UNIT)
    ada.use(1, NOW + 2 * MINUTE, look=False)
    assert ada.orders() == [("disconnect", "spending-cap")]
    enforcement.sweep(ada.context, NOW + 2 * MINUTE)
    ((kind, facts),) = ada.told()
    assert (kind, facts["reason"]) == ("exhausted", "spending-cap")
    assert log_in(ada, box, NOW + 3 * MINUTE) == Reject(reason=Reason.SPENDING_CAP)
    why = explain.why(ada.context, ada.who.subscription_id, NOW + 3 * MINUTE)
    assert "spent 50.00 USD of a cap of 50.00 USD until 1 Apr 2026 00:00" in "\n".join(why.lines)


@pytest.mark.rule("P14")
@pytest.mark.rule("A5")
def test_a_login_gets_what_the_cap_leaves(ada: Talker, box: SecretBox) -> None:
    ada.use(30, NOW + MINUTE)
    granted = log_in(ada, box, NOW + 2 * MINUTE)
    assert isinstance(granted, Accept)
    assert granted.service.limits.total_octets == 20 * MIB
    cap(ada, None, NOW + 2 * MINUTE)
    granted = log_in(ada, box, NOW + 3 * MINUTE)
    assert isinstance(granted, Accept)
    assert granted.service.limits.total_octets == 470 * MIB


@pytest.mark.rule("P14")
def test_lifting_it_holds_for_the_rest_of_the_month(ada: Talker) -> None:
    ada.use(50, NOW + MINUTE)
    shown = spending.lift_cap(ada.context, ada.who.customer_id, NOW + 2 * MINUTE)
    assert (shown.cap_lifted, shown.cap_left_micros, ada.rule()) == (True, None, "S8")
    assert ada.kinds() == ["exhausted", "restored"]
    ada.start(NOW + 2 * MINUTE)
    ada.use(100, NOW + 3 * MINUTE)
    assert ada.rule() == "S8"
    enforcement.sweep(ada.context, APRIL)
    shown = watched(ada, APRIL)
    assert (shown.cap_lifted, shown.spent_micros, shown.cap_left_micros) == (False, 0, 50 * UNIT)
    ada.start(APRIL)
    ada.use(50, APRIL + MINUTE)
    assert ada.rule() == "S6"


@pytest.mark.rule("P14")
@pytest.mark.rule("P9")
def test_the_next_month_begins_anew(ada: Talker) -> None:
    ada.use(60, NOW + MINUTE)
    assert ada.rule() == "S6"
    enforcement.sweep(ada.context, APRIL - MINUTE)
    assert ada.rule() == "S6"
    enforcement.sweep(ada.context, APRIL)
    assert ada.rule() == "S8"
    assert ada.kinds() == ["exhausted", "restored"]


@pytest.mark.rule("P14")
def test_what_is_used_in_a_month_before_anybody_looked_counts_in_it(ada: Talker) -> None:
    """The worker was down at midnight: the meter goes on, and nothing is forgotten."""
    ada.use(45, NOW + MINUTE)
    ada.start(APRIL + MINUTE)
    ada.use(30, APRIL + 2 * MINUTE, look=False)
    enforcement.sweep(ada.context, APRIL + 3 * MINUTE)
    assert (ada.rule(), watched(ada, APRIL).spent_micros) == ("S8", 30 * UNIT)
    ada.use(20, APRIL + 4 * MINUTE)
    assert ada.rule() == "S6"


@pytest.mark.rule("P14")
def test_packages_count_and_none_is_bought_from_the_wallet_past_the_cap(ada: Talker) -> None:
    buy(ada, NOW + MINUTE)
    buy(ada, NOW + 2 * MINUTE)
    words = "leaves 10.00 USD until 1 Apr 2026 00:00, and 20.00 USD is needed: raise or lift it"
    with pytest.raises(Refused, match=words):
        buy(ada, NOW + 3 * MINUTE)
    cap(ada, 60, NOW + 3 * MINUTE)
    buy(ada, NOW + 4 * MINUTE)
    assert watched(ada).cap_left_micros == 0
    spending.lift_cap(ada.context, ada.who.customer_id, NOW + 4 * MINUTE)
    buy(ada, NOW + 5 * MINUTE)


@pytest.mark.rule("P14")
def test_what_is_paid_with_money_that_comes_for_it_is_counted_and_not_refused(
    ada: Talker,
) -> None:
    for minute in (1, 2, 3):
        buy(ada, NOW + minute * MINUTE, MoneyChannel.CASH)
    assert watched(ada).spent_micros == 60 * UNIT


@pytest.mark.rule("P14")
def test_top_ups_and_the_posting_of_usage_leave_it_where_it_is(ada: Talker) -> None:
    ada.use(40, NOW + MINUTE)
    ada.top_up(100, NOW + 2 * MINUTE)
    assert books.post_usage(ada.context, NOW + timedelta(days=1)) > 0
    assert watched(ada).cap_left_micros == 10 * UNIT
    ada.use(9, NOW + 3 * MINUTE, look=False)
    assert ada.orders() == []
    ada.use(1, NOW + 4 * MINUTE, look=False)
    assert ada.orders() == [("disconnect", "spending-cap")]


@pytest.mark.rule("P14")
def test_bills_are_no_spending(context: Context, make: Factory, router: SimulatedNas) -> None:
    who = make.subscriber(
        NOW, profile=MONTHLY, plan=replace(BY_THE_MIB, validity_months=1, price_micros=30 * UNIT)
    )
    bob = Talker(context, make, who, router)
    bob.top_up(100, NOW)
    cap(bob, 50)
    bob.start(NOW)
    bob.use(40, NOW + MINUTE)
    bills.issue_bill(
        context,
        who.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=30 * UNIT,
        now=NOW + MINUTE,
    )
    shown = watched(bob)
    assert (shown.available_micros, shown.spent_micros) == (30 * UNIT, 40 * UNIT)
    bob.use(9, NOW + 2 * MINUTE)
    assert bob.orders() == []
    bob.use(1, NOW + 3 * MINUTE)
    assert [goal for goal, _ in bob.orders()] == ["suspend"]


@pytest.mark.rule("P14")
def test_a_cap_that_is_set_late_counts_the_month_so_far(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    cy = Talker(context, make, make.subscriber(NOW, plan=BY_THE_MIB), router)
    cy.top_up(500, NOW)
    cy.start(NOW)
    cy.use(70, NOW + MINUTE)
    shown = cap(cy, 50, NOW + 2 * MINUTE)
    assert (shown.spent_micros, shown.cap_left_micros, cy.rule()) == (70 * UNIT, 0, "S6")
    assert cy.orders() == [("disconnect", "spending-cap")]
    cap(cy, 80, NOW + 3 * MINUTE)
    assert cy.rule() == "S8"


@pytest.mark.rule("P14")
def test_a_cap_must_be_an_amount_and_there_to_be_lifted(ada: Talker) -> None:
    for micros in (0, -UNIT, 1):
        with pytest.raises(InvalidInput):
            spending.set_cap(ada.context, ada.who.customer_id, micros, NOW)
    cap(ada, None)
    with pytest.raises(Refused, match="no spending cap"):
        spending.lift_cap(ada.context, ada.who.customer_id, NOW)
