"""`tollway subscriber plan` and `tollway plan reprice`."""

from __future__ import annotations

import secrets
from datetime import date, datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.catalog import amount
from billing.cli.units import DAY, show_instant, show_money
from billing.model.plan_changes import (
    ChangeState,
    PlanChangeReceipt,
    PlanChangeView,
    RepriceReport,
    When,
)
from billing.services import catalog, customers, plan_changes, prices


@click.command("plan", cls=Command)
@click.argument("username")
@click.argument("plan", required=False)
@click.option("--now", "when", flag_value=When.NOW.value, help="At once, whatever it costs.")
@click.option("--next", "when", flag_value=When.NEXT.value, help="At the next cycle or the expiry.")
@click.option("--dry-run", is_flag=True, help="Only say what it would give back and cost.")
@click.option("--revoke", is_flag=True, help="Instead of PLAN: the change that waits is dropped.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is done once.")
@at_option
@click.pass_obj
def plan(
    app: App,
    username: str,
    plan: str | None,
    when: str | None,
    dry_run: bool,
    revoke: bool,
    key: str | None,
    at: datetime,
) -> None:
    """Put a subscriber on another plan (rule B17); without PLAN, what was changed and what waits.

    A dearer plan begins now, a cheaper one when what is paid has ended.
    """
    subscription_id = customers.subscription_id_of(app.context, username)
    if revoke:
        if plan is not None:
            raise click.UsageError("give either PLAN or --revoke")
        view = plan_changes.revoke(app.context, subscription_id, at)
        app.show(view, f"{username}: the change to {view.to_plan} is revoked")
    elif plan is None:
        _show_record(app, plan_changes.changes_of(app.context, subscription_id))
    else:
        plan_id = catalog.find_plan(app.context, plan, at).plan_id
        wanted = None if when is None else When(when)
        if dry_run:
            quoted = plan_changes.quote(app.context, subscription_id, plan_id, at, when=wanted)
            app.show(quoted, *_lines(quoted), "nothing was changed")
            return
        done = plan_changes.change_plan(
            app.context,
            subscription_id,
            plan_id,
            idempotency_key=key or secrets.token_hex(16),
            now=at,
            when=wanted,
        )
        app.show(done, *_lines(done))


@click.command("reprice", cls=Command)
@click.argument("name")
@click.option("--price", required=True, help="Like 33.00.")
@click.option("--from", "from_day", type=DAY, required=True, help="New customers pay it from then.")
@click.option(
    "--notice-days",
    type=int,
    required=True,
    help="Existing ones at the first cycle so many days after they are told, or later.",
)
@click.option("--dry-run", is_flag=True, help="Only list whom it concerns, and from when.")
@at_option
@click.pass_obj
def reprice(
    app: App,
    name: str,
    price: str,
    from_day: date,
    notice_days: int,
    dry_run: bool,
    at: datetime,
) -> None:
    """Change a plan's price, with notice to whoever is on it (rule B18)."""
    report = prices.reprice(
        app.context,
        catalog.find_plan(app.context, name, at).plan_id,
        amount(app, price, "price"),
        from_day=from_day,
        notice_days=notice_days,
        now=at,
        dry_run=dry_run,
    )
    app.show_table(
        report,
        ("subscriber", "version", "old price", "new price", "from", "message"),
        (
            (
                move.username,
                move.version,
                show_money(move.old_micros, report.currency),
                show_money(move.new_micros, report.currency),
                move.starts_on,
                _message(report, move.old_micros, has_address=move.has_address),
            )
            for move in report.moves
        ),
    )
    if not app.json:
        for line in _report_lines(report):
            click.echo(line)


def _message(report: RepriceReport, old_micros: int, *, has_address: bool) -> str | None:
    if report.new_micros <= old_micros:
        return None
    return "yes" if has_address else "NO ADDRESS"


def _report_lines(report: RepriceReport) -> list[str]:
    listed = len(report.moves)
    lines = [f"… and {report.customers - listed} more"] if listed < report.customers else []
    more = show_money(report.more_micros, report.currency)
    lines.append(f"{report.customers} subscribers, {more} more in a period of each")
    if report.silent:
        lines.append(f"{report.silent} of them have no address: tell them yourself")
    if report.new_version is None:
        return [*lines, "nothing was changed"]
    return [
        *lines,
        f"{report.plan_name}, version {report.new_version}: "
        f"{show_money(report.new_micros, report.currency)} for new customers from "
        f"{show_instant(report.effective_from)}",
    ]


def _lines(receipt: PlanChangeReceipt) -> list[str]:
    credited, charged, difference = (
        show_money(micros, receipt.currency)
        for micros in (
            receipt.credited_micros,
            receipt.charged_micros,
            receipt.difference_micros,
        )
    )
    return [
        f"{receipt.username}: {receipt.from_plan or 'no plan'} → {receipt.to_plan}, {receipt.when}",
        *(f"  {line}" for line in receipt.lines),
        f"  credited {credited}, charged {charged}: difference {difference}",
    ]


def _show_record(app: App, found: list[PlanChangeView]) -> None:
    app.show_table(
        found,
        ("change", "kind", "from", "to", "price", "first day", "state", "remark"),
        (
            (
                one.change_id,
                one.kind.value,
                one.from_plan,
                one.to_plan,
                show_money(one.price_micros, one.currency),
                one.effective_on or ("expiry" if one.state is ChangeState.PENDING else None),
                one.state.value,
                one.problem,
            )
            for one in found
        ),
    )
