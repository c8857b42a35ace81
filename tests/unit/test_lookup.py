"""Look-ups of NAS beside the thread that reads packets."""

from __future__ import annotations

import threading

import pytest

from billing.errors import InvalidInput, Unavailable
from billing.model.network import NasTraits
from billing.services.clients import Client
from radius_plugin.lookup import Lookups
from tests.waiting import until

KNOWN = Client(
    vendor="generic",
    name="nas",
    traits=NasTraits(nas_id=1),
    require_message_authenticator=True,
    secret="s" * 16,
)


def test_a_look_up_answers_or_passes_its_error_on() -> None:
    def look_up(address: str) -> Client | None:
        if address == "broken":
            raise InvalidInput("wrong key")
        return KNOWN if address == "10.0.0.1" else None

    lookups = Lookups(look_up, answer_seconds=30)
    assert lookups.find("10.0.0.1") is KNOWN
    assert lookups.find("10.0.0.2") is None
    with pytest.raises(InvalidInput, match="wrong key"):
        lookups.find("broken")


def test_one_that_hangs_is_waited_for_once_and_service_returns() -> None:
    hangs = threading.Event()
    asked: list[str] = []

    def look_up(address: str) -> Client | None:
        asked.append(address)
        hangs.wait(30)
        return KNOWN

    lookups = Lookups(look_up, answer_seconds=0.01)
    with pytest.raises(Unavailable, match="in time"):
        lookups.find("first")
    with pytest.raises(Unavailable, match="earlier"):
        lookups.find("second")
    assert asked == ["first"]
    hangs.set()
    until(lambda: not lookups._running.is_alive())
    assert lookups.find("third") is KNOWN
