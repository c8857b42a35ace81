"""The transaction type of the store, and broken uniqueness as an error a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.errors import Conflict

Transaction = Session
"""What a service passes to the store; made by Context.transaction()."""


@contextmanager
def unique(tx: Session, message: str, *, field: str) -> Iterator[None]:
    """Flush what was added inside; raises Conflict(message) when its key or name is taken."""
    try:
        yield
        tx.flush()
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.errors.UniqueViolation):
            raise Conflict(message, field=field) from None
        raise
