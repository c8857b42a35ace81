"""Runs the hooks on random requests, in a process of its own as radiusd does.

Arguments: `auth` or `acct`, the address of a NAS, user names that exist. Ends with an error at the
first wrong answer.
"""

from __future__ import annotations

import sys

import psycopg
from hypothesis import given, settings

from billing.settings import Settings
from radius_plugin import accounting, authorize, codes
from tests.fuzz import pairs
from tests.fuzz.pairs import Request

EXAMPLES = 400
_KEPT = "SELECT (SELECT count(*) FROM acct_journal) + (SELECT count(*) FROM acct_dead_letter)"


def check(answer: object, codes_allowed: set[int]) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """What FreeRADIUS takes (F6): an exact int, or that with lists of text triples."""
    code, lists = answer if type(answer) is tuple else (answer, {})
    assert type(code) is int, answer
    assert code in codes_allowed, answer
    assert type(lists) is dict, answer
    assert set(lists) <= {"reply", "config"}, answer
    for triples in lists.values():
        assert type(triples) is tuple, answer
        for triple in triples:
            assert type(triple) is tuple, answer
            assert len(triple) == 3, answer
            assert all(type(part) is str and "\0" not in part for part in triple), answer
            assert triple[0], answer
            assert triple[1] == ":=", answer
            triple[2].encode()
    return lists


def log_in(request: Request, verified: bool) -> None:
    """Both hooks one after the other, the second with what the first has put into the control
    list, as sites-available/tollway-auth hands it on."""
    lists = check(authorize.authorize(request), {codes.REJECT, codes.UPDATED})
    handed = tuple(
        (name, value) for name, _, value in lists["config"] if name == "Tollway-Decision"
    )
    assert handed, lists
    seen = (("Tollway-Verified", "1"),) if verified else ()
    after = authorize.post_auth((*(request or ()), *handed, *seen))
    check(after, {codes.REJECT, codes.OK, codes.UPDATED})


def account(reader: psycopg.Connection[tuple[int]], request: Request) -> None:
    """Answered, and one more line is kept."""
    before = reader.execute(_KEPT).fetchone()
    assert accounting.accounting(request) == codes.OK
    after = reader.execute(_KEPT).fetchone()
    assert before is not None
    assert after == (before[0] + 1,), request


def main(kind: str, nas_address: str, *usernames: str) -> None:
    """Raises AssertionError with the request that shows it."""
    many = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    requests = pairs.requests(usernames, nas_address)
    if kind == "auth":
        assert authorize.instantiate(None) == 0
        many(given(requests, pairs.st.booleans())(log_in))()
        assert authorize.detach() == 0
        return
    assert accounting.instantiate(None) == 0
    choice = Settings()
    with psycopg.connect(choice.admin_dsn(choice.database_name), autocommit=True) as reader:
        many(given(requests)(lambda request: account(reader, request)))()
    assert accounting.detach() == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
