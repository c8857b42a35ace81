"""Reading a bank's CSV file, and telling its lines apart (rules P1, M5).

No bank numbers its lines in a way that all its exports share. A line is known by what it says, and
by how many of the same stand before it in the file: two payments of one day that look alike are
two, and the same two in the next file are the same. That needs files of whole days.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from io import StringIO

from billing.model.bank import BankFormat, BankLine, BankStatement
from billing.model.money import Money
from billing.rules.bank_xml import iban_problem

SEPARATORS = (",", ";", "\t", "|")
_DATE_PARTS = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d"}
_PART = re.compile("YYYY|YY|MM|DD")
_GROUPS = {
    # Thousands are grouped in threes only: 12.50 with a decimal comma is an error, not 1250.
    ".": re.compile(r"([+-]?)(\d{1,3}(?:[, ']\d{3})+|\d+)(?:\.(\d+))?", re.ASCII),
    ",": re.compile(r"([+-]?)(\d{1,3}(?:[. ']\d{3})+|\d+)(?:,(\d+))?", re.ASCII),
}
_CURRENCY = re.compile(r"[A-Z]{3}")


def format_problems(wanted: BankFormat) -> list[tuple[str, str]]:
    """What is wrong with a format: (field, what to do)."""
    found = []
    if wanted.columns or not wanted.iban:
        found += _column_problems(wanted)
    if wanted.iban and (problem := iban_problem(wanted.iban)):
        found.append(("iban", problem))
    found += _sign_problems(wanted)
    if wanted.decimal not in _GROUPS:
        found.append(("decimal", "must be , or ."))
    if wanted.separator not in SEPARATORS:
        found.append(("separator", "must be one of , ; | and the tabulator"))
    if sorted(_PART.findall(wanted.date_format)) not in (["DD", "MM", "YYYY"], ["DD", "MM", "YY"]):
        found.append(("date_format", "write it with DD, MM and YYYY, like DD.MM.YYYY"))
    if not _CURRENCY.fullmatch(wanted.currency):
        found.append(("currency", "must be a currency's three letters, like EUR"))
    try:
        "".encode(wanted.encoding)
    except LookupError:
        found.append(("encoding", "is not known; write utf-8, windows-1252 or iso-8859-1"))
    return found


def _column_problems(wanted: BankFormat) -> list[tuple[str, str]]:
    found = []
    if not wanted.date_column.strip():
        found.append(("date_column", "name the column of the booking date"))
    if not wanted.amount_column.strip():
        found.append(("amount_column", "name the column of the amount"))
    if not any(name.strip() for name in wanted.reference_columns):
        found.append(("reference_column", "name the column that says what the money is for"))
    return found


def _sign_problems(wanted: BankFormat) -> list[tuple[str, str]]:
    """What is wrong with how a format tells what came in from what went out."""
    came, went = _words(wanted.in_words), _words(wanted.out_words)
    if not wanted.sign_column:
        if came or went:
            return [("sign_column", "name the column that has these words")]
        return []
    if wanted.debit_column:
        return [("sign_column", "choose one: this, or a column for what went out")]
    found = []
    if not came:
        found.append(("in_word", "say what stands there when money came in, like CR"))
    if not went:
        found.append(("out_word", "say what stands there when money went out, like DR"))
    if came & went:
        found.append(("out_word", f"{min(came & went)!r} cannot mean both"))
    return found


def read_statement(text: str, wanted: BankFormat) -> BankStatement:
    """All lines after the header, which is the first line that has all columns of the format: what
    a bank writes above it does not matter. Raises ValueError: no line is such a header."""
    if not wanted.columns:
        raise ValueError(
            "is no XML, and the account has no columns of CSV files: set how the bank writes them"
        )
    lines: list[BankLine] = []
    problems: list[tuple[int, str, str]] = []
    outgoing = 0
    for number, found in _rows(text, wanted):
        if isinstance(found, str):
            problems.append((number, "line", found))
            continue
        read = _line(number, found, wanted)
        if read is None:
            outgoing += 1
        elif isinstance(read, BankLine):
            lines.append(read)
        else:
            problems += [(number, field, reason) for field, reason in read]
    return BankStatement(lines=tuple(lines), outgoing=outgoing, problems=tuple(problems))


def keyed(lines: Sequence[BankLine]) -> list[tuple[str, BankLine]]:
    """Each line with the key that it has in every file that holds it: its place in the bank's entry
    where the bank tells of entries, else its content, and its count among the same of the file."""
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        if line.of is not None:
            found.append((line.of.key, line))
            continue
        content = json.dumps(
            [
                line.booked_on.isoformat(),
                line.amount.amount_micros,
                line.amount.currency,
                line.payer.casefold(),
                line.reference.casefold(),
            ]
        )
        seen[content] += 1
        found.append((sha256(f"{content}{seen[content]}".encode()).hexdigest(), line))
    return found


def _rows(text: str, wanted: BankFormat) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line number, values by column) or (line number, what is wrong with the line)."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=wanted.separator, strict=True)
    needed = {_spelt(name) for name in wanted.columns}
    header: list[str] | None = None
    while True:
        number = rows.line_num + 1
        try:
            values = next(rows, None)
        except csv.Error as error:
            yield number, f"cannot be read as CSV: {error}; export the file again"
            return
        if values is None:
            break
        if header is None:
            names = [_spelt(name) for name in values]
            header = names if needed <= set(names) else None
        elif len(values) == len(header):
            yield number, dict(zip(header, (" ".join(one.split()) for one in values), strict=True))
        elif any(one.strip() for one in values):
            yield number, f"has {len(values)} fields, the header has {len(header)}"
    if header is None:
        raise ValueError(
            f"no line names the columns {', '.join(wanted.columns)}, separated by"
            f" {wanted.separator!r}; set the account's format as the bank writes"
        )


def _line(
    number: int, values: dict[str, str], wanted: BankFormat
) -> BankLine | list[tuple[str, str]] | None:
    """None: no money came in by it."""
    if not any(values.values()):
        return None
    amount_text = values[_spelt(wanted.amount_column)]
    if not amount_text and wanted.debit_column and values[_spelt(wanted.debit_column)]:
        return None
    problems: list[tuple[str, str]] = []
    currency = values[_spelt(wanted.currency_column)] if wanted.currency_column else ""
    booked_on, amount = date.min, None
    try:
        booked_on = _date(values[_spelt(wanted.date_column)], wanted.date_format)
    except ValueError as error:
        problems.append((wanted.date_column, str(error)))
    try:
        amount = _amount(amount_text, wanted.decimal, currency.upper() or wanted.currency)
    except ValueError as error:
        problems.append((wanted.amount_column, str(error)))
    came_in = True
    try:
        came_in = _came_in(values, amount_text, wanted)
    except ValueError as error:
        problems.append((wanted.sign_column, str(error)))
    if amount is None or problems:
        return problems
    if amount.amount_micros <= 0 or not came_in:
        return None
    named = (values[_spelt(name)] for name in wanted.reference_columns if name)
    return BankLine(
        line=number,
        booked_on=booked_on,
        amount=amount,
        payer=values[_spelt(wanted.payer_column)] if wanted.payer_column else "",
        reference=" ".join(one for one in named if one),
    )


def _came_in(values: dict[str, str], amount_text: str, wanted: BankFormat) -> bool:
    """What the column beside an unsigned amount says; True where there is none: the amount's sign
    says it. Raises ValueError."""
    if not wanted.sign_column:
        return True
    word = values[_spelt(wanted.sign_column)]
    if amount_text.startswith(("+", "-")):
        # Minus beside *credit* may be a credit taken back, or said twice: nobody can tell.
        raise ValueError(f"{amount_text!r} has a sign, and this column says {word!r} beside it")
    if _spelt(word) in _words(wanted.in_words):
        return True
    if _spelt(word) in _words(wanted.out_words):
        return False
    known = ", ".join((*wanted.in_words, *wanted.out_words))
    raise ValueError(f"{word!r} is none of {known}")


def _words(words: Sequence[str]) -> set[str]:
    return {_spelt(word) for word in words if word.strip()}


def _date(text: str, written: str) -> date:
    pattern = _PART.sub(lambda part: _DATE_PARTS[part[0]], written.replace("%", "%%"))
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is no day written {written}") from None


def _amount(text: str, decimal: str, currency: str) -> Money:
    found = _GROUPS[decimal].fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no amount with the decimal sign {decimal!r}")
    sign, whole, part = found.groups()
    digits = "".join(one for one in whole if one.isdigit())
    amount = Money.parse(f"{sign}{digits}.{part or 0}", currency)
    if amount != amount.rounded():
        raise ValueError(f"{text!r} is finer than the smallest unit of {currency}")
    return amount


def _spelt(name: str) -> str:
    return " ".join(name.split()).casefold()
