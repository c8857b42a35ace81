"""PostgreSQL array literals, made by hand: one text per column of a batch.

psycopg's own dumpers cost about a microsecond an element in Python; a joined literal is parsed by
the server in C. Only values that the caller has typed and bounded come here.
"""

from __future__ import annotations

from collections.abc import Iterable

NULL = "NULL"


def quoted(text: str | None) -> str:
    """A text element. The caller has removed NUL, which PostgreSQL cannot store."""
    if text is None:
        return NULL
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def number(value: int | None) -> str:
    """An integer element."""
    return NULL if value is None else str(value)


def array(elements: Iterable[str]) -> str:
    """The literal of one column."""
    return "{" + ",".join(elements) + "}"


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of encoded elements → one literal a column."""
    return [array(column) for column in zip(*rows, strict=True)]
