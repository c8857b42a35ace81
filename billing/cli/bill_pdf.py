"""`tollway bill pdf`."""

from __future__ import annotations

from pathlib import Path

import click

from billing.cli.app import App, Command
from billing.documents.html import to_html
from billing.documents.pdf import to_pdf
from billing.errors import InvalidInput
from billing.model.documents import CreditDocument, Paper
from billing.services import designs, documents


@click.command("pdf", cls=Command)
@click.argument("number")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="File that is (over)written."
)
@click.option(
    "--size",
    type=click.Choice([paper.value for paper in Paper]),
    default=Paper.A4.value,
    show_default=True,
    help="A4 pages, or a strip of 80 mm.",
)
@click.option("--org", type=int, help="Where several organisations have that number.")
@click.pass_obj
def pdf(app: App, number: str, out: Path, size: str, org: int | None) -> None:
    """Write a bill, as it stands now, or a credit note as PDF."""
    paper = Paper(size)
    bill = documents.by_number(app.context, number, org_id=org)
    design = designs.design_of(app.context, bill.org_id)
    octets = to_pdf(to_html(bill, paper, design), paper)
    try:
        out.write_bytes(octets)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}", field="out") from None
    words = "credit note" if isinstance(bill, CreditDocument) else "bill"
    app.show({"number": bill.number, "file": str(out)}, f"{words} {bill.number} is in {out}")
