"""Pages of the operator's (and a reseller's) staff. Who sees which rows is decided by the
database, from the organisations of the person that is logged in (security.md 7)."""

from flask import Blueprint

blueprint = Blueprint("admin", __name__)

from web.admin import (  # noqa: E402 (they add routes)
    anomalies,
    billing,
    bills,
    counter,
    customers,
    design,
    messages,
    orders,
    plans,
    pools,
    prices,
    profiles,
    reseller_requests,
    resellers,
    revenue,
    subscribers,
    voucher_batches,
    voucher_sales,
    vouchers,
)

__all__ = [
    "anomalies",
    "billing",
    "bills",
    "blueprint",
    "counter",
    "customers",
    "design",
    "messages",
    "orders",
    "plans",
    "pools",
    "prices",
    "profiles",
    "reseller_requests",
    "resellers",
    "revenue",
    "subscribers",
    "voucher_batches",
    "voucher_sales",
    "vouchers",
]
