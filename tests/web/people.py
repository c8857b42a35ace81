"""Staff for tests: enrolled as anybody is; most without the second factor, as demo staff."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from billing.model.staff import TWO_FACTOR_EXEMPT, StaffMember, StaffRole
from billing.services import staff
from billing.services.context import Context
from billing.store import tables

PASSWORD = "seven tall brown kettles"


def enrolled(
    context: Context,
    email: str,
    role: StaffRole,
    now: datetime,
    *,
    org_id: int | None = None,
    exempt: bool = True,
) -> StaffMember:
    """Somebody whose password is PASSWORD."""
    token = staff.enrol(context, email, [role], now, org_id=org_id)
    member = staff.accept_enrolment(context, token, PASSWORD, now)
    if exempt:
        with context.transaction() as tx:
            tx.execute(
                update(tables.Staff)
                .where(tables.Staff.staff_id == member.staff_id)
                .values(two_factor_method=TWO_FACTOR_EXEMPT)
            )
    return member
