"""The relay and the webhook that the settings name: the worker and `tollway message test` send by
them."""

from __future__ import annotations

from billing.clock import utc_now
from billing.errors import InvalidInput
from billing.messages.smtp import SmtpChannel
from billing.messages.webhook import WebhookChannel, url_problem
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


def webhook(settings: Settings) -> WebhookChannel | None:
    """None where no webhook is set. Raises InvalidInput (the address, the secret)."""
    if not settings.webhook_url:
        return None
    if problem := url_problem(settings.webhook_url):
        raise InvalidInput(f"TOLLWAY_WEBHOOK_URL {problem}", field="webhook_url")
    return WebhookChannel(url=settings.webhook_url, secret=settings.webhook_secret(), clock=utc_now)


def mail_from(settings: Settings) -> str:
    """The installation's From address. Raises InvalidInput (none, or no address)."""
    if not settings.mail_from:
        raise InvalidInput("TOLLWAY_MAIL_FROM is needed to send mail", field="mail_from")
    return checked_email(settings.mail_from, "mail_from")
