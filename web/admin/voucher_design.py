"""The designer of voucher cards: how the own organisation's look, tried on cards of nobody (R3)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from markupsafe import escape
from wtforms import BooleanField, Field, FileField, IntegerField, StringField, TextAreaField

from billing.documents.checks import CARD_HEIGHTS_MM, CARD_WIDTHS_MM, logo_address
from billing.documents.html import cards_to_html
from billing.documents.sample import BATCH, CODES
from billing.documents.voucher_cards import cards, sheets, try_cards
from billing.errors import InvalidInput
from billing.model.designs import CardBlock, CardDesign
from billing.services import voucher_designs as service
from web import parts
from web.admin import blueprint
from web.admin.bills import pdf_response
from web.admin.design import PREVIEW_POLICY
from web.forms import show_errors
from web.guards import EDITORS, staff_only

_BLOCKS = {
    CardBlock.LOGO: "Logo",
    CardBlock.NAME: "Plan or name of the batch",
    CardBlock.WORTH: "What it is worth",
    CardBlock.QR: "QR code",
    CardBlock.TEXT: "Text",
    CardBlock.SERIAL: "Serial number",
    CardBlock.EXPIRY: "Last day",
}


class CardDesignForm(FlaskForm):
    """The code, and the password where there is one, is always there."""

    accent = StringField("Colour", render_kw={"type": "color"})
    paper = StringField("Colour of the card", render_kw={"type": "color"})
    width_mm = IntegerField(
        "Width in mm", description=f"{CARD_WIDTHS_MM[0]} to {CARD_WIDTHS_MM[1]}."
    )
    height_mm = IntegerField(
        "Height in mm", description=f"{CARD_HEIGHTS_MM[0]} to {CARD_HEIGHTS_MM[1]}."
    )
    logo = FileField("Logo", description="A PNG or JPEG of at most 200 kB; empty: as it is.")
    no_logo = BooleanField("No logo")
    text = TextAreaField("Text", description="Like how to log in.", render_kw={"rows": 2})
    css = TextAreaField("Own CSS", description="Comes after the built-in style sheet.")


for _block, _words in _BLOCKS.items():
    setattr(CardDesignForm, f"on_{_block}", BooleanField(_words))


@blueprint.route("/vouchers/design", methods=["GET", "POST"])
@staff_only(EDITORS)
def voucher_design() -> ResponseReturnValue:
    """Change what cards look like from now on."""
    context = parts.context()
    kept = service.design_of(context, context.home_org_id)
    form = _form(kept)
    if form.validate_on_submit():
        try:
            wanted = service.checked(_wanted(form, kept))
            try_cards(wanted)
            service.save(context, context.home_org_id, wanted, parts.now())
        except InvalidInput as error:
            show_errors(form, error, {})
        else:
            flash("Cards look like this from now on.", "success")
            return redirect(url_for("admin.voucher_design"))
    page = render_template(
        "admin/voucher_design.html",
        form=form,
        blocks=[_on(form, block) for block in _BLOCKS],
        has_logo=kept.logo,
    )
    return page, 422 if form.errors else 200


@blueprint.post("/vouchers/design/preview")
@staff_only(EDITORS)
def voucher_design_preview() -> ResponseReturnValue:
    """Cards of nobody by what the form says, which is not kept."""
    try:
        html = cards_to_html(BATCH, cards(CODES), _tried())
    except InvalidInput as error:
        return Response(escape(error.message), status=422, mimetype="text/html")
    return Response(html, mimetype="text/html")


voucher_design_preview.talisman_view_options = {  # type: ignore[attr-defined]
    "frame_options": "SAMEORIGIN",
    "content_security_policy": PREVIEW_POLICY,
    "content_security_policy_nonce_in": [],
}


@blueprint.post("/vouchers/design/pdf")
@staff_only(EDITORS)
def voucher_design_pdf() -> ResponseReturnValue:
    """The same as PDF."""
    return pdf_response(sheets(BATCH, CODES, _tried()), "vouchers.pdf")


@blueprint.post("/vouchers/design/reset")
@staff_only(EDITORS)
def voucher_design_reset() -> ResponseReturnValue:
    """Give up the own design."""
    context = parts.context()
    service.reset(context, context.home_org_id, parts.now())
    flash("Cards look as they did at first.", "success")
    return redirect(url_for("admin.voucher_design"))


def _tried() -> CardDesign:
    """Raises InvalidInput."""
    context = parts.context()
    kept = service.design_of(context, context.home_org_id)
    form = _form(kept)
    if not form.validate_on_submit():
        raise InvalidInput("this form is not complete")
    return service.checked(_wanted(form, kept))


def _form(kept: CardDesign) -> CardDesignForm:
    values = {f"on_{block}": block in kept.blocks for block in _BLOCKS}
    return CardDesignForm(
        accent=kept.accent,
        paper=kept.paper,
        width_mm=kept.width_mm,
        height_mm=kept.height_mm,
        text=kept.text,
        css=kept.css,
        **values,
    )


def _wanted(form: CardDesignForm, kept: CardDesign) -> CardDesign:
    """What the form says. Raises InvalidInput(field="logo")."""
    octets = form.logo.data.read() if form.logo.data else b""
    return CardDesign(
        accent=str(form.accent.data or ""),
        paper=str(form.paper.data or ""),
        blocks=tuple(block for block in _BLOCKS if _on(form, block).data),
        width_mm=form.width_mm.data or 0,
        height_mm=form.height_mm.data or 0,
        logo=logo_address(octets) if octets else None if form.no_logo.data else kept.logo,
        text=_text(form.text),
        css=_text(form.css),
    )


def _on(form: CardDesignForm, block: CardBlock) -> Field:
    found: Field = form[f"on_{block}"]
    return found


def _text(field: Field) -> str | None:
    """Browsers send lines that end with CR LF; nothing but blanks is nothing."""
    text = str(field.data or "").replace("\r\n", "\n").strip()
    return text or None
