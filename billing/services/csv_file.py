"""CSV files that people bring: read line by line, each with its number."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from billing.errors import InvalidInput


def csv_lines(
    path: Path,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    *,
    verbatim: tuple[str, ...] = (),
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line number, values by column) or (line number, what is wrong with the line). Outer blanks
    count for nothing, but in the columns `verbatim`. Raises InvalidInput when the file cannot be
    read or its header is wrong."""
    try:
        # Octets that are no UTF-8 become surrogates, which the checks of each field refuse.
        stream = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field="file") from None
    with stream:
        first = stream.readline()
        stream.seek(0)
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = csv.reader(stream, delimiter=delimiter, strict=True)
        header = _header(next(rows, []), required, optional)
        line = rows.line_num + 1
        while True:
            try:
                values = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, f"cannot be read as CSV: {error}"
                return
            if values and len(values) != len(header):
                yield line, f"has {len(values)} fields, the header has {len(header)}"
            elif values:
                named = zip(header, values, strict=True)
                yield (
                    line,
                    {name: value if name in verbatim else value.strip() for name, value in named},
                )
            line = rows.line_num + 1


def _header(names: list[str], required: tuple[str, ...], optional: tuple[str, ...]) -> list[str]:
    header = [name.strip().casefold() for name in names]
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in required + optional]
    if missing or unknown or len(set(header)) != len(header):
        problem = f"columns missing: {', '.join(missing)}; " if missing else ""
        problem += f"unknown columns: {', '.join(map(repr, unknown))}; " if unknown else ""
        raise InvalidInput(
            f"{problem or 'a column stands twice; '}the first line names the columns, of "
            f"{', '.join(required + optional)} ({', '.join(required)} must be there)",
            field="header",
        )
    return header
