"""Durations, sizes and speeds as people write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from billing.model.quantities import (
    read_instant,
    read_kbps,
    read_minutes,
    read_octets,
    read_seconds,
    read_validity,
)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (read_seconds, "30d", 2_592_000),
        (read_seconds, " 12 H ", 43_200),
        (read_minutes, "1440m", 1440),
        (read_validity, "30d", (43_200, None)),
        (read_validity, "1month", (None, 1)),
        (read_validity, "2 months", (None, 2)),
        (read_octets, "10GB", 10**10),
        (read_octets, "10GiB", 10 * 2**30),
        (read_octets, "512", 512),
        (read_kbps, "10M", 10_000),
        (read_kbps, "512k", 512),
        (read_instant, "2026-03-10T14:30:00+01:00", datetime(2026, 3, 10, 13, 30, tzinfo=UTC)),
        (read_instant, "2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)),
    ],
)
def test_read(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_seconds, "30"),
        (read_seconds, "-5h"),
        (read_minutes, "90s"),
        (read_octets, "1.5GB"),
        (read_octets, "9" * 16),
        (read_octets, "ten GB"),
        (read_kbps, "10"),
        (read_instant, "tomorrow"),
        (read_validity, "month"),
    ],
)
def test_unreadable_text_is_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        read(text)
