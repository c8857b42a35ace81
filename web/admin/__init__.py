"""Pages of the operator's (and a reseller's) staff. Who sees which rows is decided by the
database, from the organisations of the person that is logged in (security.md 7)."""

from flask import Blueprint

from web.guards import may_call

blueprint = Blueprint("admin", __name__)
blueprint.add_app_template_global(may_call, "may_call")

from web.admin import (  # noqa: E402 (they add routes)
    anomalies,
    bank_formats,
    bank_statements,
    billing,
    bills,
    brand,
    collecting_cash,
    collections,
    counter,
    counter_renew,
    customers,
    day_report,
    design,
    messages,
    orders,
    payment_pages,
    plans,
    pools,
    prices,
    profiles,
    reseller_desk,
    reseller_requests,
    resellers,
    revenue,
    shifts,
    staff,
    subscribers,
    suspense,
    voucher_batches,
    voucher_sales,
    vouchers,
)

__all__ = [
    "anomalies",
    "bank_formats",
    "bank_statements",
    "billing",
    "bills",
    "blueprint",
    "brand",
    "collecting_cash",
    "collections",
    "counter",
    "counter_renew",
    "customers",
    "day_report",
    "design",
    "messages",
    "orders",
    "payment_pages",
    "plans",
    "pools",
    "prices",
    "profiles",
    "reseller_desk",
    "reseller_requests",
    "resellers",
    "revenue",
    "shifts",
    "staff",
    "subscribers",
    "suspense",
    "voucher_batches",
    "voucher_sales",
    "vouchers",
]
