"""Orders to running sessions: what waits, what failed, every packet and its answer (rule C1)."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import Conflict, NotFound, Refused
from billing.model.orders import NOT_DONE, OrderState
from billing.services import coa as service
from web import parts
from web.admin import blueprint
from web.guards import EDITORS, EVERYONE, staff_only

PAGE_ORDERS = 50


class RetryForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/orders")
@staff_only(EVERYONE)
def orders() -> ResponseReturnValue:
    """Those that are not done, newest first; all of them with `all`."""
    everything = "all" in request.args
    views = service.list_orders(
        parts.context(),
        states=list(OrderState) if everything else NOT_DONE,
        before=request.args.get("before", type=int),
        limit=PAGE_ORDERS,
    )
    return render_template(
        "admin/orders.html",
        views=views,
        everything=everything,
        more=views[-1].order_id if len(views) == PAGE_ORDERS else None,
        form=RetryForm(),
    )


@blueprint.post("/orders/<int:order_id>/retry")
@staff_only(EDITORS)
def order_retry(order_id: int) -> ResponseReturnValue:
    """Send one again at once."""
    if RetryForm().validate_on_submit():
        try:
            view = service.retry(parts.context(), order_id, parts.now())
        except (NotFound, Refused, Conflict) as error:
            flash(error.message, "danger")
        else:
            flash(f"Order {order_id} is sent again to {view.nas_name}.", "success")
    return redirect(url_for("admin.orders"))
