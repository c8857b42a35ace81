"""Devices that log in by EAP, set up as docs/nas.md tells."""

from __future__ import annotations

from dataclasses import replace

from rig.eapol import Credentials, EapOutcome, Method, log_in
from rig.nas import SimulatedNas
from rig.radius import RadiusServer
from tests.factories import PASSWORD, Subscriber

TUNNELS: list[Method] = ["peap", "ttls"]


def trusting(server: RadiusServer) -> Credentials:
    """A device that trusts the installation's authority, and hides the subscriber's name."""
    authority = server.state_dir / "eap" / "ca.pem"
    return Credentials("", PASSWORD, authority=authority, outer_identity="anonymous@isp.example")


def connect(
    nas: SimulatedNas, devices: Credentials, subscriber: Subscriber, method: Method, **entered: str
) -> EapOutcome:
    """Log in by this method; plain EAP-MSCHAPv2 has no outer name."""
    changed = replace(devices, **{"identity": subscriber.username, "method": method} | entered)
    return log_in(nas, replace(changed, outer_identity=None) if method == "mschapv2" else changed)
