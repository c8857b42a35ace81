"""A page of HTML as PDF, in which nothing is read but what the page itself holds (rule I3).

Run as a program it sets pages, under limits of time and memory: what `pdf.py` hands it on standard
input, as PDF on standard output. WeasyPrint takes most of a second to import: whoever sets
a page pays, nobody else.
"""

from __future__ import annotations

import json
import resource
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from io import BytesIO
from math import ceil
from typing import Any
from urllib.parse import unquote_to_bytes

from billing.documents import xmp
from billing.documents.cii import FILE_NAME
from billing.errors import Refused, TollwayError, Unavailable
from billing.model.documents import Paper

CPU_SECONDS = 20
MEMORY_OCTETS = 2_000_000_000
PAGES_LIMIT = 500
IMAGE_OCTETS = 400_000
IMAGE_PIXELS = 16_000_000
_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_LIBRARIES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
# Relative addresses need some base; nothing of it is ever asked for.
_BASE = "http://bill.invalid/"
_PX_PER_MM = 96 / 25.4
_RECEIPT_WIDTH_MM = 80
_RECEIPT_MARGIN_MM = 4


@dataclass(frozen=True, slots=True)
class Embedded:
    """An e-invoice that is carried in the PDF, and the day of its issue."""

    xml: bytes
    issued_on: date


def set_page(html: str, paper: Paper = Paper.A4, embedded: Embedded | None = None) -> bytes:
    """The same page gives the same octets. A receipt is one strip as long as its text. With an
    e-invoice it is PDF/A-3b.

    Raises Unavailable when a library of the system is missing, Refused when it cannot be set.
    """
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise Unavailable(f"{_first_line(error)}; install {_LIBRARIES}") from None

    class Nothing(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        """Answers for pictures that stand in the page; for every address it raises."""

        def fetch(self, url: str, headers: object = None) -> Any:
            return picture(url)

    def laid_out() -> bytes:
        page = HTML(string=html, url_fetcher=Nothing(), base_url=_BASE)
        document = page.render()
        if len(document.pages) > PAGES_LIMIT:
            raise Refused(f"more than {PAGES_LIMIT} pages")
        if paper is Paper.RECEIPT and len(document.pages) == 1:
            size = f"{_RECEIPT_WIDTH_MM}mm {_length_mm(document)}mm"
            document = page.render(stylesheets=[CSS(string=f"@page {{ size: {size} !important }}")])
        identifier = sha256(html.encode()).digest()[:16]
        options = {} if embedded is None else _embed(document, embedded)
        written: bytes = document.write_pdf(pdf_identifier=identifier, **options)
        return written

    try:
        return laid_out()
    except Refused:
        raise
    except Exception as error:  # whatever a style sheet of an operator's own makes it stumble over
        raise Refused(f"the document cannot be set: {error}") from error


def picture(url: str) -> Any:
    """The decoded picture of a `data:` address. Raises Refused for anything else."""
    from weasyprint.urls import URLFetcherResponse

    head, comma, body = url.partition(",")
    kind, *parameters = head.removeprefix("data:").split(";")
    signature = _SIGNATURES.get(kind.lower())
    if not head.startswith("data:") or not comma or signature is None:
        raise Refused("documents are made of what they hold: no address is opened")
    octets = unquote_to_bytes(body)
    if "base64" in parameters:
        octets = b64decode(octets)
    if len(octets) > IMAGE_OCTETS or not octets.startswith(signature):
        raise Refused(f"not a {kind} of at most {IMAGE_OCTETS} octets")
    _check_pixels(octets)
    return URLFetcherResponse(url, octets, {"Content-Type": kind.lower()})


def order(
    pages: Sequence[tuple[str, Paper]], embedded: Embedded | None, cpu_seconds: int
) -> bytes:  # fmt: skip
    """What the program reads."""
    told: dict[str, object] = {"pages": pages, "cpu_seconds": cpu_seconds}
    if embedded is not None:
        told["xml"] = b64encode(embedded.xml).decode()
        told["issued_on"] = embedded.issued_on.isoformat()
    return json.dumps(told).encode()


def delivered(octets: bytes) -> list[bytes]:
    """What the program wrote: a PDF for each page of the order."""
    return [b64decode(one) for one in json.loads(octets)]


def main() -> int:
    """All pages of the order; an error that people may read goes to standard error, with its exit
    code."""
    told = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_CPU, (told["cpu_seconds"],) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS, MEMORY_OCTETS))
    embedded = None
    if "xml" in told:
        embedded = Embedded(b64decode(told["xml"]), date.fromisoformat(told["issued_on"]))
    try:
        made = [set_page(html, Paper(paper), embedded) for html, paper in told["pages"]]
    except TollwayError as error:
        sys.stderr.write(error.message)
        return error.exit_code
    json.dump([b64encode(octets).decode() for octets in made], sys.stdout)
    return 0


def _embed(document: Any, embedded: Embedded) -> dict[str, Any]:
    """Options that make it PDF/A-3b; the same e-invoice gives the same octets."""
    from datetime import UTC, datetime, time

    from weasyprint import Attachment

    issued = datetime.combine(embedded.issued_on, time(), UTC)
    plain = document.metadata.generate_rdf_metadata
    # One RDF for all of it, as readers look at the first only.
    document.metadata.generate_rdf_metadata = lambda *form: xmp.extended(plain(*form))
    attachment = Attachment(
        string=embedded.xml,
        name=FILE_NAME,
        description="Factur-X",
        relationship="Alternative",
        created=issued,
        modified=issued,
    )
    return {"pdf_variant": "pdf/a-3b", "attachments": [attachment]}


def _check_pixels(octets: bytes) -> None:
    from PIL import Image

    try:
        with Image.open(BytesIO(octets), formats=("PNG", "JPEG")) as opened:
            pixels = opened.width * opened.height
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise Refused("not a picture that can be read") from error
    if pixels > IMAGE_PIXELS:
        raise Refused(f"a picture of more than {IMAGE_PIXELS} pixels")


def _length_mm(document: Any) -> int:
    """How much paper the text of a strip needs, margins included."""
    root = document.pages[0]._page_box.children[0]
    return ceil(float(root.height) / _PX_PER_MM) + 2 * _RECEIPT_MARGIN_MM + 1


def _first_line(error: OSError) -> str:
    return str(error).strip().split("\n", 1)[0]


if __name__ == "__main__":
    sys.exit(main())
