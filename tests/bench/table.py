"""The one table that the bench prints, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from .cell import Result, Sending
from .packets import Kind

REFERENCE = "peer"


class Key(NamedTuple):
    """What a figure belongs to."""

    kind: Kind
    sending: Sending
    target: str


Results = dict[Key, list[Result]]


def medians(results: Iterable[Result]) -> Result:
    """The median of each figure on its own; losses and wrong answers are added up."""
    rounds = list(results)
    summed = {"resends", "lost", "wrong"}
    values = {
        field.name: (sum if field.name in summed else median)(
            getattr(result, field.name) for result in rounds
        )
        for field in fields(Result)
    }
    return Result(**values)


def rows(results: Results) -> Iterator[tuple[Key, Result, float | None]]:
    """Every key with its medians and its rate as a multiple of the peer's."""
    middle = {key: medians(rounds) for key, rounds in results.items()}
    for key in sorted(middle, key=_order):
        reference = middle.get(key._replace(target=REFERENCE))
        ratio = middle[key].per_second / reference.per_second if reference else None
        yield key, middle[key], None if key.target == REFERENCE else ratio


def _order(key: Key) -> tuple[Any, ...]:
    kinds = ("auth", "start", "interim", "stop")
    sending = key.sending
    return (
        not sending.in_flight,
        kinds.index(key.kind),
        sending.in_flight or sending.rate_per_second,
        key.target != REFERENCE,
        key.target,
    )


def _faults(result: Result) -> str:
    """In words: requests sent again, given up, and answers that are wrong."""
    counts = {"resent": result.resends, "lost": result.lost, "wrong": result.wrong}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def show(console: Console, results: Results, title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    for heading in ("request", "load", "server"):
        table.add_column(heading, no_wrap=True)
    for heading in (
        *("req/s", "× peer", "p50 ms", "p99 ms"),
        *("radiusd µs", "PostgreSQL µs", "RSS MiB", "faults"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    last: tuple[Kind, Sending] | None = None
    for key, result, ratio in rows(results):
        if last is not None and last != key[:2]:
            table.add_section()
        last = key[:2]
        table.add_row(
            key.kind,
            str(key.sending),
            key.target,
            f"{result.per_second:,.0f}",
            "" if ratio is None else f"{ratio:.2f}",
            f"{result.p50_ms:.1f}",
            f"{result.p99_ms:.1f}",
            f"{result.radiusd_us:.0f}",
            f"{result.postgres_us:.0f}",
            f"{result.rss_mib:.0f}",
            _faults(result),
        )
    console.print(table)


def write_json(path: Path, machine: dict[str, Any], results: Results) -> None:
    """Every round and the medians, for comparison with other runs."""
    content = {
        "machine": machine,
        "medians": [
            {**_labels(key), "ratio": ratio, **asdict(result)}
            for key, result, ratio in rows(results)
        ],
        "rounds": [
            {**_labels(key), **asdict(result)}
            for key, rounds in results.items()
            for result in rounds
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _labels(key: Key) -> dict[str, Any]:
    return {"request": key.kind, "server": key.target, "load": asdict(key.sending)}
