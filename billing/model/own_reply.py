"""What one subscription alone is sent in an Access-Accept (rule A6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Operator(StrEnum):
    """How an attribute goes with those that the dialect of the NAS sends by itself."""

    REPLACE = ":="
    IF_ABSENT = "="
    ADD = "+="


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyAttribute:
    """One attribute, checked against FreeRADIUS's dictionaries; a tag stands in the name
    (`Tunnel-Type:1`). `when_suspended`: sent into the suspended pool, too (rule B10)."""

    name: str
    operator: str
    value: str
    when_suspended: bool = False

    @property
    def line(self) -> str:
        """In words."""
        kept = " (also when suspended)" if self.when_suspended else ""
        return f"{self.name} {self.operator} {self.value}{kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReply:
    """Prefixes as `address/length`."""

    framed_ipv6_prefix: str | None = None
    delegated_ipv6_prefix: str | None = None
    framed_ipv6_address: str | None = None
    attributes: tuple[ReplyAttribute, ...] = ()

    @property
    def fixed_lines(self) -> list[str]:
        """One line for each address and prefix."""
        fixed = {
            "Framed-IPv6-Prefix": self.framed_ipv6_prefix,
            "Delegated-IPv6-Prefix": self.delegated_ipv6_prefix,
            "Framed-IPv6-Address": self.framed_ipv6_address,
        }
        return [f"{name} := {value}" for name, value in fixed.items() if value is not None]

    @property
    def lines(self) -> list[str]:
        """One line for each address, prefix and attribute."""
        return self.fixed_lines + [item.line for item in self.attributes]

    def suspended(self) -> OwnReply | None:
        """What is left of it in the suspended pool: no address of its own (rules A6, B10)."""
        kept = tuple(item for item in self.attributes if item.when_suspended)
        return OwnReply(attributes=kept) if kept else None


def attributes_of(stored: Sequence[Mapping[str, Any]] | None) -> tuple[ReplyAttribute, ...]:
    """Attributes as the database keeps them."""
    return tuple(ReplyAttribute(**item) for item in stored or ())


def own_reply_of(text: str | None) -> OwnReply | None:
    """As the read of a login gives it: JSON, absent where there is nothing of its own."""
    if text is None:
        return None
    stored = json.loads(text)
    attributes = attributes_of(stored.pop("attributes", None))
    return replace(OwnReply(**stored), attributes=attributes)
