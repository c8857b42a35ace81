"""A bank's CSV file: read, told apart, matched to customers (rules P1, M5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.bank import BankFormat, BankLine, LineOutcome, Named, NamedKind
from billing.model.money import Money
from billing.rules.bank_lines import format_problems, keyed, read_statement
from billing.rules.bank_match import customers_named, match, numbers_named, payment_reference

PLAIN = BankFormat(
    date_column="Date", amount_column="Amount", reference_columns=("Text",), currency="EUR"
)
GERMAN = BankFormat(
    date_column="Buchungstag",
    amount_column="Betrag",
    reference_columns=("Zweck 1", "Zweck 2"),
    payer_column="Name",
    currency_column="Währung",
    currency="EUR",
    decimal=",",
    date_format="DD.MM.YYYY",
    separator=";",
)
L = LineOutcome
DAY = date(2026, 3, 5)


def bill(number: str = "INV-7", units: int = 30, customer_id: int = 1, **other: str) -> Named:
    kind = NamedKind.PREPAYMENT if number.startswith("PRE") else NamedKind.BILL
    return Named(
        kind=kind,
        customer_id=customer_id,
        number=number,
        currency=other.get("currency", "EUR"),
        open_micros=units * 1_000_000,
    )


def payer(customer_id: int = 1, currency: str = "EUR") -> Named:
    number = payment_reference(customer_id)
    return Named(kind=NamedKind.CUSTOMER, customer_id=customer_id, number=number, currency=currency)


def line(day: int = 0, units: int = 1, payer: str = "A", reference: str = "x") -> BankLine:
    return BankLine(
        line=2,
        booked_on=DAY + timedelta(days=day),
        amount=Money(units * 1_000_000, "EUR"),
        payer=payer,
        reference=reference,
    )


def eur(text: str) -> Money:
    return Money.parse(text, "EUR")


def test_a_plain_file_is_read() -> None:
    found = read_statement("Date,Amount,Text\n2026-03-05,30.00,INV-7\n2026-03-05,-3,fee\n", PLAIN)
    assert (found.outgoing, found.problems) == (1, ())
    assert found.lines == (
        BankLine(line=2, booked_on=DAY, amount=eur("30"), payer="", reference="INV-7"),
    )


def test_a_bank_writes_in_its_own_way() -> None:
    text = (
        "Konto;DE00 1234\r\n\r\n"
        "buchungstag;Name;ZWECK 1;Zweck  2;Betrag;Währung;Saldo\r\n"
        '05.03.2026;"Ada;  Example";"INV-7\r\nMarch";danke;1.030,50;chf;1\r\n'
        "06.03.2026;Bob;x;;+2;;1\r\n"
        ";;;;;;\r\n\r\n"
    )
    found = read_statement(text, GERMAN)
    assert (found.outgoing, found.problems) == (1, ())
    first, second = found.lines
    assert (first.line, first.booked_on, first.payer) == (4, DAY, "Ada; Example")
    assert (first.amount, first.reference) == (Money(1_030_500_000, "CHF"), "INV-7 March danke")
    assert (second.line, second.amount, second.reference) == (6, eur("2"), "x")


def test_money_that_went_out_may_have_a_column_of_its_own() -> None:
    wanted = replace(PLAIN, debit_column="Out")
    text = "Date,Amount,Out,Text\n2026-03-05,,3.00,fee\n2026-03-05,4.00,,x\n2026-03-05,,,y\n"
    found = read_statement(text, wanted)
    assert (len(found.lines), found.outgoing) == (1, 1)
    assert [(number, field) for number, field, _ in found.problems] == [(4, "Amount")]


SIGNED = replace(PLAIN, sign_column="C/D", in_words=("CR", "Storno  D"), out_words=("DR",))


def signed(*lines: str) -> tuple[list[str], int, list[tuple[int, str]]]:
    """What came in, how many lines went out, and which are bad."""
    found = read_statement("\n".join(("Date,Amount,C/D,Text", *lines)), SIGNED)
    came = [str(one.amount) for one in found.lines]
    return came, found.outgoing, [(number, field) for number, field, _ in found.problems]


def test_a_column_beside_the_amount_may_say_which_way_it_went() -> None:
    lines = ("2026-03-05,3.00,DR,fee", "2026-03-05,4.00,cr,x", "2026-03-05,5.00,storno d,y")
    assert signed(*lines) == (["4.00 EUR", "5.00 EUR"], 1, [])
    assert signed("2026-03-05,0,CR,nothing") == ([], 1, [])


@pytest.mark.parametrize("line", ["3.00,", "3.00,C", "-3.00,DR", "+3.00,CR", "-3.00,CR"])
def test_what_could_have_gone_either_way_is_a_bad_line(line: str) -> None:
    assert signed(f"2026-03-05,{line},x") == ([], 0, [(2, "C/D")])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sign_column": ""}, "sign_column"),
        ({"sign_column": "", "in_words": ()}, "sign_column"),
        ({"sign_column": "", "out_words": ()}, "sign_column"),
        ({"debit_column": "Out"}, "sign_column"),
        ({"in_words": (" ",)}, "in_word"),
        ({"out_words": ()}, "out_word"),
        ({"out_words": ("DR", "cr")}, "out_word"),
    ],
)
def test_the_words_of_that_column_are_set_and_mean_one_thing(
    changed: dict[str, Any], field: str
) -> None:
    assert format_problems(SIGNED) == []
    assert [name for name, _ in format_problems(replace(SIGNED, **changed))] == [field]


@pytest.mark.parametrize(
    ("decimal", "text", "micros"),
    [
        (".", "1,234.50", 1_234_500_000),
        (".", "1'234", 1_234_000_000),
        (".", "12345.5", 12_345_500_000),
        (",", "1.234", 1_234_000_000),
        (",", "1 234 567,01", 1_234_567_010_000),
        (",", "+7,5", 7_500_000),
    ],
)
def test_amounts_as_banks_write_them(decimal: str, text: str, micros: int) -> None:
    wanted = replace(PLAIN, decimal=decimal, separator=";")
    found = read_statement(f"Date;Amount;Text\n2026-03-05;{text};x\n", wanted)
    assert [one.amount.amount_micros for one in found.lines] == [micros]


@pytest.mark.parametrize(
    ("decimal", "text"),
    [
        (",", "12.50"),
        (".", "12,50"),
        (".", "12.505"),
        (".", "1,23,456"),
        (".", "twelve"),
        (".", ""),
        (".", "1e3"),
        (".", "٣"),
        (".", "9" * 16),
    ],
)
def test_an_amount_that_may_mean_another_is_a_bad_line(decimal: str, text: str) -> None:
    wanted = replace(PLAIN, decimal=decimal, separator=";")
    found = read_statement(f"Date;Amount;Text\n2026-03-05;{text};x\n", wanted)
    assert found.lines == () and [one[:2] for one in found.problems] == [(2, "Amount")]


def test_each_bad_line_is_named() -> None:
    text = 'Date,Amount,Text\n05.03.2026,1,x\n2026-03-05,1\n2026-02-30,a,x\n2026-03-05,1,"x\n'
    found = read_statement(text, PLAIN)
    assert [(number, field) for number, field, _ in found.problems] == [
        (2, "Date"),
        (3, "line"),
        (4, "Date"),
        (4, "Amount"),
        (5, "line"),
    ]
    assert "is no day written YYYY-MM-DD" in found.problems[0][2]
    assert "has 2 fields, the header has 3" in found.problems[1][2]
    wanted = replace(PLAIN, currency_column="C")
    bad = read_statement("Date,Amount,Text,C\n2026-03-05,1,x,12\n", wanted)
    assert bad.problems[0][1] == "Amount" and "currency" in bad.problems[0][2]


def test_a_file_without_the_columns_is_refused() -> None:
    for text in ("", "Date,Amount\n2026-03-05,1\n", "Date;Amount;Text\n"):
        with pytest.raises(ValueError, match="no line names the columns Date, Amount, Text"):
            read_statement(text, PLAIN)


def test_a_format_says_what_is_wrong_with_it() -> None:
    assert format_problems(PLAIN) == format_problems(GERMAN) == []
    bad = BankFormat(
        date_column=" ",
        amount_column="",
        reference_columns=("",),
        currency="euro",
        decimal=";",
        date_format="DD.MM",
        separator="-",
        encoding="latin-99",
    )
    assert [field for field, _ in format_problems(bad)] == [
        "date_column",
        "amount_column",
        "reference_column",
        "decimal",
        "separator",
        "date_format",
        "currency",
        "encoding",
    ]
    assert format_problems(replace(PLAIN, date_format="DD/MM/YY")) == []
    assert format_problems(replace(PLAIN, date_format="DD.DD.YYYY"))
    found = read_statement(
        "Date,Amount,Text\n05%26/03,1,x\n", replace(PLAIN, date_format="DD%YY/MM")
    )
    assert [one.booked_on for one in found.lines] == [DAY]


def keys(lines: list[BankLine]) -> list[str]:
    return [key for key, _ in keyed(lines)]


@pytest.mark.rule("M5")
def test_what_tells_lines_apart() -> None:
    assert keys([line()]) == keys([replace(line(), line=9, payer="a", reference="X")])
    others = [line(), line(day=1), line(units=2), line(payer="B"), line(reference="y"), line()]
    others.append(replace(line(), amount=Money(1_000_000, "USD")))
    assert len(set(keys(others))) == 7
    assert keys([line(), line()])[0] == keys([line()])[0]


@pytest.mark.rule("M5")
@given(
    st.lists(
        st.builds(line, st.integers(0, 4), st.integers(1, 2), st.sampled_from("AB")), max_size=20
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=6),
)
def test_each_line_once_in_files_of_whole_days(
    lines: list[BankLine], files: list[tuple[int, int]]
) -> None:
    """Whatever files of whole days overlap, all that they hold is known once."""
    lines = sorted(lines, key=lambda one: one.booked_on)
    known: set[str] = set()
    days: set[int] = set()
    for first, last in files:
        held = [one for one in lines if first <= (one.booked_on - DAY).days <= last]
        assert len(set(keys(held))) == len(held)
        known.update(keys(held))
        days.update(range(first, last + 1))
    assert len(known) == sum((one.booked_on - DAY).days in days for one in lines)


def test_the_payment_reference_is_that_of_iso_11649() -> None:
    assert payment_reference(12) == "RF66C12"
    assert customers_named("RF66C12") == customers_named("thanks, rf66 c1 2.") == {12}


@given(st.integers(1, 10**15), st.data())
def test_a_slip_of_the_pen_is_nobody(customer_id: int, data: st.DataObject) -> None:
    written = payment_reference(customer_id)
    assert customers_named(f"March {written} 2026") >= {customer_id}
    place = data.draw(st.sampled_from([2, 3, *range(5, len(written))]))
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != written[place]]))
    assert customers_named(written[:place] + digit + written[place + 1 :]) == set()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("INV-7", {"INV-7"}),
        ("Rechnung inv 7, danke", {"INV-7"}),
        ("INV0007", {"INV-7"}),
        ("INV-7/INV-8", {"INV-7", "INV-8"}),
        ("PRE-12", {"PRE-12"}),
        ("INV-1 23", {"INV-1", "INV-123"}),
        ("INV-7 2026-03", {"INV-7", "INV-72026"}),
        ("INV-7 3rd floor", {"INV-7"}),
        ("XINV-7", set()),
        ("INV-", set()),
        ("7", set()),
        ("INV-" + "1" * 19, set()),
    ],
)
def test_numbers_in_a_text(text: str, named: set[str]) -> None:
    assert numbers_named(text) == named


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("amount", "named", "outcome", "number"),
    [
        ("30", [bill()], L.EXACT, "INV-7"),
        ("29.99", [bill()], L.PART, "INV-7"),
        ("30.01", [bill()], L.MORE, "INV-7"),
        ("30", [bill("PRE-7")], L.EXACT, "PRE-7"),
        ("30", [bill(units=0)], L.NOTHING_OPEN, None),
        ("30", [bill(currency="USD")], L.CURRENCY, None),
        ("30", [], L.UNKNOWN, None),
        ("30", [payer()], L.CUSTOMER, payment_reference(1)),
        ("30", [payer(currency="USD")], L.CURRENCY, None),
        ("30", [payer(), bill()], L.EXACT, "INV-7"),
        ("30", [payer(), bill(), bill(customer_id=2)], L.EXACT, "INV-7"),
        ("30", [bill(), bill(customer_id=2)], L.SEVERAL, None),
        ("30", [bill(), bill("INV-8")], L.SEVERAL, None),
        ("30", [payer(), bill(), bill("INV-8")], L.SEVERAL, None),
        ("30", [payer(), bill(), bill("INV-8", customer_id=2)], L.SEVERAL, None),
        ("30", [payer(), bill(customer_id=2)], L.SEVERAL, None),
        ("30", [payer(), payer(2)], L.SEVERAL, None),
        ("30", [payer(), payer(2), bill()], L.SEVERAL, None),
    ],
)
def test_what_becomes_of_a_line(
    amount: str, named: list[Named], outcome: LineOutcome, number: str | None
) -> None:
    found = match(eur(amount), named)
    assert (found.outcome, found.named and found.named.number) == (outcome, number)
    assert found.outcome.credits == (found.named is not None)
    assert match(eur(amount), named[::-1]).outcome is outcome
    if found.named is not None:
        assert found.named.customer_id == 1


def test_a_match_is_told_in_words() -> None:
    assert match(eur("30"), [bill()]).words == "pays INV-7"
    assert match(eur("1"), [bill()]).words == "a part of INV-7, of which 30.00 EUR is open"
    assert match(eur("31"), [bill()]).words == "more than INV-7, of which 30.00 EUR is open"
    assert match(eur("1"), [payer(3)]).words == "to the wallet of customer 3"
    assert match(eur("1"), []).words == "names no bill and no customer"
    assert match(eur("1"), [bill(units=0)]).words == "nothing of INV-7 is left to pay"
    assert match(eur("1"), [bill(currency="USD")]).words == "INV-7 is in USD"
    several = match(eur("1"), [bill(), bill(customer_id=2)]).words
    assert several == "may be for INV-7 of customer 1, INV-7 of customer 2"
