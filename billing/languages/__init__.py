"""What customers read in their own language: words, days and amounts of messages and papers."""

from billing.languages.catalogue import (
    FALLBACK,
    decimal_mark,
    entries,
    languages,
    long_day,
    month,
    name_of,
    said,
    short_day,
    spoken,
    told,
)

__all__ = [
    "FALLBACK",
    "decimal_mark",
    "entries",
    "languages",
    "long_day",
    "month",
    "name_of",
    "said",
    "short_day",
    "spoken",
    "told",
]
