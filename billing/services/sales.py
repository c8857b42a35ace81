"""Selling packages and receiving money (rules B2, B4, B5, B8, P1, P12, M5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile
from billing.model.views import PaymentReceipt, SaleReceipt
from billing.rules.cycles import day_start, local_day
from billing.rules.plans import sale_problem
from billing.rules.taxes import Charge, charge, taxed_as
from billing.services import limits, money_in, receipts, renewals, self_service
from billing.services.bills import next_cycle, tx_customer
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import changing, changing_customer
from billing.services.deferrals import account_of_sale
from billing.services.issuing import draft, one_line, operator_of, owner_of, write_bill
from billing.services.packages import Window, daily_window, entitle, place, receipt_of
from billing.services.settling import (
    check_spendable,
    check_takes_money,
    checked_amount,
    checked_channel,
    pay_bill,
    receive,
    spend,
)
from billing.store import audit, catalog, entitlements, invoices, plan_changes, tables
from billing.store import customers as store
from billing.store.guard import Transaction


def sell(
    context: Context,
    subscription_id: int,
    plan_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    channel: SaleChannel = SaleChannel.STAFF,
    pay_by: MoneyChannel | None = None,
    start_now: bool = False,
) -> SaleReceipt:
    """Sell a package: money and entitlement in one transaction.

    `pay_by`: money that arrives for it, or None to spend wallet money. `start_now`: beside what is
    still active instead of after it (rule B4). A monthly customer buys its next unbilled cycle
    and gets the bill, paid (rules B5, B6). What a reseller's customer buys online costs the
    reseller's retail price and earns it its margin (R1).

    Raises NotFound, NotBuiltYet, Conflict (rule M5) and Refused: the plan does not fit the billing
    profile (B5), a monthly customer buys online (B8), the wallet has too little (P12), its spending
    cap leaves too little (P14), the subscription is closed (S1).
    """
    if channel is SaleChannel.RESELLER:
        raise Refused("a reseller sells from its wallet: reseller_sales.sell", field="channel")
    if channel is SaleChannel.VOUCHER:
        raise InvalidInput("redeem the voucher by its code instead (rule R3)", field="channel")
    if pay_by is not None:
        checked_channel(pay_by)
    with changing(context, subscription_id, with_accounts=channel.online) as (tx, row):
        if pay_by is not None:
            check_takes_money(tx, row.org_id)
        return run_once(
            tx,
            SaleReceipt,
            customer_id=row.customer_id,
            key=idempotency_key,
            content={
                "command": "sell",
                "subscription": subscription_id,
                "plan": plan_id,
                "channel": channel,
                "pay_by": pay_by,
                "start_now": start_now,
            },
            now=now,
            act=lambda: Sale(context, tx, row, now, pay_by).sell_plan(
                plan_id, channel, start_now=start_now
            ),
        )


def topup(
    context: Context,
    customer_id: int,
    amount_micros: int,
    *,
    channel: MoneyChannel,
    idempotency_key: str,
    now: datetime,
    wallet_id: int | None = None,
    reference: str | None = None,
) -> PaymentReceipt:
    """Credit a wallet, by default the customer's own (rule P1), and settle open bills from it,
    oldest first; the rest stays as free credit (rule I4).

    Raises InvalidInput, NotFound, NotBuiltYet, Unconfirmed, Conflict (rule M5).
    """
    checked_channel(channel)
    with changing_customer(context, customer_id) as (tx, customer):
        check_takes_money(tx, customer.org_id)
        wallets = {wallet.wallet_id: wallet for wallet in store.wallets_of(tx, customer_id)}
        chosen = wallets.get(wallet_id or min(wallets))
        if chosen is None:
            raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
        amount = checked_amount(amount_micros, chosen.currency)
        wallet = chosen.wallet_id

        def act() -> PaymentReceipt:
            with confirmed(context, tx, customer.org_id, f"wallet:{wallet}", amount, now):
                return money_in.credit_wallet(
                    tx, context, customer, wallet, amount, channel, reference, now
                )

        return run_once(
            tx,
            PaymentReceipt,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "topup",
                "wallet": wallet,
                "amount": amount_micros,
                "channel": channel,
                "reference": reference,
            },
            now=now,
            act=act,
        )


def sell_for_voucher(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    terms: PlanTerms,
    face: Money,
    now: datetime,
) -> tuple[SaleReceipt, int | None]:
    """What a voucher of these terms is good for (rule R3), as part of another command: the customer
    is locked, and that command has its key. Returns the payment's id, too; None: worth nothing.

    A package costs what the voucher cost, tax included. The month of a monthly customer costs what
    it costs; what is left of the voucher stays in the wallet. Raises Refused before anything is
    written (as `sell`).
    """
    sale = Sale(context, tx, row, now, MoneyChannel.VOUCHER, face=face)
    profile = store.effective_profile(tx, row)
    checked = sale.checked(terms, profile, SaleChannel.VOUCHER)
    return sale.sell(checked, profile, SaleChannel.VOUCHER), sale.payment_id


def sell_within(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    terms: PlanTerms,
    now: datetime,
) -> SaleReceipt:
    """Sell a package of these terms for wallet money, as part of another command: the customer is
    locked, and that command has its key. Raises Refused before anything is written (as `sell`), and
    for a reseller's customer, who buys from the reseller (rule R1)."""
    limits.check_months(tx, row.org_id, "plan")
    sale = Sale(context, tx, row, now, None)
    profile = store.effective_profile(tx, row)
    return sale.sell(sale.checked(terms, profile, SaleChannel.STAFF), profile, SaleChannel.STAFF)


class Sale:
    """One sale in its transaction; the customer is locked."""

    def __init__(
        self,
        context: Context,
        tx: Transaction,
        row: tables.Subscription,
        now: datetime,
        pay_by: MoneyChannel | None,
        *,
        face: Money | None = None,
    ) -> None:
        self.context, self.tx, self.row, self.now, self.pay_by = context, tx, row, now, pay_by
        self.face = face
        self.customer = tx_customer(tx, row.customer_id)
        self.payment_id: int | None = None

    def sell_plan(self, plan_id: int, channel: SaleChannel, *, start_now: bool) -> SaleReceipt:
        profile = store.effective_profile(self.tx, self.row)
        terms = self.terms(plan_id, profile)
        if channel.online:
            terms = self_service.priced(self.tx, self.row.org_id, plan_id, terms)
        receipt = self.sell(
            self.checked(terms, profile, channel), profile, channel, start_now=start_now
        )
        if channel.online:
            self_service.earn(self.tx, self.context, plan_id, receipt, self.now)
        return receipt

    def sell(
        self,
        terms: PlanTerms,
        profile: BillingProfile,
        channel: SaleChannel,
        *,
        start_now: bool = False,
    ) -> SaleReceipt:
        open_before = entitlements.open_rows(
            self.tx, self.row.customer_id, self.row.subscription_id, self.now
        )
        profile = taxed_as(profile, terms)
        if profile.kind is BillingKind.MONTHLY:
            if start_now:
                raise Refused("a cycle begins when it begins (rule B6)", field="start_now")
            receipt = self._sell_cycle(terms, profile)
        else:
            receipt = self._sell_package(terms, profile, open_before, start_now=start_now)
        self._change_plan(terms, open_before)
        self.tx.flush()
        # A month that was bought lifts the hold of one that was not covered (P10).
        renewals.credited(self.tx, self.context, self.row.customer_id, self.now)
        # Last, as its number locks the series for all others (rule I2).
        number = receipts.of_sale(
            self.tx,
            self.customer,
            receipt,
            profile,
            channel=self.pay_by,
            payment_id=self.payment_id,
            now=self.now,
        )
        receipt = replace(receipt, receipt_number=number)
        audit.append(
            self.tx,
            at=self.now,
            org_id=self.row.org_id,
            actor=self.context.actor,
            action="package.sell",
            subject=f"subscription:{self.row.subscription_id}",
            detail={
                "plan_version": terms.plan_version_id,
                "entitlement": receipt.entitlement_id,
                "total_micros": receipt.total_micros,
                "channel": channel,
                "paid_by": self.pay_by or "wallet",
                "receipt": receipt.receipt_number,
            },
        )
        return receipt

    def terms(self, plan_id: int, profile: BillingProfile) -> PlanTerms:
        """The version in force, or the customer's own until its notice of a higher price is over
        (rule B18)."""
        plan = catalog.get_plan(self.tx, plan_id, self.now)
        if plan is None or plan.archived_at is not None or plan.effective_from > self.now:
            raise NotFound(f"no plan with the number {plan_id} is on sale", field="plan")
        new_price_on = plan_changes.price_to_come(self.tx, self.row, plan_id)
        if new_price_on is None or self.row.plan_version_id is None:
            return plan.terms
        own = catalog.get_terms(self.tx, self.row.plan_version_id)
        same_plan = own is not None and own.plan_name == plan.name
        if own is None or not same_plan or self._sold_on(profile, own) >= new_price_on:
            return plan.terms
        return own

    def _sold_on(self, profile: BillingProfile, terms: PlanTerms) -> date:
        """The first local day of what is sold now."""
        zone = operator_of(self.tx).time_zone
        if profile.kind is BillingKind.DAILY:
            return local_day(self.now, zone)
        price = Money(terms.price_micros, terms.currency)
        return next_cycle(self.tx, self.row, profile, price, self.now, zone).first_day

    def checked(self, terms: PlanTerms, profile: BillingProfile, channel: SaleChannel) -> PlanTerms:
        """Raises Refused where they cannot be sold to this customer by this channel."""
        if self.row.closed_at is not None or self.customer.closed_at is not None:
            raise Refused("the subscription is closed (rule S1)", field="subscription")
        if profile.kind is BillingKind.MONTHLY and channel.online:
            raise Refused(
                "monthly customers pay their bills online but cannot buy a package there (rule B8)",
                field="plan",
            )
        if problem := sale_problem(terms, profile.kind):
            raise Refused(problem, field="plan")
        return terms

    def _sell_package(
        self,
        terms: PlanTerms,
        profile: BillingProfile,
        open_before: list[tables.Entitlement],
        *,
        start_now: bool,
    ) -> SaleReceipt:
        inclusive = profile.tax_inclusive
        if self.face is not None:
            terms, inclusive = replace(terms, price_micros=self.face.amount_micros), True
        price = Money(terms.price_micros, terms.currency)
        amount = charge(price, profile.tax_rate_ppm, inclusive=inclusive)
        entry_id = self._pay(amount, terms)
        window = daily_window(terms, open_before, start_now=start_now, now=self.now)
        paid = (amount, entry_id)
        sold = replace(terms, price_micros=price.amount_micros)
        package = place(self.tx, self.row, sold, window, open_before, paid, self.now)
        return receipt_of(self.tx, self.row, terms, package, paid)

    def _sell_cycle(self, terms: PlanTerms, profile: BillingProfile) -> SaleReceipt:
        operator = operator_of(self.tx)
        unpaid = invoices.unpaid(self.tx, self.row.customer_id, self.row.subscription_id)
        if unpaid:
            numbers = ", ".join(bill.number for bill in unpaid)
            raise Refused(f"{numbers} must be paid before another month is sold", field="plan")
        price = Money(terms.price_micros, terms.currency)
        cycle = next_cycle(self.tx, self.row, profile, price, self.now, operator.time_zone)
        amount = charge(cycle.amount, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
        days = (cycle.first_day, cycle.next_first_day)
        today = local_day(self.now, operator.time_zone)
        lines = one_line(terms.plan_name, profile, amount)
        bill = write_bill(
            self.tx,
            draft(owner_of(self.row), profile, amount, days, lines, today),
            self.now,
        )
        entry_id = self._pay_bill(amount, bill)
        begins = max(self.now, day_start(cycle.first_day, operator.time_zone))
        ends = day_start(cycle.next_first_day, operator.time_zone)
        window = Window(follows=False, valid_from=begins, valid_until=ends)
        package = entitle(
            self.tx, owner_of(self.row), terms, window, cycle.amount.amount_micros, self.now
        )
        return receipt_of(self.tx, self.row, terms, package, (amount, entry_id), bill.number)

    def _pay(self, amount: Charge, terms: PlanTerms) -> int | None:
        """Take the money; returns the entry's id, None for what is free (rule P12)."""
        self._receive(amount.total, None)
        if amount.total.amount_micros == 0:
            return None
        return spend(
            self.tx,
            self.customer,
            self.row.wallet_id,
            amount,
            memo=terms.plan_name,
            now=self.now,
            account=account_of_sale(terms),
            capped=self.pay_by is None,
        )

    def _pay_bill(self, amount: Charge, bill: tables.Invoice) -> int | None:
        """The same for the bill of a cycle."""
        self._receive(amount.total, bill.number)
        if amount.total.amount_micros == 0:
            return None
        wallet_id = self.row.wallet_id
        check_spendable(self.tx, self.customer, wallet_id, amount.total)
        return pay_bill(self.tx, self.customer, wallet_id, bill, bill.total_micros, self.now)

    def _receive(self, amount: Money, reference: str | None) -> None:
        amount = self.face or amount
        if self.pay_by is not None and amount.amount_micros:
            self.payment_id = receive(
                self.tx,
                self.customer,
                self.row.wallet_id,
                amount,
                self.pay_by,
                reference=reference,
                actor=self.context.actor,
                now=self.now,
            )

    def _change_plan(self, terms: PlanTerms, open_before: list[tables.Entitlement]) -> None:
        """The subscription is on the plan sold, unless an earlier package still runs, or its
        present plan is the pay-as-you-go one that takes over when packages are used up (Q1)."""
        current_id = self.row.plan_version_id
        if current_id is not None:
            current = catalog.get_terms(self.tx, current_id)
            keeps = current is not None and current.pay_as_you_go and not terms.pay_as_you_go
            if open_before or keeps:
                return
        self.row.plan_version_id = terms.plan_version_id
