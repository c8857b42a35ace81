"""A file that was shown and is confirmed: it goes to the browser and comes back as a field."""

from __future__ import annotations

import base64
import binascii
import zlib

from billing.errors import InvalidInput

PACKED_MOST = 400_000
"""Characters; what a browser sends back as a field."""


def packed(body: bytes) -> str:
    """As a field of a form holds it. Raises InvalidInput."""
    text = base64.b64encode(zlib.compress(body, 9)).decode()
    if len(text) > PACKED_MOST:
        raise InvalidInput(
            "is too long for this page: split it by days, or use the command line", field="file"
        )
    return text


def unpacked(text: str, most: int) -> bytes:
    """`most`: octets. Raises InvalidInput."""
    unpacking = zlib.decompressobj()
    try:
        body = unpacking.decompress(base64.b64decode(text, validate=True), most)
    except (binascii.Error, zlib.error):
        body = b""
    if not body or not unpacking.eof:
        raise InvalidInput("the file did not come back whole: choose it again", field="file")
    return body
