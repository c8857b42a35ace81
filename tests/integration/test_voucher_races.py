"""A voucher is used once, whoever comes at the same instant, and costs other logins nothing
(rule R3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from billing.errors import Conflict, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.decision import Reason, Reject
from billing.model.events import AccessRequest, Admitted
from billing.model.vouchers import UNKNOWN_LOGIN, Code, CodeFormat, VoucherState, login_name
from billing.services import books, sales, voucher_runs, voucher_sales
from billing.services.access import AccessDesk, AccessOutcome
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.services.voucher_codes import new_codes
from billing.services.voucher_sales import Range
from billing.settings import Settings
from billing.store import customers
from billing.store.hotpath import HotConnection
from radius_plugin.answers import attempt
from radius_plugin.reply import tag_of
from tests.factories import DAY_PLAN, Factory
from tests.integration.talker import lane_of
from tests.integration.voucher_desk import EXPIRY, NOW, UNIT, Desk
from tests.waiting import until

pytestmark = pytest.mark.rule("R3")


class Counting:
    """A lane that counts what is asked of it."""

    def __init__(self, lane: HotConnection) -> None:
        self._lane, self.statements = lane, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lane, name)

    def fetch(self, *asked: Any) -> Any:
        self.statements += 1
        return self._lane.fetch(*asked)


@pytest.fixture
def desk(context: Context, make: Factory) -> Iterator[Desk]:
    """The books agree after each test."""
    yield Desk(context, make)
    assert books.check_ledger(context, NOW).findings == ()


def asked(code: Code | str) -> AccessRequest:
    text = code if isinstance(code, str) else code.code
    return AccessRequest(username=text.lower(), nas_address="192.0.2.1", sent_username=text)


def decided(lane: HotConnection, box: SecretBox, code: Code) -> AccessOutcome:
    (outcome,) = AccessDesk(box).decide_batch(lane, [asked(code)], lambda: NOW)
    return outcome


def admitted(lane: HotConnection, box: SecretBox, code: Code, outcome: AccessOutcome) -> Admitted:
    found = (outcome.decision, outcome.customer_id, outcome.subscription_id, outcome.admission)
    login = attempt(asked(login_name(code.serial)), tag_of(*found), NOW)
    (answer,) = AccessDesk(box).admit_batch(lane, [login], NOW)
    return answer


def redeemed_elsewhere(desk: Desk, code: Code) -> VoucherState:
    desk.redeem(code, desk.make.subscriber(NOW))
    return VoucherState.REDEEMED


def revoked(desk: Desk, code: Code) -> VoucherState:
    which = Range(batch_id=desk.look(code).batch_id, first=code.serial, last=code.serial)
    voucher_sales.revoke(desk.context, which, NOW)
    return VoucherState.REVOKED


def lapsed(desk: Desk, code: Code) -> VoucherState:
    voucher_runs.run(desk.context, EXPIRY)
    return VoucherState.EXPIRED


@pytest.mark.parametrize("meanwhile", [redeemed_elsewhere, revoked, lapsed])
def test_a_login_that_was_overtaken_between_its_decision_and_its_answer(
    desk: Desk, box: SecretBox, meanwhile: Callable[[Desk, Code], VoucherState]
) -> None:
    (code,) = desk.sold(plan=DAY_PLAN, as_login=True)
    with lane_of(desk.make) as lane:
        outcome = decided(lane, box, code)
        assert not isinstance(outcome.decision, Reject)
        holder = desk.look(code).customer_id
        state = meanwhile(desk, code)
        assert admitted(lane, box, code, outcome).reason == Reason.NO_ENTITLEMENT
    assert desk.look(code).state is state
    (package,) = desk.rows("SELECT valid_from FROM entitlement WHERE customer_id = :id", id=holder)
    assert package.valid_from is None


def test_a_first_login_that_was_first_keeps_the_voucher(desk: Desk, box: SecretBox) -> None:
    who = desk.make.subscriber(NOW)
    (code,) = desk.sold(plan=DAY_PLAN, as_login=True)
    with lane_of(desk.make) as lane:
        outcome = decided(lane, box, code)
        assert admitted(lane, box, code, outcome).reason == Reason.OK
    with pytest.raises(Refused, match="in use"):
        desk.redeem(code, who)
    with pytest.raises(Refused, match="no vouchers to revoke"):
        revoked(desk, code)
    assert voucher_runs.run(desk.context, EXPIRY).expired == 0
    assert desk.look(code).state is VoucherState.REDEEMED


def test_what_is_sold_while_it_is_revoked_is_not_revoked_half(
    desk: Desk, settings: Settings
) -> None:
    """Its buyer's journal must not be written to without its lock."""
    desk.sold()  # over the counter, which there is from now on
    buyer = desk.make.subscriber(NOW)
    sales.topup(
        desk.context,
        buyer.customer_id,
        20 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="money",
        now=NOW,
    )
    batch = desk.batch(2)
    desk.codes(batch)
    which = Range(batch_id=batch.batch_id)
    (counter,) = desk.rows("SELECT customer_id FROM voucher_counter")
    with ThreadPoolExecutor(1) as pool:
        with desk.context.transaction() as tx:
            customers.lock_customers(tx, [counter.customer_id])
            late = pool.submit(voucher_sales.revoke, desk.context, which, NOW, refund=True)
            assert until(lambda: waiting(settings))
            desk.activate(batch, pay_by=None, buyer_id=buyer.customer_id)
        with pytest.raises(Conflict, match="being sold just now"):
            late.result(60)
    assert voucher_sales.revoke(desk.context, which, NOW, refund=True) == 2
    (wallet,) = desk.rows(
        "SELECT posted_micros FROM wallet WHERE customer_id = :id", id=buyer.customer_id
    )
    assert wallet.posted_micros == 20 * UNIT


def waiting(settings: Settings) -> bool:
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        return bool(admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())


def test_names_that_are_no_codes_cost_one_statement_a_batch_and_codes_three(
    desk: Desk, box: SecretBox
) -> None:
    (code,) = desk.sold(plan=DAY_PLAN, as_login=True)
    who = desk.make.subscriber(NOW)
    guesses = new_codes(CodeFormat(length=12), 20)
    elsewhere = new_codes(CodeFormat(length=17), 20)  # of a format that no batch has
    access = AccessDesk(box)
    with lane_of(desk.make) as bare:
        lane: Any = Counting(bare)

        def cost(*names: Code | str) -> int:
            before = lane.statements
            access.decide_batch(lane, [asked(name) for name in names], lambda: NOW)
            return int(lane.statements - before)

        cost(guesses[0], code, who.username)  # formats and plans are known from now on
        assert cost(who.username, "nobody", "not a code at all") == 1
        assert cost(*elsewhere) == 1
        # A guess costs what a hit costs, and twenty of them what one costs.
        assert cost(code) == cost(guesses[0]) == cost(*guesses, who.username) == 3
        outcomes = access.decide_batch(lane, [asked(guesses[0])], lambda: NOW)
    assert [one.login_name for one in outcomes] == [UNKNOWN_LOGIN]


def test_a_format_that_is_new_logs_in_soon(desk: Desk, box: SecretBox) -> None:
    form = CodeFormat(length=13)
    access = AccessDesk(box)
    (stranger,) = new_codes(form, 1)
    with lane_of(desk.make) as lane:
        access.decide_batch(lane, [asked(stranger)], lambda: NOW)
        (code,) = desk.sold(plan=DAY_PLAN, as_login=True, code=form)
        (outcome,) = access.decide_batch(lane, [asked(code)], lambda: NOW + timedelta(seconds=2))
    assert outcome.login_name == login_name(code.serial)


def test_the_code_alone_does_not_redeem_a_card_with_a_password(desk: Desk) -> None:
    """Its format is as hard to guess as both together, so both are asked for."""
    who = desk.make.subscriber(NOW)
    (code,) = desk.sold(plan=DAY_PLAN, as_login=True, code=CodeFormat(length=9, password_length=8))
    for password in ("", code.code, code.password[:-1]):
        with pytest.raises(NotFound, match="not with this password"):
            desk.redeem(code, who, source="pairs", password=password)
    (counted,) = desk.rows("SELECT failures FROM voucher_guess WHERE source = 'pairs'")
    assert counted.failures == 3
    assert desk.redeem(code, who, password=code.password.lower()).serial == code.serial


def test_stock_expires_too_and_nothing_was_owed_for_it(desk: Desk) -> None:
    voucher_runs.run(desk.context, EXPIRY)
    batch = desk.batch(2)
    codes = desk.codes(batch)
    desk.activate(batch, last=codes[0].serial)
    before = desk.sum_of("revenue:breakage")
    assert voucher_runs.run(desk.context, EXPIRY - timedelta(microseconds=1)).expired == 0
    assert voucher_runs.run(desk.context, EXPIRY).expired == 2
    assert desk.sum_of("revenue:breakage") - before == 10 * UNIT
    assert {desk.look(code).state for code in codes} == {VoucherState.EXPIRED}


def test_counts_of_guesses_are_forgotten_when_their_window_is_over(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.redeem(new_codes(CodeFormat(length=12), 1)[0], desk.make.subscriber(NOW), source="x")
    voucher_runs.run(desk.context, NOW + timedelta(minutes=5) - timedelta(microseconds=1))
    assert desk.rows("SELECT 1 FROM voucher_guess WHERE source = 'x'")
    voucher_runs.run(desk.context, NOW + timedelta(minutes=5))
    assert not desk.rows("SELECT 1 FROM voucher_guess WHERE source = 'x'")
