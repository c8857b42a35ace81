"""Passwords of staff: Argon2id, a length of its own and no common ones (security.md 4). What
subscribers choose themselves is checked here, too."""

from __future__ import annotations

import gzip
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from billing.errors import InvalidInput

MINIMUM_CHARACTERS = 12
MAXIMUM_CHARACTERS = 256
_SHORTEST_WORD = 5
_HASHER = PasswordHasher()


@cache
def _common_words() -> frozenset[str]:
    """19,640 passwords from breaches, lower case (the list that Django ships, BSD licence)."""
    packed = Path(__file__).with_name("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())


def normalised(password: str) -> str:
    """One form of a text that keyboards encode in several ways."""
    return unicodedata.normalize("NFKC", password)


def check_new(
    password: str,
    login: str,
    *,
    minimum_characters: int = MINIMUM_CHARACTERS,
    called: str = "your email address",
) -> None:
    """Raises InvalidInput(field="password") when the password of `login` (an email address, or
    as it is `called`) is too weak to be set."""
    text = normalised(password)
    folded = text.casefold()
    if len(text) < minimum_characters:
        raise InvalidInput(
            f"use {minimum_characters} characters or more; a few words are easy to remember",
            field="password",
        )
    if len(text) > MAXIMUM_CHARACTERS:
        raise InvalidInput(f"use at most {MAXIMUM_CHARACTERS} characters", field="password")
    if len(set(folded)) < _SHORTEST_WORD:
        raise InvalidInput("it repeats too few characters; use a few words", field="password")
    if folded in (login, login.split("@", 1)[0]):
        raise InvalidInput(f"it is {called}; choose something else", field="password")
    stem = folded.strip("0123456789!@#$%^&*()_-+=.,?/ ")
    halves = {folded, stem, folded[: len(folded) // 2] if _doubled(folded) else folded}
    if any(len(word) >= _SHORTEST_WORD and word in _common_words() for word in halves):
        raise InvalidInput("it is a common password that guessers try first", field="password")


def hashed(password: str) -> str:
    """An Argon2id hash in PHC form."""
    return _HASHER.hash(normalised(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long when nothing is stored."""
    try:
        _HASHER.verify(stored or _unmatchable(), normalised(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _unmatchable() -> str:
    return _HASHER.hash("nobody has this password")


def _doubled(text: str) -> bool:
    half = len(text) // 2
    return len(text) % 2 == 0 and text[:half] == text[half:]
