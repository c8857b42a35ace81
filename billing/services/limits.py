"""What a reseller's organisation does not allow (rule R1)."""

from __future__ import annotations

from billing.errors import NotFound, Refused
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.services.context import Context
from billing.store import nas, reseller_vouchers, resellers, self_service, tables
from billing.store.guard import Transaction


def check_no_account(tx: Transaction, customer_id: int) -> None:
    """Raises Refused for a reseller's account, which is nobody's to sell to or to top up."""
    if resellers.is_account(tx, customer_id):
        raise Refused(
            f"customer {customer_id} is the account of a reseller: it moves by its sales and by "
            "transfers from above only (rule R1)",
            field="customer",
        )


def checked_seen(context: Context, tx: Transaction, customer_id: int) -> int:
    """The customer. Raises NotFound where a cashier looks for the reseller's account, which tells
    its margins."""
    if context.cashier and resellers.is_account(tx, customer_id):
        raise NotFound(f"no customer has the number {customer_id}", field="customer")
    return customer_id


def check_new(tx: Transaction, org_id: int, profile: BillingProfile) -> None:
    """Raises Refused where a reseller has as many customers as it may have, or the profile of one
    would buy by itself."""
    check_profile(tx, org_id, profile)
    reseller = resellers.get(tx, org_id)
    if reseller is not None and reseller.max_customers is not None:
        # One after the other: each sees the customers of those before it.
        resellers.lock_accounts(tx, org_id)
        count = resellers.customers_of(tx, org_id)
        _check_quota(count, reseller.max_customers, "customers", "customer")


def check_nas(tx: Transaction, org_id: int) -> None:
    """Raises Refused where a reseller has as many NAS as it may have."""
    reseller = resellers.get(tx, org_id)
    if reseller is not None and reseller.max_nas is not None:
        resellers.lock_accounts(tx, org_id)
        _check_quota(nas.count_of(tx, org_id), reseller.max_nas, "NAS", "nas")


def check_plan(tx: Transaction, org_id: int, plan_id: int) -> None:
    """Raises Refused where a reseller's price list has as many plans as it may have, this one not
    among them."""
    reseller = resellers.get(tx, org_id)
    if reseller is not None and reseller.max_plans is not None:
        resellers.lock_accounts(tx, org_id)
        listed = resellers.plans_listed(tx, org_id)
        if plan_id not in listed:
            _check_quota(len(listed), reseller.max_plans, "plans on its price list", "plan")


def _check_quota(count: int, most: int, what: str, field: str) -> None:
    if count >= most:
        raise Refused(
            f"the reseller has the {most} {what} that it may have: ask who is above it, who can "
            "raise that in its limits (rule R1)",
            field=field,
        )


def renewal_problem(tx: Transaction, org_id: int) -> str | None:
    """Why packages are not renewed by themselves from a customer's wallet in this organisation: the
    reseller would earn nothing by it (rule R1)."""
    if self_service.earns(tx, org_id):
        return None
    return months_problem(tx, org_id)


def months_problem(tx: Transaction, org_id: int) -> str | None:
    """Why prepaid months are not paid from a customer's wallet in this organisation: what a
    reseller's customers get is sold by the reseller, at its cost and with its margin (rule R1)."""
    if not resellers.is_reseller(tx, org_id):
        return None
    return (
        "a reseller's customer buys nothing by itself from its own wallet: the reseller sells the "
        "next package from its wallet (rule R1)"
    )


def check_renewal(tx: Transaction, org_id: int, field: str) -> None:
    """Raises Refused where packages are not renewed by themselves."""
    if problem := renewal_problem(tx, org_id):
        raise Refused(problem, field=field)


def check_months(tx: Transaction, org_id: int, field: str) -> None:
    """Raises Refused where the wallet pays for nothing but what its customer buys itself."""
    if problem := months_problem(tx, org_id):
        raise Refused(problem, field=field)


def check_profile(tx: Transaction, org_id: int, profile: BillingProfile) -> None:
    """Raises Refused for prepaid months of a reseller's customer."""
    if profile.recurring_prepaid:
        check_months(tx, org_id, "profile")


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
    if reseller_vouchers.paid(
        tx, package.customer_id, entitlement_id=package.entitlement_id, payment_id=None
    ):
        raise Refused(
            "the package is of a reseller's voucher: change at its expiry (--next)", field="plan"
        )


def check_rest(tx: Transaction, batch: tables.VoucherBatch, cost: Money) -> None:
    """Raises Refused where a voucher of a plan that a reseller sold, at a price of its own, would
    leave money in a wallet: more than the operator got (rule R1)."""
    if resellers.is_reseller(tx, batch.org_id):
        face = Money(batch.face_micros, batch.currency)
        raise Refused(
            f"this month costs {cost} only, and the rest of a reseller's voucher of {face} is not "
            "paid out: redeem it for a whole month",
            field="code",
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
    payment_id = reseller_vouchers.payment_of_bill(tx, bill)
    if payment_id is not None and reseller_vouchers.paid(
        tx, bill.customer_id, entitlement_id=None, payment_id=payment_id
    ):
        raise Refused(
            f"{bill.number} was paid by a reseller's voucher: only who is above credits it "
            "(rule R1)",
            field="number",
        )
