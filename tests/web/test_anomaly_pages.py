"""Anomalies of accounting records: listed with the record, found by code; nobody else's."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.model.events import AccountingRecord, Status
from billing.services import metering
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from tests.web.conftest import Visitor
from tests.web.isp import NAS_ADDRESS, Isp


def odd_records(settings: Settings, username: str, now: datetime) -> None:
    """A session whose counter falls, and one record with a clock that is wrong."""
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    with closing(lane):
        for seconds, octets, odd in ((60, 9_000, ("clock-disagrees",)), (120, 40, ())):
            record = AccountingRecord(
                status=Status.INTERIM,
                username=username,
                sent_username=username,
                nas_address=NAS_ADDRESS,
                acct_session_id=f"{username}-odd",
                arrived_at=now,
                event_at=now,
                precise_time=False,
                session_seconds=seconds,
                input_octets=octets,
                output_octets=octets,
                has_gigawords=True,
                anomalies=odd,
            )
            metering.meter_batch(lane, [metering.prepare(record)], now)


@pytest.mark.rule("U4")
def test_anomalies_are_seen_with_their_record(
    at_desk: Visitor, settings: Settings, isp: Isp, began: datetime
) -> None:
    assert isp.running_id
    page = at_desk.open("/anomalies")
    expect(page.locator("tbody")).to_contain_text("Nothing odd was seen")
    odd_records(settings, "amina", began)
    page = at_desk.open("/anomalies")
    row = page.locator("tbody tr", has_text="counter-fell").first
    expect(row).to_contain_text("amina")
    expect(row).to_contain_text("tower-north")
    expect(row).to_contain_text("session amina-odd seconds 120 input 40")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="clock-disagrees").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).not_to_contain_text("counter-fell")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []
