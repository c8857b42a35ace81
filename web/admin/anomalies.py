"""What was odd in accounting records: kept, and listed for people to look at (rule U4)."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from billing.services import evidence as service
from web import parts
from web.admin import blueprint
from web.guards import EVERYONE, staff_only

PAGE_ANOMALIES = 50


@blueprint.get("/anomalies")
@staff_only(EVERYONE)
def anomalies() -> ResponseReturnValue:
    """Newest first; those of one code with `code`."""
    code = request.args.get("code", "").strip()
    # PostgreSQL's text holds no NUL, so that nothing can be found by it.
    views = (
        []
        if "\0" in code
        else service.anomalies(
            parts.context(),
            code=code or None,
            before=request.args.get("before", type=int),
            limit=PAGE_ANOMALIES,
        )
    )
    return render_template(
        "admin/anomalies.html",
        views=views,
        code=code,
        more=views[-1].anomaly_id if len(views) == PAGE_ANOMALIES else None,
    )
