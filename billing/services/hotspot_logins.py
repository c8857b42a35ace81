"""Guests of a hotspot say who they are: by a voucher's code, or as a subscriber (rules B13, R3).

The NAS's login decides; here a guest is told before what is wrong, and what is left. Wrong codes
and passwords count as they do elsewhere (security.md 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.decision import Reason
from billing.model.hotspots import Arrival, Guest, Handover, Hotspot, Left
from billing.model.self_care import SubscriberAttempt, SubscriberLogin
from billing.rules import hotspots as rules
from billing.rules.vouchers import canonical, could_be_code
from billing.services import explain, self_care, subscribers, voucher_guesses, voucher_keys
from billing.services.context import Context
from billing.services.voucher_redeem import check_login, is_right
from billing.store import vouchers as store

_NOBODYS = "no voucher has this code, or not with this password; look at the card again"

CHALLENGE_GOOD_FOR = timedelta(minutes=8)
"""NAS forget theirs after ten."""


def arrival(hotspot: Hotspot, told: Mapping[str, str]) -> Arrival:
    """What a NAS says of a guest, checked. Raises Refused: it names a login address that is not the
    hotspot's, so nothing will be sent there."""
    found = rules.arrive(hotspot.dialect, hotspot.addresses, told)
    if found is None:
        raise Refused(
            "This login page is not one of this hotspot's, so nothing is sent to it. Connect to "
            "the Wi-Fi again; if this page comes back, tell whoever runs it."
        )
    return found


def handover(
    hotspot: Hotspot, seen: Arrival, seen_at: datetime, guest: Guest, *, back: str, now: datetime
) -> Handover | None:
    """What the guest's browser is to send to his NAS; `back`: the portal's page that comes then.
    None: the NAS has to send him here again first, as its challenge is old or was not given."""
    bound = rules.needs_challenge(hotspot.dialect, seen)
    if bound and not timedelta(0) <= now - seen_at < CHALLENGE_GOOD_FOR:
        return None
    return rules.hand_over(
        hotspot.dialect,
        seen,
        guest.username,
        guest.password,
        back=back,
        uam_secret=hotspot.uam_secret,
    )


def entry_page(hotspot: Hotspot, seen: Arrival | None) -> str:
    """Where his NAS sends a guest here anew."""
    address = hotspot.addresses[0] if seen is None else seen.address
    return rules.entry_page(hotspot.dialect, address)


def exit_page(hotspot: Hotspot, seen: Arrival | None) -> str:
    """Where he logs off; empty: that is not known."""
    address = hotspot.addresses[0] if seen is None else seen.address
    return rules.exit_page(hotspot.dialect, address)


def told_reason(said: str) -> Reason | None:
    """Why his NAS has not let him in; None: not known."""
    return rules.told_reason(said)


def by_voucher(nobody: Context, code: str, *, password: str, source: str, now: datetime) -> Guest:
    """Who logs in by a card, of whichever organisation. `source`: who types it, for the throttle.

    Raises InvalidInput (a typing error), NotFound (nobody's code), Refused (its state, the
    throttle, it is none to log in by).
    """
    text = canonical(code)
    if not could_be_code(text):
        raise InvalidInput("a character is wrong or missing; look at the card again", field="code")
    voucher_guesses.check(nobody, source, now, known=False)
    guest = holder(nobody, text, password, now)
    if guest is None:
        voucher_guesses.count_failure(nobody, source, now)
        raise NotFound(_NOBODYS, field="code")
    return guest


def holder(nobody: Context, text: str, password: str, now: datetime) -> Guest | None:
    """Who logs in by a code; None: nobody's. No throttle: for what was bought here. Raises
    Refused."""
    with nobody.transaction() as tx:
        keys = voucher_keys.known(nobody, tx)
        hashes = [key.code_hash(text) for key in keys]
        org_id = store.organisation_of(tx, hashes)
    if org_id is None:
        return None
    with replace(nobody, org_ids=(org_id,), home_org_id=org_id).transaction() as tx:
        found = store.by_hashes(tx, hashes)
        if found is None or not is_right(tx, keys, found, text, password):
            return None
        login = check_login(tx, found, now)
    return Guest(login=login, username=text, password=canonical(password) or text)


def by_password(nobody: Context, attempt: SubscriberAttempt, now: datetime) -> Guest:
    """Who logs in as at the customers' pages. Raises InvalidInput, Refused."""
    login = self_care.proven(nobody, attempt, now)
    return Guest(login=login, username=attempt.username, password=attempt.password)


def left(nobody: Context, login: SubscriberLogin, now: datetime) -> Left:
    """What the guest has, and whether the NAS will let him in. Raises NotFound."""
    context = self_care.context_of(nobody, login)
    with context.together() as joined:
        view = subscribers.show(joined, login.subscription_id, now)
        why = explain.why(joined, login.subscription_id, now)
    packages = [one for one in view.entitlements if one.status in ("running", "waiting")]
    first = packages[0] if packages else None
    is_on = view.row.state.effect == "normal"
    return Left(
        is_on=is_on,
        reason=Reason.OK if is_on else why.state.reason,
        plan_name=view.row.plan_name if first is None else first.plan_name,
        seconds_left=None if first is None else first.seconds_left,
        octets_left=None if first is None else first.octets_left,
        valid_until=None if first is None else first.valid_until,
        validity_minutes=None if first is None else first.validity_minutes,
        begins_at_login=first is not None and first.valid_from is None,
        sessions=len(view.sessions),
    )
