"""Accounting that belongs to no session: by reason, with what of it was readable (radius.md F5)."""

from __future__ import annotations

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from billing.errors import InvalidInput
from billing.services import dead_letters as service
from web import parts
from web.admin import blueprint
from web.guards import DESK, staff_only

PAGE_LETTERS = 50


@blueprint.get("/dead-letters")
@staff_only(DESK)
def dead_letters() -> ResponseReturnValue:
    """Newest first; those of one `reason` and from one address `nas`."""
    reason, nas = (request.args.get(name, "").strip() for name in ("reason", "nas"))
    page = None
    try:
        page = service.page(
            parts.context(),
            parts.now(),
            reason=reason,
            nas_address=nas,
            before=request.args.get("before", type=int),
            limit=PAGE_LETTERS,
        )
    except InvalidInput as error:
        flash(f"{error.field or 'filter'}: {error.message}.", "danger")
    return render_template(
        "admin/dead_letters.html", page=page, reason=reason, nas=nas
    ), 200 if page else 422
