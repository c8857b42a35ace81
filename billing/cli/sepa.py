"""`tollway sepa`: mandates, files of direct debits, and what banks say of them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import DAY, show_instant, show_money
from billing.errors import InvalidInput
from billing.model.sepa import CURRENCY, CollectionView, FileView, MandateView, ReturnReport
from billing.model.sepa import Sequence as Kind
from billing.model.sepa_status import StatusImport, StatusLine
from billing.payments.registry import open_gateway
from billing.services import (
    bank_files,
    customers,
    gateways,
    sepa_again,
    sepa_files,
    sepa_mandates,
    sepa_preview,
    sepa_results,
    sepa_returns,
    sepa_run,
    sepa_status,
)
from billing.services.gateways import Gateways

_GATEWAY = click.option("--gateway", required=True, help="Its number or name.")
_PRIVATE = 0o600


@click.group(cls=Group)
def sepa() -> None:
    """SEPA direct debits: mandates, files for the bank, returns."""


@sepa.command("sign", cls=Command)
@click.argument("customer")
@_GATEWAY
@click.option("--iban", prompt=True, help="Asked for unless given.")
@click.option("--bic", default="", help="Of the payer's bank; may be left out.")
@click.option("--holder", default="", help="Whose the account is; the customer unless given.")
@click.option("--reference", default="", help="Of the mandate; made up unless given.")
@click.option("--signed-on", type=DAY, required=True)
@click.option(
    "--sequence",
    type=click.Choice([kind.value for kind in Kind]),
    default=Kind.FIRST.value,
    show_default=True,
    help="What the next collection is; RCUR where it was collected by before.",
)
@at_option
@click.pass_obj
def sign(
    app: App,
    customer: str,
    gateway: str,
    iban: str,
    bic: str,
    holder: str,
    reference: str,
    signed_on: date,
    sequence: str,
    at: datetime,
) -> None:
    """Put a signed mandate on file: its customer's bills are collected by it from now on."""
    context = app.context
    made = sepa_mandates.sign(
        context,
        Gateways(open_gateway),
        customers.find_customer(context, customer).customer_id,
        gateways.find(context, gateway).gateway_id,
        iban=iban,
        bic=bic,
        holder=holder,
        reference=reference,
        signed_on=signed_on,
        sequence=Kind(sequence),
        now=at,
    )
    app.show(made, _mandate_line(made))


@sepa.command("mandates", cls=Command)
@click.argument("customer", required=False)
@click.option("--limit", type=int, default=50, show_default=True)
@at_option
@click.pass_obj
def mandates(app: App, customer: str | None, limit: int, at: datetime) -> None:
    """The newest first, of all customers or of one."""
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id if customer else None
    found = sepa_mandates.listed(context, at, customer_id=customer_id, limit=limit)
    app.show_table(
        found,
        ("mandate", "reference", "customer", "account", "signed", "used", "next", "state"),
        [
            (
                one.mandate_id,
                one.reference,
                one.holder,
                one.account,
                one.signed_on,
                one.used_on,
                one.sequence.value,
                f"{one.state.value} ({one.reason})" if one.reason else one.state.value,
            )
            for one in found
        ],
    )


@sepa.command("revoke", cls=Command)
@click.argument("mandate", type=int)
@click.option("--reason", required=True)
@at_option
@click.pass_obj
def revoke(app: App, mandate: int, reason: str, at: datetime) -> None:
    """Collect nothing by a mandate any more."""
    made = sepa_mandates.revoke(app.context, mandate, reason, at)
    app.show(made, _mandate_line(made))


@sepa.command("collect", cls=Command)
@_GATEWAY
@click.option("--on", "collect_on", type=DAY, help="The day; the earliest one unless given.")
@click.option("--dry-run", is_flag=True, help="Only say what would be collected.")
@at_option
@click.pass_obj
def collect(app: App, gateway: str, collect_on: date | None, dry_run: bool, at: datetime) -> None:
    """Put bills that are due by then, and recharges that wait, into a file for the bank.

    Payers are told at once. Each bill is in one file: run it as often as you like.
    """
    context = app.context
    gateway_id = gateways.find(context, gateway).gateway_id
    run = sepa_preview.preview if dry_run else sepa_run.collect
    report = run(context, Gateways(open_gateway), gateway_id, at, collect_on=collect_on)
    lines = [_collection_line(one) for one in report.collections]
    lines += [f"left out: {one}" for one in report.left_out]
    count = len(report.collections)
    if report.file is not None:
        lines.append(_file_line(report.file))
        lines.append(f"write it by `tollway sepa file {report.file.file_id} --to FILE.xml`")
    elif count:
        total = show_money(report.total_micros, CURRENCY)
        lines.append(f"would collect {total} by {count} debits on {report.collect_on}")
    else:
        lines.append("nothing is to be collected")
    app.show(report, *lines)


@sepa.command("files", cls=Command)
@click.option("--limit", type=int, default=50, show_default=True)
@click.pass_obj
def files(app: App, limit: int) -> None:
    """The newest first."""
    found = sepa_files.files(app.context, limit=limit)
    app.show_table(
        found,
        ("file", "made", "gateway", "collects on", "debits", "total", "awaited", "by"),
        [
            (
                one.file_id,
                show_instant(one.made_at),
                one.gateway,
                one.collect_on,
                one.collections,
                show_money(one.total_micros, CURRENCY),
                one.open_count,
                one.made_by,
            )
            for one in found
        ],
    )


@sepa.command("file", cls=Command)
@click.argument("file", type=int)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
@at_option
@click.pass_obj
def file(app: App, file: int, to: Path | None, at: datetime) -> None:
    """What a file collects; with --to the file itself, each time the same."""
    context = app.context
    if to is not None:
        body = sepa_files.content(context, file, at)
        try:
            to.touch(mode=_PRIVATE)
            to.write_bytes(body)
        except OSError as error:
            raise InvalidInput(f"cannot be written: {error.strerror}", field="to") from None
        app.show({"file": file, "octets": len(body)}, f"wrote {len(body)} octets")
        return
    found, collections = sepa_files.file(context, file)
    app.show(
        {"file": found, "collections": collections},
        _file_line(found),
        *(_collection_line(one) for one in collections),
    )


@sepa.command("arrived", cls=Command)
@click.argument("file", type=int)
@at_option
@click.pass_obj
def arrived(app: App, file: int, at: datetime) -> None:
    """The money of a file has come, of all that was not returned.

    A bank statement that names the file says so by itself (`tollway bank import`).
    """
    found, credited = sepa_results.arrived(app.context, file, at)
    app.show({"file": found, "credited": credited}, f"{credited} debits of {found.message_id} came")


@sepa.command("returned", cls=Command)
@click.argument("reference", required=False)
@click.option("--reason", help="The bank's code, like AM04 or MD01.")
@click.option("--csv", "file", type=click.Path(path_type=Path), help="Many, of a file.")
@at_option
@click.pass_obj
def returned(
    app: App, reference: str | None, reason: str | None, file: Path | None, at: datetime
) -> None:
    """A collection was not paid or was taken back: its end-to-end id, or its payment's number."""
    context = app.context
    if file is not None and reference is None and reason is None:
        body = _body(file, sepa_returns.FILE_LIMIT, "csv")
        found = sepa_returns.import_returns(context, body, at)
    elif file is None and reference is not None and reason is not None:
        found = [sepa_returns.returned(context, reference, reason, at)]
    else:
        raise click.UsageError("give a reference with --reason, or a file with --csv")
    app.show(found, *(_return_line(one) for one in found))


@sepa.command("status", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would become of each line.")
@at_option
@click.pass_obj
def status(app: App, file: Path, dry_run: bool, at: datetime) -> None:
    """Carry out what the bank answers to a file of debits (pain.002): what it refuses has failed.

    Import it as often as you like. What came back later is in statements (`tollway bank import`).
    """
    body = _body(file, bank_files.FILE_LIMIT, "file")
    report = sepa_status.import_status(app.context, body, at, dry_run=dry_run)
    app.show(report, *(_status_line(one) for one in report.lines), _status_summary(report))


@sepa.command("again", cls=Command)
@click.argument("payment", type=int, required=False)
@click.option("--file", "file_id", type=int, help="All of this file that came back.")
@at_option
@click.pass_obj
def again(app: App, payment: int | None, file_id: int | None, at: datetime) -> None:
    """Collect what came back once more, by the next file: each debt once."""
    if (payment is None) == (file_id is None):
        raise click.UsageError("give a payment's number, or a file with --file")
    left: list[tuple[int, str]] = []
    if payment is not None:
        begun = [sepa_again.collect_again(app.context, payment, at)]
    else:
        begun, left = sepa_again.collect_all_again(app.context, file_id or 0, at)
    lines = [
        f"payment {one.attempt_id}, {show_money(one.amount_micros, one.currency)}, waits for the"
        " next file: `tollway sepa collect`"
        for one in begun
    ]
    lines += [f"payment {number}: {words}" for number, words in left]
    app.show({"begun": begun, "left": left}, *(lines or ["nothing of it came back"]))


def _body(file: Path, limit: int, field: str) -> bytes:
    """An octet more than may be, so that the service says that it is too long."""
    try:
        with file.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=field) from None


def _status_line(one: StatusLine) -> str:
    amount = "" if one.amount_micros is None else f", {show_money(one.amount_micros, CURRENCY)}"
    ended = "; the mandate is revoked" if one.mandate_revoked else ""
    return f"{one.reference}{amount}: {one.effect.value.replace('_', ' ')} ({one.words}){ended}"


def _status_summary(report: StatusImport) -> str:
    did = "would fail" if report.dry_run else "failed"
    return (
        f"{report.original_id}: {report.refused} {did}, {report.known} known already,"
        f" {report.unplaced} to look into"
    )


def _mandate_line(one: MandateView) -> str:
    return (
        f"mandate {one.mandate_id}: {one.reference}, {one.holder}, {one.account}, {one.state.value}"
    )


def _file_line(one: FileView) -> str:
    total = show_money(one.total_micros, CURRENCY)
    return (
        f"file {one.file_id} ({one.message_id}): {one.collections} debits, {total}, on"
        f" {one.collect_on}; {one.open_count} awaited"
    )


def _collection_line(one: CollectionView) -> str:
    what = one.invoice_number or "credit"
    amount = show_money(one.amount_micros, CURRENCY)
    ended = f" {one.returned_for}" if one.returned_for else ""
    number = one.end_to_end_id or "not begun"
    return (
        f"{number}: {one.customer_name}, {what}, {amount}, {one.mandate}"
        f" {one.sequence.value}, {one.state.value.replace('_', ' ')}{ended}"
    )


def _return_line(one: ReturnReport) -> str:
    amount = show_money(one.amount_micros, CURRENCY)
    ended = "; the mandate is revoked" if one.mandate_revoked else ""
    effect = one.effect.value.replace("_", " ")
    return f"payment {one.attempt_id}, {amount}: {effect} ({one.reason}){ended}"
