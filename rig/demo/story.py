"""The main job, told with real packets: what was bought is used up, the session is cut, money
brings the service back. Every step is checked; the first that deviates ends the story."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.decision import MESSAGES, Reason
from billing.model.plan import PlanTerms
from billing.model.views import EntitlementView, SubscriptionView, WhyView
from billing.rules.states import Effect
from billing.services import bills, explain, subscribers
from billing.services.context import Context
from rig.demo.isp import ENTRANCE, HOME, HOUR, MEGABYTE, Isp, Person, add_debtor, add_person, sell
from rig.demo.screen import Deviation, Screen
from rig.nas import LoginOutcome, Method, NasSession, Order, SimulatedNas

_MINUTE = 60
_INTERIMS = ((10, 20, 140), (20, 45, 315), (30, 65, 440))
"""Minutes online, megabytes sent and received so far; the last passes what was bought."""
_METHODS: dict[Method, str] = {"pap": "PAP", "chap": "CHAP", "mschapv2": "MS-CHAPv2"}
_SHOWN = (
    "Framed-Pool",
    "Session-Timeout",
    "Mikrotik-Rate-Limit",
    "Mikrotik-Total-Limit",
    "Mikrotik-Address-List",
    "Acct-Interim-Interval",
    "Class",
    "Reply-Message",
)


@dataclass
class Story:
    """One telling, with two fresh customers."""

    context: Context
    isp: Isp
    router: SimulatedNas
    screen: Screen
    clock: Callable[[], datetime] = utc_now
    timeout_seconds: float = 20.0
    """How long to wait for an order of Tollway, and for the Stop that follows it."""

    def tell(self) -> None:
        """All chapters. Raises Deviation at the first step that is not as it should be."""
        mark = secrets.token_hex(2)
        marta = self._marta(f"marta-{mark}")
        session = self._log_in_paid(marta)
        self._use_up(marta, session)
        self._refused(marta)
        jonas = self._jonas(f"jonas-{mark}")
        walled = self._log_in_overdue(jonas)
        self._pay(jonas, walled)
        self._recharge(marta)

    # --- the daily customer -----------------------------------------------------------------

    def _marta(self, username: str) -> Person:
        self.screen.chapter("1  A prepaid subscriber logs in")
        bought = self.clock() - timedelta(hours=2)
        person = add_person(self.context, "Marta Reis", username, self.isp.daily, None, bought)
        sell(self.context, person.subscription_id, self.isp.hour, bought)
        self.screen.note(
            f"{username} bought “{HOUR.plan_name}” two hours ago: one hour online and 500 MB, "
            "to be used within a day."
        )
        return person

    def _log_in_paid(self, marta: Person) -> NasSession:
        outcome = self._login(marta, "mschapv2")
        self._expect_paid(outcome)
        session = self._start(marta, outcome, "10.20.0.4")
        self._show_left(marta)
        return session

    def _use_up(self, marta: Person, session: NasSession) -> None:
        self.screen.chapter("2  Time and data count down; at zero the session is cut")
        self.screen.note("The router's clock runs fast: its reports are ten minutes apart.")
        answered = self.clock()
        for minutes, sent, received in _INTERIMS:
            self.screen.step(
                f"Interim-Update: {minutes} min, {sent} MB sent, {received} MB received in all"
            )
            acknowledged = self.router.interim(
                session,
                seconds=minutes * _MINUTE,
                input_octets=sent * MEGABYTE,
                output_octets=received * MEGABYTE,
            )
            answered = datetime.now(UTC)
            self.screen.require("acknowledged after the commit", acknowledged, "no answer")
            left = self._show_left(marta)
            octets_left = max((HOUR.octets or 0) - (sent + received) * MEGABYTE, 0)
            self.screen.expect("seconds left", left.seconds_left, 3600 - minutes * _MINUTE)
            self.screen.expect("octets left", left.octets_left, octets_left)
        self.screen.expect("service", self._view(marta).row.state.effect, Effect.REJECT)
        self._order(session, answered, "the answer to that report")
        self._closed(marta)

    def _refused(self, marta: Person) -> None:
        self.screen.chapter("3  What was bought is used up: the next login is refused")
        outcome = self._login(marta, "chap")
        self.screen.expect("answer", outcome.result, "reject")
        self.screen.expect("reason", outcome.message, MESSAGES[Reason.DATA_USED_UP])
        self._why(marta, "S7")

    def _recharge(self, marta: Person) -> None:
        self.screen.chapter("6  The prepaid subscriber buys again")
        self.screen.step(f"The desk sells {marta.username} another “{HOUR.plan_name}”")
        sell(self.context, marta.subscription_id, self.isp.hour, self.clock())
        outcome = self._login(marta, "pap")
        self._expect_paid(outcome)
        session = self._start(marta, outcome, "10.20.0.5")
        self._show_left(marta)
        self.router.stop(session)
        self._closed(marta)

    # --- the monthly customer ---------------------------------------------------------------

    def _jonas(self, username: str) -> Person:
        self.screen.chapter("4  A monthly customer with an overdue bill")
        person = add_debtor(self.context, self.isp, "Jonas Weber", username, self.clock())
        bill = self._view(person).unpaid_bills[0]
        self.screen.note(
            f"{username} is on “{HOME.plan_name}”; bill {bill.number} over "
            f"{bill.open_micros / 10**6:.2f} {bill.currency} was due on {bill.due_on}."
        )
        return person

    def _log_in_overdue(self, jonas: Person) -> NasSession:
        outcome = self._login(jonas, "pap")
        self.screen.expect("answer", outcome.result, "accept")
        self.screen.expect("pool", outcome.first("Framed-Pool"), ENTRANCE)
        self.screen.expect("address list", outcome.first("Mikrotik-Address-List"), ENTRANCE)
        self.screen.expect("what the customer reads", outcome.message, MESSAGES[Reason.OVERDUE])
        session = self._start(jonas, outcome, "10.99.0.4")
        self._why(jonas, "S5")
        return session

    def _pay(self, jonas: Person, session: NasSession) -> None:
        self.screen.chapter("5  The bill is paid: service is back at once")
        paid = self.clock()
        for bill in self._view(jonas).unpaid_bills:
            self.screen.step(f"{jonas.username} pays {bill.number} by card")
            bills.pay(
                self.context,
                bill.number,
                idempotency_key=f"demo-{bill.number}",
                now=self.clock(),
                channel=MoneyChannel.CARD,
            )
            paid = datetime.now(UTC)
        self.screen.note("RouterOS cannot change a pool by CoA, so the session is disconnected.")
        self._order(session, paid, "the payment was committed")
        self._closed(jonas)
        outcome = self._login(jonas, "pap")
        self.screen.expect("answer", outcome.result, "accept")
        self.screen.expect("pool", outcome.first("Framed-Pool"), HOME.pool)
        self.screen.expect("speed", outcome.first("Mikrotik-Rate-Limit"), _rate(HOME))
        self.screen.expect("address list", outcome.first("Mikrotik-Address-List"), None)

    # --- what happens in several chapters -----------------------------------------------------

    def _login(self, person: Person, method: Method) -> LoginOutcome:
        self.screen.step(f"{person.username} logs in ({_METHODS[method]})")
        outcome = self.router.login(person.username, person.password, method=method)
        if outcome.result == "silence":
            raise Deviation(
                "Access-Request",
                "an answer",
                f"none (does TOLLWAY_NAS_NETWORKS hold {self.router.address}?)",
            )
        shown = {name: outcome.first(name) for name in _SHOWN if outcome.first(name) is not None}
        good = outcome.result == "accept"
        self.screen.packet(f"Access-{outcome.result.capitalize()}", shown, good=good)
        return outcome

    def _expect_paid(self, outcome: LoginOutcome) -> None:
        self.screen.expect("answer", outcome.result, "accept")
        self.screen.expect("pool", outcome.first("Framed-Pool"), HOUR.pool)
        self.screen.expect("time limit in seconds", outcome.first("Session-Timeout"), HOUR.seconds)
        self.screen.expect("octet limit", outcome.first("Mikrotik-Total-Limit"), HOUR.octets)
        self.screen.expect("speed, up/down", outcome.first("Mikrotik-Rate-Limit"), _rate(HOUR))

    def _start(self, person: Person, outcome: LoginOutcome, address: str) -> NasSession:
        session = self.router.start(
            person.username, framed_ip=address, session_class=outcome.first("Class")
        )
        self.screen.expect("sessions online", len(self._view(person).sessions), 1)
        return session

    def _order(self, session: NasSession, since: datetime, cause: str) -> None:
        """The Disconnect-Request that must come, and how long after `since` it did (rule C2)."""
        deadline = time.monotonic() + self.timeout_seconds
        while not (found := _orders_for(self.router, session)):
            if time.monotonic() > deadline:
                raise Deviation("order from Tollway", "a Disconnect-Request", "none")
            time.sleep(0.01)
        order = found[0]
        shown: dict[str, object] = {
            name: order.attributes[name][0]
            for name in ("User-Name", "Acct-Session-Id", "Framed-IP-Address")
            if name in order.attributes
        }
        self.screen.packet(f"{order.kind} on the wire", shown, good=False)
        self.screen.expect("order", order.kind, "Disconnect-Request")
        self.screen.expect("subscriber", shown.get("User-Name"), session.username)
        self.screen.expect("address", shown.get("Framed-IP-Address"), session.framed_ip)
        self.screen.require("authenticators are right", order.genuine, order)
        late_ms = (order.arrived_at - since).total_seconds() * 1000
        when = f"{late_ms:.0f} ms after" if late_ms >= 0 else "before"
        self.screen.note(f"It arrived {when} {cause}.")

    def _closed(self, person: Person) -> None:
        """The router's Stop arrives, and the session is over in the books too."""
        deadline = time.monotonic() + self.timeout_seconds
        while self._view(person).sessions and time.monotonic() < deadline:
            time.sleep(0.05)
        self.screen.expect("sessions online after the Stop", len(self._view(person).sessions), 0)

    def _why(self, person: Person, rule: str) -> None:
        self.screen.step(f"Why? (./run tollway why {person.username})")
        told: WhyView = explain.why(self.context, person.subscription_id, self.clock())
        self.screen.lines(told.lines)
        self.screen.expect("the cause that decides", told.state.rule, rule)

    def _show_left(self, person: Person) -> EntitlementView:
        """Bars of the package bought last."""
        bought = self._view(person).entitlements[0]
        self.screen.left("time", bought.seconds_left or 0, HOUR.seconds or 1, "min", _MINUTE)
        self.screen.left("data", bought.octets_left or 0, HOUR.octets or 1, "MB", MEGABYTE)
        return bought

    def _view(self, person: Person) -> SubscriptionView:
        return subscribers.show(self.context, person.subscription_id, self.clock())


def _orders_for(router: SimulatedNas, session: NasSession) -> list[Order]:
    """Those that name the session; others may be for the crowd."""
    named = [session.acct_session_id]
    return [one for one in router.orders if one.attributes.get("Acct-Session-Id") == named]


def _rate(plan: PlanTerms) -> str:
    return f"{plan.speed_up_kbps}k/{plan.speed_down_kbps}k"
