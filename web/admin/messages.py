"""Messages to customers: what arrived, what did not, and what they look like (adr/0017)."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import TextAreaField

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.messages import MessageKind
from billing.services import message_templates as templates
from billing.services import messages as service
from web import parts
from web.admin import blueprint
from web.forms import needed, show_errors
from web.guards import EDITORS, EVERYONE, staff_only

LANGUAGE = "en"


class ResendForm(FlaskForm):
    """Nothing but its CSRF token."""


class TemplateForm(FlaskForm):
    """The two parts of a template."""

    text = TextAreaField(
        "Subject and text",
        [needed],
        render_kw={"rows": 14, "spellcheck": "false"},
        description="The first line is the subject. What stands in {{ }} is filled in.",
    )
    mjml = TextAreaField(
        "HTML, as MJML",
        [needed],
        render_kw={"rows": 20, "spellcheck": "false"},
        description="Between the blocks stand mj-text, mj-button, mj-table and so on; the frame "
        "around them has your name and suits phones.",
    )


@blueprint.get("/messages")
@staff_only(EVERYONE)
def messages() -> ResponseReturnValue:
    """The delivery log, newest first; only what did not arrive with `failed`, only one customer's
    with `customer`."""
    failed = "failed" in request.args
    customer_id = request.args.get("customer", type=int)
    return render_template(
        "admin/messages.html",
        views=service.listed(parts.context(), customer_id=customer_id, failed=failed),
        failed=failed,
        customer_id=customer_id,
        kinds=list(MessageKind),
        form=ResendForm(),
    )


@blueprint.post("/messages/<int:message_id>/resend")
@staff_only(EDITORS)
def message_resend(message_id: int) -> ResponseReturnValue:
    """Queue one again, to the addresses that its customer has now."""
    if ResendForm().validate_on_submit():
        try:
            service.resend(parts.context(), message_id, parts.now())
        except (NotFound, Refused) as error:
            flash(error.message, "danger")
        else:
            flash(f"Message {message_id} is sent again.", "success")
    return redirect(url_for("admin.messages"))


@blueprint.route("/messages/templates/<kind>", methods=["GET", "POST"])
@staff_only(EDITORS)
def message_template(kind: str) -> ResponseReturnValue:
    """The template of a kind; what makes no message is refused at the field."""
    wanted = _kind(kind)
    view = templates.shown(parts.context(), wanted, LANGUAGE)
    form = TemplateForm(data={"mjml": view.mjml, "text": view.text})
    if form.validate_on_submit():
        try:
            templates.save(
                parts.context(), wanted, LANGUAGE, form.mjml.data, form.text.data, parts.now()
            )
        except InvalidInput as error:
            show_errors(form, error, {})
        else:
            flash("The template was saved.", "success")
            return redirect(url_for("admin.message_template", kind=kind))
    status = 422 if form.is_submitted() else 200
    page = render_template("admin/message_template.html", form=form, view=view)
    return page, status


@blueprint.post("/messages/templates/<kind>/reset")
@staff_only(EDITORS)
def message_template_reset(kind: str) -> ResponseReturnValue:
    """The product's template again."""
    wanted = _kind(kind)
    if ResendForm().validate_on_submit():
        try:
            templates.reset(parts.context(), wanted, LANGUAGE, parts.now())
        except NotFound as error:
            flash(error.message, "danger")
        else:
            flash("Messages are made by the product's template again.", "success")
    return redirect(url_for("admin.message_template", kind=kind))


@blueprint.post("/messages/templates/<kind>/preview")
@staff_only(EDITORS)
def message_template_preview(kind: str) -> ResponseReturnValue:
    """The HTML part of what is in the form, with made-up facts; nothing is stored."""
    wanted = _kind(kind)
    form = TemplateForm()
    if form.validate_on_submit():
        try:
            return templates.tried(wanted, LANGUAGE, form.mjml.data, form.text.data).html
        except InvalidInput as error:
            show_errors(form, error, {})
    view = templates.shown(parts.context(), wanted, LANGUAGE)
    return render_template("admin/message_template.html", form=form, view=view), 422


# A mail's styles are in its tags; nothing else of it may do anything.
message_template_preview.talisman_view_options = {
    "content_security_policy": {
        "default-src": "'none'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
}


def _kind(kind: str) -> MessageKind:
    try:
        return MessageKind(kind)
    except ValueError:
        abort(404)
