"""Strict plans, grants and overspend at the command line (rule Q4)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from billing.clock import utc_now
from billing.model.events import LoginRecord
from billing.services import customers
from billing.services.context import Context
from billing.settings import Settings
from billing.store import customers as customers_store
from billing.store import hotpath
from billing.store.admission import admit_logins
from billing.store.hotpath import HotConnection
from tests.factories import Factory
from tests.integration.grant_world import CHILLI
from tests.integration.meter_world import interim, start
from tests.integration.test_cli import Run, run

__all__ = ["run"]
pytestmark = pytest.mark.rule("Q4")
STRICT = ("--price", "3.00", "--validity", "1440m", "--data", "10GB", "--sharing", "strict")


@pytest.fixture
def profile(run: Run) -> None:
    if not run("profile", "list", "--json").value:
        assert run("profile", "add", "Daily", "--kind", "daily").code == 0


def test_a_strict_plan_is_completed_and_bad_terms_are_named(run: Run) -> None:
    added = run("plan", "add", "Family", *STRICT, "--json")
    assert added.code == 0
    terms = added.value["terms"]
    assert (terms["sharing"], terms["slice_octets"]) == ("strict", 500_000_000)
    assert (terms["grant_valid_seconds"], terms["final_unit_action"]) == (3600, "terminate")
    chosen = run(
        *("plan", "version", "Family", *STRICT, "--slice-data", "100MB", "--slice-time", "10m"),
        *("--grant-valid", "2h", "--final-unit", "restrict-speed", "--restricted-down", "256k"),
    )
    assert chosen.code == 0
    assert "strict: slices of 100.00 MB" in chosen.out
    assert "then restrict-speed" in chosen.out
    for more, field in (
        (("--slice-data", "20GB"), "slice_octets"),
        (("--grant-valid", "10s"), "grant_valid_seconds"),
        (("--final-unit", "redirect"), "pay_only_pool"),
        (("--payg-data-step", "1MB", "--payg-data-price", "0.01"), "sharing"),
        (("--outage", "30m"), "outage_minutes"),
    ):
        refused = run("plan", "add", "Bad", *STRICT, *more, "--json")
        assert refused.code == 2
        problems = json.loads(refused.err)["problems"]
        assert field in [problem["field"] for problem in problems]
    shared = run("plan", "add", "Bad", *STRICT[:-2], "--slice-data", "1GB", "--json")
    assert [one["field"] for one in json.loads(shared.err)["problems"]] == ["slice_octets"]


def test_a_nas_that_cannot_enforce_it_is_named_everywhere(run: Run) -> None:
    run("plan", "add", "Named", *STRICT)
    lines = run("nas", "add", "lobby", "10.9.0.1", "--vendor", "ubiquiti").out
    assert "warning: it cannot end a session at a number of octets" in " ".join(lines.split())
    able = run("nas", "add", "gate", "10.9.0.2", "--vendor", "chilli").out
    assert "warning" not in able
    assert "has no pools by name" in " ".join(able.split())
    assert "lobby (ubiquiti)" in run("plan", "version", "Named", *STRICT).out
    (check,) = (one for one in run("doctor", "--json").value if one["name"] == "strict sharing")
    assert check["status"] == "warn"
    assert "Named" in check["detail"] and "ubiquiti" in check["detail"]


@pytest.mark.usefixtures("profile")
def test_quota_shows_who_holds_what(
    run: Run, settings: Settings, context: Context, make: Factory
) -> None:
    run("plan", "add", "Shown", *STRICT)
    run("subscriber", "add", "sam", "--name", "Sam", "--profile", "Daily")
    assert "share all that is left" in run("quota", "sam").out
    run("topup", "sam", "9.00", "--key", "t")
    assert run("sell", "sam", "Shown").code == 0
    assert "not held by any session: 10.00 GB" in run("quota", "sam").out
    now = utc_now()
    address = "10.9.0.3"
    make.nas(now, address=address, secret="not secret", coa_port=3799, vendor="chilli")
    subscription_id = customers.subscription_id_of(context, "sam")
    version = run("subscriber", "show", "sam", "--json").value["plan"]["plan_version_id"]
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    try:
        _log_in(context, lane, subscription_id, address, version)
        told = {"nas": address, "calling_station": "aa", "sid": "q1"}
        rows = [start("sam", now, **told)]
        rows.append(interim("sam", now + timedelta(seconds=60), 60, 1_000, 2_000, **told))
        for record in rows:
            hotpath.charge_usage(lane, [hotpath.usage_row(record)], now + timedelta(seconds=61))
    finally:
        lane.close()
    shown = run("quota", "sam", "--json").value
    assert (shown["strict"], shown["reservable_octets"]) == (True, 10**10 - 500_000_000)
    (grant,) = shown["grants"]
    assert (grant["acct_session_id"], grant["state"], grant["enforced"]) == ("q1", "held", True)
    assert (grant["granted_octets"], grant["used_octets"]) == (500_000_000, 3_000)
    assert "q1" in run("quota", "sam").out
    assert run("overspend", "--user", "sam", "--json").value == []
    assert run("overspend").code == 0
    assert run("quota", "nobody").code == 3


def _log_in(
    context: Context, lane: HotConnection, subscription_id: int, nas_address: str, version: int
) -> None:
    with context.transaction() as tx:
        row = customers_store.get_subscription(tx, subscription_id)
        assert row is not None
        customer_id = row.customer_id
    login = LoginRecord(
        username="sam",
        customer_id=customer_id,
        subscription_id=subscription_id,
        nas_address=nas_address,
        calling_station="aa",
        outcome="accept",
        reason="ok",
        entitlement_id=0,
        at=utc_now(),
        grant_version_id=version,
        nas_can=CHILLI,
    )
    assert admit_logins(lane, [login], utc_now())[0].reservation_id


@pytest.mark.rule("B10")
def test_a_nas_that_fences_nobody_in_is_named(run: Run) -> None:
    def check() -> dict[str, str]:
        checks = run("doctor", "--json").value
        (found,) = (one for one in checks if one["name"] == "suspended pools")
        return found

    run("nas", "add", "cafe", "10.9.0.9", "--vendor", "wispr")
    assert check()["status"] == "ok"
    suspends = ("--kind", "monthly", "--payment", "postpaid", "--automatic-suspend")
    pool = ("--suspended-pool", "garden")
    assert run("profile", "add", "Fenced", *suspends, "--cycle-day", "10", *pool).code == 0
    assert check()["status"] == "warn"
    assert "Fenced" in check()["detail"] and "wispr" in check()["detail"]
    run("pool", "add", "garden", "10.99.0.0/28", "--suspended")
    assert check()["status"] == "ok"
