"""`tollway reseller renew`: to whom a search says, and what would be sold (rules R1, P12, M5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from billing.services import contacts, customers, reseller_renewals
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.conftest import Run
from tests.integration.reseller_world import NOON, Shop, Trade, opened

pytestmark = pytest.mark.rule("R1", "P12", "M5")
ENDS = NOON + timedelta(days=30)
EVENING = ENDS - timedelta(days=1)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings):
        made.fund(made.parent, 1_000_00)
        yield made
        assert made.findings() == []


def _at(now: datetime) -> tuple[str, str]:
    return "--at", f"{now:%Y-%m-%dT%H:%M}"


def _sold(trade: Trade, shop: Shop, *names: str) -> list[str]:
    """Customers of these names whose packages end in a day; their user names. Nothing is left."""
    trade.fund(shop, len(names) * 8_00)
    made = []
    for place, name in enumerate(names):
        one = trade.customer(shop)
        customer_id = customers.customer_of(trade.context, one)
        contacts.change(
            trade.context, customer_id, NOON, name=name, email=None, phone=f"+25470000{one:04}"
        )
        trade.sell(shop, one, at=NOON + timedelta(seconds=place))
        made.append(_username(trade, one))
    return made


def _username(trade: Trade, subscription_id: int) -> str:
    query = "SELECT username FROM login WHERE subscription_id = %s"
    return str(trade.rows(query, subscription_id)[0][0])


def _rows(run: Run, shop: Shop, *arguments: str) -> dict[str, str | None]:
    """User name by user name, what was in the way."""
    code, out, err = run(
        "reseller", "renew", str(shop.org_id), *arguments, "--json", *_at(EVENING)
    )  # fmt: skip
    assert code == 0, err
    return {one["package"]["username"]: one["problem"] for one in json.loads(out)}


def test_a_dry_run_says_what_would_be_sold_and_sells_nothing(run: Run, trade: Trade) -> None:
    shop = trade.child
    first, second, third = _sold(trade, shop, "Ada", "Bea", "Cy")
    trade.fund(shop, 17_00)
    for _ in range(2):
        found = _rows(run, shop, "--dry-run")
        assert list(found) == [first, second, third]
        assert (found[first], found[second]) == (None, None)
        assert "7.00 USD is missing" in str(found[third])
        assert trade.wallet(shop) == 17_00
    code, out, err = run(
        "reseller", "renew", str(shop.org_id), "--dry-run", *_at(EVENING)
    )  # fmt: skip
    assert (code, out.count("8.00 USD"), "10.00 USD" in out) == (0, 2, True), err
    # What was said comes true, once.
    sold = _rows(run, shop)
    assert [one for one, problem in sold.items() if problem is None] == [first, second]
    assert trade.wallet(shop) == 1_00
    assert list(_rows(run, shop, "--dry-run")) == [third]


def test_a_search_sells_to_whom_it_finds_only(run: Run, trade: Trade) -> None:
    shop = trade.child
    ada, adam, bea = _sold(trade, shop, "Ada Lind", "Adam Lind", "Bea Moss")
    trade.fund(shop, 100_00)
    assert _rows(run, shop, "--search", "nobody") == {}
    assert list(_rows(run, shop, "--search", "LIND", "--dry-run")) == [ada, adam]
    assert list(_rows(run, shop, "--search", bea, "--dry-run")) == [bea]
    assert trade.wallet(shop) == 100_00
    assert _rows(run, shop, "--search", "adam") == {adam: None}
    assert trade.wallet(shop) == 92_00
    assert list(_rows(run, shop, "--dry-run")) == [ada, bea]
    # A phone finds, too; signs of patterns are letters as others are.
    phone = trade.rows("SELECT phone FROM customer WHERE name = 'Bea Moss'"
                       " AND org_id = %s", shop.org_id)[0][0]  # fmt: skip
    assert list(_rows(run, shop, "--search", str(phone), "--dry-run")) == [bea]
    assert _rows(run, shop, "--search", "%", "--dry-run") == {}


def test_days_say_how_soon_and_how_lately(run: Run, trade: Trade) -> None:
    shop = trade.child
    (who,) = _sold(trade, shop, "Dee")
    trade.fund(shop, 50_00)
    for now, days, found in (
        (ENDS - timedelta(days=5), "4", False),
        (ENDS - timedelta(days=5), "6", True),
        (ENDS + timedelta(days=5), "4", False),
        (ENDS + timedelta(days=5), "6", True),
    ):
        code, out, err = run(
            "reseller", "renew", str(shop.org_id), "--days", days, "--dry-run", *_at(now)
        )
        assert (code, who in out) == (0, found), (now, days, err)
    assert trade.wallet(shop) == 50_00


def test_more_than_a_page_holds_are_quoted_and_sold(
    run: Run, trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limited in (reseller_renewals.quote, reseller_renewals.renew_chosen):
        monkeypatch.setitem(limited.__kwdefaults__, "most", 2)
    shop = trade.child
    names = _sold(trade, shop, "Eva 1", "Eva 2", "Eva 3")
    trade.fund(shop, 50_00)
    assert list(_rows(run, shop, "--dry-run")) == names
    assert _rows(run, shop, "--search", "eva") == dict.fromkeys(names)
    assert trade.wallet(shop) == 26_00


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("1",), 3, "is no reseller"),
        (("999999",), 3, "is no reseller"),
        (("999999", "--dry-run"), 3, "is no reseller"),
        (("1", "--search", "x"), 3, "is no reseller"),
        (("shop",), 2, "not a valid integer"),
        ((), 2, "NUMBER"),
        (("1", "--days", "0"), 2, "1<=x<=31"),
        (("1", "--days", "32"), 2, "1<=x<=31"),
        (("1", "all of them"), 2, "unexpected extra argument"),
    ],
)
def test_bad_input_says_what_is_wrong(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    got, out, err = run("reseller", "renew", *arguments, *_at(EVENING))
    assert (got, said in err) == (code, True), out + err
