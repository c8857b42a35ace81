"""The relay that the settings name: the worker and `tollway message test` send by it."""

from __future__ import annotations

from billing.errors import InvalidInput
from billing.messages.smtp import SmtpChannel
from billing.services.messages import checked_email
from billing.settings import Settings


def relay(settings: Settings) -> SmtpChannel | None:
    """None where no relay is set. Raises InvalidInput (no From address, no password)."""
    if not settings.smtp_host:
        return None
    mail_from(settings)
    return SmtpChannel(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=settings.smtp_password() if settings.smtp_user else "",
    )


def mail_from(settings: Settings) -> str:
    """The installation's From address. Raises InvalidInput (none, or no address)."""
    if not settings.mail_from:
        raise InvalidInput("TOLLWAY_MAIL_FROM is needed to send mail", field="mail_from")
    return checked_email(settings.mail_from, "mail_from")
