"""PayPal's units, declines and forms, without a server."""

from __future__ import annotations

import pytest

from billing.model.money import Money
from billing.model.payments import DeclineKind, Unpayable
from billing.payments.paypal_client import Reply
from billing.payments.paypal_orders import REFUSALS, decline_of, from_value, to_value
from tests.integration.paypal_contract import CONTRACT, problems


@pytest.mark.parametrize(
    ("micros", "currency", "written"),
    [
        (10_000_000, "EUR", "10.00"),
        (10_000, "EUR", "0.01"),
        (1_234_560_000, "USD", "1234.56"),
        (500_000_000, "JPY", "500"),
        (500_000_000, "HUF", "500"),
        (500_000_000, "TWD", "500"),
        (1_500_000_000, "ISK", "1500"),
    ],
)
def test_amounts_are_written_as_paypal_wants_them(micros: int, currency: str, written: str) -> None:
    said = to_value(Money(micros, currency))
    assert said == {"currency_code": currency, "value": written}
    assert problems(said, "money") == []
    assert from_value(said) == Money(micros, currency)


@pytest.mark.parametrize(
    ("micros", "currency"),
    [(10_001, "EUR"), (500_500_000, "JPY"), (500_500_000, "HUF"), (1_001_000, "KWD")],
)
def test_what_paypal_cannot_take_is_refused(micros: int, currency: str) -> None:
    with pytest.raises(Unpayable):
        to_value(Money(micros, currency))


@pytest.mark.parametrize(
    ("issue", "kind"),
    [
        ("INSTRUMENT_DECLINED", DeclineKind.SOFT),
        ("TRANSACTION_REFUSED", DeclineKind.SOFT),
        ("PAYER_ACTION_REQUIRED", DeclineKind.AUTHENTICATION),
        ("AGREEMENT_ALREADY_CANCELLED", DeclineKind.HARD),
        ("something new", DeclineKind.HARD),
    ],
)
def test_what_a_refusal_means_for_the_next_try(issue: str, kind: DeclineKind) -> None:
    assert decline_of(issue) is kind


def test_every_code_that_is_told_apart_is_one_that_paypal_has_published() -> None:
    assert set(CONTRACT["capture_issues"]) == REFUSALS


@pytest.mark.parametrize(
    ("said", "issue", "reason"),
    [
        ({}, "", "422"),
        ({"name": "X", "message": "Y"}, "X", "X: Y"),
        ({"name": "X", "details": [{"issue": "I", "description": "D"}]}, "I", "I: D"),
        ({"name": "X", "details": "?", "debug_id": "9"}, "X", "X (debug id 9)"),
        ({"name": "X", "details": ["?"]}, "X", "X"),
    ],
)
def test_a_refusal_is_read_whatever_its_form(
    said: dict[str, object], issue: str, reason: str
) -> None:
    reply = Reply(422, said)
    assert (reply.issue, reply.reason) == (issue, reason)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"currency_code": "EUR"}, [".value is missing"]),
        ({"currency_code": "EURO", "value": "1"}, [".currency_code may not be 'EURO'"]),
        ({"currency_code": "EUR", "value": "1,00"}, [".value may not be '1,00'"]),
        ({"currency_code": "EUR", "value": 1}, [".value is no string: 1"]),
        ({"currency_code": "EUR", "value": "1", "x": 1}, [".x is not known"]),
    ],
)
def test_the_contract_notices(said: dict[str, object], found: list[str]) -> None:
    assert problems(said, "money") == found
