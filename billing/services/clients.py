"""The NAS behind a source address, for the hooks (radius.md F11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from billing.model.network import NasTraits, dialect_of
from billing.services.secrets import SecretBox
from billing.store import hotpath
from billing.store.hotpath import HotConnection


@dataclass(frozen=True, slots=True)
class Client:
    """A NAS that may speak RADIUS to us."""

    name: str
    vendor: str
    """As registered; the dialect that is spoken is among the traits."""
    traits: NasTraits
    require_message_authenticator: bool
    secret: str = field(repr=False)


class ClientBook:
    """Looks NAS up by source address and remembers them, so that a database outage does not turn
    known routers into unknown ones. A look-up that finds none forgets (the NAS was closed)."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._known: dict[str, Client] = {}

    def look_up(self, lane: HotConnection, address: str) -> Client | None:
        """The client at an address, read anew. Raises Unavailable, InvalidInput (wrong key)."""
        row = hotpath.load_client(lane, address)
        if row is None:
            self._known.pop(address, None)
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
        self._known[address] = client
        return client

    def remembered(self, address: str) -> Client | None:
        """What the last look-up found; no database."""
        return self._known.get(address)
