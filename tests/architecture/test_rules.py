"""Every numbered rule that is built is shown by a test, and no test claims one that is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_ROW = re.compile(r"\| ([A-Z]\d+) \| .+ \| (built|in part|not built|measured: .+) \|")


def states() -> dict[str, str]:
    """Of every rule, as docs/rules.md says."""
    rows = (_CHECKOUT / "docs/rules.md").read_text(encoding="utf-8").splitlines()
    return dict(row.groups() for row in map(_ROW.fullmatch, rows) if row)


def shown() -> set[str]:
    """Rules that a test's marker names."""
    found: set[str] = set()
    for path in (_CHECKOUT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
                found.update(str(one.value) for one in node.args if isinstance(one, ast.Constant))
    return found


def test_every_rule_that_is_built_has_a_test() -> None:
    built = {rule for rule, state in states().items() if state in ("built", "in part")}
    assert len(built) > 60
    assert sorted(built - shown()) == []


def test_tests_name_rules_that_are_built() -> None:
    built = {rule for rule, state in states().items() if state != "not built"}
    facts = {rule for rule in shown() if rule.startswith("F")}  # what was measured: no rules
    assert sorted(shown() - facts - built) == []


def test_what_is_cited_is_a_rule() -> None:
    """In the code of rules and services, where people look the number up."""
    known = states()
    cited = {
        rule
        for folder in ("rules", "services", "model")
        for path in (_CHECKOUT / "billing" / folder).glob("*.py")
        for words in re.findall(r"\(rules? ([^)]*)\)", path.read_text(encoding="utf-8"))
        for rule in re.findall(r"\b[A-Z]\d+\b", words)
    }
    assert len(cited) > 40
    assert sorted(rule for rule in cited - set(known) if not rule.startswith("F")) == []
