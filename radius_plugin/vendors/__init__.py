"""The dialects of NAS vendors, one file each."""

from __future__ import annotations

from billing.model.network import Link, Vendor
from radius_plugin.vendors import chilli, cisco, generic, huawei, juniper, mikrotik, wispr
from radius_plugin.vendors.codec import (
    Attributes,
    Capabilities,
    Codec,
    OctetLimit,
    Pair,
    Part,
    Used,
)

__all__ = [
    "Attributes",
    "Capabilities",
    "Codec",
    "OctetLimit",
    "Pair",
    "Part",
    "Used",
    "for_nas",
]

# The one place that decides which vendor speaks which dialect.
_CODECS: dict[str, Codec] = {
    codec.vendor: codec
    for codec in (
        generic.CODEC,
        mikrotik.CODEC,
        chilli.CODEC,
        wispr.CODEC,
        wispr.UBIQUITI,
        wispr.CAMBIUM,
        cisco.CODEC,
        juniper.CODEC,
        huawei.CODEC,
    )
}
_BY_LINK: dict[tuple[str, str], Codec] = {
    (Vendor.MIKROTIK, Link.PPP): mikrotik.PPP,
    (Vendor.MIKROTIK, Link.HOTSPOT): mikrotik.HOTSPOT,
}


def for_nas(vendor: str, link: Link = Link.OTHER) -> Codec:
    """The codec for a `Vendor` (or its name), for sessions of this kind; its `.vendor` says what
    is really spoken: an unknown vendor is spoken to in `generic`."""
    if link and (codec := _BY_LINK.get((vendor, link))) is not None:
        return codec
    return _CODECS.get(vendor, generic.CODEC)
