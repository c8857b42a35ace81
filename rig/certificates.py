"""The certificate for PEAP and EAP-TTLS: made at set-up by an authority of the installation's own,
renewed before it ends, or the operator's own, copied to where FreeRADIUS may read it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from billing.errors import InvalidInput
from billing.services.certificates import (
    AUTHORITY,
    CERTIFICATE,
    FOLDER,
    KEY,
    CertificateFacts,
    read_certificate,
)
from rig.account import Account
from rig.processes import StartError

DEFAULT_NAME = "radius.tollway.internal"
AUTHORITY_DAYS = 20 * 365
SERVER_DAYS = 800  # Apple's devices refuse more than 825
RENEW_DAYS = 90
_AUTHORITY_KEY = "ca.key"
# Devices whose clock is a little behind see the certificate as valid, too.
_CLOCK_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class EapOptions:
    """name: what the installation's own certificate is made out to (devices check it).
    certificate, key: PEM files of the operator's own instead; both or none.
    sessions: logins in progress, about 270 KB of memory each; more are refused."""

    name: str = DEFAULT_NAME
    sessions: int = 2048
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class EapFiles:
    """What FreeRADIUS reads."""

    certificate: Path
    key: Path


def ensure(
    state_dir: Path, options: EapOptions, account: Account, now: datetime | None = None
) -> EapFiles:
    """Make, renew or copy what is needed; idempotent. Raises StartError naming the setting."""
    folder = state_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    account.share(folder)
    files = EapFiles(folder / CERTIFICATE, folder / KEY)
    try:
        if options.certificate is not None or options.key is not None:
            _copy(options, files, account)
        elif not _is_good(folder, options.name, now or datetime.now(UTC)):
            _issue(folder, options.name, now or datetime.now(UTC), files, account)
    except InvalidInput as error:
        raise StartError(error.message) from error
    return files


def _copy(options: EapOptions, files: EapFiles, account: Account) -> None:
    """Install the operator's own pair: FreeRADIUS may not read where it lies."""
    if options.certificate is None or options.key is None:
        raise StartError("set both TOLLWAY_EAP_CERTIFICATE and TOLLWAY_EAP_KEY, or neither")
    certificate = _read(options.certificate, "TOLLWAY_EAP_CERTIFICATE")
    key = _read(options.key, "TOLLWAY_EAP_KEY")
    read_certificate(certificate, key)
    _store(files, certificate, key, account)


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{setting}: {path}: {error.strerror}") from error


def _store(files: EapFiles, certificate: bytes, key: bytes, account: Account) -> None:
    account.write_text(files.key, key.decode("ascii"), 0o600)
    account.write_text(files.certificate, certificate.decode("utf-8"), 0o644)


def _is_good(folder: Path, name: str, now: datetime) -> bool:
    """Whether the pair there is our authority's, for this name, and lasts."""
    facts = _facts(folder)
    if facts is None or facts.names != (name,):
        return False
    try:
        authority = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        server = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        server.verify_directly_issued_by(authority)
    except Exception:  # whatever is wrong with it: a new one is made
        return False
    return now < facts.valid_until - timedelta(days=RENEW_DAYS)


def _facts(folder: Path) -> CertificateFacts | None:
    try:
        certificate, key = (folder / name for name in (CERTIFICATE, KEY))
        return read_certificate(certificate.read_bytes(), key.read_bytes())
    except (OSError, InvalidInput):
        return None


def _issue(folder: Path, name: str, now: datetime, files: EapFiles, account: Account) -> None:
    """A new key and certificate for the server, by the authority that devices know."""
    authority, authority_key = _authority(folder, now, account)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    until = min(now + timedelta(days=SERVER_DAYS), authority.not_valid_after_utc)
    try:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        subject = _common_name(name)
    except ValueError as error:
        raise StartError(f"TOLLWAY_EAP_NAME: {name!r} is not a host name") from error
    certificate = (
        _builder(subject, authority.subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    _store(files, certificate.public_bytes(Encoding.PEM), _pem(key), account)


def _authority(
    folder: Path, now: datetime, account: Account
) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """The installation's authority, made when there is none. Its key is not the service's."""
    certificate_file, key_file = folder / AUTHORITY, folder / _AUTHORITY_KEY
    if certificate_file.exists() and key_file.exists():
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise StartError(
                f"{key_file}: not an RSA key; restore it, or delete it and {AUTHORITY}"
            )
        return x509.load_pem_x509_certificate(certificate_file.read_bytes()), key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    # A name of its own, so that a device that knows another installation tells them apart.
    subject = _common_name(f"Tollway authority {secrets.token_hex(4)}")
    certificate = (
        _builder(subject, subject, key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_for_ourselves(key_file, _pem(key))
    account.write_text(certificate_file, certificate.public_bytes(Encoding.PEM).decode(), 0o644)
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(**used: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_for_ourselves(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
        stream.write(content)
