"""The subscriber's side of MS-CHAPv2 (RFC 2759): what a simulated NAS passes on."""

from __future__ import annotations

import os
from hashlib import sha1

from Crypto.Cipher import DES
from Crypto.Hash import MD4


def challenge_response(username: str, password: str) -> tuple[bytes, bytes]:
    """A fresh MS-CHAP-Challenge and the MS-CHAP2-Response of a subscriber to it (RFC 2548)."""
    challenge, peer_challenge = os.urandom(16), os.urandom(16)
    digest = sha1(  # noqa: S324 (the protocol's own hash)
        peer_challenge + challenge + username.encode()
    ).digest()[:8]
    nt_hash = MD4.new(password.encode("utf-16-le")).digest()  # noqa: S303 (the protocol's own hash)
    padded = nt_hash + bytes(5)
    answer = b"".join(
        DES.new(_with_parity(padded[at : at + 7]), DES.MODE_ECB).encrypt(digest)  # noqa: S304
        for at in (0, 7, 14)
    )
    # Counted by the NAS, and above 127 no text that UTF-8 knows.
    identifier, flags = b"\xe9", b"\x00"
    return challenge, identifier + flags + peer_challenge + bytes(8) + answer


def _with_parity(seven: bytes) -> bytes:
    """56 key bits as the eight bytes that DES expects; the parity bits are not checked."""
    bits = int.from_bytes(seven, "big")
    return bytes(((bits >> shift) & 0x7F) << 1 for shift in range(49, -1, -7))
