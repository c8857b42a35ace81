"""Access decisions for the hooks: a batch of requests in, one decision each out (rules A1-A5).

Not a transaction service like its neighbours: it reads one statement on a lane of its own, and
holds what does not change (plan versions, revisions of profiles) in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from billing.errors import InvalidInput
from billing.model.account import (
    Account,
    Credential,
    HoldBehaviour,
    LoginContext,
    StaffHold,
    Wallet,
)
from billing.model.decision import Accept, Admission, Decision, Reason, Reject, Suspended
from billing.model.events import AccessRequest, Admitted, LoginRecord
from billing.model.login_hours import parse_login_hours
from billing.model.making import maker
from billing.model.network import NasTraits, Vendor, of_voucher
from billing.model.own_reply import own_reply_of
from billing.model.plan import Entitlement, PlanTerms
from billing.model.pools import PoolKind
from billing.model.profile import BillingProfile
from billing.model.vouchers import UNKNOWN_LOGIN
from billing.rules.access import decide
from billing.rules.cycles import day_start
from billing.rules.grants import granted
from billing.rules.places import admission, granting, leasing, strict_plan
from billing.rules.vouchers import throttled
from billing.services.pool_book import PoolBook
from billing.services.secrets import SecretBox
from billing.services.snapshot import Snapshot, SnapshotNotes
from billing.services.voucher_logins import VoucherBook, VoucherLogin
from billing.store import hotpath
from billing.store.admission import admit_logins
from billing.store.hotpath import HotConnection

__all__ = ["AccessDesk", "AccessOutcome", "Lane", "granted"]


@dataclass(frozen=True, slots=True)
class AccessOutcome:
    """A decision and what the hook needs to carry it out; ids are None for an unknown user."""

    decision: Decision
    credential: Credential | None = None
    customer_id: int | None = None
    subscription_id: int | None = None
    problem: str | None = None
    """What is wrong with the stored account, for the log; the login is refused then."""
    admission: Admission | None = None
    """What is to be taken once the password was verified; None: nothing."""
    vendor: str = Vendor.GENERIC
    """Of the NAS that asks."""
    login_name: str | None = None
    """Where the user name is a voucher's code: what it is called instead (rule R3)."""


Lane = HotConnection
"""What a batch is decided on."""

_make_account, _make_wallet = maker(Account), maker(Wallet)
_make_credential = maker(Credential)
_make_context = maker(LoginContext)
_make_outcome = maker(AccessOutcome)

_UNKNOWN = AccessOutcome(Reject(reason=Reason.UNKNOWN_USER))
_WRONG_CODE = AccessOutcome(Reject(reason=Reason.BAD_PASSWORD), login_name=UNKNOWN_LOGIN)
_NO_CREDENTIAL = Credential()


class AccessDesk:
    """Decides batches of Access-Requests. Shared by all lanes; its caches only ever gain entries
    that stay true, so that threads need no lock."""

    def __init__(self, box: SecretBox, snapshot: Snapshot | SnapshotNotes | None = None) -> None:
        self._box = box
        self._snapshot = snapshot
        self._terms: dict[int, PlanTerms] = {}
        self._profiles: dict[int, tuple[int, BillingProfile]] = {}
        self._time_zone: str | None = None
        self._pools = PoolBook()
        self._codes = VoucherBook(box)

    def decide_batch(
        self,
        lane: HotConnection,
        requests: Sequence[AccessRequest],
        clock: Callable[[], datetime],
    ) -> list[AccessOutcome]:
        """One outcome a request, in order. Raises Unavailable when the database is out.

        Decided as of an instant after the read: what another login began meanwhile has begun (B2).
        """
        rows = hotpath.load_access(lane, requests, clock())
        now = clock()
        if self._time_zone is None:
            self._time_zone = hotpath.load_operator(lane).time_zone
        self._pools.refresh(lane, now)
        outcomes = [
            self._outcome(lane, row, request, now)
            for row, request in zip(rows, requests, strict=True)
        ]
        if any(outcome is _UNKNOWN for outcome in outcomes):
            self._try_vouchers(lane, requests, outcomes, clock)
        return outcomes

    def admit_batch(
        self, lane: HotConnection, logins: Sequence[LoginRecord], now: datetime
    ) -> list[Admitted]:
        """Take for verified logins what they need, and keep them: slots, addresses, first-login
        activation (rules A1, A6, A7, B2). Raises Unavailable; nobody may be answered then."""
        return admit_logins(lane, logins, now)

    def _try_vouchers(
        self,
        lane: HotConnection,
        requests: Sequence[AccessRequest],
        outcomes: list[AccessOutcome],
        clock: Callable[[], datetime],
    ) -> None:
        """Names that nobody has may be codes of vouchers (rule R3). Two statements a batch at most,
        and none where no name is of a format that logs in. A guess costs what a hit costs, whether
        it is held back or not: how long an answer takes tells nothing."""
        asked = [place for place, outcome in enumerate(outcomes) if outcome is _UNKNOWN]
        looked = self._codes.look(lane, [requests[place] for place in asked], clock())
        found = [(place, one) for place, one in zip(asked, looked, strict=True) if one is not None]
        if not found:
            return
        own = [one.request for _, one in found]
        guesses = [replace(request, username=UNKNOWN_LOGIN) for request in own]
        rows = hotpath.load_access(lane, [*own, *guesses], clock())
        now = clock()
        for (place, one), row, guess in zip(found, rows[: len(own)], rows[len(own) :], strict=True):
            outcomes[place] = self._by_voucher(lane, row, guess, one, now)

    def _by_voucher(
        self, lane: HotConnection, row: Any, guess: Any, login: VoucherLogin, now: datetime
    ) -> AccessOutcome:
        """A code that is not looked at any more gets the same answer as one that nobody has."""
        known = bool(row.station_known)
        if (
            login.credential is None
            or row.customer_id is None
            or throttled(guess.station_failures, guess.all_failures, known=known)
        ):
            return _WRONG_CODE
        outcome = self._outcome(lane, row, login.request, now, login.credential)
        decision = outcome.decision
        if not isinstance(decision, Reject):
            told = decision.service
            marked = replace(told, session_class=of_voucher(told.session_class))
            decision = replace(decision, service=marked)
        return replace(outcome, decision=decision, login_name=login.request.username)

    def _outcome(
        self,
        lane: HotConnection,
        row: Any,
        request: AccessRequest,
        now: datetime,
        credential: Credential | None = None,
    ) -> AccessOutcome:
        """`credential`: of a voucher; no outage finds it, as codes are kept nowhere."""
        snapshot = self._snapshot if credential is None else None
        if row.customer_id is None:
            if snapshot is not None:
                snapshot.forget(request.username)
            return _UNKNOWN
        try:
            account = self._account(lane, row)
            if credential is not None:
                account = replace(account, credential=credential)
        except (InvalidInput, ValueError) as error:
            # One account that can't be read must not refuse the others of its batch.
            return AccessOutcome(
                Reject(reason=Reason.UNAVAILABLE),
                None,
                row.customer_id,
                row.subscription_id,
                problem=f"subscription {row.subscription_id}: {error}",
            )
        context = _make_context(
            nas_id=row.nas_id or 0,
            calling_station=request.calling_station,
            open_sessions=row.open_sessions,
            station_failures=row.station_failures,
            all_failures=row.all_failures,
            station_known=bool(row.station_known),
        )
        decision = decide(account, context, now)
        if not isinstance(decision, Reject) and (
            self._pools or account.session_limit is not None or strict_plan(account) is not None
        ):
            outcome = self._taking(account, row, decision)
        else:
            outcome = _make_outcome(
                decision,
                account.credential,
                row.customer_id,
                row.subscription_id,
                vendor=row.vendor or Vendor.GENERIC,
            )
        if snapshot is not None:
            # Nothing is leased of our own pools, or reserved, during an outage.
            taken = outcome.admission
            if taken is not None and (taken.pool_id or taken.grant_version_id):
                snapshot.forget(request.username)
            else:
                snapshot.note(request, account, outcome.decision, now)
        return outcome

    def decide_without_database(
        self, request: AccessRequest, nas: NasTraits | None, now: datetime, out_since: datetime
    ) -> AccessOutcome | None:
        """Decide from what was last authorised (rule A8); None: refused."""
        if not isinstance(self._snapshot, Snapshot):
            return None
        nas_id = 0 if nas is None else nas.nas_id
        found = self._snapshot.decide(request, nas_id, now, out_since)
        if found is None:
            return None
        decision, account = found
        return AccessOutcome(
            decision,
            account.credential,
            account.customer_id,
            account.subscription_id,
            vendor=Vendor.GENERIC if nas is None else nas.vendor,
        )

    def _taking(self, account: Account, row: Any, decision: Accept | Suspended) -> AccessOutcome:
        """For a subscription that must take a slot, a grant, or an address of a pool of ours."""
        name = decision.service.pool
        pool = None if name is None else self._pools.find(row.org_id, name)
        wanted = PoolKind.NORMAL if isinstance(decision, Accept) else PoolKind.SUSPENDED
        if pool is not None and pool.kind is not wanted:
            return AccessOutcome(
                Reject(reason=Reason.UNAVAILABLE),
                account.credential,
                account.customer_id,
                account.subscription_id,
                problem=f"subscription {account.subscription_id}: the pool {name!r} is "
                f"{pool.kind}, where one that is {wanted} is needed",
            )
        taken = admission(account, decision, None if pool is None else pool.pool_id)
        if taken is not None and taken.grant_version_id:
            decision = granting(decision)
        return AccessOutcome(
            decision if pool is None else leasing(decision),
            account.credential,
            account.customer_id,
            account.subscription_id,
            admission=taken,
            vendor=row.vendor or Vendor.GENERIC,
        )

    def _account(self, lane: HotConnection, row: Any) -> Account:
        time_zone = self._time_zone or "UTC"
        paid_until: date | None = row.paid_until
        entitlements = self._entitlements(lane, row.entitlements)
        account = _make_account(
            customer_id=row.customer_id,
            subscription_id=row.subscription_id,
            username="",
            profile=self._profile(lane, row.profile_id, row.profile_revision),
            plan=None if row.plan_version_id is None else self._plan(lane, row.plan_version_id),
            package_plan=self._plan(lane, entitlements[0].plan_version_id)
            if entitlements
            else None,
            wallet=_make_wallet(
                currency=row.currency,
                posted_micros=row.posted_micros,
                unposted_micros=row.unposted_micros,
                reserved_micros=row.reserved_micros,
                credit_limit_micros=row.credit_limit_micros,
                cap=hotpath.spending_cap_of(row.cap),
                promised_micros=row.promised_micros,
                promised_until=row.promised_until,
            ),
            time_zone=time_zone,
            created_at=row.created_at,
            credential=self._credential(row),
            entitlements=entitlements,
            last_ended=self._entitlements(lane, row.last_ended)[0] if row.last_ended else None,
            paid_until=None if paid_until is None else day_start(paid_until, time_zone),
            unpaid_bills=hotpath.unpaid_bills_of(row.bills),
            on_hold_since=row.on_hold_since,
            own_reply=None if row.own_reply is None else own_reply_of(row.own_reply),
        )
        if hotpath.nothing_of_its_own(row):  # nearly every login
            return account
        return replace(
            account,
            closed_at=row.closed_at,
            staff_hold=None
            if row.hold_behaviour is None
            else StaffHold(
                note=row.hold_note or "",
                until=row.hold_until,
                behaviour=HoldBehaviour(row.hold_behaviour),
            ),
            paused_at=row.paused_at,
            discontinue_on=row.discontinue_on,
            promise_until=row.promise_until,
            framed_ip=row.framed_ip,
            speed_up_kbps=row.speed_up_kbps,
            speed_down_kbps=row.speed_down_kbps,
            allowed_nas_ids=None if row.allowed_nas_ids is None else frozenset(row.allowed_nas_ids),
            allowed_macs=None if row.allowed_macs is None else frozenset(row.allowed_macs),
            login_windows=None if row.login_hours is None else parse_login_hours(row.login_hours),
            session_limit=row.session_limit,
        )

    def _credential(self, row: Any) -> Credential:
        if row.secret_sealed is not None:
            plain = self._box.open(row.secret_sealed, f"subscription:{row.subscription_id}")
            return _make_credential(cleartext=plain)
        if row.nt_hash is None and row.pbkdf2 is None:
            return _NO_CREDENTIAL
        return Credential(nt_hash=row.nt_hash, pbkdf2=row.pbkdf2)

    def _entitlements(self, lane: HotConnection, text: str | None) -> tuple[Entitlement, ...]:
        return hotpath.entitlements_of(text, lambda version: self._plan(lane, version))

    def _plan(self, lane: HotConnection, plan_version_id: int) -> PlanTerms:
        terms = self._terms.get(plan_version_id)
        if terms is None:
            terms = hotpath.load_terms(lane, plan_version_id)
            self._terms[plan_version_id] = terms
        return terms

    def _profile(self, lane: HotConnection, profile_id: int, revision: int) -> BillingProfile:
        known = self._profiles.get(profile_id)
        if known is not None and known[0] == revision:
            return known[1]
        profile = hotpath.load_profile(lane, profile_id)
        self._profiles[profile_id] = (revision, profile)
        return profile
