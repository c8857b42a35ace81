"""The figures that each process writes for Prometheus, and what `doctor` makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.views import CheckView
from billing.services import metrics
from billing.services.outage import outage_checks
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN
from tests.radius.installation import Installation, installation
from tests.waiting import until


@pytest.fixture(scope="module")
def isp(product_copy: Path) -> Iterator[Installation]:
    with installation(product_copy, environment={"TOLLWAY_ACCT_JOURNAL": "true"}) as made:
        yield made


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds = 2.0
        yield made


def figures(isp: Installation, process: str) -> metrics.Figures:
    return metrics.read(isp.settings.metrics_file(process))


def checks(isp: Installation) -> dict[str, CheckView]:
    directory = isp.settings.metrics_file("").parent
    found = outage_checks(directory, isp.settings.journal_dir, utc_now())
    return {check.name: check for check in found}


def heard_at(isp: Installation, first: Callable[[], object] = lambda: None) -> datetime:
    """When the accounting server last said that it hears NAS."""
    first()
    with isp.context.transaction() as tx:
        return tx.scalars(select(tables.Hearing.last_at)).one()


@pytest.mark.rule("A8")
def test_figures_and_doctor_tell_of_an_outage_and_of_its_end(
    isp: Installation, nas: SimulatedNas
) -> None:
    subscriber = isp.make.subscriber(utc_now(), plan=replace(DAY_PLAN, outage_minutes=60))
    isp.make.package(subscriber, utc_now())
    assert nas.login(subscriber.username, subscriber.password).result == "accept"
    assert nas.login(subscriber.username, "wrong").result == "reject"
    session = nas.start(subscriber.username)
    until(lambda: figures(isp, "radiusd-auth").get('logins_total{outcome="accept",reason="ok"}'))
    auth = figures(isp, "radiusd-auth")
    assert auth['logins_total{outcome="accept",reason="ok"}'] == 1
    assert auth["database_up"] == 1
    assert auth["snapshot_accounts"] == 1
    assert auth['batched_requests_total{queue="authorize"}'] >= 2
    assert auth['queue_requests{queue="authorize"}'] == 0
    until(lambda: figures(isp, "radiusd-acct").get('accounting_total{outcome="charged"}') == 1)
    refused = 'logins_total{outcome="reject",reason="bad-password"}'
    until(lambda: figures(isp, "radiusd-auth").get(refused) == 1)
    assert {check.status for check in checks(isp).values()} == {"ok"}

    isp.cluster.stop()
    try:
        assert nas.login(subscriber.username, subscriber.password).result == "accept"
        session.seconds = 30
        assert nas.account(session, "Interim-Update")
        until(lambda: {c.status for c in checks(isp).values()} == {"fail", "warn"})
        until(lambda: "1 logins granted" in checks(isp)["radiusd-auth"].detail)
        assert checks(isp)["journal"].detail.startswith("1 accounting records wait")
        acct = figures(isp, "radiusd-acct")
        assert acct['accounting_total{outcome="journal"}'] == 1
        assert acct["database_up"] == 0
        assert acct['database_failures_total{error="the database: OperationalError"}'] >= 1
    finally:
        before = heard_at(isp, isp.cluster.start)
    until(lambda: {check.status for check in checks(isp).values()} == {"ok"})
    until(lambda: figures(isp, "radiusd-acct").get("journal_charged_total") == 1)
    assert figures(isp, "radiusd-acct")["database_outages_total"] == 1
    # Accounting is heard again, and all of it is charged (rule U10).
    until(lambda: heard_at(isp) > before)
    mode = isp.settings.metrics_file("radiusd-auth").stat().st_mode & 0o777
    assert mode == 0o644
