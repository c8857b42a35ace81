"""Names that must fit a RADIUS attribute or a line of a page."""

from __future__ import annotations

NAME_LIMIT = 200
RADIUS_TEXT_LIMIT_OCTETS = 253


def text_problem(text: str) -> str | None:
    """Why a name cannot be used; None when it can."""
    if not text.strip():
        return "must not be empty"
    if len(text) > NAME_LIMIT:
        return f"must be at most {NAME_LIMIT} characters"
    return None if text.isprintable() else "must not contain control characters"


def pool_problem(pool: str) -> str | None:
    """Why a pool name cannot be sent as Framed-Pool (RFC 2869 5.18); None when it can."""
    if not pool.strip():
        return "must be the name of a pool on the NAS, or left out"
    if len(pool.encode()) > RADIUS_TEXT_LIMIT_OCTETS:
        return f"must be at most {RADIUS_TEXT_LIMIT_OCTETS} octets, as it travels in RADIUS"
    return None if pool.isprintable() else "must not contain control characters"
