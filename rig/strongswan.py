"""strongSwan as a NAS: a VPN gateway that asks Tollway, and a client that dials in to it.

Three namespaces stand in a row: the ISP's core (where radiusd and the worker are started), the
gateway, and the subscriber. Both ends of the tunnel are real charons with encryption in the process
(kernel-libipsec: TUN devices `ipsec0`), so the kernel needs no ESP.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rig import processes
from rig.account import Account
from rig.netns import Namespace
from rig.processes import Process, StartError

CHARON = "/usr/sbin/charon-systemd"
SWANCTL = "/usr/sbin/swanctl"
TUNNEL = "ipsec0"
CORE_ADDRESS, NAS_ADDRESS = "10.0.0.1", "10.0.0.2"
GATEWAY_ADDRESS, CLIENT_ADDRESS = "198.51.100.1", "198.51.100.2"
GATEWAY_NAME = "vpn.example.net"
POOL_NETWORK = "10.20.0.0/16"
"""Where subscribers' addresses come from: the core sends it to the gateway."""

_ROOT = Account("root", 0, 0, switch=False)
_START_SECONDS = 20.0
# Never `resolve`: it would write the machine's resolv.conf. The first of the two kernel plugins
# does the encryption.
_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac gcm aes sha1 sha2 md5 "
    "kernel-libipsec kernel-netlink socket-default vici eap-identity"
)
_DAEMON = """\
charon-systemd {{
    load = {plugins}
    install_routes = yes
    retransmit_tries = 2
    retransmit_timeout = 1.0
    syslog {{
        daemon {{
            default = -1
        }}
        auth {{
            default = -1
        }}
    }}
    journal {{
        default = -1
    }}
    filelog {{
        file {{
            path = {log}
            default = 1
            time_format = %H:%M:%S
            flush_line = yes
        }}
    }}
    plugins {{
        vici {{
            socket = {vici}
        }}
        {extra}
    }}
}}
"""
_DIAL_UP = f"""\
connections {{
    isp {{
        version = 2
        remote_addrs = {GATEWAY_ADDRESS}
        vips = 0.0.0.0
        over_time = 0s
        local {{
            auth = eap-mschapv2
            eap_id = USERNAME
        }}
        remote {{
            auth = pubkey
            id = {GATEWAY_NAME}
            cacerts = ca.pem
        }}
        children {{
            isp {{
                remote_ts = 0.0.0.0/0
            }}
        }}
    }}
}}
secrets {{
    eap {{
        id = USERNAME
        secret = "PASSWORD"
    }}
}}
"""


class Charon:
    """One strongSwan daemon, in a namespace, with its files in *directory*."""

    def __init__(self, namespace: Namespace, directory: Path, plugins: str, extra: str) -> None:
        self.namespace = namespace
        self.directory = directory
        self.log_file = directory / "charon.log"
        self._vici = f"unix://{directory / 'vici'}"
        for folder in ("swanctl/x509", "swanctl/x509ca", "swanctl/private"):
            (directory / folder).mkdir(parents=True)
        text = _DAEMON.format(
            plugins=f"{_PLUGINS} {plugins}", vici=self._vici, log=self.log_file, extra=extra
        )
        self._write("strongswan.conf", text)
        self._environment = {
            "STRONGSWAN_CONF": str(directory / "strongswan.conf"),
            "SWANCTL_DIR": str(directory / "swanctl"),
        }

    @property
    def process(self) -> Process:
        """The running daemon. Raises LookupError when it has ended."""
        found = processes.find("charon", run_dir=self.directory, log_dir=self.directory)
        if found is None:
            raise LookupError(f"strongSwan does not run\n{processes.last_lines(self.log_file)}")
        return found

    def start(self) -> Process:
        """Start it and load its configuration. Raises StartError with the end of its log."""
        process = processes.start(
            "charon",
            self.namespace.argv(CHARON),
            run_dir=self.directory,
            log_dir=self.directory,
            env=self._environment,
            account=_ROOT,
        )
        deadline = time.monotonic() + _START_SECONDS
        while self.swanctl("--stats").returncode != 0:
            if not process.alive() or time.monotonic() > deadline:
                process.stop()
                raise processes.failed(process, "strongSwan does not start")
            time.sleep(0.05)
        loaded = self.swanctl("--load-all")
        if loaded.returncode != 0:
            process.stop()
            raise StartError(f"swanctl --load-all failed:\n{loaded.stdout}")
        return process

    def swanctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Give the daemon an order; exit code not checked, the output in `stdout`."""
        return subprocess.run(
            [SWANCTL, *arguments, "--uri", self._vici],
            env=os.environ | self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def tunnels(self) -> str:
        """The established tunnels, as `swanctl` shows them; empty when there is none."""
        return self.swanctl("--list-sas").stdout

    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def configure(self, swanctl_conf: str) -> None:
        """Replace its connections and secrets; to be loaded by `start` or `--load-all`."""
        self._write("swanctl/swanctl.conf", swanctl_conf)


@dataclass
class Client:
    """The subscriber's end."""

    charon: Charon

    def dial(self, username: str, password: str) -> str | None:
        """Log in and bring the tunnel up: the address it was given, None when it was refused."""
        before = self.charon.namespace.addresses()
        text = _DIAL_UP.replace("USERNAME", username).replace("PASSWORD", password)
        self.charon.configure(text)
        self.charon.swanctl("--load-all", "--clear")
        done = self.charon.swanctl("--initiate", "--child", "isp", "--timeout", "20")
        if done.returncode != 0:
            return None
        (address,) = self.charon.namespace.addresses() - before
        return address

    def hang_up(self) -> None:
        """End the tunnel from the subscriber's side."""
        self.charon.swanctl("--terminate", "--ike", "isp", "--timeout", "10")

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Stand still meanwhile, as a machine out of reach."""
        self.charon.process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.charon.process.send(signal.SIGCONT)


@dataclass
class Vpn:
    """The running parts."""

    core: Namespace
    gateway: Charon
    client: Client


@contextmanager
def vpn(directory: Path, eap_radius_conf: str, swanctl_conf: str) -> Iterator[Vpn]:
    """The three namespaces with both daemons, the gateway configured by the two texts given.

    `eap_radius_conf` is the plugin's section of strongswan.conf. Gateway certificate
    `gateway.pem` is there. radiusd has to be started in `core`, at CORE_ADDRESS.
    """
    tag = os.urandom(3).hex()
    with ExitStack() as stack:
        core, gateway, home = (_namespace(stack, f"{part}{tag}") for part in ("c", "g", "h"))
        core.cable(gateway, f"{CORE_ADDRESS}/24", f"{NAS_ADDRESS}/24")
        gateway.cable(home, f"{GATEWAY_ADDRESS}/24", f"{CLIENT_ADDRESS}/24")
        core.run("ip", "route", "add", POOL_NETWORK, "via", NAS_ADDRESS)
        server = Charon(gateway, directory / "gateway", "eap-radius", eap_radius_conf)
        client = Charon(home, directory / "client", "eap-mschapv2", "")
        server.configure(swanctl_conf)
        client.configure("")
        _certify(server.directory / "swanctl", client.directory / "swanctl")
        for charon in (server, client):
            stack.callback(charon.start().stop)
        yield Vpn(core, server, Client(client))


def _namespace(stack: ExitStack, name: str) -> Namespace:
    namespace = Namespace(name)
    stack.callback(namespace.close)
    return namespace


def _certify(gateway: Path, client: Path) -> None:
    """A certificate of the gateway, by an authority that the client trusts."""
    authority_key, gateway_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("Test ISP", authority_key, authority_key, ())
    signed = _certificate(GATEWAY_NAME, gateway_key, authority_key, (GATEWAY_NAME,))
    (client / "x509ca" / "ca.pem").write_bytes(authority)
    (gateway / "x509" / "gateway.pem").write_bytes(signed)
    private = gateway_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    (gateway / "private" / "gateway.pem").write_bytes(private)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
) -> bytes:
    """PEM, for a day; without hosts it is the authority's own."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("Test ISP"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
