"""Evidence about sessions: looked at, rated again, gathered for a dispute (rules U9, U11, P3)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.errors import Conflict, InvalidInput, NotFound
from billing.model.evidence import (
    AnomalyView,
    Dispute,
    DisputedSession,
    RerateView,
    SessionEvidence,
    SessionPage,
    WalletStory,
)
from billing.model.plan import PlanTerms
from billing.model.views import OperatorView
from billing.rules import readings, rerating
from billing.rules.cycles import day_passed_at, day_start
from billing.services.context import Context
from billing.services.identity import checked_username
from billing.store import catalog, customers, tables
from billing.store import evidence as store
from billing.store.guard import Transaction

DAYS_MAX = 3660
SESSIONS_MAX = 10_000
BY_NUMBER = "id:"
_NUMBER_MAX = 2**63 - 1
_LISTED_MAX = 20


def session_page(context: Context, name: str, username: str | None = None) -> SessionPage:
    """A session by its number or by the NAS's Acct-Session-Id, with its slices.

    Raises NotFound, and Conflict where several are meant.
    """
    with context.transaction() as tx:
        found = _session(tx, name, _subscription(tx, username))
        return SessionPage(
            session=found.session,
            currency=_operator(tx).currency,
            slices=found.slices,
        )


def rerate(context: Context, name: str, username: str | None = None) -> RerateView:
    """Rate a session again from its records, for the operator's own processes. Raises NotFound,
    Conflict."""
    with context.transaction() as tx:
        store.hold_still(tx)
        found = _session(tx, name, _subscription(tx, username))
        operator = _operator(tx)
        terms = _terms(tx, found)
    again = rerating.rerate(found, terms, operator.time_zone)
    return RerateView(
        session=found.session,
        records=len(found.records),
        seconds=again.total.seconds,
        input_octets=again.total.input_octets,
        output_octets=again.total.output_octets,
        charged_micros=again.charged_micros,
        currency=operator.currency,
        differences=again.differences,
    )


def dispute(context: Context, username: str, first_day: date, last_day: date) -> Dispute:
    """All evidence about a subscriber for local days, both included. Raises InvalidInput, NotFound.

    Of each session, the records whose usage lies in these days.
    """
    if first_day > last_day:
        raise InvalidInput("must not be after --to", field="from")
    if (last_day - first_day).days >= DAYS_MAX:
        raise InvalidInput(f"at most {DAYS_MAX} days at once", field="from")
    with context.transaction() as tx:
        store.hold_still(tx)
        whose = _subscription(tx, username)
        row = None if whose is None else customers.get_subscription(tx, whose[1])
        customer = None if row is None else customers.customer_view(tx, row.customer_id)
        if row is None or customer is None:
            raise NotFound(f"no subscriber is named {username!r}", field="username")
        zone = _operator(tx).time_zone
        between = day_start(first_day, zone), day_passed_at(last_day, zone)
        sessions = store.find_sessions(
            tx,
            customer_id=row.customer_id,
            subscription_id=row.subscription_id,
            days=(first_day, last_day),
            between=between,
            limit=SESSIONS_MAX + 1,
        )
        if len(sessions) > SESSIONS_MAX:
            raise InvalidInput(
                f"more than {SESSIONS_MAX} sessions in these days; ask for fewer days", field="from"
            )
        days = store.days_between(tx, row.customer_id, row.subscription_id, first_day, last_day)
        charged = sum(part.charged_micros for part in days)
        return Dispute(
            username=row.username,
            customer_name=customer.name,
            first_day=first_day,
            last_day=last_day,
            time_zone=zone,
            sessions=tuple(
                _disputed(one, _terms(tx, one), (first_day, last_day), between) for one in sessions
            ),
            days=tuple(days),
            seconds=sum(part.seconds for part in days),
            input_octets=sum(part.input_octets for part in days),
            output_octets=sum(part.output_octets for part in days),
            charged_micros=charged,
            wallet=_wallet_story(tx, row, (first_day, last_day), between, charged),
        )


def anomalies(
    context: Context,
    *,
    username: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    code: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AnomalyView]:
    """What was odd in records, newest first; days are local, both included. Raises NotFound."""
    if first_day is not None and last_day is not None and first_day > last_day:
        raise InvalidInput("must not be after --to", field="from")
    with context.transaction() as tx:
        whose = _subscription(tx, username)
        zone = _operator(tx).time_zone
        return store.find_anomalies(
            tx,
            customer_id=whose and whose[0],
            subscription_id=whose and whose[1],
            code=code,
            since=None if first_day is None else day_start(first_day, zone),
            until=None if last_day is None else day_passed_at(last_day, zone),
            before=before,
            limit=limit,
        )


def _subscription(tx: Transaction, username: str | None) -> tuple[int, int] | None:
    """Customer and subscription of that name."""
    if username is None:
        return None
    found = customers.find_login(tx, checked_username(username))
    if found is None:
        raise NotFound(f"no subscriber is named {username!r}", field="username")
    return found


def _session(tx: Transaction, name: str, whose: tuple[int, int] | None) -> SessionEvidence:
    """The one session that is meant."""
    bare = name.removeprefix(BY_NUMBER)
    is_number = bare.isascii() and bare.isdecimal() and int(bare) <= _NUMBER_MAX
    if bare != name and not is_number:
        raise InvalidInput(f"{name!r}: after {BY_NUMBER} comes a number", field="session")
    if not bare or "\0" in bare:
        raise InvalidInput("must be a session's number or Acct-Session-Id", field="session")
    found = store.find_sessions(
        tx,
        customer_id=whose and whose[0],
        subscription_id=whose and whose[1],
        session_id=int(bare) if is_number else None,
        acct_session_id=name if bare == name else None,
        limit=_LISTED_MAX + 1,
    )
    if not found:
        raise NotFound(f"no session has the number or Acct-Session-Id {name!r}", field="session")
    if len(found) > 1:
        listed = "\n".join(
            f"  {BY_NUMBER}{one.session.session_id} ({one.session.username} at"
            f" {one.session.nas_name or one.session.nas_id}, Acct-Session-Id"
            f" {one.session.acct_session_id}, began {one.session.started_at:%Y-%m-%d %H:%M:%S}Z)"
            for one in found[:_LISTED_MAX]
        )
        more = "\n  … and more" if len(found) > _LISTED_MAX else ""
        raise Conflict(
            f"{name!r} means several sessions; give one of\n{listed}{more}", field="session"
        )
    return found[0]


def _operator(tx: Transaction) -> OperatorView:
    operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    return operator


def _terms(tx: Transaction, evidence: SessionEvidence) -> dict[int, PlanTerms]:
    return catalog.terms_by_version(
        tx,
        {
            *(part.plan_version_id for part in evidence.slices),
            *(one.price_version for one in evidence.records if one.price_version is not None),
            *(one.tariff_version for one in evidence.records if one.tariff_version is not None),
        },
    )


def _disputed(
    evidence: SessionEvidence,
    terms: dict[int, PlanTerms],
    days: tuple[date, date],
    between: tuple[datetime, datetime],
) -> DisputedSession:
    read = list(readings.read_records(evidence.records, evidence.has_gigawords))
    since, until = between
    interim_seconds = max((one.interim_seconds for one in terms.values()), default=0)
    return DisputedSession(
        session=evidence.session,
        records=tuple(
            one.record for one in read if one.since < until and one.record.event_at >= since
        ),
        slices=tuple(part for part in evidence.slices if days[0] <= part.day <= days[1]),
        gaps=tuple(
            gap
            for gap in readings.gaps(read, interim_seconds)
            if gap.since < until and gap.until > since
        ),
    )


def _wallet_story(
    tx: Transaction,
    row: tables.Subscription,
    days: tuple[date, date],
    between: tuple[datetime, datetime],
    charged_here_micros: int,
) -> WalletStory:
    """Reckoned back from what the wallet holds now."""
    wallets = customers.wallets_of(tx, row.customer_id)
    wallet = next(one for one in wallets if one.wallet_id == row.wallet_id)
    moved = store.movements_since(tx, row.customer_id, row.wallet_id, between[0])
    inside = tuple(one for one in moved if one.at < between[1])
    charged_since = store.charged_to(tx, row.customer_id, row.wallet_id, days[0])
    charged_after = store.charged_to(
        tx, row.customer_id, row.wallet_id, days[1] + timedelta(days=1)
    )
    held = wallet.posted_micros - wallet.unposted_micros
    before = held - sum(one.amount_micros for one in moved) + charged_since
    moved_micros = sum(one.amount_micros for one in inside)
    charged = charged_since - charged_after
    return WalletStory(
        wallet_id=wallet.wallet_id,
        currency=wallet.currency,
        before_micros=before,
        movements=inside,
        moved_micros=moved_micros,
        charged_micros=charged,
        charged_here_micros=charged_here_micros,
        after_micros=before + moved_micros - charged,
    )
