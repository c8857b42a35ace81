"""The history of attempts to log in (rule A3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.model.logins import LoginFilter, LoginPlace, LoginView
from billing.store.pool import named_query


def listed(
    tx: Session,
    asked: LoginFilter,
    *,
    words: Callable[[str], str],
    before: LoginPlace | None,
    limit: int,
) -> list[LoginView]:
    """Newest first, each reason also in `words`."""
    values = asdict(asked) | {
        "customer_ids": None if asked.customer_ids is None else list(asked.customer_ids),
        "before_at": before and before.at,
        "before_id": before and before.attempt_id,
        "limit": limit,
    }
    rows = tx.execute(text(named_query("logins")), values)
    return [LoginView(**row._mapping, text=words(row.reason)) for row in rows]
