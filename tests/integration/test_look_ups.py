"""Who of the staff looked at a customer's vouchers and methods is kept (security.md 13)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing.model.payments import SavedMethod
from billing.services import methods, vouchers
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from billing.store import tables
from rig.provider import Fault, Provider
from tests.factories import Factory
from tests.integration.till import Till
from tests.integration.voucher_desk import Desk

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)


@pytest.fixture
def till(context: Context, make: Factory) -> Iterator[Till]:
    with Provider().serving() as provider:
        yield Till(context, make, provider, NOW)


def rows(context: Context, action: str, subject: str) -> list[str]:
    """Who."""
    with context.transaction() as tx:
        chosen = select(tables.AuditLog.actor).where(
            tables.AuditLog.action == action, tables.AuditLog.subject == subject
        )
        return list(tx.scalars(chosen))


def test_looking_at_methods_is_kept_where_there_are_any(till: Till) -> None:
    who = till.customer()
    subject = f"customer:{who.customer_id}"
    assert methods.looked_up(till.context, who.customer_id, NOW) == []
    assert rows(till.context, "payment.methods_looked_up", subject) == []
    with changing_customer(till.context, who.customer_id) as (tx, customer):
        save_method(tx, customer, till.gateway_id, SavedMethod(reference="ok", label="x"), NOW)
    (found,) = methods.looked_up(till.context, who.customer_id, NOW)
    assert found.label == "x"
    assert rows(till.context, "payment.methods_looked_up", subject) == ["test"]


def test_looking_a_voucher_up_is_kept_where_it_is_somebodys(
    context: Context, make: Factory
) -> None:
    desk = Desk(context, make)
    (code,) = desk.sold()
    vouchers.look_up(context, code.serial, NOW)
    assert rows(context, "voucher.look_up", f"voucher:{code.serial}") == []
    desk.redeem(code, make.subscriber(NOW))
    vouchers.look_up(context, code.serial, NOW)
    assert rows(context, "voucher.look_up", f"voucher:{code.serial}") == ["test"]


@pytest.mark.rule("P5")
def test_a_method_that_is_removed_is_detached_however_its_provider_answers(till: Till) -> None:
    for fault in (None, *Fault):
        till.provider.faults.clear()
        who = till.customer()
        method_id = till.method(who, f"card {fault}")
        methods.remove(till.context, who.customer_id, method_id, till.now)
        if fault is not None:
            till.provider.fail("POST /detachments", fault, fault)
        for minutes in (0, 2, 5, 60):
            till.work(timedelta(minutes=minutes))
        assert f"card {fault}" in till.provider.detached
        with till.context.transaction() as tx:
            key = {"customer_id": who.customer_id, "method_id": method_id}
            assert tx.get_one(tables.PaymentMethod, key).detach_at is None
