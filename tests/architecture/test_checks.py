"""Linters, types and house rules, as tests: whoever runs the suite has run them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("billing", "radius_plugin", "web")

COMMANDS = {
    "ruff": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy",),
    # Lesser findings are ruff's (rules S), with a reason beside each exception.
    "bandit": ("bandit", "--quiet", "--recursive", "-ll", *PACKAGES),
    "templates": ("djlint", "--lint", "--quiet", "web"),
}

LINES_LIMIT = 400
FUNCTION_LINES_LIMIT = 80
LONGER = {
    "sql/functions/charge_usage_v1.sql": "one function is one statement after the other",
    "sql/migrations/versions/0001_foundation.py": "the whole first schema, written once",
}
# As in .gitignore; git itself need not be there (in a work tree it is a file).
LEFT_OUT = {"var", "vendor", "dist", "build", "__pycache__"}
SOURCES = {".py", ".sql", ".sh", ".html", ".css"}

_REGISTRIES = ("pypi", "pythonhosted", "npmjs", "debian", "crates", "golang", "jsdelivr", "unpkg")
_HOST = re.compile(rf"\b[\w.-]*({'|'.join(_REGISTRIES)})\.(org|com|io|net)\b", re.IGNORECASE)
_MACHINE_PATH = re.compile(rf"(?<![\w.$}}])/({'|'.join(('work', 'root', 'tmp'))})/")


def checked() -> list[Path]:
    """Files of the checkout, vendored ones and what tools leave behind left out."""
    found = []
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [
            name
            for name in folders
            if name not in LEFT_OUT and (name == ".ci" or not name.startswith("."))
        ]
        found += [
            Path(folder, name) for name in names if not name.endswith(".pyc") and name != ".git"
        ]
    return sorted(found)


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_checker_finds_nothing(command: tuple[str, ...]) -> None:
    argv = [sys.executable, "-m", *command]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_short() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in checked()
        if path.suffix in SOURCES or path.name == "run"
    }
    long = {
        name: lines
        for name, lines in lengths.items()
        if lines > LINES_LIMIT and not name.startswith("tests/")
    }
    assert long.keys() == LONGER.keys(), long


def test_functions_fit_on_a_screen() -> None:
    long = []
    for path in checked():
        if path.suffix != ".py" or name_of(path) in LONGER:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_LIMIT:
                    long.append(f"{name_of(path)}:{node.lineno}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)


@pytest.mark.parametrize("pattern", [_HOST, _MACHINE_PATH], ids=["registry", "machine"])
def test_no_file_names_a_package_registry_or_a_path_of_one_machine(
    pattern: re.Pattern[str],
) -> None:
    wrong = []
    for path in checked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                wrong.append(f"{name_of(path)}:{number}: {found.group()}")
    assert not wrong, "\n".join(wrong)
