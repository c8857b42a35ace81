"""The NAS behind a source address, for the hooks (radius.md F11)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from billing.errors import InvalidInput
from billing.model.network import NasTraits, dialect_of
from billing.services.secrets import SecretBox
from billing.store import hotpath
from billing.store.hotpath import HotConnection
from billing.store.snapshot import SnapshotFile


@dataclass(frozen=True, slots=True)
class Client:
    """A NAS that may speak RADIUS to us."""

    name: str
    vendor: str
    """As registered; the dialect that is spoken is among the traits."""
    traits: NasTraits
    require_message_authenticator: bool
    secret: str = field(repr=False)


_CLIENT = TypeAdapter(Client)


class ClientBook:
    """Looks NAS up by source address and remembers them, also on the disk, so that a database
    outage does not turn known routers into unknown ones, not even when radiusd starts during it. A
    look-up that finds none forgets (the NAS was closed)."""

    def __init__(self, box: SecretBox, file: SnapshotFile, log: Callable[[str], None]) -> None:
        self._box = box
        self._file = file
        self._log = log
        self._known: dict[str, Client] = {}
        for address, sealed in file.nas():
            with suppress(InvalidInput, ValidationError):  # of an older version, or of another key
                text = box.open_bytes(sealed, _associated(address))
                self._known[address] = _CLIENT.validate_json(text)

    def look_up(self, lane: HotConnection, address: str) -> Client | None:
        """The client at an address, read anew. Raises Unavailable, InvalidInput (wrong key)."""
        row = hotpath.load_client(lane, address)
        if row is None:
            if self._known.pop(address, None) is not None:
                self._keep(address, None)
            return None
        client = Client(
            name=row.name,
            vendor=row.vendor,
            traits=NasTraits(
                nas_id=row.nas_id, vendor=dialect_of(row.vendor), swap_octets=row.swap_octets
            ),
            require_message_authenticator=row.require_message_authenticator,
            secret=self._box.open(row.secret_sealed, f"nas:{row.nas_id}"),
        )
        if self._known.get(address) != client:
            self._known[address] = client
            self._keep(address, client)
        return client

    def remembered(self, address: str) -> Client | None:
        """What the last look-up found; no database."""
        return self._known.get(address)

    def _keep(self, address: str, client: Client | None) -> None:
        try:
            if client is None:
                self._file.drop_nas(address)
            else:
                sealed = self._box.seal_bytes(_CLIENT.dump_json(client), _associated(address))
                self._file.put_nas(address, sealed)
        except sqlite3.Error as error:
            self._log(f"NAS {address} is not kept for an outage: {error}")


def _associated(address: str) -> str:
    return f"snapshot-nas:{address}"
