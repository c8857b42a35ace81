"""Customers: search, the page of one, its ledger and bills in full."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from billing.services import customer_record, customers
from web import parts
from web.admin import blueprint
from web.admin.customers.frame import CARDS, address_of, offered
from web.guards import STAFF, staff_only

PAGE_ROWS = 50
IN_HEAD = ("pay", "sell", "redeem", "promise")


@blueprint.get("/customers")
@staff_only(STAFF)
def customer_list() -> ResponseReturnValue:
    """Newest first."""
    text = request.args.get("q", "").strip()
    page = customer_record.search(
        parts.context(),
        text,
        parts.now(),
        before=request.args.get("before", type=int),
        limit=PAGE_ROWS,
    )
    return render_template("admin/customers.html", page=page, text=text)


@blueprint.get("/customers/<int:customer_id>")
@staff_only(STAFF)
def customer(customer_id: int) -> ResponseReturnValue:
    """Everything about one customer, a card for each part, read in one transaction."""
    with parts.context().reading() as context:
        view = customers.get_customer(context, customer_id)
        loaded = [(card, card.load(context, view)) for card in CARDS.values()]
    return render_template(
        "admin/customer.html",
        customer=view,
        cards=[(card, facts, offered(card.actions)) for card, facts in loaded],
        actions=offered(IN_HEAD),
        address_of=address_of,
    )


@blueprint.get("/customers/<int:customer_id>/ledger")
@staff_only(STAFF)
def customer_ledger(customer_id: int) -> ResponseReturnValue:
    """All that moved a wallet, `wallet` or the customer's own."""
    context = parts.context()
    view = customers.get_customer(context, customer_id)
    wallet_id = request.args.get("wallet", type=int) or view.wallets[0].wallet_id
    page = customer_record.ledger(
        context,
        customer_id,
        wallet_id,
        before=request.args.get("before", type=int),
        limit=PAGE_ROWS,
    )
    wallet = next(one for one in view.wallets if one.wallet_id == wallet_id)
    return render_template("admin/customer_ledger.html", customer=view, wallet=wallet, page=page)


@blueprint.get("/customers/<int:customer_id>/bills")
@staff_only(STAFF)
def bills(customer_id: int) -> ResponseReturnValue:
    """All of them, paid or not."""
    context = parts.context()
    return render_template(
        "admin/customer_bills.html",
        customer=customers.get_customer(context, customer_id),
        page=customer_record.bills(
            context,
            customer_id,
            parts.now(),
            before=request.args.get("before", type=int),
            limit=PAGE_ROWS,
        ),
        may_credit=bool(offered(["credit"])),
        may_give_up=bool(offered(["write-off"])),
        address_of=address_of,
    )
