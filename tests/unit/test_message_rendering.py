"""Every kind of message as text, HTML and mail: escaped, on one line where it must be."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from billing.languages import languages
from billing.messages.mail import compose
from billing.messages.render import (
    Rendered,
    Unrenderable,
    builtin,
    check,
    one_line,
    render,
    short,
    to_html,
)
from billing.messages.samples import SAMPLES
from billing.messages.webhook import signature, url_problem
from billing.model.messages import MessageKind, OwnTemplate
from billing.rules.addresses import address_problem, number_problem

QUEUED = datetime(2026, 4, 1, 0, 11, tzinfo=UTC)


def _render(kind: MessageKind, customer: str = "Ada", organisation: str = "Net") -> Rendered:
    return render(
        kind, "en", organisation=organisation, customer=customer, facts=SAMPLES[kind]
    )  # fmt: skip


def _mail(rendered: Rendered, sender_name: str = "Net") -> EmailMessage:
    envelope = compose(
        rendered,
        sender="bills@net.example",
        sender_name=sender_name,
        addresses=("ada@example.net", "office@example.net"),
        mail_id="0123456789abcdef0123456789abcdef@net.example",
        queued_at=QUEUED,
    )
    found = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_every_kind_has_an_example_and_a_template() -> None:
    assert set(SAMPLES) == set(MessageKind)


@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_kind_is_rendered_as_text_and_html(kind: MessageKind) -> None:
    made = _render(kind, customer="Ada <b>Lovelace</b> & Söhne")
    assert made.subject
    assert "\n" not in made.subject
    assert made.text.startswith("Hello Ada <b>Lovelace</b> & Söhne,\n")
    assert made.text.endswith("\nNet\n")
    assert "Ada &lt;b&gt;Lovelace&lt;/b&gt; &amp; Söhne" in made.html
    assert "<b>Lovelace" not in made.html
    assert "width=device-width" in made.html
    for mark in ("{{", "{%", "mj-", "None"):
        assert mark not in made.text
    assert "<mj-" not in made.html


@pytest.mark.rule("R1")
@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_resellers_contact_is_below_every_kind(kind: MessageKind, language: str) -> None:
    made = render(
        kind,
        language,
        organisation="Corner shop",
        customer="Ada",
        facts=SAMPLES[kind],
        contact="Call <+1 555 0100>\nhelp@shop.example",
    )
    assert made.text.endswith("Corner shop\nCall <+1 555 0100>\nhelp@shop.example\n")
    foot = made.html.rpartition("Corner shop")[2]
    assert "Call &lt;+1 555 0100&gt;" in foot and "help@shop.example" in foot


@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_kind_fits_a_telephone(kind: MessageKind) -> None:
    made = short(kind, "de", organisation="Net", customer="Ada", facts=SAMPLES[kind])
    assert made.startswith("Net: ")
    assert len(made) <= 160
    assert "\n" not in made
    for mark in ("{{", "{%", "None", "  "):
        assert mark not in made


def test_a_short_text_is_not_cut() -> None:
    facts = {**SAMPLES[MessageKind.EXHAUSTED], "recharge_url": "https://pay.example/" + "x" * 300}
    made = short(MessageKind.EXHAUSTED, "en", organisation="N", customer="A", facts=facts)
    assert made.endswith(" https://pay.example/" + "x" * 300)


def test_amounts_and_days_are_written_for_people() -> None:
    made = _render(MessageKind.INVOICE_ISSUED)
    assert made.subject == "Bill INV-1042 of Net: $30.00"
    assert "To be paid: $17.74\nBy:         April 11, 2026\n" in made.text
    assert "$17.74" in made.html


def test_a_bill_that_credit_has_paid_asks_for_nothing() -> None:
    facts = {**SAMPLES[MessageKind.INVOICE_ISSUED], "open_micros": 0}
    made = render(
        MessageKind.INVOICE_ISSUED, "en", organisation="Net", customer="Ada", facts=facts
    )  # fmt: skip
    assert "nothing to do" in made.text
    assert "By:" not in made.text


@pytest.mark.parametrize("language", ["en-GB", "xx", "", "../en"])
def test_a_language_without_templates_is_english(language: str) -> None:
    made = render(
        MessageKind.RESTORED, language, organisation="Net", customer="Ada", facts={"username": "a"}
    )
    assert made.language == "en"


def test_a_fact_that_is_missing_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(Unrenderable, match="'username' is undefined"):
        render(MessageKind.RESTORED, "en", organisation="Net", customer="Ada", facts={})


def test_a_link_is_a_button_and_stays_escaped() -> None:
    link = 'https://pay.example/?a=1&b="><script>'
    facts = {"username": "ada", "reason": "expired", "recharge_url": link}
    made = render(
        MessageKind.EXHAUSTED, "en", organisation="Net", customer="Ada", facts=facts
    )  # fmt: skip
    assert "<script>" not in made.html
    assert 'href="https://pay.example/?a=1&amp;b=' in made.html
    assert "Recharge: https://pay.example/" in made.text


@pytest.mark.parametrize("text", ["hello", "<mjml><mj-body><mj-section></mj-body></mjml>"])
def test_what_is_no_mjml_is_refused(text: str) -> None:
    with pytest.raises(Unrenderable, match="MJML"):
        to_html(text)


BLOCK = '{% extends "base.mjml" %}\n{% block content %}\n'
END = "\n{% endblock %}\n"
KIND = MessageKind.RESTORED
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"


def _own(mjml: str, text: str = "Subject: x\n\ny\n") -> Rendered:
    return check(KIND, OwnTemplate(language="en", mjml=mjml, text=text), SAMPLES[KIND])


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", list(MessageKind))
def test_the_products_templates_pass_their_own_check(kind: MessageKind, language: str) -> None:
    check(kind, builtin(kind, language), SAMPLES[kind])


def test_what_was_stored_before_it_was_bounded_makes_no_message() -> None:
    own = OwnTemplate(language="en", mjml=f"{BLOCK}<mj-text>a</mj-text>{END}", text=ENDLESS)
    with pytest.raises(Unrenderable, match="line 1: for is not allowed"):
        render(
            KIND, "en", organisation="Net", customer="Ada", facts=SAMPLES[KIND], own=own
        )  # fmt: skip


def test_an_own_block_may_hold_what_it_takes_the_place_of() -> None:
    made = _own(
        '{% extends "base.mjml" %}{% block footer %}{{ super() }} Bye.{% endblock %}'
        "{% block content %}<mj-text>{{ username | upper | truncate(9) }}</mj-text>{% endblock %}"
    )
    assert "as a customer of Example. Bye." in made.html
    assert "ADA" in made.html


@pytest.mark.parametrize(
    ("mjml", "reason"),
    [
        ("<mj-text>a</mj-txt>", "line 3: </mj-txt> where <mj-text> of line 3 is open"),
        ("<mj-text>\n\n<b>a</mj-text>", "line 5: </mj-text> where <b> of line 5 is open"),
        ("<mj-text>\n{% if username %}a{% endif %}\n</b>", "line 5: </b> where <mj-text>"),
        ("<mj-nope>a</mj-nope>", "line 3: MJML has no <mj-nope>"),
        ("<mj-text>\n{{ nobody }}</mj-text>", "line 4: 'nobody' is undefined"),
        ("<mj-text>{{ username | mony }}</mj-text>", "line 3: no filter 'mony'; there are "),
        ("<mj-text>{{ username </mj-text>", "line 3: "),
        ("<mj-text>{{ username.__class__ }}</mj-text>", "line 3: getattr is not allowed"),
        ("{% include '/etc/passwd' %}", "line 3: include is not allowed"),
        ("<mj-include path='/etc/passwd' />", "MJML: "),
        ("<mj-text>{{ 9 ** 9 ** 9 }}</mj-text>", "line 3: pow is not allowed in a template of"),
        ("<mj-text>{{ 'x' | money('USD') }}</mj-text>", "line 3: "),
    ],
)
def test_a_template_that_makes_no_message_is_refused_with_the_line(mjml: str, reason: str) -> None:
    with pytest.raises(Unrenderable) as caught:
        _own(BLOCK + mjml + END)
    assert caught.value.field == "mjml"
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Hello", "line 1: must be `Subject: …`"),
        ("Subject:\n\nHello", "line 1: must be `Subject: …`"),
        ("Subject: x\n\n{{ nobody }}", "line 3: 'nobody' is undefined"),
        ("Subject: x\n\n{% if %}", "line 3: "),
        (f"Subject: x\n\n{ENDLESS}", "line 3: for is not allowed in a template of messages: it"),
        ("Subject: x\n\n{{ 9**9**9 }}", "line 3: pow is not allowed"),
        ("Subject: x\n\n{{ 'x' * 999999999 }}", "line 3: mul is not allowed"),
        ("Subject: x\n\n{% set a = username ~ username %}", "line 3: concat is not allowed"),
        ("Subject: x\n\n{% set a %}{{ username }}{% endset %}", "line 3: assignblock is not"),
        ("Subject: x\n\n{% macro a() %}{% endmacro %}", "line 3: macro is not allowed"),
        ("Subject: x\n\n{{ username | center(999999999) }}", "line 3: no filter 'center'"),
        ("Subject: x\n\n{{ range(9) }}", "line 3: call is not allowed"),
        (f"Subject: x\n\n{{{{ {'9' * 5000} }}}}", "Exceeds the limit"),
        (f"Subject: x\n\n{{{{ {'(' * 20_000}a{')' * 20_000} }}}}", "nested deeper than 50"),
        (f"Subject: x\n\n{{{{ {'not ' * 60}username }}}}", "line 3: nested deeper than 50"),
    ],
)
def test_a_text_that_makes_no_message_is_refused_with_the_line(text: str, reason: str) -> None:
    with pytest.raises(Unrenderable) as caught:
        _own(f"{BLOCK}<mj-text>a</mj-text>{END}", text)
    assert caught.value.field == "text"
    assert str(caught.value).startswith(reason)


def test_an_own_template_may_be_whole_mjml_with_entities() -> None:
    made = _own(
        "<mjml><mj-body><mj-section><mj-column><mj-text>a &amp; b&nbsp;<br>{{ username }}</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    assert "a &amp; b&nbsp;<br>ada" in made.html.replace("<br />", "<br>").replace("<br/>", "<br>")


def test_a_mail_has_both_parts_and_says_whom_it_is_from() -> None:
    mail = _mail(_render(MessageKind.INVOICE_ISSUED), sender_name="Röd Net")
    assert mail["From"] == "Röd Net <bills@net.example>"
    assert mail["To"] == "ada@example.net, office@example.net"
    assert mail["Message-ID"] == "<0123456789abcdef0123456789abcdef@net.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == QUEUED
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "INV-1042" in text
    assert "<html" in html


@pytest.mark.parametrize("evil", ["x\r\nBcc: all@example.net", "x\nBcc: a@b.c\n\nbody", "x\x0bBcc"])
def test_no_name_reaches_the_headers_of_a_mail(evil: str) -> None:
    made = _render(MessageKind.INVOICE_ISSUED, customer=evil, organisation=evil)
    mail = _mail(made, sender_name=evil)
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    }
    assert "Bcc" in mail["Subject"]


def test_a_fact_cannot_add_a_header_either() -> None:
    facts = {**SAMPLES[MessageKind.INVOICE_ISSUED], "number": "INV-1\r\nBcc: all@example.net"}
    made = render(
        MessageKind.INVOICE_ISSUED, "en", organisation="Net", customer="Ada", facts=facts
    )  # fmt: skip
    assert _mail(made)["Bcc"] is None
    assert made.subject == "Bill INV-1"


@pytest.mark.parametrize(
    "address", ["a@b@c", "a", "@b.c", "a@", "a b@c.d", "a@b.c\r\nX: y", "ä@b.c"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert address_problem(address)


@pytest.mark.parametrize("address", ["ada@example.net", "a.b+c@sub.example.net", "root@localhost"])
def test_an_address_is_one(address: str) -> None:
    assert address_problem(address) is None


def test_one_line_is_one_line() -> None:
    assert one_line(" a\r\n\tb\u2028c ") == "a b c"


def test_tags_are_not_nested_without_end() -> None:
    with pytest.raises(Unrenderable, match="line 3: tags are nested deeper than 100"):
        _own(f"{BLOCK}<mj-text>{'<b>' * 200}a{'</b>' * 200}</mj-text>{END}")


@pytest.mark.parametrize(
    "number", ["34600123456", "+034600123", "+346001", "+3460012345678901", "+34 600123456", "+34x"]
)
def test_what_is_no_number_is_refused(number: str) -> None:
    assert number_problem(number)


@pytest.mark.parametrize("number", ["+3460012", "+346001234567890", "+34600123456"])
def test_a_number_is_one(number: str) -> None:
    assert number_problem(number) is None


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a", "https://", "http://sms.example/", "https://me:pw@sms.example/",
     "https://sms.example/#x", "https://sms.example/ x", "https://sms.example:port/"],
)  # fmt: skip
def test_what_is_no_webhook_is_refused(url: str) -> None:
    assert url_problem(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://sms.example",
        "https://sms.example:8443/a?b=c",
        "http://127.0.0.1:9/",
        "http://[::1]/x",
    ],
)
def test_a_webhook_is_one(url: str) -> None:
    assert url_problem(url) is None


def test_a_signature_is_of_the_time_and_the_body() -> None:
    known = "sha256=" + hmac.new(b"key", b"1.{}", "sha256").hexdigest()
    assert signature("key", "1", b"{}") == known
    assert signature("key", "2", b"{}") != known
    assert signature("other", "1", b"{}") != known
