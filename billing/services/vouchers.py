"""Batches of vouchers: made, handed over, looked up, reported on (rule R3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from billing.errors import Conflict, InvalidFields, InvalidInput, NotFound, Refused
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile
from billing.model.views import ProfileView
from billing.model.vouchers import (
    BatchView,
    Code,
    NewBatch,
    VoucherKind,
    VoucherReportLine,
    VoucherState,
    VoucherView,
)
from billing.rules import vouchers as rules
from billing.rules.cycles import day_passed_at, day_start
from billing.rules.plans import sale_problem
from billing.rules.taxes import charge, rate_of
from billing.services import voucher_keys
from billing.services.catalog import hotspot_profile
from billing.services.context import Context
from billing.services.identity import checked_name, checked_number
from billing.services.issuing import operator_of
from billing.services.settling import checked_amount
from billing.services.voucher_codes import new_codes, open_sealed, seal
from billing.services.voucher_keys import Keys
from billing.store import audit, catalog, reseller_vouchers, resellers, tables
from billing.store import vouchers as store
from billing.store.guard import Transaction
from billing.store.imports import reserve_ids

COUNT_MOST = rules.COUNT_MOST
_PAGE = 5_000
_LIST_MOST = 200


def make_batch(context: Context, wanted: NewBatch, now: datetime) -> BatchView:
    """Make vouchers; they are stock, and worth nothing before they are activated.

    Raises InvalidInput, InvalidFields (the format is impossible, or too easy to guess), NotFound,
    Refused (the plan cannot be sold so).
    """
    name = checked_name(wanted.name)
    checked_number(wanted.session_limit, "session_limit")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidInput("must lie in the future", field="expires")
    with context.together() as joined, joined.transaction() as tx:
        stock = store.live_stock(tx, wanted.code)
        if found := list(rules.problems(wanted.code, wanted.count, stock)):
            raise InvalidFields(found)
        profile = _profile(joined, tx, wanted, now)
        terms = _terms(context, tx, wanted, now)
        face = _face(tx, wanted, terms, profile.profile)
        _check_logins(wanted, terms, profile.profile)
        row = tables.VoucherBatch(
            org_id=context.home_org_id,
            name=name,
            kind=(VoucherKind.AMOUNT if terms is None else VoucherKind.PLAN).value,
            plan_version_id=None if terms is None else terms.plan_version_id,
            profile_id=profile.profile_id,
            face_micros=face.amount_micros,
            currency=face.currency,
            prefix=wanted.code.prefix,
            length=wanted.code.length,
            alphabet=wanted.code.alphabet.value,
            password_length=wanted.code.password_length,
            as_login=wanted.as_login,
            session_limit=wanted.session_limit,
            expires_at=wanted.expires_at,
            made_at=now,
        )
        batch_id = store.insert_batch(tx, row)
        row.codes_sealed = _fill(context, tx, row, wanted.count)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="voucher.make",
            subject=f"voucher_batch:{batch_id}",
            detail={"name": name, "count": wanted.count, "face_micros": face.amount_micros},
        )
        tx.flush()
        return _view(tx, batch_id)


def expiry_after(last_day: date, time_zone: str) -> datetime:
    """The instant from which none can be redeemed: the whole of this local day still counts."""
    return day_passed_at(last_day, time_zone)


def list_batches(
    context: Context, *, before: int | None = None, limit: int = 50
) -> list[BatchView]:
    """The newest first; `before`: the number of the last page's last. Raises InvalidInput."""
    if not 1 <= limit <= _LIST_MOST:
        raise InvalidInput(f"must be 1 to {_LIST_MOST}", field="limit")
    with context.transaction() as tx:
        return store.batches(tx, before=before, most=limit)


def get_batch(context: Context, batch_id: int) -> BatchView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return _view(tx, batch_id)


def hand_over(
    context: Context,
    batch_id: int,
    take: Callable[[BatchView, list[Code]], None],
    now: datetime,
) -> BatchView:
    """Give a batch's codes to `take`, which prints or writes them down; once it has, nobody can
    read them any more. Where it raises they are kept. Raises NotFound, Conflict (given already)."""
    with context.transaction() as tx:
        row = store.get_batch(tx, batch_id, lock=True)
        if row is None:
            raise NotFound(f"no voucher batch has the number {batch_id}", field="batch")
        if row.codes_sealed is None:
            raise Conflict(
                "its codes were handed over already and are stored nowhere; replace a card that is "
                "lost (rule R3)",
                field="batch",
            )
        keys = voucher_keys.known(context, tx)
        codes = open_sealed(context.box, keys, batch_id, row.codes_sealed, store.format_of(row))
        row.codes_sealed = None
        tx.flush()
        view = _view(tx, batch_id)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="voucher.hand_over",
            subject=f"voucher_batch:{batch_id}",
            detail={"count": len(codes)},
        )
        take(view, codes)
        return view


def show(context: Context, serial: int) -> VoucherView:
    """By the number printed on it. Raises NotFound."""
    with context.transaction() as tx:
        return store.view(tx, numbered(tx, serial))


def look_up(context: Context, serial: int, now: datetime) -> VoucherView:
    """The same for a member of staff: whose it is was looked up, and by whom, is written down.
    Raises NotFound."""
    with context.transaction() as tx:
        row = numbered(tx, serial)
        view = store.view(tx, row)
        if row.customer_id is not None:
            audit.append(
                tx,
                at=now,
                org_id=row.org_id,
                actor=context.actor,
                action="voucher.look_up",
                subject=f"voucher:{serial}",
                detail={"customer": row.customer_id},
            )
        return view


def replace(context: Context, serial: int, now: datetime) -> Code:
    """Another card for one that is damaged: the old code is worth nothing from now on, the new one
    what the old one was. One that is used up for good is refused.

    Raises NotFound, Refused.
    """
    with context.transaction() as tx:
        old = numbered(tx, serial, lock=True)
        usable = (VoucherState.CREATED, VoucherState.ACTIVE)
        logs_in = old.state == VoucherState.REDEEMED and old.login_name is not None
        if old.state not in usable and not logs_in:
            raise Refused(
                f"the voucher is {old.state}; there is nothing to replace", field="serial"
            )
        batch = tx.get_one(tables.VoucherBatch, old.batch_id)
        form = store.format_of(batch)
        if batch.codes_sealed is not None:
            raise Refused("its codes were not handed over yet; nothing is damaged", field="serial")
        (text,) = new_codes(form, 1)
        (new_serial,) = reserve_ids(tx, "voucher", "serial", 1)
        keys = voucher_keys.known(context, tx)
        if not store_codes(tx, keys, batch, [new_serial], [text]):
            raise Conflict("the code exists; try again", field="serial")
        inherited = _inherited(old)
        old.state, old.replaced_by = VoucherState.REPLACED.value, new_serial
        old.ended_at = now
        if old.reseller_sale_id is not None:
            reseller_vouchers.move(tx, serial, new_serial)
        store.set_all(tx, [new_serial], inherited)
        audit.append(
            tx,
            at=now,
            org_id=old.org_id,
            actor=context.actor,
            action="voucher.replace",
            subject=f"voucher:{serial}",
            detail={"by": new_serial},
        )
        return Code(serial=new_serial, code=text, password=keys[-1].password_of(text, form))


def report(context: Context, first_day: date, last_day: date) -> list[VoucherReportLine]:
    """What was sold, redeemed and lapsed on these local days, by batch, and what is still owed at
    the end of the last one. Raises InvalidInput."""
    if last_day < first_day:
        raise InvalidInput(f"must not lie before {first_day}", field="to")
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
        rows = store.report(tx, day_start(first_day, zone), day_passed_at(last_day, zone))
    return [VoucherReportLine(**row._mapping) for row in rows]


def numbered(tx: Transaction, serial: int, *, lock: bool = False) -> tables.Voucher:
    """Raises NotFound."""
    row = store.by_serial(tx, serial, lock=lock)
    if row is None:
        raise NotFound(f"no voucher has the number {serial}", field="serial")
    return row


def _inherited(old: tables.Voucher) -> dict[str, Any]:
    names = (
        "state",
        "activated_at",
        "ended_at",
        "sold_customer_id",
        "sold_entry_id",
        "customer_id",
        "subscription_id",
        "entitlement_id",
        "payment_id",
        "login_name",
    )
    return {name: getattr(old, name) for name in names}


def _view(tx: Transaction, batch_id: int) -> BatchView:
    found = store.batches(tx, batch_id=batch_id)
    if not found:
        raise NotFound(f"no voucher batch has the number {batch_id}", field="batch")
    return found[0]


def _terms(context: Context, tx: Transaction, wanted: NewBatch, now: datetime) -> PlanTerms | None:
    """Of the plan, at the price of the organisation that makes them (rule R1)."""
    if (wanted.plan_id is None) == (wanted.amount_micros is None):
        raise InvalidInput("give a plan or an amount, one of them", field="plan")
    if wanted.plan_id is None:
        return None
    plan = catalog.get_plan(tx, wanted.plan_id, now)
    if plan is None or plan.archived_at is not None or plan.effective_from > now:
        raise NotFound(f"no plan with the number {wanted.plan_id} is on sale", field="plan")
    retail_micros = resellers.retails_of(tx, context.home_org_id).get(wanted.plan_id)
    if retail_micros is None:
        return plan.terms
    return dataclasses.replace(plan.terms, price_micros=retail_micros)


def _profile(context: Context, tx: Transaction, wanted: NewBatch, now: datetime) -> ProfileView:
    if wanted.profile_id is None:
        return hotspot_profile(context, now)
    profile = catalog.get_profile(tx, wanted.profile_id)
    if profile is None or profile.archived_at is not None:
        raise NotFound(f"no billing profile has the number {wanted.profile_id}", field="profile")
    return profile


def _face(
    tx: Transaction, wanted: NewBatch, terms: PlanTerms | None, profile: BillingProfile
) -> Money:
    """What one is sold for: the amount, or the plan's price with its tax."""
    if terms is None:
        return checked_amount(wanted.amount_micros or 0, operator_of(tx).currency)
    if problem := sale_problem(terms, profile.kind):
        raise Refused(problem, field="plan")
    price = Money(terms.price_micros, terms.currency)
    rate_ppm = rate_of(terms.tax_rate_ppm, profile)
    return charge(price, rate_ppm, inclusive=profile.tax_inclusive).total


def _check_logins(wanted: NewBatch, terms: PlanTerms | None, profile: BillingProfile) -> None:
    if not wanted.as_login:
        if wanted.code.password_length:
            raise InvalidInput(
                "a password is for vouchers that log in; others have their code alone",
                field="password_length",
            )
        return
    if terms is None:
        raise InvalidInput("a login needs a plan; an amount of money has none", field="as_login")
    if profile.kind is not BillingKind.DAILY:
        raise Refused("who logs in by a voucher is daily by nature (rule B13)", field="profile")


def _fill(context: Context, tx: Transaction, batch: tables.VoucherBatch, count: int) -> bytes:
    """Write the vouchers, by pages; returns their codes, sealed."""
    codes = new_codes(store.format_of(batch), count)
    serials = reserve_ids(tx, "voucher", "serial", count)
    keys = voucher_keys.known(context, tx)
    for start in range(0, count, _PAGE):
        page = codes[start : start + _PAGE]
        if not store_codes(tx, keys, batch, serials[start : start + _PAGE], page):
            raise Conflict("one of the codes exists already; try again", field="count")
    return seal(context.box, batch.batch_id, serials, codes, keys[-1].number)


def store_codes(
    tx: Transaction,
    keys: Keys,
    batch: tables.VoucherBatch,
    serials: Sequence[int],
    codes: Sequence[str],
) -> bool:
    """Add vouchers to a batch, in stock, their codes hashed with the newest key; False: one of the
    codes exists, under whichever key."""
    earlier = [key.code_hash(text) for key in keys[:-1] for text in codes]
    if earlier and store.any_exists(tx, earlier):
        return False
    hashes = [keys[-1].code_hash(text) for text in codes]
    return store.insert_vouchers(tx, batch, serials, hashes) == len(codes)
