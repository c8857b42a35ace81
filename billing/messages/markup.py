"""Whether the tags of a template are balanced, with the line where they are not.

The MJML parser says that something is wrong, not where.
"""

from __future__ import annotations

from html.parser import HTMLParser

from jinja2 import Environment, TemplateSyntaxError

DEPTH_LIMIT = 100
"""The MJML parser is recursive."""
_NAMES = (
    "accordion accordion-element accordion-text accordion-title all attributes body breakpoint"
    " button carousel carousel-image class column divider font group head hero image include navbar"
    " navbar-link preview raw section social social-element spacer style table text title wrapper"
)
_MJML = frozenset({"mjml", *("mj-" + name for name in _NAMES.split())})
_VOID = frozenset({"br", "hr", "img", "col", "wbr", "meta", "link", "input"})


def markup_problem(environment: Environment, source: str) -> str | None:
    """The first tag that is not closed, or that closes another one, as `line N: …`; None where
    every tag is in order. What Jinja puts in is taken for text; both branches of an `if` count."""
    try:
        tokens = list(environment.lex(source))
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    tags = _Tags()
    line = 1
    for number, kind, value in tokens:
        if kind != "data":
            continue
        tags.feed("\n" * max(0, number - line))
        line = max(line, number) + value.count("\n")
        tags.feed(value)
    tags.close()
    if tags.problem is None and tags.opened:
        name, at = tags.opened[-1]
        return f"line {at}: <{name}> is never closed"
    return tags.problem


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.opened: list[tuple[str, int]] = []
        self.problem: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._know(tag)
        if tag not in _VOID:
            self.opened.append((tag, self.getpos()[0]))
            if len(self.opened) > DEPTH_LIMIT and self.problem is None:
                self.problem = f"line {self.getpos()[0]}: tags are nested deeper than {DEPTH_LIMIT}"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and closed at once."""
        self._know(tag)

    def _know(self, tag: str) -> None:
        """The MJML parser passes over a tag that it does not know, with all that is in it."""
        if tag.startswith("mj") and tag not in _MJML and self.problem is None:
            self.problem = f"line {self.getpos()[0]}: MJML has no <{tag}>"

    def handle_endtag(self, tag: str) -> None:
        if self.problem is not None or tag in _VOID:
            return
        line = self.getpos()[0]
        if not self.opened:
            self.problem = f"line {line}: </{tag}> closes nothing"
        elif self.opened[-1][0] != tag:
            name, at = self.opened[-1]
            self.problem = f"line {line}: </{tag}> where <{name}> of line {at} is open"
        else:
            self.opened.pop()
