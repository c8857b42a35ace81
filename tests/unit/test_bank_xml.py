"""XML of banks: which message it is, what is refused unread, what entries say (P1, M5)."""

from __future__ import annotations

from datetime import date

import pytest

from billing.model.bank import BankLine, BankStatement
from billing.model.money import Money
from billing.rules.bank_camt import read_camt
from billing.rules.bank_lines import keyed
from billing.rules.bank_pain import read_status
from billing.rules.bank_xml import Message, iban_problem, is_xml, read_message
from tests.integration.iso20022 import IBAN, Answer, Detail, Entry, Item, camt

STATEMENTS = (Message.STATEMENT, Message.NOTIFICATION)
OTHER = "DE02120300000000202051"


def read(body: bytes, iban: str = IBAN, currency: str = "EUR") -> BankStatement:
    kind, held = read_message(body, *STATEMENTS)
    return read_camt(kind, held, iban, currency)


def only(body: bytes) -> BankLine:
    found = read(body)
    assert found.problems == () and len(found.lines) == 1
    return found.lines[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DTD"),
        (b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://[::1]/x"> %b;]><a/>', "DTD"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"), "DTD"),
        (b"<Document><BkToCstmrStmt>&b;</BkToCstmrStmt></Document>", "damaged at line 1"),
        (b"<a>" * 65, "nested too deep"),
        (b"<a>" + b"<b/>" * 1_000_001, "too long"),
        (b"Date,Amount\n", "is no XML"),
        (b"", "is no XML"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "encoding"),
        (b"<Document/>", "it is <Document>"),
        (b"<Document><BkToCstmrAcctRpt/></Document>", "camt.052"),
        (b"<Document><CstmrDrctDbtInitn/></Document>", "pain.008"),
        (b"<Document><CstmrPmtStsRpt/></Document>", "it is a status report (pain.002)"),
        (b"<html><body/></html>", "it is <html>"),
    ],
)
def test_what_is_no_statement_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as found:
        read_message(body, *STATEMENTS)
    assert said in str(found.value)


def test_a_file_that_breaks_off_is_refused_wherever_it_does() -> None:
    body = camt(Entry(amount="30.00", details=(Detail(texts=("INV-7",)),)))
    for end in range(40, len(body), 7):
        with pytest.raises(ValueError, match="breaks off"):
            read_message(body[:end], *STATEMENTS)


def test_what_means_to_be_xml() -> None:
    assert is_xml(b"\xef\xbb\xbf <?xml?>") and is_xml("<a/>".encode("utf-16"))
    assert not is_xml(b"Date,Amount\n<x>") and not is_xml(b"")


@pytest.mark.rule("P1")
@pytest.mark.parametrize("kind", ["053", "054"])
@pytest.mark.parametrize("version", [2, 8])
def test_what_came_in(kind: str, version: int) -> None:
    detail = Detail(
        payer="Ada  Example", texts=("INV-", "7"), creditor_reference="RF66C12", end_to_end="X-9"
    )
    entry = Entry(amount="30.5", ref="A1", details=(detail,))
    line = only(camt(entry, kind=kind, version=version))
    assert (line.line, line.booked_on) == (1, date(2026, 3, 27))
    assert line.amount == Money(30_500_000, "EUR") and line.signed_micros == 30_500_000
    # What the payer has numbered it by is not ours.
    assert (line.payer, line.reference) == ("Ada Example", "INV- 7 RF66C12")
    assert line.returned_for is None and line.waits == ""


@pytest.mark.rule("P1")
def test_details_are_lines_where_they_make_up_the_entry() -> None:
    parts = (
        Detail(amount="20.00", end_to_end="TWDD-1-2"),
        Detail(amount="11.00", texts=("INV-8",)),
    )
    found = read(camt(Entry(amount="31.00", ref="A", details=parts)))
    assert [(one.amount.amount_micros, one.reference) for one in found.lines] == [
        (20_000_000, "TWDD-1-2"),
        (11_000_000, "INV-8"),
    ]
    whole = only(camt(Entry(amount="30.00", ref="A", batch="TWDD-1/1", details=parts)))
    assert whole.amount.amount_micros == 30_000_000
    assert whole.reference == "TWDD-1-2 INV-8 TWDD-1/1" and whole.payer == ""
    other = (Detail(amount="31.00", currency="USD"),)
    assert only(camt(Entry(amount="31.00", details=other))).amount.currency == "EUR"
    # Only what is of the batch itself names it.
    batch = Entry(amount="31.00", batch="TWDD-1/1", details=(Detail(),))
    assert only(camt(batch)).reference == "TWDD-1/1"
    alone = Entry(amount="31.00", batch="TWDD-1/1", details=(Detail(end_to_end="TWDD-1-2"),))
    assert only(camt(alone)).reference == "TWDD-1-2"
    assert only(camt(Entry(amount="1.00", said="hello"))).reference == "hello"


@pytest.mark.rule("P1")
def test_what_came_back_is_told_from_what_went_out() -> None:
    back = Detail(amount="33.00", instructed="30.00", end_to_end="TWDD-1-2", reason="am04")
    strange = Detail(end_to_end="E2E-1", texts=("rent",), reason="AC04")
    line = only(camt(Entry(amount="33.00", credit=False, details=(strange,))))
    assert (line.reference, line.returned_for) == ("rent E2E-1", "AC04")
    line = only(camt(Entry(amount="33.00", credit=False, details=(back,))))
    assert (line.returned_for, line.amount.amount_micros) == ("AM04", 30_000_000)
    assert line.signed_micros == -30_000_000
    for entry, reason in [
        (Entry(amount="5.00", credit=False, details=(Detail(end_to_end="TWDD-1-2"),)), "MS03"),
        (Entry(amount="5.00", credit=False, family="IDDT"), "MS03"),
        (Entry(amount="5.00", credit=False, reversal=True), "MS03"),
        (Entry(amount="5.00", credit=False, details=(Detail(returned=True),)), "MS03"),
    ]:
        assert only(camt(entry)).returned_for == reason
    found = read(camt(Entry(amount="5.00", credit=False, details=(Detail(texts=("rent",)),))))
    assert (found.lines, found.outgoing) == ((), 1)
    # A sum of what came in and what came back.
    mixed = (
        Detail(amount="40.00", end_to_end="TWDD-1-3", credit=True),
        Detail(amount="10.00", end_to_end="TWDD-1-2", credit=False),
    )
    two = read(camt(Entry(amount="30.00", details=mixed))).lines
    assert [one.signed_micros for one in two] == [40_000_000, -10_000_000]


def test_what_came_in_is_before_what_came_back() -> None:
    back = Entry(amount="5.00", credit=False, details=(Detail(end_to_end="TWDD-1-2"),))
    found = read(camt(back, Entry(amount="5.00", said="x")))
    assert [one.line for one in found.lines] == [2, 1]


def test_a_transfer_of_ours_that_came_back_waits() -> None:
    back = Entry(amount="5.00", details=(Detail(texts=("INV-7",), reason="AC04"),))
    assert only(camt(back)).waits == "a transfer of yours that came back"
    assert only(camt(Entry(amount="5.00", reversal=True))).waits == "what the bank has corrected"


def test_only_what_is_booked_and_of_the_account_is_read() -> None:
    entries = (Entry(amount="1.00"), Entry(amount="2.00", status="PDNG"))
    found = read(camt(*entries, statements=[(OTHER, (Entry(amount="7.00"),))]))
    assert [one.amount.amount_micros for one in found.lines] == [1_000_000]
    assert (found.unbooked, found.elsewhere) == (1, ("DE02 … 2051",))
    with pytest.raises(ValueError, match="is of DE02 … 2051; the account is DE89 … 3000"):
        read(camt(Entry(amount="1.00"), iban=OTHER))
    with pytest.raises(ValueError, match="is in USD; the account is in EUR"):
        read(camt(currency="USD"))
    bad = camt(Entry(amount="1.00", currency="USD"), Entry(amount="1.001"), Entry(amount="0.00"))
    found = read(bad)
    assert found.lines == ()
    assert [(line, words) for line, _, words in found.problems] == [
        (1, "is in USD; the account is in EUR"),
        (2, "'1.001' is finer than the smallest unit of EUR"),
    ]


@pytest.mark.rule("M5")
def test_an_entry_is_known_by_the_banks_reference_in_every_file() -> None:
    def keys(body: bytes) -> list[str]:
        return [key for key, _ in keyed(read(body).lines)]

    detail = Detail(texts=("INV-7",))
    told = Entry(amount="5.00", ref="A1", details=(detail,))
    same = Entry(amount="5.00", ref="A1", details=(Detail(texts=("INV-7", "again")),))
    assert keys(camt(told)) == keys(camt(same, kind="054", version=2))
    others = [
        Entry(amount="5.00", ref="A2", details=(detail,)),
        Entry(amount="5.01", ref="A1", details=(detail,)),
        Entry(amount="5.00", ref="A1", booked="2026-03-26", details=(detail,)),
        Entry(amount="5.00", details=(detail,)),
        Entry(amount="5.00", ref="NONREF", details=(Detail(texts=("INV-8",)),)),
    ]
    assert len({key for one in (told, *others) for key in keys(camt(one))}) == 6
    # Two of one statement are two, with a reference or without; the same in another file.
    twice = keys(camt(told, told))
    assert len(set(twice)) == 2 and twice == keys(camt(same, told))
    nameless = Entry(amount="5.00", details=(detail,))
    assert len(set(keys(camt(nameless, nameless)))) == 2
    # The whole and its parts are of one entry.
    parts = (Detail(amount="2.00"), Detail(amount="3.00"))
    split = read(camt(Entry(amount="5.00", ref="A1", details=parts))).lines
    whole = read(camt(Entry(amount="5.00", ref="A1"))).lines
    assert {one.of.entry for one in (*split, *whole) if one.of} == {whole[0].of.entry}  # type: ignore[union-attr]
    assert [one.of.parts for one in (*split, *whole) if one.of] == [2, 2, 0]


def test_an_answer_says_what_was_refused() -> None:
    items = [
        Item(end_to_end="TWDD-1-2", reason="AC04", amount="30.00", creditor="DE98 ZZZ09999999999"),
        Item(end_to_end="TWDD-1-3", status="ACCP"),
    ]
    answer = Answer(original="TWDD-1", count=2, batches=[("TWDD-1/1", "PART", "", items)])
    report = read_status(read_message(answer.xml(), Message.STATUS)[1])
    assert (report.original_id, report.collections, report.group) == ("TWDD-1", 2, None)
    assert report.creditor_ids == {"DE98ZZZ09999999999"}
    first, second = report.items
    assert first.status is not None and first.status.is_refused and first.status.reason == "AC04"
    assert first.amount == Money(30_000_000, "EUR")
    assert second.status is not None and not second.status.is_refused
    assert second.status.reason == "MS03"
    assert [(name, one.code) for name, one in report.batches] == [("TWDD-1/1", "PART")]


def test_an_iban_has_its_check_digits() -> None:
    assert iban_problem(IBAN) == ""
    for wrong in ("", "DE89370400440532013001", "DE89", "de89370400440532013000"):
        assert iban_problem(wrong)
