"""The containers are made from the lists that `./run` installs by."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pinned(name: str) -> dict[str, set[str]]:
    """Each requirement of a lock file with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^(\S+==\S+) \\\n((?:    --hash=\S+(?: \\)?\n?)+)", text, re.MULTILINE)
    return {line: set(re.findall(r"sha256:\w+", hashes)) for line, hashes in found}


def test_the_mail_server_is_the_one_of_the_tests() -> None:
    mail, dev = pinned("requirements-mail.lock"), pinned("requirements-dev.lock")
    assert {line.partition("==")[0] for line in mail} == {"aiosmtpd", "atpublic"}
    assert all(dev[line] == hashes for line, hashes in mail.items())


def test_packages_come_from_the_one_list() -> None:
    groups = re.findall(r"^(\w+): \S", (ROOT / "rig/packages").read_text(encoding="utf-8"), re.M)
    taken = set(re.findall(r"\^(\w+): ", (ROOT / "Dockerfile").read_text(encoding="utf-8")))
    asked = re.findall(r"\$\(packages ([\w ]+)\)", (ROOT / "run").read_text(encoding="utf-8"))
    used = {group for one in asked for group in one.split()}
    assert taken == {"app", "radius"}
    assert used | taken == set(groups)


def test_every_copied_path_is_in_the_build_context() -> None:
    copied = re.findall(r"^COPY ((?!--)[^\n]+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    sources = {word.split("/")[0] for line in copied for word in line.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
