"""SEPA direct debit: nobody is called; payments wait for the file that a bank is given.

Settings: `creditor_name`, `creditor_id` (AT-02), `bic` (with pain.008.001.02), `schema`,
`lead_days`, `cut_off`, `return_fee`; secret: `iban`, the account that the money comes to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sepaxml import SepaDD
from stdnum import bic as bic_numbers
from stdnum import iban as iban_numbers
from stdnum.eu import at_02
from stdnum.exceptions import ValidationError

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.payments import (
    Answer,
    Capabilities,
    DeclineKind,
    GatewayConfig,
    Outcome,
    PaymentOrder,
    ProviderEvent,
    RefundOrder,
)
from billing.model.sepa import CURRENCY, RETURN_FEE, CollectionFile, Creditor, return_fee
from billing.payments.protocol import WebhookRefused

SCHEMAS = ("pain.008.001.08", "pain.008.001.02")
_NAME_LIMIT = 70
_LEAD_DAYS, _LEAD_MOST = 5, 30
_CUT_OFF = "12:00"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def open_gateway(config: GatewayConfig) -> SepaGateway:
    """Raises InvalidInput: what is missing, or wrong."""
    name = " ".join(config.settings.get("creditor_name", "").split())
    if not 1 <= len(name) <= _NAME_LIMIT:
        raise InvalidInput(
            f"the creditor's name is missing: 1 to {_NAME_LIMIT} characters", field="creditor_name"
        )
    schema = config.settings.get("schema", SCHEMAS[0])
    if schema not in SCHEMAS:
        raise InvalidInput(f"must be one of {', '.join(SCHEMAS)}", field="schema")
    iban, bic = checked_account(config.secrets.get("iban", ""), config.settings.get("bic", ""))
    if bic is None and schema == SCHEMAS[1]:
        raise InvalidInput(f"{schema} needs your bank's BIC", field="bic")
    _check_fee(config.settings.get(RETURN_FEE, ""))
    creditor = Creditor(
        name=name,
        creditor_id=_creditor_id(config.settings.get("creditor_id", "")),
        lead_days=_lead_days(config.settings.get("lead_days", str(_LEAD_DAYS))),
        cut_off_minute=_minute(config.settings.get("cut_off", _CUT_OFF)),
    )
    return SepaGateway(creditor=creditor, schema=schema, iban=iban, bic=bic)


def checked_account(iban: str, bic: str) -> tuple[str, str | None]:
    """Both without blanks; the BIC may be empty. Raises InvalidInput."""
    if not iban.strip():
        raise InvalidInput("the IBAN is missing", field="iban")
    try:
        number = iban_numbers.validate(iban)
    except ValidationError:
        raise InvalidInput(
            "is no IBAN: its check digits or its length are wrong", field="iban"
        ) from None
    if not bic.strip():
        return number, None
    try:
        return number, bic_numbers.validate(bic)
    except ValidationError:
        raise InvalidInput("is no BIC: it has 8 or 11 letters and digits", field="bic") from None


def _creditor_id(text: str) -> str:
    if not text.strip():
        raise InvalidInput(
            "the creditor identifier is missing: your central bank gives it out, like"
            " DE98ZZZ09999999999",
            field="creditor_id",
        )
    try:
        return at_02.validate(text)
    except ValidationError:
        raise InvalidInput(
            "is no creditor identifier: its check digits are wrong", field="creditor_id"
        ) from None


def _check_fee(text: str) -> None:
    try:
        return_fee(text)
    except ValueError as error:
        raise InvalidInput(str(error), field=RETURN_FEE) from None


def _lead_days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LEAD_MOST:
        raise InvalidInput(f"must be days, 1 to {_LEAD_MOST}", field="lead_days")
    return int(text)


def _minute(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise InvalidInput("must be a time of day, like 12:00", field="cut_off")
    return int(found[1]) * 60 + int(found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class SepaGateway:
    creditor: Creditor
    schema: str
    iban: str = field(repr=False)
    bic: str | None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            channel=MoneyChannel.DIRECT_DEBIT, checkout=False, saves_methods=True, by_file=True
        )

    def checked_account(self, iban: str, bic: str) -> tuple[str, str | None]:
        return checked_account(iban, bic)

    def file(self, wanted: CollectionFile) -> bytes:
        """The same for the same collections; checked against the schema. Raises InvalidInput."""
        made = _File(wanted, self)
        for one in wanted.collections:
            payment: dict[str, object] = {
                "name": one.holder,
                "IBAN": one.iban,
                "amount": one.amount_cents,
                "type": one.sequence.value,
                "collection_date": wanted.collect_on,
                "mandate_id": one.mandate,
                "mandate_date": one.signed_on,
                "description": one.text,
                "endtoend_id": one.end_to_end_id,
            }
            if one.bic is not None:
                payment["BIC"] = one.bic
            made.add_payment(payment)
        body = made.export(validate=True)
        if not isinstance(body, bytes):
            raise TypeError("a file is octets")
        return body

    def pay(self, order: PaymentOrder) -> Answer:
        return Answer(outcome=Outcome.WAITS)

    def look_up(self, order: PaymentOrder) -> Answer:
        return Answer(outcome=Outcome.WAITS)

    def refund(self, order: RefundOrder) -> Answer:
        return Answer(
            outcome=Outcome.DECLINED,
            decline=DeclineKind.HARD,
            reason="a direct debit is not given back by file: transfer the money, and book it",
        )

    def look_up_refund(self, order: RefundOrder) -> Answer:
        return self.refund(order)

    def parse_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> list[ProviderEvent]:
        raise WebhookRefused("banks call nobody")

    def check(self) -> str:
        return ""


class _File(SepaDD):  # type: ignore[misc]  # sepaxml has no types
    """The library's file, under names of our own and with the time that it is told: a file that is
    made again is the same."""

    def __init__(self, wanted: CollectionFile, gateway: SepaGateway) -> None:
        self._wanted = wanted
        config: dict[str, object] = {
            "name": gateway.creditor.name,
            "IBAN": gateway.iban,
            "batch": True,
            "creditor_id": gateway.creditor.creditor_id,
            "currency": CURRENCY,
        }
        if gateway.bic is not None:
            config["BIC"] = gateway.bic
        super().__init__(config, schema=gateway.schema, clean=True)

    def _create_header(self) -> None:
        self.msg_id = self._wanted.message_id
        super()._create_header()
        for node in self._xml.iter("CreDtTm"):
            node.text = f"{self._wanted.made_at:%Y-%m-%dT%H:%M:%S}"

    def _finalize_batch(self) -> None:
        super()._finalize_batch()
        for number, node in enumerate(self._xml.iter("PmtInfId"), 1):
            node.text = f"{self._wanted.message_id}/{number}"
