"""The keys that codes of vouchers are hashed with (rule R3, security.md 9).

The first follows from the installation's key; each rotation adds one of its own, from the system's
random source, kept sealed with the installation's key. New codes are hashed with the newest; what
was printed before is found by the key of its time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from billing.errors import Conflict, Refused
from billing.model.vouchers import CodeFormat
from billing.rules.vouchers import canonical
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.store import audit
from billing.store import vouchers as store
from billing.store.guard import Transaction

KEYS_MOST = 8
"""A code that is typed is looked up by every key."""
_KEY_BYTES = 32
_PURPOSE = "voucher code"
_PASSWORD_PURPOSE = "voucher password"  # noqa: S105  # nosec B105 (a purpose, not a secret)


@dataclass(frozen=True, slots=True)
class CodeKey:
    """One of them; 0 is the first."""

    number: int
    box: SecretBox = field(repr=False)

    def code_hash(self, text: str) -> bytes:
        """What is stored of a code, however it is written."""
        return self.box.keyed_hash(canonical(text), _PURPOSE)

    def password_of(self, text: str, code: CodeFormat) -> str:
        """The password beside a code, empty where the format has none. It follows from the code and
        the key, so that no form of it is stored."""
        if not code.password_length:
            return ""
        characters = code.alphabet.characters
        number = int.from_bytes(self.box.keyed_hash(canonical(text), _PASSWORD_PURPOSE))
        found = ""
        for _ in range(code.password_length):
            number, position = divmod(number, len(characters))
            found += characters[position]
        return found


Keys = tuple[CodeKey, ...]
"""Oldest first; there is always one."""


def opened(box: SecretBox, sealed: Sequence[tuple[int, bytes]]) -> Keys:
    """The keys, of what is stored of them. Raises InvalidInput (another installation's)."""
    made = [
        CodeKey(number, SecretBox(box.open_bytes(octets, _sealed_for(number))))
        for number, octets in sealed
    ]
    return (CodeKey(0, box), *made)


def known(context: Context, tx: Transaction) -> Keys:
    return opened(context.box, store.keys(tx))


def rotate(context: Context, now: datetime) -> int:
    """Hash new codes with a new key from now on; what was printed stays good. Returns its number.
    Raises Refused (KEYS_MOST are there), Conflict (somebody else does it at this moment)."""
    with context.transaction() as tx:
        number = len(known(context, tx))
        if number >= KEYS_MOST:
            raise Refused(f"there are {KEYS_MOST} keys already, the most there may be", field="key")
        sealed = context.box.seal_bytes(secrets.token_bytes(_KEY_BYTES), _sealed_for(number))
        if not store.add_key(tx, number, sealed, context.actor, now):
            raise Conflict("the key is being rotated by somebody else", field="key")
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="voucher.rotate_key",
            subject=f"voucher_key:{number}",
            detail={},
        )
        return number


def _sealed_for(number: int) -> str:
    return f"voucher_key:{number}"
