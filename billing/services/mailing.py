"""Queued messages are taken, made ready for their channel and settled (docs/adr/0017).

A message is taken with a lease, in a transaction of its own, and settled in another one after it
was handed over: at least once. Who dies between the two leaves a message that is sent again, with
the same id, when the lease has run out.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from billing.errors import InvalidInput
from billing.languages import languages
from billing.messages import mail, webhook
from billing.messages.render import Rendered, Unrenderable, render, short
from billing.model.brands import with_brand
from billing.model.messages import (
    Attachment,
    DueMessage,
    Envelope,
    Handed,
    MessageChannel,
    MessageKind,
    MessageState,
    Outcome,
    OwnTemplate,
)
from billing.rules.addresses import address_problem, number_problem
from billing.rules.vouchers import grouped
from billing.services import senders
from billing.services.context import Context
from billing.store import messages as store

log = logging.getLogger(__name__)

BATCH = 20
LEASE = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(days=4)
"""RFC 5321 4.5.4.1: four to five days. What is older tells nobody anything any more."""
_BACKOFF_SECONDS = (60, 300, 900, 3600, 10800)


def take(
    context: Context,
    way: MessageChannel,
    mail_from: str,
    now: datetime,
    *,
    with_paper: bool | None = None,
) -> list[DueMessage]:
    """Up to BATCH messages of a channel that are due, for this sender only until the lease ends;
    of the kinds that speak of a paper only, of the others only, or of any."""
    with context.transaction() as tx:
        taken = store.claim(
            tx,
            now,
            channel=way,
            limit=BATCH,
            leased_until=now + LEASE,
            oldest=now - GIVE_UP_AFTER,
            mail_from=mail_from,
            spoken=languages(),
            with_paper=with_paper,
        )
    return [_completed(context, _opened(context, message)) for message in taken]


def _completed(context: Context, message: DueMessage) -> DueMessage:
    """With what no row holds: the code of a check, and a link that shows the reseller's brand."""
    facts = dict(message.facts)
    if message.kind is MessageKind.SENDER_CHECK:
        check_id, address = int(str(facts["check"])), str(facts["address"])
        facts["code"] = senders.code_of(context.box, check_id, address)
    by_mail = message.channel is MessageChannel.EMAIL  # a line for a telephone is to stay short
    if by_mail and facts.get("recharge_url") == context.portal_url:
        facts["recharge_url"] = with_brand(context.portal_url, message.brand_key)
    return replace(message, facts=facts)


def _opened(context: Context, message: DueMessage) -> DueMessage:
    """With the code that its facts hold sealed, as nothing secret is stored in them (rule R3)."""
    facts = dict(message.facts)
    if "sealed" not in facts:
        return message
    sealed, row = bytes.fromhex(str(facts.pop("sealed"))), str(facts.pop("sealed_for"))
    try:
        facts["code"] = grouped(context.box.open(sealed, row))
    except InvalidInput as error:  # it cannot be made without, and says so
        log.error("message %d: %s", message.message_id, error)
    return replace(message, facts=facts)


def make(message: DueMessage, attachment: Attachment | None = None) -> Envelope | str:
    """What its channel carries, or why there can never be anything."""
    if message.expired:
        return f"it could not be sent within {GIVE_UP_AFTER.days} days"
    if problem := _wrong_address(message):
        return problem
    try:
        return composed(message, attachment)
    except Unrenderable as error:
        return f"{message.kind}.{error.field}: {error}"
    except Exception as error:
        # Whatever is wrong with one message must not keep those behind it.
        log.exception("message %d cannot be made", message.message_id)
        return f"it cannot be made: {error}"


def _wrong_address(message: DueMessage) -> str | None:
    by_mail = message.channel is MessageChannel.EMAIL
    for address in (*message.addresses, message.sender) if by_mail else message.addresses:
        if problem := address_problem(address) if by_mail else number_problem(address):
            return f"{address}: {problem}"
    return None


def composed(message: DueMessage, attachment: Attachment | None = None) -> Envelope:
    """What its channel carries. Raises Unrenderable, ValueError (an address that is none)."""
    rendered = _rendered(message)
    if message.channel is MessageChannel.WEBHOOK:
        return webhook.compose(message, subject=rendered.subject, text=_short(message))
    return mail.compose(
        rendered,
        sender=message.sender,
        sender_name=message.sender_name or message.organisation_name,
        addresses=message.addresses,
        mail_id=message.mail_id,
        queued_at=message.queued_at,
        attachment=attachment,
    )


def _rendered(message: DueMessage) -> Rendered:
    """An own template that cannot tell these facts must not keep the news from the customer."""

    def by(own: OwnTemplate | None) -> Rendered:
        return render(
            message.kind,
            message.language,
            organisation=message.organisation_name,
            customer=message.customer_name,
            facts=message.facts,
            own=own,
            contact=message.contact,
        )

    try:
        return by(message.own)
    except Unrenderable as error:
        if message.own is None:
            raise
        log.warning("message %d: the own template fails: %s", message.message_id, error)
        return by(None)


def _short(message: DueMessage) -> str:
    """As `_rendered`."""

    def by(own: OwnTemplate | None) -> str:
        return short(
            message.kind,
            message.language,
            organisation=message.organisation_name,
            customer=message.customer_name,
            facts=message.facts,
            own=own,
        )

    try:
        return by(message.own)
    except Unrenderable as error:
        if message.own is None:
            raise
        log.warning("message %d: the own SMS text fails: %s", message.message_id, error)
        return by(None)


def settle(context: Context, message: DueMessage, handed: Handed, now: datetime) -> MessageState:
    """Note what came of it: sent, tried again after the back-off, or given up."""
    state, due = _judge(message, handed, now)
    with context.transaction() as tx:
        store.settle(
            tx,
            message.customer_id,
            message.message_id,
            state,
            now,
            error=handed.reason,
            next_attempt_at=due,
        )
    if state is MessageState.GIVEN_UP:
        log.warning("message %d is given up: %s", message.message_id, handed.reason)
    return state


def put_back(
    context: Context, messages: list[DueMessage], reason: str, now: datetime
) -> None:  # fmt: skip
    """Nobody could be handed these: each is tried again after its back-off."""
    for message in messages:
        settle(context, message, Handed(Outcome.LOST, reason), now)


def _judge(
    message: DueMessage, handed: Handed, now: datetime
) -> tuple[MessageState, datetime | None]:
    if handed.outcome is Outcome.SENT:
        return MessageState.SENT, None
    due = now + timedelta(seconds=_BACKOFF_SECONDS[min(message.attempt, len(_BACKOFF_SECONDS)) - 1])
    if handed.outcome is Outcome.NEVER or due >= message.queued_at + GIVE_UP_AFTER:
        return MessageState.GIVEN_UP, None
    return MessageState.FAILED, due
