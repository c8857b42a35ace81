"""Decision → reply and control lists (rules A2, A3, B10, F6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.account import Credential
from billing.model.decision import (
    MESSAGES,
    Accept,
    Admission,
    Decision,
    Limits,
    Reason,
    Reject,
    Service,
    Suspended,
)
from billing.model.network import Vendor
from radius_plugin.reply import (
    DecisionTag,
    Verdict,
    address_pairs,
    control_pairs,
    message_pair,
    noted,
    reply_pairs,
    tag_of,
)

SERVICE = Service(
    pool="home",
    framed_ip="10.9.8.7",
    speed_up_kbps=512,
    speed_down_kbps=2048,
    idle_timeout_seconds=600,
    limits=Limits(session_seconds=1, total_octets=1000),
    session_class="tw1:12:s",
)
TAG = DecisionTag(Verdict.ACCEPT, Reason.OK, 7, 12, None)
IDS = st.none() | st.integers(1, 2**63 - 1)


def by_name(decision: Decision, vendor: str = Vendor.MIKROTIK) -> dict[str, str]:
    pairs = reply_pairs(decision, vendor)
    assert isinstance(pairs, tuple)
    assert all(len(pair) == 3 and all(type(part) is str for part in pair) for pair in pairs)
    return {name: value for name, _, value in pairs}


@pytest.mark.rule("A6", "B2")
def test_accept() -> None:
    reply = by_name(Accept(service=SERVICE))
    assert reply["Session-Timeout"] == "1"
    assert reply["Framed-IP-Address"] == "10.9.8.7"
    assert reply["Mikrotik-Rate-Limit"] == "512k/2048k"
    assert reply["Mikrotik-Total-Limit"] == "1000"
    assert "Reply-Message" not in reply


@pytest.mark.rule("B10", "A6")
def test_suspended_gets_its_pool_and_nothing_that_was_bought() -> None:
    reply = by_name(Suspended(reason=Reason.OVERDUE, service=SERVICE))
    assert reply == {
        "Acct-Interim-Interval": "300",
        "Framed-Pool": "home",
        "Session-Timeout": "1",
        "Idle-Timeout": "600",
        "Class": "0x7477313a31323a73",
        "Mikrotik-Address-List": "home",
        "Reply-Message": MESSAGES[Reason.OVERDUE],
    }


@pytest.mark.rule("A3")
@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.OK, Reason.SNAPSHOT}))
def test_reject_carries_its_message_alone(reason: Reason) -> None:
    pairs = reply_pairs(Reject(reason=reason), Vendor.CHILLI)
    assert pairs == (message_pair(reason),)
    assert pairs[0][2] == MESSAGES[reason]


@pytest.mark.rule("A2", "F6")
def test_passwords_are_escaped() -> None:
    pairs = control_pairs(Credential(cleartext='a\\b"c\\\\'), TAG)
    assert pairs == (
        ("Tollway-Decision", ":=", "accept:ok:7:12:0"),
        ("Cleartext-Password", ":=", 'a\\\\b"c\\\\\\\\'),
    )


@pytest.mark.rule("A2")
def test_hashes() -> None:
    assert control_pairs(Credential(nt_hash=bytes(range(16))), TAG)[1] == (
        "NT-Password",
        ":=",
        "0x000102030405060708090a0b0c0d0e0f",
    )
    salted = "HMACSHA2+256:AAAnEA==:c2FsdHNhbHQ=:aGFzaA=="
    assert control_pairs(Credential(pbkdf2=salted), TAG)[1] == (
        "Password-With-Header",
        ":=",
        "{x-pbkdf2}" + salted,
    )


@pytest.mark.rule("A4")
@pytest.mark.parametrize("credential", [None, Credential(), Credential(cleartext="")])
def test_without_a_credential_the_decision_goes_alone(credential: Credential | None) -> None:
    assert control_pairs(credential, TAG) == (("Tollway-Decision", ":=", "accept:ok:7:12:0"),)


@pytest.mark.rule("F6", "F7")
@pytest.mark.parametrize(
    "credential",
    [
        Credential(cleartext="se\0cret"),
        Credential(nt_hash=b"secret"),
        Credential(pbkdf2="secret"),
        Credential(pbkdf2="HMACSHA2+256:AAAnEA==:secret\u00e9:aGFzaA=="),
    ],
)
def test_malformed_credentials_are_refused_without_being_told(credential: Credential) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        control_pairs(credential, TAG)
    assert "secret" not in str(caught.value)


def test_the_tag_of_a_decision() -> None:
    accept = Accept(service=SERVICE, activate_entitlement_id=99)
    assert tag_of(accept, 7, 12).encode() == "accept:ok:7:12:99"
    suspended = Suspended(reason=Reason.OVERDUE, service=SERVICE)
    assert tag_of(suspended, 7, 12).encode() == "suspended:overdue:7:12:0"
    assert tag_of(Reject(reason=Reason.UNKNOWN_USER)).encode() == "reject:unknown-user:0:0:0"


@pytest.mark.rule("A1")
def test_a_plain_grant_takes_nothing_and_others_say_what() -> None:
    accept = Accept(service=SERVICE)
    assert not tag_of(accept, 7, 12).takes_something
    assert tag_of(Accept(service=SERVICE, activate_entitlement_id=9), 7, 12).takes_something
    take = Admission(session_limit=2, pool_id=5, silence_seconds=900)
    for decision in (accept, Suspended(reason=Reason.OVERDUE, service=SERVICE)):
        tag = tag_of(decision, 7, 12, take)
        assert tag.takes_something
        assert tag.encode().endswith(":7:12:0:2:5:900")


@given(st.sampled_from(Verdict), st.sampled_from(Reason), IDS, IDS, IDS, st.none() | IDS)
def test_the_tag_survives_the_way(
    verdict: Verdict,
    reason: Reason,
    customer: int | None,
    subscription: int | None,
    bought: int,
    pool: int | None,
) -> None:
    taking = {} if pool is None else {"admission": Admission(pool_id=pool, silence_seconds=900)}
    tag = DecisionTag(verdict, reason, customer, subscription, bought, **taking)
    text = tag.encode()
    assert DecisionTag.decode(text) == tag
    name, _, longer = noted(("Tollway-Decision", ":=", text), 5)
    assert (name, DecisionTag.decode(longer)) == ("Tollway-Decision", replace(tag, attempt=5))


@pytest.mark.rule("A6")
def test_a_pool_of_ours_is_not_sent_but_still_names_the_garden() -> None:
    service = replace(SERVICE, pool=None, framed_ip=None, leased_pool="walled")
    accepted = by_name(Accept(service=service), Vendor.MIKROTIK)
    assert "Framed-Pool" not in accepted and "Mikrotik-Address-List" not in accepted
    suspended = by_name(Suspended(reason=Reason.OVERDUE, service=service), Vendor.MIKROTIK)
    assert "Framed-Pool" not in suspended
    assert suspended["Mikrotik-Address-List"] == "walled"
    assert address_pairs("10.0.0.7", None) == (("Framed-IP-Address", ":=", "10.0.0.7"),)
    assert address_pairs("10.0.0.7", "255.255.255.0")[1:] == (
        ("Framed-IP-Netmask", ":=", "255.255.255.0"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accept:ok:1:2",
        "accept:ok:1:2:3:4",
        "Accept:ok:1:2:3",
        "accept:fine:1:2:3",
        "accept:ok:-1:2:3",
        "accept:ok:01:2:3",
        "accept:ok: 1:2:3",
        "accept:ok:x:2:3",
        "accept:ok:9223372036854775808:2:3",
        "accept:ok:1:2:3\n",
        "accept:ok:1:2:3#",
        "accept:ok:1:2:3#-1",
        "accept:ok:1:2:3#1#2",
        "accept:ok:٣:2:3",
    ],
)
def test_a_foreign_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        DecisionTag.decode(text)


@given(st.text())
def test_any_text_decodes_to_what_encodes_it_or_is_refused(text: str) -> None:
    try:
        tag = DecisionTag.decode(text)
    except ValueError:
        return
    assert tag.encode() == text
