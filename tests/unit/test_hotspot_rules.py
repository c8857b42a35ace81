"""What is believed of a hotspot's NAS, and what it is sent (rule B13)."""

from __future__ import annotations

from hashlib import md5
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.model.decision import MESSAGES, Reason
from billing.model.hotspots import Arrival, LoginDialect
from billing.rules.hotspots import (
    arrive,
    entry_page,
    exit_page,
    hand_over,
    login_address,
    needs_challenge,
    told_reason,
    uam_proof,
    unescaped,
)

pytestmark = pytest.mark.rule("B13")
MIKROTIK, CHILLI, GENERIC = LoginDialect
HERE = ("http://10.5.50.1", "https://login.example.net")
BACK = "https://wifi.example.net/hotspot/k/online"


@pytest.mark.parametrize(
    ("dialect", "text", "written"),
    [
        (MIKROTIK, "http://10.5.50.1", "http://10.5.50.1"),
        (MIKROTIK, " HTTP://10.5.50.1:80/login?dst=http://a.example/ ", "http://10.5.50.1"),
        (MIKROTIK, "https://Login.Example.net:443/", "https://login.example.net"),
        (CHILLI, "http://10.1.0.1:3990/", "http://10.1.0.1:3990"),
        (CHILLI, "http://[fd00::1]:3990", "http://[fd00::1]:3990"),
        (GENERIC, "https://ap.example.net/cgi-bin/in", "https://ap.example.net/cgi-bin/in"),
    ],
)
def test_a_login_address_is_written_in_one_way(
    dialect: LoginDialect, text: str, written: str
) -> None:
    assert login_address(text, dialect) == written
    assert login_address(written, dialect) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.5.50.1",
        "//10.5.50.1",
        "javascript:alert(1)",
        "ftp://10.5.50.1",
        "http://",
        "http://user@10.5.50.1",
        "http://10.5.50.1:99999",
        "http://10.5.50.1; form-action *",
        "http://ev il.example",
        "http://ünï.example",
        "http://[10.5.50.1",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert login_address(text, MIKROTIK) is None
    assert login_address(text, GENERIC) is None


@pytest.mark.parametrize(
    "text", ["https://a.example/x?y=1", "https://a.example/x#y", "https://a.example/<"]
)
def test_a_generic_address_has_no_more_than_a_path(text: str) -> None:
    assert login_address(text, GENERIC) is None


@pytest.mark.parametrize(
    "named",
    [
        "http://evil.example/login",
        "http://10.5.50.1.evil.example/login",
        "http://10.5.50.1@evil.example/login",
        "http://10.5.50.1:8080/login",
        "https://10.5.50.1/login",
        "nonsense",
    ],
)
def test_an_address_that_is_not_the_nas_s_is_refused(named: str) -> None:
    assert arrive(MIKROTIK, HERE, {"link-login-only": named}) is None
    assert arrive(GENERIC, HERE, {"login_url": named}) is None


def test_what_a_mikrotik_tells() -> None:
    told = {
        "link-login-only": "http://10.5.50.1/login",
        "link-orig": "http://news.example/a?b=c",
        "mac": "02:00:00:00:00:01",
        "error": "invalid username or password",
        "chap-id": "\\371",
        "chap-challenge": "\\357\\015\\330\\013\\021\\234\\145\\245"
        "\\303\\253\\142\\246\\133\\175\\375\\316",
    }
    found = arrive(MIKROTIK, HERE, told)
    assert found == Arrival(
        address="http://10.5.50.1",
        wanted="http://news.example/a?b=c",
        mac="02:00:00:00:00:01",
        chap_id=b"\xf9",
        challenge=bytes.fromhex("ef0dd80b119c65a5c3ab62a65b7dfdce"),
        said="invalid username or password",
    )


@pytest.mark.parametrize("page", ["javascript:alert(1)", "http://a.example/" + "x" * 500, "/local"])
def test_only_pages_are_gone_on_to(page: str) -> None:
    found = arrive(MIKROTIK, HERE, {"link-orig": page})
    assert found is not None and found.wanted == "" and found.address == HERE[0]


def test_what_a_coovachilli_tells() -> None:
    told = {"uamip": "10.1.0.1", "uamport": "3990", "challenge": "00112233445566778899aabbccddeeff"}
    here = ("http://10.1.0.1:3990",)
    found = arrive(CHILLI, here, {**told, "res": "notyet", "userurl": "http://a.example/"})
    assert found is not None
    assert (found.challenge.hex(), found.is_in) == (told["challenge"], False)
    assert found.wanted == "http://a.example/"
    for res in ("success", "already"):
        again = arrive(CHILLI, here, {**told, "res": res})
        assert again is not None and again.is_in
    assert arrive(CHILLI, here, {**told, "uamip": "10.1.0.2"}) is None
    assert arrive(CHILLI, here, {**told, "uamip": "10.1.0.1:3990@evil.example/"}) is None
    garbled = arrive(CHILLI, here, {**told, "challenge": "zz"})
    assert garbled is not None and garbled.challenge == b""


def test_octets_as_routeros_writes_them() -> None:
    assert unescaped("\\000A\\377\\\\") == b"\x00A\xff\\\\"
    assert unescaped("\\400") == b"\\400"
    assert unescaped("ю") == b"?"


def test_a_mikrotik_is_sent_a_form() -> None:
    plain = hand_over(MIKROTIK, Arrival(address=HERE[0]), "ann", "secret", back=BACK)
    assert plain is not None and plain.posts and plain.url == "http://10.5.50.1/login"
    assert dict(plain.fields) == {
        "username": "ann", "password": "secret", "dst": BACK, "popup": "false"
    }  # fmt: skip
    seen = Arrival(address=HERE[0], chap_id=b"\xf9", challenge=b"0123456789abcdef")
    proved = hand_over(MIKROTIK, seen, "ann", "secret", back=BACK)
    assert proved is not None
    assert dict(proved.fields)["password"] == md5(b"\xf9secret0123456789abcdef").hexdigest()  # noqa: S324


def test_a_coovachilli_is_sent_a_link() -> None:
    challenge = bytes(range(16))
    seen = Arrival(address="http://10.1.0.1:3990", challenge=challenge)
    made = hand_over(CHILLI, seen, "a&b c", "secret", back=BACK, uam_secret="shared")
    assert made is not None and not made.posts and made.fields == ()
    parts = urlsplit(made.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://10.1.0.1:3990/logon"
    sent = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (sent["username"], sent["userurl"]) == ("a&b c", BACK)
    mask = md5(challenge + b"shared").digest()  # noqa: S324
    typed = bytes(a ^ b for a, b in zip(bytes.fromhex(sent["password"]), mask, strict=True))
    assert typed.rstrip(b"\0") == b"secret"
    assert hand_over(CHILLI, Arrival(address=HERE[0]), "a", "b", back=BACK) is None


def test_a_long_password_is_proved_instead() -> None:
    challenge, password = bytes(range(16)), "seventeen letters"
    assert uam_proof(challenge, "sixteen letters!", "").keys() == {"password"}
    assert uam_proof(challenge, password, "") == {
        "response": md5(b"\0" + password.encode() + challenge).hexdigest()  # noqa: S324
    }


def test_who_else_is_sent_a_form_with_what_was_typed() -> None:
    made = hand_over(GENERIC, Arrival(address=HERE[1]), "ann", "secret", back=BACK)
    assert made is not None and made.posts and made.url == HERE[1]
    assert dict(made.fields) == {"username": "ann", "password": "secret", "dst": BACK}


def test_pages_of_a_nas_and_when_its_challenge_counts() -> None:
    assert entry_page(MIKROTIK, HERE[0]) == "http://10.5.50.1/login"
    assert entry_page(CHILLI, HERE[0]) == "http://10.5.50.1/prelogin"
    assert entry_page(GENERIC, HERE[0]) == HERE[0]
    assert exit_page(MIKROTIK, HERE[0]) == "http://10.5.50.1/logout"
    assert exit_page(CHILLI, HERE[0]) == "http://10.5.50.1/logoff"
    assert exit_page(GENERIC, HERE[0]) == ""
    assert needs_challenge(CHILLI, Arrival(address=HERE[0]))
    assert not needs_challenge(MIKROTIK, Arrival(address=HERE[0]))
    assert needs_challenge(MIKROTIK, Arrival(address=HERE[0], challenge=b"x"))


@pytest.mark.parametrize("reason", sorted(MESSAGES))
def test_our_own_words_come_back(reason: Reason) -> None:
    found = told_reason(f"<b>{MESSAGES[reason].upper()}</b>")
    assert found is not None and MESSAGES[found] == MESSAGES[reason]


def test_words_of_a_nas_and_of_nobody() -> None:
    assert told_reason("RADIUS server is not responding") is Reason.UNAVAILABLE
    assert told_reason("invalid username or password") is Reason.BAD_PASSWORD
    assert told_reason("no more sessions are allowed for user ann") is Reason.TOO_MANY_SESSIONS
    assert told_reason("call +1 900 for your prize") is None
