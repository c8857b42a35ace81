"""The state of subscriptions and the reasons for it (table S, rule B16)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from billing.errors import NotFound
from billing.model.views import CauseView, StateView, WhyView
from billing.rules import rolling
from billing.rules.causes import examine
from billing.rules.explain import explain, own_reply_lines, state_words, tariff_lines
from billing.rules.states import State, deciding
from billing.services import renewals
from billing.services.context import Context
from billing.store.accounts import load_accounts
from billing.store.entitlements import entitlements_of
from billing.store.guard import Transaction


def why(context: Context, subscription_id: int, at: datetime) -> WhyView:
    """Every cause examined at `at`, the one that decides and what would change it.

    Bought packages, holds and bills count as they are stored now. Raises NotFound.
    """
    with context.transaction() as tx:
        accounts = load_accounts(tx, context.box, [subscription_id], at)
        upcoming = renewals.foreseen(tx, accounts, at)
        packages = [
            package
            for one in accounts
            for package in entitlements_of(tx, one.customer_id, subscription_id, at)
        ]
    accounts = [replace(one, upcoming=upcoming.get(one.subscription_id)) for one in accounts]
    if not accounts:
        raise NotFound(f"no subscription has the number {subscription_id}", field="subscription")
    explanation = explain(accounts[0], at)
    causes = tuple(
        CauseView(rule=c.rule, holds=c.holds, detail=c.detail, lifted_by=c.lifted_by)
        for c in examine(accounts[0], at)
    )
    return WhyView(
        username=accounts[0].username,
        at=at,
        state=_view(explanation.state),
        causes=causes,
        lines=(
            *explanation.text.splitlines(),
            *rolling.words(packages),
            *tariff_lines(accounts[0], at),
            *own_reply_lines(accounts[0], explanation.state),
        ),
    )


def states(
    tx: Transaction, context: Context, subscription_ids: Iterable[int], now: datetime
) -> dict[int, StateView]:
    """The deciding cause of each subscription at `now`."""
    accounts = load_accounts(tx, context.box, list(subscription_ids), now)
    return {account.subscription_id: _view(deciding(account, now)) for account in accounts}


def _view(state: State) -> StateView:
    return StateView(
        rule=state.rule,
        reason=state.reason.value,
        effect=state.effect.value,
        text=state_words(state),
    )
