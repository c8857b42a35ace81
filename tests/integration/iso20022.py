"""Messages of banks as tests write them (camt.053, camt.054, pain.002), each held against what
ISO 20022 has published: the classes that pyiso20022 has made of its schemas say which elements
there are, in which order, how often, and what they may hold."""

from __future__ import annotations

import dataclasses
import importlib
import re
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

IBAN = "DE89370400440532013000"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"


def tag(name: str, *inner: str) -> str:
    """An element of elements, or of nothing where none of them is there."""
    held = "".join(inner)
    return f"<{name}>{held}</{name}>" if held else ""


def leaf(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def money(name: str, amount: str, currency: str = "EUR") -> str:
    return f'<{name} Ccy="{currency}">{amount}</{name}>'


@dataclass(kw_only=True)
class Detail:
    """A transaction of an entry. `version`: of its message."""

    amount: str = ""
    currency: str = "EUR"
    end_to_end: str = ""
    payer: str = "Ada"
    texts: tuple[str, ...] = ()
    creditor_reference: str = ""
    reason: str = ""
    returned: bool = False
    instructed: str = ""
    credit: bool | None = None

    def xml(self, version: int) -> str:
        name = leaf("Nm", self.payer)
        amounts = tag("InstdAmt", money("Amt", self.instructed)) if self.instructed else ""
        direction = ""
        if self.credit is not None and version > 2:
            direction = leaf("CdtDbtInd", "CRDT" if self.credit else "DBIT")
        if self.amount and version == 2:
            amounts += tag("TxAmt", money("Amt", self.amount, self.currency))
        return tag(
            "TxDtls",
            tag("Refs", leaf("EndToEndId", self.end_to_end)),
            money("Amt", self.amount, self.currency) if self.amount and version > 2 else "",
            direction,
            tag("AmtDtls", amounts),
            tag("RltdPties", tag("Dbtr", name if version < 8 else tag("Pty", name))),
            tag(
                "RmtInf",
                *(leaf("Ustrd", one) for one in self.texts),
                tag("Strd", tag("CdtrRefInf", leaf("Ref", self.creditor_reference))),
            ),
            self._back(),
        )

    def _back(self) -> str:
        if not (self.returned or self.reason):
            return ""
        code = tag("Rsn", leaf("Cd", self.reason))
        return tag("RtrInf", code or leaf("AddtlInf", "no reason"))


@dataclass(kw_only=True)
class Entry:
    amount: str
    credit: bool = True
    ref: str = ""
    currency: str = "EUR"
    booked: str = "2026-03-27"
    status: str = "BOOK"
    reversal: bool = False
    family: str = "RCDT"
    batch: str = ""
    details: tuple[Detail, ...] = ()
    said: str = ""

    def xml(self, version: int) -> str:
        status = leaf("Sts", self.status) if version < 8 else tag("Sts", leaf("Cd", self.status))
        family = tag("Fmly", leaf("Cd", self.family), leaf("SubFmlyCd", "OTHR"))
        return tag(
            "Ntry",
            money("Amt", self.amount, self.currency),
            leaf("CdtDbtInd", "CRDT" if self.credit else "DBIT"),
            leaf("RvslInd", "true" if self.reversal else ""),
            status,
            tag("BookgDt", leaf("Dt", self.booked)),
            leaf("AcctSvcrRef", self.ref),
            tag("BkTxCd", tag("Domn", leaf("Cd", "PMNT"), family)),
            tag(
                "NtryDtls",
                tag("Btch", leaf("PmtInfId", self.batch)),
                *(one.xml(version) for one in self.details),
            ),
            leaf("AddtlNtryInf", self.said),
        )


def camt(
    *entries: Entry,
    kind: str = "053",
    version: int = 8,
    iban: str = IBAN,
    currency: str = "EUR",
    statements: Iterable[tuple[str, tuple[Entry, ...]]] = (),
) -> bytes:
    """`statements`: of further accounts, each with its IBAN."""
    held = [
        _statement(kind, version, number, account, currency, found)
        for number, (account, found) in enumerate([(iban, entries), *statements], 1)
    ]
    name = {"053": "BkToCstmrStmt", "054": "BkToCstmrDbtCdtNtfctn"}[kind]
    header = tag("GrpHdr", leaf("MsgId", "bank-1"), leaf("CreDtTm", "2026-03-28T04:00:00"))
    return _checked(f"camt.{kind}.001.{version:02}", tag(name, header, *held))


def _statement(
    kind: str, version: int, number: int, iban: str, currency: str, entries: tuple[Entry, ...]
) -> str:
    balance = ""
    if kind == "053":
        balance = "".join(
            tag(
                "Bal",
                tag("Tp", tag("CdOrPrtry", leaf("Cd", code))),
                money("Amt", "100.00", currency),
                leaf("CdtDbtInd", "CRDT"),
                tag("Dt", leaf("Dt", "2026-03-27")),
            )
            for code in ("OPBD", "CLBD")
        )
    return tag(
        {"053": "Stmt", "054": "Ntfctn"}[kind],
        leaf("Id", f"s-{number}"),
        leaf("ElctrncSeqNb", str(number)),
        leaf("CreDtTm", "2026-03-28T04:00:00"),
        tag("Acct", tag("Id", leaf("IBAN", iban)), leaf("Ccy", currency)),
        balance,
        *(one.xml(version) for one in entries),
    )


@dataclass(kw_only=True)
class Item:
    """What a pain.002 says of one collection."""

    end_to_end: str
    status: str = "RJCT"
    reason: str = ""
    amount: str = ""
    creditor: str = ""

    def xml(self) -> str:
        other = tag("Othr", leaf("Id", self.creditor))
        reference = tag(
            "OrgnlTxRef",
            tag("Amt", money("InstdAmt", self.amount)) if self.amount else "",
            tag("CdtrSchmeId", tag("Id", tag("PrvtId", other))),
        )
        return tag(
            "TxInfAndSts",
            leaf("OrgnlEndToEndId", self.end_to_end),
            leaf("TxSts", self.status),
            _reason(self.reason),
            reference,
        )


@dataclass(kw_only=True)
class Answer:
    """A pain.002. `batches`: name, status, reason and items of each."""

    original: str
    count: int | None = None
    status: str = ""
    reason: str = ""
    batches: list[tuple[str, str, str, list[Item]]] = field(default_factory=list)
    version: int = 10

    def xml(self) -> bytes:
        return _checked(
            f"pain.002.001.{self.version:02}",
            tag(
                "CstmrPmtStsRpt",
                tag("GrpHdr", leaf("MsgId", "bank-2"), leaf("CreDtTm", "2026-03-21T08:00:00")),
                tag(
                    "OrgnlGrpInfAndSts",
                    leaf("OrgnlMsgId", self.original),
                    leaf("OrgnlMsgNmId", "pain.008"),
                    "" if self.count is None else leaf("OrgnlNbOfTxs", str(self.count)),
                    leaf("GrpSts", self.status),
                    _reason(self.reason),
                ),
                *(
                    tag(
                        "OrgnlPmtInfAndSts",
                        leaf("OrgnlPmtInfId", name),
                        leaf("PmtInfSts", status),
                        _reason(reason),
                        *(one.xml() for one in items),
                    )
                    for name, status, reason, items in self.batches
                ),
            ),
        )


def _reason(code: str) -> str:
    return tag("StsRsnInf", tag("Rsn", leaf("Cd", code)))


def _checked(message: str, held: str) -> bytes:
    body = f'<?xml version="1.0"?><Document xmlns="{NAMESPACE}{message}">{held}</Document>'.encode()
    found = problems(body, message)
    assert found == [], found
    return body


def problems(body: bytes, message: str) -> list[str]:
    """Why a file is no such message, by its published schema; empty: it is one."""
    name = message.replace(".", "_")
    module = importlib.import_module(f"pyiso20022.{name[:4]}.{name}.{name}")
    root = ElementTree.fromstring(body)  # noqa: S314 (our own)
    return _problems(root, module.Document, module, f"{NAMESPACE}{message}", "Document")


def _problems(element: Any, kind: Any, module: Any, namespace: str, where: str) -> list[str]:
    if not dataclasses.is_dataclass(kind):
        return _value(element.text or "", kind, {}, where)
    fields = [one for one in dataclasses.fields(kind) if one.metadata.get("type") == "Element"]
    attributes = {
        one.metadata["name"]: one
        for one in dataclasses.fields(kind)
        if one.metadata.get("type") == "Attribute"
    }
    hints = typing.get_type_hints(kind, vars(module))
    found = [f"{where} has no {name}" for name in attributes if name not in element.attrib]
    found += [f"{where}: {name} is not known" for name in element.attrib if name not in attributes]
    for one in dataclasses.fields(kind):
        if not one.metadata.get("type"):
            found += _value(element.text or "", hints[one.name], one.metadata, where)
    place = 0
    counted: dict[str, int] = {}
    for child in element:
        name = child.tag.removeprefix(f"{{{namespace}}}")
        places = [n for n, one in enumerate(fields) if one.metadata["name"] == name]
        if not places or places[0] < place:
            found.append(f"{where}.{name} is not known there")
            continue
        place = places[0]
        counted[name] = counted.get(name, 0) + 1
        inner, rule = _inner(hints[fields[place].name]), fields[place].metadata
        if dataclasses.is_dataclass(inner):
            found += _problems(child, inner, module, namespace, f"{where}.{name}")
        else:
            found += _value(child.text or "", inner, rule, f"{where}.{name}")
    for one in fields:
        name, is_list = one.metadata["name"], typing.get_origin(hints[one.name]) is list
        least = one.metadata.get("min_occurs", 0) if is_list else one.metadata.get("required", 0)
        if counted.get(name, 0) < least:
            found.append(f"{where}.{name} is missing")
        if counted.get(name, 0) > 1 and not is_list:
            found.append(f"{where}.{name} is there twice")
    return found


def _inner(hint: Any) -> Any:
    """Of `list[X]` and `None | X`."""
    inner = [one for one in typing.get_args(hint) if one is not type(None)]
    return inner[0] if inner else hint


def _value(text: str, kind: Any, rule: Any, where: str) -> list[str]:
    kind = _inner(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        good = text in {one.value for one in kind}
    elif kind is Decimal:
        good = re.fullmatch(r"\d+(\.\d{1,5})?", text) is not None
    elif kind is bool:
        good = text in ("true", "false", "1", "0")
    else:
        good = rule.get("min_length", 0) <= len(text) <= rule.get("max_length", 10**6)
        good = good and re.fullmatch(rule.get("pattern", r"(?s).*"), text) is not None
    return [] if good else [f"{where} may not be {text!r}"]
