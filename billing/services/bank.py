"""Bank accounts whose statements are imported: how each bank writes, what became of lines (P1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidFields, InvalidInput, NotFound
from billing.model.bank import BankAccountView, BankFormat, LineReport
from billing.rules.bank_lines import format_problems
from billing.rules.bank_match import payment_reference
from billing.services.context import Context
from billing.services.identity import checked_name
from billing.store import audit, gateways
from billing.store import bank as store

LIST_LIMIT = 1_000


def set_account(
    context: Context, name: str, wanted: BankFormat, now: datetime, *, org_id: int | None = None
) -> BankAccountView:
    """Add an account of an organisation (the actor's own unless given), or change how its bank
    writes. Raises InvalidFields, InvalidInput."""
    wanted = replace(wanted, iban="".join(wanted.iban.split()).upper())
    if problems := format_problems(wanted):
        raise InvalidFields(problems)
    org_id = context.home_org_id if org_id is None else org_id
    with context.transaction() as tx:
        if not gateways.organisations_served(tx, org_id):
            raise NotFound(f"no organisation has the number {org_id}", field="organisation")
        view = store.put_account(tx, org_id, checked_name(name), wanted, now)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="bank.account",
            subject=f"bank_account:{view.account_id}",
            detail={"name": view.name, "encoding": wanted.encoding},
        )
        return view


def accounts(context: Context) -> list[BankAccountView]:
    with context.transaction() as tx:
        return store.accounts(tx)


def account(context: Context, name: str) -> BankAccountView:
    """By number or name. Raises NotFound, InvalidInput (several organisations have the name)."""
    called = [one for one in accounts(context) if name in (one.name, str(one.account_id))]
    found = [one for one in called if str(one.account_id) == name] or called
    if not found:
        raise NotFound(
            f"no bank account is named {name!r}: see `tollway bank list`", field="account"
        )
    if len(found) > 1:
        numbers = ", ".join(str(one.account_id) for one in found)
        raise InvalidInput(
            f"several are named {name!r}: give one of the numbers {numbers}", field="account"
        )
    return found[0]


def reference_of(customer_id: int) -> str:
    """What a customer writes on each transfer to be credited by it (ISO 11649)."""
    return payment_reference(customer_id)


def imported(context: Context, account_id: int, *, limit: int = 50) -> list[LineReport]:
    """What became of its lines, newest first. Raises InvalidInput."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    with context.transaction() as tx:
        return store.imported(tx, account_id, limit)
