"""Billing profiles and plans: what is sold and how it is billed (rules B, M6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from billing.errors import InvalidFields, InvalidInput, NotFound, Refused
from billing.model.dunning import DunningSchedule
from billing.model.plan import PlanTerms
from billing.model.pools import PoolKind
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.model.views import OperatorView, PlanView, ProfileView
from billing.rules import grants as grant_rules
from billing.rules import plans as plan_rules
from billing.rules import profiles as profile_rules
from billing.rules.cycles import local_day
from billing.services import limits, pools
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import audit, dunning
from billing.store import catalog as store
from billing.store.guard import Transaction

HOTSPOT = BillingProfile(name="Hotspot", kind=BillingKind.DAILY, payment=Payment.PREPAID)
_View = TypeVar("_View", ProfileView, PlanView)


def operator(context: Context) -> OperatorView:
    """Name, time zone and currency of the installation; NotFound before `tollway migrate`."""
    with context.transaction() as tx:
        found = store.operator(tx)
    if found is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    return found


def list_profiles(context: Context, *, archived: bool = False) -> list[ProfileView]:
    """Billing profiles by name."""
    with context.transaction() as tx:
        return store.list_profiles(tx, archived=archived)


def get_profile(context: Context, profile_id: int) -> ProfileView:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.get_profile(tx, profile_id)
    if found is None:
        raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
    return found


def find_profile(context: Context, name: str) -> ProfileView:
    """By exact name; NotFound names those that there are."""
    with context.transaction() as tx:
        found = store.find_profile(tx, name)
        others = [view.profile.name for view in store.list_profiles(tx)] if not found else []
    if found is None:
        raise NotFound(f"no billing profile is named {name!r}{_choices(others)}", field="profile")
    return found


def add_profile(context: Context, profile: BillingProfile, now: datetime) -> ProfileView:
    """Raises InvalidFields on impossible switches, Conflict when the name is taken."""
    profile = _checked_profile(profile)
    with context.transaction() as tx:
        _check_pools(context, tx, profile)
        limits.check_profile(tx, context.home_org_id, profile)
        profile_id = store.insert_profile(tx, context.home_org_id, profile, _today(tx, now), now)
        view = _found(store.get_profile(tx, profile_id))
        audit.append(
            tx,
            at=now,
            org_id=view.org_id,
            actor=context.actor,
            action="profile.add",
            subject=f"profile:{profile_id}",
            detail={"name": profile.name, "kind": profile.kind, "payment": profile.payment},
        )
    return view


def hotspot_profile(context: Context, now: datetime) -> ProfileView:
    """Of who comes by a voucher and was given no other: daily by nature (rule B13). Each
    organisation has one, by its name, made when it is first needed; its switches may be changed
    like any other's."""
    with context.together() as joined, joined.transaction() as tx:
        return store.find_profile(tx, HOTSPOT.name, context.home_org_id) or add_profile(
            joined, HOTSPOT, now
        )


def update_profile(
    context: Context, profile_id: int, profile: BillingProfile, now: datetime
) -> ProfileView:
    """Replace every switch. Services under the profile are looked at again by the sweep.

    Raises NotFound, InvalidFields, Conflict; Refused when customers use it and the
    kind changes (rule B14: move them to another profile instead).
    """
    profile = _checked_profile(profile)
    with context.transaction() as tx:
        before = store.get_profile(tx, profile_id)
        if before is None:
            raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
        if before.profile.kind is not profile.kind and before.customers:
            raise Refused(
                f"{before.customers} customer(s) use this profile, so it stays "
                f"{before.profile.kind}; add another profile and move them to it (rule B14)",
                field="kind",
            )
        schedule = dunning.schedules(tx, [profile_id])[profile_id]
        if profile.kind is BillingKind.DAILY and schedule != DunningSchedule():
            raise Refused("end its dunning first: a daily profile has no bills", field="kind")
        _check_pools(context, tx, profile)
        limits.check_profile(tx, before.org_id, profile)
        limit_before, limit = credit_limit(before.profile), credit_limit(profile)
        if limit_before != limit:
            store.recompile_profile(tx, profile_id, limit)
        store.update_profile(tx, profile_id, profile, _today(tx, now))
        store.recheck_profile(tx, profile_id, now)
        view = _found(store.get_profile(tx, profile_id))
        audit.append(
            tx,
            at=now,
            org_id=view.org_id,
            actor=context.actor,
            action="profile.update",
            subject=f"profile:{profile_id}",
            detail={"revision": view.revision, "changed": _changes(before.profile, profile)},
        )
    return view


def list_plans(context: Context, now: datetime, *, archived: bool = False) -> list[PlanView]:
    """Plans by name, each with the version in force at `now`."""
    with context.transaction() as tx:
        return store.list_plans(tx, now, archived=archived)


def get_plan(context: Context, plan_id: int, now: datetime) -> PlanView:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.get_plan(tx, plan_id, now)
    if found is None:
        raise NotFound(f"no plan has the number {plan_id}", field="plan")
    return found


def find_plan(context: Context, name: str, now: datetime) -> PlanView:
    """By exact name; NotFound names those that there are."""
    with context.transaction() as tx:
        found = store.find_plan(tx, name, now)
        others = [view.name for view in store.list_plans(tx, now)] if not found else []
    if found is None:
        raise NotFound(f"no plan is named {name!r}{_choices(others)}", field="plan")
    return found


def plan_versions(context: Context, plan_id: int, now: datetime) -> list[PlanView]:
    """Every version of a plan, oldest first."""
    get_plan(context, plan_id, now)
    with context.transaction() as tx:
        return store.plan_versions(tx, plan_id)


def add_plan(
    context: Context, terms: PlanTerms, now: datetime, *, effective_from: datetime | None = None
) -> PlanView:
    """A plan named `terms.plan_name` with its first version; `plan_version_id` is ignored.

    Raises InvalidFields, Conflict when the name is taken.
    """
    terms = _checked_terms(terms)
    with context.transaction() as tx:
        _check_currency(store.operator(tx), terms)
        _check_pools(context, tx, terms)
        plan_id = store.insert_plan(tx, context.home_org_id, terms.plan_name, now)
        store.insert_plan_version(tx, plan_id, terms, effective_from or now, now)
        view = _found(store.get_plan(tx, plan_id, now))
        _audit_plan(context, tx, "plan.add", view, now)
    return view


def add_plan_version(
    context: Context,
    plan_id: int,
    terms: PlanTerms,
    now: datetime,
    *,
    effective_from: datetime | None = None,
) -> PlanView:
    """New terms from `effective_from` (default `now`) on; running paid periods keep theirs (M6).

    Raises NotFound, InvalidFields; InvalidInput when it would begin in the past or before the
    plan's latest version.
    """
    with context.transaction() as tx:
        return add_version_within(context, tx, plan_id, terms, effective_from or now, now)


def add_version_within(
    context: Context,
    tx: Transaction,
    plan_id: int,
    terms: PlanTerms,
    begins: datetime,
    now: datetime,
    *,
    notice_days: int | None = None,
) -> PlanView:
    """The same as a part of another command. With `notice_days` customers of earlier versions move
    to it after so many days of notice (rule B18). It writes to the audit log: last in a
    transaction."""
    terms = _checked_terms(terms)
    if begins < now:
        raise InvalidInput("a version cannot begin in the past (rule M6)", field="effective_from")
    if store.get_plan(tx, plan_id, now) is None:
        raise NotFound(f"no plan has the number {plan_id}", field="plan")
    _check_currency(store.operator(tx), terms)
    _check_pools(context, tx, terms)
    if begins < store.plan_versions(tx, plan_id)[-1].effective_from:
        raise InvalidInput(
            "a later version is already planned; this one must not begin before it",
            field="effective_from",
        )
    store.insert_plan_version(tx, plan_id, terms, begins, now, notice_days=notice_days)
    view = store.plan_versions(tx, plan_id)[-1]
    _audit_plan(context, tx, "plan.version", view, now)
    return view


def credit_limit(profile: BillingProfile) -> int:
    """How far below zero a wallet under the profile may go, in micros (rule P12)."""
    return profile.credit_limit_micros if profile.payment is Payment.POSTPAID else 0


def _checked_profile(profile: BillingProfile) -> BillingProfile:
    profile = replace(profile, name=profile.name.strip())
    problems = profile_rules.problems(profile)
    if problems:
        raise InvalidFields(problems)
    return profile


def _today(tx: Transaction, now: datetime) -> date:
    return local_day(now, operator_of(tx).time_zone)


def _checked_terms(terms: PlanTerms) -> PlanTerms:
    terms = replace(terms, plan_name=terms.plan_name.strip())
    problems = plan_rules.problems(terms)
    if problems:
        raise InvalidFields(problems)
    return grant_rules.completed(terms)


def _check_pools(context: Context, tx: Transaction, naming: BillingProfile | PlanTerms) -> None:
    """Pools of our own must be for the subscribers that are sent there (rule B10)."""
    suspended = PoolKind.SUSPENDED
    if isinstance(naming, BillingProfile):
        named = [("suspended_pool", naming.suspended_pool, suspended)]
    else:
        named = [
            ("pool", naming.pool, PoolKind.NORMAL),
            ("pay_only_pool", naming.pay_only_pool, suspended),
        ]
    pools.check_kinds(tx, context.home_org_id, named)


def _check_currency(installation: OperatorView | None, terms: PlanTerms) -> None:
    if installation is not None and terms.currency != installation.currency:
        raise InvalidInput(
            f"prices are in {installation.currency}, the operator's currency; "
            f"{terms.currency} and {installation.currency} do not mix (rule M1)",
            field="currency",
        )


def _audit_plan(
    context: Context, tx: Transaction, action: str, view: PlanView, now: datetime
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=view.org_id,
        actor=context.actor,
        action=action,
        subject=f"plan:{view.plan_id}",
        detail={
            "name": view.name,
            "version": view.version,
            "price_micros": view.terms.price_micros,
            "effective_from": view.effective_from,
        },
    )


def _changes(before: BillingProfile, after: BillingProfile) -> dict[str, list[str]]:
    return {
        name: [str(getattr(before, name)), str(getattr(after, name))]
        for name in BillingProfile.__dataclass_fields__
        if getattr(before, name) != getattr(after, name)
    }


def _choices(names: list[str]) -> str:
    return f"; there are: {', '.join(names[:10])}" if names else "; there are none yet"


def _found(value: _View | None) -> _View:
    if value is None:
        raise NotFound("the row just written cannot be read back; is it in your organisation?")
    return value
