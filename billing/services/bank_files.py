"""Files as banks send them, read as what they are: CSV as the account's bank writes it, or ISO
20022 (rule P1)."""

from __future__ import annotations

from billing.errors import InvalidInput
from billing.model.bank import UTF_8, BankAccountView, BankStatement
from billing.model.sepa_status import StatusReport
from billing.rules.bank_camt import read_camt
from billing.rules.bank_lines import read_statement
from billing.rules.bank_pain import read_status
from billing.rules.bank_xml import Message, is_xml, read_message

FILE_LIMIT = 16 * 1024 * 1024
"""Octets; a year of a busy account is less."""
_ZIP = b"PK\x03\x04"


def read(account: BankAccountView, body: bytes) -> BankStatement:
    """A statement: CSV, camt.053 or camt.054. Raises InvalidInput."""
    _check(body)
    try:
        if is_xml(body):
            return _camt(account, body)
        return read_statement(_decoded(body, account.format.encoding), account.format)
    except ValueError as error:
        raise InvalidInput(str(error), field="file") from None


def status(body: bytes) -> StatusReport:
    """An answer to a file of direct debits, pain.002. Raises InvalidInput."""
    _check(body)
    try:
        _, held = read_message(body, Message.STATUS)
        return read_status(held)
    except ValueError as error:
        raise InvalidInput(str(error), field="file") from None


def _camt(account: BankAccountView, body: bytes) -> BankStatement:
    kind, held = read_message(body, Message.STATEMENT, Message.NOTIFICATION)
    if not account.format.iban:
        raise ValueError(
            f"is XML, which says whose account it is of: set the IBAN of {account.name} first"
        )
    return read_camt(kind, held, account.format.iban, account.format.currency)


def _decoded(body: bytes, encoding: str) -> str:
    try:
        # Some write a mark before UTF-8.
        return body.decode("utf-8-sig" if encoding.casefold() == UTF_8 else encoding)
    except UnicodeError:
        raise ValueError(
            f"is not written in {encoding}; set the account's encoding as the bank writes"
        ) from None


def _check(body: bytes) -> None:
    if body.startswith(_ZIP):
        raise InvalidInput("is a ZIP archive: unpack it, and import each file", field="file")
    if len(body) > FILE_LIMIT:
        raise InvalidInput(f"is longer than {FILE_LIMIT} octets: split it by days", field="file")
