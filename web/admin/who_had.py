"""Who had an address at a time: asked with a reason, which stays in the audit log (rule U12)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateTimeLocalField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from billing.errors import InvalidInput
from billing.model.who_had import WhoHad
from billing.services import who_had as service
from web import parts
from web.admin import blueprint
from web.forms import WholeField, needed, show_errors
from web.guards import INQUIRERS, staff_only

_TOLERANCES = [
    SelectChoice("0", "Exactly then"),
    SelectChoice("60", "A minute around"),
    SelectChoice("300", "Five minutes around"),
    SelectChoice("3600", "An hour around"),
]
_FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]


class WhoHadForm(FlaskForm):
    """What is asked, and why."""

    address = StringField(
        "Address",
        [needed],
        description="IPv4 or IPv6, or an IPv6 prefix.",
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    port = WholeField(
        "Port",
        description="Behind carrier-grade NAT, where its port blocks were imported.",
        render_kw={"inputmode": "numeric"},
    )
    at = DateTimeLocalField(
        "At",
        [needed],
        format=_FORMATS,
        description="In the operator's time zone. Clocks go back in autumn: the first of two.",
        render_kw={"step": "1"},
    )
    tolerance = SelectField("Searched", choices=_TOLERANCES, default="60")
    reason = TextAreaField(
        "Reason",
        [needed],
        description="Who asks and by what right, like the number of a court order. It stays in the"
        " audit log with your name.",
        render_kw={"rows": 2, "maxlength": service.REASON_MAX},
    )


@blueprint.route("/who-had", methods=["GET", "POST"])
@staff_only(INQUIRERS)
def who_had() -> ResponseReturnValue:
    """The form, and what it found: shown once, to whom gave the reason. No address of a page holds
    what was asked."""
    form, found = WhoHadForm(), None
    if form.validate_on_submit():
        found = _asked(form)
    refused = form.is_submitted() and found is None
    return render_template("admin/who_had.html", form=form, found=found), 422 if refused else 200


def _asked(form: WhoHadForm) -> WhoHad | None:
    at: datetime = form.at.data.replace(tzinfo=ZoneInfo(parts.operator().time_zone))
    try:
        return service.who_had(
            parts.context(),
            form.address.data,
            at=at.astimezone(UTC),
            reason=form.reason.data,
            now=parts.now(),
            port=form.port.data,
            tolerance_seconds=int(form.tolerance.data),
        )
    except OverflowError:
        form.at.errors = ["must be an instant that has passed"]
    except InvalidInput as error:
        show_errors(form, error, {})
    return None
