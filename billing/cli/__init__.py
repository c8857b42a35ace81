"""The command line `tollway`: a composition root that calls the services."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import click

from billing.cli import (
    bank,
    bill_pdf,
    bills,
    catalog,
    charges,
    checks,
    coa,
    collections,
    customers,
    design,
    dunning,
    evidence,
    funding,
    gateways,
    grants,
    hotspots,
    imports,
    installation,
    jobs,
    ledger,
    messages,
    nas,
    organisations,
    payments,
    plan_changes,
    pools,
    promises,
    receipts,
    reseller_money,
    resellers,
    revenue,
    sales,
    searches,
    self_purchases,
    sepa,
    shifts,
    spending,
    staff,
    statements,
    subscribers,
    usage,
    vouchers,
    worker,
)
from billing.cli.app import App, Group
from billing.errors import BadLines, InvalidFields, TollwayError

USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tollway: RADIUS/AAA and real-time billing."""


for _command in (
    installation.migrate,
    nas.nas,
    hotspots.hotspot,
    organisations.organisation,
    coa.coa,
    pools.pool,
    catalog.profile,
    catalog.plan,
    customers.customer,
    subscribers.subscriber,
    sales.sell,
    sales.topup,
    shifts.shift,
    collections.collector,
    receipts.receipt,
    gateways.gateway,
    payments.payment,
    funding.suspense,
    bank.bank,
    sepa.sepa,
    funding.prepaid,
    bills.bill,
    charges.charge,
    dunning.dunning,
    design.design,
    usage.usage,
    usage.sessions,
    usage.why,
    evidence.session,
    evidence.dispute,
    evidence.anomalies,
    searches.who_had,
    searches.logins,
    searches.dead_letters,
    grants.quota,
    grants.overspend,
    imports.import_,
    staff.staff,
    resellers.reseller,
    checks.doctor,
    ledger.ledger,
    revenue.revenue,
    vouchers.voucher,
    messages.message,
    jobs.jobs,
    worker.worker,
):
    cli.add_command(_command)
bills.bill.add_command(bill_pdf.pdf)
bills.bill.add_command(bill_pdf.xml)
customers.customer.add_command(statements.statement)
customers.customer.add_command(statements.statements)
customers.customer.add_command(spending.alerts)
customers.customer.add_command(spending.cap)
customers.customer.add_command(promises.promise)
customers.customer.add_command(promises.of_customer)
catalog.profile.add_command(promises.of_profile)
customers.customer.add_command(funding.recharge)
customers.customer.add_command(funding.prepay)
subscribers.subscriber.add_command(plan_changes.plan)
catalog.plan.add_command(plan_changes.reprice)
bills.bill.add_command(dunning.bill_dunning)
bills.bill.add_command(dunning.write_off)
for _command in (*reseller_money.COMMANDS, *self_purchases.COMMANDS):
    resellers.reseller.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit; errors go to stderr, their class decides the exit code."""
    app = App()
    try:
        code = cli.main(arguments, prog_name="tollway", standalone_mode=False, obj=app)
    except TollwayError as error:
        _complain(app, error.field, error.message, _details(error))
        code = error.exit_code
    except click.UsageError as error:
        _complain(app, _field_of(error), error.format_message(), {})
        code = USAGE_EXIT_CODE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read our output has gone: keep the interpreter from complaining as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    finally:
        app.close()
    sys.exit(code if isinstance(code, int) else 0)


def _complain(app: App, field: str | None, message: str, details: dict[str, object]) -> None:
    if app.json:
        body = {"error": message, "field": field, **details}
        click.echo(json.dumps(body, ensure_ascii=False, default=str), err=True)
    else:
        click.echo(f"error: {field}: {message}" if field else f"error: {message}", err=True)


def _details(error: TollwayError) -> dict[str, object]:
    details: dict[str, object] = {"kind": type(error).__name__}
    if isinstance(error, BadLines):
        details["lines"] = [
            {"line": number, "field": field, "reason": reason}
            for number, field, reason in error.lines
        ]
    if isinstance(error, InvalidFields):
        details["problems"] = [
            {"field": field, "reason": reason} for field, reason in error.problems
        ]
    return details


def _field_of(error: click.UsageError) -> str | None:
    """The option's name as the user knows it."""
    parameter = getattr(error, "param", None)
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len).lstrip("-").replace("-", "_")
    return parameter.name if isinstance(parameter, click.Parameter) else None
