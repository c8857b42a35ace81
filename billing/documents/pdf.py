"""Bills as PDF. What an operator wrote is set by a process of its own: a style sheet that would
take for ever, or all of the memory, ends that process and nothing else (rule I3)."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from billing.documents.cii import to_xml
from billing.documents.html import PLAIN, statement_to_html, to_html
from billing.documents.press import CPU_SECONDS, Embedded, delivered, order, picture, set_page
from billing.documents.sample import FULL
from billing.errors import InvalidInput, Refused, Unavailable
from billing.model.designs import InvoiceDesign
from billing.model.documents import BillDocument, Paper
from billing.model.statements import Statement

log = logging.getLogger(__name__)

WAIT_SECONDS = 90
"""Longer than CPU_SECONDS: the machine may be busy."""
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
_ROOT = Path(__file__).resolve().parents[2]
_TOO_MUCH = (
    "the document takes too long or too much memory to set; make the design's style sheet simpler"
)


def bill_to_pdf(
    bill: BillDocument,
    paper: Paper = Paper.A4,
    design: InvoiceDesign = PLAIN,
    *,
    e_invoice: bool | None = None,
) -> bytes:
    """A bill or a credit note; on A4 as an e-invoice (PDF/A-3 with its XML in it) when it was
    issued as one, unless `e_invoice` says otherwise.

    Raises InvalidFields (what an e-invoice needs is missing), Refused, Unavailable.
    """
    wanted = bill.e_invoice if e_invoice is None else e_invoice
    embedded = None
    if wanted and paper is Paper.A4:
        embedded = Embedded(to_xml(bill), bill.issued_on)
    html = to_html(bill, paper, design)
    # A process of its own takes a second more; the product's own pages are no danger.
    return (to_pdf if design.has_own_words else set_page)(html, paper, embedded)


def statement_to_pdf(statement: Statement, design: InvoiceDesign = PLAIN) -> bytes:
    """A statement of account. Raises Refused, Unavailable."""
    html = statement_to_html(statement, design)
    return set_page(html) if design.css is None else to_pdf(html)


def to_pdf(
    html: str,
    paper: Paper = Paper.A4,
    embedded: Embedded | None = None,
    *,
    cpu_seconds: int = CPU_SECONDS,
) -> bytes:
    """As `press.set_page`, in a process of its own. Raises Refused (also when it took too long or
    too much memory), Unavailable."""
    return _pressed([(html, paper)], embedded, cpu_seconds)[0]


def all_to_pdf(pages: Sequence[tuple[str, Paper]]) -> list[bytes | None]:
    """Several pages, set by one process; None for one that cannot be set. Raises Unavailable."""
    try:
        return [*_pressed(pages)] if pages else []
    except Refused as error:
        if len(pages) == 1:
            log.warning("a paper cannot be set: %s", error)
            return [None]
    return [made for page in pages for made in all_to_pdf([page])]


def try_design(design: InvoiceDesign) -> None:
    """Set a bill of nobody by it. Raises InvalidInput when it cannot be set."""
    try:
        if design.logo is not None:
            picture(design.logo)
    except Refused as error:
        raise InvalidInput(error.message, field="logo") from None
    try:
        _pressed([(to_html(FULL, paper, design), paper) for paper in Paper])
    except Refused as error:
        raise InvalidInput(error.message, field="template" if design.template else "css") from None


def _pressed(
    pages: Sequence[tuple[str, Paper]],
    embedded: Embedded | None = None,
    cpu_seconds: int = CPU_SECONDS,
) -> list[bytes]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "billing.documents.press"],
            input=order(pages, embedded, cpu_seconds),
            capture_output=True,
            timeout=WAIT_SECONDS,
            env=_surroundings(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(_TOO_MUCH) from None
    if done.returncode == 0:
        return delivered(done.stdout)
    if done.returncode < 0:  # ended by a signal: its limits
        raise Refused(_TOO_MUCH)
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == Unavailable.exit_code:
        raise Unavailable(said)
    if done.returncode == Refused.exit_code:
        raise Refused(said)
    raise Refused(f"the document cannot be set: {said[-500:]}")


def _surroundings() -> dict[str, str]:
    """Where programs, fonts and this package are; nothing of the installation."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
