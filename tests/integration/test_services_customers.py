"""Customers, subscriptions, profiles, plans and NAS through the services."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import ProgrammingError

from billing.errors import Conflict, InvalidFields, InvalidInput, NotFound, Refused
from billing.model.account import HoldBehaviour
from billing.model.network import Vendor
from billing.model.profile import BillingKind, Payment
from billing.services import catalog, customers, explain, holds, nas, setup, subscribers
from billing.services.context import Context
from billing.settings import Settings
from billing.store import audit, tables
from billing.store.pool import Database
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory

ODD_NAMES = ["o'brien", "50% [off]", "a b", "ünï☃", "x:y;z", "-dash", '"q"', "a\\b", "_under"]


@pytest.mark.rule("A1")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_user_names_are_found_again(
    context: Context, make: Factory, now: datetime, name: str
) -> None:
    owner = customers.add_customer(context, name=name, profile_id=make.profile(now), now=now)
    subscription_id = customers.add_subscription(
        context, customer_id=owner.customer_id, username=name, password="pw", now=now
    )
    assert customers.subscription_id_of(context, f" {name.upper()} ") == subscription_id
    assert [r.subscription_id for r in subscribers.search(context, name, now).rows] == [
        subscription_id
    ]


@pytest.mark.parametrize("name", ["", "  ", "x" * 254, "nul\0", "new\nline", "\udcff"])
def test_unusable_user_names_are_refused(
    context: Context, make: Factory, now: datetime, name: str
) -> None:
    owner = make.subscriber(now)
    with pytest.raises(InvalidInput) as refused:
        customers.add_subscription(
            context, customer_id=owner.customer_id, username=name, password="pw", now=now
        )
    assert refused.value.field == "username"


def test_customer_and_subscription_are_added_together_or_not(
    context: Context, make: Factory, now: datetime
) -> None:
    taken = make.subscriber(now)
    with pytest.raises(Conflict, match="taken"):
        customers.add_subscriber(
            context,
            customers.NewCustomer(name="Nobody Yet", profile_id=make.profile(now)),
            customers.NewSubscription(username=taken.username.upper(), password="pw"),
            now,
        )
    with pytest.raises(NotFound):
        customers.find_customer(context, "Nobody Yet")


@pytest.mark.rule("A2")
def test_password_is_sealed_to_its_row(context: Context, make: Factory, now: datetime) -> None:
    owner = make.subscriber(now)
    customers.set_password(context, owner.subscription_id, "new secret", now)
    with context.transaction() as tx:
        key = {"customer_id": owner.customer_id, "subscription_id": owner.subscription_id}
        row = tx.get_one(tables.Subscription, key)
        assert row.secret_sealed is not None and b"new secret" not in row.secret_sealed
        opened = context.box.open(row.secret_sealed, f"subscription:{owner.subscription_id}")
        with pytest.raises(InvalidInput):
            context.box.open(row.secret_sealed, "subscription:0")
    assert opened == "new secret"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"nt_hash": "zz"}, "nt_hash"),
        ({"pbkdf2": "plain"}, "pbkdf2"),
        ({"password": "p", "nt_hash": "0" * 32}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"framed_ip": "10.0.0.300"}, "framed_ip"),
        ({"macs": ["00:11"]}, "mac"),
        ({"login_hours": "always"}, "login_hours"),
        ({"session_limit": 0}, "session_limit"),
        ({"speed_up_kbps": -1}, "speed_up_kbps"),
    ],
)
def test_bad_values_name_their_field(
    context: Context, make: Factory, now: datetime, options: dict[str, object], field: str
) -> None:
    owner = make.subscriber(now)
    with pytest.raises(InvalidInput) as refused:
        customers.add_subscription(
            context, customer_id=owner.customer_id, username="other", now=now, **options
        )
    assert refused.value.field == field


@pytest.mark.rule("S2")
@pytest.mark.rule("S3")
def test_holds_and_what_lifts_them(context: Context, make: Factory, now: datetime) -> None:
    owner = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    number = owner.subscription_id

    def state(at: datetime = now) -> tuple[str, str]:
        view = explain.why(context, number, at).state
        return view.rule, view.effect

    until = now + timedelta(hours=1)
    holds.suspend(context, number, note="abuse", now=now, until=until)
    assert state() == ("S2", "reject")
    assert state(until) == ("S8", "normal")
    pool = HoldBehaviour.SUSPENDED_POOL
    holds.suspend(context, number, note="abuse", now=now, behaviour=pool)
    assert state() == ("S2", "suspended_pool")
    holds.pause(context, number, now)
    holds.resume(context, number, now)
    assert state() == ("S8", "normal")
    holds.pause(context, number, now)
    assert state() == ("S3", "reject")
    holds.resume(context, number, now)
    with pytest.raises(Refused, match="neither"):
        holds.resume(context, number, now)
    daily = make.subscriber(now)
    with pytest.raises(Refused, match="suspended pool"):
        holds.suspend(context, daily.subscription_id, note="x", now=now, behaviour=pool)


def test_search_pages_through_everything(context: Context, make: Factory, now: datetime) -> None:
    owner = customers.add_customer(
        context, name="Paging", profile_id=make.profile(now), now=now, phone="+34 600"
    )
    made = [f"page{number}" for number in range(7)]
    for name in made:
        customers.add_subscription(
            context,
            customer_id=owner.customer_id,
            username=name,
            password="pw",
            framed_ip="10.77.0.9",
            macs=["02:00:5E:00:00:77"],
            now=now,
        )
    for wanted in ("paging", "PAGE", "10.77.", "02-00-5e-00-00-77", "+34 600"):
        found: list[str] = []
        after = None
        while True:
            page = subscribers.search(context, wanted, now, after=after, limit=3)
            found += [row.username for row in page.rows]
            after = page.next_after
            if after is None:
                break
        assert found == made, wanted
    assert subscribers.search(context, "no such thing", now).rows == ()


@pytest.mark.rule("B12")
def test_impossible_profiles_are_refused_with_the_field(context: Context, now: datetime) -> None:
    with pytest.raises(InvalidFields) as refused:
        catalog.add_profile(
            context,
            replace(MONTHLY, name="Bad", cycle_ends_with_month=True, cycle_day=5, due_days=-1),
            now,
        )
    assert {field for field, _ in refused.value.problems} == {"cycle_day", "due_days"}


def test_profile_edit_raises_revision_and_reaches_wallets(
    context: Context, make: Factory, now: datetime
) -> None:
    profile = replace(MONTHLY, name="Edited", credit_limit_micros=5_000_000)
    view = catalog.add_profile(context, profile, now)
    owner = customers.add_customer(context, name="E", profile_id=view.profile_id, now=now)
    customers.add_subscription(
        context, customer_id=owner.customer_id, username="edited", password="p", now=now
    )
    changed = replace(profile, credit_limit_micros=7_000_000, automatic_suspend=False)
    after = catalog.update_profile(context, view.profile_id, changed, now)
    assert (after.revision, after.profile) == (2, changed)
    wallet = customers.get_customer(context, owner.customer_id).wallets[0]
    assert wallet.credit_limit_micros == 7_000_000
    with pytest.raises(Refused, match="B14"):
        catalog.update_profile(
            context,
            view.profile_id,
            replace(DAILY, name="Edited", kind=BillingKind.DAILY, payment=Payment.PREPAID),
            now,
        )


@pytest.mark.rule("M6")
def test_plan_versions_take_effect_at_their_instant(context: Context, now: datetime) -> None:
    terms = replace(DAY_PLAN, plan_name="Versioned")
    plan = catalog.add_plan(context, terms, now)
    dearer = replace(terms, price_micros=2_000_000)
    begins = now + timedelta(days=10)
    catalog.add_plan_version(context, plan.plan_id, dearer, now, effective_from=begins)
    before = catalog.get_plan(context, plan.plan_id, begins - timedelta(seconds=1))
    after = catalog.get_plan(context, plan.plan_id, begins)
    assert (before.terms.price_micros, after.terms.price_micros) == (1_000_000, 2_000_000)
    with pytest.raises(InvalidInput, match="past"):
        catalog.add_plan_version(
            context, plan.plan_id, dearer, now, effective_from=now - timedelta(days=1)
        )
    with pytest.raises(Conflict):
        catalog.add_plan(context, terms, now)
    with pytest.raises(InvalidInput, match="M1"):
        catalog.add_plan(context, replace(terms, plan_name="Yen", currency="JPY"), now)


def test_nas_gets_a_random_secret_that_opens_only_for_it(context: Context, now: datetime) -> None:
    view, secret = nas.add_nas(
        context, name="edge", address="192.0.2.9", vendor=Vendor.MIKROTIK, now=now
    )
    assert len(bytes.fromhex(secret)) >= 16
    with context.transaction() as tx:
        sealed = tx.scalar(select(tables.Nas.secret_sealed).where(tables.Nas.nas_id == view.nas_id))
    assert sealed is not None
    assert context.box.open(sealed, f"nas:{view.nas_id}") == secret
    with pytest.raises(Conflict):
        nas.add_nas(context, name="other", address="192.0.2.9", now=now)
    for options in ({"address": "nowhere"}, {"secret": "short"}, {"coa_port": 70_000}):
        values = {"name": "n", "address": "192.0.2.10", "now": now} | options
        with pytest.raises(InvalidInput) as refused:
            nas.add_nas(context, **values)
        assert refused.value.field == next(iter(options))


@pytest.mark.parametrize(
    ("zone", "currency", "field"),
    [("Mars/Olympus", "EUR", "time_zone"), ("UTC", "euro", "currency")],
)
def test_operator_needs_a_real_zone_and_currency(
    context: Context, now: datetime, zone: str, currency: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        setup.ensure_operator(context, name="X", time_zone=zone, currency=currency, now=now)
    assert refused.value.field == field


def test_audit_finds_edited_and_deleted_rows(
    context: Context, settings: Settings, make: Factory, now: datetime
) -> None:
    make.subscriber(now)
    owner = Database(settings.dsn("owner"))
    with owner.transaction() as tx:
        assert list(audit.broken_rows(tx)) == []
        ids = list(tx.scalars(select(tables.AuditLog.audit_id).order_by(tables.AuditLog.audit_id)))
        last, one_before = ids[-1], ids[-2]
        tx.execute(update(tables.AuditLog).where(tables.AuditLog.audit_id == last)
                   .values(actor="somebody else"))  # fmt: skip
        assert list(audit.broken_rows(tx)) == [last]
        tx.execute(delete(tables.AuditLog).where(tables.AuditLog.audit_id == one_before))
        assert list(audit.broken_rows(tx)) == [last]
        tx.rollback()
    owner.close()


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM posting", "DELETE FROM login"]
)
def test_history_cannot_be_rewritten_by_the_worker(context: Context, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="denied"), context.transaction() as tx:
        tx.execute(text(statement))
