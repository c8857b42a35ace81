"""A voucher's code is in no record (rule R3): what stands for it in Class, decision, accounting."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.model.decision import Admission, Reason
from billing.model.events import AccessRequest, AccountingRecord, UnusableRecord
from billing.model.network import (
    VOUCHER_NAME,
    Link,
    NasTraits,
    is_vouchers,
    link_of,
    of_voucher,
)
from billing.model.vouchers import UNKNOWN_LOGIN, Alphabet, CodeFormat
from billing.services.secrets import SecretBox
from billing.services.voucher_codes import new_codes
from billing.services.voucher_keys import CodeKey
from radius_plugin.answers import attempt
from radius_plugin.attributes import access_request, accounting_record
from radius_plugin.reply import DecisionTag, Verdict

pytestmark = pytest.mark.rule("R3")
NOW = datetime(2026, 3, 10, tzinfo=UTC)
CODE = "7ABCDEFGHJK5"


def test_the_class_says_that_a_voucher_logged_in() -> None:
    assert of_voucher("tw1:12:n") == "tw1:12:n:v"
    for marked in ("tw1:12:n:v", "tw1:12:n55:v", "tw1:12:s:v:ppp"):
        assert is_vouchers(marked)
    for other in ("tw1:12:n", "tw1:12:n:ppp", "tw1:12:n:ppp:v", "abc:v", ""):
        assert not is_vouchers(other)
    assert link_of("tw1:12:n:v:hotspot") is Link.HOTSPOT
    assert link_of("tw1:12:n:v") is Link.OTHER
    assert link_of("tw1:12:n:v:v:ppp") is Link.OTHER


def test_a_decision_travels_with_the_name() -> None:
    for tag in (
        DecisionTag(Verdict.ACCEPT, Reason.OK, 1, 2, 3, login_name="voucher-00000017"),
        DecisionTag(Verdict.REJECT, Reason.BAD_PASSWORD, login_name=UNKNOWN_LOGIN),
        DecisionTag(Verdict.ACCEPT, Reason.OK, 1, 2, None, Admission(session_limit=1), "voucher-1"),
    ):
        assert DecisionTag.decode(tag.encode()) == tag
    for text in ("bob@accept:ok:1:2:0", "@accept:ok:1:2:0", "voucher-1@"):
        with pytest.raises(ValueError, match="Tollway-Decision"):
            DecisionTag.decode(text)


def _accounted(name: str, told: str, **more: str) -> AccountingRecord | UnusableRecord:
    pairs = {
        "User-Name": name,
        "Acct-Session-Id": "s1",
        "Acct-Status-Type": "Start",
        "Class": f"0x{told.encode().hex()}",
        "Tollway-Client-Address": "192.0.2.1",
        **more,
    }
    return accounting_record(list(pairs.items()), NOW, NasTraits(nas_id=1))


def test_accounting_under_the_code_is_known_by_its_class_alone() -> None:
    record = _accounted(CODE, "tw1:12:n:v")
    assert isinstance(record, AccountingRecord)
    assert (record.username, record.sent_username) == (VOUCHER_NAME, VOUCHER_NAME)
    assert record.session_class == "tw1:12:n:v"
    for name, told in (("voucher-00000017", "tw1:12:n:v"), ("bob", "tw1:12:n")):
        record = _accounted(name, told)
        assert isinstance(record, AccountingRecord)
        assert (record.username, record.sent_username) == (name, name)


def test_a_dead_letter_does_not_tell_the_code() -> None:
    letter = _accounted(CODE, "tw1:12:n:v", **{"Acct-Session-Id": ""})
    assert isinstance(letter, UnusableRecord)
    assert CODE not in letter.raw and "Class=" in letter.raw
    letter = _accounted("bob", "tw1:12:n", **{"Acct-Session-Id": ""})
    assert isinstance(letter, UnusableRecord)
    assert "User-Name=bob" in letter.raw


def test_a_login_that_nobody_could_look_up_is_not_kept_under_a_code() -> None:
    (code,) = new_codes(CodeFormat(length=12), 1)
    nobody = DecisionTag(Verdict.REJECT, Reason.UNAVAILABLE)

    def name(text: str, tag: DecisionTag) -> str:
        return attempt(AccessRequest(text, "192.0.2.1"), tag, NOW).username

    assert name(code.lower(), nobody) == UNKNOWN_LOGIN
    assert name("bob", nobody) == "bob"
    known = DecisionTag(Verdict.REJECT, Reason.UNAVAILABLE, 1, 2)
    assert name(code.lower(), known) == code.lower()
    named = DecisionTag(Verdict.ACCEPT, Reason.OK, 1, 2, login_name="voucher-00000017")
    assert name(code.lower(), named) == "voucher-00000017"


def test_the_name_as_it_was_sent_is_not_shown() -> None:
    request = access_request([("User-Name", " 7AbC "), ("Tollway-Client-Address", "192.0.2.1")])
    assert (request.username, request.sent_username) == ("7abc", " 7AbC ")
    assert "7AbC" not in repr(request)


def test_hashes_and_passwords_hang_on_the_key() -> None:
    here, elsewhere = (CodeKey(0, SecretBox(letter * 32)) for letter in (b"a", b"b"))
    form = CodeFormat(length=12, alphabet=Alphabet.DIGITS, password_length=8)
    assert here.code_hash("1234-5678 9012") == here.code_hash("123456789012")
    assert here.code_hash(CODE) == here.code_hash(CODE.lower())
    assert here.code_hash(CODE) != elsewhere.code_hash(CODE)
    assert here.code_hash(CODE) != here.box.keyed_hash(CODE, "voucher password")
    assert len(here.code_hash(CODE)) == 32
    password = here.password_of(CODE, form)
    assert len(password) == 8 and set(password) <= set(Alphabet.DIGITS.characters)
    assert password == here.password_of(CODE.lower(), form) != elsewhere.password_of(CODE, form)
    assert here.password_of(CODE, CodeFormat(length=12)) == ""
