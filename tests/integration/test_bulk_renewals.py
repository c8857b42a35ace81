"""Many packages are sold again in one go, each once, as far as the wallet goes (R1, M5, P12)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from billing.errors import InvalidInput
from billing.model.resellers import Chosen
from billing.services import reseller_renewals, resellers, shifts
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_world import NOON, Shop, Trade, opened

pytestmark = pytest.mark.rule("R1", "P12", "M5")
EVENING = NOON + timedelta(days=29)
WITHIN = timedelta(days=3)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings, pool_size=30):
        made.fund(made.parent, 5_000_00)
        yield made
        assert made.findings() == []


def _due(trade: Trade, shop: Shop, count: int) -> list[tuple[int, int]]:
    """So many customers whose packages end in a day; the wallet has nothing left of them."""
    trade.fund(shop, count * 8_00)
    who = [trade.customer(shop) for _ in range(count)]
    for minutes, one in enumerate(who):
        trade.sell(shop, one, at=NOON + timedelta(seconds=minutes))
    found = reseller_renewals.due(shop.staff, shop.org_id, WITHIN, EVENING)
    assert [one.subscription_id for one in found] == who
    return [(one.subscription_id, one.entitlement_id) for one in found]


def _chosen(pairs: list[tuple[int, int]], quoted: str | None = None) -> list[Chosen]:
    return [Chosen(subscription_id=who, entitlement_id=what, quoted=quoted) for who, what in pairs]


def test_the_quote_is_what_is_sold_and_names_who_does_not_fit(trade: Trade) -> None:
    child = trade.child
    pairs = _due(trade, child, 4)
    trade.fund(child, 17_00)
    quote = reseller_renewals.quote(child.staff, child.org_id, pairs, EVENING)
    assert [one.receipt is not None for one in quote.rows] == [True, True, False, False]
    assert "7.00 USD is missing" in str(quote.rows[2].problem)
    assert (quote.total_micros, quote.cost_micros) == (20_000_000, 16_000_000)
    assert quote.available_micros == 17_000_000
    assert trade.wallet(child) == 17_00
    terms = {reseller_renewals.terms_of(child.staff, one.receipt)
             for one in quote.rows if one.receipt}  # fmt: skip
    (term,) = terms
    done = reseller_renewals.renew_chosen(child.staff, child.org_id, _chosen(pairs, term), EVENING)
    assert [one.receipt is not None for one in done] == [True, True, False, False]
    assert "more is needed to pay 8.00" in str(done[3].problem)
    trade.fund(child, 20_00)
    again = reseller_renewals.renew_chosen(
        child.staff, child.org_id, _chosen(pairs[:2], term), EVENING
    )
    assert [one.receipt.repeated for one in again if one.receipt] == [True, True]
    assert trade.wallet(child) == 21_00
    # A page that is still open does not sell at another price, nor after another sale.
    resellers.set_retail(child.staff, child.org_id, trade.plan_id, 12_000_000, EVENING)
    (dearer,) = reseller_renewals.renew_chosen(
        child.staff, child.org_id, _chosen(pairs[2:3], term), EVENING
    )
    assert "changed since you looked" in str(dearer.problem)
    trade.sell(child, pairs[2][0], at=EVENING)
    (other,) = reseller_renewals.renew_chosen(
        child.staff, child.org_id, _chosen(pairs[2:3]), EVENING
    )
    assert "another package meanwhile" in str(other.problem)
    assert trade.wallet(child) == 13_00


def test_only_the_own_customers_are_chosen_and_not_too_many(trade: Trade) -> None:
    child, parent = trade.child, trade.parent
    pairs = _due(trade, child, 2)
    found = reseller_renewals.due(child.staff, child.org_id, WITHIN, EVENING, text="R")
    assert len(found) == 2
    one = reseller_renewals.due(child.staff, child.org_id, WITHIN, EVENING, text=found[0].username)
    assert found[0] in one
    stranger = trade.stranger
    assert reseller_renewals.renew_chosen(
        stranger.staff, stranger.org_id, _chosen(pairs), EVENING
    ) == []  # fmt: skip
    for number in (0, 201):
        with pytest.raises(InvalidInput, match="choose"):
            reseller_renewals.renew_chosen(
                parent.staff, parent.org_id, _chosen([(n, n) for n in range(number)]), EVENING
            )


@pytest.mark.rule("R4")
def test_a_cashier_renews_in_its_shift_without_seeing_costs(trade: Trade) -> None:
    child, clerk = trade.child, trade.cashier(trade.child, "till@bulk.example")
    pairs = _due(trade, child, 2)
    trade.fund(child, 8_00)
    (closed, _) = reseller_renewals.quote(clerk, child.org_id, pairs, EVENING).rows
    assert "open your shift first" in str(closed.problem)
    shift = shifts.start(clerk, 0, EVENING)
    (fits, short) = reseller_renewals.quote(clerk, child.org_id, pairs, EVENING).rows
    assert fits.receipt is not None
    assert reseller_renewals.terms_of(clerk, fits.receipt) == "10000000  USD"
    assert "8.00" not in str(short.problem)
    done = reseller_renewals.renew_chosen(clerk, child.org_id, _chosen(pairs), EVENING)
    assert "8.00" not in str(done[1].problem)
    assert shifts.close(clerk, shift.shift_id, 10_000_000, EVENING).difference_micros == 0


def test_200_renewals_at_once_from_a_wallet_that_covers_50_are_50(trade: Trade) -> None:
    """A hundred packages, in twenty forms, each form sent twice."""
    child = trade.child
    pairs = _due(trade, child, 100)
    trade.fund(child, 50 * 8_00 + 7_99)
    barrier = Barrier(40)

    def send(number: int) -> list[int]:
        chosen = _chosen(pairs[number % 20 :: 20])
        barrier.wait()
        done = reseller_renewals.renew_chosen(child.staff, child.org_id, chosen, EVENING)
        return [one.receipt.sale_id for one in done if one.receipt is not None]

    with ThreadPoolExecutor(40) as pool:
        sold = {sale for sales in pool.map(send, range(40)) for sale in sales}
    assert len(sold) == 50
    assert trade.wallet(child) == 7_99
    counts = "SELECT count(*), count(DISTINCT subscription_id) FROM reseller_sale"
    asked = f"{counts} WHERE sold_at = %s AND org_id = %s"
    assert trade.rows(asked, EVENING, child.org_id) == [(50, 50)]
