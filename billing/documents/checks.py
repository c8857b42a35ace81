"""What is wrong with a design, before it is kept: each problem with its field (rule I3)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

import tinycss2
from jinja2 import TemplateError, TemplateSyntaxError, nodes

from billing.documents.environment import filters, sandbox
from billing.documents.sample import BARE, FULL
from billing.errors import InvalidInput
from billing.model.designs import NEEDED_BLOCKS, CardDesign, InvoiceDesign

LOGO_OCTETS = 200_000
CARD_WIDTHS_MM, CARD_HEIGHTS_MM = (40, 190), (20, 130)
CARD_TEXT_CHARACTERS = 200
TEXT_CHARACTERS = {"css": 20_000, "template": 20_000, "footer": 2_000}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LOGO_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_PICTURE = re.compile(r"data:image/(png|jpeg)[;,]", re.IGNORECASE)
_LOGO = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")
_ABSENT = re.compile(r"has no attribute ('\w+')")
_ADDRESS_FUNCTIONS = {"url", "src", "image", "image-set"}
_PLAIN_FILTERS = {*filters(), "upper", "lower", "trim"}
# Whatever is not here could take for ever or fill the memory: each of these is done once.
_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr,
    nodes.Filter, nodes.If, nodes.For, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or,
)  # fmt: skip


def logo_address(octets: bytes) -> str:
    """A PNG or JPEG of at most 200 kB as a `data:` address. Raises InvalidInput(field="logo")."""
    kind = next((kind for head, kind in _LOGO_KINDS.items() if octets.startswith(head)), None)
    if kind is None:
        raise InvalidInput("neither a PNG nor a JPEG picture", field="logo")
    if len(octets) > LOGO_OCTETS:
        raise InvalidInput(f"larger than {LOGO_OCTETS // 1000} kB", field="logo")
    return f"data:{kind};base64,{b64encode(octets).decode()}"


def problems(design: InvoiceDesign) -> list[tuple[str, str]]:
    """(field, reason) each; none when every bill can be set by it."""
    found = [*_plain_problems(design)]
    for field, problem in (
        ("footer", template_problem), ("template", template_problem), ("css", css_problem),
    ):  # fmt: skip
        text = getattr(design, field)
        if text is not None and (reason := problem(text)) is not None:
            found.append((field, reason))
    return found or [*_trial_problems(design)]


def card_problems(design: CardDesign) -> list[tuple[str, str]]:
    """The same of voucher cards."""
    found = [
        (field, f"{colour!r} is no colour: write it like #206bc4")
        for field, colour in (("accent", design.accent), ("paper", design.paper))
        if not _COLOUR.fullmatch(colour)
    ]
    for field, size, (least, most) in (
        ("width_mm", design.width_mm, CARD_WIDTHS_MM),
        ("height_mm", design.height_mm, CARD_HEIGHTS_MM),
    ):
        if not least <= size <= most:
            found.append((field, f"must be {least} to {most} mm: sheets are A4"))
    if design.text is not None and len(design.text) > CARD_TEXT_CHARACTERS:
        found.append(("text", f"must have {CARD_TEXT_CHARACTERS} characters at most"))
    if design.logo is not None and not _LOGO.fullmatch(design.logo):
        found.append(("logo", "neither a PNG nor a JPEG picture"))
    if design.css is not None:
        most = TEXT_CHARACTERS["css"]
        reason = f"must have {most} characters at most" if len(design.css) > most else None
        reason = reason or css_problem(design.css)
        found += [("css", reason)] if reason else []
    return found


def css_problem(css: str) -> str | None:
    """The first thing that a style sheet must not have, with its line."""
    return next(_css_problems(tinycss2.parse_stylesheet(css)), None)


def template_problem(text: str) -> str | None:
    """The first thing that a template must not have, with its line: it may show values of the
    bill, choose by them and go once through lists of it."""
    try:
        tree = sandbox().parse(text)
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    return next(_node_problems(tree, names={"bill"}, looping=False), None)


def _plain_problems(design: InvoiceDesign) -> Iterator[tuple[str, str]]:
    if not _COLOUR.fullmatch(design.accent):
        yield "accent", f"{design.accent!r} is no colour: write it like #206bc4"
    if len(set(design.blocks)) != len(design.blocks):
        yield "blocks", "a block can stand there once only"
    missing = [block.value for block in NEEDED_BLOCKS if block not in design.blocks]
    if missing:
        yield "blocks", f"no bill is one without {', '.join(missing)}"
    if design.logo is not None and not _LOGO.fullmatch(design.logo):
        yield "logo", "neither a PNG nor a JPEG picture"
    for field, limit in TEXT_CHARACTERS.items():
        if len(getattr(design, field) or "") > limit:
            yield field, f"longer than {limit} characters"


def _css_problems(found: Iterable[Any]) -> Iterator[str]:
    for node in found:
        where = f"line {node.source_line}"
        if node.type == "error":
            yield f"{where}: {node.message}"
        elif node.type in ("qualified-rule", "at-rule"):
            if node.type == "at-rule" and node.lower_at_keyword == "import":
                yield f"{where}: @import: documents open no address"
            yield from _css_problems(node.prelude)
            yield from _css_problems(tinycss2.parse_blocks_contents(node.content or []))
        elif node.type == "declaration":
            yield from _css_problems(node.value)
        elif node.type == "url":
            yield from _address_problems(where, node.value)
        elif node.type == "function":
            if node.lower_name in _ADDRESS_FUNCTIONS:
                for part in node.arguments:
                    if part.type == "string":
                        yield from _address_problems(where, part.value)
            yield from _css_problems(node.arguments)
        elif node.type.endswith("block"):
            yield from _css_problems(node.content)


def _address_problems(where: str, address: str) -> Iterator[str]:
    if not _PICTURE.match(address):
        shown = address[:60]
        yield f"{where}: url({shown}): documents open no address; only data:image/png and jpeg"


def _node_problems(node: nodes.Node, names: set[str], looping: bool) -> Iterator[str]:
    where = f"line {node.lineno}"
    if not isinstance(node, _NODES):
        yield f"{where}: {type(node).__name__.lower()} is not allowed in a template of bills"
        return
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in names:
        yield f"{where}: there is no {node.name!r}, only {', '.join(sorted(names))}"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        yield f"{where}: there is no {node.attr!r}"
    if isinstance(node, nodes.Filter) and node.name not in _PLAIN_FILTERS:
        yield f"{where}: no filter {node.name!r}; there are {', '.join(sorted(_PLAIN_FILTERS))}"
    if isinstance(node, nodes.For):
        if looping or not isinstance(node.iter, nodes.Getattr) or node.recursive:
            yield f"{where}: a loop goes through a list of the bill, and holds no other loop"
        if isinstance(node.target, nodes.Name):
            names = names | {node.target.name, "loop"}
        looping = True
    for child in node.iter_child_nodes():
        yield from _node_problems(child, names, looping)


def _trial_problems(design: InvoiceDesign) -> Iterator[tuple[str, str]]:
    """What shows only with a bill: values that it has not, filters on what they are not for."""
    for field in ("footer", "template"):
        for bill in (FULL, BARE):
            try:
                sandbox().from_string(getattr(design, field) or "").render(bill=bill)
            except (TemplateError, TypeError, ValueError, AttributeError) as error:
                absent = _ABSENT.search(str(error))
                words = f"there is no {absent.group(1)}" if absent else str(error)
                yield field, f"cannot be filled in: {words}"
                break
