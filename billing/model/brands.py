"""What a reseller's customers see of it (rule R1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """`accent`: a colour like #206bc4; `logo`: a picture as a `data:` address; `contact`: lines of
    plain text. None: not of its own. `key`: what the address of its customers' login page carries;
    None: the operator's needs none."""

    name: str
    accent: str | None = None
    logo: str | None = None
    contact: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whom the mails to a reseller's customers come from. `name` None: the organisation's;
    `address` None: the installation's. `asked`: the address that a code was sent to."""

    name: str | None
    address: str | None
    asked: str | None


def with_brand(url: str, key: str | None) -> str:
    """An address of the customers' pages, with what shows them a reseller's brand before they log
    in."""
    if not url or key is None:
        return url
    parts = urlsplit(url)
    said = [one for one in parts.query.split("&") if one and not one.startswith("brand=")]
    return urlunsplit(parts._replace(query="&".join([*said, f"brand={key}"])))
