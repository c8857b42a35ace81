"""The delivery log, and templates: edited with a preview, refused at the field."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.model.messages import (
    Handed,
    MessageChannel,
    MessageDraft,
    MessageKind,
    MessageState,
    Outcome,
)
from billing.services import mailing, message_templates, messages
from billing.services.context import Context
from billing.store import messages as store
from billing.store.customers import customer_of
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp


@pytest.fixture
def given_up(context: Context, isp: Isp, began: datetime) -> int:
    """A message that the other side refused for good; returns its number."""
    customer = _customer_of(context, isp.overdue_id)
    messages.set_alerts(context, customer, began, addresses=["gone@net.example"])
    with context.transaction() as tx:
        draft = MessageDraft(
            customer_id=customer,
            kind=MessageKind.RESTORED,
            idempotency_key="page",
            facts={"username": "x"},
        )
        store.queue(tx, [draft], began)
    for taken in mailing.take(context, MessageChannel.EMAIL, "bills@net.example", began):
        handed = Handed(Outcome.NEVER, "gone@net.example: 550 5.1.1 no such mailbox")
        mailing.settle(context, taken, handed, began)
    return messages.listed(context, customer_id=customer)[0].message_id


def _customer_of(context: Context, subscription_id: int) -> int:
    with context.transaction() as tx:
        found = customer_of(tx, subscription_id)
    assert found is not None
    return found


def test_what_did_not_arrive_is_listed_and_sent_again(
    at_desk: Visitor, context: Context, given_up: int
) -> None:
    page = at_desk.open("/messages?failed=1")
    row = page.locator("#log tbody tr", has_text="Restored")
    expect(row).to_contain_text("gone@net.example")
    expect(row).to_contain_text("given up")
    expect(row).to_contain_text("550 5.1.1 no such mailbox")
    row.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status").first).to_contain_text("is sent again")
    (line,) = [one for one in messages.listed(context) if one.message_id == given_up]
    assert line.state is MessageState.QUEUED
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []


def test_a_template_is_previewed_saved_and_reset(
    at_desk: Visitor, context: Context, began: datetime
) -> None:
    page = at_desk.open("/messages/templates/restored")
    page.locator("#text").fill("Subject: Welcome back, {{ customer }}\n\nAll is well.\n")
    page.locator("#mjml").fill(
        '{% extends "base.mjml" %}{% block content %}\n<mj-text>All <b>is</b> well</mj-text>'
        "\n{% endblock %}"
    )
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Preview").click()
    shown = opened.value
    expect(shown.locator("body")).to_contain_text("All is well")
    assert message_templates.shown(context, MessageKind.RESTORED, "en").own is False
    shown.close()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    made = message_templates.preview(context, MessageKind.RESTORED, "en")
    assert made.subject == "Welcome back, Ada Example"
    page.get_by_role("button", name="Use the product's template").click()
    expect(page.get_by_role("status").first).to_contain_text("product's template again")
    assert message_templates.shown(context, MessageKind.RESTORED, "en").own is False
    assert at_desk.complaints == []


def test_a_template_that_does_not_parse_is_refused_at_its_field(
    at_desk: Visitor, context: Context
) -> None:
    page = at_desk.open("/messages/templates/restored")
    written = '{% extends "base.mjml" %}\n{% block content %}\n<mj-text>x</mj-txt>\n{% endblock %}'
    page.locator("#mjml").fill(written)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-mjml [role=alert]")).to_contain_text(
        "Line 3: </mj-txt> where <mj-text> of line 3 is open"
    )
    expect(page.locator("#mjml")).to_have_value(written)
    page.locator("#mjml").fill(written.replace("mj-txt", "mj-text"))
    page.locator("#text").fill("Subject: x\n\n{{ nobody }}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-text [role=alert]")).to_contain_text("Line 3: 'nobody' is undef")
    assert message_templates.shown(context, MessageKind.RESTORED, "en").own is False


def test_a_template_in_the_preview_can_run_nothing(at_desk: Visitor) -> None:
    page = at_desk.open("/messages/templates/restored")
    page.locator("#mjml").fill(
        '{% extends "base.mjml" %}{% block content %}<mj-raw><p id="x">y</p>'
        "<script>document.getElementById('x').textContent = 'z'</script></mj-raw>{% endblock %}"
    )
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Preview").click()
    expect(opened.value.locator("#x")).to_have_text("y")
    opened.value.close()


def test_templates_are_edited_in_every_language_with_their_sms(
    at_desk: Visitor, context: Context, began: datetime
) -> None:
    page = at_desk.open("/messages/templates/restored")
    page.locator("#languages").get_by_role("link", name="Spanish").click()
    expect(page.locator("#text")).to_contain_text("Hola")
    page.locator("#text").fill("Subject: Vuelve, {{ customer }}\n\nTodo bien.\n")
    page.locator("#sms").fill("x" * 481)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-sms [role=alert]")).to_contain_text("481 characters")
    page.locator("#sms").fill("{{ username }} funciona")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    expect(page.locator("#sms")).to_have_value("{{ username }} funciona")
    shown = message_templates.shown(context, MessageKind.RESTORED, "es")
    assert (shown.own, shown.sms) == (True, "{{ username }} funciona")
    assert message_templates.shown(context, MessageKind.RESTORED, "en").own is False
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    page.get_by_role("button", name="Use the product's template").click()
    expect(page.get_by_role("status").first).to_contain_text("product's template again")
    assert message_templates.shown(context, MessageKind.RESTORED, "es").own is False
    at_desk.open("/messages/templates/restored?language=xx-nowhere")
    expect(page.locator("h1")).to_contain_text("not")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
            "Line 3: for is not allowed in a template of messages",
        ),
        ("{{ 9**9**9 }}", "Line 3: pow is not allowed in a template of messages"),
    ],
)
def test_a_template_that_would_take_for_ever_is_refused_at_its_field(
    at_desk: Visitor, context: Context, text: str, reason: str
) -> None:
    page = at_desk.open("/messages/templates/restored")
    page.locator("#text").fill(f"Subject: x\n\n{text}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-text [role=alert]")).to_contain_text(reason)
    assert message_templates.shown(context, MessageKind.RESTORED, "en").own is False
