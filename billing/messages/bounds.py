"""What a template of a message may do: show facts, and choose by them. Each thing that stands in it
is done once, so that none takes for ever or fills the memory (as documents/checks.py of bills).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

DEPTH_LIMIT = 50
_OF_OURS = ("money", "day", "month", "told")
_OF_JINJA = ("capitalize", "default", "lower", "title", "trim", "truncate", "upper")
_FILTERS = frozenset({*_OF_OURS, *_OF_JINJA})
# No loops, sums, products and joined texts: by those a few characters make gigabytes.
_NODES = (
    nodes.Template, nodes.Extends, nodes.Block, nodes.Output, nodes.TemplateData, nodes.Assign,
    nodes.Const, nodes.Name, nodes.Tuple, nodes.List, nodes.Filter, nodes.Test, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.Keyword,
)  # fmt: skip


@lru_cache(maxsize=512)
def bounds_problem(environment: Environment, source: str) -> str | None:
    """The first thing that a template must not have, as `line N: …`; None: there is none."""
    try:
        return next(_problems(environment.parse(source), 0), None)
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    except RecursionError:
        return f"nested deeper than {DEPTH_LIMIT}"
    except ValueError as error:  # a number of thousands of digits
        return str(error)


def _problems(node: nodes.Node, depth: int) -> Iterator[str]:
    where = f"line {node.lineno}"
    if depth > DEPTH_LIMIT:
        yield f"{where}: nested deeper than {DEPTH_LIMIT}"
        return
    if _is_super(node):
        return
    if not isinstance(node, _NODES):
        kind = type(node).__name__.lower()
        yield (
            f"{where}: {kind} is not allowed in a template of messages: it may show facts and"
            " choose by them with if"
        )
        return
    if isinstance(node, nodes.Extends) and not isinstance(node.template, nodes.Const):
        yield f'{where}: extends needs a name, like "base.mjml"'
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
        yield f"{where}: set gives one name a value"
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        yield f"{where}: no filter {node.name!r}; there are {', '.join(sorted(_FILTERS))}"
    for child in node.iter_child_nodes():
        yield from _problems(child, depth + 1)


def _is_super(node: nodes.Node) -> bool:
    """What the block of the template that is extended has."""
    if not isinstance(node, nodes.Call) or node.args or node.kwargs:
        return False
    return isinstance(node.node, nodes.Name) and node.node.name == "super"
