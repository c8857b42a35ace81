"""A catch-all mail server: takes every mail, keeps it as a file and prints it to be read.

For trying Tollway: nothing is delivered anywhere. `docker compose logs mail` is the inbox.
"""

from __future__ import annotations

import asyncio
import signal
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from billing.settings import Settings
from rig.container.health import MAIL_PORT

FOLDER = Path("/var/mail/tollway")


def serve(settings: Settings) -> int:
    """Until SIGTERM."""
    from aiosmtpd.smtp import SMTP

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        server = await loop.create_server(
            lambda: SMTP(Inbox(FOLDER), enable_SMTPUTF8=True),
            "0.0.0.0",  # noqa: S104 (in a container)
            MAIL_PORT,
        )
        async with server:
            print(f"taking mail on port {MAIL_PORT}", flush=True)
            await stop.wait()

    FOLDER.mkdir(parents=True, exist_ok=True)
    asyncio.run(run())
    return 0


class Inbox:
    """What aiosmtpd calls for each mail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: object, session: object, envelope: object
    ) -> str:
        content = bytes(getattr(envelope, "content", b"") or b"")
        (self._folder / f"{time.time_ns()}.eml").write_bytes(content)
        print(readable(content), flush=True)
        return "250 kept"


def readable(content: bytes) -> str:
    """Who, what about, and the text part, between rules."""
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # noqa: S101 (what policy.default makes)
    text = mail.get_body(("plain",))
    body = text.get_content().strip() if text is not None else "(no text part)"
    head = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject") if mail[name]]
    return "\n".join(("-" * 72, *head, "", body, "-" * 72))
