"""The jobs that the worker runs by the clock and `tollway jobs` by hand.

Each may be run at any time, again, and after days of downtime: it does what is due by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.model.bills import Parked
from billing.model.money import Money
from billing.services import (
    bill_run,
    books,
    dunning_run,
    enforcement,
    plan_runs,
    prepayments,
    pruning,
    recognition,
    renewal_run,
    rolling,
    silence,
    statement_run,
    upkeep,
    voucher_runs,
    wallet_check,
)
from billing.services.context import Context

_NAMED = 10
"""So many of those that the check of wallets repaired are named in its line; the log has all."""


@dataclass(frozen=True, slots=True)
class Would:
    """One thing that a job would do; `amount` is what it bills, asks for or spends."""

    text: str
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """`cron` is in UTC; None: a part of the worker does it all the time. `run` says what it did in
    one line, empty when there was nothing to do. `preview` lists what it would do, where there is
    such a list."""

    name: str
    cron: str | None
    purpose: str
    run: Callable[[Context, datetime], str]
    preview: Callable[[Context, datetime], Iterator[Would]] | None = None


def _sweep(context: Context, now: datetime) -> str:
    found = 0
    while looked_at := enforcement.sweep(context, now):
        found += looked_at
    return f"looked at {found} customers" if found else ""


def _reap(context: Context, now: datetime) -> str:
    rebooted, silent = silence.close_rebooted(context, now), silence.reap(context, now)
    if not rebooted and not silent:
        return ""
    return f"closed {silent} silent sessions and {rebooted} that a reboot of their NAS has ended"


def _ensure_partitions(context: Context, now: datetime) -> str:
    made = upkeep.ensure_partitions(context, now)
    return f"made {made} partitions" if made else ""


def _fair_use_steps(context: Context, now: datetime) -> str:
    found = upkeep.fair_use_steps(context, now)
    return f"looked at {found} customers" if found else ""


def _post_usage(context: Context, now: datetime) -> str:
    made = books.post_usage(context, now)
    return f"posted usage in {made} entries" if made else ""


def _check_ledger(context: Context, now: datetime) -> str:
    findings = books.check_ledger(context, now).findings
    return (
        f"THE BOOKS DISAGREE: {len(findings)} findings, see `tollway ledger check`"
        if findings
        else ""
    )


def _bill_run(context: Context, now: datetime) -> str:
    report = bill_run.run(context, now)
    said = f"issued {report.issued} bills" if report.issued else ""
    if report.parked:
        said = f"{said or 'issued no bills'}; {len(report.parked)} customers PARKED"
    return said


def _statements(context: Context, now: datetime) -> str:
    report = statement_run.run(context, now)
    said = f"queued {report.queued} statements" if report.queued else ""
    if report.parked:
        said = f"{said or 'queued no statements'}; {len(report.parked)} customers PARKED"
    return said


def _would_bill(context: Context, now: datetime) -> Iterator[Would]:
    for one in bill_run.preview(context, now):
        if isinstance(one, Parked):
            yield _would_park(one)
            continue
        total = Money(one.total_micros, one.currency)
        what = f"{one.username}: {one.plan_name}, {one.first_day} to {one.next_first_day}, {total}"
        yield Would(what + _lacking(one.short_micros, one.currency), total)


def _would_park(one: Parked) -> Would:
    return Would(f"would be PARKED: customer {one.customer_id}: {one.problem}")


def _renewals(context: Context, now: datetime) -> str:
    report = renewal_run.run(context, now)
    total = Money(report.total_micros, report.currency)
    bought = report.bills + report.packages
    said = f"paid {report.bills} bills and {report.packages} packages, {total}" if bought else ""
    if report.parked:
        said = f"{said or 'paid nothing'}; {len(report.parked)} customers PARKED"
    return said


def _would_renew(context: Context, now: datetime) -> Iterator[Would]:
    for one in renewal_run.preview(context, now):
        total = Money(one.total_micros, one.currency)
        lacking = _lacking(one.short_micros, one.currency)
        yield Would(f"{one.username}: {one.text}, {total}{lacking}", total)


def _lacking(short_micros: int, currency: str) -> str:
    return f": NOT COVERED, {Money(short_micros, currency)} more is needed" if short_micros else ""


def _roll_over(context: Context, now: datetime) -> str:
    report = rolling.run(context, now)
    said = f"carried on for {len(report.carried)} packages" if report.carried else ""
    if report.parked:
        said = f"{said or 'carried nothing'}; {len(report.parked)} customers PARKED"
    return said


def _would_roll_over(context: Context, now: datetime) -> Iterator[Would]:
    for one in rolling.preview(context, now):
        yield Would(
            f"customer {one.customer_id}: {one.octets} octets, {one.seconds} s from package "
            f"{one.from_id} to {one.to_id}"
        )


def _check_wallets(context: Context, now: datetime) -> str:
    report = wallet_check.run(context, now)
    said = ""
    if report.repaired:
        named = ", ".join(str(one.customer_id) for one in report.repaired[:_NAMED])
        more = ", …" if len(report.repaired) > _NAMED else ""
        count = len(report.repaired)
        said = f"repaired {count} of {report.customers} customers: {named}{more}"
    if report.parked:
        said = f"{said or 'repaired nobody'}; {len(report.parked)} customers PARKED"
    return said


def _would_repair(context: Context, now: datetime) -> Iterator[Would]:
    for one in wallet_check.preview(context, now):
        yield Would(f"customer {one.customer_id}: {one.what}")


def _plan_changes(context: Context, now: datetime) -> str:
    report = plan_runs.run(context, now)
    said = [
        f"{count} {words}"
        for count, words in (
            (report.announced, "told of a price"),
            (report.changed, "changes of plan"),
            (report.parked, "customers PARKED"),
        )
        if count
    ]
    return ", ".join(said)


def _recognise_revenue(context: Context, now: datetime) -> str:
    report = recognition.run(context, now)
    said = f"posted what was earned of {report.items} items" if report.items else ""
    if report.parked:
        said = f"{said or 'posted nothing'}; {report.parked} customers PARKED"
    return said


def _dunning(context: Context, now: datetime) -> str:
    report = dunning_run.run(context, now)
    said = (
        f"{report.reminders} reminders, {report.fees} late fees"
        if report.reminders or report.fees
        else ""
    )
    if report.parked:
        said = f"{said or 'dunned nobody'}; {len(report.parked)} customers PARKED"
    return said


def _vouchers(context: Context, now: datetime) -> str:
    report = voucher_runs.run(context, now)
    said = [
        f"{count} {words}"
        for count, words in (
            (report.logins, "first logins booked"),
            (report.expired, "vouchers expired"),
            (report.parked, "customers PARKED"),
        )
        if count
    ]
    return ", ".join(said)


def _prepayments(context: Context, now: datetime) -> str:
    report = prepayments.run(context, now)
    said = f"asked for {report.issued} prepayments" if report.issued else ""
    if report.parked:
        said = f"{said or 'asked for none'}; {len(report.parked)} customers PARKED"
    return said


def _remove_old(context: Context, now: datetime) -> str:
    messages, checks = pruning.remove_old(context, now)
    removed = messages or checks
    return f"removed {messages} messages, {checks} checks of the ledger" if removed else ""


def _would_dun(context: Context, now: datetime) -> Iterator[Would]:
    for one in dunning_run.preview(context, now):
        if isinstance(one, Parked):
            yield _would_park(one)
            continue
        fee = Money(one.fee_micros, one.currency) if one.fee_micros else None
        what = [*(["reminder"] if one.reminds else []), *([f"late fee {fee}"] if fee else [])]
        yield Would(f"{one.number}, step of {one.on}: {', '.join(what) or 'passed over'}", fee)


def _would_sweep(context: Context, now: datetime) -> Iterator[Would]:
    for account, state, before in enforcement.preview(context, now):
        yield Would(f"{account.username}: from {before} to {state.rule} ({state.reason})")


def _would_state(context: Context, now: datetime) -> Iterator[Would]:
    for one in statement_run.preview(context, now):
        days = f"{one.facts['first_day']} to {one.facts['last_day']}"
        yield Would(f"customer {one.customer_id}: statement of {days}")


def _would_ask(context: Context, now: datetime) -> Iterator[Would]:
    for customer_id, amount in prepayments.preview(context, now):
        yield Would(f"customer {customer_id}: prepayment invoice of {amount}", amount)


JOBS = {
    job.name: job
    for job in (
        Job(
            "sweep",
            None,
            "expiry, suspension, promises that end (B3, B9, B19)",
            _sweep,
            _would_sweep,
        ),
        Job("reap", None, "sessions that ended without a word (U7, U10)", _reap),
        # The partitions reach two weeks ahead, so days of downtime do no harm.
        Job("ensure_partitions", "7 * * * *", "partitions of the near future", _ensure_partitions),
        Job("fair_use_steps", "* * * * *", "speeds by fair use (rule Q2)", _fair_use_steps),
        # Before the bill run, so that after downtime its bills carry the fees of the days before.
        Job("dunning", "9 * * * *", "reminders and late fees (rule I5)", _dunning, _would_dun),
        # Every hour, as the operator's day begins at any of them.
        Job(
            "bill_run",
            "11 * * * *",
            "bills of monthly customers (rule B7)",
            _bill_run,
            _would_bill,
        ),
        Job(
            "renewals",
            "* * * * *",
            "prepaid periods and packages that are due (rule P10)",
            _renewals,
            _would_renew,
        ),
        Job(
            "check_wallets",
            "23 2 * * *",
            "whether an event was missed (rule P13)",
            _check_wallets,
            _would_repair,
        ),
        Job("statements", "23 * * * *", "statements of the last month", _statements, _would_state),
        # Each minute, as packages end at any of them.
        Job("plan_changes", "* * * * *", "plans and prices that change (B17, B18)", _plan_changes),
        Job(
            "roll_over",
            "* * * * *",
            "what is unused, into the package that follows (rule B4)",
            _roll_over,
            _would_roll_over,
        ),
        Job("vouchers", "* * * * *", "first logins by voucher, their expiry (rule R3)", _vouchers),
        Job("post_usage", "3 * * * *", "usage into the ledger (rule P2)", _post_usage),
        Job(
            "recognise_revenue",
            "41 * * * *",
            "what has become earned (rule I6)",
            _recognise_revenue,
        ),
        Job("prepayments", "29 * * * *", "prepayment invoices (rule P5)", _prepayments, _would_ask),
        Job("remove_old", "53 3 * * *", "messages and checks of long ago", _remove_old),
        Job("check_ledger", "37 1 * * *", "whether the books agree (rule M4)", _check_ledger),
    )
}
