"""`tollway bill pdf` and `tollway bill xml`."""

from __future__ import annotations

from pathlib import Path

import click

from billing.cli.app import App, Command
from billing.documents.cii import to_xml
from billing.documents.pdf import bill_to_pdf
from billing.errors import InvalidInput
from billing.model.documents import CreditDocument, Paper
from billing.services import designs, documents

_number = click.argument("number")
_out = click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File that is (over)written."
)
_org = click.option("--org", type=int, help="Where several organisations have that number.")


@click.command("pdf", cls=Command)
@_number
@_out
@click.option(
    "--size",
    type=click.Choice([paper.value for paper in Paper]),
    default=Paper.A4.value,
    show_default=True,
    help="A4 pages, or a strip of 80 mm.",
)
@click.option(
    "--e-invoice/--no-e-invoice",
    default=None,
    help="With its XML in it (EN 16931, Factur-X) or without; as it was issued unless given.",
)
@_org
@click.pass_obj
def pdf(
    app: App, number: str, out: Path, size: str, e_invoice: bool | None, org: int | None
) -> None:  # fmt: skip
    """Write a bill, as it stands now, or a credit note as PDF."""
    paper = Paper(size)
    if e_invoice and paper is not Paper.A4:
        raise click.UsageError("an e-invoice is on A4")
    bill = documents.by_number(app.context, number, org_id=org)
    design = designs.design_of(app.context, bill.org_id)
    write(out, bill_to_pdf(bill, paper, design, e_invoice=e_invoice))
    words = "credit note" if isinstance(bill, CreditDocument) else "bill"
    app.show({"number": bill.number, "file": str(out)}, f"{words} {bill.number} is in {out}")


@click.command("xml", cls=Command)
@_number
@_out
@_org
@click.pass_obj
def xml(app: App, number: str, out: Path, org: int | None) -> None:
    """Write a bill or a credit note as e-invoice (EN 16931, CII)."""
    bill = documents.by_number(app.context, number, org_id=org)
    write(out, to_xml(bill))
    app.show({"number": bill.number, "file": str(out)}, f"e-invoice {bill.number} is in {out}")


def write(out: Path, octets: bytes) -> None:
    """Raises InvalidInput(field="out")."""
    try:
        out.write_bytes(octets)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}", field="out") from None
