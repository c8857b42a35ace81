"""The TLS tunnel of EAP: whom devices trust, what may be spoken, what a login in progress costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from rig.account import service_account, temporary_state_dir
from rig.certificates import EapOptions, ensure
from rig.eapol import Credentials, Method
from rig.nas import SimulatedNas
from rig.radius import RadiusServer
from tests.factories import PASSWORD, Factory
from tests.radius.eap_devices import TUNNELS, connect, trusting
from tests.radius.test_login import history, paid
from tests.radius.wire import begin_eap

REJECT, CHALLENGE = 3, 11  # RFC 2865 3


@pytest.fixture
def devices(radius: dict[str, RadiusServer]) -> Credentials:
    return trusting(radius["auth"])


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The CA certificate of another installation."""
    ensure(tmp_path, EapOptions(), service_account())
    return tmp_path / "eap" / "ca.pem"


@pytest.mark.parametrize("method", TUNNELS)
def test_a_device_refuses_a_server_that_it_does_not_trust(
    make: Factory,
    nas: SimulatedNas,
    devices: Credentials,
    now: datetime,
    method: Method,
    stranger: Path,
) -> None:
    subscriber = paid(make, now)
    outer = f"anonymous@{subscriber.username}"
    for distrust in ({"authority": stranger}, {"server_name": "radius.other.example"}):
        outcome = connect(
            nas, replace(devices, **distrust), subscriber, method, outer_identity=outer
        )
        assert (outcome.succeeded, outcome.result) == (False, "reject")
        assert "CTRL-EVENT-EAP-TLS-CERT-ERROR" in outcome.said
    # No password was sent; the attempts are kept under the only name that was.
    assert history(make, outer, 2) == [("reject", "tunnel-failed", 0)] * 2
    assert connect(nas, devices, subscriber, method).result == "accept"
    assert len(history(make, subscriber.username)) == 1


def test_no_tls_before_1_2(
    make: Factory, nas: SimulatedNas, devices: Credentials, now: datetime
) -> None:
    subscriber = paid(make, now)
    old = "tls_disable_tlsv1_0=0 tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1"
    assert connect(nas, devices, subscriber, "peap", phase1=old).result != "accept"
    modern = "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=0"
    assert connect(nas, devices, subscriber, "peap", phase1=modern).result == "accept"


@contextmanager
def other_server(radius: dict[str, RadiusServer], eap: EapOptions) -> Iterator[RadiusServer]:
    """One more authentication server, with these options."""
    with temporary_state_dir("twc-") as state_dir:
        options = replace(radius["auth"].options, eap=eap)
        environment = radius["auth"].environment
        server = RadiusServer("auth", state_dir, options=options, environment=environment)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def test_devices_see_the_certificate_that_the_operator_brings(
    make: Factory,
    radius: dict[str, RadiusServer],
    devices: Credentials,
    now: datetime,
    tmp_path: Path,
) -> None:
    subscriber = paid(make, now)
    name = "radius.isp.example"
    theirs = ensure(tmp_path, EapOptions(name=name), service_account())
    own = EapOptions(certificate=theirs.certificate, key=theirs.key)
    with (
        other_server(radius, own) as server,
        make.simulated_nas(now, auth_port=server.port) as nas,
    ):
        trust = replace(devices, authority=tmp_path / "eap" / "ca.pem", server_name=name)
        assert connect(nas, trust, subscriber, "peap").result == "accept"
        assert not connect(nas, devices, subscriber, "peap").succeeded


def test_logins_that_are_begun_and_left_cost_bounded_memory(
    make: Factory, radius: dict[str, RadiusServer], devices: Credentials, now: datetime
) -> None:
    subscriber = paid(make, now)
    with (
        other_server(radius, EapOptions(sessions=8)) as server,
        make.simulated_nas(now, auth_port=server.port) as nas,
    ):
        trust = replace(devices, authority=server.state_dir / "eap" / "ca.pem")
        assert connect(nas, trust, subscriber, "peap").result == "accept"
        begun = [begin_eap(nas, b"anonymous") for _ in range(12)]
        codes = [answer[0] for answer in begun if answer is not None]
        assert (codes[0], codes[-1], codes.count(CHALLENGE)) == (CHALLENGE, REJECT, 8)
        assert connect(nas, trust, subscriber, "peap").result == "reject"
        # Others are served.
        assert nas.login(subscriber.username, PASSWORD).result == "accept"
