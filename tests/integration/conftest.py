"""What the integration tests share: the meter on a database of the test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.settings import Settings
from tests.integration.meter_world import MeterWorld


@pytest.fixture(scope="module")
def world(settings: Settings) -> Iterator[MeterWorld]:
    """Subscribers and records for the meter, in the module's own database."""
    opened = MeterWorld(settings)
    yield opened
    opened.close()
