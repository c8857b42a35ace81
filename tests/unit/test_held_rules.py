"""What an address is looked for by, and how sure it is that a session held it (rule U12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.model.decision import Reason
from billing.model.events import Unusable
from billing.model.who_had import Certainty, Held, Holding
from billing.rules.held import certainty, how_held, wanted_address
from billing.rules.letter_words import letter_words
from billing.rules.login_words import reason_words

T0 = datetime(2026, 3, 10, 12, tzinfo=UTC)


def holding(**more: Any) -> Holding:
    values: dict[str, Any] = {
        "customer_id": 1,
        "customer_name": "c",
        "subscription_id": 1,
        "username": "u",
        "session_id": 1,
        "acct_session_id": "s",
        "nas_name": "n",
        "nas_port_id": None,
        "calling_station": None,
        "started_at": T0,
        "last_event_at": T0 + timedelta(hours=1),
        "closed_at": T0 + timedelta(hours=1),
        "terminate_cause": None,
        "framed_ip": None,
        "framed_ipv6_address": None,
        "framed_ipv6_prefix": None,
        "delegated_ipv6_prefix": None,
        "framed_interface_id": None,
    }
    return Holding(**{**values, **more})


@pytest.mark.rule("U12")
@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (" 192.0.2.7 ", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("2001:db8:7:1::/56", "2001:db8:7::/56"),
    ],
)
def test_one_address_has_one_form(asked: str, written: str) -> None:
    assert wanted_address(asked).text == written


@pytest.mark.rule("U12")
@pytest.mark.parametrize(
    "asked",
    ["", "7", "192.0.2.0/24", "192.0.2.256", "fe80::1%eth0", "host.example", "::1/129", "٣"],
)
def test_what_is_no_address_is_refused_with_what_to_write(asked: str) -> None:
    with pytest.raises(ValueError, match="write it like 192"):
        wanted_address(asked)


@pytest.mark.rule("U12")
def test_every_prefix_that_holds_an_address_is_looked_for_as_it_is_stored() -> None:
    wanted = wanted_address("2001:db8:7:1::abcd")
    assert wanted.interface_id == "0:0:0:abcd"
    assert wanted.ipv6 == "2001:db8:7:1::abcd"
    assert len(wanted.prefixes) == 128
    for stored in ("2001:db8:7:1::abcd/128", "2001:db8:7:1::/64", "2001:db8:7::/56", "2000::/3"):
        assert stored in wanted.prefixes
    assert "2001:db8:7:2::/64" not in wanted.prefixes
    whole = wanted_address("2001:db8:7::/56")
    assert whole.prefixes[0] == "2001:db8:7::/56"
    assert (whole.ipv4, whole.ipv6, whole.interface_id) == (None, None, None)


@pytest.mark.rule("U12")
@pytest.mark.parametrize(
    ("held", "by"),
    [
        ({"framed_ipv6_address": "2001:db8:7:1::abcd"}, Held.ADDRESS),
        (
            {"framed_ipv6_prefix": "2001:db8:7:1::/64", "framed_interface_id": "0:0:0:abcd"},
            Held.PREFIX_AND_INTERFACE,
        ),
        (
            {"framed_ipv6_prefix": "2001:db8:7:1::/64", "framed_interface_id": "0:0:0:1"},
            Held.FRAMED_PREFIX,
        ),
        ({"delegated_ipv6_prefix": "2001:db8:7::/56"}, Held.DELEGATED_PREFIX),
        ({"framed_interface_id": "0:0:0:abcd"}, Held.INTERFACE),
    ],
)
def test_by_what_it_was_held(held: dict[str, str], by: Held) -> None:
    assert how_held(wanted_address("2001:db8:7:1::abcd"), holding(**held)) is by


@pytest.mark.rule("U12")
@pytest.mark.parametrize(
    ("seconds", "closed", "sure"),
    [
        (-1, True, Certainty.NEAR),
        (0, True, Certainty.THEN),
        (3600, True, Certainty.THEN),
        (3601, True, Certainty.NEAR),
        (3600, False, Certainty.THEN),
        (3601, False, Certainty.SILENT),
    ],
)
def test_how_sure_it_is(seconds: int, closed: bool, sure: Certainty) -> None:
    session = holding() if closed else holding(closed_at=None)
    assert certainty(session, T0 + timedelta(seconds=seconds)) is sure


@pytest.mark.rule("A3")
def test_every_reason_has_words_of_its_own() -> None:
    words = [reason_words(reason) for reason in Reason]
    assert len(set(words)) == len(Reason)
    assert not {reason.value for reason in Reason} & {
        word for word in words if "-" in word
    }  # not the code itself
    assert reason_words("of-a-later-version") == "of-a-later-version"


def test_every_unusable_record_has_words() -> None:
    for reason in (*Unusable, "unknown-user", "unknown-nas"):
        assert letter_words(reason) != reason
