"""Large amounts that a person moves by hand are confirmed: above a limit of the person's own
organisation it proves again who it is (security.md 16).

Nobody is asked at the command line, in jobs and by customers' own commands: whoever has the machine
needs no panel, and the audit log says who it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Unconfirmed
from billing.model.money import Money
from billing.rules.confirmations import is_proved, needs_proof
from billing.services.context import Context
from billing.services.staff import token_digest
from billing.store import audit, documents
from billing.store import staff as staff_store
from billing.store.guard import Transaction


@contextmanager
def confirmed(
    context: Context,
    tx: Transaction,
    org_id: int,
    subject: str,
    amount: Money,
    now: datetime,
) -> Iterator[None]:
    """Around a command that moves so much: what is above the limit is refused unless the person has
    proved within five minutes who it is, and has a line of its own in the audit log of `org_id`,
    after the command's. The limit is a number, whatever the currency.

    Raises Unconfirmed, before the command has done anything.
    """
    limit_micros = _limit(context, tx)
    above = needs_proof(amount.amount_micros, limit_micros)
    if above and not is_proved(context.proved_at, now):
        limit = Money(limit_micros or 0, amount.currency)
        raise Unconfirmed(
            f"{amount} is more than {limit}: enter your password again to confirm that it is you"
        )
    yield
    if above:
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="money.confirmed",
            subject=subject,
            detail={
                "amount_micros": amount.amount_micros,
                "limit_micros": limit_micros,
                "proved_at": context.proved_at,
            },
        )


def limit_of(context: Context, org_id: int) -> int | None:
    """Above how many micros an organisation's staff is asked; None: never. Raises NotFound."""
    with context.transaction() as tx:
        found = documents.organisation(tx, org_id)
        if found is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        return found.confirm_above_micros


def set_limit(context: Context, org_id: int, limit_micros: int | None, now: datetime) -> None:
    """From the next command on; 0: it is always asked, None: never. Raises InvalidInput,
    NotFound."""
    if limit_micros is not None and not 0 <= limit_micros < 2**63:
        raise InvalidInput("must not be less than zero", field="confirm_above")
    with context.transaction() as tx:
        row = documents.lock_organisation(tx, org_id)
        if row is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        row.confirm_above_micros = limit_micros
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="organisation.confirm_above",
            subject=f"organisation:{org_id}",
            detail={"limit_micros": limit_micros},
        )


def note_proof(context: Context, token: str, now: datetime) -> None:
    """The person behind a browser session has just proved again who it is."""
    with context.transaction() as tx:
        staff_store.allow_login_lookups(tx)
        staff_store.prove_session(tx, token_digest(token), now)


def _limit(context: Context, tx: Transaction) -> int | None:
    """That of the person's own organisation; None where there is nobody to ask."""
    if context.org_ids is None or context.customer_id is not None:
        return None
    own = documents.organisation(tx, context.home_org_id)
    return None if own is None else own.confirm_above_micros
