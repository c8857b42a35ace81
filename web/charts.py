"""Numbers as panel.js draws them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.model.views import DayUsage


def usage_chart(days: Sequence[DayUsage]) -> dict[str, list[int]]:
    """Octets by local day, oldest first: days as seconds since 1970."""
    received: dict[date, int] = {}
    sent: dict[date, int] = {}
    for part in days:
        received[part.day] = received.get(part.day, 0) + part.output_octets
        sent[part.day] = sent.get(part.day, 0) + part.input_octets
    ordered = sorted(received)
    epoch = date(1970, 1, 1)
    return {
        "days": [(day - epoch).days * 86_400 for day in ordered],
        "received": [received[day] for day in ordered],
        "sent": [sent[day] for day in ordered],
    }
