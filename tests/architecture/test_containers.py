"""The containers are made from the lists that `./run` installs by, pinned and confined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert taken == {"app", "build", "radius"}
    assert used | taken == set(groups)


def test_every_copied_path_is_in_the_build_context() -> None:
    copied = re.findall(r"^COPY ((?!--)[^\n]+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    sources = {word.split("/")[0] for line in copied for word in line.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources == {line[1:] for line in ignored if line.startswith("!")}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


SERVICES: dict[str, dict[str, Any]] = compose()["services"]
ONE_SHOT = {"setup", "migrate", "nas"}
"""They end by themselves: what they did is their exit code, not their health."""


def test_the_services_are_the_ones_of_the_issue_and_two_that_prepare() -> None:
    assert set(SERVICES) == {"db", "radius", "web", "worker", "mail", "nas", "setup", "migrate"}
    # Compose 1 would read it as its old format; Compose 2 warns of it.
    assert "version" not in compose()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    assert not {"privileged", "user", "pid", "ipc", "devices", "env_file"} & set(service)
    # Only the database's entry point needs any, to give its volume to the user it becomes.
    assert (name == "db") == ("cap_add" in service)


def test_images_end_as_an_unprivileged_user() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.split(r"^FROM \S+ AS ", text, flags=re.MULTILINE)[1:]
    users = {stage.split("\n")[0]: re.findall(r"^USER (\S+)", stage, re.M) for stage in stages}
    assert users["app"] == users["radius"] == ["tollway"]
    assert {service["image"].split(":")[0] for service in SERVICES.values()} == {
        "tollway-app",
        "tollway-radius",
        "${POSTGRES_IMAGE",
    }


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_what_goes_on_running_has_a_health_check_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["interval"] and check["timeout"] and check["retries"] and check["start_period"]
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_ends_is_not_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert "healthcheck" not in SERVICES[name]


def test_the_start_order() -> None:
    order = {
        name: {other: wait["condition"] for other, wait in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    done, healthy = "service_completed_successfully", "service_healthy"
    assert order == {
        "setup": {},
        "db": {"setup": done},
        "migrate": {"db": healthy},
        "radius": {"migrate": done},
        "worker": {"migrate": done},
        "web": {"migrate": done},
        "mail": {"setup": done},
        "nas": {"radius": healthy, "worker": healthy},
    }


def test_only_panel_and_radius_are_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "radius": [
            "${RADIUS_ADDRESS:-127.0.0.1}:${RADIUS_AUTH_PORT:-1812}:1812/udp",
            "${RADIUS_ADDRESS:-127.0.0.1}:${RADIUS_ACCT_PORT:-1813}:1813/udp",
        ],
        "web": ["${PANEL_ADDRESS:-127.0.0.1}:${PANEL_PORT:-8080}:8080"],
    }
    assert all("network_mode" not in SERVICES[name] for name in set(SERVICES) - {"setup"})
    assert SERVICES["setup"]["network_mode"] == "none"


def test_what_is_kept_is_in_named_volumes() -> None:
    mounts = {
        name: [str(mount).split(":") for mount in service["volumes"]]
        for name, service in SERVICES.items()
    }
    assert {mount[0] for found in mounts.values() for mount in found} == set(compose()["volumes"])
    # Whoever only reads a secret cannot change it, and few see the database's.
    writers = {
        name: {mount[0] for mount in found if mount[2:] != ["ro"]} for name, found in mounts.items()
    }
    assert writers == {
        "setup": {"keys", "database-secrets"},
        "db": {"database"},
        "radius": {"radius"},
        "mail": {"mail"},
        **{name: set() for name in ("migrate", "web", "worker", "nas")},
    }
    seen = {
        name for name, found in mounts.items() if ["database-secrets"] in [m[:1] for m in found]
    }
    assert seen == {"setup", "db", "migrate"}


def test_no_secret_is_in_an_environment() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            secret = re.search(r"PASSWORD|SECRET|KEY|TOKEN", name)
            assert not secret or name.endswith("_FILE"), name
            assert not re.search(r"://[^@/]*:[^@/]*@", str(value)), name


def test_each_image_is_built_by_one_service_that_others_wait_for() -> None:
    """Two services that build the same image at once fail on some engines."""
    built = {
        name: service["build"]["target"] for name, service in SERVICES.items() if "build" in service
    }
    assert built == {"setup": "app", "radius": "radius"}


def test_base_images_are_arguments_pinned_by_version_and_digest() -> None:
    pin = r"[a-z]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}"
    base = SERVICES["setup"]["build"]["args"]["BASE_IMAGE"]
    assert re.fullmatch(rf"\$\{{BASE_IMAGE:-{pin}\}}", base)
    assert re.fullmatch(rf"\$\{{POSTGRES_IMAGE:-{pin}\}}", SERVICES["db"]["image"])
    default = base.removeprefix("${BASE_IMAGE:-").removesuffix("}")
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"\nARG BASE_IMAGE={default}\n" in text
    assert "\nFROM ${BASE_IMAGE} AS packages\n" in text
    known = set(re.findall(r" AS (\w+)$", text, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= known | {"${BASE_IMAGE}"}


def test_packages_of_python_are_installed_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"pip (?:--\S+ \S+ )?(?:install|wheel)(?:[^&]|&(?!&))*", text):
        assert "--require-hashes" in line or "--no-deps" in line, line
