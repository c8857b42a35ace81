"""What is written into a NAS so that it sends its guests to the portal (docs/nas.md)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from billing.errors import InvalidInput
from billing.model.hotspots import HotspotView, LoginDialect
from billing.services import gateways
from billing.services.context import Context
from billing.services.gateways import Gateways

_ROUTEROS_PAGE = """<!doctype html>
<html>
  <head>
    <meta charset="utf-8">
    <title>Wi-Fi</title>
    <meta http-equiv="refresh" content="0; url={link}">
  </head>
  <body><p><a href="{link}">Go on to log in</a></p></body>
</html>
"""
_ROUTEROS_TELLS = (
    "link-login-only=$(link-login-only-esc)&amp;link-orig=$(link-orig-esc)&amp;mac=$(mac-esc)"
    "&amp;error=$(error-esc)"
    "$(if chap-id)&amp;chap-id=$(chap-id)&amp;chap-challenge=$(chap-challenge)$(endif)"
)


def portal_page(hotspot: HotspotView, portal_url: str) -> str:
    """Where the NAS sends its guests."""
    return f"{portal_url.rstrip('/')}/hotspot/{hotspot.key}"


def login_file(hotspot: HotspotView, portal_url: str) -> str:
    """RouterOS's `login.html`. Raises InvalidInput (it is none)."""
    if hotspot.dialect is not LoginDialect.MIKROTIK:
        raise InvalidInput(f"{hotspot.nas_name} is no MikroTik", field="nas")
    link = f"{portal_page(hotspot, portal_url)}?{_ROUTEROS_TELLS}"
    return _ROUTEROS_PAGE.format(link=link)


def settings(hotspot: HotspotView, portal_url: str, hosts: Sequence[str]) -> list[str]:
    """What is entered at the NAS, beside RouterOS's file."""
    page = portal_page(hotspot, portal_url)
    if hotspot.dialect is LoginDialect.MIKROTIK:
        return [
            "# Put `tollway hotspot login-file` into the router's files as hotspot/login.html.",
            "/ip hotspot profile set [find] html-directory=hotspot use-radius=yes "
            "login-by=http-chap",
            *garden_commands(hosts),
        ]
    if hotspot.dialect is LoginDialect.CHILLI:
        whole = [host for host in hosts if not host.startswith("*.")]
        below = [host.removeprefix("*") for host in hosts if host.startswith("*.")]
        first = urlsplit(hotspot.addresses[0])
        return [
            f"HS_UAMLISTEN={first.hostname}",
            f"HS_UAMPORT={first.port or 3990}",
            f"HS_UAMFORMAT='{page}'",
            "HS_UAMHOMEPAGE=",
            "HS_UAMSECRET=SECRET   # shown by `hotspot add`, and by `hotspot set --new-secret`",
            f"HS_UAMALLOW={','.join(whole)}",
            *([f"HS_UAMDOMAINS='{' '.join(below)}'"] if below else []),
        ]
    return [
        f"Send guests to {page}, with what is known of:",
        "  login_url   one of " + ", ".join(hotspot.addresses),
        "  userurl     the page that was asked for",
        "  error       the Reply-Message of a login that was refused",
        "  res=success when the guest is logged in already",
        "A form with username, password and dst (where to go then) is posted to login_url.",
    ]


def garden(
    context: Context, adapters: Gateways, hotspot: HotspotView, portal_url: str
) -> list[str]:
    """Names of hosts that guests reach before they are logged in: the portal, and the pages of the
    gateways that take money there."""
    found = [urlsplit(portal_url).hostname or ""]
    for gateway in gateways.serving(context, hotspot.org_id):
        with context.transaction() as tx:
            opened = adapters.open(tx, context, gateway.gateway_id)
        found += opened.capabilities.page_hosts
    return list(dict.fromkeys(host for host in found if host))


def garden_commands(hosts: Sequence[str]) -> list[str]:
    """The same for RouterOS."""
    return [
        f"/ip hotspot walled-garden add dst-host={host} action=allow comment=tollway"
        if host.startswith("*.")
        else f"/ip hotspot walled-garden ip add dst-host={host} action=accept comment=tollway"
        for host in hosts
    ]
