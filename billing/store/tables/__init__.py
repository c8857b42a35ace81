"""Every table as a typed class. Keys follow the distribution rules in sql/README.md."""

from billing.store.tables.audit import AuditLog, Enrolment, Staff, StaffSession, StaffThrottle
from billing.store.tables.bank import BankAccount, BankImport
from billing.store.tables.base import Base
from billing.store.tables.catalog import BillingProfile, Plan, PlanVersion
from billing.store.tables.changes import PlanChange, ServicePause
from billing.store.tables.charges import Charge
from billing.store.tables.customers import Customer, Entitlement, Login, Subscription
from billing.store.tables.dunning import DunningEvent, DunningStep, Recovery, WriteOff
from billing.store.tables.grants import Overspend, Reservation
from billing.store.tables.letterheads import CustomerLetterhead, OrganisationLetterhead
from billing.store.tables.messages import Message, MessageTemplate
from billing.store.tables.money import (
    Command,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    JournalEntry,
    LedgerCheck,
    ParkedCustomer,
    Payment,
    PaymentAllocation,
    Posting,
    Wallet,
)
from billing.store.tables.network import (
    CoaAttempt,
    CoaIntent,
    Hearing,
    LiveSession,
    LoginAttempt,
    LoginThrottle,
    Nas,
    SessionHistory,
)
from billing.store.tables.organisations import InvoiceDesign, Operator, Organisation
from billing.store.tables.payments import (
    AutoRecharge,
    Gateway,
    PaymentAttempt,
    PaymentMethod,
    PaymentReversal,
    Prepayment,
    PrepaymentInvoice,
    ProviderEvent,
    Suspense,
    SuspenseMove,
)
from billing.store.tables.pools import AddressPool, PoolAddress, SessionSlot
from billing.store.tables.revenue import DeferredItem, DeferredMove, Receipt
from billing.store.tables.usage import (
    AcctDeadLetter,
    AcctJournal,
    Anomaly,
    DailyUsage,
    UsageCharge,
)

__all__ = [
    "AcctDeadLetter",
    "AcctJournal",
    "AddressPool",
    "Anomaly",
    "AuditLog",
    "AutoRecharge",
    "BankAccount",
    "BankImport",
    "Base",
    "BillingProfile",
    "Charge",
    "CoaAttempt",
    "CoaIntent",
    "Command",
    "CreditNote",
    "Customer",
    "CustomerLetterhead",
    "DailyUsage",
    "DeferredItem",
    "DeferredMove",
    "DunningEvent",
    "DunningStep",
    "Enrolment",
    "Entitlement",
    "Gateway",
    "Hearing",
    "Invoice",
    "InvoiceDesign",
    "InvoiceLine",
    "InvoiceSeries",
    "JournalEntry",
    "LedgerCheck",
    "LiveSession",
    "Login",
    "LoginAttempt",
    "LoginThrottle",
    "Message",
    "MessageTemplate",
    "Nas",
    "Operator",
    "Organisation",
    "OrganisationLetterhead",
    "Overspend",
    "ParkedCustomer",
    "Payment",
    "PaymentAllocation",
    "PaymentAttempt",
    "PaymentMethod",
    "PaymentReversal",
    "Plan",
    "PlanChange",
    "PlanVersion",
    "PoolAddress",
    "Posting",
    "Prepayment",
    "PrepaymentInvoice",
    "ProviderEvent",
    "Receipt",
    "Recovery",
    "Reservation",
    "ServicePause",
    "SessionHistory",
    "SessionSlot",
    "Staff",
    "StaffSession",
    "StaffThrottle",
    "Subscription",
    "Suspense",
    "SuspenseMove",
    "UsageCharge",
    "Wallet",
    "WriteOff",
]
