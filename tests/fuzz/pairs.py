"""Random requests as FreeRADIUS hands them to a hook: pairs of names and values, or None."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

Request = tuple[tuple[str, str], ...] | None

READ = (
    *("Acct-Status-Type", "User-Name", "Acct-Session-Id", "NAS-IP-Address", "NAS-Port-Id"),
    *("Calling-Station-Id", "Called-Station-Id", "Acct-Session-Time", "Acct-Input-Octets"),
    *("Acct-Output-Octets", "Framed-IP-Address", "Class", "Event-Timestamp", "Acct-Delay-Time"),
    *("Acct-Input-Gigawords", "Acct-Output-Gigawords", "Framed-IPv6-Prefix", "Service-Type"),
    *("Delegated-IPv6-Prefix", "Framed-IPv6-Address", "Framed-Interface-Id", "Framed-Protocol"),
    *("Acct-Terminate-Cause", "NAS-Port-Type", "Attr-8", "Attr-42", "Attr-55", "Attr-26.9999.3"),
    *("Tollway-Malformed", "Tollway-Raw-User-Name", "Tollway-Raw-Acct-Session-Id"),
)
_MEANT = (
    *("Start", "Stop", "Interim-Update", "Accounting-On", "Accounting-Off", "99", "0xff", "::/0"),
    *("10.1.2.3", "0", "4294967295", "Nov 21 2026 20:44:23 UTC", "AA:BB:CC:DD:EE:FF", "0x"),
    *(
        "0x7477313a31323a6e",
        "Framed-User",
        "Ethernet",
        "2001:db8::/48",
        "²",
        "0xe9",
        "a\\b\"c,{}'NULL",
    ),
)


def requests(
    usernames: Iterable[str] = (), source: str | None = None
) -> st.SearchStrategy[Request]:
    """Some are nearly whole records. `source`: where each comes from, as the server tells it."""
    names = st.sampled_from(READ) | st.text(max_size=20)
    texts = st.text(st.characters(exclude_categories=()), max_size=40)
    values = texts | st.sampled_from([*_MEANT, *usernames]) | st.integers().map(str)
    head = st.fixed_dictionaries(
        {
            "Acct-Status-Type": st.sampled_from(_MEANT[:5]),
            "User-Name": st.sampled_from(list(usernames) or ["alice"]),
            "Acct-Session-Id": st.sampled_from(["a", "b", "c"]),
        }
    ).map(lambda chosen: list(chosen.items()))
    told = [] if source is None else [("Tollway-Client-Address", source)]
    more = st.lists(st.tuples(names, values), max_size=12)
    whole = st.builds(lambda first, rest: (*first, *rest, *told), head | st.just([]), more)
    return whole if source is not None else st.none() | whole
