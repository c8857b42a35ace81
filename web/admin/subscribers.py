"""Subscribers: search, and the page of one."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from billing.services import explain, grants, logins, subscriber_settings
from billing.services import subscribers as service
from web import parts
from web.admin import blueprint
from web.charts import usage_chart
from web.guards import ALL, STAFF, staff_only

PAGE_ROWS = 25
CHART_DAYS = 31
PAST_SESSIONS = 20
_YEARS = range(2000, 2100)


@blueprint.get("/")
@staff_only(ALL)
def subscribers() -> ResponseReturnValue:
    """The list; a request of the search box or of `more` gets only what it replaces. A collector
    has a page of its own instead."""
    if parts.member().is_collector:
        return redirect(url_for("admin.collect"))
    text = request.args.get("q", "").strip()
    page = service.search(
        parts.context(),
        text,
        parts.now(),
        after=request.args.get("after") or None,
        limit=PAGE_ROWS,
        closed="closed" in request.args,
    )
    partial = request.headers.get("HX-Request-Type") == "partial"
    template = "admin/_subscriber_rows.html" if partial else "admin/subscribers.html"
    return render_template(
        template, page=page, text=text, closed="closed" in request.args,
        first="after" not in request.args,
    )  # fmt: skip


@blueprint.get("/subscribers/<int:subscription_id>")
@staff_only(STAFF)
def subscriber(subscription_id: int) -> ResponseReturnValue:
    """Everything about one subscription; `at`: why it is served or not then (rule B16)."""
    context, now = parts.context(), parts.now()
    at, problem = _asked_at()
    view = service.show(context, subscription_id, now)
    usage = service.usage_of(context, subscription_id, now, days=CHART_DAYS)
    sessions = service.sessions_of(context, subscription_id, now, limit=PAST_SESSIONS)
    return render_template(
        "admin/subscriber.html",
        view=view,
        usage=usage,
        past=[session for session in sessions if session.closed_at is not None],
        lockable=subscriber_settings.lockable(
            [one.calling_station for one in (*view.sessions, *sessions)], view.allowed_macs
        ),
        quota=grants.quota_of(context, subscription_id, now),
        why=explain.why(context, subscription_id, at or now),
        at=request.args.get("at", ""),
        at_problem=problem,
        chart=usage_chart(usage.days),
        logins=logins.last_of(context, subscription_id, now),
        login_days=logins.LAST_DAYS,
    )


def _asked_at() -> tuple[datetime | None, str | None]:
    """Date and time in the installation's zone; or what is wrong with them."""
    asked = request.args.get("at", "").strip()
    if not asked:
        return None, None
    try:
        wall = datetime.fromisoformat(asked)
        if wall.tzinfo is None:
            wall = wall.replace(tzinfo=ZoneInfo(parts.operator().time_zone))
        if wall.year in _YEARS:
            return wall.astimezone(UTC), None
    except (ValueError, OverflowError):
        pass
    return None, "Write a date and time like 2026-03-10 14:30; shown is what holds now."
