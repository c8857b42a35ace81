"""Mandates, days of collection, reasons and identifiers of direct debits (P5, P7)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing.errors import InvalidInput
from billing.model.payments import DeclineKind, GatewayConfig
from billing.model.sepa import Creditor, MandateState, Sequence
from billing.payments.sepa_gateway import checked_account, open_gateway
from billing.rules.cycles import bank_day_from, is_bank_day
from billing.rules.sepa import (
    batch_id,
    cleaned,
    collection_problem,
    collections_named,
    decline_of,
    earliest_collection,
    end_to_end_id,
    mandate_state,
    masked,
    message_id,
    reason_problem,
    reference_problem,
    revokes,
    sequence_after,
)

CREDITOR = Creditor(
    name="Net", creditor_id="DE98ZZZ09999999999", lead_days=5, cut_off_minute=12 * 60
)
IBAN = "DE89370400440532013000"
SETTINGS = {"creditor_name": "Example Net", "creditor_id": "DE98ZZZ09999999999"}


def config(**settings: str) -> GatewayConfig:
    return GatewayConfig(
        gateway_id=1,
        name="debit",
        adapter="sepa",
        settings=SETTINGS | settings,
        secrets={"iban": IBAN},
    )


@pytest.mark.rule("P5")
def test_a_mandate_that_was_not_used_for_36_months_has_expired() -> None:
    signed = date(2023, 3, 20)
    last = date(2026, 3, 20)
    assert mandate_state(signed, None, last, removed=False) is MandateState.SIGNED
    assert mandate_state(signed, None, date(2026, 3, 21), removed=False) is MandateState.EXPIRED
    used = date(2023, 3, 21)
    assert mandate_state(signed, used, date(2026, 3, 21), removed=False) is MandateState.SIGNED
    assert mandate_state(signed, used, last, removed=True) is MandateState.REVOKED


def test_banks_settle_on_no_weekend_and_no_holiday_of_target() -> None:
    closed = [
        date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1),
        date(2026, 12, 25), date(2026, 12, 26), date(2026, 3, 21), date(2026, 3, 22),
    ]  # fmt: skip
    assert [day for day in closed if is_bank_day(day)] == []
    assert is_bank_day(date(2026, 4, 2)) and is_bank_day(date(2026, 5, 25))
    assert bank_day_from(date(2026, 4, 3)) == date(2026, 4, 7)


@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        # 12:00 in Berlin is the cut-off: from then on it counts as the next day's.
        (datetime(2026, 3, 23, 10, 59, 59, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 3, 24, 10, 59, 59, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 3, 25, 10, 59, 59, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 3, 25, 11, 0, 0, tzinfo=UTC), date(2026, 3, 31)),
        # Five days after Sunday is Good Friday.
        (datetime(2026, 3, 29, 8, 0, 0, tzinfo=UTC), date(2026, 4, 7)),
    ],
)
def test_a_file_collects_after_its_lead_on_a_bank_day(now: datetime, earliest: date) -> None:
    assert earliest_collection(CREDITOR, now, "Europe/Berlin") == earliest


def test_a_day_that_cannot_be_is_refused_with_one_that_can() -> None:
    now = datetime(2026, 3, 25, 9, tzinfo=UTC)
    assert "2026-03-30" in collection_problem(date(2026, 3, 29), CREDITOR, now, "UTC")
    assert collection_problem(date(2026, 3, 30), CREDITOR, now, "UTC") == ""
    assert "2026-04-07" in collection_problem(date(2026, 4, 4), CREDITOR, now, "UTC")
    assert "more than 60 days" in collection_problem(date(2026, 6, 1), CREDITOR, now, "UTC")


def test_a_series_goes_on_and_one_that_is_the_last_ends() -> None:
    assert sequence_after(Sequence.FIRST) is Sequence.RECURRING
    assert sequence_after(Sequence.RECURRING) is Sequence.RECURRING
    assert sequence_after(Sequence.ONE_OFF) is None
    assert sequence_after(Sequence.FINAL) is None


@pytest.mark.rule("P7")
def test_too_little_in_the_account_may_go_well_later_and_no_mandate_will_not() -> None:
    assert decline_of("AM04") is DeclineKind.SOFT
    assert decline_of("MD01") is decline_of("ZZ99") is DeclineKind.HARD
    assert revokes("MD01") and revokes("AC04")
    assert not revokes("AM04") and not revokes("MD06")
    assert reason_problem("AM04") == "" and reason_problem("am4")


def test_identifiers_are_found_in_what_banks_write() -> None:
    assert collections_named(f"EREF+{end_to_end_id(7, 123)} SVWZ+Payment of INV-9") == {
        (7, None, 123)
    }
    assert collections_named(f"SAMMLER {message_id(7)} 3 ST") == {(7, None, None)}
    assert collections_named(batch_id(7, 2)) == {(7, 2, None)}
    assert collections_named("twdd 7") == {(7, None, None)}
    assert collections_named("XTWDD-7 TWDD-7A INV-7") == set()


def test_texts_hold_what_banks_allow() -> None:
    assert cleaned("Ada & Bob <Net>\n#1") == "Ada Bob Net 1"
    assert reference_problem("TW12-AB/3") == ""
    assert all(reference_problem(bad) for bad in ("", " a", "a ", "ä", "x" * 36, "a_b"))
    assert masked(IBAN) == "DE89 … 3000"


def test_accounts_are_checked() -> None:
    assert checked_account("de89 3704 0044 0532 0130 00", "cobadeff xxx") == (
        IBAN, "COBADEFFXXX",
    )  # fmt: skip
    assert checked_account(IBAN, "") == (IBAN, None)
    for iban, bic, field in [
        ("", "", "iban"),
        ("DE89370400440532013001", "", "iban"),
        ("DE8937040044053201300", "", "iban"),
        ("XX12", "", "iban"),
        (IBAN, "COBA", "bic"),
    ]:
        with pytest.raises(InvalidInput) as found:
            checked_account(iban, bic)
        assert found.value.field == field


def test_a_creditor_is_told_what_is_missing() -> None:
    assert open_gateway(config()).creditor.lead_days == 5
    for wrong, field in [
        ({"creditor_id": ""}, "creditor_id"),
        ({"creditor_id": "DE97ZZZ09999999999"}, "creditor_id"),
        ({"creditor_name": " "}, "creditor_name"),
        ({"schema": "pain.001.001.03"}, "schema"),
        ({"schema": "pain.008.001.02"}, "bic"),
        ({"lead_days": "0"}, "lead_days"),
        ({"cut_off": "25:00"}, "cut_off"),
    ]:
        with pytest.raises(InvalidInput) as found:
            open_gateway(config(**wrong))
        assert found.value.field == field
    assert IBAN not in repr(open_gateway(config()))
