"""A wallet that recharges itself, metered for real, charged by a provider (rules P5, P7)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.errors import InvalidFields, NotFound, Refused
from billing.messages.render import render, short
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageKind
from billing.model.payments import PaymentPurpose, PaymentState, RechargeView
from billing.services import (
    auto_recharge,
    enforcement,
    gateways,
    messages,
    methods,
    payment_calls,
    payments,
    prepayments,
    receipts,
    sales,
    spending,
    wallet_check,
)
from billing.services.context import Context
from billing.store import tables
from rig.nas import SimulatedNas
from rig.provider import Fault, Provider
from tests.factories import Factory
from tests.integration.talker import BY_THE_MIB, UNIT, Talker
from tests.integration.till import GATEWAYS, Till

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PORTAL = "https://portal.example/recharge"
S = PaymentState


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def linked(context: Context) -> Context:
    return replace(context, portal_url=PORTAL)


@pytest.fixture
def till(linked: Context, make: Factory, provider: Provider) -> Till:
    return Till(linked, make, provider, NOW, timeout_seconds=1.0)


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(NOW) as simulated:
        yield simulated


@pytest.fixture
def ada(linked: Context, make: Factory, router: SimulatedNas) -> Talker:
    """Pays as she goes, 1.00 a MiB; 100.00 in the wallet, a session runs."""
    who = make.subscriber(NOW, plan=BY_THE_MIB)
    messages.set_alerts(linked, who.customer_id, NOW, addresses=["ada@net.example"])
    talker = Talker(linked, make, who, router)
    talker.top_up(100, NOW)
    talker.start(NOW)
    return talker


def recharge(
    till: Till,
    ada: Talker,
    card: str = "ok",
    *,
    cap_day: int | None = None,
    cap_month: int | None = None,
) -> RechargeView:
    """By 60.00 at 20.00."""
    return auto_recharge.set_up(
        till.context,
        ada.who.customer_id,
        method_id=till.method(ada.who, card),
        threshold_micros=20 * UNIT,
        amount_micros=60 * UNIT,
        cap_day_micros=None if cap_day is None else cap_day * UNIT,
        cap_month_micros=None if cap_month is None else cap_month * UNIT,
        now=till.now,
    )


def use(till: Till, ada: Talker, mib: int, after: timedelta = MINUTE) -> None:
    till.now += after
    ada.use(mib, till.now)


def setting(till: Till, ada: Talker) -> RechargeView:
    (found,) = auto_recharge.settings(till.context, ada.who.customer_id)
    return found


def recharges(till: Till, ada: Talker) -> list[PaymentState]:
    """Oldest first."""
    till.check()
    found = payments.listed(till.context, customer_id=ada.who.customer_id)
    return [one.state for one in reversed(found) if one.purpose is PaymentPurpose.RECHARGE]


def available(till: Till, ada: Talker) -> int:
    with till.context.transaction() as tx:
        row = tx.scalars(
            select(tables.Wallet).where(tables.Wallet.customer_id == ada.who.customer_id)
        ).one()
        return (row.posted_micros - row.unposted_micros - row.reserved_micros) // UNIT


@pytest.mark.rule("P7")
def test_it_is_recharged_at_the_threshold_and_not_above(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    use(till, ada, 79)  # 21.00
    assert (till.work(), recharges(till, ada)) == (0, [])
    use(till, ada, 1)  # 20.00
    assert recharges(till, ada) == [S.CREATED]
    till.work()
    assert (recharges(till, ada), available(till, ada)) == ([S.SUCCEEDED], 80)
    use(till, ada, 60)  # 20.00 again
    till.work()
    assert (recharges(till, ada), available(till, ada)) == ([S.SUCCEEDED] * 2, 80)
    assert till.provider.taken_minor() == 2 * 6000


@pytest.mark.rule("P7")
def test_it_is_evaluated_again_after_it_has_come(till: Till, ada: Talker) -> None:
    """One recharge may not lift it over the threshold: another follows, one at a time."""
    recharge(till, ada)
    use(till, ada, 100)
    with till.context.transaction() as tx:  # an overspend, as by several sessions at once
        row = tx.scalars(
            select(tables.Wallet).where(tables.Wallet.customer_id == ada.who.customer_id)
        ).one()
        row.unposted_micros += 50 * UNIT
    till.work()
    with till.context.transaction() as tx:
        row = tx.scalars(
            select(tables.Wallet).where(tables.Wallet.customer_id == ada.who.customer_id)
        ).one()
        row.unposted_micros -= 50 * UNIT
    assert recharges(till, ada) == [S.SUCCEEDED, S.SUCCEEDED]
    assert available(till, ada) == 120


@pytest.mark.rule("P7")
def test_many_batches_over_the_threshold_at_once_start_one_recharge(
    till: Till, ada: Talker, make: Factory
) -> None:
    recharge(till, ada)
    others = [Talker(ada.context, make, ada.who, ada.nas) for _ in range(8)]
    for other in others:
        other.start(NOW)

    def talk(other: Talker) -> None:
        for minute in range(1, 6):
            other.use(2, NOW + minute * MINUTE)

    threads = [threading.Thread(target=talk, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    till.now = NOW + 10 * MINUTE
    enforcement.sweep(ada.context, till.now)
    assert recharges(till, ada) == [S.CREATED]
    workers = [threading.Thread(target=till.work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (recharges(till, ada), available(till, ada)) == ([S.SUCCEEDED], 80)
    assert [call for call, _ in till.provider.calls] == ["POST /payments"]


@pytest.mark.rule("P7")
@pytest.mark.parametrize("fault", [Fault.NEVER, Fault.LATE, Fault.GARBAGE])
def test_an_answer_that_never_came_is_looked_up_before_anything_is_charged(
    till: Till, ada: Talker, fault: Fault
) -> None:
    till.provider.late_seconds = 2.0
    till.provider.fail("POST /payments", fault)
    recharge(till, ada)
    use(till, ada, 80)
    till.work()
    use(till, ada, 15)
    assert recharges(till, ada) == [S.UNKNOWN]
    till.work(MINUTE)
    assert (recharges(till, ada), available(till, ada)) == ([S.SUCCEEDED], 65)
    assert till.provider.taken_minor() == 6000


@pytest.mark.rule("P7")
def test_a_soft_decline_is_tried_again_three_times_a_day_apart(till: Till, ada: Talker) -> None:
    recharge(till, ada, "soft")
    use(till, ada, 85)
    till.work()
    for tries in (1, 2, 3):
        view = setting(till, ada)
        assert (view.declines, view.retry_at, view.paused_at) == (tries, till.now + DAY, None)
        enforcement.sweep(till.context, till.now + DAY - MINUTE)
        assert len(recharges(till, ada)) == tries
        till.now += DAY
        enforcement.sweep(till.context, till.now)
        till.work()
    view = setting(till, ada)
    assert (view.declines, view.retry_at, view.paused_at) == (4, None, till.now)
    assert recharges(till, ada) == [S.FAILED] * 4
    told = [facts for kind, facts in ada.told() if kind == "recharge_failed"]
    assert [facts["retry_on"] for facts in told] == ["2026-03-21", "2026-03-22", "2026-03-23", None]
    assert {facts["recharge_url"] for facts in told} == {PORTAL}
    for days in (1, 2, 40):
        enforcement.sweep(till.context, till.now + days * DAY)
    wallet_check.run(till.context, till.now + 50 * DAY)
    assert recharges(till, ada) == [S.FAILED] * 4


@pytest.mark.rule("P7")
def test_the_customer_acts_and_it_goes_on(till: Till, ada: Talker) -> None:
    recharge(till, ada, "hard")
    use(till, ada, 80)
    till.work()
    view = setting(till, ada)
    assert (view.paused_at, view.paused_for) == (till.now, "the card was stolen")
    use(till, ada, 5)
    assert recharges(till, ada) == [S.FAILED]
    recharge(till, ada)  # another card
    till.work()
    assert recharges(till, ada) == [S.FAILED, S.SUCCEEDED]
    assert setting(till, ada).paused_at is None


def test_a_pause_ends_by_hand(till: Till, ada: Talker) -> None:
    recharge(till, ada, "hard")
    use(till, ada, 80)
    till.work()
    auto_recharge.resume(till.context, ada.who.customer_id, till.now)
    assert recharges(till, ada) == [S.FAILED, S.CREATED]


@pytest.mark.rule("P7")
def test_who_must_confirm_gets_a_link_and_it_goes_on_when_it_was_paid(
    till: Till, ada: Talker
) -> None:
    recharge(till, ada, "confirm")
    use(till, ada, 80)
    till.work()
    assert recharges(till, ada) == [S.FAILED]
    assert setting(till, ada).paused_at is not None
    (page,) = [
        one
        for one in payments.listed(till.context, customer_id=ada.who.customer_id)
        if one.purpose is PaymentPurpose.TOP_UP
    ]
    ((_, facts),) = [one for one in ada.told() if one[0] == "recharge_failed"]
    assert (facts["confirm"], facts["recharge_url"]) == (True, page.redirect_url)
    assert page.redirect_url
    till.hear("payment.paid", till.provider.finish(page.key))
    assert (available(till, ada), setting(till, ada).paused_at) == (80, None)
    till.check()


@pytest.mark.rule("P7")
@pytest.mark.parametrize(
    ("card", "change", "came"),
    [("ok", {}, (999, "USD")), ("slow", {"currency": "EUR"}, (6000, "EUR"))],
)
def test_who_is_charged_something_else_is_told_that_it_came_and_not_to_pay_again(
    till: Till, ada: Talker, card: str, change: dict[str, object], came: tuple[int, str]
) -> None:
    if not change:
        till.provider.amounts[card] = 999
    recharge(till, ada, card)
    use(till, ada, 80)
    till.work()
    (made,) = payments.listed(till.context, customer_id=ada.who.customer_id)
    if change:
        till.hear("payment.paid", till.provider.finish(made.key) | change)
    view = setting(till, ada)
    assert (recharges(till, ada), view.paused_at, view.retry_at) == ([S.FAILED], till.now, None)
    ((_, facts),) = [one for one in ada.told() if one[0] == "recharge_failed"]
    minor, currency = came
    assert (facts["came_micros"], facts["came_currency"]) == (minor * 10_000, currency)
    kind = MessageKind.RECHARGE_FAILED
    for language, kept, again in (
        ("en", "We keep it for you", "Please do not pay again"),
        ("es", "Se lo guardamos", "No pague otra vez"),
    ):
        told = render(kind, language, organisation="Net", customer="Ada", facts=facts)
        for text in (told.text, told.html):
            assert kept in text and again in text
            assert "declined" not in text and "Nothing was taken" not in text
        brief = short(kind, language, organisation="Net", customer="Ada", facts=facts)
        assert again.lower() in brief.lower()
    till.check()


@pytest.mark.rule("P7")
def test_caps_of_the_day_and_the_month(till: Till, ada: Talker) -> None:
    recharge(till, ada, cap_day=120, cap_month=180)
    for _ in range(3):
        use(till, ada, 60)
        till.work()
    use(till, ada, 20)
    till.work()
    assert recharges(till, ada) == [S.SUCCEEDED] * 2
    till.now = datetime(2026, 3, 20, 23, 59, tzinfo=UTC)
    enforcement.sweep(till.context, till.now)
    assert len(recharges(till, ada)) == 2
    till.now = datetime(2026, 3, 21, tzinfo=UTC)
    enforcement.sweep(till.context, till.now)
    till.work()
    assert recharges(till, ada) == [S.SUCCEEDED] * 3
    ada.start(till.now)
    use(till, ada, 80)
    till.now = datetime(2026, 3, 31, tzinfo=UTC)
    enforcement.sweep(till.context, till.now)
    assert len(recharges(till, ada)) == 3
    till.now = datetime(2026, 4, 1, tzinfo=UTC)
    enforcement.sweep(till.context, till.now)
    till.work()
    assert recharges(till, ada) == [S.SUCCEEDED] * 4


def test_money_that_comes_another_way_ends_the_retries(till: Till, ada: Talker) -> None:
    recharge(till, ada, "soft")
    use(till, ada, 85)
    till.work()
    ada.top_up(30, till.now)
    view = setting(till, ada)
    assert (view.declines, view.retry_at) == (0, None)
    enforcement.sweep(till.context, till.now + 2 * DAY)
    assert recharges(till, ada) == [S.FAILED]


@pytest.mark.rule("P7")
def test_it_is_another_field_than_the_alert(till: Till, ada: Talker) -> None:
    """Both are told by the meter's one comparison (rule P6)."""
    spending.set_alerts(till.context, ada.who.customer_id, NOW, balance_percent=50)
    recharge(till, ada)
    ada.top_up(100, NOW)  # 200.00: told below 100.00
    use(till, ada, 101)
    assert (ada.kinds(), recharges(till, ada)) == (["low_balance"], [])
    use(till, ada, 79)
    assert recharges(till, ada) == [S.CREATED]
    spending.set_alerts(till.context, ada.who.customer_id, NOW, balance_percent=0)
    till.work()
    use(till, ada, 60)
    assert recharges(till, ada) == [S.SUCCEEDED, S.CREATED]


def test_what_is_bought_may_bring_it_to_the_threshold_too(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    use(till, ada, 79)
    plan_id = ada.make.plan(NOW)
    sales.sell(till.context, ada.who.subscription_id, plan_id, idempotency_key="buy", now=till.now)
    till.work()
    assert recharges(till, ada) == [S.SUCCEEDED]


def test_a_wallet_that_is_low_already_is_recharged_at_once(till: Till, ada: Talker) -> None:
    use(till, ada, 90)
    recharge(till, ada)
    till.work()
    assert (recharges(till, ada), available(till, ada)) == ([S.SUCCEEDED], 70)


@pytest.mark.rule("P9")
@pytest.mark.rule("P7")
def test_a_recharge_restores_who_was_used_up(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    use(till, ada, 100)
    assert ada.rule() == "S6"
    till.work()
    assert (ada.rule(), available(till, ada)) == ("S8", 60)
    assert "restored" in ada.kinds()


def test_a_method_that_is_removed_pauses_it(till: Till, ada: Talker) -> None:
    view = recharge(till, ada)
    methods.remove(till.context, ada.who.customer_id, view.method_id, NOW)
    use(till, ada, 80)
    assert (recharges(till, ada), setting(till, ada).paused_for) == (
        [],
        "its method of payment was removed",
    )


@pytest.mark.rule("P7")
def test_one_that_is_cancelled_at_the_providers_does_not_begin_anew_at_once(
    till: Till, ada: Talker
) -> None:
    recharge(till, ada, "slow")
    use(till, ada, 80)
    till.work()
    (made,) = payments.listed(till.context, customer_id=ada.who.customer_id)
    till.hear("payment.expired", till.provider.finish(made.key, "expired"))
    view = setting(till, ada)
    assert (recharges(till, ada), view.declines) == ([S.CANCELLED], 1)
    assert view.retry_at == till.now + DAY
    assert ada.kinds() == ["recharge_failed"]


@pytest.mark.rule("P7")
def test_who_must_confirm_is_told_also_when_there_is_no_page(till: Till, ada: Talker) -> None:
    recharge(till, ada, "confirm")
    use(till, ada, 80)
    payment_calls.run_due(till.context, GATEWAYS, lambda: till.now)  # it is declined
    till.provider.fail("POST /payments", Fault.LOST)
    till.work()
    till.work(timedelta(hours=2))
    ((_, facts),) = [one for one in ada.told() if one[0] == "recharge_failed"]
    assert (facts["confirm"], facts["recharge_url"]) == (False, PORTAL)


@pytest.mark.rule("P7")
def test_who_disputes_a_payment_is_not_charged_again_before_acting(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    use(till, ada, 80)
    till.work()
    (made,) = payments.listed(till.context, customer_id=ada.who.customer_id)
    till.hear("dispute.opened", till.provider.dispute(made.key, 100))  # 79.00 are left
    assert setting(till, ada).paused_for == "a payment was disputed"
    use(till, ada, 79)
    assert recharges(till, ada) == [S.CHARGED_BACK]
    auto_recharge.resume(till.context, ada.who.customer_id, till.now)
    till.work()
    assert recharges(till, ada) == [S.CHARGED_BACK, S.SUCCEEDED]


@pytest.mark.rule("P7")
@pytest.mark.parametrize(("units", "paused_for"), [(59, None), (60, "a payment was given back")])
@pytest.mark.parametrize("by_us", [True, False])
def test_a_refund_is_not_charged_again_at_once(
    till: Till, ada: Talker, units: int, paused_for: str | None, by_us: bool
) -> None:
    """80.00 are there, of which 60.00 or 59.00 go back: 20.00 or 21.00 are left."""
    recharge(till, ada)
    use(till, ada, 80)
    till.work()
    (made,) = payments.listed(till.context, customer_id=ada.who.customer_id)
    if by_us:
        till.refund(made, units)
    else:
        till.hear("refund.paid", till.provider.own_refund(made.key, units * 100))
    till.work()
    assert setting(till, ada).paused_for == paused_for
    assert len(recharges(till, ada)) == 1


def test_a_refund_that_was_asked_for_above_the_threshold_pauses_nothing_later(
    till: Till, ada: Talker
) -> None:
    recharge(till, ada, "slow")
    use(till, ada, 80)
    till.work()
    (made,) = payments.listed(till.context, customer_id=ada.who.customer_id)
    till.hear("payment.paid", till.provider.finish(made.key))
    till.refund(made, 10)
    till.work()
    use(till, ada, 50)  # 20.00: one is due
    (key,) = till.provider.refunds
    till.hear("refund.paid", till.provider.about_refund(key))
    assert (setting(till, ada).paused_at, len(recharges(till, ada))) == (None, 2)


@pytest.mark.rule("P7")
def test_while_its_gateway_is_disabled_it_is_tried_again_a_day_later(
    till: Till, ada: Talker
) -> None:
    recharge(till, ada)
    gateways.set_enabled(till.context, till.gateway_id, NOW, enabled=False)
    use(till, ada, 80)
    till.work()
    assert (recharges(till, ada), setting(till, ada).retry_at) == ([S.FAILED], till.now + DAY)
    gateways.set_enabled(till.context, till.gateway_id, NOW, enabled=True)
    till.now += DAY
    enforcement.sweep(till.context, till.now)
    till.work()
    assert recharges(till, ada) == [S.FAILED, S.SUCCEEDED]


@pytest.mark.rule("P5")
def test_who_is_asked_each_month_instead_is_not_looked_at_for_it(till: Till, ada: Talker) -> None:
    recharge(till, ada)

    def looked_below() -> int | None:
        with till.context.transaction() as tx:
            return tx.scalars(
                select(tables.Wallet.look_below_micros).where(
                    tables.Wallet.customer_id == ada.who.customer_id
                )
            ).one()

    assert looked_below() == 20 * UNIT + 1
    prepayments.set_up(till.context, ada.who.customer_id, 30 * UNIT, now=NOW)
    assert looked_below() is None


def test_a_success_does_what_a_top_up_does(till: Till, ada: Talker) -> None:
    """A receipt, the alert's new base, and what waited for money (rules P6, P9)."""
    spending.set_alerts(till.context, ada.who.customer_id, NOW, balance_percent=50)
    recharge(till, ada)
    use(till, ada, 80)
    till.work()
    with till.context.transaction() as tx:
        wallet = tx.scalars(
            select(tables.Wallet).where(tables.Wallet.customer_id == ada.who.customer_id)
        ).one()
        assert (wallet.topped_up_micros, wallet.alert_below_micros) == (80 * UNIT, 40 * UNIT)
        assert wallet.look_below_micros == 40 * UNIT
    given = receipts.of_customer(till.context, ada.who.customer_id)
    assert [one.net_micros for one in given if one.channel == "card"] == [60 * UNIT]
    use(till, ada, 41)
    assert ada.kinds().count("low_balance") == 2


def test_what_is_stopped_is_not_recharged(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    auto_recharge.stop(till.context, ada.who.customer_id, NOW)
    use(till, ada, 90)
    assert recharges(till, ada) == []
    with pytest.raises(Refused):
        auto_recharge.stop(till.context, ada.who.customer_id, NOW)


def missed(till: Till, ada: Talker) -> list[str]:
    """What the daily check did for her."""
    report = wallet_check.run(till.context, till.now)
    return [one.what for one in report.repaired if one.customer_id == ada.who.customer_id]


def forget(till: Till, ada: Talker) -> None:
    """Nothing is armed, for the meter or the clock."""
    with till.context.transaction() as tx:
        wallet, row = tables.Wallet, tables.Subscription
        tx.execute(
            update(wallet)
            .where(wallet.customer_id == ada.who.customer_id)
            .values(look_below_micros=None)
        )
        tx.execute(
            update(row)
            .where(row.customer_id == ada.who.customer_id)
            .values(service_next_change_at=None)
        )


@pytest.mark.rule("P13")
def test_what_an_event_missed_the_daily_check_finds(till: Till, ada: Talker) -> None:
    recharge(till, ada)
    till.now += MINUTE
    ada.use(90, till.now, look=False)
    forget(till, ada)
    assert missed(till, ada) == ["1 recharges begun"]
    assert recharges(till, ada) == [S.CREATED]
    assert missed(till, ada) == []


@pytest.mark.rule("P13")
def test_a_retry_that_nobody_was_woken_for_the_daily_check_makes(till: Till, ada: Talker) -> None:
    recharge(till, ada, "soft")
    use(till, ada, 85)
    till.work()
    forget(till, ada)
    assert missed(till, ada) == []
    till.now += 3 * DAY
    assert missed(till, ada) == ["1 recharges begun"]
    assert recharges(till, ada) == [S.FAILED, S.CREATED]


@pytest.mark.rule("P5")
def test_it_needs_a_method_on_file(till: Till, ada: Talker) -> None:
    view = recharge(till, ada)
    methods.remove(till.context, ada.who.customer_id, view.method_id, NOW)

    def set_up(method_id: int, cap_day: int | None = None) -> None:
        auto_recharge.set_up(
            till.context,
            ada.who.customer_id,
            method_id=method_id,
            threshold_micros=UNIT,
            amount_micros=2 * UNIT,
            cap_day_micros=cap_day,
            now=NOW,
        )

    with pytest.raises(NotFound):
        set_up(view.method_id)
    with pytest.raises(InvalidFields):
        set_up(till.method(ada.who), cap_day=UNIT)


def test_cash_is_no_recharge(till: Till, ada: Talker) -> None:
    """Nor counted against its caps."""
    recharge(till, ada, cap_day=60)
    use(till, ada, 70)
    sales.topup(
        till.context,
        ada.who.customer_id,
        30 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="cash",
        now=till.now,
    )
    use(till, ada, 40)
    till.work()
    assert recharges(till, ada) == [S.SUCCEEDED]
