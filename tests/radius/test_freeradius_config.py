"""What freeradius-config/ promises the hooks and the NAS, shown with hooks that only look.

The hooks here answer from memory and note what they were handed; everything before and after
them is the real server.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.account import temporary_state_dir
from rig.radius import RadiusOptions, RadiusServer

SECRET = "client-secret"

HOOKS = """
import radiusd

PASSWORDS = {"alice": 'p\\u00e4"ss\\\\word', "carol": "right"}
SECRETS_REQUIRED = {"127.0.0.8": "no"}


def instantiate(_):
    return 0


def detach(_=None):
    return 0


def first(pairs, name):
    return next((value for key, value in pairs or () if key == name), None)


def note(hook, p):
    radiusd.radlog(radiusd.L_INFO, f"SEEN {hook} {p!r}")


def authorize(p):
    note("authorize", p)
    user = first(p, "User-Name")
    if user not in PASSWORDS:
        return radiusd.RLM_MODULE_NOTFOUND
    password = PASSWORDS[user].replace("\\\\", "\\\\\\\\")
    return radiusd.RLM_MODULE_UPDATED, {"config": (
        ("Cleartext-Password", ":=", password), ("Tollway-Post-Auth", ":=", "1"),
    )}


def post_auth(p):
    note("post_auth", p)
    if first(p, "Tollway-Verified") is None:
        return radiusd.RLM_MODULE_OK, {"reply": (("Reply-Message", ":=", "login incorrect"),)}
    if first(p, "User-Name") == "carol":
        return radiusd.RLM_MODULE_REJECT, {"reply": (("Reply-Message", ":=", "quota used up"),)}
    return radiusd.RLM_MODULE_OK, {"reply": (("Session-Timeout", ":=", "77"),)}


def accounting(p):
    note("accounting", p)
    code = {"fail": radiusd.RLM_MODULE_FAIL, "noop": radiusd.RLM_MODULE_NOOP}
    return code.get(first(p, "User-Name"), radiusd.RLM_MODULE_OK)


def client(p):
    note("client", p)
    address = first(p, "Tollway-Client-Address")
    if address == "127.0.0.9":
        return radiusd.RLM_MODULE_NOTFOUND
    return radiusd.RLM_MODULE_OK, {"config": (
        ("FreeRADIUS-Client-IP-Address", ":=", address),
        ("FreeRADIUS-Client-Secret", ":=", "client-secret"),
        ("FreeRADIUS-Client-Shortname", ":=", "nas-17"),
        ("FreeRADIUS-Client-Require-MA", ":=", SECRETS_REQUIRED.get(address, "yes")),
    )}
"""


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    with temporary_state_dir() as path:
        package = path / "hooks" / "radius_plugin"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        for name in ("authorize", "accounting"):
            (package / f"{name}.py").write_text(HOOKS, encoding="utf-8")
        yield path


@pytest.fixture(scope="module")
def options(state_dir: Path) -> RadiusOptions:
    return RadiusOptions(threads=4, reject_delay_seconds=0, python_paths=(state_dir / "hooks",))


@pytest.fixture(scope="module")
def auth(state_dir: Path, options: RadiusOptions) -> Iterator[RadiusServer]:
    server = RadiusServer("auth", state_dir, options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def acct(state_dir: Path, options: RadiusOptions) -> Iterator[RadiusServer]:
    server = RadiusServer("acct", state_dir, options=options)
    server.start()
    yield server
    server.stop()


def ask(server: RadiusServer, attributes: str, source: str = "127.0.0.1") -> str:
    """Send one request with radclient; what it printed of the answer, empty when none came."""
    text = f"{attributes}\nPacket-Src-IP-Address = {source}\n"
    argv = ["radclient", "-x", "-t", "1", "-r", "1", f"127.0.0.1:{server.port}", server.kind]
    done = subprocess.run(
        [*argv, SECRET], input=text.encode("latin-1"), capture_output=True, check=False
    )
    return done.stdout.decode("latin-1").partition("Received ")[2]


def seen(server: RadiusServer, hook: str) -> list[str]:
    """What the hook of this name was handed, in order."""
    text = (server.log_dir / f"{server.name}.log").read_text(encoding="utf-8")
    return re.findall(rf"SEEN {hook} (.*)", text)


def credential(kind: str, password: str) -> str:
    """Attributes of a login of this kind, for radclient's input as latin-1."""
    if kind == "CHAP":
        challenge = os.urandom(16)
        text = b"\x07" + password.encode() + challenge
        digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
        return f"CHAP-Challenge = 0x{challenge.hex()}\nCHAP-Password = 0x07{digest}"
    escaped = password.replace("\\", "\\\\").replace('"', '\\"').encode().decode("latin-1")
    return f'{"User" if kind == "PAP" else kind}-Password = "{escaped}"'


@pytest.mark.rule("A2")
@pytest.mark.parametrize("kind", ["PAP", "CHAP", "MS-CHAP"])
def test_each_kind_of_password_is_verified(auth: RadiusServer, kind: str) -> None:
    answer = ask(auth, "User-Name = alice\n" + credential(kind, 'p\u00e4"ss\\word'))
    assert answer.startswith("Access-Accept")
    assert "Session-Timeout = 77" in answer
    assert "Message-Authenticator" in answer
    wrong = ask(auth, "User-Name = alice\n" + credential(kind, "wrong"))
    assert wrong.startswith("Access-Reject")
    assert "login incorrect" in wrong


@pytest.mark.rule("A3")
def test_the_reason_is_told_only_after_the_right_password(auth: RadiusServer) -> None:
    before = len(seen(auth, "post_auth"))
    right = ask(auth, "User-Name = carol\nUser-Password = right")
    assert right.startswith("Access-Reject")
    assert "quota used up" in right
    # The hook refused; it is not asked a second time for the same request.
    assert len(seen(auth, "post_auth")) == before + 1
    wrong = ask(auth, "User-Name = carol\nUser-Password = wrong")
    unknown = ask(auth, "User-Name = nobody\nUser-Password = wrong")
    assert "login incorrect" in wrong
    assert "login incorrect" in unknown
    assert "Tollway-Verified" not in seen(auth, "post_auth")[-1]


@pytest.mark.rule("A3")
def test_a_name_that_is_not_text_is_refused_and_noted(auth: RadiusServer) -> None:
    assert "login incorrect" in ask(auth, "User-Name = al\xffice\nUser-Password = x")
    note = seen(auth, "post_auth")[-1]
    assert "('Tollway-Malformed', 'text')" in note
    assert "('Tollway-Raw-User-Name', '0x616cff696365')" in note
    assert "Verified" not in note


def test_a_nas_is_looked_up_and_an_unknown_one_is_not_answered(auth: RadiusServer) -> None:
    assert ask(auth, "User-Name = nobody\nUser-Password = x", "127.0.0.7")
    assert ("'Tollway-Client-Address', '127.0.0.7'") in seen(auth, "client")[-1]
    assert ask(auth, "User-Name = nobody\nUser-Password = x", "127.0.0.9") == ""


def test_a_login_without_message_authenticator_is_dropped(auth: RadiusServer) -> None:
    assert _plain_login(auth, "127.0.0.1") is None
    # A NAS flagged as unable to send it.
    assert _plain_login(auth, "127.0.0.8") == 3


def _plain_login(server: RadiusServer, source: str) -> int | None:
    """Code of the answer to a PAP login without Message-Authenticator."""
    authenticator = os.urandom(16)
    pad = hashlib.md5(SECRET.encode() + authenticator, usedforsecurity=False).digest()
    hidden = bytes(a ^ b for a, b in zip(b"x".ljust(16, b"\0"), pad, strict=True))
    attributes = bytes((1, 7)) + b"alice" + bytes((2, 18)) + hidden
    head = bytes((1, 1)) + (20 + len(attributes)).to_bytes(2, "big")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nas:
        nas.bind((source, 0))
        nas.settimeout(2)
        nas.sendto(head + authenticator + attributes, ("127.0.0.1", server.port))
        try:
            return nas.recv(4096)[0]
        except TimeoutError:
            return None


@pytest.mark.rule("U1")
def test_accounting_is_answered_only_when_the_hook_said_ok(acct: RadiusServer) -> None:
    record = "Acct-Status-Type = Start\nAcct-Session-Id = 5\nUser-Name = "
    assert ask(acct, record + "alice").startswith("Accounting-Response")
    assert ask(acct, record + "fail") == ""
    assert ask(acct, record + "noop") == ""


def test_a_record_with_a_text_that_is_not_utf8_reaches_the_hook(acct: RadiusServer) -> None:
    answer = ask(
        acct,
        "Acct-Status-Type = Interim-Update\nAcct-Session-Id = 5\nUser-Name = \xff\xfe\n"
        "Connect-Info = x\nAcct-Input-Octets = 17\nClass = 0x1234",
    )
    assert answer.startswith("Accounting-Response")
    note = seen(acct, "accounting")[-1]
    assert "('Tollway-Raw-User-Name', '0xfffe')" in note
    assert "('Tollway-Raw-Acct-Session-Id', '0x35')" in note
    assert "('Acct-Input-Octets', '17')" in note
    assert "('Class', '0x1234')" in note
    assert "Connect-Info" not in note


def test_status_server_is_answered_on_its_own_port_only(auth: RadiusServer) -> None:
    assert auth.ready()
    argv = ["radclient", "-t", "1", "-r", "1", f"127.0.0.1:{auth.port}", "status", SECRET]
    done = subprocess.run(argv, input="NAS-Port = 1", capture_output=True, text=True, check=False)
    # Its exit code does not always tell: it can end at the time-out with 0, without an answer.
    assert "Sent Status-Server" in done.stdout
    assert "Received" not in done.stdout


def test_a_killed_server_comes_back(state_dir: Path, options: RadiusOptions) -> None:
    with temporary_state_dir() as own:
        server = RadiusServer("acct", own, options=options)
        first = server.start()
        assert server.start() == first
        server.kill()
        assert server.process() is None
        assert not server.ready()
        assert server.start().pid != first.pid
        server.stop()
        assert server.process() is None
