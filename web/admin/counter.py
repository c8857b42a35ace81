"""The counter of a reseller: find or add a subscriber, choose a package, confirm (rule R1)."""

from __future__ import annotations

import secrets
from dataclasses import replace

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused, TollwayError
from billing.model.commerce import MoneyChannel
from billing.model.resellers import ResellerSaleReceipt, ResellerView, SaleView
from billing.model.shifts import CASH, DESK_CHANNELS
from billing.model.views import SubscriptionRow
from billing.services import (
    catalog,
    contacts,
    customers,
    reseller_sales,
    resellers,
    shifts,
    subscribers,
)
from billing.services import counter as service
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from web import parts
from web.admin import blueprint
from web.formats import CHANNELS, money
from web.forms import needed, show_errors
from web.guards import SELLERS, staff_only

FOUND_ROWS = 20
_PASSWORD_OCTETS = 6
_BEGIN_NOW = "now"


class NewForm(FlaskForm):
    """Who buys, in as few fields as can be."""

    name = StringField("Name", [needed])
    phone = StringField("Phone", render_kw={"type": "tel"})
    email = StringField("Email", render_kw={"type": "email"})
    username = StringField("User name", [needed], render_kw={"autocapitalize": "none"})
    password = StringField(
        "Password",
        description="A random one stands here; it is stored encrypted and shown once more.",
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    profile = SelectField("Billing profile", coerce=int)


class ConfirmForm(FlaskForm):
    """`key` makes the sale happen once (rule M5); `quoted` is what the page said it costs. How the
    customer pays is asked of who has an open shift."""

    key = HiddenField()
    quoted = HiddenField()
    collect_by = RadioField(
        "The customer pays",
        choices=[SelectChoice(one, CHANNELS[MoneyChannel(one)]) for one in DESK_CHANNELS],
        default=CASH,
    )


class UndoForm(FlaskForm):
    """Nothing but its CSRF token: a sale is undone once."""


@blueprint.get("/counter")
@staff_only(SELLERS)
def counter() -> ResponseReturnValue:
    """Search, and the last sales."""
    context = own_context()
    text = request.args.get("q", "").strip()
    found = subscribers.search(context, text, parts.now(), limit=FOUND_ROWS).rows if text else ()
    return render_template(
        "admin/counter.html",
        shop=own_shop(context),
        in_shift=shifts.is_open(context),
        text=text,
        found=found,
        sales=[] if text else reseller_sales.listed(context, context.home_org_id, limit=5),
    )


@blueprint.route("/counter/new", methods=["GET", "POST"])
@staff_only(SELLERS)
def counter_new() -> ResponseReturnValue:
    """The page after it shows the password and the packages."""
    context = own_context()
    shop, form = own_shop(context), NewForm()
    profiles = catalog.list_profiles(context)
    form.profile.choices = [SelectChoice(one.profile_id, one.profile.name) for one in profiles]
    if not form.is_submitted():
        form.name.data = request.args.get("name")
        form.password.data = secrets.token_urlsafe(_PASSWORD_OCTETS)
    if form.validate_on_submit():
        password = form.password.data or secrets.token_urlsafe(_PASSWORD_OCTETS)
        try:
            subscription_id = customers.add_subscriber(
                context,
                NewCustomer(
                    name=form.name.data,
                    profile_id=form.profile.data,
                    email=contacts.checked(form.email.data),
                    phone=form.phone.data,
                ),
                NewSubscription(username=form.username.data, password=password),
                parts.now(),
            )
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            show_errors(form, error, {"customer": "name"})
        else:
            return _packages(context, shop, subscription_id, password)
    page = render_template("admin/counter_new.html", form=form, shop=shop)
    return page, 422 if form.errors else 200


@blueprint.get("/counter/<int:subscription_id>")
@staff_only(SELLERS)
def counter_packages(subscription_id: int) -> ResponseReturnValue:
    """What may be sold to this subscriber."""
    context = own_context()
    return _packages(context, own_shop(context), subscription_id)


@blueprint.route("/counter/<int:subscription_id>/<int:plan_id>", methods=["GET", "POST"])
@staff_only(SELLERS)
def counter_confirm(subscription_id: int, plan_id: int) -> ResponseReturnValue:
    """What the sale would do, from a rehearsal; sent, it is done."""
    context, form = own_context(), ConfirmForm()
    if not shifts.is_open(context):
        del form.collect_by
    row = subscribers.show(context, subscription_id, parts.now()).row
    problem: TollwayError | None = None
    if form.validate_on_submit():
        try:
            receipt = _sell(context, form, subscription_id, plan_id)
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            problem = error
        else:
            if receipt.repeated:
                flash("It had been sold already by this form; nothing was sold twice.", "info")
            return redirect(url_for("admin.counter_sale", sale_id=receipt.sale_id))
    return _confirm_page(context, form, row, plan_id, problem)


@blueprint.get("/counter/sales/<int:sale_id>")
@staff_only(SELLERS)
def counter_sale(sale_id: int) -> ResponseReturnValue:
    """The receipt, and the way back while it is open."""
    context = own_context()
    sale = service.show_sale(context, sale_id)
    return render_template(
        "admin/counter_sale.html",
        sale=sale,
        shop=own_shop(context),
        form=UndoForm(),
        undoable=_undoable(sale),
    )


@blueprint.post("/counter/sales/<int:sale_id>/undo")
@staff_only(SELLERS)
def counter_undo(sale_id: int) -> ResponseReturnValue:
    """The package ends; what was paid goes back."""
    if UndoForm().validate_on_submit():
        try:
            done = reseller_sales.undo(
                own_context(), sale_id, idempotency_key=f"undo sale {sale_id}", now=parts.now()
            )
        except (Conflict, Refused) as error:
            flash(_sentence(error), "danger")
        else:
            back = money(done.back_micros, done.currency)
            flash(f"The sale is undone. Give the customer {back}.", "success")
            if done.cost_back_micros is not None:
                cost = money(done.cost_back_micros, done.currency)
                flash(f"Your wallet got {cost} back.", "info")
    return redirect(url_for("admin.counter_sale", sale_id=sale_id))


def own_context() -> Context:
    """The caller's, without the organisations below its own: these have counters themselves."""
    context = parts.context()
    return replace(context, org_ids=(context.home_org_id,))


def own_shop(context: Context) -> ResellerView:
    """Raises NotFound where the caller's organisation is no reseller."""
    return resellers.show(context, context.home_org_id)


def _packages(
    context: Context, shop: ResellerView, subscription_id: int, password: str | None = None
) -> ResponseReturnValue:
    now = parts.now()
    return render_template(
        "admin/counter_packages.html",
        shop=shop,
        row=subscribers.show(context, subscription_id, now).row,
        offers=service.offers(context, subscription_id, now),
        password=password,
    )


def _sell(
    context: Context, form: ConfirmForm, subscription_id: int, plan_id: int
) -> ResellerSaleReceipt:
    """At what the page said, or not at all."""
    with context.together() as joined:
        receipt = _sold(joined, form, subscription_id, plan_id)
        if not receipt.repeated and form.quoted.data != _quoted(receipt):
            raise Refused("what it costs has changed since you looked: see below, confirm again")
    return receipt


def _sold(
    context: Context, form: ConfirmForm, subscription_id: int, plan_id: int
) -> ResellerSaleReceipt:
    return reseller_sales.sell(
        context,
        subscription_id,
        plan_id,
        idempotency_key=form.key.data or "",
        now=parts.now(),
        start_now=request.args.get("begin") == _BEGIN_NOW,
        collect_by=MoneyChannel(form.collect_by.data if form.collect_by else CASH),
    )


def _confirm_page(
    context: Context,
    form: ConfirmForm,
    row: SubscriptionRow,
    plan_id: int,
    problem: TollwayError | None,
) -> ResponseReturnValue:
    receipt: ResellerSaleReceipt | None = None
    form.key.data = secrets.token_hex(16)
    try:
        with context.rehearsed() as trial:
            receipt = _sold(trial, form, row.subscription_id, plan_id)
            sale = service.show_sale(trial, receipt.sale_id)
    except (InvalidInput, Refused, Conflict) as error:
        problem = problem or error
    if receipt is not None:
        form.quoted.data = _quoted(receipt)
    shop = own_shop(context)
    page = render_template(
        "admin/counter_confirm.html",
        form=form,
        row=row,
        shop=shop,
        receipt=receipt,
        follows=receipt is not None and sale.follows,
        asked_now=request.args.get("begin") == _BEGIN_NOW,
        problem=None if problem is None else _sentence(problem),
        missing_micros=_missing(context, shop, row, plan_id) if receipt is None else 0,
    )
    return page, 422 if form.is_submitted() else 200


def _missing(context: Context, shop: ResellerView, row: SubscriptionRow, plan_id: int) -> int:
    """What the own wallet lacks for the package, to ask for."""
    found = service.offers(context, row.subscription_id, parts.now())
    return next((one.missing_micros for one in found if one.plan_id == plan_id), 0)


def _quoted(receipt: ResellerSaleReceipt) -> str:
    """What the page said; a cashier's says no cost."""
    cost = "" if parts.member().is_shop_cashier else receipt.cost_micros
    return f"{receipt.total_micros} {cost} {receipt.currency}"


def _undoable(sale: SaleView) -> bool:
    return sale.undone_at is None and parts.now() <= sale.undo_until


def _sentence(error: TollwayError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."
