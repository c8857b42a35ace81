"""The front door: the scripts are clean, every verb is in the help, apt entries are derived."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = (
    "run",
    ".ci/run",
    "rig/install-packages.sh",
    "rig/apt-source.sh",
    "tests/docker/postgres/entrypoint.sh",
)
VERBS = (
    *("demo", "up", "down", "status", "test", "bench", "simulate", "chaos", "docker-test"),
    *("tollway", "help"),
)


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_clean(script: str) -> None:
    done = _run("shellcheck", script)
    assert done.returncode == 0, done.stdout


def test_every_verb_is_in_the_help_and_dispatched() -> None:
    text = _run("./run", "help").stdout
    script = (ROOT / "run").read_text(encoding="utf-8")
    dispatched = re.findall(r"^([\w-]+)(?: \| -h \| --help)?\)", script, re.MULTILINE)
    assert sorted(dispatched) == sorted(VERBS)
    for verb in VERBS:
        assert re.search(rf"^  {verb}\b", text, re.MULTILINE), verb


def test_an_unknown_verb_is_an_error() -> None:
    done = _run("./run", "sing")
    assert done.returncode == 1
    assert "unknown verb: sing" in done.stderr


def test_ci_calls_the_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ['CI=true exec "$(dirname -- "$0")/../run" test']


@pytest.mark.parametrize(
    ("ci", "arguments", "follows"),
    [
        ("", (), "no"),
        ("", ("--all",), "yes"),
        ("", ("--all", "-x"), "yes"),
        ("true", (), "ci"),
        ("true", ("--all",), "ci"),
        ("true", ("tests/unit",), "no"),
        ("true", ("-k", "--all"), "no"),
        ("", ("tests/unit",), "no"),
    ],
)
def test_docker_test_follows_the_whole_suite_on_ci(
    ci: str, arguments: tuple[str, ...], follows: str
) -> None:
    script = (ROOT / "run").read_text(encoding="utf-8")
    (function,) = re.findall(r"^docker_test_follows\(\) \{\n.*?^\}\n", script, re.M | re.S)
    asked = f'set -eu\nCI={ci}\n{function}docker_test_follows "$@"'
    assert _run("sh", "-c", asked, "sh", *arguments).stdout.strip() == follows


def test_no_locked_requirement_names_an_index() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) >= 6
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert "--find" not in text


DEB822 = """\
# A comment
Types: deb deb-src
URIs: http://os.example/debian
Suites: bookworm-security
Components: main

Types: deb deb-src
# In a stanza
URIs: http://os.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb-src http://os.example/debian bookworm main
deb [arch=amd64 signed-by=/key.gpg] http://os.example/debian bookworm main contrib
"""


def test_an_apt_entry_is_derived_from_deb822(tmp_path: Path) -> None:
    file = tmp_path / "debian.sources"
    file.write_text(DEB822, encoding="utf-8")
    done = _run("sh", "rig/apt-source.sh", str(file), "bookworm", "bookworm-backports")
    assert done.stdout == (
        "Types: deb\n"
        "URIs: http://os.example/debian\n"
        "Suites: bookworm-backports\n"
        "Components: main\n"
        "Signed-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        " .\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_an_apt_entry_is_derived_from_one_line(tmp_path: Path) -> None:
    file = tmp_path / "sources.list"
    file.write_text(ONE_LINE, encoding="utf-8")
    done = _run("sh", "rig/apt-source.sh", str(file), "bookworm", "bookworm-backports")
    expected = "deb [arch=amd64 signed-by=/key.gpg] http://os.example/debian"
    assert done.stdout == f"{expected} bookworm-backports main\n"


def test_no_entry_is_derived_from_a_disabled_or_foreign_source(tmp_path: Path) -> None:
    file = tmp_path / "debian.sources"
    file.write_text("Enabled: no\n" + DEB822.split("\n\n")[1], encoding="utf-8")
    assert _run("sh", "rig/apt-source.sh", str(file), "bookworm", "x").stdout == ""
    file.write_text(DEB822, encoding="utf-8")
    assert _run("sh", "rig/apt-source.sh", str(file), "trixie", "x").stdout == ""
