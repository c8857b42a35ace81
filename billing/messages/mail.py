"""A rendered message as an email (RFC 5322): text and HTML, one Message-ID for all attempts."""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from billing.messages.render import Rendered, one_line
from billing.model.messages import Attachment, Envelope


def compose(
    rendered: Rendered,
    *,
    sender: str,
    sender_name: str,
    addresses: tuple[str, ...],
    mail_id: str,
    queued_at: datetime,
    attachment: Attachment | None = None,
) -> Envelope:
    """The mail to `addresses`, dated when it was queued, with a paper where there is one. Line
    breaks cannot get into a header: the library refuses them, and names are squeezed into one line
    before. Raises ValueError (an address that is none)."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = Address(one_line(sender_name), addr_spec=sender)
    mail["To"] = [Address(addr_spec=address) for address in addresses]
    mail["Subject"] = rendered.subject
    mail["Date"] = format_datetime(queued_at)
    mail["Message-ID"] = f"<{mail_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(rendered.text, cte="quoted-printable")
    mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    if attachment is not None:
        mail.add_attachment(
            attachment.octets, maintype="application", subtype="pdf", filename=attachment.name
        )
    return Envelope(sender=sender, addresses=addresses, key=mail_id, content=mail.as_bytes())
