"""What a NAS's answer leads to, Error-Cause by Error-Cause (rule C1, RFC 5176 3.5)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from billing.model.enforcement import Outcome, PacketKind
from billing.rules import answers
from billing.rules.answers import Consequence, Refusal, consequence, refusal

DICTIONARY = Path(__file__).parents[2] / "radius_plugin" / "dictionary" / "standard"
AT_ONCE = timedelta(0)
MINUTE = timedelta(minutes=1)
CLASSES = {
    "Unsupported-Attribute": Refusal.PERMANENT,
    "Missing-Attribute": Refusal.PERMANENT,
    "NAS-Identification-Mismatch": Refusal.PERMANENT,
    "Invalid-Request": Refusal.PERMANENT,
    "Unsupported-Service": Refusal.PERMANENT,
    "Unsupported-Extension": Refusal.PERMANENT,
    "Invalid-Attribute-Value": Refusal.PERMANENT,
    "Administratively-Prohibited": Refusal.PERMANENT,
    "Request-Not-Routable": Refusal.PASSING,
    "Session-Context-Not-Found": Refusal.SESSION_UNKNOWN,
    "Session-Context-Not-Removable": Refusal.PASSING,
    "Other-Proxy-Processing-Error": Refusal.PASSING,
    "Resources-Unavailable": Refusal.PASSING,
    "Request-Initiated": Refusal.PASSING,
    "Multiple-Session-Selection-Unsupported": Refusal.PERMANENT,
    # Success and an error of EAP, never in a NAK.
    "Residual-Session-Context-Removed": Refusal.OTHER,
    "Invalid-EAP-Packet": Refusal.OTHER,
}


def follows(
    packet: PacketKind,
    outcome: Outcome,
    error_cause: str | None = None,
    *,
    attempt: int = 1,
    unknown_answers: int = 0,
    namings: int = 1,
) -> Consequence:
    return consequence(
        packet,
        outcome,
        error_cause,
        attempt=attempt,
        unknown_answers=unknown_answers,
        namings=namings,
    )


def test_every_error_cause_of_the_dictionary_is_classed() -> None:
    lines = (line.split() for line in DICTIONARY.read_text(encoding="utf-8").splitlines())
    names = {words[2] for words in lines if words[:2] == ["VALUE", "Error-Cause"]}
    assert names == CLASSES.keys()


@pytest.mark.rule("C1")
@pytest.mark.parametrize(("cause", "expected"), [*CLASSES.items(), (None, Refusal.OTHER)])
def test_classes(cause: str | None, expected: Refusal) -> None:
    assert refusal(cause) is expected
    assert refusal("599") is Refusal.OTHER


@pytest.mark.rule("C1")
@pytest.mark.parametrize("cause", [*CLASSES, None, "599"])
def test_a_refused_coa_is_repeated_or_becomes_a_disconnect(cause: str | None) -> None:
    found = follows(PacketKind.COA, Outcome.NAK, cause)
    match refusal(cause):
        case Refusal.SESSION_UNKNOWN:
            assert found == Consequence(wait=MINUTE)
        case Refusal.PASSING:
            assert found == Consequence()
            assert follows(PacketKind.COA, Outcome.NAK, cause, attempt=3).escalate
        case _:
            assert found == Consequence(wait=AT_ONCE, escalate=True)


@pytest.mark.rule("C1")
@pytest.mark.parametrize("cause", [*CLASSES, None, "599"])
def test_a_refused_disconnect_fails_only_where_it_always_will(cause: str | None) -> None:
    found = follows(PacketKind.DISCONNECT, Outcome.NAK, cause)
    match refusal(cause):
        case Refusal.SESSION_UNKNOWN:
            assert found == Consequence(wait=MINUTE)
        case Refusal.PERMANENT:
            assert found == Consequence(state="failed")
        case _:
            assert found == Consequence()


@pytest.mark.rule("C3")
def test_an_unknown_session_is_called_by_all_its_names_before_waiting() -> None:
    waits = [
        follows(
            PacketKind.DISCONNECT,
            Outcome.NAK,
            answers.SESSION_UNKNOWN,
            unknown_answers=number,
            namings=3,
        ).wait
        for number in range(20)
    ]
    assert waits[:6] == [AT_ONCE, AT_ONCE, MINUTE, AT_ONCE, AT_ONCE, 2 * MINUTE]
    assert waits[17] == 5 * MINUTE


@pytest.mark.rule("C1")
@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.UNSENT])
def test_silence_is_borne_for_a_while(outcome: Outcome) -> None:
    assert follows(PacketKind.COA, outcome, attempt=2) == Consequence()
    assert follows(PacketKind.COA, outcome, attempt=3) == Consequence(escalate=True)
    assert follows(PacketKind.DISCONNECT, outcome, attempt=300) == Consequence()


@pytest.mark.rule("C1")
def test_an_ack_waits_for_accounting() -> None:
    assert follows(PacketKind.DISCONNECT, Outcome.ACK) == Consequence("acked", MINUTE / 2)
    assert follows(PacketKind.COA, Outcome.ACK) == Consequence("acked", 15 * MINUTE)
    assert follows(PacketKind.NONE, Outcome.ACK) == Consequence("confirmed")
