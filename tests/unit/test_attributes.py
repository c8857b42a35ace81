"""RADIUS pairs as FreeRADIUS 3.2.7 passes them → typed requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.events import AccountingRecord, Status, Unusable, UnusableRecord
from billing.model.network import NasTraits
from radius_plugin.attributes import (
    DEAD_LETTER_LIMIT,
    RAW_LIMIT,
    UNKNOWN_ADDRESS,
    access_request,
    accounting_record,
)
from radius_plugin.pairs import instant, source_address
from tests.fuzz.pairs import Request, requests

ARRIVED_AT = datetime(2026, 11, 21, 20, 44, 30, tzinfo=UTC)
NAS = NasTraits(nas_id=1)
INTERIM = {
    "Acct-Status-Type": "Interim-Update",
    "User-Name": "Alice@ISP.example",
    "Acct-Session-Id": "8180001f",
    "NAS-IP-Address": "10.0.0.1",
    "NAS-Port-Id": "ether5",
    "Calling-Station-Id": "AA:BB:CC:DD:EE:FF",
    "Called-Station-Id": "service1",
    "Acct-Session-Time": "3600",
    "Acct-Input-Octets": "1000",
    "Acct-Output-Octets": "2000",
    "Framed-IP-Address": "10.1.2.3",
    "Class": "0x7477313a31323a6e",
    "Event-Timestamp": "Nov 21 2026 20:44:23 UTC",
    "Acct-Delay-Time": "5",
    "Tollway-Client-Address": "192.0.2.7",
}


def pairs(**changes: str | None) -> tuple[tuple[str, str], ...]:
    """An Interim with some attributes changed (underscores for hyphens) or, with None, removed."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return tuple((k, v) for k, v in (INTERIM | named).items() if v is not None)


def usable(record: AccountingRecord | UnusableRecord) -> AccountingRecord:
    assert isinstance(record, AccountingRecord)
    return record


def interim(**changes: str | None) -> AccountingRecord:
    return usable(accounting_record(pairs(**changes), ARRIVED_AT, NAS))


@pytest.mark.rule("U4", "U6", "U12")
def test_a_whole_record() -> None:
    assert interim(
        Acct_Output_Gigawords="2",
        Framed_IPv6_Prefix="2001:db8:0:5::/64",
        Framed_IPv6_Address="2001:db8::1",
        Delegated_IPv6_Prefix="2001:db8:100::1/56",
        Framed_Interface_Id="1:2:3:4",
    ) == AccountingRecord(
        status=Status.INTERIM,
        username="alice@isp.example",
        sent_username="Alice@ISP.example",
        nas_address="192.0.2.7",
        acct_session_id="8180001f",
        arrived_at=ARRIVED_AT,
        event_at=datetime(2026, 11, 21, 20, 44, 23, tzinfo=UTC),
        precise_time=True,
        session_seconds=3600,
        input_octets=1000,
        output_octets=2 * 2**32 + 2000,
        has_gigawords=True,
        framed_ip="10.1.2.3",
        framed_ipv6_prefix="2001:db8:0:5::/64",
        framed_ipv6_address="2001:db8::1",
        delegated_ipv6_prefix="2001:db8:100::/56",
        framed_interface_id="1:2:3:4",
        calling_station="aabbccddeeff",
        called_station="service1",
        nas_port_id="ether5",
        session_class="tw1:12:n",
    )


@pytest.mark.parametrize(
    ("text", "status"),
    [("Start", Status.START), ("Stop", Status.STOP), ("Alive", Status.INTERIM)],
)
def test_statuses(text: str, status: Status) -> None:
    assert interim(Acct_Status_Type=text).status is status


def test_no_gigawords_means_a_counter_that_wraps() -> None:
    assert not interim().has_gigawords
    assert interim(Acct_Input_Gigawords="0").has_gigawords


@pytest.mark.rule("U8")
def test_swapped_octets() -> None:
    record = usable(accounting_record(pairs(), ARRIVED_AT, NasTraits(nas_id=1, swap_octets=True)))
    assert (record.input_octets, record.output_octets) == (2000, 1000)


@pytest.mark.rule("U4")
def test_absent_is_not_zero() -> None:
    record = interim(Acct_Input_Octets=None, Acct_Session_Time=None)
    assert record.input_octets is None
    assert record.session_seconds is None
    assert record.output_octets == 2000
    assert record.anomalies == ("no-acct-session-time", "no-acct-input-octets")


def test_a_start_needs_no_counters() -> None:
    record = interim(
        Acct_Status_Type="Start",
        Acct_Input_Octets=None,
        Acct_Output_Octets=None,
        Acct_Session_Time=None,
    )
    assert record.anomalies == ()


@pytest.mark.rule("U4")
@pytest.mark.parametrize(
    "value", ["-1", "4294967296", "9" * 30, "x", "1.5", "", "0x01", "٣", " 7", "1_0"]
)
def test_absurd_counters_are_none_and_kept_raw(value: str) -> None:
    record = interim(Acct_Input_Octets=value)
    assert record.input_octets is None
    assert record.anomalies == ("bad-acct-input-octets",)
    assert record.raw is not None
    assert len(record.raw) <= RAW_LIMIT


@pytest.mark.rule("U4")
def test_absurd_gigawords_and_times() -> None:
    record = interim(Acct_Output_Gigawords="4294967295", Acct_Session_Time="4294967295")
    assert record.output_octets is None
    assert record.session_seconds is None
    assert record.input_octets == 1000
    assert set(record.anomalies) == {"bad-acct-output-octets", "bad-acct-session-time"}


@pytest.mark.rule("U4")
def test_a_gigaword_without_its_octets_is_no_counter() -> None:
    record = interim(Acct_Output_Octets=None, Acct_Output_Gigawords="1")
    assert record.output_octets is None
    assert record.anomalies == ("no-acct-output-octets",)


@pytest.mark.rule("U4")
def test_a_counter_of_two_bytes_arrives_under_its_number() -> None:
    changed = (*pairs(Acct_Input_Octets=None), ("Attr-42", "0x1234"))
    record = usable(accounting_record(changed, ARRIVED_AT, NAS))
    assert record.input_octets is None
    assert record.anomalies == ("bad-acct-input-octets",)
    assert record.raw == "Acct-Input-Octets=0x1234"


@pytest.mark.rule("U6")
def test_a_wrong_clock_keeps_the_raw_times() -> None:
    record = interim(Event_Timestamp="Jan  1 1970 00:00:00 UTC")
    assert record.event_at == ARRIVED_AT - timedelta(seconds=5)
    assert record.anomalies == ("clock-disagrees",)
    assert record.raw == "Acct-Delay-Time=5; Event-Timestamp=Jan  1 1970 00:00:00 UTC"


@pytest.mark.rule("U6")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nov  1 2026 20:44:23 UTC", datetime(2026, 11, 1, 20, 44, 23, tzinfo=UTC)),
        ("Feb 30 2026 20:44:23 UTC", None),
        ("Nov 21 2026 20:44:23 CET", None),
        ("Nov 21 2026 20:44:xx UTC", None),
        ("1795295132", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: datetime | None) -> None:
    assert instant(text) == expected


@pytest.mark.rule("U7")
def test_accounting_on_has_no_session() -> None:
    record = interim(Acct_Status_Type="Accounting-On", User_Name=None, Acct_Session_Id=None)
    assert (record.status, record.username, record.acct_session_id) == (Status.ON, "", "")


@pytest.mark.rule("F5")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"User_Name": None}, Unusable.NO_USERNAME),
        ({"User_Name": "  "}, Unusable.NO_USERNAME),
        ({"User_Name": "x" * 300}, Unusable.BAD_USERNAME),
        ({"Acct_Session_Id": None}, Unusable.NO_SESSION_ID),
        ({"Acct_Session_Id": ""}, Unusable.NO_SESSION_ID),
        ({"Acct_Session_Id": "x" * 300}, Unusable.BAD_SESSION_ID),
        ({"Acct_Status_Type": "77"}, Unusable.UNKNOWN_STATUS),
        ({"Acct_Status_Type": None}, Unusable.UNKNOWN_STATUS),
        ({"Tollway_Client_Address": None}, Unusable.NO_SOURCE),
    ],
)
def test_what_belongs_to_no_session_is_kept(
    changes: dict[str, str | None], reason: Unusable
) -> None:
    record = accounting_record(pairs(**changes), ARRIVED_AT, NAS)
    assert isinstance(record, UnusableRecord)
    assert record.reason is reason
    assert "Acct-Output-Octets=2000" in record.raw


def malformed(user_name: bytes, session_id: bytes) -> tuple[tuple[str, str], ...]:
    """A record in which some text is not UTF-8: all its texts come as octets."""
    return (
        ("Acct-Status-Type", "Stop"),
        ("Acct-Session-Time", "60"),
        ("Acct-Input-Octets", "1"),
        ("Acct-Output-Octets", "2"),
        ("Tollway-Malformed", "text"),
        ("Tollway-Raw-User-Name", f"0x{user_name.hex()}"),
        ("Tollway-Raw-Acct-Session-Id", f"0x{session_id.hex()}"),
        ("Tollway-Raw-Called-Station-Id", "0xe9e9"),
        ("Tollway-Client-Address", "192.0.2.7"),
    )


@pytest.mark.rule("F5")
def test_an_unreadable_station_does_not_lose_the_record() -> None:
    record = usable(accounting_record(malformed(b"Bob", b"s1"), ARRIVED_AT, NAS))
    assert (record.username, record.acct_session_id) == ("bob", "s1")
    assert record.called_station is None
    assert record.anomalies == ("bad-called-station-id",)
    assert record.raw == "Called-Station-Id=0xe9e9"


@pytest.mark.rule("F5")
@pytest.mark.parametrize(
    ("user_name", "session_id", "reason"),
    [
        (b"\xe9", b"s1", Unusable.BAD_USERNAME),
        (b"bob", b"\xff", Unusable.BAD_SESSION_ID),
    ],
)
def test_an_unreadable_identity_is_a_dead_letter(
    user_name: bytes, session_id: bytes, reason: Unusable
) -> None:
    record = accounting_record(malformed(user_name, session_id), ARRIVED_AT, NAS)
    assert isinstance(record, UnusableRecord)
    assert record.reason is reason


def test_nul_is_never_stored() -> None:
    record = usable(accounting_record(malformed(b"bob", b"a\0b"), ARRIVED_AT, NAS))
    assert record.acct_session_id == "a\ufffdb"


def test_foreign_classes_and_missing_addresses() -> None:
    record = interim(
        Class="0xff00", Framed_IP_Address="255.255.255.254", Framed_IPv6_Prefix="::/200"
    )
    assert record.session_class == "0xff00"
    assert record.framed_ip is None
    assert record.framed_ipv6_prefix is None
    assert record.anomalies == ("bad-framed-ipv6-prefix",)


def test_the_first_of_repeated_attributes_counts() -> None:
    repeated = (*pairs(), ("User-Name", "mallory"), ("Class", "0x00"))
    record = usable(accounting_record(repeated, ARRIVED_AT, NAS))
    assert (record.username, record.session_class) == ("alice@isp.example", "tw1:12:n")
    assert access_request(repeated).username == "alice@isp.example"


@pytest.mark.rule("A1")
@pytest.mark.parametrize(
    ("sent", "username"),
    [
        ("Bob", "bob"),
        ("Bob@ISP.example", "bob@isp.example"),
        ("AA-BB-CC-DD-EE-FF", "aabbccddeeff"),
        ("aabb.ccdd.eeff", "aabbccddeeff"),
        ("x" * 254, ""),
    ],
)
def test_user_names_of_logins(sent: str, username: str) -> None:
    request = access_request(pairs(User_Name=sent))
    assert request.username == username
    assert request.nas_address == "192.0.2.7"
    assert request.calling_station == "aabbccddeeff"
    assert request.nas_port_id == "ether5"


def test_a_login_without_anything() -> None:
    assert access_request(None).username == ""
    assert access_request(()).nas_address == ""
    assert source_address(None) is None
    assert source_address(pairs()) == "192.0.2.7"


@pytest.mark.rule("F5")
@given(requests(), st.booleans())
def test_any_pairs_give_a_record_that_can_be_stored(request: Request, complete: bool) -> None:
    given_pairs = (*request, *(pairs() if complete else ())) if request else request
    record = accounting_record(given_pairs, ARRIVED_AT, NAS)
    texts = [value for value in _fields(record) if isinstance(value, str)]
    assert all("\0" not in value and value.encode() is not None for value in texts)
    if isinstance(record, UnusableRecord):
        assert len(record.raw) <= DEAD_LETTER_LIMIT
        assert record.nas_address in (UNKNOWN_ADDRESS, source_address(given_pairs))
        return
    counters = (record.session_seconds, record.input_octets, record.output_octets)
    assert all(value is None or 0 <= value < 2**62 for value in counters)
    assert abs(record.event_at - ARRIVED_AT) <= timedelta(hours=24)
    login = access_request(given_pairs)
    assert all("\0" not in value for value in _fields(login) if isinstance(value, str))


def _fields(value: object) -> list[object]:
    return [getattr(value, name) for name in value.__slots__]  # type: ignore[attr-defined]
