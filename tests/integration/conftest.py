"""What the integration tests share: the meter on a database of the test module; the command
line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from billing.cli import main
from billing.settings import Settings
from tests.integration.meter_world import MeterWorld

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def world(settings: Settings) -> Iterator[MeterWorld]:
    """Subscribers and records for the meter, in the module's own database."""
    opened = MeterWorld(settings)
    yield opened
    opened.close()


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return tollway
