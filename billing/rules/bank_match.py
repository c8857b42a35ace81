"""Whom the money of a bank statement's line is for (rule P1).

A line names bills (`INV-7`), prepayment invoices (`PRE-7`) and customers (`RF66C12`). It is used
when it can mean one thing only; whatever could mean two waits in suspense for a person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from billing.model.bank import LineMatch, LineOutcome, Named, NamedKind
from billing.model.money import Money

# Banks take out signs and break lines: INV7, INV 7 and INV-00 7 may all be INV-7.
_NUMBER = re.compile(
    r"(?<![A-Z0-9])(INV|PRE)[\s\-/.:#]{0,3}(\d{1,18})(?![0-9])((?:\s\d{1,18}(?![0-9A-Z]))?)",
    re.IGNORECASE | re.ASCII,
)
_REFERENCE = re.compile(
    r"(?<![A-Z0-9])RF\s?(\d\s?\d)\s?C((?:\s?\d){1,18})", re.IGNORECASE | re.ASCII
)


def payment_reference(customer_id: int) -> str:
    """What a customer writes on every transfer, as ISO 11649 has it: 12 is `RF66C12`. Its check
    digits tell a slip of the pen from another customer."""
    return f"RF{98 - _remainder(f'C{customer_id}', '00'):02d}C{customer_id}"


def numbers_named(text: str) -> set[str]:
    """The numbers of bills and prepayment invoices that a text may name, each as it is written on
    paper. Where digits follow after a blank both readings count: a line may have been broken."""
    found = set()
    for series, digits, more in _NUMBER.findall(text):
        for number in {digits, digits + more.strip()}:
            found.add(f"{series.upper()}-{int(number)}")
    return found


def customers_named(text: str) -> set[int]:
    """The numbers of customers whose payment reference a text holds, its check digits right."""
    found = set()
    for check, digits in _REFERENCE.findall(text):
        blocks = digits.split()
        for count in range(1, len(blocks) + 1):
            number = "".join(blocks[:count])
            if _remainder(f"C{number}", "".join(check.split())) == 1:
                found.add(int(number))
    return found


def match(amount: Money, named: Sequence[Named]) -> LineMatch:
    """What becomes of an amount that came with what exists of `named`."""
    owed = [one for one in named if one.kind is not NamedKind.CUSTOMER]
    payers = [one for one in named if one.kind is NamedKind.CUSTOMER]
    if len(payers) == 1:
        # Each organisation has an INV-7 of its own: the payer's reference says which is meant.
        own = {one.number for one in owed if one.customer_id == payers[0].customer_id}
        owed = [
            one for one in owed if one.customer_id == payers[0].customer_id or one.number not in own
        ]
    meant = [*owed, *(one for one in payers if one.customer_id not in _customers(owed))]
    if not meant:
        return _waits(LineOutcome.UNKNOWN, "names no bill and no customer")
    if len(meant) > 1:
        names = ", ".join(f"{one.number} of customer {one.customer_id}" for one in meant)
        return _waits(LineOutcome.SEVERAL, f"may be for {names}")
    return _one(amount, meant[0])


def _one(amount: Money, named: Named) -> LineMatch:
    if amount.currency != named.currency:
        return _waits(LineOutcome.CURRENCY, f"{named.number} is in {named.currency}")
    if named.kind is NamedKind.CUSTOMER:
        words = f"to the wallet of customer {named.customer_id}"
        return LineMatch(outcome=LineOutcome.CUSTOMER, named=named, words=words)
    if named.open_micros <= 0:
        return _waits(LineOutcome.NOTHING_OPEN, f"nothing of {named.number} is left to pay")
    left = Money(named.open_micros, named.currency)
    rest = left.amount_micros - amount.amount_micros
    if rest == 0:
        return LineMatch(outcome=LineOutcome.EXACT, named=named, words=f"pays {named.number}")
    if rest > 0:
        words = f"a part of {named.number}, of which {left} is open"
        return LineMatch(outcome=LineOutcome.PART, named=named, words=words)
    words = f"more than {named.number}, of which {left} is open"
    return LineMatch(outcome=LineOutcome.MORE, named=named, words=words)


def _customers(named: Sequence[Named]) -> set[int]:
    return {one.customer_id for one in named}


def _waits(outcome: LineOutcome, words: str) -> LineMatch:
    return LineMatch(outcome=outcome, named=None, words=words)


def _remainder(body: str, check: str) -> int:
    """ISO 7064 modulo 97-10 of a creditor reference: RF and the check digits go to the end, letters
    count from 10."""
    return int("".join(str(int(sign, 36)) for sign in f"{body}RF{check}")) % 97
