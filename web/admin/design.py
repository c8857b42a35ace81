"""The designer: how the own organisation's bills look, tried on its newest one (rule I3)."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from markupsafe import escape
from wtforms import BooleanField, Field, FileField, IntegerField, StringField, TextAreaField

from billing.documents.checks import logo_address
from billing.documents.html import to_html
from billing.documents.pdf import to_pdf, try_design
from billing.documents.sample import FULL
from billing.errors import InvalidInput
from billing.model.designs import Block, InvoiceDesign
from billing.model.documents import BillDocument, Paper
from billing.services import designs, documents
from web import parts
from web.admin import blueprint
from web.admin.bills import asked_paper, pdf_response
from web.forms import show_errors
from web.guards import EDITORS, staff_only

_HINT = "{{ bill.number }}, {{ bill.buyer.name }} and the like are filled in."
# The page is a document of its own: no script runs in it, nothing is loaded, nothing is opened.
PREVIEW_POLICY = {
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "data:",
    "frame-ancestors": "'self'",
    "sandbox": "",
}


class DesignForm(FlaskForm):
    accent = StringField("Colour", render_kw={"type": "color"})
    logo = FileField("Logo", description="A PNG or JPEG of at most 200 kB; empty: as it is.")
    no_logo = BooleanField("No logo")
    footer = TextAreaField("Footer", description=_HINT)
    css = TextAreaField("Own CSS", description="Comes after the built-in style sheet. A4 only.")
    template = TextAreaField(
        "Own template", description=f"HTML in place of the blocks above; A4 only. {_HINT}"
    )


for _place, _block in enumerate(Block, 1):
    setattr(DesignForm, f"on_{_block}", BooleanField(_block.capitalize()))
    setattr(DesignForm, f"place_{_block}", IntegerField(f"Place of {_block}", default=_place))


@blueprint.route("/design", methods=["GET", "POST"])
@staff_only(EDITORS)
def design() -> ResponseReturnValue:
    """Change what bills look like from now on."""
    context = parts.context()
    kept = designs.design_of(context, context.home_org_id)
    form = _form(kept)
    if form.validate_on_submit():
        try:
            wanted = designs.checked(_wanted(form, kept))
            try_design(wanted)
            designs.save(context, context.home_org_id, wanted, parts.now())
        except InvalidInput as error:
            show_errors(form, error, {"blocks": "on_heading"})
        else:
            flash("Bills look like this from now on.", "success")
            return redirect(url_for("admin.design"))
    status = 422 if form.is_submitted() else 200
    rows = sorted(
        ((_field(form, "on", block), _field(form, "place", block)) for block in Block),
        key=lambda row: row[1].data or 0,
    )
    return render_template("admin/design.html", form=form, rows=rows, has_logo=kept.logo), status


@blueprint.post("/design/preview")
@staff_only(EDITORS)
def design_preview() -> ResponseReturnValue:
    """The newest bill (or one of nobody) by what the form says, which is not kept."""
    try:
        bill, tried = _tried()
    except InvalidInput as error:
        return Response(escape(error.message), status=422, mimetype="text/html")
    return Response(to_html(bill, Paper.A4, tried), mimetype="text/html")


design_preview.talisman_view_options = {  # type: ignore[attr-defined]
    "frame_options": "SAMEORIGIN",
    "content_security_policy": PREVIEW_POLICY,
    "content_security_policy_nonce_in": [],
}


@blueprint.post("/design/pdf")
@staff_only(EDITORS)
def design_pdf() -> ResponseReturnValue:
    """The same as PDF; `size`: a4 or receipt."""
    bill, tried = _tried()
    paper = asked_paper(request.form)
    return pdf_response(to_pdf(to_html(bill, paper, tried), paper), f"{bill.number}.pdf")


@blueprint.post("/design/reset")
@staff_only(EDITORS)
def design_reset() -> ResponseReturnValue:
    """Give up the own design."""
    context = parts.context()
    designs.reset(context, context.home_org_id, parts.now())
    flash("Bills look as they did at first.", "success")
    return redirect(url_for("admin.design"))


def _tried() -> tuple[BillDocument, InvoiceDesign]:
    """Raises InvalidInput."""
    context = parts.context()
    kept = designs.design_of(context, context.home_org_id)
    form = _form(kept)
    if not form.validate_on_submit():
        raise InvalidInput("this form is out of date; open it again")
    tried = designs.checked(_wanted(form, kept))
    return documents.newest(context, context.home_org_id) or FULL, tried


def _form(kept: InvoiceDesign) -> DesignForm:
    off = [block for block in Block if block not in kept.blocks]
    places = {block: place for place, block in enumerate((*kept.blocks, *off), 1)}
    values = {f"on_{block}": block in kept.blocks for block in Block}
    values |= {f"place_{block}": place for block, place in places.items()}
    return DesignForm(
        accent=kept.accent, footer=kept.footer, css=kept.css, template=kept.template, **values
    )


def _wanted(form: DesignForm, kept: InvoiceDesign) -> InvoiceDesign:
    """What the form says. Raises InvalidInput(field="logo")."""
    octets = form.logo.data.read() if form.logo.data else b""
    logo = logo_address(octets) if octets else None if form.no_logo.data else kept.logo
    chosen = [block for block in Block if _field(form, "on", block).data]
    chosen.sort(key=lambda block: _field(form, "place", block).data or 0)
    return replace(
        kept,
        accent=str(form.accent.data or ""),
        blocks=tuple(chosen),
        logo=logo,
        footer=_text(form.footer),
        css=_text(form.css),
        template=_text(form.template),
    )


def _field(form: DesignForm, kind: str, block: Block) -> Field:
    found: Field = form[f"{kind}_{block}"]
    return found


def _text(field: Field) -> str | None:
    """Browsers send lines that end with CR LF; nothing but blanks is nothing."""
    text = str(field.data or "").replace("\r\n", "\n")
    return text if text.strip() else None
