"""Reversible secrets at rest: AES-GCM, key outside the database (rule A2, security.md 10)."""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.errors import InvalidInput

_KEY_ID = b"\x01"
_NONCE_BYTES = 12


class SecretBox:
    """Seals short texts. The associated text (`subscription:7`, `nas:3`) binds a sealed value to
    its row, so that it cannot be moved to another one. Layout: key id, nonce, ciphertext and tag.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._hash_key = hmac.new(key, b"keyed hashes", sha256).digest()

    def keyed_hash(self, plain: str, purpose: str) -> bytes:
        """32 octets that only this key makes of `plain`: to look a secret up that is stored nowhere
        (security.md 9). The purpose keeps hashes of one kind from being those of another."""
        return hmac.new(self._hash_key, f"{purpose}\0{plain}".encode(), sha256).digest()

    def seal(self, plain: str, associated: str) -> bytes:
        """Encrypt `plain` (any text) for the row named by `associated`."""
        return self.seal_bytes(plain.encode(), associated)

    def seal_bytes(self, plain: bytes, associated: str) -> bytes:
        """Encrypt `plain` for what is named by `associated`."""
        nonce = os.urandom(_NONCE_BYTES)
        return _KEY_ID + nonce + self._cipher.encrypt(nonce, plain, associated.encode())

    def open(self, sealed: bytes, associated: str) -> str:
        """Decrypt a text. Raises InvalidInput when the key, the row or the bytes do not match."""
        return self.open_bytes(sealed, associated).decode()

    def open_bytes(self, sealed: bytes, associated: str) -> bytes:
        """Decrypt. Raises InvalidInput when the key, the row or the bytes do not match."""
        if sealed[:1] != _KEY_ID:
            raise InvalidInput(f"sealed with an unknown key (id {sealed[:1].hex()})")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, associated.encode())
        except InvalidTag:
            raise InvalidInput(
                f"the secret of {associated} cannot be opened: wrong master key or moved row"
            ) from None
