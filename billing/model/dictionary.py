"""Attributes as FreeRADIUS's dictionaries define them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DictionaryAttribute:
    """`vendor` is empty for standard attributes; `number` is an OID (`26`, `1.3`); `names` are the
    values that have a name, by the name in lower case."""

    name: str
    number: str
    type: str
    vendor: str = ""
    flags: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
