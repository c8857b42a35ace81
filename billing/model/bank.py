"""Bank statements: how a bank writes them, their lines, and what became of each (rule P1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.money import Money

UTF_8 = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFormat:
    """How a bank writes its CSV files. Columns are named as in the file's header, in any case.

    `currency`: of lines that do not say. `debit_column`: where what went out stands in a column of
    its own. `sign_column`: where amounts are unsigned, and a column says by one of `in_words` that
    money came in, by one of `out_words` that it went out. `date_format` of DD, MM, YYYY (or YY) and
    what stands between.
    """

    date_column: str
    amount_column: str
    reference_columns: tuple[str, ...]
    currency: str
    payer_column: str = ""
    currency_column: str = ""
    debit_column: str = ""
    sign_column: str = ""
    in_words: tuple[str, ...] = ()
    out_words: tuple[str, ...] = ()
    decimal: str = "."
    date_format: str = "YYYY-MM-DD"
    separator: str = ","
    encoding: str = UTF_8

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a file must have."""
        named = (self.date_column, self.amount_column, *self.reference_columns)
        others = (self.payer_column, self.currency_column, self.debit_column, self.sign_column)
        return tuple(name for name in (*named, *others) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """Money that came in by a line of a statement. `line`: where it begins in the file. `payer` and
    `reference`: blanks collapsed."""

    line: int
    booked_on: date
    amount: Money
    payer: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """A file that was read. `outgoing`: lines of money that went out, or of nothing. `problems`:
    line, field and what is wrong with it."""

    lines: tuple[BankLine, ...]
    outgoing: int
    problems: tuple[tuple[int, str, str], ...]


class NamedKind(StrEnum):
    BILL = "bill"
    PREPAYMENT = "prepayment"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Something that a line names and that exists. `number`: of a bill or prepayment invoice, or
    the customer's payment reference. `open_micros`: what is left to pay; of a customer 0."""

    kind: NamedKind
    customer_id: int
    number: str
    currency: str
    open_micros: int = 0


class LineOutcome(StrEnum):
    """What a line's money is used for. The first five credit customers, the others suspense."""

    EXACT = "exact"
    PART = "part"
    MORE = "more"
    CUSTOMER = "customer"
    COLLECTED = "collected"
    NOTHING_OPEN = "nothing_open"
    CURRENCY = "currency"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    REFUSED = "refused"

    @property
    def credits(self) -> bool:
        return self in _CREDITS


_CREDITS = frozenset(
    {
        LineOutcome.EXACT,
        LineOutcome.PART,
        LineOutcome.MORE,
        LineOutcome.CUSTOMER,
        LineOutcome.COLLECTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMatch:
    """`named`: whom or what it pays, where it credits. `words`: why, for the person at the desk.
    `customer_id`: whose direct debit it is, where it is one's."""

    outcome: LineOutcome
    named: Named | None
    words: str
    customer_id: int | None = None

    @property
    def payer_id(self) -> int | None:
        return self.named.customer_id if self.named else self.customer_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccountView:
    account_id: int
    org_id: int
    name: str
    format: BankFormat
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReport:
    """What became of a line that was not imported before."""

    line: int
    booked_on: date
    amount_micros: int
    currency: str
    payer: str
    reference: str
    outcome: LineOutcome
    words: str
    customer_id: int | None
    receipt_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankImportReport:
    """What was, or with `dry_run` would be, imported. `known`: lines imported before; `left`: lines
    that were not looked at, as more than a limit were new."""

    account: str
    dry_run: bool
    known: int
    outgoing: int
    lines: tuple[LineReport, ...]
    left: int = 0
