"""Messages to customers: what arrived, what did not, and what they look like (adr/0017)."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField

from billing.errors import InvalidInput, NotFound, Refused
from billing.languages import FALLBACK, name_of
from billing.model.messages import MessageKind, TemplateView
from billing.services import message_templates as templates
from billing.services import messages as service
from web import parts
from web.admin import blueprint
from web.forms import needed, show_errors
from web.guards import EDITORS, EVERYONE, staff_only


class ResendForm(FlaskForm):
    """Nothing but its CSRF token."""


class TemplateForm(FlaskForm):
    """The parts of a template."""

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
    sms = StringField(
        "SMS",
        [needed],
        render_kw={"spellcheck": "false"},
        description="What telephones get, by the webhook; 160 characters are one SMS.",
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
    """The template of a kind in a language; what makes no message is refused at the field."""
    wanted, language = _kind(kind), _language()
    view = templates.shown(parts.context(), wanted, language)
    form = TemplateForm(data={"mjml": view.mjml, "text": view.text, "sms": view.sms.strip()})
    if form.validate_on_submit():
        try:
            templates.save(
                parts.context(),
                wanted,
                language,
                form.mjml.data,
                form.text.data,
                parts.now(),
                form.sms.data,
            )
        except InvalidInput as error:
            show_errors(form, error, {})
        else:
            flash("The template was saved.", "success")
            return redirect(_address(kind, language))
    return _template_page(form, view, language)


@blueprint.post("/messages/templates/<kind>/reset")
@staff_only(EDITORS)
def message_template_reset(kind: str) -> ResponseReturnValue:
    """The product's template again."""
    wanted, language = _kind(kind), _language()
    if ResendForm().validate_on_submit():
        try:
            templates.reset(parts.context(), wanted, language, parts.now())
        except NotFound as error:
            flash(error.message, "danger")
        else:
            flash("Messages are made by the product's template again.", "success")
    return redirect(_address(kind, language))


@blueprint.post("/messages/templates/<kind>/preview")
@staff_only(EDITORS)
def message_template_preview(kind: str) -> ResponseReturnValue:
    """The HTML part of what is in the form, with made-up facts; nothing is stored."""
    wanted, language = _kind(kind), _language()
    form = TemplateForm()
    if form.validate_on_submit():
        try:
            return templates.tried(
                wanted, language, form.mjml.data, form.text.data, form.sms.data
            ).html
        except InvalidInput as error:
            show_errors(form, error, {})
    return _template_page(form, templates.shown(parts.context(), wanted, language), language)


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


def _language() -> str:
    """Of the template, from the address; one that is none is not found."""
    try:
        return templates.checked_language(request.args.get("language", FALLBACK))
    except InvalidInput:
        abort(404)


def _address(kind: str, language: str) -> str:
    return url_for("admin.message_template", kind=kind, language=language)


def _template_page(form: TemplateForm, view: TemplateView, language: str) -> ResponseReturnValue:
    page = render_template(
        "admin/message_template.html",
        form=form,
        view=view,
        language=language,
        languages={one: name_of(one) for one in templates.languages_of(parts.context())},
    )
    return page, 422 if form.is_submitted() else 200
