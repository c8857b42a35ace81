"""What `create_app` takes from the installation's settings for the rest of the panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from billing.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Options:
    """`public_url` is empty where the panel is reached in plain HTTP on loopback. Keys are hex."""

    public_url: str
    bind_address: str
    cookie_key: str = field(repr=False)
    salt: str = field(repr=False)
    second_factor_key: str = field(repr=False)

    @property
    def https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @property
    def host_names(self) -> list[str]:
        """Names by which browsers may ask for the panel; others are refused."""
        public = urlsplit(self.public_url).hostname
        return [public] if public else ["127.0.0.1", "localhost", "[::1]", self.bind_address]

    def check(self) -> None:
        """Raises InvalidInput when passwords would cross a network in plain HTTP."""
        loopback = self.bind_address == "localhost" or ip_address(self.bind_address).is_loopback
        if not self.https and not loopback:
            raise InvalidInput(
                f"the panel would serve plain HTTP on {self.bind_address}; put it behind HTTPS "
                "and set TOLLWAY_PANEL_URL=https://…, or bind it to 127.0.0.1",
                field="panel_url",
            )
