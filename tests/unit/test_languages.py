"""Every language says all that English says: messages, papers, and texts that were stored."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing import languages, messages
from billing.documents import html
from billing.documents.environment import sandbox
from billing.languages import FALLBACK, entries, said, spoken, told
from billing.messages.render import builtin, check, render, short
from billing.messages.samples import SAMPLES
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageKind
from billing.model.statements import AccountEntry
from billing.rules.statements import words

OTHERS = [one for one in languages.languages() if one != FALLBACK]
_MAILS = Path(messages.__file__).parent / "templates"
_PAPERS = Path(html.__file__).parent / "templates"
_SAID = re.compile(r'"([^"]+)"(?: if [^"]* else "([^"]+)")?\)? \| said')
# Facts that choose between words of a message, beside the examples.
VARIANTS: dict[MessageKind, list[dict[str, object]]] = {
    MessageKind.EXHAUSTED: [
        {"reason": reason, "recharge_url": url}
        for reason in ("spending-cap", "not-covered", "expired", "data-used-up")
        for url in (None, "https://my.net.example/")
    ],
    MessageKind.ALLOWANCE_USED: [{"recharge_url": "https://my.net.example/"}],
    MessageKind.LOW_BALANCE: [{"recharge_url": "https://my.net.example/"}],
    MessageKind.INVOICE_ISSUED: [{"open_micros": 0}, {"first_day": None}],
    MessageKind.REMINDER: [
        {"overdue": False, "fee_micros": 0, "suspend_on": None},
        {"overdue": True, "suspend_on": None},
    ],
    MessageKind.SUSPENDED: [{"open_micros": 0}, {"reason": "hold", "open_micros": 0}],
    MessageKind.RECHARGE_FAILED: [
        {"confirm": True, "recharge_url": "https://bank.example/", "retry_on": None},
        {"retry_on": None, "recharge_url": "https://my.net.example/"},
        {"came_micros": 9_990_000, "came_currency": "USD", "retry_on": None},
        {"came_micros": 9_990_000, "came_currency": "USD", "recharge_url": "https://my.example/"},
    ],
    MessageKind.VOUCHER_RECEIPT: [{"plan_name": "Week 5 GB"}],
    MessageKind.CREDIT_NOTE: [{"to_wallet_micros": 0}],
    MessageKind.STATEMENT: [{"open_micros": 0}, {"due_on": None}],
    MessageKind.PAYMENT_RECEIVED: [{"invoice_number": None}],
    MessageKind.PREPAYMENT_DUE: [{"recharge_url": "https://my.net.example/"}],
}
_ENGLISH = re.compile(
    r"\b(the|your|you|hello|bill|payment|balance|paid|pay|by|from|of|is|was|are|and|recharge|"
    r"credit|thank|receipt|reference|price|charged|service)\b",
    re.IGNORECASE,
)


def _cases() -> list[tuple[MessageKind, dict[str, object]]]:
    return [
        (kind, dict(SAMPLES[kind]) | variant)
        for kind in MessageKind
        for variant in [{}, *VARIANTS.get(kind, [])]
    ]


def test_there_is_a_language_beside_english() -> None:
    assert "es" in OTHERS
    assert {file.name for file in _MAILS.iterdir() if file.is_dir()} == {FALLBACK, *OTHERS}


@pytest.mark.parametrize("language", OTHERS)
def test_no_template_of_a_message_is_missing(language: str) -> None:
    wanted = {file.name for file in (_MAILS / FALLBACK).iterdir()}
    assert {file.name for file in (_MAILS / language).iterdir()} == wanted
    assert wanted == {"base.mjml"} | {
        f"{kind}.{part}" for kind in MessageKind for part in ("mjml", "txt", "sms")
    }
    for kind in MessageKind:
        check(kind, builtin(kind, language), SAMPLES[kind])


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("kind", "facts"), _cases())
def test_a_message_has_no_english_word_in_it(
    language: str, kind: MessageKind, facts: dict[str, object]
) -> None:
    names = {"organisation": "Red", "customer": "Ada"}
    shown = {"reason": "falta de fondos"} if kind is MessageKind.RECHARGE_FAILED else {}
    if kind is MessageKind.CREDIT_NOTE:
        shown = {"reason": "dos cortes"}
    made = render(kind, language, facts=facts | shown, **names)
    brief = short(kind, language, facts=facts | shown, **names)
    assert made.language == language
    hidden = re.compile(r"https://\S+|Home 100|Week 5 GB|.Your brand.")  # the panel is English
    text = re.sub(r"<style.*?</style>|<!--.*?-->|<[^>]*>", " ", made.html, flags=re.DOTALL)
    for part in (made.subject, made.text, text, brief):
        assert not _ENGLISH.findall(hidden.sub("", part)), part
    assert len(brief) <= 160
    english = render(kind, FALLBACK, facts=facts | shown, **names)
    # As much is said: each number and each link of the one is in the other.
    figures = re.compile(r"\d+|https://\S+")
    assert len(figures.findall(made.text)) == len(figures.findall(english.text))


@pytest.mark.parametrize("language", OTHERS)
def test_no_word_of_a_paper_is_missing(language: str) -> None:
    known = {english for context, english in entries(language) if not context}
    used = set(html._TITLES.values()) | {"Credit note", "Page {page} of {pages}"}
    for file in _PAPERS.glob("*.html"):
        if file.name == "cards.html":  # for the operator's counter, not for a customer of it
            continue
        text = file.read_text(encoding="utf-8")
        found = {one for match in _SAID.findall(text) for one in match if one}
        assert len(found) >= 5, file.name
        used |= found
        bare = re.sub(r"{%.*?%}|{{.*?}}|<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert not re.search(r"[A-Za-z]{2,}", bare), f"{file.name}: {bare.split()}"
    assert used - known == set()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_same_values_in_it(language: str) -> None:
    value = re.compile(r"{\w+}")
    for (_, english), other in entries(language).items():
        assert other.strip(), english
        assert sorted(value.findall(other)) == sorted(value.findall(english)), english


def test_a_stored_text_is_told_with_its_days_and_numbers() -> None:
    for english, spanish in {
        "Home 50, 2026-03-10 to 2026-04-10": "Home 50, del 10 mar 2026 al 10 abr 2026",
        "Usage in night, 2026-03-01 to 2026-04-01: 1.5 GB, 2:05:09": (
            "Consumo en night, del 1 mar 2026 al 1 abr 2026: 1,5 GB, 2:05:09"
        ),
        "Late fee: INV-7, 10 days after 2026-04-01": (
            "Recargo por demora: INV-7, 10 días después del 1 abr 2026"
        ),
        "Credit note CN-3 for INV-7": "Nota de crédito CN-3 sobre INV-7",
        "moved to Daily: 20 of 31 days": "cambio a Daily: 20 de 31 días",
    }.items():
        assert told(english, "es") == spanish
        assert told(english, FALLBACK) == english


@pytest.mark.parametrize(
    "text", ["Bill Murray", "Open", "x, 2026-99-99 bis 2026-99-98", "{name}", "Router {days}", ""]
)
def test_what_people_wrote_stays_as_it_is(text: str) -> None:
    assert told(text, "es") == text


def test_what_only_looks_like_a_day_does_no_harm() -> None:
    assert told("x, 2026-99-99 to 2026-02-30", "es") == "x, del 2026-99-99 al 2026-02-30"


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("channel", list(MoneyChannel))
def test_a_statement_tells_every_way_to_pay(language: str, channel: MoneyChannel) -> None:
    entry = AccountEntry(
        at=datetime(2026, 3, 9, tzinfo=UTC),
        kind="payment",
        memo="",
        amount_micros=1,
        channel=channel.value,
        reference="T-9",
    )
    made = told(words(entry), language)
    assert made != words(entry)
    assert made.endswith(", T-9")
    assert not _ENGLISH.search(made)


def test_a_language_is_taken_for_its_regions_and_english_for_unknown_ones() -> None:
    assert [spoken(one) for one in ("es", "es-MX", "es_AR", "fr", "", "../es", "en-GB")] == [
        "es", "es", "es", "en", "en", "en", "en",
    ]  # fmt: skip


def test_days_and_decimals_are_written_as_usual() -> None:
    day = date(2026, 3, 9)
    assert languages.short_day(day, "es") == "9 mar 2026"
    assert languages.long_day(day, "es") == "9 de marzo de 2026"
    assert languages.month(day, "es") == "marzo de 2026"
    assert (languages.month(day, "en"), languages.short_day(day, "en")) == (
        "March 2026", "9 Mar 2026",
    )  # fmt: skip
    assert (languages.decimal_mark("es"), languages.decimal_mark("en")) == (",", ".")


def test_a_value_in_words_of_ours_is_text() -> None:
    template = sandbox("es").from_string(
        '{{ "Paid by {channel}" | said(channel=x) }}{{ x | told }}'
    )
    assert template.render(x="<b>{day}</b>") == (
        "Forma de pago: &lt;b&gt;{day}&lt;/b&gt;&lt;b&gt;{day}&lt;/b&gt;"
    )
    assert said("Paid on {day}", "es", {"day": "{number}"}) == "Pagado el {number}"
