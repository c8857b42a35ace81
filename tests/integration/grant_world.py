"""Subscribers of strict plans for the tests of reservations, and the sums that must always hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from billing.model.events import Admitted, LoginRecord
from billing.model.grants import NasCan
from billing.store.admission import admit_logins
from tests.integration.meter_world import ROUTER, T0, Metered, MeterWorld, Pack

CHILLI = NasCan.LIMITS_TOTAL | NasCan.MOVES_TIME | NasCan.MOVES_OCTETS | NasCan.RESTRICTS
PPP = NasCan.LIMITS_EACH | NasCan.MOVES_TIME | NasCan.MOVES_OCTETS | NasCan.RESTRICTS
HOTSPOT = NasCan.LIMITS_TOTAL | NasCan.MOVES_TIME
FIXED = NasCan.LIMITS_TOTAL
NO_LIMIT = NasCan.NOTHING
FENCING = NasCan.MOVES_TIME | NasCan.FENCES
_names = count(1)

# What must be true of every subscription after every step: no more is held than is left, what has
# ended holds nothing, no session holds two, and overspend is what the slices of the days say.
BROKEN = """
SELECT 'more held than left' AS what, s.subscription_id
FROM subscription s CROSS JOIN reservable_v1(%(now)s, s.customer_id, s.subscription_id) f
WHERE s.customer_id = %(customer)s AND s.reserves AND LEAST(f.seconds_left, f.octets_left) < 0
UNION ALL
SELECT 'a session that ended holds', r.subscription_id FROM reservation r
JOIN live_session v ON v.customer_id = r.customer_id AND v.session_id = r.session_id
WHERE r.customer_id = %(customer)s AND r.state = 'held' AND v.closed_at IS NOT NULL
  AND v.terminate_cause IS DISTINCT FROM 'Lost-Stop'
UNION ALL
SELECT 'not what its session used', r.subscription_id FROM reservation r
JOIN live_session v ON v.customer_id = r.customer_id AND v.session_id = r.session_id
WHERE r.customer_id = %(customer)s AND r.state = 'held'
  AND (r.used_seconds, r.used_input_octets, r.used_output_octets)
      <> (v.session_seconds, v.input_octets, v.output_octets)
UNION ALL
SELECT 'holds and has no limit', r.subscription_id FROM reservation r
WHERE r.customer_id = %(customer)s AND r.state = 'held'
  AND (r.granted_octets IS NULL AND r.granted_seconds IS NULL
       OR r.limit_input_octets < 0 OR r.limit_output_octets < 0)
UNION ALL
SELECT 'overspend differs from the days', COALESCE(o.subscription_id, d.subscription_id)
FROM (SELECT subscription_id, sum(seconds) AS seconds, sum(octets) AS octets FROM overspend
      WHERE customer_id = %(customer)s GROUP BY 1) o
FULL JOIN (SELECT subscription_id, sum(seconds) AS seconds,
               sum(input_octets + output_octets) AS octets FROM daily_usage
           WHERE customer_id = %(customer)s AND kind = 'overspend' GROUP BY 1) d
    USING (subscription_id)
WHERE (COALESCE(o.seconds, 0), COALESCE(o.octets, 0))
      <> (COALESCE(d.seconds, 0), COALESCE(d.octets, 0))
"""


def broken(world: MeterWorld, who: Metered, now: datetime) -> list[tuple[str, int]]:
    """Which of the sums do not hold."""
    rows = world.db.execute(BROKEN, {"customer": who.customer_id, "now": now}).fetchall()
    return [tuple(row) for row in rows]


def strict_version(
    world: MeterWorld,
    *,
    slice_octets: int = 1_000,
    slice_seconds: int = 600,
    valid_seconds: int = 3_600,
    final: str = "terminate",
    down_kbps: int | None = None,
) -> int:
    """A version of a plan with strict sharing."""
    rows = world.rows(
        "INSERT INTO plan_version (plan_id, version, effective_from, price_micros, currency,"
        " starts, interim_seconds, sharing, slice_octets, slice_seconds, grant_valid_seconds,"
        " final_unit_action, restricted_down_kbps, created_at)"
        " SELECT plan_id, 2, effective_from, 0, 'USD', 'purchase', 300, 'strict', %s, %s, %s, %s,"
        " %s, created_at FROM plan_version WHERE plan_version_id = %s RETURNING plan_version_id",
        *(slice_octets, slice_seconds, valid_seconds, final, down_kbps),
        world.new_version(None),
    )
    return int(rows[0].plan_version_id)


def strict_customer(
    world: MeterWorld, packs: Sequence[Pack], version_id: int | None = None
) -> tuple[Metered, int]:
    """A subscriber with packages of a strict plan; the version of the plan too."""
    version_id = strict_version(world) if version_id is None else version_id
    who = world.customer()
    world.db.execute(
        "UPDATE subscription SET plan_version_id = %s WHERE subscription_id = %s",
        (version_id, who.subscription_id),
    )
    ids = tuple(world.buy(who, pack, version_id) for pack in packs)
    return replace(who, entitlement_ids=ids), version_id


def log_in(
    world: MeterWorld,
    who: Metered,
    version_id: int,
    now: datetime,
    *,
    station: str | None = None,
    nas: str = ROUTER,
    able: NasCan = CHILLI,
    lane: Any = None,
) -> Admitted:
    """A login whose password was right; what it was given."""
    login = LoginRecord(
        username=who.username,
        customer_id=who.customer_id,
        subscription_id=who.subscription_id,
        nas_address=nas,
        calling_station=station or f"station-{next(_names)}",
        outcome="accept",
        reason="ok",
        entitlement_id=0,
        at=T0,
        silence_seconds=900,
        grant_version_id=version_id,
        nas_can=able,
    )
    return admit_logins(lane or world.lane, [login], now)[0]


def grants(world: MeterWorld, who: Metered) -> list[Any]:
    """Every reservation, oldest first."""
    return world.rows(
        "SELECT *, used_input_octets + used_output_octets AS used_octets FROM reservation"
        " WHERE subscription_id = %s ORDER BY reservation_id",
        who.subscription_id,
    )


def overspends(world: MeterWorld, who: Metered) -> list[Any]:
    return world.rows(
        "SELECT * FROM overspend WHERE subscription_id = %s ORDER BY overspend_id",
        who.subscription_id,
    )


def class_of(who: Metered, admitted: Admitted) -> str:
    """Our Class of a login with a grant."""
    return f"tw1:{who.subscription_id}:n{admitted.reservation_id}"
