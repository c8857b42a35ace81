"""What is set and moved of a reseller: prices by who is above it and by itself, its limits and its
money by who is above it (rules R1, R2, P6)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, RadioField, StringField
from wtforms.fields.choices import SelectChoice

from billing.model.commerce import MoneyChannel
from billing.model.resellers import PriceLine, ResellerView, TransferReceipt
from billing.model.views import PlanView
from billing.services import catalog, reseller_money, resellers
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import CHANNELS, money
from web.forms import MoneyField, WholeField, needed
from web.guards import ABOVE, EMPLOYERS, staff_only
from web.once import OnceForm, send

PUT_IN, TAKE_BACK = "in", "back"


class PriceForm(OnceForm):
    """A plan on the list. By the reseller itself `cost` and `below_parent` are left out."""

    cost = MoneyField("It pays", description="With all taxes. Empty: it does not sell the plan.")
    below_parent = BooleanField("It may be less than the one above pays, who pays the difference")
    retail = MoneyField(
        "Its customers pay",
        description="As the plan's price is meant, with or without taxes. Empty: the plan's price.",
    )


class MoneyForm(OnceForm):
    """In or back; `channel` is left out where the money comes from a wallet above."""

    direction = RadioField(
        "What to do",
        choices=[SelectChoice(PUT_IN, "Put money in"), SelectChoice(TAKE_BACK, "Take money back")],
        default=PUT_IN,
    )
    amount_micros = MoneyField("Amount", [needed])
    channel = RadioField(
        "How the money comes, or goes",
        choices=[SelectChoice(channel.value, words) for channel, words in CHANNELS.items()],
        default=MoneyChannel.CASH.value,
    )
    reference = StringField(
        "Reason or reference",
        [needed],
        description="Like 'slip 17'; it is kept with the transfer.",
        render_kw={"maxlength": 100},
    )


class LimitsForm(OnceForm):
    """What it may, and when it is told that little is left."""

    undo_minutes = WholeField("Undoes a sale within (minutes)", [needed])
    max_customers = WholeField("Customers at most", description="Empty: any number.")
    max_nas = WholeField("NAS at most", description="Empty: any number.")
    max_plans = WholeField("Plans on its price list at most", description="Empty: any number.")
    alert_percent = WholeField(
        "Told when less is left than (percent of the last transfer)",
        description="By mail, and at its counter. Empty: never.",
    )
    earns_on_self_service = BooleanField(
        "Earns by what customers buy themselves",
        description="Its margin on packages that its customers, and those of resellers below it, "
        "buy from their own wallets; they pay its retail prices then.",
    )
    closed = BooleanField("Closed: it sells nothing and gets no money")


@blueprint.get("/resellers/<int:org_id>/prices")
@staff_only(EMPLOYERS)
def reseller_prices(org_id: int) -> ResponseReturnValue:
    """The plans that may be put on its list, by who is above it."""
    context = parts.context()
    shop = resellers.show(context, org_id)
    if not is_above(context, shop):
        abort(403)
    listed = {line.plan_id for line in resellers.price_list(context, org_id, parts.now())}
    own = _list_above(context, shop)
    plans = [
        (plan, None if own is None else own[plan.plan_id].cost_micros)
        for plan in catalog.list_plans(context, parts.now())
        if plan.plan_id not in listed and (own is None or plan.plan_id in own)
    ]
    return render_template("admin/reseller_prices.html", shop=shop, plans=plans)


@blueprint.route("/resellers/<int:org_id>/prices/<int:plan_id>", methods=["GET", "POST"])
@staff_only(EMPLOYERS)
def reseller_price(org_id: int, plan_id: int) -> ResponseReturnValue:
    """What it pays for a plan, and what its customers pay; for sales from now on."""
    context, form = parts.context(), PriceForm()
    shop = resellers.show(context, org_id)
    plan = catalog.get_plan(context, plan_id, parts.now())
    lines = {line.plan_id: line for line in resellers.price_list(context, org_id, parts.now())}
    line, own = lines.get(plan_id), _list_above(context, shop)
    if not is_above(context, shop):
        del form.cost, form.below_parent
    elif own is None:
        del form.below_parent
    if not form.is_submitted() and line is not None:
        if form.cost is not None:
            form.cost.data = line.cost_micros
        form.retail.data = line.retail_micros if line.own_retail else None
    sent = send(
        context,
        form,
        lambda within: _set_prices(within, shop, plan, line, form),
        errors_at={"plan": "retail" if form.cost is None else "cost"},
    )
    if sent.done:
        return redirect(url_for("admin.reseller", org_id=org_id))
    page = render_template(
        "admin/reseller_price.html",
        shop=shop,
        plan=plan,
        line=line,
        own=None if own is None else own.get(plan_id),
        form=form,
    )
    return page, 422 if form.is_submitted() else 200


@blueprint.route("/resellers/<int:org_id>/money", methods=["GET", "POST"])
@staff_only(ABOVE)
def reseller_transfer(org_id: int) -> ResponseReturnValue:
    """Money into its wallet or back, by who is above it; what it does is shown first."""
    context, form = parts.context(), MoneyForm()
    shop = resellers.show(context, org_id)
    if not is_above(context, shop):
        abort(403)
    source = source_of(context, shop)
    if source is not None:
        del form.channel
    sent = send(
        context,
        form,
        lambda within: _transfer(within, shop, source, form),
        quoted=True,
        errors_at={"amount": "amount_micros"},
    )
    if sent.done:
        return redirect(url_for("admin.reseller", org_id=org_id))
    page = render_template(
        "admin/reseller_money.html", shop=shop, source=source, form=form, quote=sent.quote
    )
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.route("/resellers/<int:org_id>/limits", methods=["GET", "POST"])
@staff_only(EMPLOYERS)
def reseller_limits(org_id: int) -> ResponseReturnValue:
    """By who is above it."""
    context, form = parts.context(), LimitsForm()
    shop = resellers.show(context, org_id)
    if not is_above(context, shop):
        abort(403)
    if not form.is_submitted():
        form.undo_minutes.data = shop.undo_minutes
        form.max_customers.data = shop.max_customers
        form.max_nas.data = shop.max_nas
        form.max_plans.data = shop.max_plans
        form.alert_percent.data = shop.alert_percent
        form.earns_on_self_service.data = shop.earns_on_self_service
        form.closed.data = shop.closed_at is not None
    if send(context, form, lambda within: _limit(within, org_id, form)).done:
        return redirect(url_for("admin.reseller", org_id=org_id))
    page = render_template("admin/reseller_limits.html", shop=shop, form=form)
    return page, 422 if form.errors or form.form_errors else 200


def is_above(context: Context, shop: ResellerView) -> bool:
    """Whether who is logged in acts for who is above it; for what a page offers."""
    return shop.parent_org_id in (context.org_ids or ())


def source_of(context: Context, shop: ResellerView) -> ResellerView | None:
    """The reseller above, whose wallet its money comes from; None: the operator is."""
    listed = {one.org_id: one for one in resellers.listed(context)}
    return listed.get(shop.parent_org_id)


def _list_above(context: Context, shop: ResellerView) -> dict[int, PriceLine] | None:
    """The price list of the reseller above, where who asks sees it; None: the operator is above."""
    source = source_of(context, shop)
    if source is None:
        return None
    lines = resellers.price_list(context, source.org_id, parts.now())
    return {line.plan_id: line for line in lines}


def _set_prices(
    context: Context, shop: ResellerView, plan: PlanView, line: PriceLine | None, form: PriceForm
) -> Sequence[str]:
    """What changed of it, in one transaction."""
    said, now = [], parts.now()
    currency = plan.terms.currency
    before = (line.cost_micros if line else None, line.retail_micros if line and line.own_retail
              else None)  # fmt: skip
    with context.together() as joined:
        if form.cost is not None and form.cost.data != before[0]:
            resellers.set_cost(
                joined,
                shop.org_id,
                plan.plan_id,
                form.cost.data,
                now,
                below_parent=bool(form.below_parent and form.below_parent.data),
            )
            paid = form.cost.data
            said.append(
                f"{shop.name} does not sell {plan.name} any more." if paid is None
                else f"{shop.name} pays {money(paid, currency)} for {plan.name} from now on."
            )  # fmt: skip
        is_sold = form.cost is None or form.cost.data is not None
        if is_sold and form.retail.data != before[1]:
            resellers.set_retail(joined, shop.org_id, plan.plan_id, form.retail.data, now)
            asked = form.retail.data
            price = "the plan's price" if asked is None else money(asked, currency)
            said.append(f"Its customers pay {price} for {plan.name} from now on.")
    return said or ["Nothing was changed."]


def _transfer(
    context: Context, shop: ResellerView, source: ResellerView | None, form: MoneyForm
) -> Sequence[str]:
    back = form.direction.data == TAKE_BACK
    amount = form.amount_micros.data
    done: TransferReceipt = reseller_money.transfer(
        context,
        shop.org_id,
        -amount if back else amount,
        idempotency_key=form.key.data or "",
        now=parts.now(),
        channel=None if source is not None else MoneyChannel(form.channel.data),
        reference=form.reference.data,
    )
    whose = "the operator" if source is None else f"the wallet of {source.name}"
    moved, has = money(amount, done.currency), money(done.available_micros, done.currency)
    way = f"from {shop.name} back to {whose}" if back else f"from {whose} to {shop.name}"
    return [f"{moved} {way}. Its wallet then has {has}."]


def _limit(context: Context, org_id: int, form: LimitsForm) -> Sequence[str]:
    view = resellers.change(
        context,
        org_id,
        parts.now(),
        undo_minutes=form.undo_minutes.data,
        max_customers=form.max_customers.data,
        max_nas=form.max_nas.data,
        max_plans=form.max_plans.data,
        alert_percent=form.alert_percent.data,
        closed=form.closed.data,
        earns_on_self_service=form.earns_on_self_service.data,
    )
    return [f"{view.name} is {'closed' if view.closed_at else 'open'}, its limits are set."]
