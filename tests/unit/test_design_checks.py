"""What a design of bills must not have, each with its field and the reason (rule I3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.documents.checks import css_problem, logo_address, problems, template_problem
from billing.documents.html import to_html
from billing.documents.sample import BARE, FULL
from billing.errors import InvalidInput
from billing.model.designs import Block, InvoiceDesign
from billing.model.documents import Paper

DESIGN = InvoiceDesign()


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("one\n{{ bill.number }", "line 2: unexpected '}'"),
        ("{% if bill.payments %}", "line 1: Unexpected end of template"),
        ("{{ bill.number | shout }}", "line 1: no filter 'shout'"),
        ("{{ bill.number | center(900000000) }}", "line 1: no filter 'center'"),
        ("{{ customer }}", "line 1: there is no 'customer', only bill"),
        ("{{ bill.__class__ }}", "line 1: there is no '__class__'"),
        ("{{ ''.join(bill.number) }}", "line 1: call is not allowed"),
        ("{{ 'x' * 900000000 }}", "line 1: mul is not allowed"),
        ("{{ 9 ** 9 ** 9 }}", "line 1: pow is not allowed"),
        ("{{ '%900000000d' % 1 }}", "line 1: mod is not allowed"),
        ("{{ bill['number'] }}", "line 1: getitem is not allowed"),
        ("{% include 'x' %}", "line 1: include is not allowed"),
        ("{% import 'x' as y %}", "line 1: import is not allowed"),
        ("{% set x = bill %}", "line 1: assign is not allowed"),
        ("{% macro x() %}{% endmacro %}", "line 1: macro is not allowed"),
        ("{% for a in [1, 2] %}{% endfor %}", "line 1: a loop goes through a list of the bill"),
        (
            "{% for a in bill.lines %}\n{% for b in bill.lines %}{% endfor %}{% endfor %}",
            "line 2: a loop goes through a list of the bill, and holds no other loop",
        ),
    ],
)
def test_templates_that_are_refused(text: str, reason: str) -> None:
    found = template_problem(text)
    assert found is not None and found.startswith(reason)
    for field in ("footer", "template"):
        assert problems(replace(DESIGN, **{field: text})) == [(field, found)]


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ bill.nmber }}", "cannot be filled in: there is no 'nmber'"),
        ("{{ bill.first_day | day }}", "cannot be filled in"),  # not every bill is for days
        ("{{ bill.number | amount(bill.currency) }}", "cannot be filled in"),
        ("{{ bill.total_micros | amount }}", "cannot be filled in"),
    ],
)
def test_values_that_a_bill_has_not_are_found_by_trying(text: str, reason: str) -> None:
    ((field, found),) = problems(replace(DESIGN, template=text))
    assert field == "template" and found.startswith(reason)


def test_a_template_shows_what_the_bill_says_and_escapes_it() -> None:
    text = (
        "<h1>{{ bill.number | lower }}</h1>{% for line in bill.lines %}"
        "<p>{{ loop.index }}. {{ line.text }}: {{ line.net_micros | amount(bill.currency) }}</p>"
        "{% endfor %}{% if bill.open_micros and not bill.payments %}nothing paid{% endif %}"
    )
    design = replace(DESIGN, template=text)
    assert problems(design) == []
    line = replace(FULL.lines[0], text="<b>fast</b>")
    html = to_html(replace(BARE, lines=(line,)), Paper.A4, design)
    assert "<h1>inv-1</h1><p>1. &lt;b&gt;fast&lt;/b&gt;: 30.00</p>nothing paid" in html
    assert "letterhead" not in html.partition("<body>")[2]
    assert "Receipt" in to_html(FULL, Paper.RECEIPT, design)


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("css", "reason"),
    [
        ("p { color: red }\n@import 'x.css';", "line 2: @import"),
        ("p { color }", "line 1: "),
        ("p { color: red } }", "line 1: "),
        ("p {}\np { background: url(file:///etc/passwd) }", "line 2: url(file:///etc/passwd)"),
        ("p { background: url('http://x.example/y') }", "line 1: url(http://x.example/y)"),
        ("p { background: image-set('y.png' 1x) }", "line 1: url(y.png)"),
        ("@media print { p { content: url(x) } }", "line 1: url(x)"),
        ("@page { @top-left { content: url('x') } }", "line 1: url(x)"),
        ("@font-face { font-family: x; src: url(x.woff) }", "line 1: url(x.woff)"),
        ("p { background: url(data:image/svg+xml,x) }", "line 1: url(data:image/svg+xml,x)"),
        ("</style><p>", "line 1: "),
    ],
)
def test_style_sheets_that_are_refused(css: str, reason: str) -> None:
    found = css_problem(css)
    assert found is not None and found.startswith(reason)
    assert problems(replace(DESIGN, css=css)) == [("css", found)]


def test_style_sheets_that_are_fine() -> None:
    css = (
        "@page { size: A5; @top-left { content: 'draft' } }\n"
        "/* own */ p, h1 { color: rgb(1 2 3); margin: calc(1mm + 2pt) !important }\n"
        "@media print { p { background: url(data:image/png;base64,AA==) } }"
    )
    assert problems(replace(DESIGN, css=css)) == []


def test_a_style_sheet_cannot_end_its_element() -> None:
    html = to_html(FULL, Paper.A4, replace(DESIGN, css="p::before { content: '</style><b>' }"))
    assert html.count("</style>") == 1 and "<b>" not in html


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"accent": "red; }"}, "accent", "write it like #206bc4"),
        ({"blocks": (Block.HEADING, Block.LINES)}, "blocks", "without totals"),
        ({"blocks": (*Block, Block.DUE)}, "blocks", "once only"),
        ({"logo": "data:image/svg+xml;base64,AA=="}, "logo", "PNG"),
        ({"logo": "http://x.example/logo.png"}, "logo", "PNG"),
        ({"footer": "x" * 2001}, "footer", "longer than 2000"),
        ({"css": "/*" + "x" * 20_000 + "*/"}, "css", "longer than 20000"),
    ],
)
def test_other_fields(change: dict[str, object], field: str, reason: str) -> None:
    ((found, words),) = problems(replace(DESIGN, **change))  # type: ignore[arg-type]
    assert found == field and reason in words


def test_logos() -> None:
    assert logo_address(b"\xff\xd8\xff\xe0") == "data:image/jpeg;base64,/9j/4A=="
    for octets, reason in (
        (b"GIF89a", "neither a PNG nor a JPEG"),
        (b"", "neither a PNG nor a JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200_000), "larger than 200 kB"),
    ):
        with pytest.raises(InvalidInput, match=reason) as caught:
            logo_address(octets)
        assert caught.value.field == "logo"


def test_blocks_come_in_their_order_and_some_not_at_all() -> None:
    order = (Block.FOOTER, Block.HEADING, Block.TOTALS, Block.LINES)
    html = to_html(FULL, Paper.A4, replace(DESIGN, blocks=order, footer="IBAN ES12"))
    body = html.partition("<body>")[2]
    places = [body.index(words) for words in ("IBAN ES12", "Invoice INV-1", "Total EUR", "Home 50")]
    assert places == sorted(places)
    assert "Please pay" not in body and "letterhead" not in body
    off = replace(DESIGN, blocks=order[1:], footer="IBAN ES12")
    assert "IBAN ES12" not in to_html(FULL, Paper.A4, off)
