"""What a hotspot's NAS says of a guest, and what it is sent to let him in (rule B13).

Nothing that a browser brings along is believed: what a guest types goes to addresses only that were
registered for the NAS. RouterOS: the variables of its servlet pages; CoovaChilli: its UAM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import md5
from urllib.parse import quote, urlencode, urlsplit

from billing.model.decision import MESSAGES, Reason
from billing.model.hotspots import Arrival, Handover, LoginDialect

TEXT_MOST = 500
"""Characters of what is kept of a page that was asked for."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\]")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_CHALLENGE_OCTETS = 16
_PORTS = {"http": 80, "https": 443}


def login_address(text: str, dialect: LoginDialect) -> str | None:
    """An address where a NAS takes logins, written in one way; None: it is none. RouterOS and
    CoovaChilli have paths of their own, which are left out."""
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    path = parts.path if dialect is LoginDialect.GENERIC else ""
    if (
        parts.scheme not in _PORTS
        or not _HOST.fullmatch(host)
        or parts.username is not None
        or (dialect is LoginDialect.GENERIC and (parts.query or parts.fragment))
        or (path and not _PATH.fullmatch(path))
    ):
        return None
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}{path}"


def arrive(
    dialect: LoginDialect, addresses: tuple[str, ...], told: Mapping[str, str]
) -> Arrival | None:
    """What the parameters of a request say; None: they name a login address that is not the NAS's,
    so they are forged, or its settings are wrong. Without an address it is the first one."""
    named = _named_address(dialect, told)
    address = addresses[0] if not named else login_address(named, dialect)
    if address is None or address not in addresses:
        return None
    return Arrival(
        address=address,
        wanted=_page(told.get("link-orig") or told.get("userurl") or ""),
        mac=told.get("mac", "")[:32],
        chap_id=unescaped(told.get("chap-id", ""))[:1],
        challenge=_challenge(dialect, told),
        said=(told.get("error") or told.get("reply") or "")[:TEXT_MOST],
        is_in=told.get("res", "") in ("success", "already"),
    )


def _named_address(dialect: LoginDialect, told: Mapping[str, str]) -> str:
    if dialect is LoginDialect.MIKROTIK:
        return told.get("link-login-only", "")
    if dialect is LoginDialect.GENERIC:
        return told.get("login_url", "")
    if not told.get("uamip"):
        return ""
    return f"http://{told['uamip']}:{told.get('uamport') or '3990'}"


def _challenge(dialect: LoginDialect, told: Mapping[str, str]) -> bytes:
    if dialect is LoginDialect.MIKROTIK:
        return unescaped(told.get("chap-challenge", ""))[:_CHALLENGE_OCTETS]
    if dialect is LoginDialect.CHILLI:
        try:
            return bytes.fromhex(told.get("challenge", ""))[:_CHALLENGE_OCTETS]
        except ValueError:
            return b""
    return b""


def _page(text: str) -> str:
    """An address to go on to, if it is one of a page."""
    good = len(text) <= TEXT_MOST and text.startswith(("http://", "https://"))
    return text if good and text.isprintable() else ""


def unescaped(text: str) -> bytes:
    """Octets as RouterOS writes them into its pages: `\\371` for each, or the character itself."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text).encode("latin-1", "replace")


def needs_challenge(dialect: LoginDialect, arrival: Arrival) -> bool:
    """Whether a login is bound to a challenge, which its NAS forgets after some minutes."""
    return dialect is LoginDialect.CHILLI or bool(arrival.challenge)


def hand_over(
    dialect: LoginDialect,
    arrival: Arrival,
    username: str,
    password: str,
    *,
    back: str,
    uam_secret: str = "",
) -> Handover | None:
    """What the guest's browser sends to its NAS; `back`: the portal's page that comes then. None:
    there is no challenge to answer."""
    if dialect is LoginDialect.CHILLI:
        if len(arrival.challenge) != _CHALLENGE_OCTETS:
            return None
        proof = uam_proof(arrival.challenge, password, uam_secret)
        query = urlencode({"username": username, **proof, "userurl": back}, quote_via=quote)
        return Handover(url=f"{arrival.address}/logon?{query}", posts=False, fields=())
    if dialect is LoginDialect.GENERIC:
        plain = (("username", username), ("password", password), ("dst", back))
        return Handover(url=arrival.address, posts=True, fields=plain)
    if arrival.challenge:
        octets = arrival.chap_id + password.encode() + arrival.challenge
        password = _digest(octets).hex()
    fields = (("username", username), ("password", password), ("dst", back), ("popup", "false"))
    return Handover(url=f"{arrival.address}/login", posts=True, fields=fields)


def uam_proof(challenge: bytes, password: str, secret: str) -> dict[str, str]:
    """What CoovaChilli takes for a password: masked with the challenge, so that it asks by PAP and
    whatever is stored of the password can be compared; longer ones than fit by CHAP."""
    mask = _digest(challenge + secret.encode()) if secret else challenge
    octets = password.encode()
    if len(octets) > _CHALLENGE_OCTETS:
        return {"response": _digest(b"\0" + octets + mask).hex()}
    padded = octets.ljust(_CHALLENGE_OCTETS, b"\0")
    return {"password": bytes(a ^ b for a, b in zip(padded, mask, strict=True)).hex()}


def _digest(octets: bytes) -> bytes:
    """MD5 is what these NAS know (RFC 1994)."""
    return md5(octets, usedforsecurity=False).digest()


def entry_page(dialect: LoginDialect, address: str) -> str:
    """Where a NAS sends guests to the portal anew, with a fresh challenge."""
    return address + {LoginDialect.MIKROTIK: "/login", LoginDialect.CHILLI: "/prelogin"}.get(
        dialect, ""
    )


def exit_page(dialect: LoginDialect, address: str) -> str:
    """Where guests log off; empty: that is not known."""
    path = {LoginDialect.MIKROTIK: "/logout", LoginDialect.CHILLI: "/logoff"}.get(dialect)
    return "" if path is None else address + path


# What RouterOS says by itself.
_OF_NAS = (
    ("not responding", Reason.UNAVAILABLE),
    ("no more sessions", Reason.TOO_MANY_SESSIONS),
    ("uptime limit reached", Reason.TIME_USED_UP),
    ("traffic limit reached", Reason.DATA_USED_UP),
    ("invalid username", Reason.BAD_PASSWORD),
    ("invalid password", Reason.BAD_PASSWORD),
)


def told_reason(said: str) -> Reason | None:
    """Why a login was refused, of the words that came back; None: they are none of ours or of a
    NAS, so they are not shown to anybody either."""
    text = said.lower()
    ours: Iterable[tuple[str, Reason]] = ((words.lower(), why) for why, words in MESSAGES.items())
    return next((why for words, why in (*ours, *_OF_NAS) if words in text), None)
