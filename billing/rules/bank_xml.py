"""Reading the XML that banks send (ISO 20022), and telling which message it is (rule P1).

A file comes from outside: one with a DTD is refused before anything of it is looked at, so that it
has no entities, inner or outer; its depth and its number of elements are bounded, as its octets are
by who calls.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from xml.etree import ElementTree  # nosec B405 (a DTD is refused, see _Builder)

from billing.model.money import Money

Element = ElementTree.Element
_DEPTH_MOST = 64
_ELEMENTS_MOST = 1_000_000
_UTF_16 = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")
_AMOUNT = re.compile(r"\d{1,13}(?:\.\d{1,5})?", re.ASCII)


class Message(StrEnum):
    """The messages that are read, by the element within `Document`."""

    STATEMENT = "BkToCstmrStmt"
    NOTIFICATION = "BkToCstmrDbtCdtNtfctn"
    STATUS = "CstmrPmtStsRpt"


_CALLED = {
    Message.STATEMENT.value: "a statement (camt.053)",
    Message.NOTIFICATION.value: "a notification (camt.054)",
    Message.STATUS.value: "a status report (pain.002)",
    "BkToCstmrAcctRpt": "a report of the day (camt.052), whose entries may change; wait for its"
    " camt.053 or camt.054",
    "CstmrDrctDbtInitn": "a file of direct debits for the bank (pain.008), not its answer",
    "CstmrCdtTrfInitn": "a file of transfers for the bank (pain.001), not its answer",
}


def is_xml(body: bytes) -> bool:
    """Whether a file means to be XML."""
    start = body[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") or body[:4] in _UTF_16


def read_message(body: bytes, *wanted: Message) -> tuple[Message, Element]:
    """Which message a file is, and the element that holds it; names are without their namespace, as
    banks of some countries have their own. Raises ValueError: what is wrong with the file."""
    if not is_xml(body):
        raise ValueError("is no XML")
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314  # nosec B314 (see _Builder)
    try:
        parser.feed(body)
        root = parser.close()
    except ElementTree.ParseError as error:
        line, column = error.position
        raise ValueError(
            f"is no whole XML: it breaks off or is damaged at line {line}, column {column + 1};"
            " fetch it from the bank again"
        ) from None
    except (LookupError, UnicodeError):
        raise ValueError("is in an encoding that is not known") from None
    held = root[0] if root.tag == "Document" and len(root) else root
    if held.tag not in wanted:
        asked = " or ".join(_CALLED[one] for one in wanted)
        raise ValueError(f"must be {asked}; it is {_CALLED.get(held.tag, f'<{held.tag[:60]}>')}")
    return Message(held.tag), held


class _Builder(ElementTree.TreeBuilder):
    """A tree of bounded size, from a file without a DTD: that is where entities are declared, and
    expat tells of it before it reads any."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > _DEPTH_MOST or self._count > _ELEMENTS_MOST:
            raise ValueError("is no message of a bank: it is nested too deep, or too long")
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag.rpartition("}")[2])

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("has a DTD (<!DOCTYPE …>), which messages of banks have not: not read")


def text(element: Element | None, path: str) -> str:
    """What stands there, blanks collapsed; empty: nothing."""
    found = None if element is None else element.find(path)
    return "" if found is None else " ".join((found.text or "").split())


def texts(element: Element, path: str) -> list[str]:
    """All that stands there and is not empty."""
    found = (" ".join((one.text or "").split()) for one in element.iterfind(path))
    return [one for one in found if one]


def amount(element: Element | None) -> Money | None:
    """An amount with its currency; None: there is none. Raises ValueError."""
    if element is None:
        return None
    written, currency = (element.text or "").strip(), element.get("Ccy", "")
    if not _AMOUNT.fullmatch(written):
        raise ValueError(f"{written[:40]!r} is no amount")
    found = Money.parse(written, currency)
    if found != found.rounded():
        raise ValueError(f"{written!r} is finer than the smallest unit of {currency}")
    return found


def day(element: Element, *paths: str) -> date:
    """The first day that is there; of an instant, its day as the bank wrote it. Raises
    ValueError."""
    for path in paths:
        for tag in ("Dt", "DtTm"):
            if written := text(element, f"{path}/{tag}"):
                try:
                    return date.fromisoformat(written[:10])
                except ValueError:
                    raise ValueError(f"{written[:40]!r} is no day") from None
    raise ValueError("the day is missing")


def iban_problem(iban: str) -> str:
    """Why it is no IBAN (ISO 13616), in words; empty: it is one. Without blanks, in capitals."""
    if re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban, re.ASCII):
        digits = "".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])
        if int(digits) % 97 == 1:
            return ""
    return "is no IBAN: its check digits or its length are wrong"
