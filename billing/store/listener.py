"""Waiting for NOTIFY on a connection of its own."""

from __future__ import annotations

import psycopg
from psycopg import sql

from billing.errors import Unavailable


class Listener:
    """Hears one channel. Has a `fileno()`, so that it can be waited for beside sockets.

    Every method raises Unavailable when the connection is lost; make a new one then, and assume
    that something was said in between.
    """

    def __init__(self, connection: psycopg.Connection, channel: str) -> None:
        self._connection = connection
        self._descriptor = connection.fileno()  # a lost connection does not tell it any more
        try:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg.OperationalError as error:
            connection.close()
            raise Unavailable(f"cannot listen on {channel}: {error}") from error

    def fileno(self) -> int:
        """File descriptor that becomes readable when something was said, or the server is gone."""
        return self._descriptor

    def heard(self) -> bool:
        """Whether anything was said since the last call; does not wait."""
        try:
            return len(list(self._connection.notifies(timeout=0))) > 0
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database connection is lost: {error}") from error

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()
