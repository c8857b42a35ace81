"""Mandates of SEPA direct debits: what a customer has signed (rules P1, P5, security.md 10).

A mandate is a method on file of a gateway that collects by file; to remove the method is to revoke
the mandate, and the other way round.
"""

from __future__ import annotations

import secrets
from datetime import date, datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.payments import SavedMethod
from billing.model.sepa import CURRENCY, MandateState, MandateView, Sequence
from billing.payments.protocol import CollectsByFile
from billing.rules.cycles import local_day, months_after
from billing.rules.sepa import UNUSED_MONTHS, mandate_state, masked, reference_problem
from billing.services import enforcement, gateways, methods
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.gateways import Gateways
from billing.services.issuing import operator_of
from billing.services.payment_steps import save_method
from billing.store import customers, tables
from billing.store import sepa as store
from billing.store.guard import Transaction, unique

LIST_LIMIT = 500
_HOLDER_LIMIT = 70


def sign(
    context: Context,
    known: Gateways,
    customer_id: int,
    gateway_id: int,
    *,
    iban: str,
    signed_on: date,
    now: datetime,
    bic: str = "",
    holder: str = "",
    reference: str = "",
    sequence: Sequence = Sequence.FIRST,
) -> MandateView:
    """Put a signed mandate on file. `holder`: the customer unless given; `reference`: made up
    unless given. `sequence`: RECURRING of one that was collected by before, elsewhere.

    Raises InvalidInput, NotFound, Refused (the gateway takes none; another currency), Conflict
    (the reference is taken).
    """
    with changing_customer(context, customer_id) as (tx, customer):
        gateway = gateways.usable(tx, gateway_id)
        gateways.serves(tx, gateway, customer)
        account, checked_bic = by_file(known, tx, context, gateway).checked_account(iban, bic)
        _check_currency(tx, customer_id)
        _check_day(signed_on, local_day(now, operator_of(tx).time_zone))
        name = " ".join((holder or customer.name).split())[:_HOLDER_LIMIT]
        if not name:
            raise InvalidInput("say whose the account is", field="holder")
        written = reference.strip() or f"TW{customer_id}-{secrets.token_hex(4).upper()}"
        if problem := reference_problem(written):
            raise InvalidInput(problem, field="reference")
        label = f"Direct debit {masked(account)}"
        with unique(tx, f"a mandate has the reference {written!r} already", field="reference"):
            saved = SavedMethod(reference=written, label=label)
            method_id = save_method(tx, customer, gateway_id, saved, now)
            row = tables.SepaMandate(
                customer_id=customer_id,
                org_id=customer.org_id,
                gateway_id=gateway_id,
                method_id=method_id,
                reference=written,
                holder=name,
                iban_sealed=context.box.seal(account, sealed_for(gateway_id, written)),
                account=masked(account),
                bic=checked_bic,
                signed_on=signed_on,
                sequence=sequence.value,
                created_at=now,
            )
            store.insert_mandate(tx, row)
        detail: dict[str, object] = {"reference": written, "account": row.account}
        audit_customer(context, tx, customer, "sepa.mandate", now, detail)
        return view(tx, row, now, removed=False)


def revoke(context: Context, mandate_id: int, reason: str, now: datetime) -> MandateView:
    """Nothing is collected by it any more; what is in a file at the bank still may be. Raises
    NotFound, InvalidInput (no reason), Refused (it is revoked)."""
    if not reason.strip():
        raise InvalidInput("say why it is revoked", field="reason")
    with context.transaction() as tx:
        owner_id = _found(tx, mandate_id)[0].customer_id
    with changing_customer(context, owner_id) as (tx, customer):
        row, removed = _found(tx, mandate_id)
        if removed:
            raise Refused(f"the mandate {row.reference} is revoked already", field="mandate")
        end(tx, row, reason.strip(), now)
        enforcement.reconcile(tx, context, owner_id, now)
        detail: dict[str, object] = {"reference": row.reference, "reason": reason.strip()}
        audit_customer(context, tx, customer, "sepa.revoke", now, detail)
        return view(tx, row, now, removed=True)


def end(tx: Transaction, row: tables.SepaMandate, reason: str, now: datetime) -> None:
    """It may be used no more, and its method is off file. The customer is locked."""
    row.reason = reason
    methods.take_off_file(tx, row.customer_id, row.method_id, now)
    tx.flush()


def listed(
    context: Context, now: datetime, *, customer_id: int | None = None, limit: int = 50
) -> list[MandateView]:
    """Newest first. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        rows = store.mandates(tx, customer_id, limit)
        return [view(tx, row, now, removed=removed) for row, removed in rows]


def view(tx: Transaction, row: tables.SepaMandate, now: datetime, *, removed: bool) -> MandateView:
    today = local_day(now, operator_of(tx).time_zone)
    return MandateView(
        customer_id=row.customer_id,
        mandate_id=row.mandate_id,
        gateway_id=row.gateway_id,
        method_id=row.method_id,
        reference=row.reference,
        holder=row.holder,
        account=row.account,
        bic=row.bic,
        signed_on=row.signed_on,
        used_on=row.used_on,
        sequence=Sequence(row.sequence),
        state=mandate_state(row.signed_on, row.used_on, today, removed=removed),
        reason=row.reason,
    )


def is_good(tx: Transaction, row: tables.SepaMandate, day: date) -> bool:
    """Whether money may be collected by it on a day."""
    method = methods.known(tx, row.customer_id, row.method_id)
    removed = method is None or method.removed_at is not None
    return mandate_state(row.signed_on, row.used_on, day, removed=removed) is MandateState.SIGNED


def by_file(
    known: Gateways, tx: Transaction, context: Context, gateway: tables.Gateway
) -> CollectsByFile:
    """Raises Refused where a gateway collects otherwise, InvalidInput (its settings)."""
    opened = known.open(tx, context, gateway.gateway_id)
    if not isinstance(opened, CollectsByFile):
        raise Refused(
            f"the gateway {gateway.name} collects nothing by file: set one up with"
            " `tollway gateway add NAME --adapter sepa`",
            field="gateway",
        )
    return opened


def sealed_for(gateway_id: int, reference: str) -> str:
    """What a mandate's account number is sealed for (security.md 10)."""
    return f"sepa_mandate:{gateway_id}:{reference}"


def _check_currency(tx: Transaction, customer_id: int) -> None:
    currencies = {one.currency for one in customers.wallets_of(tx, customer_id)}
    if CURRENCY not in currencies:
        raise Refused(
            f"SEPA direct debits are in {CURRENCY}; this customer pays in"
            f" {', '.join(sorted(currencies))}",
            field="customer",
        )


def _check_day(signed_on: date, today: date) -> None:
    if signed_on > today:
        raise InvalidInput("is in the future: a mandate is signed before", field="signed_on")
    if months_after(signed_on, UNUSED_MONTHS) < today:
        raise InvalidInput(
            f"is more than {UNUSED_MONTHS} months ago: let a new mandate be signed",
            field="signed_on",
        )


def _found(tx: Transaction, mandate_id: int) -> tuple[tables.SepaMandate, bool]:
    found = store.mandate(tx, mandate_id)
    if found is None:
        raise NotFound(f"no mandate has the number {mandate_id}", field="mandate")
    return found
