"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_response(name: str, rows: Iterable[Sequence[str]]) -> Response:
    """A file to save."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    response = Response(out.getvalue(), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _plain(cell: str) -> str:
    """No name is carried out as a formula by the spreadsheet that opens it; numbers stay."""
    number = cell.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{cell}" if cell.startswith(_FORMULA) and not number else cell
