"""A device that logs in by EAP: wpa_supplicant's own test program `eapol_test`, behind a NAS.

The NAS here is a relay that notes what Tollway answers; everything else is the program's.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyrad import packet
from pyrad.dictionary import Dictionary

from rig.certificates import DEFAULT_NAME
from rig.nas import SimulatedNas

PROGRAM = "/usr/bin/eapol_test"
Method = Literal[
    "peap", "ttls", "mschapv2", "ttls-chap", "ttls-mschapv2", "ttls-eap-mschapv2", "peap-gtc"
]
_DICTIONARY = Path(__file__).resolve().parent.parent / "radius_plugin" / "dictionary" / "radius"
_METHODS: dict[Method, str] = {
    "peap": 'eap=PEAP\nphase2="auth=MSCHAPV2"\n',
    "ttls": 'eap=TTLS\nphase2="auth=PAP"\n',
    "mschapv2": "eap=MSCHAPV2\n",
    "ttls-chap": 'eap=TTLS\nphase2="auth=CHAP"\n',
    "ttls-mschapv2": 'eap=TTLS\nphase2="auth=MSCHAPV2"\n',
    "ttls-eap-mschapv2": 'eap=TTLS\nphase2="autheap=MSCHAPV2"\n',
    "peap-gtc": 'eap=PEAP\nphase2="auth=GTC"\n',
}
_TIMEOUT_SECONDS = 20
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Credentials:
    """What is entered on a device. *authority*: the CA certificate it trusts, and *server_name*
    what the certificate must be made out to; None: it does not look (nobody should)."""

    identity: str
    password: str
    method: Method = "peap"
    outer_identity: str | None = None
    authority: Path | None = None
    server_name: str | None = DEFAULT_NAME
    phase1: str = ""

    def network(self) -> str:
        """The network block of wpa_supplicant's configuration."""
        trusted, outer = self.authority is not None, self.outer_identity
        lines = [
            "key_mgmt=IEEE8021X",
            "eapol_flags=0",
            f"identity={_octets(self.identity)}",
            f"password={_octets(self.password)}",
            *([f"anonymous_identity={_octets(outer)}"] if outer else []),
            *([f'ca_cert="{self.authority}"'] if trusted else []),
            *([f'domain_match="{self.server_name}"'] if trusted and self.server_name else []),
            *([f'phase1="{self.phase1}"'] if self.phase1 else []),
        ]
        return "network={\n" + "\n".join(lines) + "\n" + _METHODS[self.method] + "}\n"


@dataclass(frozen=True)
class EapOutcome:
    """`answers` are the codes of all answers; `attributes` those of the last one. `said` is the
    program's own log, `keys_match` whether both sides derived the same key for the radio."""

    succeeded: bool
    answers: list[int]
    attributes: dict[str, list[object]]
    said: str

    @property
    def result(self) -> str:
        """accept | reject | given-up (the device left without a decision)."""
        last = self.answers[-1] if self.answers else None
        return {2: "accept", 3: "reject"}.get(last or 0, "given-up")

    @property
    def keys_match(self) -> bool:
        return "MPPE keys OK: 1  mismatch: 0" in self.said

    def first(self, name: str) -> object | None:
        """The first value of an attribute, None when the last answer has none."""
        values = self.attributes.get(name)
        return values[0] if values else None


def log_in(
    nas: SimulatedNas, credentials: Credentials, *, station: str = "02:00:00:00:00:01"
) -> EapOutcome:
    """One login from beginning to end."""
    argv = [PROGRAM, "-r", "0", "-t", str(_TIMEOUT_SECONDS), "-M", station]
    if credentials.method == "mschapv2":
        argv.append("-n")
    with _Relay(nas) as relay, tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(credentials.network())
        file.flush()
        argv += ["-c", file.name, "-a", "127.0.0.1", "-p", str(relay.port)]
        done = subprocess.run(
            [*argv, "-s", nas.secret.decode()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=3 * _TIMEOUT_SECONDS,
        )
    attributes = _attributes(relay.answers[-1], nas.secret) if relay.answers else {}
    codes = [answer[0] for answer in relay.answers]
    return EapOutcome(done.returncode == 0, codes, attributes, done.stdout + done.stderr)


@dataclass
class _Relay:
    """Forwards requests from the NAS's own address, and answers back."""

    nas: SimulatedNas
    answers: list[bytes] = field(default_factory=list)

    def __enter__(self) -> _Relay:
        self._device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._device.bind(("127.0.0.1", 0))
        self._device.settimeout(_POLL_SECONDS)
        self.port = int(self._device.getsockname()[1])
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind((self.nas.address, 0))
        self._server.connect((self.nas.server, self.nas.auth_port))
        self._server.settimeout(_TIMEOUT_SECONDS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nas-relay", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._device.close()
        self._server.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                request, device = self._device.recvfrom(4096)
                self._server.send(request)
                answer = self._server.recv(4096)
            except (TimeoutError, ConnectionRefusedError):
                continue
            self.answers.append(answer)
            self._device.sendto(answer, device)


def _octets(text: str) -> str:
    """Any text, and what is none (`surrogateescape`), as the configuration takes it."""
    return text.encode("utf-8", "surrogateescape").hex()


def _attributes(raw: bytes, secret: bytes) -> dict[str, list[object]]:
    answer = packet.Packet(packet=raw, secret=secret, dict=Dictionary(str(_DICTIONARY)))
    return {str(name): list(answer[name]) for name in answer.keys()}  # noqa: SIM118 (names)
