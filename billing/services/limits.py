"""What a reseller's organisation does not allow (rule R1)."""

from __future__ import annotations

from billing.errors import Refused
from billing.store import resellers, tables
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


def check_not_sold(tx: Transaction, package: tables.Entitlement) -> None:
    """Raises Refused for a package that a reseller sold: giving its price to the customer would
    give more than the operator got (rule B17)."""
    sale_id = resellers.sale_of_package(tx, package.customer_id, package.entitlement_id)
    if sale_id is not None:
        raise Refused(
            f"a reseller sold the package (sale {sale_id}): undo the sale, or change at its expiry "
            "(--next)",
            field="plan",
        )


def check_credit(tx: Transaction, bill: tables.Invoice) -> None:
    """Raises Refused where a reseller's own staff would credit what the reseller sold at a price of
    its own; who is above may."""
    if not resellers.sells_from_wallet(tx, bill.org_id):
        return
    sale_id = resellers.sale_of_bill(tx, bill)
    if sale_id is not None:
        raise Refused(
            f"{bill.number} was paid by the reseller (sale {sale_id}): only who is above "
            "credits it (rule R1)",
            field="number",
        )
