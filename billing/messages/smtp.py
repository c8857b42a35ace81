"""Mail over SMTP to the operator's relay (RFC 5321), which signs (DKIM) and delivers it."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import ClassVar, Literal

from billing.model.messages import ChannelDown, Envelope, Handed, MessageChannel, Outcome

TIMEOUT_SECONDS = 20.0
_SERVICE_ENDS = 421  # RFC 5321 4.2.2: the connection is closed after it
_PERMANENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpChannel:
    """`security`: TLS from the start, by STARTTLS, or none. Certificates are checked. A password is
    sent in the clear to this machine only."""

    way: ClassVar[MessageChannel] = MessageChannel.EMAIL
    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = field(default="", repr=False)

    @contextmanager
    def open(self) -> Iterator[SmtpLine]:
        """Connect and log in; raises ChannelDown with what went wrong."""
        try:
            client = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelDown(f"{self.host}:{self.port}: {_words(error)}") from error
        try:
            yield SmtpLine(client)
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()

    def _connected(self) -> smtplib.SMTP:
        if self.user and self.security == "none" and not is_loopback(self.host):
            raise smtplib.SMTPException("no password is sent without TLS; set smtp_security")
        tls = ssl.create_default_context()
        if self.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=tls
            )
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            if self.security == "starttls":
                client.starttls(context=tls)
            if self.user:
                client.login(self.user, self.password)
            client.ehlo_or_helo_if_needed()
        except BaseException:
            client.close()
            raise
        return client


@dataclass(frozen=True, slots=True)
class SmtpLine:
    """One connection, for many messages."""

    client: smtplib.SMTP

    def send(self, envelope: Envelope) -> Handed:
        """Hand one mail over. Addresses of several that are refused are named in the reason."""
        try:
            refused = self.client.sendmail(
                envelope.sender, list(envelope.addresses), envelope.content
            )
        except smtplib.SMTPRecipientsRefused as error:
            return _judged({code for code, _ in error.recipients.values()}, _of(error.recipients))
        except smtplib.SMTPSenderRefused as error:
            # The From address or the login is at fault, not this message: a person can mend it.
            lost = error.smtp_code == _SERVICE_ENDS
            return Handed(Outcome.LOST if lost else Outcome.LATER, _words(error))
        except smtplib.SMTPResponseException as error:
            return _judged({error.smtp_code}, _words(error))
        except (OSError, smtplib.SMTPException) as error:
            return Handed(Outcome.LOST, _words(error))
        return Handed(Outcome.SENT, f"refused: {_of(refused)}" if refused else None)


def _judged(codes: set[int], reason: str) -> Handed:
    """Final only where every answer is."""
    if _SERVICE_ENDS in codes or any(code < 0 for code in codes):
        return Handed(Outcome.LOST, reason)
    final = all(code >= _PERMANENT for code in codes)
    return Handed(Outcome.NEVER if final else Outcome.LATER, reason)


def _of(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(
        f"{address}: {code} {_text(said)}" for address, (code, said) in refused.items()
    )


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error) or type(error).__name__


def _text(said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(text.split())


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
