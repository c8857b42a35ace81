"""`tollway staff role|disable|enable`: who works where, and may log in (security.md 4, 5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.errors import Refused
from billing.model.staff import SessionLimits, StaffRole
from billing.services import resellers, staff
from billing.services.context import Context
from billing.store import tables
from tests.factories import DAILY, Factory
from tests.integration.conftest import Run

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PASSWORD = "seven tall brown kettles"


def _enrolled(
    context: Context, email: str, role: StaffRole = StaffRole.BILLING, org_id: int = 1
) -> str:
    """The token of a browser session of somebody new."""
    now = utc_now()
    link = staff.enrol(context, email, [role], now, org_id=org_id)
    return staff.open_session(context, staff.accept_enrolment(context, link, PASSWORD, now), now)


def _attempt(email: str) -> staff.LoginAttempt:
    return staff.LoginAttempt(email=email, password=PASSWORD, address="192.0.2.1")


def _may(context: Context, token: str) -> bool:
    return staff.session_member(context, token, SessionLimits(), utc_now()) is not None


def _row(run: Run, email: str) -> dict[str, object]:
    found = json.loads(run("staff", "list", "--json")[1])
    return next(one for one in found if one["email"] == email)


def test_a_role_is_given_and_taken(run: Run, context: Context) -> None:
    _enrolled(context, "bo@isp.example")
    code, out, err = run("staff", "role", "BO@isp.example", "support")
    assert (code, "support now" in out) == (0, True), err
    assert _row(run, "bo@isp.example")["roles"] == ["support"]
    out = run("staff", "role", "bo@isp.example", "owner", "--json")[1]
    assert json.loads(out) == {"email": "bo@isp.example", "role": "owner"}
    assert staff.find(context, "bo@isp.example").roles == {StaffRole.OWNER}
    table = tables.AuditLog
    with context.transaction() as tx:
        rows = list(tx.scalars(select(table.detail).where(table.action == "staff.role")))
    assert [json.loads(row)["role"] for row in rows] == ["support", "owner"]


def test_a_role_is_one_of_its_organisation(run: Run, context: Context, make: Factory) -> None:
    shop = resellers.add(
        context, name="Shop", parent_org_id=1, profile_id=make.profile(NOW, DAILY), now=NOW
    ).org_id
    _enrolled(context, "al@isp.example")
    _enrolled(context, "jo@shop.example", StaffRole.RESELLER, shop)
    assert run("staff", "role", "jo@shop.example", "cashier")[0] == 0
    assert _row(run, "jo@shop.example")["roles"] == ["cashier"]
    for email, role, code, said in (
        ("jo@shop.example", "owner", 2, "a reseller's staff has the role reseller or cashier"),
        ("al@isp.example", "reseller", 2, "the operator's has owner"),
        ("al@isp.example", "king", 2, "'king' is not one of"),
        ("nobody@isp.example", "owner", 3, "nobody is enrolled as nobody@isp.example"),
        ("not an address", "owner", 2, "address"),
    ):
        got, _, err = run("staff", "role", email, role)
        assert (got, said in err) == (code, True), (email, role, err)
    assert _row(run, "al@isp.example")["roles"] == ["billing"]
    assert _row(run, "jo@shop.example")["roles"] == ["cashier"]
    only = json.loads(run("staff", "list", "--org", str(shop), "--json")[1])
    assert [one["email"] for one in only] == ["jo@shop.example"]


def test_who_is_disabled_is_out_at_once_and_comes_back_by_logging_in(
    run: Run, context: Context
) -> None:
    email = "cy@isp.example"
    token, other = _enrolled(context, email), _enrolled(context, "di@isp.example")
    assert _may(context, token)
    code, out, err = run("staff", "disable", email)
    assert (code, "may not log in any more" in out) == (0, True), err
    assert not _may(context, token) and _may(context, other)
    assert _row(run, email)["active"] is False
    with pytest.raises(Refused, match="disabled"):
        staff.log_in(context, _attempt(email), utc_now())
    # Twice is no error; what was ended stays so.
    assert run("staff", "disable", email)[0] == 0
    assert json.loads(run("staff", "enable", email, "--json")[1]) == {
        "email": email,
        "active": True,
    }
    assert not _may(context, token)
    assert staff.log_in(context, _attempt(email), utc_now()).email == email
    assert _row(run, email)["active"] is True


@pytest.mark.parametrize("command", ["disable", "enable"])
def test_nobody_is_disabled_by_a_slip(run: Run, context: Context, command: str) -> None:
    email = f"el-{command}@isp.example"
    token = _enrolled(context, email)
    for wrong, code, said in (
        ("nobody@isp.example", 3, "nobody is enrolled"),
        ("", 2, ""),
        ("el", 2, "address"),
    ):
        got, _, err = run("staff", command, wrong)
        assert (got, said in err) == (code, True), (wrong, err)
    assert run("staff", command)[0] == 2
    assert run("staff", command, email, "another@isp.example")[0] == 2
    assert _may(context, token)
