"""A reseller's staff sees its own organisation and nothing of the operator's (security.md 7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import pytest
from flask.testing import FlaskClient

from billing.errors import InvalidInput
from billing.model.events import LoginRecord
from billing.model.staff import StaffRole
from billing.services import catalog, customers, staff, subscribers
from billing.services.context import Context
from billing.services.login_lines import line_of, write_lines
from billing.settings import Settings
from billing.store import tables
from billing.store.hotpath import HotConnection
from tests.web import isp as seed
from tests.web.isp import NAS_ADDRESS, Isp
from tests.web.people import PASSWORD, enrolled
from tests.web.test_anomaly_pages import odd_records
from web import create_app

EMAIL = "desk@reseller.example"


@pytest.fixture(scope="module")
def reseller(context: Context, isp: Isp, began: datetime) -> int:
    """Organisation of a reseller with one profile, customer and staff member."""
    with context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name="Corner Shop", created_at=began)
        tx.add(row)
        tx.flush()
        org_id = row.org_id
    own = replace(context, home_org_id=org_id)
    profile = replace(seed.DAILY, name="Corner daily")
    profile_id = catalog.add_profile(own, profile, began).profile_id
    customer = customers.add_customer(own, name="Corner One", profile_id=profile_id, now=began)
    customers.add_subscription(
        own,
        customer_id=customer.customer_id,
        username="corner-user",
        password=PASSWORD,
        now=began,
    )
    enrolled(context, EMAIL, StaffRole.RESELLER, began, org_id=org_id)
    return org_id


@pytest.fixture
def client(settings: Settings, reseller: int) -> Iterator[FlaskClient]:
    app = create_app(settings)
    browser = app.test_client()
    page = browser.get("/login").get_data(as_text=True)
    token = page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
    form = {"email": EMAIL, "password": PASSWORD, "csrf_token": token}
    assert browser.post("/login", data=form).status_code == 302
    yield browser
    app.extensions["tollway"].close()


def test_only_the_own_rows_are_listed(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    assert "corner-user" in page
    for foreign in ("amina", "Greta Lind", "hugo-home"):
        assert foreign not in page
    assert "Corner daily" in client.get("/profiles").get_data(as_text=True)
    assert "Prepaid daily" not in client.get("/profiles").get_data(as_text=True)
    assert "Week 20 GB" not in client.get("/plans").get_data(as_text=True)
    assert "leased here" not in client.get("/pools").get_data(as_text=True)


def test_searching_for_a_foreign_name_finds_nobody(client: FlaskClient) -> None:
    assert "No subscriber matches" in client.get("/?q=amina").get_data(as_text=True)


def test_a_foreign_number_does_not_exist(client: FlaskClient, isp: Isp) -> None:
    for number in (isp.running_id, isp.expired_id, isp.overdue_id):
        assert client.get(f"/subscribers/{number}").status_code == 404
    assert client.get(f"/pools/{isp.pool_id}").status_code == 404


def test_bills_of_others_do_not_exist(
    client: FlaskClient, context: Context, isp: Isp, began: datetime
) -> None:
    (bill,) = subscribers.show(context, isp.overdue_id, began).unpaid_bills
    assert client.get(f"/customers/{bill.customer_id}/bills").status_code == 404
    for size in ("", "?size=receipt"):
        address = f"/customers/{bill.customer_id}/bills/{bill.invoice_id}.pdf{size}"
        assert client.get(address).status_code == 404


def test_customers_of_others_do_not_exist(client: FlaskClient, isp: Isp) -> None:
    page = client.get("/customers").get_data(as_text=True)
    assert "Corner One" in page and "Greta Lind" not in page
    assert "No customer matches" in client.get("/customers?q=greta").get_data(as_text=True)
    assert "No customer matches" in client.get("/customers?q=INV-1").get_data(as_text=True)
    for part in ("", "/ledger", "/bills"):
        assert client.get(f"/customers/{isp.customer_id}{part}").status_code == 404
    page = client.get(f"/messages?customer={isp.customer_id}").get_data(as_text=True)
    assert "greta@mail.example" not in page


def test_a_resellers_staff_reads_its_customers_and_moves_no_money(
    client: FlaskClient, context: Context
) -> None:
    own = customers.find_customer(context, "Corner One").customer_id
    assert "Corner One" in client.get(f"/customers/{own}").get_data(as_text=True)
    money = ("pay", "credit", "charge-card", "recharge", "remove-card")
    for name in (*money, "promise", "sell", "profile", "hold", "details", "charge"):
        assert client.get(f"/customers/{own}/{name}").status_code == 403
    for address in ("/customers/new", "/suspense", "/bank", "/payments/day"):
        assert client.get(address).status_code == 403


def test_money_of_others_is_not_listed(client: FlaskClient, isp: Isp) -> None:
    page = client.get("/payments").get_data(as_text=True)
    assert "No money came in that matches" in page and "Amina" not in page
    page = client.get(f"/payments?customer={isp.customer_id}").get_data(as_text=True)
    assert "No money came in that matches" in page


def test_a_request_cannot_widen_what_is_seen(client: FlaskClient) -> None:
    page = client.get("/?org_id=1&org_ids=1,2", headers={"X-Org-Id": "1"}).get_data(as_text=True)
    assert "amina" not in page and "corner-user" in page


def test_anomalies_of_others_are_not_listed(
    client: FlaskClient, settings: Settings, isp: Isp, began: datetime
) -> None:
    assert isp.running_id
    odd_records(settings, "amina", began)
    odd_records(settings, "corner-user", began)
    page = client.get("/anomalies").get_data(as_text=True)
    assert "corner-user-odd" in page
    assert "amina" not in page and "tower-north" not in page


@pytest.mark.rule("A3", "R2")
def test_attempts_of_others_and_accounting_of_nobody_are_not_shown(
    client: FlaskClient, settings: Settings, isp: Isp, began: datetime
) -> None:
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    with closing(lane):
        for name, customer_id in (("corner-user", 99), ("amina", 1), ("nobody-at-all", 0)):
            tried = LoginRecord(
                name, customer_id, customer_id, NAS_ADDRESS, None, "reject", "expired", 0, began
            )
            write_lines(lane, [line_of(tried)], began)
    page = client.get("/logins").get_data(as_text=True)
    assert "corner-user" in page
    assert "amina" not in page and "nobody-at-all" not in page and "tower-north" not in page
    for path in ("/dead-letters", "/who-had"):
        assert client.get(path).status_code == 403


@pytest.mark.rule("R2")
def test_the_operators_owner_sees_the_reseller(
    context: Context, reseller: int, began: datetime
) -> None:
    member = next(person for person in staff.list_staff(context) if person.email == EMAIL)
    assert member.org_ids == (reseller,)
    boss = enrolled(context, "boss@isp.example", StaffRole.OWNER, began)
    assert set(boss.org_ids) == {1, reseller}


def test_a_role_does_not_fit_every_organisation(
    context: Context, reseller: int, began: datetime
) -> None:
    with pytest.raises(InvalidInput, match="reseller's staff"):
        staff.enrol(context, "x@reseller.example", [StaffRole.OWNER], began, org_id=reseller)
