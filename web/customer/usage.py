"""What was used: day by day, and session by session; ending one that runs."""

from __future__ import annotations

from datetime import date, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import NotFound
from billing.services import live_sessions
from billing.services import subscribers as service
from web import parts, subscribers
from web.charts import usage_chart
from web.customer import blueprint
from web.formats import local_day
from web.guards import subscribers_only

CHART_DAYS = 30
SESSIONS_SHOWN = 30


class EndForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/usage")
@subscribers_only
def usage() -> ResponseReturnValue:
    """Of the subscription that is logged in, the last 30 local days."""
    context, me, now = subscribers.context(), subscribers.me(), parts.now()
    found = service.usage_of(context, me.subscription_id, now, days=CHART_DAYS)
    first = date.fromisoformat(local_day(now)) - timedelta(days=CHART_DAYS - 1)
    days = [one for one in found.days if one.day >= first]
    sessions = service.sessions_of(context, me.subscription_id, now, limit=SESSIONS_SHOWN)
    return render_template(
        "customer/usage.html",
        chart=usage_chart(days),
        received=sum(one.output_octets for one in days),
        sent=sum(one.input_octets for one in days),
        sessions=sessions,
        here=request.remote_addr,
        form=EndForm(),
    )


@blueprint.post("/sessions/<int:session_id>/end")
@subscribers_only
def end_session(session_id: int) -> ResponseReturnValue:
    """The router that has it is told to disconnect it."""
    if EndForm().validate_on_submit():
        try:
            ordered = live_sessions.end(
                subscribers.context(), subscribers.me().subscription_id, session_id, parts.now()
            )
        except NotFound as error:
            flash(error.message[:1].upper() + error.message[1:] + ".", "info")
        else:
            words = "The device is being disconnected."
            flash(words if ordered else "That was asked for already.", "success")
    return redirect(url_for("customer.usage"))
