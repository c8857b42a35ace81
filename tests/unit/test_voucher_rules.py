"""Codes of vouchers: check characters, formats, odds of a guess, throttles (rule R3)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.vouchers import Alphabet, CodeFormat, login_name, serial_text
from billing.rules import vouchers as rules

pytestmark = pytest.mark.rule("R3")


@st.composite
def codes(draw: st.DrawFn) -> tuple[str, Alphabet]:
    """A code of any format."""
    alphabet = draw(st.sampled_from(list(Alphabet)))
    most = 21 if alphabet is Alphabet.LETTERS else 28
    body = draw(st.text(alphabet.characters, min_size=7, max_size=most))
    return body + rules.check_character(body, alphabet), alphabet


@given(codes(), st.data())
def test_one_wrong_character_is_caught(made: tuple[str, Alphabet], data: st.DataObject) -> None:
    code, alphabet = made
    assert rules.agrees(code, alphabet)
    place = data.draw(st.integers(0, len(code) - 1))
    others = alphabet.characters.replace(code[place], "")
    wrong = data.draw(st.sampled_from(others))
    assert not rules.agrees(code[:place] + wrong + code[place + 1 :], alphabet)


@given(codes(), st.data())
def test_a_swap_of_neighbours_is_caught(made: tuple[str, Alphabet], data: st.DataObject) -> None:
    code, alphabet = made
    place = data.draw(st.integers(0, len(code) - 2))
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert rules.agrees(swapped, alphabet) is (swapped == code)


def test_check_characters_stay_what_they_were_printed_as() -> None:
    assert rules.check_character("572", Alphabet.DIGITS) == "4"
    assert rules.check_character("2222222", Alphabet.MIXED) == "2"
    # B is 9 of 31, × 3 = 27: 4 are missing to the next multiple, which 6 stands for.
    assert rules.check_character("222222B", Alphabet.MIXED) == "6"
    # B is 1 of 23, × 5: 18 are missing, which V stands for.
    assert rules.check_character("AAAAAAB", Alphabet.LETTERS) == "V"


def test_no_character_looks_like_another() -> None:
    for alphabet in (Alphabet.MIXED, Alphabet.LETTERS):
        assert not set("01ILO") & set(alphabet.characters)
    assert len(set(Alphabet.MIXED.characters)) == 31
    assert len(set(Alphabet.LETTERS.characters)) == 23


def test_people_write_codes_in_many_ways() -> None:
    assert rules.canonical(" 7abc-defg hjkm\t") == "7ABCDEFGHJKM"
    assert rules.grouped("7ABCDEFGHJ") == "7ABC-DEFG-HJ"
    assert serial_text(17) == "00000017"
    assert login_name(17) == "voucher-00000017"


def test_what_could_be_a_code() -> None:
    body = "2222222"
    code = body + rules.check_character(body, Alphabet.MIXED)
    assert rules.could_be_code(code)
    assert not rules.could_be_code(body)
    assert not rules.could_be_code(code + "\0")
    assert not rules.could_be_code("2" * 31)
    assert rules.could_be_code("2" * 30)


def test_a_code_fits_the_format_that_made_it_and_no_other() -> None:
    form = CodeFormat(length=8, prefix="T2")
    code = "T2" + "ABCDEFG"
    code += rules.check_character(code, Alphabet.MIXED)
    assert rules.fitting(code, [CodeFormat(length=10), form]) == CodeFormat(length=10)
    assert rules.fitting(code, [form]) == form
    assert rules.fitting(code, [CodeFormat(length=8, prefix="T3")]) is None
    assert rules.fitting(code, [CodeFormat(length=9, prefix="T2")]) is None
    assert rules.fitting(code[:-1] + "2", [form]) is None


def test_the_odds_of_a_guess() -> None:
    """Twice 500 wrong codes in 5 minutes are 105,408,000 in 366 days."""
    assert rules.GUESSES_A_YEAR == 105_408_000
    form = CodeFormat(length=8, alphabet=Alphabet.DIGITS)
    assert rules.space(form) == 10**7
    assert rules.space(CodeFormat(length=8, password_length=4)) == 31**11
    assert rules.hits_a_year(form, 1) == Fraction(105_408_000, 10**7)
    assert rules.odds(rules.hits_a_year(form, 1)) == "11"


def _found(code: CodeFormat, count: int, stock: int = 0) -> list[tuple[str, str]]:
    return list(rules.problems(code, count, stock))


def test_a_format_that_is_too_easy_to_guess_is_refused_with_the_reason() -> None:
    ((field, reason),) = _found(CodeFormat(length=11), 100_000)
    assert field == "length"
    assert "100000 vouchers 0.013 a year would be found, 0.01 is the most" in reason
    assert reason.endswith("use 12 or more")
    assert not _found(CodeFormat(length=12), 100_000)
    assert not _found(CodeFormat(length=11), 77_000)
    # What is there already counts.
    assert _found(CodeFormat(length=11), 1, 78_000)
    ((_, reason),) = _found(CodeFormat(length=14, alphabet=Alphabet.DIGITS), 1_000)
    assert reason.endswith("use 15 or more")
    assert not _found(CodeFormat(length=15, alphabet=Alphabet.DIGITS), 1_000)


def test_the_limit_itself_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    form = CodeFormat(length=8, alphabet=Alphabet.DIGITS)
    assert rules.shortest(form, 1_000) == 15
    assert rules.shortest(form, 10**30) is None
    monkeypatch.setattr(rules, "HITS_A_YEAR_LIMIT", rules.hits_a_year(form, 5))
    assert not _found(form, 5)
    assert _found(form, 5, 1)
    assert rules.shortest(form, 5) == 8


def test_formats_that_cannot_be_made() -> None:
    fields = [
        (_found(CodeFormat(length=12), 0), "count"),
        (_found(CodeFormat(length=12), 100_001), "count"),
        (_found(CodeFormat(length=12, prefix="O"), 1), "prefix"),
        (_found(CodeFormat(length=12, prefix="2345678"), 1), "prefix"),
        (_found(CodeFormat(length=7), 1), "length"),
        (_found(CodeFormat(length=25), 1), "length"),
        (_found(CodeFormat(length=12, password_length=3), 1), "password_length"),
        (_found(CodeFormat(length=12, password_length=17), 1), "password_length"),
        (_found(CodeFormat(length=22, alphabet=Alphabet.LETTERS, prefix="A"), 1), "length"),
    ]
    for found, field in fields:
        assert [name for name, _ in found] == [field]
    for fine in (
        CodeFormat(length=22, alphabet=Alphabet.LETTERS),
        CodeFormat(length=24, prefix="234567"),
        CodeFormat(length=8, password_length=4),
        CodeFormat(length=8, password_length=16),
    ):
        assert not _found(fine, 1)
    assert not _found(CodeFormat(length=24), 100_000)


def test_who_has_to_wait() -> None:
    assert not rules.throttled(9, 499, known=False)
    assert rules.throttled(10, 0, known=True)
    assert rules.throttled(0, 500, known=False)
    assert not rules.throttled(0, 500, known=True)
