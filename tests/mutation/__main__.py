"""Turns the rules of billing around, one piece at a time, and looks whether a test notices.

`./run test --mutants [FILE ...]`: mutmut changes an operator, a constant or an argument in a copy
of the product and runs the unit tests that reach it. What no test notices must be known to change
nothing (`known.py`); anything else is printed, and the exit code is 1. What was found of a file is
kept in the state directory until the file is looked at again, so that a run of hours can be made in
parts; docs/mutants.md is written anew of all that is kept, and names what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutation.known import HARMLESS

CHECKOUT = Path(__file__).parents[2]
RULES = Path("billing/rules")
FILES = (
    "access",
    "alerts",
    "bill_run",
    "bill_states",
    "causes",
    "chain",
    "credits",
    "cycles",
    "dunning",
    "explain",
    "extras",
    "moves",
    "pauses",
    "payments",
    "plan_changes",
    "plans",
    "prepaid",
    "prices",
    "profiles",
    "rates",
    "recharge",
    "recognition",
    "rolling",
    "spending",
    "states",
    "taxes",
    "usage_entries",
    "usage_lines",
    "wallets",
    "windows",
    "words",
)
"""Where the rules of S, B, P and I are decided, and put into words."""
_COPIED = ("billing", "docs", "freeradius-config", "radius_plugin", "rig", "sql", "tests", "web")
_SINGLE = ("README.md", "pyproject.toml", "run")
_NOTICED = {1, 3, 24, -24, 36, 152, 255}
"""Exit codes of mutmut: a test failed, or did not come to an end. Others (0; 33: no test reaches
the line) are not noticed."""
_REPORT = CHECKOUT / "docs" / "mutants.md"
_KEPT = Path(os.environ.get("TOLLWAY_STATE_DIR", CHECKOUT / "var")) / "mutants"


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed: the line before and after it."""

    file: str
    before: str
    after: str

    @property
    def reason(self) -> str | None:
        """Why it changes nothing, where that is known."""
        return HARMLESS.get((self.file, self.before, self.after))


@dataclass(frozen=True)
class Outcome:
    """Of one file."""

    file: str
    made: int
    noticed: int
    survivors: tuple[Survivor, ...]


def main(names: list[str]) -> int:
    """Exit code: 1 when something survived that is not known to be harmless, 2: no such file."""
    if unknown := sorted(set(names) - set(FILES)):
        print(f"no file of rules is called {', '.join(unknown)}: name some of {' '.join(FILES)}")
        return 2
    chosen = names or list(FILES)
    with tempfile.TemporaryDirectory(prefix="tollway-mutants-") as folder:
        place = Path(folder)
        _copy(place, chosen)
        mutmut = [str(Path(sys.executable).with_name("mutmut"))]
        ran = subprocess.run([*mutmut, "run", "--max-children", str(os.cpu_count())], cwd=place)
        if ran.returncode:
            return ran.returncode
        outcomes = [_outcome(place, mutmut, name) for name in chosen]
    unknown = [one for outcome in outcomes for one in outcome.survivors if not one.reason]
    for one in unknown:
        print(f"{one.file}: no test notices\n  - {one.before}\n  + {one.after}")
    for outcome in outcomes:
        print(f"{outcome.file}: {outcome.made} changes, {outcome.noticed} noticed")
        _keep(outcome)
    return max(_write_report(), 1 if unknown else 0)


def _write_report() -> int:
    """Exit code: 1 where files were never looked at, or have changed since."""
    kept = {name: _kept(name) for name in FILES}
    missing = [name for name, outcome in kept.items() if outcome is None]
    _REPORT.write_text(_report([one for one in kept.values() if one], missing), encoding="utf-8")
    if missing:
        print(f"still to be looked at: {' '.join(missing)}")
    return 1 if missing else 0


def _keep(outcome: Outcome) -> None:
    _KEPT.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"digest": _digest(outcome.file), **asdict(outcome)}, indent=1)
    (_KEPT / f"{Path(outcome.file).stem}.json").write_text(text, encoding="utf-8")


def _kept(name: str) -> Outcome | None:
    """What was found of this file as it is now."""
    file = _KEPT / f"{name}.json"
    if not file.exists():
        return None
    values = json.loads(file.read_text(encoding="utf-8"))
    if values.pop("digest") != _digest(values["file"]):
        return None
    survivors = tuple(Survivor(**one) for one in values.pop("survivors"))
    return Outcome(**values, survivors=survivors)


def _digest(file: str) -> str:
    return hashlib.sha256((CHECKOUT / file).read_bytes()).hexdigest()


def _copy(place: Path, names: list[str]) -> None:
    for name in _COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "mutants")
        shutil.copytree(CHECKOUT / name, place / name, ignore=ignored)
    for name in _SINGLE:
        shutil.copy(CHECKOUT / name, place / name)
    settings = {
        "source_paths": ["billing"],
        "only_mutate": [f"{RULES}/{name}.py" for name in names],
        "pytest_add_cli_args_test_selection": _tests(),
        "also_copy": [*_COPIED, *_SINGLE],
    }
    with (place / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n[tool.mutmut]\n")
        project.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def _tests() -> list[str]:
    """The unit tests that name the rules; the others have no part in deciding them."""
    return [
        str(file.relative_to(CHECKOUT))
        for file in sorted((CHECKOUT / "tests" / "unit").glob("test_*.py"))
        if "billing.rules" in file.read_text(encoding="utf-8")
    ]


def _outcome(place: Path, mutmut: list[str], name: str) -> Outcome:
    file = f"{RULES}/{name}.py"
    meta = json.loads((place / "mutants" / f"{file}.meta").read_text(encoding="utf-8"))
    codes: dict[str, int] = meta["exit_code_by_key"]
    survivors = tuple(
        _survivor(place, mutmut, file, key) for key, code in codes.items() if code not in _NOTICED
    )
    return Outcome(file, len(codes), len(codes) - len(survivors), survivors)


def _survivor(place: Path, mutmut: list[str], file: str, key: str) -> Survivor:
    shown = subprocess.run(
        [*mutmut, "show", key], cwd=place, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    before = [line[1:].strip() for line in shown if line.startswith("-") and line[:3] != "---"]
    after = [line[1:].strip() for line in shown if line.startswith("+") and line[:3] != "+++"]
    return Survivor(file, " ".join(before), " ".join(after))


def _report(outcomes: list[Outcome], missing: list[str]) -> str:
    made = sum(one.made for one in outcomes)
    noticed = sum(one.noticed for one in outcomes)
    lines = [
        "# Rules turned around",
        "",
        "`./run test --mutants` changes one operator, constant, argument or word of the rules S, B",
        "and P at a time and runs the unit tests that reach it. This page is what it wrote last.",
        "",
        "It leaves alone constants outside of functions, and the files that decide other rules:",
        "`hours`, `addresses`, `own_attributes`, `places`, `pools`, `outage` (A), `answers` (C),",
        "`fair_use`, `grants` (Q), `readings`, `usage` (U), `documents`, `e_invoices` and",
        "`statements` (I, M), the second opinion on the meter (`rerating`), and what refuses",
        "windows, schedules and names (`window_problems`, `dunning_problems`, `texts`).",
        "",
        "| file | changes | noticed by a test |",
        "|---|---|---|",
        *(f"| {one.file} | {one.made} | {one.noticed} |" for one in outcomes),
        f"| all | {made} | {noticed} |",
        "",
        *([f"Not looked at as they are now: {', '.join(missing)}.", ""] if missing else []),
        "What no test notices:",
        "",
    ]
    for one in (one for outcome in outcomes for one in outcome.survivors):
        lines += [
            f"- {one.file}: {one.reason or 'a test is missing'}",
            "",
            f"      - {one.before}",
            f"      + {one.after}",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
