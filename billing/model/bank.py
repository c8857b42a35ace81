"""Bank statements: how a bank writes them, their lines, and what became of each (rule P1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.money import Money

UTF_8 = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFormat:
    """How a bank writes its CSV files. Columns are named as in the file's header, in any case; who
    imports camt only names none.

    `currency`: of lines that do not say. `iban`: of the account; needed for camt, where each
    statement says whose it is. `debit_column`: where what went out stands in a column of its own.
    `sign_column`: where amounts are unsigned, and a column says by one of `in_words` that money
    came in, by one of `out_words` that it went out. `date_format` of DD, MM, YYYY (or YY) and what
    stands between.
    """

    date_column: str = ""
    amount_column: str = ""
    reference_columns: tuple[str, ...] = ()
    currency: str
    iban: str = ""
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
class EntryPart:
    """Which part of a bank's entry a line is. `entry`: the entry's key, the same in each file that
    holds it. `parts`: how many the bank told of; 0: it told of the whole only."""

    entry: str
    part: int
    parts: int

    @property
    def key(self) -> str:
        """What the line is known by."""
        return f"{self.entry}/{self.part}" if self.parts else self.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """Money that came in by a line of a statement. `line`: where it begins in the file; of camt,
    the number of its entry. `payer` and `reference`: blanks collapsed.

    Of camt only: `of`, its place in the bank's entry; `returned_for`, the reason for which money
    went out again (a direct debit that came back); `waits`, why its money is not matched by itself.
    """

    line: int
    booked_on: date
    amount: Money
    payer: str
    reference: str
    of: EntryPart | None = None
    returned_for: str | None = None
    waits: str = ""

    @property
    def signed_micros(self) -> int:
        """What it did to the account."""
        micros = self.amount.amount_micros
        return micros if self.returned_for is None else -micros


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """A file that was read. `outgoing`: lines of money that went out, or of nothing. `problems`:
    line, field and what is wrong with it. Of camt only: `unbooked`, entries that the bank has not
    booked yet; `elsewhere`, other accounts that the file tells of."""

    lines: tuple[BankLine, ...]
    outgoing: int
    problems: tuple[tuple[int, str, str], ...]
    unbooked: int = 0
    elsewhere: tuple[str, ...] = ()


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
    """What a line's money is used for. The first five credit customers, those up to `REFUSED`
    suspense. The last three are of money that went out again: a direct debit that came back, one
    that was known to be back, and what is no collection of ours, which a person has to look at."""

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
    RETURNED = "returned"
    TOLD_BEFORE = "told_before"
    UNPLACED = "unplaced"

    @property
    def credits(self) -> bool:
        return self in _CREDITS

    @property
    def went_out(self) -> bool:
        return self in _WENT_OUT


_CREDITS = frozenset(
    {
        LineOutcome.EXACT,
        LineOutcome.PART,
        LineOutcome.MORE,
        LineOutcome.CUSTOMER,
        LineOutcome.COLLECTED,
    }
)
_WENT_OUT = frozenset({LineOutcome.RETURNED, LineOutcome.TOLD_BEFORE, LineOutcome.UNPLACED})


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
    """What became of a line that was not imported before. `amount_micros`: below zero, money that
    went out."""

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
    unbooked: int = 0
    elsewhere: tuple[str, ...] = ()

    @property
    def credited(self) -> int:
        return sum(one.outcome.credits for one in self.lines)

    @property
    def went_out(self) -> int:
        """Direct debits that came back, and what else is to be looked at."""
        return sum(one.outcome.went_out for one in self.lines)

    @property
    def waiting(self) -> int:
        """In suspense."""
        return len(self.lines) - self.credited - self.went_out
