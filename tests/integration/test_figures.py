"""The worker's figures, and files of figures that are not right."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from billing.jobs import figures
from billing.services import metrics
from billing.services.context import Context
from billing.services.outage import STALE, outage_checks
from rig.account import service_account
from rig.certificates import SERVER_DAYS, EapOptions, ensure


def test_the_worker_tells_of_its_orders(context: Context, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    figures.run(context, tmp_path / "worker.prom", tmp_path, stop)
    found = metrics.read(tmp_path / "worker.prom")
    assert found["database_up"] == 1
    states = ("pending", "acked", "failed")
    assert [found[f'coa_orders{{state="{state}"}}'] for state in states] == [0, 0, 0]
    assert [found[f'messages{{state="{state}"}}'] for state in ("waiting", "given_up")] == [0, 0]
    assert "eap_certificate_end_seconds" not in found


def test_the_worker_tells_when_the_certificate_ends(
    context: Context, tmp_path: Path, now: datetime
) -> None:
    stop = threading.Event()
    stop.set()
    ensure(tmp_path, EapOptions(), service_account(), now)
    figures.run(context, tmp_path / "worker.prom", tmp_path, stop)
    ends_at = metrics.read(tmp_path / "worker.prom")["eap_certificate_end_seconds"]
    assert ends_at == (now + timedelta(days=SERVER_DAYS)).timestamp()


def test_a_malformed_file_is_told_and_an_old_one_left_out(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "radiusd-auth.prom"
    path.write_text("tollway_database_up up\n")
    checks = list(outage_checks(tmp_path, tmp_path / "journal", now))
    assert [(check.name, check.status) for check in checks] == [
        ("radiusd-auth", "warn"),
        ("journal", "ok"),
    ]
    old = (now - 2 * STALE).timestamp()
    os.utime(path, (old, old))
    checks = list(outage_checks(tmp_path, tmp_path / "journal", now))
    assert [check.name for check in checks] == ["journal"]


def test_damaged_records_are_told(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "damaged").write_bytes(b"12345")
    (check,) = [c for c in outage_checks(tmp_path, tmp_path, now) if c.status == "warn"]
    assert check.detail.startswith("5 octets")
    assert "damaged" in check.mend


@pytest.mark.parametrize("value", [0.0, 1.5, 2.0**40])
def test_what_is_written_is_read(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.prom"
    labelled = metrics.Measure(
        "counter", "a_total", "Text.", {("b", 'c"\n'): value}, ("one", "two")
    )
    metrics.write(path, [labelled, metrics.gauge("d", "Text.", value)])
    found = metrics.read(path)
    assert found['a_total{one="b",two="c"\n"}'] == found["d"] == value
