"""The dialects of NAS vendors, one file each."""

from __future__ import annotations

from radius_plugin.vendors import chilli, generic, mikrotik, wispr
from radius_plugin.vendors.codec import Capabilities, Codec, Pair

__all__ = ["Capabilities", "Codec", "Pair", "for_nas"]

# The one place that decides which vendor speaks which dialect. Cisco, Juniper ERX and Huawei are
# not here: they get the standard attributes.
_CODECS: dict[str, Codec] = {
    codec.vendor: codec for codec in (generic.CODEC, mikrotik.CODEC, chilli.CODEC, wispr.CODEC)
}


def for_nas(vendor: str) -> Codec:
    """The codec for a `Vendor` (or its name); its `.vendor` says what is really spoken: a vendor
    without a file of its own, or unknown, is spoken to in `generic`."""
    return _CODECS.get(vendor, generic.CODEC)
