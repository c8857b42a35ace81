"""Figures of one process for Prometheus: a file in its text format, rewritten every few seconds.

A process counts in plain integers, a batch at a time; here they are put into words, beside its
work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

PREFIX = "tollway_"
SUFFIX = ".prom"
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}

Figures = dict[str, float]
"""`name{label="value"}` as in the file → value, as `read` gives it: names without PREFIX."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure (labelled by nothing), or one for each value of its label, or tuple of values of
    its labels. A counter's name ends in `_total`."""

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    values: Mapping[Any, float]
    labels: tuple[str, ...] = ()


def counter(name: str, text: str, value: float) -> Measure:
    """A figure that only rises."""
    return Measure("counter", name, text, {(): value})


def gauge(name: str, text: str, value: float) -> Measure:
    """A figure as it is now."""
    return Measure("gauge", name, text, {(): value})


def write(path: Path, measures: Iterable[Measure]) -> None:
    """Replace the file in one step; readable for whoever can enter the directory (a collector
    runs as another user). Raises OSError."""
    registry = CollectorRegistry()
    registry.register(_Taken(measures))
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, 0o644)
        stream.write(generate_latest(registry))
    new.replace(path)


def read(path: Path) -> Figures:
    """What a file says; empty when there is none. Raises ValueError on one that is malformed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            name = sample.name.removeprefix(PREFIX)
            found[f"{name}{{{labels}}}" if labels else name] = sample.value
    return found


class _Taken(Collector):
    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures = list(measures)

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        for measure in self._measures:
            family = _FAMILIES[measure.kind](
                PREFIX + measure.name, measure.help, labels=measure.labels
            )
            for labels, value in sorted(measure.values.items()):
                family.add_metric(labels if isinstance(labels, tuple) else (labels,), value)
            yield family
