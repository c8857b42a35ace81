"""Sends queued messages, a connection a batch (docs/adr/0017)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.messages import (
    Channel,
    ChannelDown,
    DueMessage,
    Envelope,
    Handed,
    MessageState,
    Outcome,
    Papers,
)
from billing.services import mailing
from billing.services.context import Context

log = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
_DATABASE_SECONDS = 1.0


def run(
    context: Context,
    channel: Channel,
    mail_from: str,
    stop: threading.Event,
    clock: Callable[[], datetime] = utc_now,
    papers: Papers | None = None,
    with_paper: bool | None = None,
) -> None:
    """Send what is due until `stop` is set; waits for a database that is away. `with_paper`: the
    kinds that speak of one only, or the others only."""
    while not stop.is_set():
        try:
            taken = tick(context, channel, mail_from, stop, clock, papers, with_paper)
        except Unavailable as error:
            log.warning("messages wait for the database: %s", error)
            stop.wait(_DATABASE_SECONDS)
            continue
        if not taken:
            stop.wait(IDLE_SECONDS)


def tick(
    context: Context,
    channel: Channel,
    mail_from: str,
    stop: threading.Event,
    clock: Callable[[], datetime] = utc_now,
    papers: Papers | None = None,
    with_paper: bool | None = None,
) -> int:
    """One batch; returns how many messages were taken. Raises Unavailable."""
    taken = mailing.take(context, channel.way, mail_from, clock(), with_paper=with_paper)
    attached = papers(taken) if papers is not None else {}
    ready: list[tuple[DueMessage, Envelope]] = []
    for message in taken:
        made = mailing.make(message, attached.get(message.message_id))
        if isinstance(made, str):
            mailing.settle(context, message, Handed(Outcome.NEVER, made), clock())
        else:
            ready.append((message, made))
    if ready:
        _hand_over(context, channel, ready, stop, clock)
    return len(taken)


def _hand_over(
    context: Context,
    channel: Channel,
    ready: list[tuple[DueMessage, Envelope]],
    stop: threading.Event,
    clock: Callable[[], datetime],
) -> None:
    sent = 0
    reason = "the worker was stopped"
    try:
        with channel.open() as line:
            while ready and not stop.is_set():
                message, envelope = ready[0]
                handed = line.send(envelope)
                del ready[0]
                state = mailing.settle(context, message, handed, clock())
                sent += state is MessageState.SENT
                if handed.outcome is Outcome.LOST:
                    reason = handed.reason or "the connection was lost"
                    break
    except ChannelDown as error:
        reason = str(error)
    if sent:
        log.info("sent %d messages", sent)
    if ready:
        log.warning("%d messages (%s) are sent later: %s", len(ready), channel.way, reason)
        mailing.put_back(context, [message for message, _ in ready], reason, clock())
