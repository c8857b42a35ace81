"""Whether a FreeRADIUS server answers: the standard library alone, as health checks run often."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import socket
import time
from pathlib import Path


def serves(raddb: Path, timeout_seconds: float) -> bool:
    """Whether the server of this raddb answers Status-Server on loopback."""
    try:
        text = (raddb / "settings.conf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    values = dict(re.findall(r'^(\w+) = "(.*)"$', text, re.MULTILINE))
    return probe_status(int(values["status_port"]), values["status_secret"], timeout_seconds)


def probe_status(port: int, secret: str, timeout_seconds: float) -> bool:
    """Send one Status-Server (RFC 5997) to loopback; True when an answer comes in time."""
    authenticator = os.urandom(16)
    head = bytes((12, 1)) + (38).to_bytes(2, "big") + authenticator + bytes((80, 18))
    digest = hmac.new(secret.encode(), head + bytes(16), hashlib.md5).digest()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(timeout_seconds)
        probe.connect(("127.0.0.1", port))
        try:
            probe.send(head + digest)
            return probe.recv(4096)[:2] == bytes((2, 1))
        except ConnectionRefusedError:
            time.sleep(0.05)
            return False
        except TimeoutError:
            return False
