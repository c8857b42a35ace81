"""The first page: is the service on, what is left, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import render_template
from flask.typing import ResponseReturnValue

from billing.model.decision import Reason
from billing.model.profile import BillingKind
from billing.model.views import SubscriptionView
from billing.services import customer_record, explain
from billing.services import subscribers as service
from web import parts, subscribers
from web.customer import blueprint
from web.formats import day, instant, money
from web.guards import subscribers_only
from web.language import stored, words

BILLS_LOOKED_AT = 50
_ASK = "Ask your provider."
_BUY = "Buy a package."
_TOP_UP = "Put money into your wallet."
_RESUME = "End the pause."
_LIFT = "It goes on next month, or when you raise or lift the cap."
_PROMISED = (Reason.OVERDUE, Reason.WALLET_EXHAUSTED, Reason.NOT_COVERED)
"""What a promise to pay lifts (rule B19)."""
_WHAT_TO_DO = {
    Reason.CLOSED: ("This subscription is closed.", _ASK),
    Reason.STAFF_SUSPENDED: ("Your provider has suspended it.", _ASK),
    Reason.PAUSED: ("It is paused.", _RESUME),
    Reason.DISCONTINUED: ("A bill was not paid by the agreed day.", "Pay it."),
    Reason.OVERDUE: ("A bill is overdue.", "Pay it."),
    Reason.WALLET_EXHAUSTED: ("Your wallet is used up.", _TOP_UP),
    Reason.SPENDING_CAP: (
        "Your spending cap of this month is reached.",
        _LIFT,
    ),
    Reason.NOT_COVERED: ("Your wallet does not cover the next period.", _TOP_UP),
    Reason.NO_ENTITLEMENT: ("There is no package.", _BUY),
    Reason.EXPIRED: ("Your package has ended.", _BUY),
    Reason.TIME_USED_UP: ("Your time is used up.", _BUY),
    Reason.DATA_USED_UP: ("Your data is used up.", _BUY),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription is, in words for its customer; `act`: the page that home's button
    leads to: buy, bills, top_up, pause or cap. `promise`: to pay lifts it, and may be made."""

    on: bool
    reason: str
    todo: str
    act: str | None
    promise: bool = False


@blueprint.get("/")
@subscribers_only
def home() -> ResponseReturnValue:
    """Of the subscription that is logged in."""
    return render_template("customer/home.html", **_facts(subscribers.me().subscription_id))


@blueprint.get("/now")
@subscribers_only
def now_part() -> ResponseReturnValue:
    """What of the first page changes by itself."""
    return render_template("customer/_now.html", **_facts(subscribers.me().subscription_id))


@blueprint.get("/services/<int:subscription_id>")
@subscribers_only
def other_service(subscription_id: int) -> ResponseReturnValue:
    """Of another subscription of the same customer, to look at."""
    return render_template("customer/home.html", **_facts(subscription_id))


def _facts(subscription_id: int) -> dict[str, object]:
    now = parts.now()
    with subscribers.context().together() as context:
        view = service.show(context, subscription_id, now)
        why = explain.why(context, subscription_id, now)
        customer_id = view.customer.customer_id
        bills = customer_record.bills(context, customer_id, now, limit=BILLS_LOOKED_AT)
        others = customer_record.subscriptions(context, customer_id, now)
    own = subscription_id == subscribers.me().subscription_id
    billed = [
        line.bill.cycle_until
        for line in bills.lines
        if line.bill.subscription_id == subscription_id and line.bill.cycle_until
    ]
    return {
        "view": view,
        "own": own,
        "standing": standing(view, Reason(why.state.reason)),
        "next_words": next_words(view, max(billed, default=None)),
        "packages": [one for one in view.entitlements if one.status in ("running", "waiting")],
        "others": [one for one in others if one.subscription_id != subscription_id],
    }


def standing(view: SubscriptionView, reason: Reason) -> Standing:
    """Whether it is on, and if not, why and what to do."""
    if view.row.state.effect == "normal":
        return Standing(True, "", "", None)
    said, todo = _WHAT_TO_DO.get(reason, ("It is not on.", _ASK))
    if reason in (Reason.OVERDUE, Reason.DISCONTINUED) and view.unpaid_bills:
        first = view.unpaid_bills[0]
        amount = money(first.open_micros, first.currency)
        said = words(
            "Bill {number} was payable until {day}: {amount} is open.",
            number=first.number,
            day=day(first.due_on),
            amount=amount,
        )
    if reason is Reason.NOT_COVERED and view.upcoming is not None:
        missing = view.upcoming.total_micros - view.wallet.spendable_micros
        if missing > 0:
            said = words(
                "Your wallet lacks {amount} for the next period.",
                amount=money(missing, view.wallet.currency),
            )
    act = {
        _BUY: "buy", "Pay it.": "bills", _TOP_UP: "top_up", _RESUME: "pause", _LIFT: "cap"
    }.get(todo)  # fmt: skip
    if act == "buy" and view.profile.kind is BillingKind.MONTHLY:
        act, todo = None, _ASK
    promises = reason in _PROMISED and view.profile.promise_count > 0
    return Standing(False, words(said), words(todo), act, promises)


def next_words(view: SubscriptionView, billed_until: date | None) -> str:
    """The next bill, renewal, or end of what runs; empty where nothing is foreseen."""
    if view.upcoming is not None:
        cost = money(view.upcoming.total_micros, view.wallet.currency)
        begins = view.upcoming.begins_at
        when = words("as soon as your wallet covers it")
        if begins is not None:
            when = words("on {time}", time=instant(begins))
        what = stored(view.upcoming.text)
        return words("{what} for {cost}, {when}", what=what, cost=cost, when=when)
    if view.profile.kind is BillingKind.MONTHLY:
        if billed_until is not None:
            return words(
                "billed until then; the next bill is for the time from {day}",
                day=day(billed_until),
            )
        return ""
    if view.row.valid_until is not None:
        return words("your package ends on {time}", time=instant(view.row.valid_until))
    return ""
