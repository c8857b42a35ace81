"""Orders to running sessions: what failed is seen with every answer, and sent again."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from billing.model.enforcement import Goal
from billing.services import coa
from billing.services.context import Context
from billing.store import enforcement, tables
from tests.web.conftest import Visitor
from tests.web.isp import Isp


def failed(context: Context, subscription_id: int, goal: Goal, now: datetime) -> int:
    """An order that its NAS did not answer at first and then refused; returns its number."""
    with context.transaction() as tx:
        session = tx.scalars(
            select(tables.LiveSession).where(
                tables.LiveSession.subscription_id == subscription_id,
                tables.LiveSession.closed_at.is_(None),
            )
        ).one()
        enforcement.insert_intent(tx, session, goal=goal, reason="ok", now=now)
        tx.flush()
        order = tx.scalars(
            select(tables.CoaIntent)
            .where(tables.CoaIntent.session_id == session.session_id)
            .order_by(tables.CoaIntent.intent_id.desc())
        ).first()
        assert order is not None
        order.state, order.attempts, order.finished_at = "failed", 2, now
        answers = (("timeout", None, None), ("nak", now, "Administratively-Prohibited"))
        for number, (outcome, answered_at, cause) in enumerate(answers, 1):
            tx.add(
                tables.CoaAttempt(
                    customer_id=order.customer_id,
                    intent_id=order.intent_id,
                    attempt=number,
                    org_id=order.org_id,
                    packet="Disconnect-Request",
                    sent_at=now,
                    answered_at=answered_at,
                    outcome=outcome,
                    error_cause=cause,
                )
            )
        return order.intent_id


@pytest.mark.rule("C1")
def test_a_failed_order_is_seen_and_sent_again(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    order_id = failed(context, isp.running_id, Goal.REFRESH, began)
    unwanted = failed(context, isp.running_id, Goal.DISCONNECT, began)
    page = at_desk.open("/orders")
    row = page.locator("tbody tr", has_text="New limits")
    expect(row).to_contain_text("amina")
    expect(row).to_contain_text("tower-north")
    expect(row).to_contain_text("failed")
    row.locator("summary").click()
    expect(row.locator("li").first).to_contain_text("Disconnect-Request: no answer")
    expect(row.locator("li").last).to_contain_text("NAK, Administratively-Prohibited")
    row.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text(
        f"Order {order_id} is sent again to tower-north"
    )
    assert coa.get_order(context, order_id).state == "pending"

    # Its subscriber has paid: nobody is disconnected by it any more.
    page.locator("tbody tr", has_text="Disconnect").get_by_role("button").first.click()
    expect(page.get_by_role("status")).to_contain_text(f"order {unwanted}: the subscriber's state")
    assert coa.get_order(context, unwanted).state == "failed"

    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("link", name="Only what is not done")).to_be_visible()
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []
