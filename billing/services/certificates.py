"""The certificate that RADIUS shows to devices (PEAP, EAP-TTLS): what it says, and what devices
would refuse it for. Reads only; rig.certificates makes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from billing.errors import InvalidInput
from billing.model.views import CheckView

SOON_DAYS = 30
FOLDER = "eap"
"""Below the state directory; holds what FreeRADIUS reads."""
CERTIFICATE, KEY, AUTHORITY = "server.pem", "server.key", "ca.pem"
_NAME = "EAP certificate"
_RENEW = "run `./run up`: it renews the certificate and starts FreeRADIUS anew"
_REPLACE = (
    "put a new one into the files that TOLLWAY_EAP_CERTIFICATE and TOLLWAY_EAP_KEY name, "
    "then `./run up`"
)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the first certificate of a file says. `names` are what devices may check it for."""

    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime
    for_servers: bool
    """Its extended key usage lists serverAuth, without which Windows and Apple refuse it."""
    self_signed: bool


def read_certificate(certificate_pem: bytes, key_pem: bytes) -> CertificateFacts:
    """The facts of a certificate that belongs to this key.

    Raises InvalidInput, naming TOLLWAY_EAP_CERTIFICATE or TOLLWAY_EAP_KEY, when either is no PEM,
    the key needs a password, or the two do not belong together.
    """
    try:
        certificate = x509.load_pem_x509_certificates(certificate_pem)[0]
    except ValueError as error:
        raise InvalidInput(
            "TOLLWAY_EAP_CERTIFICATE: not a certificate in PEM (BEGIN CERTIFICATE)",
            field="eap_certificate",
        ) from error
    try:
        key = load_pem_private_key(key_pem, password=None)
    except TypeError as error:
        raise InvalidInput(
            "TOLLWAY_EAP_KEY: the key is protected by a password; store it without one "
            "(openssl pkey -in KEY -out NEW), readable for root only",
            field="eap_key",
        ) from error
    except ValueError as error:
        raise InvalidInput(
            "TOLLWAY_EAP_KEY: not a private key in PEM (BEGIN PRIVATE KEY)", field="eap_key"
        ) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InvalidInput(
            "TOLLWAY_EAP_KEY: the key does not belong to the first certificate of "
            "TOLLWAY_EAP_CERTIFICATE; that file holds the server's certificate first, then those "
            "between it and the root",
            field="eap_key",
        )
    return CertificateFacts(
        names=_names(certificate),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
        for_servers=_is_for_servers(certificate),
        self_signed=certificate.issuer == certificate.subject,
    )


def certificate_checks(state_dir: Path, own: tuple[str, str], now: datetime) -> Iterator[CheckView]:
    """What `tollway doctor` says about the certificate; `own` are the operator's PEM files of
    certificate and key, empty where there are none."""
    folder = state_dir / FOLDER
    used = (folder / CERTIFICATE, folder / KEY)
    mine = tuple(Path(given) if given else used[at] for at, given in enumerate(own))
    mend = _REPLACE if any(own) else _RENEW
    try:
        pem, key_pem = (path.read_bytes() for path in mine)
        facts = read_certificate(pem, key_pem)
    except OSError as error:
        yield _check("fail", f"{error.filename}: {error.strerror}", mend)
        return
    except InvalidInput as error:
        yield _check("fail", error.message, mend)
        return
    yield _validity(facts, now, mend)
    if not facts.for_servers:
        yield _check(
            "fail",
            "its extended key usage does not list serverAuth: Windows, Android and Apple refuse it",
            "have it issued with the extended key usage serverAuth (TLS Web Server "
            "Authentication), then `./run up`",
        )
    if any(own) and not _is_in_use(pem, used[0]):
        yield _check("warn", f"{mine[0]} is not in use yet", "run `./run up`")


def end_of_use(state_dir: Path) -> datetime | None:
    """When the certificate that FreeRADIUS shows ends; None when there is none that can be read."""
    try:
        pem = (state_dir / FOLDER / CERTIFICATE).read_bytes()
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _validity(facts: CertificateFacts, now: datetime, mend: str) -> CheckView:
    names = ", ".join(facts.names) or "no name"
    until = f"{names}, valid until {facts.valid_until:%Y-%m-%d}"
    if now < facts.valid_from:
        detail = f"{names}, valid only from {facts.valid_from:%Y-%m-%d %H:%M} UTC"
        return _check("fail", detail, f"set the clock right, or {mend}")
    if now >= facts.valid_until:
        return _check("fail", f"{until}: it has ended, devices refuse it", mend)
    if now >= facts.valid_until - timedelta(days=SOON_DAYS):
        return _check("warn", until, mend)
    return _check("ok", until, "")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(attribute.value) for attribute in common)
    return tuple(listed.value.get_values_for_type(x509.DNSName))


def _is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage.value


def _is_in_use(pem: bytes, used: Path) -> bool:
    try:
        return pem == used.read_bytes()
    except OSError:
        return False


def _check(status: str, detail: str, mend: str) -> CheckView:
    return CheckView(name=_NAME, status=status, detail=detail, mend=mend)
