"""Connections: SQLAlchemy sessions for the services, plain psycopg for the hot path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from billing.errors import Unavailable

QUERIES = Path(__file__).resolve().parents[2] / "sql" / "queries"


@cache
def named_query(name: str) -> str:
    """The text of sql/queries/NAME.sql."""
    return (QUERIES / f"{name}.sql").read_text()


def sqlalchemy_url(dsn: str) -> URL:
    """A SQLAlchemy URL for a libpq connection string."""
    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    return URL.create(
        "postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        database=parts.pop("dbname", None),
        query=parts,
    )


class Database:
    """Transactions of one database role. Made once by a composition root and passed in.

    `org_ids` limits what the panel's role can see (row-level security, radius.md F16); the other
    roles see everything and pass none.

    `pool_size` connections are kept, and as many again opened while they do not suffice; who finds
    none free waits for `wait_seconds`.
    """

    def __init__(self, dsn: str, *, pool_size: int = 5, wait_seconds: float = 20.0) -> None:
        self.dsn = dsn
        self._engine = create_engine(
            sqlalchemy_url(dsn),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=wait_seconds,
            pool_pre_ping=True,
            connect_args={
                "options": "-c timezone=UTC -c default_transaction_isolation=read\\ committed"
            },
        )

    @contextmanager
    def transaction(
        self,
        org_ids: tuple[int, ...] | None = None,
        *,
        customer_id: int | None = None,
        frozen: bool = False,
        held: bool = False,
        actor: str | None = None,
        cashier: bool = False,
    ) -> Iterator[Session]:
        """One transaction; committed on leaving, rolled back on an exception. `customer_id`: the
        one customer of these organisations whose rows it sees and may write. `frozen`: all that is
        read in it is seen as at one instant. `held`: a row that was read is at hand until the
        end, and not read again by its key. `actor`: whose shift it is that money is taken in.
        `cashier`: a reseller's, whom the policies let sell only.

        Raises Unavailable when the server does not answer, or no connection becomes free.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                session.info["actor"] = actor
                if held:
                    kept: list[object] = []
                    event.listen(session, "loaded_as_persistent", lambda _, row: kept.append(row))
                if frozen:  # before anything is read
                    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                if org_ids is not None:
                    session.connection().exec_driver_sql(
                        "SELECT set_config('tollway.org_ids', %s, true)",
                        (",".join(map(str, org_ids)),),
                    )
                if cashier:
                    session.connection().exec_driver_sql(
                        "SELECT set_config('tollway.cashier', 'on', true)"
                    )
                if customer_id is not None:
                    session.connection().exec_driver_sql(
                        "SELECT set_config('tollway.customer_id', %s, true)", (str(customer_id),)
                    )
                yield session
        except OperationalError as error:
            raise Unavailable(f"the database does not answer: {_first_line(error)}") from error
        except PoolTimeoutError as error:
            raise Unavailable("every connection to the database is in use") from error

    def close(self) -> None:
        """Return every connection to the server."""
        self._engine.dispose()

    def raw(self) -> psycopg.Connection:
        """A plain autocommit connection of this role, for LISTEN and COPY."""
        try:
            return psycopg.connect(self.dsn, autocommit=True)
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database does not answer: {_first_line(error)}") from error


def _first_line(error: DBAPIError | psycopg.Error) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else error.__class__.__name__
