"""What a bank answers to a file of direct debits: pain.002, version 03 and later (rule P1)."""

from __future__ import annotations

from billing.model.sepa_status import Status, StatusItem, StatusReport
from billing.rules.bank_xml import Element, amount, text, texts
from billing.rules.sepa import NO_REASON, reason_problem


def read_status(held: Element) -> StatusReport:
    """Raises ValueError: it names no file, or an amount is none."""
    group = held.find("OrgnlGrpInfAndSts")
    original = text(group, "OrgnlMsgId")
    if group is None or not original:
        raise ValueError("does not say of which file it is (OrgnlMsgId)")
    items: list[StatusItem] = []
    batches: list[tuple[str, Status]] = []
    for batch in held.iterfind("OrgnlPmtInfAndSts"):
        name = text(batch, "OrgnlPmtInfId")
        if status := _status(batch, "PmtInfSts"):
            batches.append((name, status))
        for found in batch.iterfind("TxInfAndSts"):
            items.append(_item(len(items) + 1, found))
    count = text(group, "OrgnlNbOfTxs")
    return StatusReport(
        message_id=text(held, "GrpHdr/MsgId"),
        original_id=original,
        collections=int(count) if count.isascii() and count.isdecimal() else None,
        creditor_ids=frozenset(_creditors(held)),
        group=_status(group, "GrpSts"),
        batches=tuple(batches),
        items=tuple(items),
    )


def _item(number: int, found: Element) -> StatusItem:
    instructed = found.find("OrgnlTxRef/Amt/InstdAmt")
    return StatusItem(
        number=number,
        end_to_end_id=text(found, "OrgnlEndToEndId") or text(found, "OrgnlInstrId"),
        status=_status(found, "TxSts"),
        amount=amount(instructed),
    )


def _status(element: Element, tag: str) -> Status | None:
    code = text(element, tag).upper()
    if not code:
        return None
    reasons = texts(element, "StsRsnInf/Rsn/Cd")
    words = texts(element, "StsRsnInf/Rsn/Prtry") + texts(element, "StsRsnInf/AddtlInf")
    reason = reasons[0].upper() if reasons else ""
    return Status(
        code=code[:4],
        reason=NO_REASON if reason_problem(reason) else reason,
        words=" ".join(words)[:200],
    )


def _creditors(held: Element) -> list[str]:
    return [
        one.replace(" ", "").upper()
        for one in texts(held, ".//OrgnlTxRef/CdtrSchmeId/Id/PrvtId/Othr/Id")
    ]
