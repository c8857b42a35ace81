"""Wallets, the double-entry journal, invoices and payments (amounts in micros, rules M1-M5)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, Small, serial_key


def frozen_letterheads() -> tuple[ForeignKeyConstraint, ...]:
    """Of a bill, a credit note or a receipt."""
    return (
        ForeignKeyConstraint(
            ["org_id", "seller_letterhead_id"],
            ["organisation_letterhead.org_id", "organisation_letterhead.letterhead_id"],
        ),
        ForeignKeyConstraint(
            ["customer_id", "buyer_letterhead_id"],
            ["customer_letterhead.customer_id", "customer_letterhead.letterhead_id"],
        ),
    )


class Wallet(Base):
    """`posted` equals the sum of its postings; `unposted` is usage not yet in the journal (P2).

    The meter reads what Python compiles for it: `look_below` and `cap_floor` are compared where it
    looks at the wallet anyway.
    """

    __tablename__ = "wallet"
    __table_args__ = (
        CheckConstraint("reserved_micros >= 0", name="reserved"),
        CheckConstraint("credit_limit_micros >= 0", name="credit_limit"),
        CheckConstraint("alert_percent BETWEEN 1 AND 99", name="alert_percent"),
        CheckConstraint("cap_micros > 0", name="cap"),
        CheckConstraint("promised_micros >= 0", name="promised"),
    )

    customer_id: Mapped[CustomerKey]
    wallet_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    currency: Mapped[str]
    posted_micros: Mapped[int] = mapped_column(server_default="0")
    unposted_micros: Mapped[int] = mapped_column(server_default="0")
    reserved_micros: Mapped[int] = mapped_column(server_default="0")
    credit_limit_micros: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    alert_percent: Mapped[Int | None]
    """Of `topped_up`: below it the customer is told (rule P6)."""
    topped_up_micros: Mapped[int | None]
    """What was available right after the last top-up."""
    alert_below_micros: Mapped[int | None]
    """Armed: told once when less than this is available. NULL: not armed."""
    look_below_micros: Mapped[int | None]
    """For the meter: looked at when less than this is available, by the sweep (rules P6, P7)."""
    usage_alert_percents: Mapped[list[int]] = mapped_column(server_default="{}")
    """Told when so much of a package is used (rule P6)."""
    cap_micros: Mapped[int | None]
    """What may be spent in a calendar month (rule P14)."""
    cap_lifted_until: Mapped[datetime | None]
    cap_floor_micros: Mapped[int | None]
    """Posted less unposted at which the cap is reached; NULL: nothing is capped."""
    cap_until: Mapped[datetime | None]
    """The end of the month that `cap_floor` is of."""
    promised_micros: Mapped[int] = mapped_column(server_default="0")
    """What a promise to pay lends to usage until `promised_until` (rule B19)."""
    promised_until: Mapped[datetime | None]


class JournalEntry(Base):
    """One movement of money; append-only (rule M4)."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        Index("journal_entry_at_idx", "customer_id", "at"),
        # Rows stand in the order in which they were written.
        Index("journal_entry_range_idx", "at", "entry_id", postgresql_using="brin"),
    )

    customer_id: Mapped[CustomerKey]
    entry_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    at: Mapped[datetime]
    kind: Mapped[str]
    memo: Mapped[str]
    corrects_entry_id: Mapped[int | None]


class Posting(Base):
    """One line of an entry; an entry's lines sum to zero per currency. Append-only."""

    __tablename__ = "posting"
    __table_args__ = (
        Index("posting_account_idx", "customer_id", "account"),
        Index("posting_range_idx", "entry_id", postgresql_using="brin"),
        CheckConstraint("amount_micros <> 0", name="amount"),
    )

    customer_id: Mapped[CustomerKey]
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    account: Mapped[str]
    wallet_id: Mapped[int | None]
    amount_micros: Mapped[int]
    currency: Mapped[str]


class Command(Base):
    """Money commands by idempotency key: the same key with other content is refused (rule M5)."""

    __tablename__ = "command"

    customer_id: Mapped[CustomerKey]
    idempotency_key: Mapped[str] = mapped_column(primary_key=True)
    content_sha256: Mapped[str]
    result: Mapped[str]
    at: Mapped[datetime]


class InvoiceSeries(Base):
    """The next number of a series; the row lock makes numbers gap-free (rule I2)."""

    __tablename__ = "invoice_series"

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    series: Mapped[str] = mapped_column(primary_key=True)
    next_number: Mapped[int]


class Invoice(Base):
    """Issued bills; only what was paid, credited and written off ever changes. Days are local
    (rule M3).

    The total is the sum of the lines (net), `tax_micros` and `rounding_micros`; `entry_id` is the
    journal entry of the issue, None for a bill of nothing. `credited_micros` is the sum of its
    credit notes, `written_off_micros` what is not expected any more (rule I5).
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint(
            "paid_micros >= 0 AND credited_micros >= 0 AND written_off_micros >= 0"
            " AND paid_micros + credited_micros + written_off_micros <= total_micros",
            name="paid",
        ),
        CheckConstraint("tax_point IN ('issue', 'payment')", name="tax_point"),
        Index("invoice_subscription_idx", "customer_id", "subscription_id"),
        Index("invoice_number_idx", "number"),
        *frozen_letterheads(),
        Index(
            "invoice_unpaid_idx",
            "customer_id",
            "due_on",
            postgresql_where=text("paid_at IS NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    invoice_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    number: Mapped[str]
    subscription_id: Mapped[int | None]
    issued_at: Mapped[datetime]
    due_on: Mapped[date]
    cycle_from: Mapped[date | None]
    cycle_until: Mapped[date | None]
    """Exclusive: the day the next cycle begins."""
    total_micros: Mapped[int]
    tax_micros: Mapped[int] = mapped_column(server_default="0")
    rounding_micros: Mapped[int] = mapped_column(server_default="0")
    paid_micros: Mapped[int] = mapped_column(server_default="0")
    credited_micros: Mapped[int] = mapped_column(server_default="0")
    written_off_micros: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str]
    paid_at: Mapped[datetime | None]
    """When nothing was left to pay."""
    plan_until: Mapped[date | None]
    """The plan's days from here on were credited, as another plan took over (rule B17)."""
    served_until: Mapped[date | None]
    """All of its days from here on were credited, recurring charges' too, as a move to a daily
    profile ended the service (rule B6)."""
    voided_at: Mapped[datetime | None]
    """When it was taken back in full as if never issued: its days may be billed again."""
    entry_id: Mapped[int | None]
    tax_point: Mapped[str] = mapped_column(server_default="issue")
    """`payment`: its tax is due as it is paid (rule I6)."""
    seller_letterhead_id: Mapped[int]
    buyer_letterhead_id: Mapped[int]
    """What both were called when it was issued."""


class InvoiceLine(Base):
    __tablename__ = "invoice_line"
    __table_args__ = (
        Index(
            "invoice_line_charge_idx",
            "customer_id",
            "charge_id",
            postgresql_where=text("charge_id IS NOT NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    text: Mapped[str]
    amount_micros: Mapped[int]
    tax_rate_ppm: Mapped[Int] = mapped_column(server_default="0")
    tax_micros: Mapped[int | None]
    """Its part of the tax of its rate; NULL: before this was kept."""
    charge_id: Mapped[int | None]
    """Of a charge or a discount; the line bills its days from `first_day` to before
    `next_first_day`."""
    first_day: Mapped[date | None]
    next_first_day: Mapped[date | None]
    usage_micros: Mapped[int | None]
    """Of usage: what was rated and is billed by the line, tax included, not rounded (rule M2)."""


class CreditNote(Base):
    """Takes back a bill, or a part of it; never changes (rule I2). The total is net, tax and
    rounding together; `to_wallet_micros` of it had been paid already and went to the wallet."""

    __tablename__ = "credit_note"
    __table_args__ = (
        CheckConstraint(
            "total_micros > 0 AND total_micros = net_micros + tax_micros + rounding_micros",
            name="total",
        ),
        CheckConstraint("to_wallet_micros BETWEEN 0 AND total_micros", name="to_wallet"),
        Index("credit_note_invoice_idx", "customer_id", "invoice_id"),
        Index("credit_note_number_idx", "number"),
        *frozen_letterheads(),
    )

    customer_id: Mapped[CustomerKey]
    credit_note_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    invoice_id: Mapped[int]
    number: Mapped[str]
    issued_at: Mapped[datetime]
    reason: Mapped[str]
    net_micros: Mapped[int]
    tax_micros: Mapped[int]
    rounding_micros: Mapped[int]
    total_micros: Mapped[int]
    to_wallet_micros: Mapped[int]
    currency: Mapped[str]
    entry_id: Mapped[int]
    seller_letterhead_id: Mapped[int]
    buyer_letterhead_id: Mapped[int]
    """What both were called when it was issued."""
    rates: Mapped[list[dict[str, int]] | None] = mapped_column(JSONB(none_as_null=True))
    """Of a bill with several tax rates what is taken back of each (rule I1), as
    model.credits.RateShare; NULL: of the whole bill alike."""


class LedgerCheck(Base):
    """One run of the ledger's check; `findings` is JSON, a list of what contradicts (rule M4)."""

    __tablename__ = "ledger_check"

    check_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    """The operator's own: what it finds may be anybody's."""
    at: Mapped[datetime]
    findings: Mapped[str]


class ParkedCustomer(Base):
    """A customer that a job could not serve (`problem` in words); gone when it could."""

    __tablename__ = "parked_customer"

    customer_id: Mapped[CustomerKey]
    job: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    problem: Mapped[str]


class Payment(Base):
    """Money received for a customer, whatever it is used for afterwards (rule P1)."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        Index("payment_received_idx", "received_at"),
    )

    customer_id: Mapped[CustomerKey]
    payment_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    wallet_id: Mapped[int]
    entry_id: Mapped[int]
    channel: Mapped[str]
    reference: Mapped[str | None]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    received_at: Mapped[datetime]
    taken_by: Mapped[str] = mapped_column(server_default="")
    """The actor; empty: before this was kept."""


class PaymentAllocation(Base):
    """What wallet money an invoice was settled with (rule I4); negative: what a credit note gave
    back of it."""

    __tablename__ = "payment_allocation"
    __table_args__ = (CheckConstraint("amount_micros <> 0", name="amount"),)

    customer_id: Mapped[CustomerKey]
    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    amount_micros: Mapped[int]
    at: Mapped[datetime]
