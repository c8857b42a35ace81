"""Money commands are carried out once, however often they are sent (rule M5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Any, TypeVar

from billing.errors import Conflict, InvalidInput
from billing.model.charges import Extra
from billing.model.credits import CreditNoteView
from billing.model.dunning import WriteOffView
from billing.model.plan_changes import PlanChangeReceipt
from billing.model.resellers import ResellerSaleReceipt, TransferReceipt, UndoReceipt
from billing.model.self_service import PurchaseUndone
from billing.model.views import PaymentReceipt, SaleReceipt
from billing.model.vouchers import Activation, Redemption
from billing.store import ledger
from billing.store.guard import Transaction

Receipt = TypeVar(
    "Receipt",
    SaleReceipt,
    PaymentReceipt,
    CreditNoteView,
    Extra,
    WriteOffView,
    PlanChangeReceipt,
    ResellerSaleReceipt,
    UndoReceipt,
    PurchaseUndone,
    TransferReceipt,
    Activation,
    Redemption,
)


def run_once(
    tx: Transaction,
    receipt_type: type[Receipt],
    *,
    customer_id: int,
    key: str,
    content: dict[str, object],
    now: datetime,
    act: Callable[[], Receipt],
) -> Receipt:
    """The receipt of `act`, or of the earlier command with the same key, marked `repeated`.

    The customer must be locked: two commands with one key queue up on that lock. Raises Conflict
    when the key was used with other content.
    """
    if not 1 <= len(key) <= 200:
        raise InvalidInput("must have 1 to 200 characters", field="idempotency_key")
    text = json.dumps(content, sort_keys=True, default=str)
    digest = sha256(text.encode()).hexdigest()
    earlier = ledger.earlier_command(tx, customer_id, key)
    if earlier is not None:
        known_digest, result = earlier
        if known_digest != digest:
            raise Conflict(
                f"the key {key!r} was used for another command; use a new one (rule M5)",
                field="idempotency_key",
            )
        return replace(_read(receipt_type, result), repeated=True)
    receipt = act()
    ledger.record_command(
        tx,
        customer_id=customer_id,
        key=key,
        content_sha256=digest,
        result=json.dumps(asdict(receipt), default=_write_value),
        now=now,
    )
    return receipt


def _write_value(value: object) -> object:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    raise TypeError(f"a receipt cannot hold {value!r}")


def _read(receipt_type: type[Receipt], text: str) -> Receipt:
    return receipt_type(**{name: _read_value(value) for name, value in json.loads(text).items()})


def _read_value(value: Any) -> Any:
    if isinstance(value, dict) and "day" in value:
        return date.fromisoformat(value["day"])
    if isinstance(value, dict):
        return datetime.fromisoformat(value["instant"])
    return tuple(value) if isinstance(value, list) else value
