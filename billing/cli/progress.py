"""Progress bars on stderr, so that what is printed for other programs stays clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Show = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much (0: not known)."""


@contextmanager
def progress_bars(stages: Mapping[str, str]) -> Iterator[Show]:
    """A bar for each stage (name → words), shown from its first news on."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as bar:
        tasks = {
            stage: bar.add_task(words, total=None, visible=False) for stage, words in stages.items()
        }

        def show(stage: str, done: int, total: int) -> None:
            bar.update(tasks[stage], completed=done, total=total or None, visible=True)

        yield show
