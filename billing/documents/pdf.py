"""A page of HTML as PDF, in which nothing is read but what the page itself holds (rule I3)."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from io import BytesIO
from math import ceil
from typing import Any
from urllib.parse import unquote_to_bytes

from billing.documents.html import to_html
from billing.documents.sample import FULL
from billing.errors import InvalidInput, Refused, Unavailable
from billing.model.designs import InvoiceDesign
from billing.model.documents import Paper

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


def to_pdf(html: str, paper: Paper = Paper.A4) -> bytes:
    """The same page gives the same octets. A receipt is one strip as long as its text.

    WeasyPrint takes a second or two to import: whoever renders pays, nobody else. Raises
    Unavailable when a library of the system is missing, Refused when it cannot be set.
    """
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise Unavailable(f"{_first_line(error)}; install {_LIBRARIES}") from None

    class Nothing(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        """Answers for pictures that stand in the page; for every address it raises."""

        def fetch(self, url: str, headers: object = None) -> Any:
            return _picture(url)

    def laid_out() -> bytes:
        page = HTML(string=html, url_fetcher=Nothing(), base_url=_BASE)
        document = page.render()
        if len(document.pages) > PAGES_LIMIT:
            raise Refused(f"more than {PAGES_LIMIT} pages")
        if paper is Paper.RECEIPT and len(document.pages) == 1:
            size = f"{_RECEIPT_WIDTH_MM}mm {_length_mm(document)}mm"
            document = page.render(stylesheets=[CSS(string=f"@page {{ size: {size} !important }}")])
        identifier = sha256(html.encode()).digest()[:16]
        written: bytes = document.write_pdf(pdf_identifier=identifier)
        return written

    try:
        return laid_out()
    except Refused:
        raise
    except Exception as error:  # whatever a style sheet of an operator's own makes it stumble over
        raise Refused(f"the document cannot be set: {error}") from error


def try_design(design: InvoiceDesign) -> None:
    """Set a bill of nobody by it. Raises InvalidInput when it cannot be set."""
    try:
        if design.logo is not None:
            _picture(design.logo)
    except Refused as error:
        raise InvalidInput(error.message, field="logo") from None
    try:
        for paper in Paper:
            to_pdf(to_html(FULL, paper, design), paper)
    except Refused as error:
        raise InvalidInput(error.message, field="template" if design.template else "css") from None


def _picture(url: str) -> Any:
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


def _check_pixels(octets: bytes) -> None:
    from PIL import Image

    try:
        with Image.open(BytesIO(octets), formats=("PNG", "JPEG")) as picture:
            pixels = picture.width * picture.height
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
