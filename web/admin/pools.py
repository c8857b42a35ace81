"""Address pools that we lease ourselves: how full they are, who has which address (rule A6)."""

from __future__ import annotations

import re

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.pools import PoolKind
from billing.services import pools as service
from web import parts
from web.admin import blueprint
from web.forms import needed, show_errors
from web.guards import EDITORS, EVERYONE, staff_only

PAGE_LEASES = 100


class PoolForm(FlaskForm):
    name = StringField("Name", [needed], description="As in your plans and billing profiles.")
    ranges = StringField(
        "Addresses",
        [needed],
        description="Like 10.20.0.0/24 or 10.20.0.10-10.20.0.99; several with blanks between.",
    )
    netmask = StringField(
        "Netmask", description="Sent with every address, like 255.255.255.0; empty: none."
    )
    kind = RadioField(
        "For",
        choices=[
            SelectChoice(PoolKind.NORMAL.value, "Subscribers who are served"),
            SelectChoice(PoolKind.SUSPENDED.value, "Suspended subscribers (B10)"),
        ],
        default=PoolKind.NORMAL.value,
    )


class ReleaseForm(FlaskForm):
    address = HiddenField("Address", [needed])


@blueprint.get("/pools")
@staff_only(EVERYONE)
def pools() -> ResponseReturnValue:
    views = service.list_pools(parts.context(), parts.now())
    return render_template("admin/pools.html", views=views)


@blueprint.route("/pools/new", methods=["GET", "POST"])
@staff_only(EDITORS)
def pool_new() -> ResponseReturnValue:
    form = PoolForm()
    if form.validate_on_submit():
        try:
            view = service.add_pool(
                parts.context(),
                name=str(form.name.data),
                ranges=re.split(r"[\s,]+", re.sub(r"\s*-\s*", "-", str(form.ranges.data).strip())),
                netmask=form.netmask.data or None,
                kind=PoolKind(form.kind.data),
                now=parts.now(),
            )
        except (InvalidInput, Conflict) as error:
            show_errors(form, error, {})
        else:
            flash(f"Pool {view.name} was added: {view.addresses} addresses.", "success")
            return redirect(url_for("admin.pools"))
    status = 422 if form.is_submitted() else 200
    return render_template("admin/pool_form.html", form=form), status


@blueprint.get("/pools/<int:pool_id>")
@staff_only(EVERYONE)
def pool(pool_id: int) -> ResponseReturnValue:
    """One pool, and who has its addresses."""
    context, now = parts.context(), parts.now()
    text = request.args.get("q", "").strip()
    leases = service.leases(
        context,
        pool_id,
        now,
        search=text,
        after=request.args.get("after", ""),
        limit=PAGE_LEASES,
    )
    return render_template(
        "admin/pool.html",
        view=service.get_pool(context, pool_id, now),
        leases=leases,
        more=leases[-1].address if len(leases) == PAGE_LEASES else None,
        text=text,
        form=ReleaseForm(),
    )


@blueprint.post("/pools/<int:pool_id>/release")
@staff_only(EDITORS)
def pool_release(pool_id: int) -> ResponseReturnValue:
    """Make one address free for anybody."""
    form = ReleaseForm()
    if form.validate_on_submit():
        try:
            service.release(parts.context(), pool_id, str(form.address.data), parts.now())
        except (InvalidInput, NotFound, Refused) as error:
            flash(error.message, "danger")
        else:
            flash(f"{form.address.data} is free.", "success")
    return redirect(url_for("admin.pool", pool_id=pool_id))
