"""Money between a reseller and who is above it, and what a month brought (rules R1, R2)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.resellers import (
    Level,
    RequestView,
    ResellerStatement,
    SaleKind,
    StatementLine,
    TransferReceipt,
    TransferView,
)
from billing.rules.alerts import BalanceAlert, armed_below
from billing.rules.cycles import day_start, next_month
from billing.services import receipts
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.identity import checked_optional
from billing.services.issuing import operator_of
from billing.services.resellers import audit_organisation, check_above
from billing.services.settling import checked_amount
from billing.store import resellers as store
from billing.store import shifts, tables
from billing.store.customers import wallet_view
from billing.store.guard import Transaction, unique

_NO_MONEY = (MoneyChannel.RESELLER, MoneyChannel.VOUCHER)
_LISTED_MOST = 200


def transfer(
    context: Context,
    org_id: int,
    amount_micros: int,
    *,
    idempotency_key: str,
    now: datetime,
    channel: MoneyChannel | None = None,
    reference: str | None = None,
) -> TransferReceipt:
    """Put money into a reseller's wallet, or, where the amount is negative, pull back what it has
    not spent. It comes from the wallet of the reseller above; where the operator is above, from
    outside by `channel`, with a receipt. By who is above only.

    Raises InvalidInput, NotFound, Conflict (rule M5), Unconfirmed, Refused (a wallet does not cover
    it; the reseller is closed; who asks is not above it).
    """
    context.refuse_cashier()
    with context.transaction() as tx:
        check_above(context, tx, org_id)
        customer_id = _lock(tx, org_id).customer_id
        return run_once(
            tx,
            TransferReceipt,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "reseller transfer",
                "reseller": org_id,
                "amount": amount_micros,
                "channel": channel,
                "reference": reference,
            },
            now=now,
            act=lambda: _confirmed(context, tx, org_id, amount_micros, channel, reference, now),
        )


def ask(
    context: Context, org_id: int, amount_micros: int, now: datetime, *, note: str | None = None
) -> RequestView:
    """A reseller asks for money; one request waits at a time. Raises InvalidInput, NotFound,
    Conflict (another waits)."""
    context.refuse_cashier()
    with context.transaction() as tx:
        level = _lock(tx, org_id)
        row = tables.ResellerRequest(
            customer_id=level.customer_id,
            org_id=org_id,
            amount_micros=checked_amount(amount_micros, level.currency).amount_micros,
            currency=level.currency,
            note=checked_optional(note, "note"),
            asked_at=now,
            asked_by=context.actor,
        )
        with unique(tx, "another request waits for its answer", field="reseller"):
            tx.add(row)
        audit_organisation(
            context, tx, org_id, "reseller.request", now, {"amount_micros": amount_micros}
        )
        tx.refresh(row)
        return _request(row, _name(tx, org_id))


def answer(
    context: Context,
    request_id: int,
    now: datetime,
    *,
    approve: bool,
    channel: MoneyChannel | None = None,
    words: str | None = None,
) -> RequestView:
    """Approve a request, which transfers its amount, or decline it; once. By who is above only.
    Raises NotFound and what `transfer` raises."""
    context.refuse_cashier()
    with context.transaction() as tx:
        found = store.find_request(tx, request_id)
        if found is None:
            raise NotFound(f"no request has the number {request_id}", field="request")
        check_above(context, tx, found.org_id)
        _lock(tx, found.org_id)
        row = store.lock_request(tx, request_id)
        if row is None or row.decided_at is not None:
            done = "" if row is None else f" on {row.decided_at:%Y-%m-%d %H:%M} UTC"
            state = "decided" if row is None else row.state
            raise Refused(f"the request was {state}{done}", field="request")
        org_id = row.org_id
        if approve:
            reference = f"request {request_id}"
            done_by = _confirmed(context, tx, org_id, row.amount_micros, channel, reference, now)
            row.transfer_id = done_by.transfer_id
        row.state = "approved" if approve else "declined"
        row.decided_at, row.decided_by = now, context.actor
        row.answer = checked_optional(words, "answer")
        tx.flush()
        detail: dict[str, object] = {"request": request_id, "state": row.state}
        audit_organisation(context, tx, org_id, "reseller.answer", now, detail)
        return _request(row, _name(tx, org_id))


def requests(context: Context) -> list[RequestView]:
    """Those that the caller may see: what waits first, then the newest."""
    context.refuse_cashier()
    with context.transaction() as tx:
        return [_request(row, name) for row, name in store.requests(tx, _LISTED_MOST)]


def transfers(context: Context, org_id: int) -> list[TransferView]:
    """What came into a reseller's wallet from above, or went back, newest first. Raises
    NotFound."""
    context.refuse_cashier()
    with context.transaction() as tx:
        if store.get(tx, org_id) is None:
            raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
        return [_transfer_view(row) for row in store.transfers(tx, org_id, _LISTED_MOST)]


def statement(context: Context, org_id: int, month: date) -> ResellerStatement:
    """That of the local month of the day `month`. Raises NotFound."""
    first_day = month.replace(day=1)
    return statement_of_days(context, org_id, first_day, next_month(first_day))


def statement_of_days(
    context: Context, org_id: int, first_day: date, next_first_day: date
) -> ResellerStatement:
    """What a reseller sold, paid and earned from the local day `first_day` to before
    `next_first_day`, its part of what was sold below it, and how its wallet came from its opening
    to its closing. Raises NotFound, InvalidInput (the days are in the wrong order)."""
    if next_first_day <= first_day:
        raise InvalidInput("must not lie before the first day", field="to")
    context.refuse_cashier()
    with context.transaction() as tx:
        found = store.get(tx, org_id)
        if found is None:
            raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
        zone = operator_of(tx).time_zone
        start, end = day_start(first_day, zone), day_start(next_first_day, zone)
        lines = tuple(
            StatementLine(**{**row._mapping, "kind": SaleKind(row.kind)})
            for row in store.statement_lines(tx, org_id, start, end)
        )
        opening = store.balance_before(tx, found.account_customer_id, start)
        closing = store.balance_before(tx, found.account_customer_id, end)
        sales = sum(line.wallet_micros for line in lines)
        return ResellerStatement(
            org_id=org_id,
            name=_name(tx, org_id),
            first_day=first_day,
            next_first_day=next_first_day,
            currency=store.account_wallet(tx, found.account_customer_id).currency,
            opening_micros=opening,
            transfers_micros=closing - opening - sales,
            sales_micros=sales,
            closing_micros=closing,
            commission_micros=sum(line.commission_micros for line in lines),
            lines=lines,
        )


def _lock(tx: Transaction, org_id: int) -> Level:
    if not store.lock_accounts(tx, org_id):
        raise NotFound(f"organisation {org_id} is no reseller", field="reseller")
    return store.chain(tx, org_id)[0]


def _confirmed(
    context: Context,
    tx: Transaction,
    org_id: int,
    amount_micros: int,
    channel: MoneyChannel | None,
    reference: str | None,
    now: datetime,
) -> TransferReceipt:
    """`_transfer`, above the limit by whom it is. Raises Unconfirmed."""
    moved = Money(amount_micros, store.chain(tx, org_id)[0].currency)
    with confirmed(context, tx, org_id, f"organisation:{org_id}", moved, now):
        return _transfer(context, tx, org_id, amount_micros, channel, reference, now)


def _transfer(
    context: Context,
    tx: Transaction,
    org_id: int,
    amount_micros: int,
    channel: MoneyChannel | None,
    reference: str | None,
    now: datetime,
) -> TransferReceipt:
    """The accounts are locked, and who asks is above."""
    levels = store.chain(tx, org_id)
    level = levels[0]
    amount = checked_amount(abs(amount_micros), level.currency)
    used = _checked_channel(levels, channel)
    _check_covered(levels, amount_micros, amount)
    before = wallet_view(store.account_wallet(tx, level.customer_id)).available_micros
    done = store.post_transfer(
        tx,
        level,
        amount_micros,
        used.value if used else None,
        checked_optional(reference, "reference"),
        _armed(tx, level, before + amount_micros),
        by=context.actor,
        now=now,
    )
    if used is not None:
        moved = {f"money:{used.value}": -amount_micros}
        shifts.note(tx, level.customer_id, done.entry_id, moved, level.currency)
    number = None
    if used is not None and done.payment_id is not None:
        account = store.account(tx, level.customer_id)
        number = receipts.of_top_up(tx, account, done.payment_id, amount, used, reference, now)
    detail: dict[str, object] = {"amount_micros": amount_micros, "channel": used}
    audit_organisation(context, tx, org_id, "reseller.transfer", now, detail | {"receipt": number})
    return TransferReceipt(
        org_id=org_id,
        transfer_id=done.transfer_id,
        amount_micros=amount_micros,
        currency=level.currency,
        available_micros=before + amount_micros,
        receipt_number=number,
    )


def _checked_channel(levels: list[Level], channel: MoneyChannel | None) -> MoneyChannel | None:
    if len(levels) > 1:
        if channel is not None:
            raise InvalidInput(
                f"its money comes from the wallet of reseller {levels[1].org_id}, by no channel",
                field="channel",
            )
        return None
    if channel in _NO_MONEY:
        raise InvalidInput("no money comes from outside by it", field="channel")
    return channel or MoneyChannel.CASH


def _check_covered(levels: list[Level], micros: int, amount: Money) -> None:
    """Raises Refused (rule P12)."""
    level = levels[0]
    if micros > 0 and level.closed_at is not None:
        raise Refused(f"reseller {level.org_id} is closed", field="reseller")
    source = level if micros < 0 else levels[1] if len(levels) > 1 else None
    if source is not None and source.spendable_micros < amount.amount_micros:
        there = Money(source.spendable_micros, amount.currency)
        raise Refused(
            f"the wallet of reseller {source.org_id} has {there}, which is "
            f"{amount - there} less than {amount} (rule P12)",
            field="amount",
        )


def _armed(tx: Transaction, level: Level, available_micros: int) -> int | None:
    """What the account's alert is armed at after a transfer (rule P6)."""
    percent = store.account_wallet(tx, level.customer_id).alert_percent
    alert = BalanceAlert(percent=percent, topped_up_micros=available_micros, below_micros=None)
    return armed_below(alert, available_micros)


def _transfer_view(row: tables.ResellerTransfer) -> TransferView:
    return TransferView(
        transfer_id=row.transfer_id,
        org_id=row.org_id,
        amount_micros=row.amount_micros,
        currency=row.currency,
        channel=row.channel,
        reference=row.reference,
        at=row.at,
        by=row.by,
    )


def _name(tx: Transaction, org_id: int) -> str:
    found = store.organisation(tx, org_id)
    return "" if found is None else found.name


def _request(row: tables.ResellerRequest, name: str) -> RequestView:
    return RequestView(
        request_id=row.request_id,
        org_id=row.org_id,
        name=name,
        amount_micros=row.amount_micros,
        currency=row.currency,
        note=row.note,
        state=row.state,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        answer=row.answer,
    )
