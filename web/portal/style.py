"""How the portal looks: Pico, sent compressed, and the colour of whose hotspot it is."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from flask import Response, current_app, request

from web.guards import public
from web.portal import blueprint
from web.portal.guests import brand, hotspot

_PICO = "vendor/pico/pico.classless.min.css"
# The text of its buttons stays white on its own blue; a brand's colour is a line.
_OWN = (
    "main{max-width:30rem}body>header{padding-bottom:0}"
    ".code{font-size:1.6rem;font-family:monospace}"
)


@cache
def _sheet(folder: str) -> tuple[bytes, bytes]:
    """The style, plain and compressed."""
    plain = (Path(folder) / _PICO).read_bytes() + _OWN.encode()
    return plain, gzip.compress(plain, mtime=0)


@blueprint.get("/style.css")
@public
def style() -> Response:
    """Public: the same for everybody, so browsers may keep it. A tenth of it is sent where the
    browser takes it compressed."""
    plain, small = _sheet(str(current_app.static_folder))
    answer = Response(plain, mimetype="text/css")
    if "gzip" in request.accept_encodings:
        answer = Response(small, mimetype="text/css", headers={"Content-Encoding": "gzip"})
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer


@blueprint.get("/<key>/brand.css")
@public
def brand_css(key: str) -> Response:
    """Public: the colour of whose hotspot it is."""
    accent = brand(hotspot(key)).accent
    rule = f"body{{border-top:.4rem solid {accent}}}" if accent else ""
    return Response(rule, mimetype="text/css")
