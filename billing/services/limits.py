"""What a reseller's organisation does not allow (rule R1)."""

from __future__ import annotations

from billing.errors import Refused
from billing.store import resellers
from billing.store.guard import Transaction


def check_no_account(tx: Transaction, customer_id: int) -> None:
    """Raises Refused for a reseller's account, which is nobody's to sell to or to top up."""
    if resellers.is_account(tx, customer_id):
        raise Refused(
            f"customer {customer_id} is the account of a reseller: it moves by its sales and by "
            "transfers from above only (rule R1)",
            field="customer",
        )


def check_room(tx: Transaction, org_id: int) -> None:
    """Raises Refused where a reseller has as many customers as it may have."""
    reseller = resellers.get(tx, org_id)
    if reseller is None or reseller.max_customers is None:
        return
    # One after the other: each sees the customers of those before it.
    resellers.lock_accounts(tx, org_id)
    if resellers.customers_of(tx, org_id) >= reseller.max_customers:
        raise Refused(
            f"the reseller has the {reseller.max_customers} customers that it may have: ask who is "
            "above it for more (rule R1)",
            field="customer",
        )
