"""Codes of vouchers: their check character, and how hard they are to guess (rule R3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from fractions import Fraction

from billing.model.vouchers import Alphabet, CodeFormat

THROTTLE_WINDOW = timedelta(minutes=5)
SOURCE_FAILURES_LIMIT = 10
"""Wrong codes from one station or address within the window; then it waits."""
ALL_FAILURES_LIMIT = 500
"""Wrong codes from all of them; then whoever is not known waits."""
WAYS = 2
"""Logins and what is typed count for themselves: neither can be used to close the other."""
GUESSES_A_YEAR = WAYS * ALL_FAILURES_LIMIT * (timedelta(days=366) // THROTTLE_WINDOW)
HITS_A_YEAR_LIMIT = Fraction(1, 100)

LENGTH_LEAST, LENGTH_MOST = 8, 24
PREFIX_MOST = 6
PASSWORD_LEAST, PASSWORD_MOST = 4, 16
COUNT_MOST = 100_000

# A totally anti-symmetric quasigroup of order 10 (M. Damm, 2004): it catches every wrong digit and
# every swap of neighbours, which no weighted sum over ten digits does.
_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
# Their powers are all different modulo 31 for 30 positions, modulo 23 for 22: so a swap changes the
# sum.
_GENERATORS = {Alphabet.MIXED: 3, Alphabet.LETTERS: 5}


def canonical(text: str) -> str:
    """A code as it is hashed: capitals, without the blanks and hyphens that people add."""
    return "".join(text.split()).replace("-", "").upper()


def grouped(code: str) -> str:
    """As it is printed: groups of four from the left."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def check_character(body: str, alphabet: Alphabet) -> str:
    """What stands behind `body`, all of whose characters are of the alphabet. One wrong character,
    or two neighbours that were swapped, no longer agree with it."""
    if alphabet is Alphabet.DIGITS:
        return str(_damm(body))
    characters = alphabet.characters
    return characters[-_weighted(body, alphabet, 1) % len(characters)]


def agrees(code: str, alphabet: Alphabet) -> bool:
    """Whether a canonical code consists of the alphabet and ends with its check character."""
    characters = alphabet.characters
    if len(code) < 2 or any(character not in characters for character in code):
        return False
    if alphabet is Alphabet.DIGITS:
        return _damm(code) == 0
    return _weighted(code, alphabet, 0) % len(characters) == 0


def could_be_code(code: str) -> bool:
    """Whether any format may have made it: asked of user names that are nobody's."""
    if not LENGTH_LEAST <= len(code) <= PREFIX_MOST + LENGTH_MOST:
        return False
    return any(agrees(code, alphabet) for alphabet in Alphabet)


def fitting(code: str, formats: Iterable[CodeFormat]) -> CodeFormat | None:
    """The format that a canonical code is of, if any."""
    for form in formats:
        if (
            len(code) == len(form.prefix) + form.length
            and code.startswith(form.prefix)
            and agrees(code, form.alphabet)
        ):
            return form
    return None


def space(code: CodeFormat) -> int:
    """How many different codes, with their passwords, the format has."""
    symbols = len(code.alphabet.characters)
    return int(symbols ** (code.length - 1 + code.password_length))


def hits_a_year(code: CodeFormat, stock: int) -> Fraction:
    """How many of `stock` vouchers a guesser finds in a year, on average, who always tries as often
    as the throttle lets him."""
    return Fraction(GUESSES_A_YEAR * stock, space(code))


def shortest(code: CodeFormat, stock: int) -> int | None:
    """The least length of this alphabet that is hard enough to guess; None: none is."""
    for length in range(LENGTH_LEAST, LENGTH_MOST + 1):
        longer = CodeFormat(
            length=length,
            alphabet=code.alphabet,
            prefix=code.prefix,
            password_length=code.password_length,
        )
        if hits_a_year(longer, stock) <= HITS_A_YEAR_LIMIT:
            return length
    return None


def problems(code: CodeFormat, count: int, stock: int = 0) -> Iterator[tuple[str, str]]:
    """What is wrong with a batch of `count` such codes as (field, reason); `stock`: vouchers of
    this format that there are already."""
    if not 1 <= count <= COUNT_MOST:
        yield "count", f"must be 1 to {COUNT_MOST}"
        return
    wrong = [mark for mark in code.prefix if mark not in code.alphabet.characters]
    if wrong:
        yield "prefix", f"{wrong[0]!r} is not among {code.alphabet.characters}"
    elif len(code.prefix) > PREFIX_MOST:
        yield "prefix", f"at most {PREFIX_MOST} characters"
    if code.password_length and not PASSWORD_LEAST <= code.password_length <= PASSWORD_MOST:
        yield "password_length", f"must be {PASSWORD_LEAST} to {PASSWORD_MOST}, or 0 for none"
        return
    if not LENGTH_LEAST <= code.length <= LENGTH_MOST:
        yield "length", f"must be {LENGTH_LEAST} to {LENGTH_MOST}"
        return
    if len(code.prefix) + code.length > _positions(code.alphabet):
        yield "length", f"with its prefix at most {_positions(code.alphabet)} characters"
        return
    hits = hits_a_year(code, stock + count)
    if hits > HITS_A_YEAR_LIMIT:
        enough = shortest(code, stock + count)
        hint = "use another alphabet" if enough is None else f"use {enough} or more"
        yield (
            "length",
            f"too easy to guess: of {stock + count} vouchers {odds(hits)} a year would be found, "
            f"{odds(HITS_A_YEAR_LIMIT)} is the most allowed (rule R3); {hint}",
        )


def odds(hits: Fraction) -> str:
    """A number of hits a year for people to read."""
    return f"{float(hits):.2g}"


def throttled(source_failures: int, all_failures: int, *, known: bool) -> bool:
    """Whether no code is looked at now: too many wrong ones from this station or address, or from
    everybody, unless who asks is known (rules R3, A4)."""
    return source_failures >= SOURCE_FAILURES_LIMIT or (
        all_failures >= ALL_FAILURES_LIMIT and not known
    )


def _positions(alphabet: Alphabet) -> int:
    """Up to so many characters all weights are different."""
    symbols = len(alphabet.characters)
    return PREFIX_MOST + LENGTH_MOST if alphabet is Alphabet.DIGITS else symbols - 1


def _damm(digits: str) -> int:
    found = 0
    for digit in digits:
        found = int(_DAMM[found][int(digit)])
    return found


def _weighted(text: str, alphabet: Alphabet, first_power: int) -> int:
    """Σ value × generator^position from the right, the last position being `first_power`."""
    characters, generator = alphabet.characters, _GENERATORS[alphabet]
    return sum(
        characters.index(character) * pow(generator, power, len(characters))
        for power, character in enumerate(reversed(text), first_power)
    )
