"""Messages on a real database over real SMTP: with what they tell of, once, not lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import InvalidInput, NotFound
from billing.jobs import mailer
from billing.model.commerce import MoneyChannel
from billing.model.messages import (
    MessageChannel,
    MessageDraft,
    MessageKind,
    MessageState,
    MessageView,
)
from billing.services import bill_run, bills, customers, enforcement, sales
from billing.services import messages as services
from billing.services.context import Context
from billing.services.due_bills import issue_due
from billing.store import messages as store
from billing.store.customers import lock_customers
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.mail_server import MailServer

TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)
FROM = "bills@net.example"


@pytest.fixture
def server() -> Iterator[MailServer]:
    opened = MailServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def owner(context: Context, make: Factory) -> Subscriber:
    """A monthly customer that is told at an address of its own; the first bill is not told of."""
    made = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    services.set_alerts(
        context, made.customer_id, CREATED, addresses=[f"{made.username}@net.example"]
    )  # fmt: skip
    return made


def _address(owner: Subscriber) -> str:
    return f"{owner.username}@net.example"


def _send(context: Context, server: MailServer, now: datetime) -> None:
    """What is due at `now`, batch after batch."""
    while mailer.tick(context, server.channel, FROM, threading.Event(), lambda: now):
        pass


def _log(context: Context, owner: Subscriber) -> list[MessageView]:
    """What was queued since the customer has an address."""
    found = services.listed(context, customer_id=owner.customer_id)
    return [one for one in found if one.channel is not MessageChannel.PANEL]


def test_a_bill_of_the_run_arrives_once(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    _send(context, server, APRIL + timedelta(days=1))
    (mail,) = server.to(_address(owner))
    assert mail["From"] == "Test ISP <bills@net.example>"
    assert mail["Subject"].startswith("Bill INV-")
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "is here: plan" in text
    assert ", April 10, 2026 to May 9, 2026." in text
    assert "2026-04" not in text
    assert "To be paid: $30.00" in text
    assert "April 11, 2026" in text
    assert "$30.00" in html
    (line,) = _log(context, owner)
    assert (line.kind, line.state, line.attempts, line.sent_at, line.last_error) == (
        MessageKind.INVOICE_ISSUED,
        MessageState.SENT,
        1,
        APRIL,
        None,
    )


def test_what_free_credit_has_paid_is_not_asked_for(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    # 22.26 of it go to the bill of the first days.
    _topup(context, owner, 60_000_000)
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    (mail,) = server.to(_address(owner))
    body = mail.get_body(("plain",))
    assert body is not None
    assert "To be paid: $0.00" in body.get_content()
    assert "nothing to do" in body.get_content()


def test_a_customer_without_addresses_is_told_at_its_email(
    context: Context, make: Factory, server: MailServer
) -> None:
    view = customers.add_customer(
        context,
        name="Söhne <& Co>",
        profile_id=make.profile(CREATED, TENTH),
        now=CREATED,
        email="soehne@net.example",
        locale="de",
    )
    customers.add_subscription(
        context,
        customer_id=view.customer_id,
        username="soehne",
        password="correct horse",
        plan_id=make.plan(CREATED, HOME),
        now=CREATED,
    )
    _send(context, server, CREATED)
    (mail,) = server.to("soehne@net.example")
    html = mail.get_body(("html",))
    assert html is not None
    assert "Söhne &lt;&amp; Co&gt;" in html.get_content()
    assert "$22.26" in html.get_content()


def test_a_server_that_is_down_gets_it_later(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    server.stop()
    _send(context, server, APRIL)
    (line,) = _log(context, owner)
    assert (line.state, line.attempts) == (MessageState.FAILED, 1)
    assert "refused" in (line.last_error or "")
    assert line.next_attempt_at == APRIL + timedelta(minutes=1)
    server.start()
    _send(context, server, APRIL + timedelta(seconds=59))
    assert server.to(_address(owner)) == []
    _send(context, server, APRIL + timedelta(minutes=1))
    assert len(server.to(_address(owner))) == 1
    (line,) = _log(context, owner)
    assert (line.state, line.attempts, line.last_error) == (MessageState.SENT, 2, None)


def test_a_refusal_for_good_is_given_up_with_the_reason(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    server.answers[_address(owner)] = "550 5.1.1 no such mailbox"
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    (line,) = services.listed(context, customer_id=owner.customer_id, failed=True)
    assert (line.state, line.next_attempt_at) == (MessageState.GIVEN_UP, None)
    assert line.last_error == f"{_address(owner)}: 550 5.1.1 no such mailbox"
    _send(context, server, APRIL + timedelta(days=1))
    assert _log(context, owner)[0].attempts == 1
    # Another address, and a person has it sent again.
    mended = f"new-{_address(owner)}"
    services.set_alerts(context, owner.customer_id, APRIL, addresses=[mended])
    services.resend(context, line.message_id, APRIL)
    _send(context, server, APRIL)
    assert len(server.to(mended)) == 1


def test_a_refusal_for_now_is_tried_again_for_four_days(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    server.answers[_address(owner)] = "451 4.7.1 greylisted"
    bill_run.run(context, APRIL)
    now = APRIL
    attempts = 0
    while (line := _log(context, owner)[0]).state is not MessageState.GIVEN_UP:
        assert (line.attempts, line.state) == (
            attempts,
            MessageState.FAILED if attempts else MessageState.QUEUED,
        )
        now = line.next_attempt_at or now
        attempts += 1
        _send(context, server, now)
    assert APRIL + timedelta(days=3) < now < APRIL + timedelta(days=4)
    assert "451 4.7.1 greylisted" in (line.last_error or "")


def test_one_refused_address_of_two_is_named(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    wrong = f"wrong-{_address(owner)}"
    services.set_alerts(
        context, owner.customer_id, CREATED, addresses=[wrong, _address(owner)]
    )  # fmt: skip
    server.answers[wrong] = "550 5.1.1 no such mailbox"
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    assert len(server.to(_address(owner))) == 1
    (line,) = _log(context, owner)
    assert line.state is MessageState.SENT
    assert line.last_error == f"refused: {wrong}: 550 5.1.1 no such mailbox"


def test_a_sender_that_died_before_it_noted_leaves_a_mail_that_comes_again_under_its_id(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)

    class Died(BaseException):
        """The process is gone, whatever it was about to do."""

    def die() -> datetime:
        if server.to(_address(owner)):
            raise Died
        return APRIL

    with pytest.raises(Died):
        while mailer.tick(context, server.channel, FROM, threading.Event(), die):
            pass
    assert len(server.to(_address(owner))) == 1
    _send(context, server, APRIL + timedelta(minutes=9))
    assert len(server.to(_address(owner))) == 1
    _send(context, server, APRIL + timedelta(minutes=10))
    first, second = server.to(_address(owner))
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@net.example>")
    assert _log(context, owner)[0].state is MessageState.SENT


def test_two_senders_do_not_take_the_same(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    threads = [
        threading.Thread(target=_send, args=(context, server, APRIL)) for _ in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.to(_address(owner))) == 1


def test_a_suspension_and_its_end_are_told_once_each(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    late = APRIL + timedelta(days=20)
    enforcement.sweep(context, late)
    enforcement.sweep(context, late)
    _send(context, server, late)
    told = [one.kind for one in reversed(_log(context, owner))]
    assert told == [MessageKind.INVOICE_ISSUED, MessageKind.SUSPENDED]
    _topup(context, owner, 100_000_000, late)
    _send(context, server, late)
    subjects = [mail["Subject"] for mail in server.to(_address(owner))]
    assert [one for one in subjects[1:] if not one.startswith("Receipt ")] == [
        f"Your service {owner.username} is suspended",
        f"Your service {owner.username} is back",
    ]
    body = server.to(_address(owner))[1].get_body(("plain",))
    assert body is not None
    assert "as bills are not paid" in body.get_content()
    assert "To be paid: $52.26" in body.get_content()


def test_a_rolled_back_change_tells_nothing(context: Context, owner: Subscriber) -> None:
    with pytest.raises(RuntimeError), context.transaction() as tx:
        lock_customers(tx, [owner.customer_id])
        assert issue_due(tx, context, [owner.customer_id], APRIL)
        raise RuntimeError
    assert _log(context, owner) == []


def test_the_operators_own_address_is_used(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    services.set_sender(context, 1, "hello@reseller.example", CREATED)
    try:
        bill_run.run(context, APRIL)
        _send(context, server, APRIL)
    finally:
        services.set_sender(context, 1, None, CREATED)
    (mail,) = server.to(_address(owner))
    assert mail["From"].addresses[0].addr_spec == "hello@reseller.example"
    assert mail["Message-ID"].endswith("@reseller.example>")


def test_what_is_too_old_is_not_sent(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    bill_run.run(context, APRIL)
    _send(context, server, APRIL + timedelta(days=30))
    assert server.to(_address(owner)) == []
    (line,) = _log(context, owner)
    assert (line.state, line.last_error) == (
        MessageState.GIVEN_UP,
        "it could not be sent within 4 days",
    )


def test_doctor_says_what_waits(context: Context, owner: Subscriber, server: MailServer) -> None:
    bill_run.run(context, APRIL)
    (check, _) = services.mail_checks(context, configured=(), now=APRIL)
    assert check.status == "warn"
    assert check.detail.startswith("no relay is set; ")
    assert "TOLLWAY_SMTP_HOST" in check.mend
    _send(context, server, APRIL)
    (check, _) = services.mail_checks(context, configured=(), now=APRIL)
    assert check.status == "ok"


@pytest.mark.parametrize("address", ["nobody", "a@b\r\nBcc: c@d.e"])
def test_what_is_no_address_is_refused_with_the_field(
    context: Context, owner: Subscriber, address: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.set_alerts(context, owner.customer_id, CREATED, addresses=[address])
    assert caught.value.field == "address"


def test_resending_what_is_not_there_is_refused(context: Context) -> None:
    with pytest.raises(NotFound):
        services.resend(context, 10**9, APRIL)


def _topup(
    context: Context, owner: Subscriber, amount_micros: int, now: datetime = CREATED
) -> None:
    sales.topup(
        context,
        owner.customer_id,
        amount_micros,
        channel=MoneyChannel.CASH,
        idempotency_key=f"fund {now}",
        now=now,
    )


def test_a_message_that_cannot_be_made_does_not_keep_the_others(
    context: Context, owner: Subscriber, server: MailServer
) -> None:
    with context.transaction() as tx:
        draft = MessageDraft(
            customer_id=owner.customer_id,
            kind=MessageKind.REMINDER,
            idempotency_key="broken",
            facts={"number": "INV-1", "due_on": "yesterday", "overdue": True},
        )
        store.queue(tx, [draft, draft], APRIL)
    bill_run.run(context, APRIL)
    _send(context, server, APRIL)
    bill, broken = sorted(_log(context, owner), key=lambda one: one.kind)
    assert (bill.state, broken.state) == (MessageState.SENT, MessageState.GIVEN_UP)
    assert (broken.last_error or "").startswith("reminder.text: line 1: Invalid isoformat string")


def test_a_bill_that_is_issued_by_hand_is_told_too(
    context: Context, make: Factory, server: MailServer
) -> None:
    owner = make.subscriber(CREATED, profile=MONTHLY, plan=HOME)
    services.set_alerts(context, owner.customer_id, CREATED, addresses=[_address(owner)])
    bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 4, 1),
        cycle_until=date(2026, 5, 1),
        amount_micros=12_500_000,
        now=APRIL,
    )
    _send(context, server, APRIL)
    (mail,) = server.to(_address(owner))
    body = mail.get_body(("plain",))
    assert body is not None
    assert "is here: service, April 1, 2026 to April 30, 2026." in body.get_content()
    assert "To be paid: $12.50" in body.get_content()
