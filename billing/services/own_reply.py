"""IPv6 and reply attributes of one subscriber, from its next login on (rules A6, B10)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from ipaddress import IPv6Address, IPv6Network

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.own_reply import Operator, OwnReply, ReplyAttribute, attributes_of
from billing.rules import own_attributes as rules
from billing.services.context import Context
from billing.services.customers import changing, finish
from billing.services.dictionary import Dictionary
from billing.store import customers as store


def own_reply(context: Context, subscription_id: int) -> OwnReply:
    """What the subscription is sent of its own. Raises NotFound."""
    with context.transaction() as tx:
        row = store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        return store.own_reply(row)


def set_ipv6(
    context: Context,
    subscription_id: int,
    *,
    framed_prefix: str | None,
    delegated_prefix: str | None,
    framed_address: str | None,
    now: datetime,
) -> None:
    """Fix its Framed-IPv6-Prefix, Delegated-IPv6-Prefix and Framed-IPv6-Address (RFC 3162, 4818,
    6911); None: none. Raises InvalidInput, Conflict (somebody else's), NotFound."""
    framed = _prefix(framed_prefix, "framed_ipv6_prefix")
    delegated = _prefix(delegated_prefix, "delegated_ipv6_prefix")
    address = _address(framed_address)
    if framed is not None and delegated is not None and framed.overlaps(delegated):
        raise InvalidInput(
            f"{delegated} overlaps the framed prefix {framed}: delegate another one",
            field="delegated_ipv6_prefix",
        )
    if address is not None and delegated is not None and address in delegated:
        raise InvalidInput(
            f"{address} is inside of the delegated prefix {delegated}", field="framed_ipv6_address"
        )
    wanted = {
        "framed_ipv6_prefix": None if framed is None else str(framed),
        "delegated_ipv6_prefix": None if delegated is None else str(delegated),
        "framed_ipv6_address": None if address is None else str(address),
    }
    with changing(context, subscription_id) as (tx, row):
        for field, value in wanted.items():
            if value is not None and store.ipv6_taken(tx, subscription_id, value, now):
                raise Conflict(f"{value} overlaps what another subscriber has", field=field)
            setattr(row, field, value)
        finish(context, tx, row, "subscription.ipv6", now, dict(wanted))


def set_attribute(
    context: Context,
    dictionary: Dictionary,
    subscription_id: int,
    *,
    name: str,
    value: str,
    operator: str = Operator.REPLACE,
    when_suspended: bool = False,
    now: datetime,
) -> ReplyAttribute:
    """Give it a reply attribute of its own, in the place of one of this name; with `+=` beside.

    Raises InvalidInput (not known, not a value of its type, too many), Refused (Tollway's own to
    send), NotFound.
    """
    wanted = _checked(dictionary, name, operator, value, when_suspended)
    with changing(context, subscription_id) as (tx, row):
        kept = [
            item
            for item in attributes_of(row.reply_attributes)
            if item.name != wanted.name
            or (item.value != wanted.value and item.operator == wanted.operator == Operator.ADD)
        ]
        kept.append(wanted)
        if len(kept) > rules.COUNT_LIMIT:
            raise InvalidInput(
                f"a subscriber has at most {rules.COUNT_LIMIT} attributes of its own; remove one",
                field="name",
            )
        if sum(len(item.value.encode()) for item in kept) > rules.TOTAL_OCTETS_LIMIT:
            raise InvalidInput(
                f"the values of a subscriber's own attributes hold at most "
                f"{rules.TOTAL_OCTETS_LIMIT} octets together",
                field="value",
            )
        row.reply_attributes = [asdict(item) for item in kept]
        finish(context, tx, row, "subscription.attribute_set", now, asdict(wanted))
    return wanted


def remove_attribute(
    context: Context, subscription_id: int, *, name: str, value: str | None, now: datetime
) -> int:
    """Take off what it has under this name, with `value` only that one; returns how many.
    Raises NotFound."""
    with changing(context, subscription_id) as (tx, row):
        present = attributes_of(row.reply_attributes)
        kept = [
            item
            for item in present
            if item.name.lower() != name.lower() or value not in (None, item.value)
        ]
        if len(kept) == len(present):
            names = ", ".join(sorted({item.name for item in present})) or "none"
            raise NotFound(f"it has no such attribute; it has {names}", field="name")
        row.reply_attributes = [asdict(item) for item in kept] or None
        detail: dict[str, object] = {"name": name, "value": value}
        finish(context, tx, row, "subscription.attribute_remove", now, detail)
    return len(present) - len(kept)


def _checked(
    dictionary: Dictionary, name: str, operator: str, value: str, when_suspended: bool
) -> ReplyAttribute:
    plain, _, tag = name.strip().partition(":")
    attribute = dictionary.find(plain)
    if attribute is None:
        raise InvalidInput(
            f"FreeRADIUS's dictionaries know no attribute {plain!r}; write its name as they do",
            field="name",
        )
    try:
        rules.check_allowed(attribute, dictionary.find)
    except ValueError as error:
        raise Refused(str(error), field="name") from None
    field = "name"
    try:
        tag = rules.checked_tag(attribute, tag)
        field = "operator"
        operator = rules.checked_operator(attribute, operator, value)
        field = "value"
        value = rules.checked_value(attribute, value)
    except ValueError as error:
        raise InvalidInput(str(error), field=field) from None
    whole = f"{attribute.name}:{tag}" if tag else attribute.name
    return ReplyAttribute(name=whole, operator=operator, value=value, when_suspended=when_suspended)


def _prefix(text: str | None, field: str) -> IPv6Network | None:
    if text is None:
        return None
    try:
        network = IPv6Network(text.strip())
    except ValueError as error:
        raise InvalidInput(
            f"{error}; write a prefix like 2001:db8:1::/48, host bits clear", field=field
        ) from None
    _check_routable(network.network_address, field)
    if network.prefixlen == 0:
        raise InvalidInput("a prefix of length 0 is everybody's", field=field)
    return network


def _address(text: str | None) -> IPv6Address | None:
    field = "framed_ipv6_address"
    if text is None:
        return None
    try:
        address = IPv6Address(text.strip())
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not an IPv6 address like 2001:db8::7", field=field
        ) from None
    if address.scope_id is not None:
        raise InvalidInput("an address has no zone", field=field)
    _check_routable(address, field)
    return address


def _check_routable(address: IPv6Address, field: str) -> None:
    if address.is_multicast or address.is_loopback or address.is_link_local:
        raise InvalidInput(f"{address} is not an address of a subscriber", field=field)
    if address.ipv4_mapped is not None or address == IPv6Address("::"):
        raise InvalidInput(f"{address} is not an address of a subscriber", field=field)
