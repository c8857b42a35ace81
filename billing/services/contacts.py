"""Who a customer is and how it is reached."""

from __future__ import annotations

from datetime import datetime

from billing.model.views import CustomerView
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.identity import checked_name, checked_optional
from billing.services.messages import checked_email


def change(
    context: Context,
    customer_id: int,
    now: datetime,
    *,
    name: str,
    email: str | None,
    phone: str | None,
) -> CustomerView:
    """Bills are read anew each time, so those issued before carry the name, too. Raises NotFound,
    InvalidInput."""
    address = checked(email)
    with changing_customer(context, customer_id) as (tx, customer):
        customer.name = checked_name(name)
        customer.email = address
        customer.phone = checked_optional(phone, "phone")
        tx.flush()
        detail: dict[str, object] = {
            "name": customer.name,
            "email": customer.email,
            "phone": customer.phone,
        }
        audit_customer(context, tx, customer, "customer.contact", now, detail)
        return read_customer(tx, customer_id)


def checked(email: str | None) -> str | None:
    """An address that mail can be sent to; blank is none. Raises InvalidInput."""
    address = checked_optional(email, "email")
    return None if address is None else checked_email(address, "email")
