"""Codes of vouchers: made, and handed over once (rule R3, security.md 9)."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Sequence

from billing.model.vouchers import Code, CodeFormat
from billing.rules.vouchers import check_character
from billing.services.secrets import SecretBox
from billing.services.voucher_keys import Keys


def new_codes(code: CodeFormat, count: int) -> list[str]:
    """So many different codes, from the system's random source."""
    characters = code.alphabet.characters
    made: dict[str, None] = {}
    while len(made) < count:
        body = "".join(secrets.choice(characters) for _ in range(code.length - 1))
        text = code.prefix + body
        made[text + check_character(text, code.alphabet)] = None
    return list(made)


def seal(
    box: SecretBox, batch_id: int, serials: Sequence[int], codes: Sequence[str], key: int
) -> bytes:
    """Until they are handed over; with the number of the key that they were hashed with."""
    pairs = list(zip(serials, codes, strict=True))
    content = json.dumps({"key": key, "codes": pairs})
    return box.seal_bytes(zlib.compress(content.encode()), _row(batch_id))


def open_sealed(
    box: SecretBox, keys: Keys, batch_id: int, sealed: bytes, code: CodeFormat
) -> list[Code]:
    """The reverse, with passwords. Raises InvalidInput (another key)."""
    content = json.loads(zlib.decompress(box.open_bytes(sealed, _row(batch_id))))
    if isinstance(content, list):  # sealed before there was a second key
        content = {"key": 0, "codes": content}
    key = keys[content["key"]]
    return [
        Code(serial=serial, code=text, password=key.password_of(text, code))
        for serial, text in content["codes"]
    ]


def _row(batch_id: int) -> str:
    return f"voucher_batch:{batch_id}"
