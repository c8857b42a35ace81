"""`tollway message`, and the worker's mailer as a process of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import update

from billing.cli import main
from billing.clock import utc_now
from billing.jobs import mailer
from billing.model.messages import MessageKind, MessageState
from billing.services import holds, message_templates
from billing.services import messages as services
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig import processes
from rig.processes import Process
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.integration.mail_server import MailServer
from tests.waiting import until

SECONDS = 60.0
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[MailServer]:
    opened = MailServer()
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def environment(settings: Settings, server: MailServer) -> dict[str, str]:
    return {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
        "TOLLWAY_SMTP_HOST": "127.0.0.1",
        "TOLLWAY_SMTP_PORT": str(server.port),
        "TOLLWAY_SMTP_SECURITY": "none",
        "TOLLWAY_MAIL_FROM": "bills@net.example",
    }


@pytest.fixture
def run(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway


def _suspended(context: Context, make: Factory, now: datetime) -> Subscriber:
    owner = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    services.set_alerts(
        context, owner.customer_id, now, addresses=[f"{owner.username}@net.example"]
    )  # fmt: skip
    holds.suspend(context, owner.subscription_id, note="for staff only", now=now)
    return owner


def _worker(environment: dict[str, str], settings: Settings, product_copy: Path) -> Process:
    return processes.start(
        f"mailer-{os.urandom(3).hex()}",
        [sys.executable, "-m", "billing.cli", "worker"],
        run_dir=settings.state_dir / "run",
        log_dir=settings.state_dir / "log",
        env={"PYTHONPATH": str(product_copy), **environment},
    )


def test_a_worker_that_is_killed_before_it_noted_sends_again_under_the_same_id(
    context: Context,
    make: Factory,
    settings: Settings,
    product_copy: Path,
    environment: dict[str, str],
    server: MailServer,
) -> None:
    """The mail server has the mail, and nobody knows: at least once."""
    first = _worker(environment, settings, product_copy)
    server.on_mail = lambda _mail: first.kill()
    try:
        owner = _suspended(context, make, utc_now())
        address = f"{owner.username}@net.example"
        until(lambda: server.to(address), seconds=SECONDS)
        until(lambda: not first.alive(), seconds=SECONDS)
    finally:
        first.stop()
    (line,) = services.listed(context, customer_id=owner.customer_id)
    assert (line.kind, line.state, line.attempts) == (
        MessageKind.SUSPENDED,
        MessageState.QUEUED,
        1,
    )
    message = tables.Message
    with context.transaction() as tx:  # The lease is over.
        tx.execute(
            update(message)
            .where(message.message_id == line.message_id)
            .values(next_attempt_at=utc_now())
        )
    server.on_mail = lambda _mail: None
    second = _worker(environment, settings, product_copy)

    def arrived() -> bool:
        return services.listed(context, customer_id=owner.customer_id)[0].sent_at is not None

    try:
        until(arrived, seconds=SECONDS)
    finally:
        second.stop()
    ids = [mail["Message-ID"] for mail in server.to(address)]
    assert len(ids) == 2
    assert ids[0] == ids[1]
    body = server.to(address)[1].get_body(("plain",))
    assert body is not None
    assert "for staff only" not in body.get_content()


def test_the_log_is_listed_and_a_message_sent_again(
    context: Context, make: Factory, run: Run, now: datetime, server: MailServer
) -> None:
    owner = _suspended(context, make, now)
    code, out, _ = run("message", "list", "--customer", str(owner.customer_id), "--json")
    (line,) = json.loads(out)
    assert (code, line["kind"], line["state"]) == (0, "suspended", "queued")
    code, out, _ = run("message", "resend", str(line["message_id"]))
    assert (code, out) == (0, f"message {line['message_id']} is queued\n")
    code, out, _ = run("message", "list", "--failed", "--customer", str(owner.customer_id))
    assert (code, owner.username in out) == (0, False)
    assert run("message", "resend", "999999999")[0] == 3


def test_without_a_relay_the_list_says_so(
    context: Context, make: Factory, run: Run, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _suspended(context, make, now)
    monkeypatch.delenv("TOLLWAY_SMTP_HOST")
    code, out, err = run("message", "list")
    assert (code, "queued" in out) == (0, True)
    assert "no relay is set (TOLLWAY_SMTP_HOST" in err
    code, _, err = run("message", "test", "me@net.example")
    assert (code, "no relay is set" in err) == (6, True)


def test_a_trial_mail_arrives(run: Run, server: MailServer) -> None:
    code, out, _ = run("message", "test", "me@net.example")
    assert (code, out) == (0, "the relay took it for me@net.example\n")
    (mail,) = server.to("me@net.example")
    assert isinstance(mail, EmailMessage)
    assert mail["From"] == "Test ISP <bills@net.example>"
    server.answers["no@net.example"] = "550 5.1.1 no such mailbox"
    code, _, err = run("message", "test", "no@net.example")
    assert (code, "550 5.1.1 no such mailbox" in err) == (6, True)
    assert run("message", "test", "nobody")[0] == 2


def test_a_relay_that_is_away_is_named(run: Run, server: MailServer) -> None:
    server.stop()
    code, _, err = run("message", "test", "me@net.example")
    assert (code, f"127.0.0.1:{server.port}" in err) == (6, True)


def test_a_password_is_not_sent_in_the_clear_to_another_machine(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLWAY_SMTP_HOST", "192.0.2.1")
    monkeypatch.setenv("TOLLWAY_SMTP_USER", "isp")
    monkeypatch.setenv("TOLLWAY_SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    code, _, err = run("message", "test", "me@net.example")
    assert (code, "smtp_password_file" in err) == (2, True)
    (tmp_path / "password").write_text("long enough 7\n", encoding="utf-8")
    code, _, err = run("message", "test", "me@net.example")
    assert (code, "no password is sent without TLS" in err) == (6, True)
    assert "long enough" not in err


@pytest.mark.parametrize("kind", list(MessageKind))
def test_every_kind_can_be_previewed(run: Run, kind: MessageKind) -> None:
    code, out, _ = run("message", "preview", kind.value)
    assert (code, out.startswith("Subject: "), "Hello Ada Example," in out) == (0, True, True)
    code, out, _ = run("message", "preview", kind.value, "--html")
    assert (code, "<html" in out, "Test ISP" in out) == (0, True, True)


def test_addresses_and_language_of_a_customer_are_set(
    make: Factory, run: Run, now: datetime
) -> None:
    customer = str(make.subscriber(now).customer_id)
    code, out, _ = run("customer", "alerts", customer, "--to", "a@net.example", "--to",
                       "b@net.example", "--language", "pt-BR")  # fmt: skip
    assert (code, "messages (pt_BR) to a@net.example, b@net.example" in out) == (0, True)
    code, out, _ = run("customer", "alerts", customer, "--to-email")
    assert (code, "nobody: there is no address" in out) == (0, True)
    code, _, err = run("customer", "alerts", customer, "--to", "a@b@c")
    assert (code, err.startswith("error: address: ")) == (2, True)
    code, _, err = run("customer", "alerts", customer, "--language", "../en")
    assert (code, err.startswith("error: language: ")) == (2, True)


def test_the_operators_from_address_is_set(run: Run) -> None:
    assert run("message", "from", "hello@net.example")[:2] == (
        0,
        "messages come from hello@net.example\n",
    )
    assert run("message", "from", "--default")[0] == 0
    assert run("message", "from")[0] == 2
    assert run("message", "from", "hello@net.example", "--organisation", "99")[0] == 3


def test_a_template_of_ones_own_is_used_and_a_bad_one_refused(
    context: Context,
    make: Factory,
    run: Run,
    now: datetime,
    tmp_path: Path,
    server: MailServer,
) -> None:
    text = tmp_path / "suspended.txt"
    text.write_text("Subject: {{ username }} steht\n\nHallo {{ customer }}\n", encoding="utf-8")
    assert run("message", "template", "set", "suspended", "--text", str(text))[0] == 0
    owner = _suspended(context, make, now)
    while mailer.tick(context, server.channel, "bills@net.example", threading.Event(), lambda: now):
        pass
    (mail,) = server.to(f"{owner.username}@net.example")
    assert mail["Subject"] == f"{owner.username} steht"
    mjml = tmp_path / "suspended.mjml"
    _, shown, _ = run("message", "template", "show", "suspended", "mjml")
    mjml.write_text(shown.replace("</mj-text>", "</mj-txt>", 1), encoding="utf-8")
    code, _, err = run("message", "template", "set", "suspended", "--mjml", str(mjml))
    assert code == 2
    assert err.startswith("error: mjml: line 4: </mj-txt> where <mj-text> of line 3 is open")
    text.write_text("Subject: x\n\nHallo {{ nobody }}\n", encoding="utf-8")
    code, _, err = run("message", "template", "set", "suspended", "--text", str(text))
    assert (code, err) == (2, "error: text: line 3: 'nobody' is undefined\n")
    text.write_text("Subject: x\n\n{{ 9**9**9 }}\n", encoding="utf-8")
    code, _, err = run("message", "template", "set", "suspended", "--text", str(text))
    assert code == 2
    assert err.startswith("error: text: line 3: pow is not allowed in a template of messages")
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
    text.write_text(f"Subject: x\n\n{loops}\n", encoding="utf-8")
    code, _, err = run("message", "template", "set", "suspended", "--text", str(text))
    assert (code, err.partition(" is ")[0]) == (2, "error: text: line 3: for")
    assert run("message", "preview", "suspended")[1].startswith("Subject: ada steht\n")
    assert run("message", "template", "reset", "suspended")[0] == 0
    assert run("message", "template", "reset", "suspended")[0] == 3
    assert run("message", "preview", "suspended")[1].startswith("Subject: Your service ada")


def test_an_own_line_for_telephones(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "suspended.sms"
    _, shown, _ = run("message", "template", "show", "suspended", "sms", "--language", "es")
    assert shown.startswith("{{ organisation }}: ")
    kept.write_text("{{ username }} gesperrt\n", encoding="utf-8")
    told = run("message", "template", "set", "suspended", "--sms", str(kept), "--language", "es")
    assert told[0] == 0
    assert run("message", "template", "show", "suspended", "sms", "--language", "es")[1] == (
        "{{ username }} gesperrt\n"
    )
    for text, reason in (
        ("x" * 481, "sms: 481 characters with example facts: 480 are the most"),
        (" ", "sms: must not be empty"),
        ("{{ nobody }}", "sms: line 1: 'nobody' is undefined"),
    ):
        kept.write_text(text, encoding="utf-8")
        code, _, err = run("message", "template", "set", "suspended", "--sms", str(kept))
        assert (code, err.startswith(f"error: {reason}")) == (2, True)
    assert run("message", "template", "reset", "suspended", "--language", "es")[0] == 0


def test_an_own_template_that_cannot_tell_the_facts_does_not_keep_the_news(
    context: Context, make: Factory, now: datetime, server: MailServer
) -> None:
    """What staff suspended has no reason `overdue`: this template fails only then."""
    text = "Subject: x{% if reason != 'overdue' %}{{ nothing }}{% endif %}\n\nx\n"
    kind = MessageKind.SUSPENDED
    mjml = message_templates.shown(context, kind, "en").mjml
    message_templates.save(context, kind, "en", mjml, text, now)
    try:
        owner = _suspended(context, make, now)
        while mailer.tick(
            context, server.channel, "bills@net.example", threading.Event(), lambda: now
        ):
            pass
    finally:
        message_templates.reset(context, kind, "en", now)
    (mail,) = server.to(f"{owner.username}@net.example")
    assert mail["Subject"] == f"Your service {owner.username} is suspended"
