"""Statements of account (rules M3, M4, P1)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.documents import Party
from billing.model.statements import OpenBill, Statement
from billing.rules.cycles import day_start, local_day
from billing.rules.statements import account
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.services.letterhead import party
from billing.store import documents, tables
from billing.store import statements as store
from billing.store.guard import Transaction

LONGEST = timedelta(days=3 * 366)


def statement(context: Context, customer_id: int, first_day: date, last_day: date) -> Statement:
    """A customer's account from one local day to another, both included, as the books have it:
    usage is in it once it is posted. Addresses are those of today.

    Raises NotFound, InvalidInput (days in the wrong order, more than three years), Refused (an
    account in several currencies).
    """
    if last_day < first_day:
        raise InvalidInput("must not lie before the first day", field="to")
    if last_day - first_day > LONGEST:
        raise InvalidInput("a statement covers three years at most", field="to")
    with context.transaction() as tx:
        customer = read_customer(tx, customer_id)
        zone = operator_of(tx).time_zone
        since, until = day_start(first_day, zone), day_start(last_day + timedelta(days=1), zone)
        currency = customer.wallets[0].currency
        totals = store.totals(tx, [customer_id], since, until)
        check_one_currency([one.currency for one in totals], currency)
        opening_micros = sum(one.opening_micros for one in totals)
        entries = store.entries(tx, customer_id, since, until, currency)
        seller, buyer = _parties(tx, customer.org_id, customer_id)
        return Statement(
            org_id=customer.org_id,
            customer_id=customer_id,
            seller=seller,
            buyer=buyer,
            currency=currency,
            account=account(entries, first_day, last_day, zone, opening_micros),
            open_bills=tuple(
                OpenBill(
                    number=row.number,
                    issued_on=local_day(row.issued_at, zone),
                    due_on=row.due_on,
                    total_micros=row.total_micros,
                    open_micros=row.open_micros,
                )
                for row in store.open_bills(tx, [customer_id], until)
            ),
        )


def set_monthly(context: Context, customer_id: int, wanted: bool | None, now: datetime) -> None:
    """Whether a customer gets a statement each month; None: as its profile says. Raises
    NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        customer.monthly_statement = wanted
        detail: dict[str, object] = {"wanted": wanted}
        audit_customer(context, tx, customer, "customer.statements", now, detail)


def check_one_currency(found: list[str], own: str) -> None:
    """Raises Refused: a balance is in one currency (rule M1)."""
    if others := sorted(set(found) - {own}):
        raise Refused(
            f"the account is in {own} and in {', '.join(others)}: there is no one balance"
        )


def _parties(tx: Transaction, org_id: int, customer_id: int) -> tuple[Party, Party]:
    seller = documents.organisation(tx, org_id)
    if seller is None:
        raise NotFound("the customer's organisation is outside of what you may see")
    return party(seller), party(tx.get_one(tables.Customer, customer_id))
