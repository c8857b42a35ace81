"""The cards of the customer's page."""

from __future__ import annotations

from billing.model.promises import PromiseState
from billing.model.views import CustomerView
from billing.services import (
    charges,
    customer_record,
    letterhead,
    promises,
    spending,
    subscribers,
)
from billing.services.context import Context
from web import parts
from web.admin.customers.changes import change_day, changes_to_come
from web.admin.customers.frame import Facts, address_of, card, offered
from web.admin.customers.limits import alert_words, cap_words
from web.charts import usage_chart

LINES = 10
CHART_DAYS = 31
DETAILED = 10
"""So many subscriptions are shown with what is to come; the page of each has all."""


@card("wallet", "Wallet", place="left", actions=("alerts", "cap"))
def wallet(context: Context, customer: CustomerView) -> Facts:
    """What there is to spend, what it is made of, and what bounds it (rules P2, P6, P14)."""
    bills = customer_record.open_bills(context, customer.customer_id, parts.now())
    watches = spending.watches(context, customer.customer_id, parts.now())
    return {
        "owed_micros": sum(one.bill.open_micros for one in bills),
        "bounds": {
            one.wallet_id: [*alert_words(one), *filter(None, [cap_words(one)])] for one in watches
        },
    }


@card("subscriptions", "Subscriptions", place="left", actions=("hold", "lift", "subscription"))
def subscriptions(context: Context, customer: CustomerView) -> Facts:
    """Each with its state and the reason."""
    now = parts.now()
    rows = customer_record.subscriptions(context, customer.customer_id, now)
    detailed = [row.subscription_id for row in rows[:DETAILED]]
    return {
        "rows": rows,
        "more": len(customer.subscription_ids) - len(rows),
        "views": {one: subscribers.show(context, one, now) for one in detailed},
        "changes": {one: changes_to_come(context, one) for one in detailed},
        "change_day": change_day,
        "may_change": bool(offered(["plan"])),
        "may_set": bool(offered(["access"])),
        "address_of": address_of,
    }


@card("contact", "Contact", place="right", actions=("details", "profile", "discontinue"))
def contact(context: Context, customer: CustomerView) -> Facts:
    """Who it is, how it is reached, what is agreed, and how promises to pay were kept (B19)."""
    made = promises.of_customer(context, customer.customer_id)
    states = [one.state for one in made]
    return {
        "party": letterhead.of_customer(context, customer.customer_id),
        "promises": made[:LINES],
        "kept": states.count(PromiseState.KEPT),
        "broken": states.count(PromiseState.BROKEN),
    }


@card("extras", "Charges and discounts", place="right", actions=("charge", "discount"))
def extras(context: Context, customer: CustomerView) -> Facts:
    """What bills carry beside the plan (rule I1)."""
    found = charges.charges_of_customer(context, customer.customer_id)
    rows = found and customer_record.subscriptions(context, customer.customer_id, parts.now())
    return {
        "extras": found,
        "names": {row.subscription_id: row.username for row in rows},
        "may_end": bool(offered(["end-charge", "waive"])),
        "address_of": address_of,
    }


@card("bills", "Bills", place="wide", actions=("bill-now",))
def bills(context: Context, customer: CustomerView) -> Facts:
    """The newest."""
    found = customer_record.bills(context, customer.customer_id, parts.now(), limit=LINES)
    return {
        "lines": found.lines,
        "more": found.next_before,
        "may_credit": bool(offered(["credit"])),
        "may_pay": bool(offered(["pay"])),
        "may_give_up": bool(offered(["write-off"])),
        "address_of": address_of,
    }


@card("ledger", "Ledger", place="wide")
def ledger(context: Context, customer: CustomerView) -> Facts:
    """What moved the customer's own wallet, newest first (rule M4)."""
    own = customer.wallets[0]
    found = customer_record.ledger(context, customer.customer_id, own.wallet_id, limit=LINES)
    return {"lines": found.lines, "more": found.next_before, "currency": own.currency}


@card("payments", "Payments", place="left")
def payments(context: Context, customer: CustomerView) -> Facts:
    """Money that arrived (rule P1)."""
    return {"lines": customer_record.payments(context, customer.customer_id, limit=LINES)}


@card("credit_notes", "Credit notes", place="right")
def credit_notes(context: Context, customer: CustomerView) -> Facts:
    """What was taken back of bills (rule I2)."""
    return {"lines": customer_record.credit_notes(context, customer.customer_id, limit=LINES)}


@card("sessions", "Online now", place="wide")
def sessions(context: Context, customer: CustomerView) -> Facts:
    """Open sessions of all its subscriptions."""
    return {"sessions": customer_record.live_sessions(context, customer.customer_id, parts.now())}


@card("usage", "Usage by day", place="wide")
def usage(context: Context, customer: CustomerView) -> Facts:
    """Of all its subscriptions together."""
    days = customer_record.usage_days(context, customer.customer_id, parts.now(), days=CHART_DAYS)
    return {"chart": usage_chart(days)}
