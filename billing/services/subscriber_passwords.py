"""Whether a password is the one that is stored of a subscriber, in whatever form (rule A2)."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from hashlib import pbkdf2_hmac

from passlib.hash import nthash

from billing.model.account import Credential
from billing.services.identity import PASSWORD_LIMIT_OCTETS

_DIGESTS = {
    "HMACSHA1": "sha1",
    "HMACSHA2+224": "sha224",
    "HMACSHA2+256": "sha256",
    "HMACSHA2+384": "sha384",
    "HMACSHA2+512": "sha512",
}
_DECOY_ROUNDS = 10_000
_ROUNDS_LIMIT = 10_000_000


def matches(stored: Credential, password: str) -> bool:
    """Compared in constant time. Whoever has no salted hash, or does not exist (an empty
    credential), costs the work of one with `_DECOY_ROUNDS`: the time does not tell who does."""
    if len(password.encode()) > PASSWORD_LIMIT_OCTETS:  # nobody's; and it would cost to look
        return False
    if stored.pbkdf2 is not None:
        return _matches_salted(stored.pbkdf2, password)
    pbkdf2_hmac("sha256", password.encode(), b"nobody's salt", _DECOY_ROUNDS)
    hashed = bytes.fromhex(nthash.hash(password))
    if stored.nt_hash is not None:
        return hmac.compare_digest(stored.nt_hash, hashed)
    known = "" if stored.cleartext is None else stored.cleartext
    equal = hmac.compare_digest(known.encode(), password.encode())
    return equal and stored.cleartext is not None


def _matches_salted(stored: str, password: str) -> bool:
    """`DIGEST:rounds:salt:hash` as rlm_pap reads it; rounds are 32 bits, high octet first."""
    try:
        name, rounds_text, salt_text, hash_text = stored.split(":")
        rounds = int.from_bytes(b64decode(rounds_text, validate=True))
        salt, expected = b64decode(salt_text, validate=True), b64decode(hash_text, validate=True)
        digest = _DIGESTS[name]
    except (ValueError, KeyError, binascii.Error):
        return False
    if not 1 <= rounds <= _ROUNDS_LIMIT or not expected:
        return False
    made = pbkdf2_hmac(digest, password.encode(), salt, rounds, dklen=len(expected))
    return hmac.compare_digest(made, expected)
