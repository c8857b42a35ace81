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
    hotspot_url: str = ""
    """Of the captive portal; empty: it is at the panel's address."""

    @property
    def https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @property
    def host_names(self) -> list[str]:
        """Names by which browsers may ask for the panel; others are refused."""
        public = urlsplit(self.public_url).hostname
        own = [public] if public else ["127.0.0.1", "localhost", "[::1]", self.bind_address]
        return [*own, self.hotspot_host] if self.hotspot_host else own

    @property
    def hotspot_host(self) -> str:
        """The host name at which there is the captive portal and nothing else; empty: none."""
        return urlsplit(self.hotspot_url).hostname or ""

    def check(self) -> None:
        """Raises InvalidInput when passwords would cross a network in plain HTTP."""
        loopback = self.bind_address == "localhost" or ip_address(self.bind_address).is_loopback
        if not self.https and not loopback:
            raise InvalidInput(
                f"the panel would serve plain HTTP on {self.bind_address}; put it behind HTTPS "
                "and set TOLLWAY_PANEL_URL=https://…, or bind it to 127.0.0.1",
                field="panel_url",
            )
        if not self.hotspot_url:
            return
        scheme = urlsplit(self.hotspot_url).scheme
        if not self.hotspot_host or scheme != ("https" if self.https else "http"):
            raise InvalidInput(
                "write TOLLWAY_HOTSPOT_URL like https://wifi.example.net (http:// only beside a "
                "panel on loopback)",
                field="hotspot_url",
            )
        if self.hotspot_host == urlsplit(self.public_url).hostname:
            raise InvalidInput(
                "the captive portal needs a host name that is not the panel's", field="hotspot_url"
            )
