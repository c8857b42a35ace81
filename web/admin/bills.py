"""A customer's bills and credit notes, to download (rules I3, I6)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request
from flask.typing import ResponseReturnValue

from billing.documents.pdf import bill_to_pdf
from billing.errors import InvalidInput
from billing.model.documents import BillDocument, Paper
from billing.services import designs, documents
from web import parts
from web.admin import blueprint
from web.guards import STAFF, staff_only


@blueprint.get("/customers/<int:customer_id>/bills/<int:invoice_id>.pdf")
@staff_only(STAFF)
def bill_pdf(customer_id: int, invoice_id: int) -> ResponseReturnValue:
    """As it stands now; `size`: a4 or receipt."""
    paper = asked_paper(request.args)
    return _as_pdf(documents.by_id(parts.context(), customer_id, invoice_id), paper)


@blueprint.get("/customers/<int:customer_id>/credit-notes/<number>.pdf")
@staff_only(STAFF)
def credit_note_pdf(customer_id: int, number: str) -> ResponseReturnValue:
    """`size`: a4 or receipt."""
    paper = asked_paper(request.args)
    return _as_pdf(documents.credit_by_number(parts.context(), customer_id, number), paper)


def _as_pdf(bill: BillDocument, paper: Paper) -> Response:
    design = designs.design_of(parts.context(), bill.org_id)
    return pdf_response(bill_to_pdf(bill, paper, design), f"{bill.number}.pdf")


def pdf_response(octets: bytes, name: str) -> Response:
    """Shown by the browser, or saved under a name."""
    response = Response(octets, mimetype="application/pdf")
    response.headers.set("Content-Disposition", "inline", filename=name)
    return response


def asked_paper(arguments: Mapping[str, str]) -> Paper:
    """`size` of a request, A4 unless given. Raises InvalidInput."""
    try:
        return Paper(arguments.get("size", Paper.A4.value))
    except ValueError:
        raise InvalidInput("the size is a4 or receipt", field="size") from None
