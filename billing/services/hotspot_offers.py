"""What guests of a hotspot may buy, and the batches that their vouchers are added to (B13, R3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.errors import NotFound, Refused
from billing.model.hotspots import Hotspot, HotspotOffer
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.views import PlanView, ProfileView
from billing.model.vouchers import CodeFormat, VoucherKind
from billing.rules.plans import sale_problem
from billing.rules.taxes import charge
from billing.rules.vouchers import shortest
from billing.services.catalog import hotspot_profile
from billing.services.context import Context
from billing.services.hotspots import row_of
from billing.store import audit, catalog, resellers, tables
from billing.store import hotspots as store
from billing.store import vouchers as voucher_store
from billing.store.guard import Transaction

CODE_LENGTH = 12
_ROOM = 1_000_000
"""So many vouchers more than there are may be sold before a code is easy enough to guess."""


def offer(context: Context, nas: str, plan_ids: Sequence[int], now: datetime) -> list[PlanView]:
    """Let guests of a hotspot buy these plans, too; returns all that they may buy.

    Raises NotFound, Refused (a reseller's hotspot, a plan that is free or lasts a month).
    """
    with context.together() as joined, joined.transaction() as tx:
        row = row_of(tx, nas)
        if resellers.get(tx, row.org_id) is not None:
            raise Refused(
                "a reseller's hotspot sells nothing by itself: what guests pay there would be the "
                "operator's, and its vouchers the reseller's (rule R1)",
                field="nas",
            )
        profile = hotspot_profile(replace(joined, home_org_id=row.org_id), now)
        for plan_id in plan_ids:
            terms = _on_sale(tx, plan_id, now)
            if problem := sale_problem(terms, profile.profile.kind):
                raise Refused(f"{terms.plan_name}: {problem}", field="plan")
            if not terms.price_micros:
                raise Refused(
                    f"{terms.plan_name} costs nothing: guests would have no end of it", field="plan"
                )
            made = tables.HotspotOffer(nas_id=row.nas_id, plan_id=plan_id, org_id=row.org_id)
            store.add_offer(tx, made)
        return _changed(joined, tx, row, now)


def withdraw(context: Context, nas: str, plan_ids: Sequence[int], now: datetime) -> list[PlanView]:
    """The reverse; what was bought stays good. Raises NotFound."""
    with context.transaction() as tx:
        row = row_of(tx, nas)
        store.remove_offers(tx, row.nas_id, plan_ids)
        return _changed(context, tx, row, now)


def offered(context: Context, hotspot: Hotspot, now: datetime) -> tuple[HotspotOffer, ...]:
    """What a guest may buy now, cheapest first, each with its tax."""
    with context.together() as joined, joined.transaction() as tx:
        rows = store.offers(tx, hotspot.nas_id)
        if not rows:
            return ()
        profile = hotspot_profile(joined, now)
        plans = [catalog.get_plan(tx, row.plan_id, now) for row in rows]
    found = [_priced(plan, profile) for plan in plans if plan is not None and _sells(plan, now)]
    return tuple(sorted(found, key=lambda one: (one.total_micros, one.terms.plan_name)))


def batch_for(
    context: Context, tx: Transaction, hotspot: Hotspot, plan_id: int, now: datetime
) -> tuple[HotspotOffer, tables.VoucherBatch]:
    """What a guest is sold, and the batch that its voucher will be one of. Raises NotFound."""
    row = store.lock_offer(tx, hotspot.nas_id, plan_id)
    plan = None if row is None else catalog.get_plan(tx, plan_id, now)
    if row is None or plan is None or not _sells(plan, now):
        raise NotFound("this is not for sale here any more; choose another", field="plan")
    profile = hotspot_profile(context, now)
    found = _priced(plan, profile)
    if row.batch_id is not None:
        batch = tx.get_one(tables.VoucherBatch, row.batch_id)
        asked = (found.terms.plan_version_id, found.total_micros, profile.profile_id)
        if asked == (batch.plan_version_id, batch.face_micros, batch.profile_id):
            return found, batch
    batch = _new_batch(tx, hotspot, found, profile, now)
    row.batch_id = batch.batch_id
    return found, batch


def _new_batch(
    tx: Transaction, hotspot: Hotspot, sold: HotspotOffer, profile: ProfileView, now: datetime
) -> tables.VoucherBatch:
    wanted = CodeFormat(length=CODE_LENGTH)
    least = shortest(wanted, voucher_store.live_stock(tx, wanted) + _ROOM)
    batch = tables.VoucherBatch(
        org_id=hotspot.org_id,
        name=f"{hotspot.nas_name}: {sold.terms.plan_name}"[:80],
        kind=VoucherKind.PLAN.value,
        plan_version_id=sold.terms.plan_version_id,
        profile_id=profile.profile_id,
        face_micros=sold.total_micros,
        currency=sold.currency,
        prefix=wanted.prefix,
        length=max(CODE_LENGTH, least or CODE_LENGTH),
        alphabet=wanted.alphabet.value,
        password_length=0,
        as_login=True,
        session_limit=1,
        made_at=now,
    )
    voucher_store.insert_batch(tx, batch)
    return batch


def _priced(plan: PlanView, profile: ProfileView) -> HotspotOffer:
    terms, tax = plan.terms, profile.profile
    price = Money(terms.price_micros, terms.currency)
    total = charge(price, tax.tax_rate_ppm, inclusive=tax.tax_inclusive).total
    return HotspotOffer(
        plan_id=plan.plan_id,
        terms=terms,
        total_micros=total.amount_micros,
        currency=total.currency,
    )


def _sells(plan: PlanView, now: datetime) -> bool:
    return plan.archived_at is None and plan.effective_from <= now and plan.terms.price_micros > 0


def _on_sale(tx: Transaction, plan_id: int, now: datetime) -> PlanTerms:
    plan = catalog.get_plan(tx, plan_id, now)
    if plan is None or plan.archived_at is not None:
        raise NotFound(f"no plan with the number {plan_id} is on sale", field="plan")
    return plan.terms


def _changed(
    context: Context, tx: Transaction, row: tables.Hotspot, now: datetime
) -> list[PlanView]:
    tx.flush()
    numbers = [one.plan_id for one in store.offers(tx, row.nas_id)]
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action="hotspot.offer",
        subject=f"hotspot:{row.nas_id}",
        detail={"plans": numbers},
    )
    plans = [catalog.get_plan(tx, plan_id, now) for plan_id in numbers]
    return [plan for plan in plans if plan is not None]
