"""The delivery log, what messages look like, where they go and whom they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from billing.errors import InvalidInput, NotFound, Refused
from billing.messages.mail import compose
from billing.messages.samples import CUSTOMER, SAMPLES
from billing.model.messages import (
    DueMessage,
    Envelope,
    MessageChannel,
    MessageFigures,
    MessageKind,
    MessageState,
    MessageView,
)
from billing.model.views import CheckView, CustomerView
from billing.rules.addresses import address_problem, number_problem
from billing.services import mailing, message_templates, senders
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.store import audit, brands, tables
from billing.store import documents as organisations
from billing.store import messages as store
from billing.store.guard import Transaction

ADDRESSES_LIMIT = 10
LOG_LINES = 200
_LATE_AFTER = timedelta(minutes=30)
_CHECKED = {
    MessageChannel.EMAIL: (
        "messages",
        "no relay is set",
        "set TOLLWAY_SMTP_HOST and TOLLWAY_MAIL_FROM (docs/operations.md)",
    ),
    MessageChannel.WEBHOOK: (
        "webhook",
        "no webhook is set",
        "set TOLLWAY_WEBHOOK_URL (docs/operations.md)",
    ),
}


def listed(
    context: Context,
    *,
    customer_id: int | None = None,
    failed: bool = False,
    limit: int = LOG_LINES,
) -> list[MessageView]:
    """The delivery log, newest first, `limit` lines at most. `failed`: only what did not arrive:
    tried and to be tried again, or given up."""
    states = (MessageState.FAILED, MessageState.GIVEN_UP) if failed else ()
    with context.transaction() as tx:
        return store.log_lines(tx, customer_id=customer_id, states=states, limit=limit)


def resend(context: Context, message_id: int, now: datetime) -> None:
    """Queue a message again, whatever became of it, to the addresses (or numbers) that its
    customer has now. Raises NotFound, Refused (there is none any more, or never was)."""
    with context.transaction() as tx:
        row = store.find(tx, message_id)
        if row is None:
            raise NotFound(f"no message has the number {message_id}", field="message")
        row.addresses = _addresses(tx, read_customer(tx, row.customer_id), row)
        store.requeue(tx, row, now)
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="message.resend",
            subject=f"message:{message_id}",
            detail={"kind": row.kind},
        )


def _addresses(tx: Transaction, customer: CustomerView, row: tables.Message) -> list[str]:
    """Where a message may go by its channel."""
    if row.kind == MessageKind.SENDER_CHECK:
        # Elsewhere its code would prove nothing.
        raise Refused("have another code sent under Your brand", field="message")
    if row.channel == MessageChannel.PANEL:
        raise Refused("it stands in the panel only; nothing was sent", field="message")
    if row.channel == MessageChannel.WEBHOOK:
        if not customer.alert_numbers and row.kind not in store.webhook_kinds(tx):
            raise Refused(f"customer {customer.customer_id} has no number", field="customer")
        return list(customer.alert_numbers)
    addresses = customer.alert_addresses or ((customer.email,) if customer.email else ())
    if not addresses:
        raise Refused(f"customer {customer.customer_id} has no address", field="customer")
    return list(addresses)


def trial(context: Context, address: str, mail_from: str, now: datetime) -> Envelope:
    """A mail to `address`, to see whether mail arrives; it is in no log. Raises InvalidInput."""
    checked_email(address, "address")
    checked_email(mail_from, "mail_from")
    with context.transaction() as tx:
        operator = operator_of(tx)
    rendered = message_templates.preview(context, MessageKind.INVOICE_ISSUED, "en")
    return compose(
        rendered,
        sender=mail_from,
        sender_name=operator.name,
        addresses=(address,),
        mail_id=f"{uuid4().hex}@{mail_from.partition('@')[2]}",
        queued_at=now,
    )


def trial_call(context: Context, number: str, now: datetime) -> Envelope:
    """What the webhook is POSTed for `number`, to see what becomes of it; it is in no log. Raises
    InvalidInput."""
    checked_number(number)
    kind = MessageKind.INVOICE_ISSUED
    with context.transaction() as tx:
        operator = operator_of(tx)
    message = DueMessage(
        org_id=context.home_org_id,
        customer_id=0,
        message_id=0,
        kind=kind,
        channel=MessageChannel.WEBHOOK,
        language="en",
        addresses=(number,),
        facts=SAMPLES[kind],
        queued_at=now,
        attempt=1,
        mail_id=uuid4().hex,
        customer_name=CUSTOMER,
        organisation_name=operator.name,
        sender="",
        expired=False,
        own=None,
    )
    return mailing.composed(message)


def webhook_kinds(context: Context) -> tuple[MessageKind, ...]:
    """Which messages the webhook gets about customers without a number, too."""
    with context.transaction() as tx:
        return tuple(MessageKind(kind) for kind in store.webhook_kinds(tx))


def set_webhook_kinds(context: Context, kinds: Sequence[MessageKind], now: datetime) -> None:
    """Choose them; messages that are queued already stay as they are."""
    wanted = [kind.value for kind in dict.fromkeys(kinds)]
    with context.transaction() as tx:
        store.set_webhook_kinds(tx, wanted)
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="operator.webhook_kinds",
            subject="operator:1",
            detail={"kinds": wanted},
        )


def set_alerts(
    context: Context,
    customer_id: int,
    now: datetime,
    *,
    addresses: Sequence[str] | None = None,
    numbers: Sequence[str] | None = None,
    language: str | None = None,
) -> CustomerView:
    """Where a customer's messages go (no address: to its email; no number: by no SMS) and in which
    language; None leaves it. Raises NotFound, InvalidInput."""
    with changing_customer(context, customer_id) as (tx, customer):
        if addresses is not None:
            if len(addresses) > ADDRESSES_LIMIT:
                raise InvalidInput(f"at most {ADDRESSES_LIMIT} addresses", field="address")
            customer.alert_addresses = [
                checked_email(address, "address") for address in dict.fromkeys(addresses)
            ]
        if numbers is not None:
            if len(numbers) > ADDRESSES_LIMIT:
                raise InvalidInput(f"at most {ADDRESSES_LIMIT} numbers", field="sms")
            customer.alert_numbers = [checked_number(number) for number in dict.fromkeys(numbers)]
        if language is not None:
            customer.locale = message_templates.checked_language(language)
        tx.flush()
        detail: dict[str, object] = {
            "addresses": list(customer.alert_addresses),
            "numbers": list(customer.alert_numbers),
            "language": customer.locale,
        }
        audit_customer(context, tx, customer, "customer.alerts", now, detail)
        return read_customer(tx, customer_id)


def sender_of(context: Context, org_id: int) -> str | None:
    """An organisation's own From address; None: the installation's."""
    with context.transaction() as tx:
        return store.sender(tx, org_id)


def set_sender(
    context: Context,
    org_id: int,
    address: str | None,
    now: datetime,
    *,
    name: str | None = None,
) -> None:
    """An organisation's own From address; None: the installation's. `name` stands before it; an
    empty one is the organisation's, None leaves it. By the operator's own processes: nobody is
    asked whether the address is his (`senders` does).

    Raises InvalidInput, NotFound.
    """
    wanted = None if address is None else checked_email(address, "address")
    shown = None if name is None else senders.checked_name(name)
    with context.transaction() as tx:
        row = organisations.lock_organisation(tx, org_id)
        if row is None:
            raise NotFound(f"no organisation has the number {org_id}", field="organisation")
        row.mail_from = wanted
        if name is not None:
            row.mail_name = shown
        brands.end_checks(tx, org_id, now)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="organisation.mail_from",
            subject=f"organisation:{org_id}",
            detail={"mail_from": wanted, "mail_name": row.mail_name},
        )


def by_state(context: Context, now: datetime) -> dict[str, int]:
    """Messages that wait (`waiting`), and those of the last week that were given up (`given_up`).
    Raises Unavailable."""
    with context.transaction() as tx:
        found = store.figures(tx, now)
    return {"waiting": found.waiting, "given_up": found.given_up}


def mail_checks(
    context: Context, *, configured: Collection[MessageChannel], now: datetime
) -> Iterator[CheckView]:
    """Whether messages leave by the channels that are `configured` (for `tollway doctor`)."""
    for channel, (name, missing, mend) in _CHECKED.items():
        with context.transaction() as tx:
            found = store.figures(tx, now, channel)
        if channel in configured:
            yield _leaving(name, found, now)
        else:
            detail = f"{missing}; {found.waiting} message(s) wait"
            yield _warn(name, not found.waiting, detail, mend)


def _leaving(name: str, found: MessageFigures, now: datetime) -> CheckView:
    late = found.oldest_at is not None and found.oldest_at < now - _LATE_AFTER
    return _warn(
        name,
        not late and not found.given_up,
        f"{found.waiting} wait, {found.given_up} given up in the last week",
        "`tollway message list --failed` tells why; `tollway message resend` sends again",
    )


def checked_email(address: str, field: str) -> str:
    """An address that mail can be sent to. Raises InvalidInput."""
    if problem := address_problem(address):
        raise InvalidInput(f"{address!r}: {problem}", field=field)
    return address


def checked_number(number: str) -> str:
    """A telephone number as E.164 writes it. Raises InvalidInput."""
    if problem := number_problem(number):
        raise InvalidInput(f"{number!r} {problem}", field="sms")
    return number


def _warn(name: str, good: bool, detail: str, mend: str) -> CheckView:
    status = "ok" if good else "warn"
    return CheckView(name=name, status=status, detail=detail, mend="" if good else mend)
