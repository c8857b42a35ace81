"""`tollway payment`."""

from __future__ import annotations

import csv
from datetime import date, datetime
from io import StringIO
from uuid import uuid4

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import DAY, show_instant, show_money
from billing.clock import utc_now
from billing.model.payments import PaymentHistory, PaymentState, PaymentView
from billing.payments.registry import open_gateway
from billing.services import customers, gateways, payment_calls, payment_cancel, takings
from billing.services import methods as methods_on_file
from billing.services import payments as services
from billing.services.gateways import Gateways

_KEY = click.option("--key", default=lambda: uuid4().hex, help="Idempotency key (rule M5).")


@click.group(cls=Group)
def payment() -> None:
    """Payments by gateways."""


@payment.command("list", cls=Command)
@click.argument("customer", required=False)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in PaymentState]),
    help="Only of these; repeatable.",
)
@click.option("--limit", type=int, default=50, show_default=True)
@click.pass_obj
def list_(app: App, customer: str | None, states: tuple[str, ...], limit: int) -> None:
    """The newest first, of all customers or of one."""
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id if customer else None
    found = services.listed(
        context,
        customer_id=customer_id,
        states=[PaymentState(state) for state in states],
        limit=limit,
    )
    app.show_table(
        found,
        ("payment", "begun", "customer", "for", "amount", "by", "state", "reason"),
        [
            (
                one.attempt_id,
                show_instant(one.created_at),
                one.customer_name,
                one.purpose.value.replace("_", " "),
                show_money(one.amount_micros, one.currency),
                one.gateway,
                one.state.value.replace("_", " "),
                one.reason,
            )
            for one in found
        ],
    )


@payment.command("begin", cls=Command)
@click.argument("customer")
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--bill", help="Pay all that is open of this one, instead of AMOUNT to the wallet.")
@click.option("--gateway", required=True, help="Its number or name.")
@click.option("--method", type=int, help="A method on file; else the payer goes to a page.")
@click.option("--wallet", type=int, help="Its number; the customer's own unless given.")
@click.option("--save", is_flag=True, help="Keep the payer's method on file.")
@_KEY
@at_option
@click.pass_obj
def begin(
    app: App,
    customer: str,
    amount_text: str | None,
    bill: str | None,
    gateway: str,
    method: int | None,
    wallet: int | None,
    save: bool,
    key: str,
    at: datetime,
) -> None:
    """Top a wallet up by a gateway, or pay a bill, and call its provider at once."""
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id
    gateway_id = gateways.find(context, gateway).gateway_id
    if (amount_text is None) == (bill is None) or (bill and (save or wallet)):
        raise click.UsageError("give an AMOUNT, or --bill without --wallet and --save")
    if bill is not None:
        made = services.pay_bill(
            context,
            bill,
            gateway_id,
            idempotency_key=key,
            now=at,
            customer_id=customer_id,
            method_id=method,
            return_url=app.settings.portal_url,
        )
    else:
        made = services.top_up(
            context,
            customer_id,
            gateway_id,
            amount(app, amount_text or "", "amount"),
            idempotency_key=key,
            now=at,
            wallet_id=wallet,
            method_id=method,
            saves_method=save,
            return_url=app.settings.portal_url,
        )
    payment_calls.carry_out(
        context, Gateways(open_gateway), made.customer_id, made.attempt_id, utc_now
    )
    _show(app, services.history(context, made.attempt_id))


@payment.command("show", cls=Command)
@click.argument("number", type=int)
@click.pass_obj
def show(app: App, number: int) -> None:
    """One, with what was given back and what its provider said."""
    _show(app, services.history(app.context, number))


@payment.command("retry", cls=Command)
@click.argument("number", type=int)
@_KEY
@at_option
@click.pass_obj
def retry(app: App, number: int, key: str, at: datetime) -> None:
    """Begin one that has failed anew; the worker calls its provider."""
    made = services.retry(app.context, number, idempotency_key=key, now=at)
    app.show(made, f"payment {made.attempt_id} is on its way")


@payment.command("refund", cls=Command)
@click.argument("number", type=int)
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--reason", required=True)
@click.option("--even-if-spent", is_flag=True, help="The wallet may fall below zero.")
@_KEY
@at_option
@click.pass_obj
def refund(
    app: App,
    number: int,
    amount_text: str | None,
    reason: str,
    even_if_spent: bool,
    key: str,
    at: datetime,
) -> None:
    """Give it back, or AMOUNT of it, by the way it came; the worker asks the provider."""
    made = services.refund(
        app.context,
        number,
        reason=reason,
        idempotency_key=key,
        now=at,
        amount_micros=None if amount_text is None else amount(app, amount_text, "amount"),
        even_if_spent=even_if_spent,
    )
    given = show_money(made.amount_micros, made.currency)
    app.show(made, f"{given} has left the wallet and is on its way")


@payment.command("lookup", cls=Command)
@click.argument("number", type=int)
@at_option
@click.pass_obj
def lookup(app: App, number: int, at: datetime) -> None:
    """Ask the provider at once what has become of one."""
    context = app.context
    found = services.ask_again(context, number, at)
    payment_calls.carry_out(
        context, Gateways(open_gateway), found.customer_id, number, lambda: max(at, utc_now())
    )
    _show(app, services.history(context, number))


@payment.command("cancel", cls=Command)
@click.argument("number", type=int)
@at_option
@click.pass_obj
def cancel(app: App, number: int, at: datetime) -> None:
    """Take back one that nobody has paid yet: one that waits, or whose payer is at the page."""
    payment_cancel.cancel(app.context, Gateways(open_gateway), number, lambda: max(at, utc_now()))
    _show(app, services.history(app.context, number))


@payment.command("methods", cls=Command)
@click.argument("customer")
@click.pass_obj
def methods(app: App, customer: str) -> None:
    """What a customer has on file."""
    context = app.context
    found = methods_on_file.looked_up(
        context, customers.find_customer(context, customer).customer_id, utc_now()
    )
    app.show_table(
        found,
        ("method", "label", "until", "gateway", "since", "default"),
        [
            (
                one.method_id,
                one.label,
                one.expires_on and one.expires_on.isoformat(),
                one.gateway_id,
                show_instant(one.created_at),
                "yes" if one.is_default else None,
            )
            for one in found
        ],
    )


@payment.command("day", cls=Command)
@click.argument("day", type=DAY, required=False)
@click.option("--org", type=int, help="Only of this organisation.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, amounts with a decimal point.")
@click.pass_obj
def day_(app: App, day: date | None, org: int | None, as_csv: bool) -> None:
    """What each member of staff took and gave back on a local day (today), by channel."""
    report = takings.of_day(app.context, day or takings.today(app.context, utc_now()), org_id=org)
    if as_csv and not app.json:
        text = StringIO()
        csv.writer(text).writerows(report.table())
        click.echo(text.getvalue(), nl=False)
        return
    app.show_table(
        report,
        ("organisation", "who", "by", "payments", "taken", "refunds", "given back", "left"),
        [
            (
                one.organisation,
                one.actor or None,
                one.channel.replace("_", " "),
                one.payments,
                show_money(one.taken_micros, one.currency),
                one.refunds,
                show_money(one.refunded_micros, one.currency),
                show_money(one.net_micros, one.currency),
            )
            for one in report.rows
        ],
    )
    if report.is_blind and not app.json:
        click.echo("your shift is open: what you took at the desk is told when it is counted")


def _show(app: App, found: PaymentHistory) -> None:
    app.show(found, *_payment_lines(found.payment), *_history_lines(found))


def _payment_lines(one: PaymentView) -> list[str]:
    total = show_money(one.amount_micros, one.currency)
    state = one.state.value.replace("_", " ")
    lines = [
        f"payment {one.attempt_id} of {one.customer_name}: {total} by {one.gateway}, {state}",
        f"for {one.purpose.value.replace('_', ' ')}, begun {show_instant(one.created_at)}"
        f" by {one.requested_by}",
        f"key {one.key}, at the provider's {one.provider_ref or '–'}",
    ]
    if one.reason:
        lines.append(f"reason: {one.reason}")
    if one.kept is not None and not one.state.has_paid:
        came = show_money(one.kept.amount_micros, one.kept.currency)
        lines.append(f"{came} came for it and waits in suspense: the customer must not pay again")
    if one.redirect_url and one.state.is_open:
        lines.append(f"the payer goes to {one.redirect_url}")
    if one.due_at is not None:
        lines.append(f"asked for {show_instant(one.due_at)}, {one.lookups} times so far")
    return lines


def _history_lines(found: PaymentHistory) -> list[str]:
    lines = [
        f"{one.kind.value} {one.reversal_id}: {show_money(one.amount_micros, one.currency)},"
        f" {one.state.value}: {one.reason}"
        for one in found.reversals
    ]
    lines += [
        f"event {one.event_id} {one.kind}, {show_instant(one.received_at)}:"
        f" {one.outcome.value.replace('_', ' ')}{f' ({one.detail})' if one.detail else ''}"
        for one in found.events
    ]
    return lines
