"""A mail server (aiosmtpd) on a free port of loopback: keeps what it takes, answers as told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from billing.messages.smtp import SmtpChannel
from rig.ports import free_tcp_port

TAKEN = "250 taken"


@dataclass
class MailServer:
    """`answers`: what it says to a recipient (RCPT) instead of taking it; `on_mail`: done with each
    mail before it is answered."""

    port: int = field(default_factory=free_tcp_port)
    mails: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    on_mail: Callable[[EmailMessage], None] = lambda _mail: None
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            with suppress(OSError):
                self._controller.stop()
            self._controller = None

    @property
    def channel(self) -> SmtpChannel:
        return SmtpChannel(host="127.0.0.1", port=self.port, security="none")

    def to(self, address: str) -> list[EmailMessage]:
        """What was taken for this address, in the order of arrival."""
        return [mail for mail in self.mails if address in mail["To"]]

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        mail = message_from_bytes(
            content if isinstance(content, bytes) else b"", policy=policy.default
        )
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.on_mail(mail)
        return TAKEN
