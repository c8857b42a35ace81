"""What a customer pays by itself, by the gateways of its organisation and of those above (rules P1,
P4, P5). The contexts of a payer and of a provider: self_care.payer_of, gateways.provider_of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.method_setups import MethodView, SetupView
from billing.model.money import Money
from billing.model.payments import PaymentView
from billing.model.views import SubscriptionView
from billing.payments.protocol import SetsUpMethods
from billing.rules.moves import payable
from billing.rules.wallets import needed_top_up, recommended_top_up
from billing.services import gateways as gateway_services
from billing.services import method_setup, methods, payment_calls, payments
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.store import customer_record, method_setups
from billing.store import gateways as store
from billing.store import payments as payment_store

log = logging.getLogger(__name__)

LOOK_UPS_BY_PAYER = 10
"""So often a provider is asked because the payer came back; then only when it is due."""


OPEN_MOST = 20
"""Payments and cards that a customer has begun and not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOffer:
    """A gateway that is open to a customer, by what it can do at pages of its own."""

    gateway_id: int
    name: str
    channel: MoneyChannel
    checkout: bool
    saves_methods: bool
    sets_up_methods: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a customer can pay: at pages of gateways, and by what it has on file."""

    gateways: tuple[GatewayOffer, ...]
    methods: tuple[MethodView, ...]
    """Those of gateways that are open; the default first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to top up with, and why; micros. `recommended` 0: nothing is known to be needed."""

    recommended_micros: int
    needed_micros: int
    uninvoiced_micros: int
    usual_micros: int


def ways(payer: Context, gateways: Gateways, customer_id: int) -> Ways:
    """A gateway with wrong settings is left out: the log has it."""
    found = []
    with payer.transaction() as tx:
        for row in store.all_gateways(tx):
            if row.disabled_at is not None:
                continue
            try:
                gateway = gateways.open(tx, payer, row.gateway_id)
            except InvalidInput as error:
                log.warning("gateway %d cannot be offered: %s", row.gateway_id, error)
                continue
            can = gateway.capabilities
            found.append(
                GatewayOffer(
                    gateway_id=row.gateway_id,
                    name=row.name,
                    channel=can.channel,
                    checkout=can.checkout,
                    saves_methods=can.checkout and can.saves_methods,
                    sets_up_methods=isinstance(gateway, SetsUpMethods),
                )
            )
    usable = {one.gateway_id for one in found}
    on_file = [one for one in methods.of_customer(payer, customer_id) if one.gateway_id in usable]
    on_file.sort(key=lambda one: (not one.is_default, one.method_id))
    return Ways(gateways=tuple(found), methods=tuple(on_file))


def advice(payer: Context, view: SubscriptionView) -> Advice:
    """For the wallet of a subscription, in coins that can be paid (rules M2, P4)."""
    wallet = view.wallet
    needed = needed_top_up(
        wallet.available_micros,
        wallet.credit_limit_micros,
        unpaid_micros=sum(one.open_micros for one in view.unpaid_bills),
        upcoming_micros=0 if view.upcoming is None else view.upcoming.total_micros,
    )
    with payer.transaction() as tx:
        usual = customer_record.last_top_up(tx, view.customer.customer_id, wallet.wallet_id)

    def coins(micros: int) -> int:
        return payable(Money(micros, wallet.currency)).amount_micros

    found = recommended_top_up(needed, wallet.uninvoiced_micros, usual)
    return Advice(
        recommended_micros=coins(found),
        needed_micros=coins(needed),
        uninvoiced_micros=coins(wallet.uninvoiced_micros),
        usual_micros=usual,
    )


def payment(context: Context, customer_id: int, attempt_id: int) -> PaymentView:
    """Raises NotFound: it is another customer's, too."""
    with context.transaction() as tx:
        found = payment_store.view(tx, attempt_id)
        if found is None or found.customer_id != customer_id:
            raise NotFound("there is no such payment", field="payment")
        return found


def payment_of_command(context: Context, customer_id: int, command_key: str) -> PaymentView:
    """The payment that was begun by this command. Raises NotFound."""
    with context.transaction() as tx:
        row = payment_store.by_command(tx, customer_id, command_key)
        attempt_id = 0 if row is None else row.attempt_id
    return payment(context, customer_id, attempt_id)


def check_open(payer: Context, customer_id: int) -> None:
    """Raises Refused where a customer has begun too much that is not finished: providers are not
    asked for pages without end."""
    with payer.transaction() as tx:
        found = payment_store.count_open(tx, customer_id) + method_setups.count_open(
            tx, customer_id
        )
    if found >= OPEN_MOST:
        raise Refused(
            f"you have begun {found} payments or cards that are not finished: finish one, or wait "
            "until they have expired, a day at most"
        )


def call(
    nobody: Context,
    payer: Context,
    gateways: Gateways,
    begun: PaymentView | SetupView,
    clock: Callable[[], datetime],
) -> None:
    """Call the provider of what the payer has begun, where nobody else has yet. What cannot be
    called at all is left to the worker, which says why in its log. Raises NotFound."""
    provider = gateway_services.provider_of(nobody, payer, begun.gateway_id)
    try:
        if isinstance(begun, PaymentView):
            payment_calls.carry_out(provider, gateways, begun.customer_id, begun.attempt_id, clock)
        else:
            method_setup.carry_out(provider, gateways, begun.customer_id, begun.setup_id, clock)
    except InvalidInput as error:
        log.warning("gateway %d cannot be called: %s", begun.gateway_id, error)


def ask(
    nobody: Context,
    payer: Context,
    gateways: Gateways,
    begun: PaymentView | SetupView,
    clock: Callable[[], datetime],
) -> None:
    """The payer has come back: ask the provider at once, where it has not said what came of it and
    was not asked too often. Raises NotFound."""
    if not begun.state.is_open or begun.lookups >= LOOK_UPS_BY_PAYER:
        return
    if isinstance(begun, PaymentView):
        payments.ask_again(payer, begun.attempt_id, clock())
    else:
        method_setup.ask_again(payer, begun.customer_id, begun.setup_id, clock())
    call(nobody, payer, gateways, begun, clock)
