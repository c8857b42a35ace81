"""One amount that is nobody's yet, for the person who finds out whose it is (rule P1)."""

from __future__ import annotations

from billing.errors import NotFound
from billing.model.money import Money
from billing.model.suspense import Hit, Proposal, SuspenseCase, Why
from billing.rules.suspense import proposals, words_of
from billing.services import named
from billing.services.context import Context
from billing.store import gateways as gateway_store
from billing.store import payments as payment_store
from billing.store import suspense as store
from billing.store import tables
from billing.store.guard import Transaction

PROPOSED_MOST = 10


def show(context: Context, suspense_id: int) -> SuspenseCase:
    """Raises NotFound."""
    with context.at_one_instant() as tx:
        row = _found(tx, suspense_id)
        return SuspenseCase(
            money=gateway_store.suspense_view(row),
            taken_by=row.taken_by,
            moves=tuple(store.moves_of(tx, suspense_id)),
        )


def proposed(context: Context, suspense_id: int) -> list[Proposal]:
    """Where what is left of it may belong, what most speaks for first, PROPOSED_MOST at most: what
    its text names, of what just so much is open, who is called so. None when all was moved. Raises
    NotFound."""
    with context.at_one_instant() as tx:
        row = _found(tx, suspense_id)
        left = row.amount_micros - row.moved_micros
        if not left:
            return []
        org_ids = gateway_store.organisations_served(tx, row.org_id)
        text = f"{row.reference} {row.note}"
        hits = [
            *_named(tx, row, text),
            *_payers(tx, row, org_ids),
            *store.owed_exactly(tx, org_ids, Money(left, row.currency), PROPOSED_MOST),
            *store.called(tx, org_ids, words_of(text), row.currency, PROPOSED_MOST),
        ]
        return proposals(hits)[:PROPOSED_MOST]


def _named(tx: Transaction, row: tables.Suspense, text: str) -> list[Hit]:
    """What could take it, of what its text names: in its currency, with something left to pay."""
    org_ids = gateway_store.organisations_served(tx, row.org_id)
    found = [one for one in named.of_text(tx, org_ids, text) if one.currency == row.currency]
    names = store.names_of(tx, [one.customer_id for one in found])
    return [
        Hit(
            why=Why.REFERENCE,
            customer_id=one.customer_id,
            customer_name=names[one.customer_id],
            # A bill that is paid tells of the customer only.
            number=one.number if one.open_micros else "",
            open_micros=one.open_micros,
        )
        for one in found
        if one.customer_id in names
    ]


def _payers(tx: Transaction, row: tables.Suspense, org_ids: list[int]) -> list[Hit]:
    """Whose payment by this gateway has this reference, as of money that came twice."""
    if row.gateway_id is None:
        return []
    meant = payment_store.meant_by(tx, row.gateway_id, row.reference, row.reference)
    view = None if meant is None else payment_store.view(tx, meant[1])
    if view is None or view.org_id not in org_ids or view.currency != row.currency:
        return []
    return [Hit(why=Why.PAYMENT, customer_id=view.customer_id, customer_name=view.customer_name)]


def _found(tx: Transaction, suspense_id: int) -> tables.Suspense:
    row = store.get(tx, suspense_id)
    if row is None:
        raise NotFound(f"nothing in suspense has the number {suspense_id}", field="suspense")
    return row
