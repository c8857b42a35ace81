"""Messages to a real HTTP server: signed, once, tried again or given up as it answers."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from billing.cli import main
from billing.errors import InvalidInput, Refused
from billing.jobs import mailer
from billing.messages.webhook import WebhookChannel
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageChannel, MessageKind, MessageState, MessageView
from billing.services import bill_run, sales
from billing.services import messages as services
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.mail_server import MailServer
from tests.integration.webhook_server import SECRET, WebhookServer

TENTH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
HOME = replace(MONTH_PLAN, plan_name="Home", price_micros=30_000_000)
CREATED = datetime(2026, 3, 18, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    opened = WebhookServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def run(
    settings: Settings,
    server: WebhookServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n", encoding="utf-8")
    for name, value in {
        "STATE_DIR": str(settings.state_dir),
        "DATABASE_URL": settings.database_url,
        "DATABASE_NAME": settings.database_name,
        "WEBHOOK_URL": server.url,
        "WEBHOOK_SECRET_FILE": str(secret),
    }.items():
        monkeypatch.setenv(f"TOLLWAY_{name}", value)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


@pytest.fixture
def owner(context: Context, make: Factory) -> Subscriber:
    """A monthly customer with an address and a number; the first bill is not told of."""
    made = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    services.set_alerts(
        context,
        made.customer_id,
        CREATED,
        addresses=[f"{made.username}@net.example"],
        numbers=[_number(made)],
    )
    return made


def _number(owner: Subscriber) -> str:
    return f"+346{owner.customer_id:08d}"


def _send(context: Context, channel: WebhookChannel, now: datetime) -> None:
    """What is due at `now`, batch after batch."""
    while mailer.tick(context, channel, "", threading.Event(), lambda: now):
        pass


def _log(context: Context, owner: Subscriber) -> dict[MessageChannel, MessageView]:
    """What was queued at APRIL or later: one row for each channel."""
    found = services.listed(context, customer_id=owner.customer_id)
    found = [one for one in found if one.created_at >= APRIL]
    assert len({one.channel for one in found}) == len(found)
    return {one.channel: one for one in found}


def test_a_bill_is_told_by_mail_and_by_the_webhook_once_each(
    context: Context, owner: Subscriber, server: WebhookServer
) -> None:
    bill_run.run(context, APRIL)
    bill_run.run(context, APRIL)
    mails = MailServer()
    mails.start()
    try:
        while mailer.tick(
            context, mails.channel, "bills@net.example", threading.Event(), lambda: APRIL
        ):
            pass
    finally:
        mails.stop()
    _send(context, server.channel, APRIL)
    _send(context, server.channel, APRIL + timedelta(days=1))
    assert len(mails.to(f"{owner.username}@net.example")) == 1
    (told,) = server.to(_number(owner))
    message = told.message
    assert told.path == "/sms?account=7"
    assert (message["kind"], message["customer"], message["to"], message["language"]) == (
        "invoice_issued",
        owner.customer_id,
        [_number(owner)],
        "en",
    )
    number = message["facts"]["number"]
    assert message["facts"]["total_micros"] == 30_000_000
    assert message["subject"] == f"Bill {number} of Test ISP: $30.00"
    assert message["text"] == (
        f"Test ISP: bill {number}, $30.00. To be paid: $30.00 by April 11, 2026."
    )
    log = _log(context, owner)
    assert {way: line.state for way, line in log.items()} == {
        MessageChannel.EMAIL: MessageState.SENT,
        MessageChannel.WEBHOOK: MessageState.SENT,
    }
    assert log[MessageChannel.WEBHOOK].addresses == (_number(owner),)


def test_what_is_told_is_signed(context: Context, owner: Subscriber, server: WebhookServer) -> None:
    bill_run.run(context, APRIL)
    _send(context, replace(server.channel, clock=lambda: APRIL), APRIL)
    (told,) = server.to(_number(owner))
    timestamp = told.headers["Tollway-Timestamp"]
    assert timestamp == str(int(APRIL.timestamp()))
    right = hmac.new(SECRET.encode(), timestamp.encode() + b"." + told.body, sha256).hexdigest()
    assert told.headers["Tollway-Signature"] == f"sha256={right}"
    assert told.headers["Content-Type"] == "application/json; charset=utf-8"
    assert told.headers["Idempotency-Key"] == told.message["id"]
    assert len(told.message["id"]) == 32


@pytest.mark.parametrize("status", [302, 401, 408, 429, 500, 503])
def test_an_answer_for_now_is_tried_again_under_the_same_id(
    context: Context, owner: Subscriber, server: WebhookServer, status: int
) -> None:
    server.answers[_number(owner)] = status
    server.said = b"not\nnow"
    bill_run.run(context, APRIL)
    _send(context, server.channel, APRIL)
    line = _log(context, owner)[MessageChannel.WEBHOOK]
    assert (line.state, line.last_error) == (MessageState.FAILED, f"{status} not now")
    assert line.next_attempt_at == APRIL + timedelta(minutes=1)
    del server.answers[_number(owner)]
    _send(context, server.channel, APRIL + timedelta(minutes=1))
    first, second = server.to(_number(owner))
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert _log(context, owner)[MessageChannel.WEBHOOK].state is MessageState.SENT


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_is_given_up_with_the_reason(
    context: Context, owner: Subscriber, server: WebhookServer, status: int
) -> None:
    server.answers[_number(owner)] = status
    server.said = b"no such number"
    bill_run.run(context, APRIL)
    _send(context, server.channel, APRIL)
    _send(context, server.channel, APRIL + timedelta(days=1))
    assert len(server.to(_number(owner))) == 1
    line = _log(context, owner)[MessageChannel.WEBHOOK]
    assert (line.state, line.last_error) == (MessageState.GIVEN_UP, f"{status} no such number")
    # The mail has a row and a state of its own.
    assert _log(context, owner)[MessageChannel.EMAIL].state is MessageState.QUEUED
    mended = f"+1{_number(owner)[1:]}"
    services.set_alerts(context, owner.customer_id, APRIL, numbers=[mended])
    services.resend(context, line.message_id, APRIL)
    _send(context, server.channel, APRIL)
    assert len(server.to(mended)) == 1
    services.set_alerts(context, owner.customer_id, APRIL, numbers=[])
    with pytest.raises(Refused, match="no number"):
        services.resend(context, line.message_id, APRIL)


def test_no_answer_in_time_is_tried_again(
    context: Context, owner: Subscriber, server: WebhookServer
) -> None:
    server.answers[_number(owner)] = 0
    bill_run.run(context, APRIL)
    _send(context, server.channel, APRIL)
    line = _log(context, owner)[MessageChannel.WEBHOOK]
    assert (line.state, line.last_error) == (MessageState.FAILED, "timed out")


def test_a_webhook_that_is_away_gets_it_later(
    context: Context, owner: Subscriber, server: WebhookServer
) -> None:
    bill_run.run(context, APRIL)
    server.stop()
    _send(context, server.channel, APRIL)
    line = _log(context, owner)[MessageChannel.WEBHOOK]
    assert line.state is MessageState.FAILED
    assert f"127.0.0.1:{server.port}: " in (line.last_error or "")
    server.start()
    _send(context, server.channel, APRIL + timedelta(minutes=1))
    assert len(server.to(_number(owner))) == 1


def test_an_answer_of_many_words_keeps_no_connection_busy(
    context: Context, make: Factory, server: WebhookServer
) -> None:
    server.said = b"x" * 1_000_000
    owners = [make.subscriber(CREATED, profile=TENTH, plan=HOME) for _ in range(3)]
    for owner in owners:
        services.set_alerts(context, owner.customer_id, CREATED, numbers=[_number(owner)])
    bill_run.run(context, APRIL)
    _send(context, server.channel, APRIL)
    assert [len(server.to(_number(owner))) for owner in owners] == [1, 1, 1]
    # Who has a number only is told by that alone.
    assert [list(_log(context, owner)) for owner in owners] == [[MessageChannel.WEBHOOK]] * 3


def test_a_kind_that_is_chosen_is_told_without_a_number(
    context: Context, make: Factory, server: WebhookServer
) -> None:
    silent = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    services.set_webhook_kinds(context, [MessageKind.INVOICE_ISSUED], CREATED)
    try:
        bill_run.run(context, APRIL)
        _top_up(context, silent)
    finally:
        services.set_webhook_kinds(context, [], CREATED)
    _send(context, server.channel, APRIL)
    (told,) = [one for one in server.told if one.message["customer"] == silent.customer_id]
    assert (told.message["kind"], told.message["to"]) == ("invoice_issued", [])
    found = services.listed(context, customer_id=silent.customer_id)
    by = {one.kind: one.channel for one in found if one.created_at == APRIL}
    assert by.pop(MessageKind.INVOICE_ISSUED) is MessageChannel.WEBHOOK
    assert by[MessageKind.PAYMENT_RECEIVED] is MessageChannel.PANEL
    assert set(by.values()) == {MessageChannel.PANEL}


def test_who_has_neither_is_told_in_the_panel_and_nothing_is_sent(
    context: Context, make: Factory
) -> None:
    silent = make.subscriber(CREATED, profile=TENTH, plan=HOME)
    bill_run.run(context, APRIL)
    bill_run.run(context, APRIL)
    (line,) = _log(context, silent).values()
    assert (line.channel, line.state, line.sent_at, line.next_attempt_at, line.addresses) == (
        MessageChannel.PANEL,
        MessageState.SENT,
        APRIL,
        None,
        (),
    )
    with pytest.raises(Refused, match="in the panel only"):
        services.resend(context, line.message_id, APRIL)


def test_a_payment_is_told_with_its_receipt(
    context: Context, owner: Subscriber, server: WebhookServer
) -> None:
    receipt = _top_up(context, owner)
    assert _top_up(context, owner) == receipt
    _send(context, server.channel, APRIL)
    (told,) = [
        one for one in server.to(_number(owner)) if one.message["kind"] == "payment_received"
    ]
    assert told.message["text"] == f"Test ISP: we have received $5.00. Receipt: {receipt}."


def _top_up(context: Context, owner: Subscriber) -> str:
    return sales.topup(
        context,
        owner.customer_id,
        5_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key=f"five {owner.customer_id}",
        now=APRIL,
    ).receipt_number


@pytest.mark.parametrize("number", ["0600123456", "+0600123456", "+34 600", "+341234567890123456"])
def test_what_is_no_number_is_refused_with_the_field(
    context: Context, owner: Subscriber, number: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.set_alerts(context, owner.customer_id, CREATED, numbers=[number])
    assert caught.value.field == "sms"


def test_numbers_are_set_and_taken_away(make: Factory, run: Run, now: datetime) -> None:
    customer = str(make.subscriber(now).customer_id)
    code, out, _ = run("customer", "alerts", customer, "--sms", "+34600123456")
    assert (code, "messages (en) to +34600123456" in out) == (0, True)
    code, _, err = run("customer", "alerts", customer, "--sms", "600123456")
    assert (code, err.startswith("error: sms: '600123456' is not a telephone number")) == (2, True)
    code, out, _ = run("customer", "alerts", customer, "--no-sms")
    assert (code, "nobody: there is no address" in out) == (0, True)


def test_kinds_are_chosen(run: Run) -> None:
    code, out, _ = run("message", "webhook", "--kind", "exhausted", "--kind", "suspended")
    assert (code, "of everybody: exhausted, suspended" in out) == (0, True)
    assert json.loads(run("message", "webhook", "--json")[1]) == {
        "kinds": ["exhausted", "suspended"]
    }
    code, out, _ = run("message", "webhook", "--no-kinds")
    assert (code, out) == (0, "the webhook gets messages to numbers\n")


def test_a_trial_reaches_the_webhook(
    run: Run, server: WebhookServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, out, _ = run("message", "test", "+34600123456")
    assert (code, out) == (0, "the webhook took it for +34600123456\n")
    (told,) = server.to("+34600123456")
    assert told.message["text"].startswith("Test ISP: bill INV-1042")
    server.answers["+34600123457"] = 403
    code, _, err = run("message", "test", "+34600123457")
    assert (code, "the webhook does not take it: 403 ok" in err) == (6, True)
    (tmp_path / "secret").write_text("short", encoding="utf-8")
    code, _, err = run("message", "test", "+34600123456")
    assert (code, err.startswith("error: webhook_secret_file: ")) == (2, True)
    monkeypatch.setenv("TOLLWAY_WEBHOOK_URL", "http://gateway.example/")
    code, _, err = run("message", "test", "+34600123456")
    assert (code, "http goes to this machine only" in err) == (2, True)
    monkeypatch.delenv("TOLLWAY_WEBHOOK_URL")
    code, _, err = run("message", "test", "+34600123456")
    assert (code, "no webhook is set" in err) == (6, True)
