"""Errors that a person may see. Each says what is wrong and what to do about it."""

from __future__ import annotations


class TollwayError(Exception):
    """Something the caller can act on. `field` names the input at fault, where one is."""

    exit_code = 1

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidInput(TollwayError):
    """A value that breaks a rule; nothing was stored."""

    exit_code = 2


class NotFound(TollwayError):
    """The thing named does not exist, or is outside what the caller may see."""

    exit_code = 3


class Refused(TollwayError):
    """The input is well-formed but a billing rule forbids the command (the message cites it)."""

    exit_code = 4


class Unconfirmed(Refused):
    """The person at the panel has to prove again who it is; the same command then goes through
    (security.md 16)."""


class Conflict(TollwayError):
    """The same key or name is taken, with other content (rule M5)."""

    exit_code = 5


class Unavailable(TollwayError):
    """A part that is needed (database, server) does not answer; try again."""

    exit_code = 6


class NotBuiltYet(TollwayError):
    """A switch of the design that this version does not carry out; refused, never pretended."""

    exit_code = 7


class BadLines(InvalidInput):
    """An import file with bad lines: (line number, field, reason), nothing was imported."""

    def __init__(self, lines: list[tuple[int, str, str]]) -> None:
        shown = "\n".join(f"  line {n}: {field}: {reason}" for n, field, reason in lines[:50])
        more = f"\n  … and {len(lines) - 50} more" if len(lines) > 50 else ""
        super().__init__(f"{len(lines)} bad line(s), nothing was imported:\n{shown}{more}")
        self.lines = lines


class InvalidFields(InvalidInput):
    """A form or definition with impossible values: (field, reason) each; nothing was stored."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(
            "; ".join(
                reason if position == 0 else f"{field}: {reason}"
                for position, (field, reason) in enumerate(problems)
            ),
            field=problems[0][0],
        )
        self.problems = problems
