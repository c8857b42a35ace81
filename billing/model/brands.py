"""What a reseller's customers see of it (rule R1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """`accent`: a colour like #206bc4; `logo`: a picture as a `data:` address; `contact`: a line of
    plain text. None: not of its own."""

    name: str
    accent: str | None = None
    logo: str | None = None
    contact: str | None = None
