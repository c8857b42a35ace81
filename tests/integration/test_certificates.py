"""The certificate for EAP: made, renewed, or the operator's own; what doctor says of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from billing.services.certificates import certificate_checks
from rig.account import service_account
from rig.certificates import RENEW_DAYS, SERVER_DAYS, EapFiles, EapOptions, ensure
from rig.processes import StartError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Make = Callable[..., EapOptions]


@pytest.fixture
def own(tmp_path: Path) -> Make:
    """Makes an operator's own certificate and key, with what the test wants wrong about it."""

    def make(
        *,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
        days: int = 365,
        encryption: KeySerializationEncryption | None = None,
        other_key: bool = False,
    ) -> EapOptions:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "radius.isp.example")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=400))
            .not_valid_after(NOW + timedelta(days=days))
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate = builder.sign(key, hashes.SHA256())
        kept = ec.generate_private_key(ec.SECP256R1()) if other_key else key
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        options = EapOptions(certificate=folder / "fullchain.pem", key=folder / "privkey.pem")
        (folder / "fullchain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "privkey.pem").write_bytes(
            kept.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
        )
        return options

    return make


def made(state_dir: Path, now: datetime = NOW, **options: str) -> EapFiles:
    return ensure(state_dir, EapOptions(**options), service_account(), now)


def said(
    state_dir: Path, now: datetime = NOW, options: EapOptions | None = None
) -> list[tuple[str, str]]:
    """(status, detail) of doctor's checks; each that is not well says how to mend it."""
    own = (str(options.certificate or ""), str(options.key or "")) if options else ("", "")
    checks = list(certificate_checks(state_dir, own, now))
    assert all(bool(check.mend) == (check.status != "ok") for check in checks)
    return [(check.status, check.detail) for check in checks]


def test_a_certificate_is_made_once_and_only_the_service_reads_its_key(tmp_path: Path) -> None:
    files = made(tmp_path)
    first = files.certificate.read_bytes()
    account = service_account()
    for path, mode in ((files.key, 0o600), (tmp_path / "eap" / "ca.key", 0o600)):
        assert path.stat().st_mode & 0o777 == mode
    assert files.key.stat().st_uid == account.uid
    # Not even the service may sign: only who sets up.
    assert (tmp_path / "eap" / "ca.key").stat().st_uid != account.uid or not account.switch
    assert made(tmp_path).certificate.read_bytes() == first
    until = NOW + timedelta(days=SERVER_DAYS)
    assert said(tmp_path) == [("ok", f"radius.tollway.internal, valid until {until:%Y-%m-%d}")]


def test_it_is_renewed_before_it_ends_by_the_same_authority(tmp_path: Path) -> None:
    files = made(tmp_path)
    authority = (tmp_path / "eap" / "ca.pem").read_bytes()
    first = files.certificate.read_bytes()
    almost = NOW + timedelta(days=SERVER_DAYS - RENEW_DAYS)
    assert made(tmp_path, almost - timedelta(seconds=1)).certificate.read_bytes() == first
    assert made(tmp_path, almost).certificate.read_bytes() != first
    assert (tmp_path / "eap" / "ca.pem").read_bytes() == authority
    issued = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert issued.not_valid_after_utc == almost + timedelta(days=SERVER_DAYS)


def test_another_name_or_a_damaged_file_brings_a_new_one(tmp_path: Path) -> None:
    files = made(tmp_path)
    made(tmp_path, name="radius.isp.example")
    assert said(tmp_path)[0][1].startswith("radius.isp.example, ")
    files.key.write_text("half a ke", encoding="ascii")
    assert said(tmp_path)[0][0] == "fail"
    made(tmp_path, name="radius.isp.example")
    assert said(tmp_path)[0][0] == "ok"
    with pytest.raises(StartError, match="TOLLWAY_EAP_NAME: 'rädius' is not a host name"):
        made(tmp_path, name="rädius")


def test_doctor_tells_the_end_and_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    assert said(tmp_path) == [("fail", f"{tmp_path}/eap/server.pem: No such file or directory")]
    made(tmp_path)
    end = NOW + timedelta(days=SERVER_DAYS)
    assert said(tmp_path, end - timedelta(days=30))[0][0] == "warn"
    assert said(tmp_path, end)[0] == (
        "fail",
        f"radius.tollway.internal, valid until {end:%Y-%m-%d}: it has ended, devices refuse it",
    )
    early = said(tmp_path, NOW - timedelta(days=2))[0]
    assert (early[0], "valid only from 2026-11-21 12:00 UTC" in early[1]) == ("fail", True)


def test_an_own_certificate_is_copied_for_the_service(tmp_path: Path, own: Make) -> None:
    options = own()
    assert said(tmp_path, options=options)[1] == (
        "warn",
        f"{options.certificate} is not in use yet",
    )
    files = ensure(tmp_path, options, service_account(), NOW)
    assert options.certificate is not None
    assert files.certificate.read_bytes() == options.certificate.read_bytes()
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert said(tmp_path, options=options) == [("ok", "radius.isp.example, valid until 2027-11-22")]
    # Without it the installation's own comes back.
    made(tmp_path)
    assert said(tmp_path)[0][1].startswith("radius.tollway.internal, ")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"other_key": True}, "TOLLWAY_EAP_KEY: the key does not belong to the first certificate"),
        (
            {"encryption": BestAvailableEncryption(b"secret")},
            "TOLLWAY_EAP_KEY: the key is protected by a password",
        ),
    ],
)
def test_an_own_key_that_cannot_be_used_stops_the_start(
    tmp_path: Path, own: Make, wrong: dict[str, object], message: str
) -> None:
    options = own(**wrong)
    with pytest.raises(StartError, match=message):
        ensure(tmp_path, options, service_account(), NOW)
    ((status, detail),) = said(tmp_path, options=options)
    assert (status, detail.startswith(message)) == ("fail", True)


def test_what_is_missing_or_no_certificate_is_named(tmp_path: Path, own: Make) -> None:
    options = own()
    assert options.certificate is not None
    assert options.key is not None
    with pytest.raises(StartError, match="set both TOLLWAY_EAP_CERTIFICATE and TOLLWAY_EAP_KEY"):
        ensure(tmp_path, EapOptions(key=options.key), service_account(), NOW)
    options.certificate.write_text("no certificate", encoding="ascii")
    with pytest.raises(StartError, match="TOLLWAY_EAP_CERTIFICATE: not a certificate in PEM"):
        ensure(tmp_path, options, service_account(), NOW)
    options.key.unlink()
    with pytest.raises(StartError, match=r"TOLLWAY_EAP_KEY: .*privkey\.pem: No such file"):
        ensure(tmp_path, options, service_account(), NOW)


@pytest.mark.parametrize("usage", [None, ExtendedKeyUsageOID.CLIENT_AUTH])
def test_an_own_certificate_that_devices_refuse_is_told(
    tmp_path: Path, own: Make, usage: x509.ObjectIdentifier | None
) -> None:
    options = own(usage=usage, days=-1)
    ensure(tmp_path, options, service_account(), NOW)
    (ended, no_server_auth) = said(tmp_path, options=options)
    assert (ended[0], "it has ended" in ended[1]) == ("fail", True)
    assert no_server_auth[0] == "fail"
    assert "does not list serverAuth" in no_server_auth[1]
