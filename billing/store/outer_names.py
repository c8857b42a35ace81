"""Records under an anonymous outer name (EAP, RFC 4282 2.3): whose they are is told by our Class.

A NAS ought to account under the User-Name of the Access-Accept (RFC 2865 5.1), which is the
subscriber's own; this is for those that go on with what the device called itself. Class is a hint
only (rule U3), so it counts for names that nobody has to himself, and for no others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from billing.model.network import VOUCHER_NAME
from billing.store.arrays import array, quoted
from billing.store.pool import named_query

Row = tuple[str, ...]

# Columns of hotpath.usage_row.
USERNAME_COLUMN, SENT_COLUMN, CLASS_COLUMN = 1, 2, 20
_ANONYMOUS = re.compile(r'"(?:anonymous)?(?:@.*)?"')
_OURS = re.compile(r'"tw1:(\d{1,18}):[a-z]\d{0,18}(?::[a-z]+)*"')
_VOUCHER = quoted(VOUCHER_NAME)


class Lane(Protocol):
    """A connection of the hot path."""

    def fetch(self, query: str, parameters: Sequence[object]) -> list[Any]:
        """Rows of one statement; raises Unavailable."""
        ...


def may_be_among(usernames: str) -> bool:
    """Whether an anonymous name may be in this column (an array literal); false is certain."""
    return '"anonymous' in usernames or '"@' in usernames


def own_names(lane: Lane, rows: Sequence[Row]) -> list[Row]:
    """The same records, the anonymous ones under the name of the subscription in their Class.

    A record without our Class, or of a subscription that is gone, stays as it is. What the NAS sent
    is kept beside it: a Disconnect must repeat that (rule C3). Not where it was a voucher's code.
    """
    owners = [_owner(row) for row in rows]
    wanted = {owner for owner in owners if owner is not None}
    if not wanted:
        return list(rows)
    found = lane.fetch(named_query("names_of_subscriptions"), (array(map(str, wanted)),))
    names = {row.subscription_id: quoted(row.username) for row in found}
    return [
        row if owner not in names else _renamed(row, names[owner])
        for row, owner in zip(rows, owners, strict=True)
    ]


def _owner(row: Row) -> int | None:
    if _ANONYMOUS.fullmatch(row[USERNAME_COLUMN]) is None:
        return None
    ours = _OURS.fullmatch(row[CLASS_COLUMN])
    return None if ours is None else int(ours[1])


def _renamed(row: Row, username: str) -> Row:
    sent = row[SENT_COLUMN]
    return (
        *row[:USERNAME_COLUMN],
        username,
        username if sent == _VOUCHER else sent,
        *row[SENT_COLUMN + 1 :],
    )
