"""Mail to a relay over TLS, with a login: the certificate is checked, the password stays inside."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from billing.messages.smtp import SmtpChannel
from billing.model import messages as model
from billing.model.messages import ChannelDown, Outcome
from rig.ports import free_tcp_port

PASSWORD = "long enough 7"
MAIL = model.Envelope(
    sender="bills@net.example",
    addresses=("ada@net.example",),
    key="1@net.example",
    content=b"Subject: x\r\n\r\ny\r\n",
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Relay:
    """Takes mail after a login only."""

    def __init__(self) -> None:
        self.logins: list[tuple[bytes, bytes, bool]] = []
        self.taken = 0

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.taken += 1
        return "250 taken"


@pytest.fixture
def relay(certificate: Path) -> Iterator[tuple[Relay, SmtpChannel]]:
    """Offers STARTTLS and wants it."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    taking, port = Relay(), free_tcp_port()
    controller = Controller(
        taking,
        hostname="127.0.0.1",
        port=port,
        tls_context=tls,
        require_starttls=True,
        auth_required=True,
        authenticator=taking.authenticate,
    )
    controller.start()
    yield (
        taking,
        SmtpChannel(
            host="127.0.0.1", port=port, security="starttls", user="isp", password=PASSWORD
        ),
    )
    controller.stop()


def test_a_mail_goes_over_starttls_with_a_login(
    relay: tuple[Relay, SmtpChannel], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking, channel = relay
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with channel.open() as line:
        assert line.send(MAIL).outcome is Outcome.SENT
        assert line.send(MAIL).outcome is Outcome.SENT
    assert taking.taken == 2
    assert taking.logins == [(b"isp", PASSWORD.encode(), True)]


def test_a_relay_with_an_unknown_certificate_gets_no_password(
    relay: tuple[Relay, SmtpChannel],
) -> None:
    taking, channel = relay
    with pytest.raises(ChannelDown, match="certificate"), channel.open():
        pass
    assert taking.logins == []


def test_a_wrong_password_is_a_channel_that_is_down(
    relay: tuple[Relay, SmtpChannel], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The messages are not at fault: they wait."""
    _, channel = relay
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        pytest.raises(ChannelDown, match="535") as caught,
        replace(channel, password="another one").open(),
    ):
        pass
    assert "another one" not in str(caught.value)


def test_without_a_login_the_relay_refuses_the_sender_and_the_mail_waits(
    relay: tuple[Relay, SmtpChannel], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, channel = relay
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with replace(channel, user="").open() as line:
        handed = line.send(MAIL)
    assert handed.outcome is Outcome.LATER
    assert "530" in (handed.reason or "")
