"""Port blocks of carrier-grade NAT, taken from its log or its plan (rule U12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

from billing.errors import BadLines, InvalidInput
from billing.model.quantities import read_instant
from billing.model.who_had import NatBlock, NatImport
from billing.services.context import Context
from billing.services.csv_file import csv_lines
from billing.store import audit
from billing.store import who_had as store

REQUIRED = ("outer", "first_port", "last_port", "inner", "since")
OPTIONAL = ("until",)
PORT_MAX = 65_535
NEVER = datetime.max.replace(tzinfo=UTC)
_BATCH = 5_000
_Value = TypeVar("_Value")


def import_blocks(
    context: Context, path: Path, now: datetime, *, dry_run: bool = False
) -> NatImport:
    """Take all blocks of a CSV file, or none. One that is known, by outer address, first port,
    inner address and beginning, is not stored twice and gets the end that the file tells.

    Raises InvalidInput (the file, its header), BadLines.
    """
    blocks: dict[tuple[str, int, str, datetime], NatBlock] = {}
    problems: list[tuple[int, str, str]] = []
    for line, found in csv_lines(path, REQUIRED, OPTIONAL):
        if isinstance(found, str):
            problems.append((line, "line", found))
            continue
        one = _block(found)
        if isinstance(one, NatBlock):
            blocks[one.outer_address, one.first_port, one.inner_address, one.since] = one
        else:
            problems += [(line, field, reason) for field, reason in one]
    if problems:
        raise BadLines(problems)
    if not blocks:
        raise InvalidInput("holds no port block", field="file")
    added = changed = 0
    read = list(blocks.values())
    run = context.rehearsed() if dry_run else context.together()
    with run as joined, joined.transaction() as tx:
        for begin in range(0, len(read), _BATCH):
            step = store.import_blocks(tx, context.home_org_id, read[begin : begin + _BATCH])
            added, changed = added + step[0], changed + step[1]
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="nat_block.import",
            subject=f"file:{path.name}",
            detail={"blocks": len(read), "added": added, "changed": changed},
        )
    return NatImport(blocks=len(read), added=added, changed=changed, dry_run=dry_run)


def _block(values: Mapping[str, str]) -> NatBlock | list[tuple[str, str]]:
    """A line's block, or what is wrong with it: (field, reason)."""
    problems: list[tuple[str, str]] = []

    def read(field: str, reader: Callable[[str], _Value], default: _Value) -> _Value:
        try:
            return reader(values[field])
        except ValueError as error:
            problems.append((field, str(error)))
            return default

    first, last = read("first_port", _port, 0), read("last_port", _port, PORT_MAX)
    since = read("since", read_instant, NEVER)
    until = read("until", read_instant, since) if values.get("until") else None
    outer, inner = read("outer", _address, ""), read("inner", _address, "")
    if not problems and last < first:
        problems.append(("last_port", f"is before the first, {first}"))
    if not problems and until is not None and until < since:
        problems.append(("until", "is before its beginning"))
    return problems or NatBlock(
        outer_address=outer,
        first_port=first,
        last_port=last,
        inner_address=inner,
        since=since,
        until=until,
    )


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) > PORT_MAX:
        raise ValueError(f"{text!r} is not a port, 0 to {PORT_MAX}")
    return int(text)
