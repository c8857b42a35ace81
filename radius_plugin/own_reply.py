"""What one subscriber alone is sent, put together with what its NAS's dialect sends (rule A6).

rlm_python3 only ever adds pairs to the reply: what an operator means is carried out here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from billing.model.own_reply import Operator, OwnReply
from radius_plugin.vendors import Attributes, Pair
from radius_plugin.vendors.codec import escaped


def with_own(pairs: Iterable[Pair], own: OwnReply) -> list[Pair]:
    """The pairs of the dialect, with the subscriber's IPv6 and attributes."""
    told = list(pairs)
    told += [
        (name, ":=", value)
        for name, value in (
            ("Framed-IPv6-Prefix", own.framed_ipv6_prefix),
            ("Delegated-IPv6-Prefix", own.delegated_ipv6_prefix),
            ("Framed-IPv6-Address", own.framed_ipv6_address),
        )
        if value is not None
    ]
    sent = {pair[0] for pair in told}
    replaced = {item.name for item in own.attributes if item.operator == Operator.REPLACE}
    added = [
        (item.name, "+=", escaped(item.value))
        for item in own.attributes
        if item.operator != Operator.IF_ABSENT or item.name not in sent
    ]
    return [pair for pair in told if pair[0] not in replaced] + added


def told_again(
    attributes: Attributes, own: OwnReply | None, resets: Collection[str] = ()
) -> Attributes:
    """What a CoA carries, with the values that this subscriber has in the place of the dialect's:
    a change of the plan's speed must not undo a speed of its own; and what the NAS `resets` unless
    it is told again (radius.md F12)."""
    if own is None:
        return attributes
    replacing = {
        item.name: item.value for item in own.attributes if item.operator == Operator.REPLACE
    }
    told = tuple((name, replacing.get(name, value)) for name, value in attributes)
    sent = {name for name, _ in told}
    return told + tuple(
        (item.name, item.value)
        for item in own.attributes
        if item.name in resets and (item.operator == Operator.ADD or item.name not in sent)
    )


def beside(pairs: Iterable[Pair], own: OwnReply) -> list[Pair]:
    """The same for the suspended pool, where nothing that Tollway sends is replaced or added to:
    no attribute of one subscriber may open the walled garden (rule B10)."""
    told = list(pairs)
    sent = {pair[0] for pair in told}
    return told + [
        (item.name, "+=", escaped(item.value)) for item in own.attributes if item.name not in sent
    ]
