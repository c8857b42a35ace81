"""802.1X on a cable: hostapd as the switch's port, wpa_supplicant as the device behind it.

Three namespaces stand in a row: the ISP's core (where radiusd and the worker are started), the
switch, and the device. hostapd's `wired` driver keeps the books of the port (who is authorised,
for how long), reports them, and obeys Disconnect; it does not count octets, and holds up no frames.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import processes
from rig.account import Account
from rig.eapol import Credentials
from rig.netns import Namespace
from rig.processes import Process

HOSTAPD, HOSTAPD_CLI = "/usr/sbin/hostapd", "/usr/sbin/hostapd_cli"
SUPPLICANT, WPA_CLI = "/usr/sbin/wpa_supplicant", "/usr/sbin/wpa_cli"
CORE_ADDRESS, NAS_ADDRESS = "10.0.0.1", "10.0.0.2"
SWITCH_ADDRESS, DEVICE_ADDRESS = "192.0.2.1", "192.0.2.2"
COA_PORT = 3799

_ROOT = Account("root", 0, 0, switch=False)
_START_SECONDS = 20.0


class _Daemon:
    """A program of the wpa family, in a namespace, with its files in *directory*."""

    def __init__(self, namespace: Namespace, directory: Path, interface: str) -> None:
        self.namespace = namespace
        self.directory = directory
        self.interface = interface
        self.process: Process | None = None
        directory.mkdir(parents=True)

    @property
    def control(self) -> Path:
        """Where its control socket is."""
        return self.directory / "control"

    def start(self, name: str, argv: Sequence[str], configuration: str, cli: str) -> None:
        """Start it and wait until it answers. Raises StartError with the end of its log."""
        path = self.directory / f"{name}.conf"
        path.touch(mode=0o600)
        path.write_text(configuration, encoding="utf-8")
        process = self.process = processes.start(
            name,
            self.namespace.argv(*argv, str(path)),
            run_dir=self.directory,
            log_dir=self.directory,
            account=_ROOT,
        )
        deadline = time.monotonic() + _START_SECONDS
        while "PONG" not in self._say(cli, "ping"):
            if not process.alive() or time.monotonic() > deadline:
                process.stop()
                raise processes.failed(process, f"{name} does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process is not None:
            self.process.stop()
            self.process = None

    def log(self) -> str:
        """What it has written so far."""
        texts = [path.read_text(errors="replace") for path in self.directory.glob("*.log")]
        return "\n".join(texts)

    def _say(self, cli: str, *words: str) -> str:
        argv = [cli, "-p", str(self.control), "-i", self.interface, *words]
        done = subprocess.run(
            self.namespace.argv(*argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.stdout


class Switch(_Daemon):
    """hostapd, with the RADIUS part of its configuration given by the caller."""

    def run(self, radius_conf: str) -> None:
        """Serve the port."""
        own = (
            f"interface={self.interface}\ndriver=wired\nctrl_interface={self.control}\n"
            "logger_stdout=-1\nlogger_stdout_level=1\n"
        )
        self.start("hostapd", [HOSTAPD, "-t"], own + radius_conf, HOSTAPD_CLI)

    def authorised(self) -> list[str]:
        """MAC addresses that may use the port."""
        said = self._say(HOSTAPD_CLI, "all_sta")
        stations = re.split(r"^(?=(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$)", said, flags=re.MULTILINE)
        return [text[:17] for text in stations if re.search(r"^flags=.*\[AUTHORIZED\]", text, re.M)]


class Device(_Daemon):
    """wpa_supplicant, which logs in as soon as it runs."""

    def plug_in(self, credentials: Credentials) -> None:
        """Connect with what the subscriber entered; returns before the outcome is known."""
        head = f"ctrl_interface={self.control}\nap_scan=0\n"
        argv = [SUPPLICANT, "-D", "wired", "-i", self.interface, "-t", "-c"]
        self.start("supplicant", argv, head + credentials.network(), WPA_CLI)

    def log_off(self) -> None:
        """Tell the switch that the user leaves (EAPOL-Logoff)."""
        self._say(WPA_CLI, "logoff")

    def status(self) -> dict[str, str]:
        """Its state machines: `EAP state`, `suppPortStatus` and others."""
        lines = self._say(WPA_CLI, "status").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@dataclass
class Port:
    """The parts; radiusd has to be started in `core`, at CORE_ADDRESS."""

    core: Namespace
    switch: Switch
    device: Device

    @contextmanager
    def in_service(self, radius_conf: str) -> Iterator[None]:
        """hostapd runs meanwhile, and knows nobody; at the end device and switch are switched
        off. A switch that saw a device leave would not hear it again for some seconds."""
        self.switch.run(radius_conf)
        try:
            yield
        finally:
            self.device.stop()
            self.switch.stop()


@contextmanager
def port(directory: Path) -> Iterator[Port]:
    """The three namespaces, nothing running in them yet."""
    tag = os.urandom(3).hex()
    with ExitStack() as stack:
        names = tuple(f"{part}{tag}" for part in ("c", "s", "d"))
        core, middle, end = (_namespace(stack, name) for name in names)
        core.cable(middle, f"{CORE_ADDRESS}/24", f"{NAS_ADDRESS}/24")
        middle.cable(end, f"{SWITCH_ADDRESS}/24", f"{DEVICE_ADDRESS}/24")
        switch = Switch(middle, directory / "switch", end.name)
        yield Port(core, switch, Device(end, directory / "device", middle.name))


def _namespace(stack: ExitStack, name: str) -> Namespace:
    namespace = Namespace(name)
    stack.callback(namespace.close)
    return namespace
