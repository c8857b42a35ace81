"""`tollway receipt`."""

from __future__ import annotations

from pathlib import Path

import click

from billing.cli.app import App, Command, Group
from billing.cli.units import show_money
from billing.documents.html import receipt_to_html
from billing.documents.pdf import to_pdf
from billing.errors import InvalidInput
from billing.model.documents import Paper
from billing.services import customers, designs
from billing.services import receipts as services


@click.group(cls=Group)
def receipt() -> None:
    """Receipts of sales and of money that came in."""


@receipt.command("show", cls=Command)
@click.argument("number")
@click.option("--org", type=int, help="Where several organisations have that number.")
@click.pass_obj
def show(app: App, number: str, org: int | None) -> None:
    """What a receipt says."""
    found = services.by_number(app.context, number, org_id=org)
    taxes = [
        f"tax {one.tax_rate_ppm / 10_000:g} % of {show_money(one.net_micros, found.currency)}: "
        f"{show_money(one.tax_micros, found.currency)}"
        for one in found.tax_totals
    ]
    if found.rounding_micros:
        taxes.append(f"rounding: {found.rounding_micros} micros")
    reference = f", {found.reference}" if found.reference else ""
    app.show(
        found,
        f"receipt {found.number} of {found.issued_on}: {found.buyer.name}",
        *(f"{line.text}: {show_money(line.net_micros, found.currency)}" for line in found.lines),
        *taxes,
        f"total: {show_money(found.total_micros, found.currency)}, by {found.paid_by}{reference}",
    )


@receipt.command("list", cls=Command)
@click.argument("customer")
@click.option("--limit", type=int, default=24, show_default=True)
@click.pass_obj
def list_(app: App, customer: str, limit: int) -> None:
    """A customer's receipts, newest first; CUSTOMER is a number or a name."""
    customer_id = customers.find_customer(app.context, customer).customer_id
    found = services.of_customer(app.context, customer_id, limit=limit)
    app.show_table(
        found,
        ("number", "issued", "of", "total", "tax", "by", "reference"),
        [
            (
                one.number,
                one.issued_on,
                one.kind.value.replace("_", " "),
                show_money(one.total_micros, one.currency),
                show_money(one.tax_micros, one.currency),
                one.paid_by,
                one.reference,
            )
            for one in found
        ],
    )


@receipt.command("pdf", cls=Command)
@click.argument("number")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File that is (over)written."
)
@click.option(
    "--size",
    type=click.Choice([paper.value for paper in Paper]),
    default=Paper.RECEIPT.value,
    show_default=True,
    help="A4 pages, or a strip of 80 mm.",
)
@click.option("--org", type=int, help="Where several organisations have that number.")
@click.pass_obj
def pdf(app: App, number: str, out: Path, size: str, org: int | None) -> None:
    """Write a receipt as PDF."""
    paper = Paper(size)
    found = services.by_number(app.context, number, org_id=org)
    design = designs.design_of(app.context, found.org_id)
    octets = to_pdf(receipt_to_html(found, paper, design), paper)
    try:
        out.write_bytes(octets)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}", field="out") from None
    app.show({"number": found.number, "file": str(out)}, f"receipt {found.number} is in {out}")
