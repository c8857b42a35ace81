"""Whatever FreeRADIUS could hand to a hook gets an answer that FreeRADIUS understands (F5, F6)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from billing.settings import Settings
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory

ROOT = Path(__file__).resolve().parents[2]
NAS_ADDRESSES = {"auth": "192.0.2.9", "acct": "192.0.2.10"}


@pytest.mark.rule("F6")
@pytest.mark.parametrize("kind", NAS_ADDRESSES)
def test_any_request_gets_a_right_answer(
    make: Factory, settings: Settings, now: datetime, tmp_path: Path, kind: str
) -> None:
    """In a state directory of its own, for what the hooks write there, with the same key."""
    shutil.copytree(settings.key_file.parent, tmp_path / settings.key_file.parent.name)
    rich = make.subscriber(now, plan=DAY_PLAN)
    make.package(rich, now, seconds=10**6, octets=10**12)
    poor, unpaid = make.subscriber(now), make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    address = NAS_ADDRESSES[kind]
    make.nas(now, address=address, secret="secret of a NAS", coa_port=3799)
    names = [each.username for each in (rich, poor, unpaid)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.hooks", kind, address, *names],
        cwd=ROOT,
        env=os.environ
        | {
            "TZ": "UTC",
            "TOLLWAY_STATE_DIR": str(tmp_path),
            "TOLLWAY_DATABASE_URL": settings.database_url,
            "TOLLWAY_DATABASE_NAME": settings.database_name,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout
