"""Codes of vouchers: made, hashed, and handed over once (rule R3, security.md 9)."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Sequence

from billing.model.vouchers import Code, CodeFormat
from billing.rules.vouchers import canonical, check_character
from billing.services.secrets import SecretBox

_PURPOSE = "voucher code"
_PASSWORD_PURPOSE = "voucher password"  # noqa: S105  # nosec B105


def new_codes(code: CodeFormat, count: int) -> list[str]:
    """So many different codes, from the system's random source."""
    characters = code.alphabet.characters
    made: dict[str, None] = {}
    while len(made) < count:
        body = "".join(secrets.choice(characters) for _ in range(code.length - 1))
        text = code.prefix + body
        made[text + check_character(text, code.alphabet)] = None
    return list(made)


def code_hash(box: SecretBox, text: str) -> bytes:
    """What is stored of a code, however it is written."""
    return box.keyed_hash(canonical(text), _PURPOSE)


def password_of(box: SecretBox, text: str, code: CodeFormat) -> str:
    """The password beside a code, empty where the format has none. It follows from the code and the
    installation's key, so that no form of it is stored."""
    if not code.password_length:
        return ""
    characters = code.alphabet.characters
    number = int.from_bytes(box.keyed_hash(canonical(text), _PASSWORD_PURPOSE))
    found = ""
    for _ in range(code.password_length):
        number, position = divmod(number, len(characters))
        found += characters[position]
    return found


def seal(box: SecretBox, batch_id: int, serials: Sequence[int], codes: Sequence[str]) -> bytes:
    """Until they are handed over."""
    pairs = json.dumps(list(zip(serials, codes, strict=True)))
    return box.seal_bytes(zlib.compress(pairs.encode()), _row(batch_id))


def open_sealed(box: SecretBox, batch_id: int, sealed: bytes, code: CodeFormat) -> list[Code]:
    """The reverse, with passwords. Raises InvalidInput (another key)."""
    pairs = json.loads(zlib.decompress(box.open_bytes(sealed, _row(batch_id))))
    return [
        Code(serial=serial, code=text, password=password_of(box, text, code))
        for serial, text in pairs
    ]


def _row(batch_id: int) -> str:
    return f"voucher_batch:{batch_id}"
