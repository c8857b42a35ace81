"""What a bank has booked, as ISO 20022 says it: camt.053 and camt.054, versions 02 and later
(rules P1, M5).

Of an entry with details each detail is a line. An entry is known by the bank's reference of it, so
that a statement and a notification that both tell of it are one; where the bank gives none, by what
it says, as a line of a CSV file is.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from billing.model.bank import BankLine, BankStatement, EntryPart
from billing.model.money import Money
from billing.rules.bank_xml import Element, Message, amount, day, text, texts
from billing.rules.sepa import NO_REASON, collections_named, masked, reason_problem

_NO_REFERENCE = frozenset({"", "NONREF", "NOTPROVIDED", "NOTAVAILABLE"})
_CREDIT, _DEBIT = "CRDT", "DBIT"
_OUR_DEBITS = "IDDT"
"""Family of bank transaction codes: direct debits that the account's holder has issued. Money that
goes out under it is one that came back."""
_CAME_BACK = "a transfer of yours that came back"
_TAKEN_BACK = "what the bank has corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What its lines have in common."""

    number: int
    element: Element
    booked_on: date
    amount: Money
    is_credit: bool
    is_reversal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One of an entry's details, or the entry itself. `returned_for`: set where money went out
    because a direct debit came back."""

    amount: Money
    is_credit: bool
    payer: str
    reference: str
    returned_for: str | None
    waits: str


def read_camt(kind: Message, held: Element, iban: str, currency: str) -> BankStatement:
    """All that a file says of the account. Raises ValueError: it says nothing of it, or in another
    currency."""
    lines: list[BankLine] = []
    problems: list[tuple[int, str, str]] = []
    outgoing = unbooked = number = 0
    own, elsewhere = _statements(kind, held, iban, currency)
    for statement in own:
        seen: Counter[str] = Counter()
        for element in statement.iterfind("Ntry"):
            number += 1
            if (text(element, "Sts/Cd") or text(element, "Sts") or "BOOK") != "BOOK":
                unbooked += 1
                continue
            try:
                found, left_out = _lines(_entry(number, element, currency), seen)
            except ValueError as error:
                problems.append((number, "entry", str(error)))
                continue
            lines += found
            outgoing += left_out
    # What came in is used before what came back: it may be the same money.
    lines.sort(key=lambda line: line.returned_for is not None)
    return BankStatement(
        lines=tuple(lines),
        outgoing=outgoing,
        problems=tuple(problems),
        unbooked=unbooked,
        elsewhere=elsewhere,
    )


def _statements(
    kind: Message, held: Element, iban: str, currency: str
) -> tuple[list[Element], tuple[str, ...]]:
    """Those of the account, and which other accounts the file tells of."""
    all_of_them = list(held.iterfind("Stmt" if kind is Message.STATEMENT else "Ntfctn"))
    if not all_of_them:
        raise ValueError("holds no statement")
    own, others = [], set()
    for one in all_of_them:
        written = text(one, "Acct/Id/IBAN").replace(" ", "").upper()
        if written == iban:
            own.append(one)
        else:
            others.add(masked(written) if written else text(one, "Acct/Id/Othr/Id") or "no account")
    if not own:
        raise ValueError(f"is of {', '.join(sorted(others))}; the account is {masked(iban)}")
    for one in own:
        if text(one, "Acct/Ccy") not in ("", currency):
            raise ValueError(f"is in {text(one, 'Acct/Ccy')}; the account is in {currency}")
    return own, tuple(sorted(others))


def _entry(number: int, element: Element, currency: str) -> _Entry:
    found = amount(element.find("Amt"))
    if found is None:
        raise ValueError("the amount is missing")
    if found.currency != currency:
        raise ValueError(f"is in {found.currency}; the account is in {currency}")
    return _Entry(
        number=number,
        element=element,
        booked_on=day(element, "BookgDt", "ValDt"),
        amount=found,
        is_credit=_is_credit(text(element, "CdtDbtInd")),
        is_reversal=text(element, "RvslInd") in ("true", "1"),
    )


def _is_credit(word: str) -> bool:
    if word not in (_CREDIT, _DEBIT):
        raise ValueError(f"says {word[:20]!r} where {_CREDIT} or {_DEBIT} must stand")
    return word == _CREDIT


def _lines(entry: _Entry, seen: Counter[str]) -> tuple[list[BankLine], int]:
    """Of an entry; and how many of its parts are money that went out for other reasons. `seen`: how
    many of the statement's entries before it say the same."""
    details = list(entry.element.iterfind("NtryDtls/TxDtls"))
    parts = [_part(entry, one, only=len(details) == 1) for one in details]
    whole = _whole(entry, details)
    if not _make_up(entry, parts):
        parts = []
    key = _key(entry, parts or [whole], seen)
    lines = [
        BankLine(
            line=entry.number,
            booked_on=entry.booked_on,
            amount=one.amount,
            payer=one.payer,
            reference=one.reference,
            of=EntryPart(entry=key, part=place, parts=len(parts)),
            returned_for=one.returned_for,
            waits=one.waits,
        )
        for place, one in enumerate(parts or [whole], 1)
        if one.is_credit or one.returned_for is not None
    ]
    return [one for one in lines if one.amount.amount_micros], len(parts or [whole]) - len(lines)


def _make_up(entry: _Entry, parts: list[_Part]) -> bool:
    """Whether details are all of their entry: else it is one line."""
    if any(one.amount.currency != entry.amount.currency for one in parts):
        return False
    total = sum(_signed(one.amount, credit=one.is_credit) for one in parts)
    # What came back may have cost something: then more went out than was collected.
    all_back = all(one.returned_for is not None for one in parts)
    return total == _signed(entry.amount, credit=entry.is_credit) or all_back


def _key(entry: _Entry, parts: list[_Part], seen: Counter[str]) -> str:
    """What the entry is known by. Two of a statement that say the same are two."""
    given = text(entry.element, "AcctSvcrRef")
    known_by: object = given
    if given.upper() in _NO_REFERENCE:
        known_by = [(one.payer.casefold(), one.reference.casefold()) for one in parts]
    signed = _signed(entry.amount, credit=entry.is_credit)
    content = json.dumps([entry.booked_on.isoformat(), signed, entry.amount.currency, known_by])
    seen[content] += 1
    return sha256(f"camt{content}{seen[content]}".encode()).hexdigest()


def _signed(money: Money, *, credit: bool) -> int:
    return money.amount_micros if credit else -money.amount_micros


def _whole(entry: _Entry, details: list[Element]) -> _Part:
    """The entry as one line, with all that is said of it and its details."""
    element = entry.element
    is_out = not entry.is_credit
    said = [one for detail in details for one in _said(detail, with_id=is_out)]
    said += texts(element, "NtryDtls/Btch/PmtInfId") + texts(element, "NtryDtls/Btch/MsgId")
    reference = " ".join(dict.fromkeys(said)) or text(element, "AddtlNtryInf")
    return _made(
        entry,
        None,
        amount=entry.amount,
        is_credit=entry.is_credit,
        payer=_payer(details[0]) if len(details) == 1 else "",
        reference=reference,
    )


def _part(entry: _Entry, detail: Element, *, only: bool) -> _Part:
    direction = text(detail, "CdtDbtInd")
    is_credit = _is_credit(direction) if direction else entry.is_credit
    asked = amount(detail.find("AmtDtls/InstdAmt/Amt")) if not is_credit else None
    moved = amount(detail.find("Amt")) or amount(detail.find("AmtDtls/TxAmt/Amt"))
    if moved is None and not only:
        raise ValueError("has several details, and one of them says no amount")
    found = entry.amount if only and is_credit else asked or moved or entry.amount
    said = _said(detail, with_id=not is_credit)
    if only and not any(one[2] for text_ in said for one in collections_named(text_)):
        # A batch that is booked in one sum is named beside its only detail.
        said += texts(entry.element, "NtryDtls/Btch/PmtInfId")
        said += texts(entry.element, "NtryDtls/Btch/MsgId")
    reference = " ".join(dict.fromkeys(said)) or text(entry.element, "AddtlNtryInf")
    return _made(
        entry,
        detail,
        amount=found,
        is_credit=is_credit,
        payer=_payer(detail),
        reference=reference,
    )


def _made(
    entry: _Entry,
    detail: Element | None,
    *,
    amount: Money,
    is_credit: bool,
    payer: str,
    reference: str,
) -> _Part:
    returned = None if detail is None else detail.find("RtrInf")
    waits = ""
    if is_credit and returned is not None:
        waits = _CAME_BACK
    elif is_credit and entry.is_reversal:
        waits = _TAKEN_BACK
    is_return = not is_credit and (
        returned is not None
        or entry.is_reversal
        or _OUR_DEBITS in _families(entry.element, detail)
        or any(one[2] for one in collections_named(reference))
    )
    return _Part(
        amount=amount,
        is_credit=is_credit,
        payer=payer,
        reference=reference,
        returned_for=_reason(returned) if is_return else None,
        waits=waits,
    )


def _families(element: Element, detail: Element | None) -> set[str]:
    found = texts(element, "BkTxCd/Domn/Fmly/Cd")
    return {*found, *([] if detail is None else texts(detail, "BkTxCd/Domn/Fmly/Cd"))}


def _reason(returned: Element | None) -> str:
    code = text(returned, "Rsn/Cd").upper()
    return NO_REASON if reason_problem(code) else code


def _said(detail: Element, *, with_id: bool) -> list[str]:
    """What it is for. What payers number their own payments by is no number of ours: ids of money
    that came in count only where they are of a collection or a file of collections. `with_id`: what
    went out shows its id whatever it is, for who looks into it."""
    ids = [text(detail, f"Refs/{name}") for name in ("EndToEndId", "PmtInfId", "MsgId")]
    ours = next((one for one in ids if collections_named(one)), "")
    if with_id and not ours and ids[0] not in _NO_REFERENCE:
        ours = ids[0]
    said = [" ".join(texts(detail, "RmtInf/Ustrd"))]
    for strd in detail.iterfind("RmtInf/Strd"):
        said += texts(strd, "CdtrRefInf/Ref")
        said += texts(strd, "RfrdDocInf/Nb")
        said += texts(strd, "AddtlRmtInf")
    said.append(ours)
    found = [one for one in said if one]
    return found or texts(detail, "AddtlTxInf")


def _payer(detail: Element) -> str:
    for path in ("Dbtr/Pty/Nm", "Dbtr/Nm", "UltmtDbtr/Pty/Nm", "UltmtDbtr/Nm"):
        if name := text(detail, f"RltdPties/{path}"):
            return name
    return ""
