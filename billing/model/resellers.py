"""Resellers: price lists, sales, transfers and what they earned (rules R1, R2).

Amounts are micros of the named currency, with all taxes; instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.model.plan import PlanTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A reseller in the chain from who sells (depth 0) upwards, with what it pays for a plan.
    `cost_micros` None: it may not sell it. `below_parent`: its cost may be less than its parent's.
    """

    depth: int
    org_id: int
    parent_org_id: int
    customer_id: int
    wallet_id: int
    currency: str
    cost_micros: int | None
    below_parent: bool
    spendable_micros: int
    alert_below_micros: int | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResellerView:
    """`customers`: how many it has that are not closed."""

    org_id: int
    parent_org_id: int
    name: str
    account_customer_id: int
    available_micros: int
    currency: str
    alert_percent: int | None
    alert_below_micros: int | None
    """What `alert_percent` of the last transfer is; None: it is not told."""
    undo_minutes: int
    max_customers: int | None
    """None: as many as it wants; so for the next two."""
    max_nas: int | None
    max_plans: int | None
    """On its price list."""
    earns_on_self_service: bool
    customers: int
    created_at: datetime
    closed_at: datetime | None

    @property
    def is_low(self) -> bool:
        """Whether less is left than it is told at (rule P6)."""
        below = self.alert_below_micros
        return below is not None and self.available_micros < below


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """A plan on a reseller's list: what it pays, and what its customers pay."""

    plan_id: int
    plan_name: str
    cost_micros: int
    retail_micros: int
    own_retail: bool
    """False: the plan's own price."""
    currency: str

    @property
    def margin_micros(self) -> int:
        """What the reseller keeps, where the plan's price holds its taxes."""
        return self.retail_micros - self.cost_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class ResellerSaleReceipt:
    """A package sold by a reseller: `total_micros` is what the customer pays, `cost_micros` what
    its wallet was debited by, `account_micros` what that has left."""

    customer_id: int
    subscription_id: int
    entitlement_id: int
    sale_id: int
    org_id: int
    plan_name: str
    total_micros: int
    tax_micros: int
    cost_micros: int
    currency: str
    valid_from: datetime | None
    valid_until: datetime | None
    invoice_number: str | None
    receipt_number: str | None
    account_micros: int
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewable:
    """A customer's package that may be sold again: it follows what ends at `ends_at`."""

    subscription_id: int
    username: str
    customer_name: str
    entitlement_id: int
    plan_id: int
    plan_name: str
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A package to sell again. `quoted`: what was said that it costs, as `terms_of` writes it; None
    for whatever it costs."""

    subscription_id: int
    entitlement_id: int
    quoted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resold:
    """A package that a customer was, or is, to get again: its receipt, or why it is not sold."""

    package: Renewable
    receipt: ResellerSaleReceipt | None
    problem: str | None

    @property
    def username(self) -> str:
        return self.package.username


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalQuote:
    """What selling packages again would do, in this order, until the wallet is empty: sums of those
    that fit."""

    rows: tuple[Resold, ...]
    total_micros: int
    cost_micros: int
    available_micros: int
    """What the wallet has now."""
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoReceipt:
    """`back_micros`: what the customer gets back; `cost_back_micros`: what the reseller does."""

    customer_id: int
    sale_id: int
    org_id: int
    back_micros: int
    cost_back_micros: int | None
    currency: str
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReceipt:
    """Money into an account (negative: pulled back); `available_micros`: what it has then."""

    org_id: int
    transfer_id: int
    amount_micros: int
    currency: str
    available_micros: int
    receipt_number: str | None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """Money that came into a reseller's wallet, or, negative, was taken back. `channel` None: from
    the wallet of the reseller above. `reference`: why, or by which slip."""

    transfer_id: int
    org_id: int
    amount_micros: int
    currency: str
    channel: str | None
    reference: str | None
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A reseller asks for money. `state`: pending | approved | declined."""

    request_id: int
    org_id: int
    name: str
    amount_micros: int
    currency: str
    note: str | None
    state: str
    asked_at: datetime
    asked_by: str
    decided_at: datetime | None
    decided_by: str | None
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldView:
    """A sale of a reseller, as a list shows it."""

    sale_id: int
    org_id: int
    customer_id: int
    customer_name: str
    plan_name: str
    retail_micros: int
    cost_micros: int | None
    """None for a cashier, who does not see costs."""
    currency: str
    sold_at: datetime
    sold_by: str
    undone_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A package that a reseller may sell to a subscriber, were it sold whole: `total_micros` is
    what the subscriber pays, `cost_micros` what the reseller's wallet is debited by,
    `missing_micros` what that lacks. `problem`: why it cannot be sold to anybody just now."""

    plan_id: int
    terms: PlanTerms
    total_micros: int
    cost_micros: int
    missing_micros: int
    currency: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleView:
    """A sale of a reseller with all that its page shows. `cost_micros` is what the reseller paid,
    `back_micros` and `cost_back_micros` what the customer and the reseller got back once it was
    undone. `undo_until`: the last instant at which the reseller itself may undo it."""

    sale_id: int
    org_id: int
    customer_id: int
    customer_name: str
    subscription_id: int
    username: str
    plan_name: str
    retail_micros: int
    cost_micros: int | None
    """None for a cashier, as is `cost_back_micros`."""
    currency: str
    sold_at: datetime
    sold_by: str
    follows: bool
    valid_from: datetime | None
    valid_until: datetime | None
    receipt_number: str | None
    undo_until: datetime
    undone_at: datetime | None
    back_micros: int
    cost_back_micros: int | None


class SaleKind(StrEnum):
    """How a statement's packages came to customers: sold from a reseller's wallet, as vouchers too,
    or bought by customers themselves."""

    SALE = "sale"
    VOUCHERS = "vouchers"
    SELF_SERVICE = "self_service"

    @property
    def words(self) -> str:
        """As tables name it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """Of a plan sold by the reseller, or by one below it, or bought by customers of these:
    `paid_micros` is what these paid, `cost_micros` what who sold, or whose customer bought, paid of
    it or passed on, `wallet_micros` what both moved in the reseller's own wallet. What was undone
    in the month is taken off, whenever it was sold."""

    seller_org_id: int
    seller_name: str
    kind: SaleKind
    plan_name: str
    sold: int
    undone: int
    paid_micros: int
    cost_micros: int
    wallet_micros: int
    commission_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResellerStatement:
    """A reseller's local days `first_day` to before `next_first_day`: what its wallet had, what
    came from above and went below, what its sales took and those below it brought."""

    org_id: int
    name: str
    first_day: date
    next_first_day: date
    currency: str
    opening_micros: int
    transfers_micros: int
    sales_micros: int
    closing_micros: int
    commission_micros: int
    lines: tuple[StatementLine, ...]
