"""Pages of a customer, who logs in as one of its subscriptions. Which rows it sees is decided by
the database, from its browser session (security.md 7). Each way to pay into the wallet is a module
of its own here, beside `bills`; its link stands under the balance in `customer/_now.html`."""

from flask import Blueprint

from web.sessions import CUSTOMERS

blueprint = Blueprint("customer", __name__, url_prefix=CUSTOMERS)

from web.customer import (  # noqa: E402 (they add routes)
    bills,
    brand,
    buy,
    cap,
    entry,
    home,
    methods,
    pause,
    paying,
    payments,
    promise,
    recharge,
    settings,
    usage,
    voucher,
)

__all__ = [
    "bills",
    "blueprint",
    "brand",
    "buy",
    "cap",
    "entry",
    "home",
    "methods",
    "pause",
    "paying",
    "payments",
    "promise",
    "recharge",
    "settings",
    "usage",
    "voucher",
]
