"""The dunning job: every step of a schedule that is due by now, each once (rule I5).

Customers are dunned by pages, and who fails is parked (`parking`). A step, its fee and its reminder
are written in one transaction, so a run that was killed is taken up where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import groupby

from billing.errors import Refused
from billing.model.bills import Parked
from billing.model.commerce import Owner
from billing.model.dunning import BillToDun, DueStep, DunningPreview, DunningReport, OpenBill
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.rules.cycles import local_day
from billing.rules.dunning import due_steps
from billing.rules.states import overdue_cut
from billing.rules.taxes import charge
from billing.services.context import Context
from billing.services.fees import Fee, FeeDue, charge_fees
from billing.services.issuing import operator_of
from billing.services.parking import Progress, pages, preview_page, quiet, serve_page
from billing.store import audit, billing_jobs, catalog, customers, dunning, messages, tables
from billing.store.accounts import load_accounts
from billing.store.guard import Transaction

JOB = "dunning"


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step of a bill, under the profile of the bill."""

    bill: BillToDun
    profile: BillingProfile
    due: DueStep


def run(context: Context, now: datetime, progress: Progress = quiet) -> DunningReport:
    """Take the steps that are due. Raises NotFound (no operator yet), Unavailable."""
    currency, candidates = _candidates(context, now)
    parked: list[Parked] = []
    reminders = fees = fees_micros = done = 0
    for page in pages(candidates):
        taken = serve_page(context, JOB, page, now, partial(_dun, context, now), parked)
        reminders += sum(one.due.reminds for one in taken)
        fees += sum(one.due.fee_micros > 0 for one in taken)
        fees_micros += sum(one.due.fee_micros for one in taken)
        done += len(page)
        progress(done, len(candidates))
    return DunningReport(
        at=now,
        reminders=reminders,
        fees=fees,
        fees_micros=fees_micros,
        currency=currency,
        parked=tuple(parked),
    )


def preview(context: Context, now: datetime) -> Iterator[DunningPreview | Parked]:
    """What a run at `now` would do, and whom it would park; nothing is written."""
    _, candidates = _candidates(context, now)
    for page in pages(candidates):
        yield from preview_page(JOB, page, now, partial(_look, context, now))


def parked(context: Context) -> list[Parked]:
    """Customers that the last runs could not dun, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def open_bill(bill: BillToDun, time_zone: str) -> OpenBill:
    """What the rule decides by."""
    return OpenBill(
        issued_on=local_day(bill.issued_at, time_zone),
        due_on=bill.due_on,
        open_micros=bill.open_micros,
        currency=bill.currency,
        promise_until=bill.promise_until,
        done=frozenset(bill.done),
    )


def _candidates(context: Context, now: datetime) -> tuple[str, list[int]]:
    with context.transaction() as tx:
        operator = operator_of(tx)
        today = local_day(now, operator.time_zone)
        return operator.currency, dunning.candidates(tx, today, JOB)


def _look(context: Context, now: datetime, customer_ids: Sequence[int]) -> list[DunningPreview]:
    with context.transaction() as tx:
        found = _due(tx, customer_ids, local_day(now, operator_of(tx).time_zone))
    return [
        DunningPreview(
            customer_id=one.bill.customer_id,
            number=one.bill.number,
            days=one.due.step.days,
            on=one.due.on,
            reminds=one.due.reminds,
            fee_micros=one.due.fee_micros,
            open_micros=one.bill.open_micros,
            currency=one.bill.currency,
        )
        for one in found
    ]


def _dun(context: Context, now: datetime, customer_ids: Sequence[int]) -> list[_Taken]:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        zone = operator_of(tx).time_zone
        today = local_day(now, zone)
        taken = _due(tx, customer_ids, today)
        charged = [one for one in taken if one.due.fee_micros]
        fees = charge_fees(tx, context, [_fee(one) for one in charged], now)
        dunning.record(tx, _events(taken, dict(zip(charged, fees, strict=True)), now))
        cuts = _cut_days(tx, taken, now, zone)
        messages.queue(tx, [*_reminders(taken, cuts, today)], now)
        billing_jobs.unpark(tx, JOB, customer_ids)
        _note(tx, context, taken, now)
        return taken


def _due(tx: Transaction, customer_ids: Sequence[int], today: date) -> list[_Taken]:
    """By bill, the oldest first, each bill's steps in their order. Raises Refused: a schedule's
    amounts are in the operator's currency."""
    bills = dunning.bills_to_dun(tx, customer_ids)
    operator = operator_of(tx)
    for bill in bills:
        if bill.currency != operator.currency:
            raise Refused(
                f"{bill.number} is in {bill.currency} and fees are in {operator.currency}; "
                "currencies do not mix (rule M1)"
            )
    schedules = dunning.schedules(tx, {bill.profile_id for bill in bills})
    profiles = catalog.profiles_by_id(tx, schedules)
    return [
        _Taken(bill, profiles[bill.profile_id], due)
        for bill in bills
        for due in due_steps(schedules[bill.profile_id], open_bill(bill, operator.time_zone), today)
    ]


def _fee(taken: _Taken) -> FeeDue:
    bill = taken.bill
    return FeeDue(
        owner=Owner(bill.customer_id, bill.org_id, bill.subscription_id),
        wallet_id=bill.wallet_id,
        free_micros=bill.free_micros,
        profile=taken.profile,
        is_served=bill.is_served,
        billed_until=bill.billed_until,
        text=f"Late fee: {bill.number}, {taken.due.step.days} days after {bill.due_on}",
        price=Money(taken.due.fee_micros, bill.currency),
        on=taken.due.on,
    )


def _events(
    taken: Sequence[_Taken], fees: Mapping[_Taken, Fee], now: datetime
) -> list[tables.DunningEvent]:
    return [
        tables.DunningEvent(
            customer_id=one.bill.customer_id,
            invoice_id=one.bill.invoice_id,
            days=one.due.step.days,
            org_id=one.bill.org_id,
            at=now,
            reminded=one.due.reminds,
            fee_micros=one.due.fee_micros,
            currency=one.bill.currency,
            charge_id=fees[one].charge_id if one in fees else None,
            fee_invoice_id=fees[one].invoice_id if one in fees else None,
        )
        for one in taken
    ]


def _cut_days(
    tx: Transaction, taken: Sequence[_Taken], now: datetime, time_zone: str
) -> dict[int, date]:
    """By subscription, the local day on which it is suspended unless somebody pays (rule B9)."""
    reminded = {
        one.bill.subscription_id
        for one in taken
        if one.due.reminds and one.bill.subscription_id is not None
    }
    cuts = {
        account.subscription_id: overdue_cut(account)
        for account in load_accounts(tx, None, reminded, now)
    }
    return {
        subscription_id: local_day(cut, time_zone)
        for subscription_id, cut in cuts.items()
        if cut is not None and cut > now
    }


def _reminders(
    taken: Sequence[_Taken], cuts: Mapping[int, date], today: date
) -> Iterator[MessageDraft]:
    """What customers are told, a message a bill at most, with the fees of all its steps."""
    for bill, group in groupby(taken, key=lambda one: one.bill):
        steps = list(group)
        profile = steps[0].profile
        fees = Money(sum(one.due.fee_micros for one in steps), bill.currency)
        charged = charge(fees, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
        facts: dict[str, object] = {
            "number": bill.number,
            "currency": bill.currency,
            "open_micros": bill.open_micros,
            "due_on": bill.due_on,
            "overdue": bill.due_on < today,
            "fee_micros": charged.total.amount_micros,
            "suspend_on": cuts.get(bill.subscription_id or 0),
        }
        for one in steps:
            if one.due.reminds:
                yield MessageDraft(
                    customer_id=bill.customer_id,
                    kind=MessageKind.REMINDER,
                    idempotency_key=f"{MessageKind.REMINDER}:{bill.invoice_id}:{one.due.step.days}",
                    facts=facts,
                )


def _note(tx: Transaction, context: Context, taken: Sequence[_Taken], now: datetime) -> None:
    """One line of the audit log for all of an organisation; last in a transaction."""
    for org_id in sorted({one.bill.org_id for one in taken}):
        own = [one for one in taken if one.bill.org_id == org_id]
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="bill.dun",
            subject=f"invoice:{own[0].bill.invoice_id}",
            detail={
                f"{one.bill.number} day {one.due.step.days}": {
                    "reminded": one.due.reminds,
                    "fee_micros": one.due.fee_micros,
                }
                for one in own
            },
        )
