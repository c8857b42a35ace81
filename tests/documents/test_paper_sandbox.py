"""What a bill is made of cannot reach files or the network (rule I3, security.md)."""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from billing.documents.checks import logo_address
from billing.documents.html import to_html
from billing.documents.pdf import try_design
from billing.documents.press import picture
from billing.documents.press import set_page as to_pdf
from billing.errors import InvalidInput, Refused
from billing.model.designs import InvoiceDesign
from tests.documents.paper import text_of, with_lines

_SECRET = "octets of another file"


@pytest.fixture
def callers() -> Iterator[tuple[str, list[str]]]:
    """Address of a server on loopback, and who connected to it."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, peer = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    seen.append(str(peer))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", seen
        stop.set()
        thread.join()


class Watch:
    """What this process opens and connects to while it is on; a hook cannot be taken back."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self.seen.append(os.fsdecode(arguments[0]))
        elif event == "socket.connect":
            self.seen.append(f"connect {arguments[1]}")


@cache
def watch() -> Watch:
    return Watch()


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Files and connections of this process during the test."""
    watch().seen.clear()
    watch().on = True
    yield watch().seen
    watch().on = False


def page(body: str = "", css: str = "", head: str = "") -> str:
    return f"<html><head>{head}<style>{css}</style></head><body>plain {body}</body></html>"


def attempts(address: str) -> list[str]:
    """Every way by which a page or its style sheet can name something else."""
    return [
        page(f"<img src='{address}'>"),
        page(f"<img srcset='{address} 1x'>"),
        page(f"<object data='{address}'></object><embed src='{address}'>"),
        page(f"<iframe src='{address}'></iframe>"),
        page(f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{address}'/></svg>"),
        page(f"<svg xmlns='http://www.w3.org/2000/svg'><use href='{address}#a'/></svg>"),
        page(f"<a rel='attachment' href='{address}'>file</a>"),
        page(head=f"<link rel='stylesheet' href='{address}'>"),
        page(head=f"<link rel='attachment' href='{address}'>"),
        page(head=f"<base href='{address}'>", body="<img src='x.png'>"),
        page(css=f"@import url('{address}');"),
        page(css=f"body {{ background: url('{address}') }}"),
        page(css=f"body {{ border-image: url('{address}') 1 }}"),
        page(css=f"body::before {{ content: url('{address}') }}"),
        page(css=f"li {{ list-style-image: url('{address}') }}", body="<ul><li>one</ul>"),
        page(css=f"@font-face {{ font-family: x; src: url('{address}') }} body {{ font: 9pt x }}"),
        page(css=f"@page {{ @top-left {{ content: url('{address}') }} }}"),
        page(css=f"@color-profile x {{ src: url('{address}') }}"),
    ]


def test_no_file_is_read(tmp_path: Path, opened: list[str]) -> None:
    target = tmp_path / "secret.txt"
    target.write_text(_SECRET)
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    to_pdf(page())  # what rendering itself needs is read and imported by now
    opened.clear()
    for address in (target.as_uri(), str(target), f"FILE://{target}", tmp_path.as_uri() + "/x.png"):
        for html in attempts(address):
            octets = to_pdf(html)
            assert "plain" in text_of(octets)
            assert _SECRET not in text_of(octets) and _SECRET.encode() not in octets
            assert b"/EmbeddedFile" not in octets and b"/Image" not in octets
    assert [name for name in opened if str(tmp_path) in name] == []


def test_no_connection_is_made(callers: tuple[str, list[str]], opened: list[str]) -> None:
    host, seen = callers
    for scheme in ("http", "https", "ftp", "HTTP"):
        for html in attempts(f"{scheme}://{host}/x.png"):
            assert "plain" in text_of(to_pdf(html))
    assert seen == [] and [name for name in opened if name.startswith("connect")] == []


def test_the_watch_sees_what_it_must(
    tmp_path: Path, callers: tuple[str, list[str]], opened: list[str]
) -> None:
    """The two tests above would fail if something was opened."""
    target = tmp_path / "seen.txt"
    target.write_text("seen")
    host, port = callers[0].split(":")
    socket.create_connection((host, int(port))).close()
    assert any(str(target) in name for name in opened)
    assert any(name.startswith("connect") for name in opened)


def _png(width: int, height: int) -> bytes:
    """A picture of nothing: its head says how large it is."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


def _data(kind: str, octets: bytes) -> str:
    return f"data:{kind};base64,{b64encode(octets).decode()}"


def test_pictures_that_stand_in_the_page_are_shown() -> None:
    for kind, form in (("image/png", "PNG"), ("image/jpeg", "JPEG")):
        store = io.BytesIO()
        Image.new("RGB", (4, 4), "red").save(store, form)
        assert b"/Image" in to_pdf(page(f"<img src='{_data(kind, store.getvalue())}'>"))


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
        ("image/png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("image/png", _png(20_000, 20_000)),
        ("image/png", _png(6_000, 6_000)),
        ("image/jpeg", b"\xff\xd8\xff and so on"),
        ("application/postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("text/css", b"body { color: red }"),
    ],
)
def test_other_kinds_of_data_and_bombs_are_not(kind: str, octets: bytes) -> None:
    address = _data(kind, octets)
    with pytest.raises(Refused):
        picture(address)
    octets = to_pdf(page(f"<img src='{address}'>"))
    assert b"/Image" not in octets and "plain" in text_of(octets)


def test_what_people_write_is_text() -> None:
    wicked = (
        "<img src=x onerror=1>",
        "{{ 7 * 7 }}",
        "</style><script>alert(1)</script>",
        "Fish & Chips <3",
    )
    html = to_html(with_lines(*wicked))
    assert "<script" not in html and "<img" not in html
    text = text_of(to_pdf(html))
    assert [words for words in wicked if words not in text] == []


@pytest.mark.rule("I3")
def test_a_design_that_cannot_be_set_is_refused() -> None:
    try_design(InvoiceDesign())
    endless = "@page { size: 90mm 10mm; margin: 0 } .due { break-inside: auto; white-space: pre }"
    endless += f".due::before {{ content: '{chr(92)}a {(chr(92) + 'a ') * 1500}' }}"
    with pytest.raises(InvalidInput, match="more than 500 pages") as caught:
        try_design(InvoiceDesign(css=endless))
    assert caught.value.field == "css"
    for octets in (b"\xff\xd8\xff and so on", _png(6_000, 6_000)):
        with pytest.raises(InvalidInput, match="picture") as caught:
            try_design(InvoiceDesign(logo=logo_address(octets)))
        assert caught.value.field == "logo"
