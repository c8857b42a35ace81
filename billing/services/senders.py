"""Whom the mails to a reseller's customers come from: its owner says so (rules R1, I3).

A name is shown from the next mail on. An address has to be the reseller's: a code is sent there
by the installation, and counts when the owner types it in. The code is made of the installation's
key and the check's number, and stands in no table.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.messages.render import one_line
from billing.model.brands import Sender
from billing.model.messages import MessageKind
from billing.rules.addresses import address_problem
from billing.services.context import Context
from billing.services.identity import checked_optional
from billing.services.secrets import SecretBox
from billing.store import audit, tables
from billing.store import brands as store
from billing.store import documents as organisations
from billing.store import messages as messages_store
from billing.store import resellers as resellers_store
from billing.store.guard import Transaction

NAME_CHARACTERS = 60
CODE_DIGITS = 8
CODE_LIFE = timedelta(hours=24)
ASKED_MOST = 5
"""Codes a day and organisation: nobody is to be pestered by them."""
TRIES_MOST = 5
_OF_HEADERS = frozenset('@<>"\\')


def of(context: Context, org_id: int, now: datetime) -> Sender:
    """Raises NotFound."""
    with context.transaction() as tx:
        row = organisations.organisation(tx, org_id)
        if row is None:
            raise NotFound(f"no organisation has the number {org_id}", field="org")
        return _view(tx, row, now)


def change(
    context: Context, org_id: int, now: datetime, *, name: str | None, address: str | None
) -> Sender:
    """Its name and From address; none: its own name, the installation's address. Another address is
    asked for its code first, and the one before stays until it has come.

    Raises InvalidInput, NotFound, Refused (a cashier asks; too many codes; no reseller's).
    """
    shown = checked_name(name)
    wanted = (address or "").strip() or None
    if wanted is not None and (problem := address_problem(wanted)):
        raise InvalidInput(f"{wanted!r}: {problem}", field="address")
    with context.transaction() as tx:
        row = _locked(context, tx, org_id)
        row.mail_name = shown
        if wanted is None or wanted == row.mail_from:
            row.mail_from = wanted
            store.end_checks(tx, org_id, now)
        elif wanted != _asked(tx, row, now):
            _ask(tx, row, wanted, now)
        _audit(context, tx, row, "organisation.mail_from", now)
        return _view(tx, row, now)


def ask_again(context: Context, org_id: int, now: datetime) -> Sender:
    """Another code to the address that is awaited; the one before counts no more. Raises NotFound
    (none is awaited), Refused."""
    with context.transaction() as tx:
        row = _locked(context, tx, org_id)
        address = _asked(tx, row, now)
        if address is None:
            raise NotFound("no code is awaited: save the address again", field="code")
        _ask(tx, row, address, now)
        return _view(tx, row, now)


def prove(context: Context, org_id: int, code: str, now: datetime) -> Sender:
    """The code has come back: mails come from its address from now on. Raises InvalidInput (it is
    wrong), NotFound (none is awaited), Refused (tried too often)."""
    typed = "".join(code.split())
    with context.transaction() as tx:
        row = _locked(context, tx, org_id)
        check = store.open_check(tx, org_id, now - CODE_LIFE)
        if check is None:
            raise NotFound("no code is awaited: save the address again", field="code")
        if check.tries >= TRIES_MOST:
            raise Refused("too many wrong codes: have another one sent", field="code")
        check.tries += 1
        right = hmac.compare_digest(
            typed.encode(errors="replace"),
            code_of(context.box, check.check_id, check.address).encode(),
        )
        if right:
            check.ended_at, row.mail_from = now, check.address
            _audit(context, tx, row, "organisation.mail_from", now)
        view = _view(tx, row, now)
    if not right:
        # Only now, so that the try is counted.
        raise InvalidInput("this is not the code of the newest mail", field="code")
    return view


def code_of(box: SecretBox, check_id: int, address: str) -> str:
    """What the mail to `address` says; only this installation can tell."""
    hashed = box.keyed_hash(f"{check_id}\0{address}", "sender check")
    return f"{int.from_bytes(hashed[:8]) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def _ask(tx: Transaction, row: tables.Organisation, address: str, now: datetime) -> None:
    reseller = resellers_store.get(tx, row.org_id)
    if reseller is None:
        raise Refused(f"{row.name} is no reseller", field="org")
    if store.checks_since(tx, row.org_id, now - CODE_LIFE) >= ASKED_MOST:
        raise Refused(f"{ASKED_MOST} codes were sent within a day: go on tomorrow", field="address")
    check_id = store.add_check(tx, row.org_id, address, now)
    messages_store.queue_mail(
        tx,
        reseller.account_customer_id,
        MessageKind.SENDER_CHECK,
        address,
        key=f"{MessageKind.SENDER_CHECK}:{check_id}",
        facts={"address": address, "check": check_id},
        now=now,
    )


def _locked(context: Context, tx: Transaction, org_id: int) -> tables.Organisation:
    """Raises NotFound, Refused."""
    context.refuse_cashier()
    row = organisations.lock_organisation(tx, org_id)
    if row is None:
        raise NotFound(f"no organisation has the number {org_id}", field="org")
    if row.parent_org_id is None:
        raise Refused("the operator's is set at the command line: tollway message from",
                      field="org")  # fmt: skip
    return row


def _view(tx: Transaction, row: tables.Organisation, now: datetime) -> Sender:
    return Sender(name=row.mail_name, address=row.mail_from, asked=_asked(tx, row, now))


def _asked(tx: Transaction, row: tables.Organisation, now: datetime) -> str | None:
    check = store.open_check(tx, row.org_id, now - CODE_LIFE)
    return None if check is None else check.address


def checked_name(text: str | None) -> str | None:
    """Fit to stand before an address: not to be taken for one."""
    name = checked_optional(text, "name")
    if name is None:
        return None
    if len(name) > NAME_CHARACTERS or _OF_HEADERS & set(name) or one_line(name) != name:
        raise InvalidInput(
            f"must be at most {NAME_CHARACTERS} characters, without @, quotes or angle brackets",
            field="name",
        )
    return name


def _audit(
    context: Context, tx: Transaction, row: tables.Organisation, action: str, now: datetime
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"organisation:{row.org_id}",
        detail={"mail_from": row.mail_from, "mail_name": row.mail_name},
    )
