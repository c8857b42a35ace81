"""Staff of the panel: roles, and who is logged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class StaffRole(StrEnum):
    """What a person may do. A role never widens what organisations the person sees."""

    OWNER = "owner"
    """Everything in the operator's organisation and below it."""
    BILLING = "billing"
    """Reads what support reads, and does all that concerns a customer and its money."""
    SUPPORT = "support"
    """Reads the operator's subscribers, plans, profiles and money; takes promises to pay, hands
    out links to pay at."""
    COLLECTOR = "collector"
    """Takes cash of the operator's customers in the field, by the numbers of its receipt book, and
    sees what they owe; nothing else (rule R4)."""
    RESELLER = "reseller"
    """Owns a reseller: reads its organisation and those below it, sells at its counter, sets its
    prices, moves its money, says who else works there (rule R1)."""
    SHOP_CASHIER = "cashier"
    """Sells at a reseller's counter and takes the money in a shift; sees its customers, neither
    costs nor margins (rules R1, R4)."""


OF_RESELLERS = frozenset({StaffRole.RESELLER, StaffRole.SHOP_CASHIER})
"""The roles of a reseller's people; all others are the operator's."""


TWO_FACTOR_EXEMPT = "exempt"
"""The second factor of demo staff: none. Nobody else can get it (security.md 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    """One person. `org_ids`: the own organisation and all below it (rule R2).

    `session_token` changes when every browser of the person must log in again.
    """

    staff_id: int
    org_id: int
    org_ids: tuple[int, ...]
    email: str
    roles: frozenset[StaffRole]
    active: bool
    session_token: str = field(repr=False)
    two_factor_method: str | None = None
    totp_secret_sealed: str | None = field(default=None, repr=False)
    totp_last_counter: int | None = None
    proved_at: datetime | None = None
    """When the person last proved again, in this browser, who it is (security.md 16)."""

    @property
    def two_factor_exempt(self) -> bool:
        return self.two_factor_method == TWO_FACTOR_EXEMPT

    @property
    def may_take_money(self) -> bool:
        return bool({StaffRole.OWNER, StaffRole.BILLING} & self.roles)

    @property
    def may_resell(self) -> bool:
        return StaffRole.RESELLER in self.roles

    @property
    def is_shop_cashier(self) -> bool:
        return StaffRole.SHOP_CASHIER in self.roles

    @property
    def is_collector(self) -> bool:
        return StaffRole.COLLECTOR in self.roles

    @property
    def may_edit(self) -> bool:
        return StaffRole.OWNER in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """When a browser must log in again (security.md 5)."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)

    def expired(self, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        return now - seen_at > self.idle or now - created_at > self.absolute
