"""The papers that go with mails: bills, credit notes, statements and receipts (rule I3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date

from billing.documents.html import receipt_to_html, statement_to_html, to_html
from billing.documents.pdf import all_to_pdf, bill_to_pdf
from billing.errors import InvalidFields, InvalidInput, NotFound, Refused, Unavailable
from billing.model.documents import BillDocument, Paper
from billing.model.messages import Attachment, DueMessage, MessageChannel, MessageKind
from billing.services import designs, documents, receipts, statements
from billing.services.context import Context

log = logging.getLogger(__name__)


def attached(context: Context, messages: Sequence[DueMessage]) -> Mapping[int, Attachment]:
    """By message, in one process for all of them. What is not there, or cannot be set, does not
    keep the mail. Raises Unavailable (the database)."""
    found: dict[int, Attachment] = {}
    pages: list[tuple[int, str, str]] = []
    for message in messages:
        if message.channel is not MessageChannel.EMAIL or message.expired:
            continue
        try:
            paper = _paper(context, message)
        except (InvalidInput, InvalidFields, NotFound, Refused) as error:
            log.warning("message %d goes without its paper: %s", message.message_id, error)
            continue
        if isinstance(paper, Attachment):
            found[message.message_id] = paper
        elif paper is not None:
            pages.append((message.message_id, *paper))
    try:
        made = all_to_pdf([(html, Paper.A4) for _, _, html in pages])
    except Unavailable as error:
        log.error("mails go without their papers: %s", error)
        return found
    for (message_id, name, _), octets in zip(pages, made, strict=True):
        if octets is not None:
            found[message_id] = Attachment(name, octets)
    return found


def _paper(context: Context, message: DueMessage) -> Attachment | tuple[str, str] | None:
    """Name and page, or an e-invoice, whose XML is set with it; None: it speaks of no paper."""
    facts, org_id = message.facts, message.org_id
    if message.kind in (MessageKind.INVOICE_ISSUED, MessageKind.CREDIT_NOTE):
        bill = documents.by_number(context, str(facts["number"]), org_id=org_id)
        return _bill(context, bill)
    if message.kind is MessageKind.STATEMENT:
        first, last = (date.fromisoformat(str(facts[name])) for name in ("first_day", "last_day"))
        statement = statements.statement(context, message.customer_id, first, last)
        design = designs.design_of(context, org_id)
        return f"{first:%Y-%m}.pdf", statement_to_html(statement, design)
    if message.kind is MessageKind.PAYMENT_RECEIVED:
        number = str(facts["number"])
        receipt = receipts.by_number(context, number, org_id=org_id)
        return f"{number}.pdf", receipt_to_html(
            receipt, Paper.A4, designs.design_of(context, org_id)
        )
    return None


def _bill(context: Context, bill: BillDocument) -> Attachment | tuple[str, str]:
    name, design = f"{bill.number}.pdf", designs.design_of(context, bill.org_id)
    if not bill.e_invoice:
        return name, to_html(bill, Paper.A4, design)
    return Attachment(name, bill_to_pdf(bill, Paper.A4, design))
