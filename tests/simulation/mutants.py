"""Wrong meters: the SQL functions with one thought changed in each.

`old` is found whatever the line breaks, and must be there exactly once: a change of the function
that moves it must move its mutant, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[2] / "sql" / "functions"
METER = "charge_usage_v1"


@dataclass(frozen=True)
class Mutant:
    """`name` says what it does wrong, `rule` what forbids it; `cohort` is the history that shows it
    first (another one is found if it does not)."""

    name: str
    rule: str
    old: str
    new: str
    function: str = METER
    cohort: int = 1

    def source(self) -> str:
        """The function with this change. Raises LookupError when there is no single such place."""
        right = (FUNCTIONS / f"{self.function}.sql").read_text(encoding="utf-8")
        place = re.compile(r"\s+".join(re.escape(word) for word in self.old.split()))
        found = place.findall(right)
        if len(found) != 1:
            raise LookupError(f"{self.function}.sql has {len(found)} places with: {self.old}")
        return replacing(place.sub(lambda _: self.new, right))


def replacing(source: str) -> str:
    """The statement that puts a function in the place of the one of that name."""
    return source.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


def original(function: str) -> str:
    """The statement that puts the right one back."""
    return replacing((FUNCTIONS / f"{function}.sql").read_text(encoding="utf-8"))


MUTANTS = (
    # Exactly once (U2)
    Mutant(
        "seconds of every copy are added",
        "U2",
        "GREATEST(COALESCE(seconds, 0), base_seconds) AS new_seconds",
        "base_seconds + COALESCE(seconds, 0) AS new_seconds",
    ),
    Mutant(
        "octets of every copy are added",
        "U2",
        "new_input - base_input AS d_input,",
        "new_input - CASE WHEN input = base_input THEN 0 ELSE base_input END AS d_input,",
    ),
    Mutant(
        "the last packet wins",
        "U2",
        "GREATEST(base_input, CASE WHEN input IS NULL THEN 0",
        "GREATEST(0, CASE WHEN input IS NULL THEN base_input",
    ),
    Mutant(
        "the session time of the last packet wins",
        "U2",
        "GREATEST(COALESCE(seconds, 0), base_seconds) AS new_seconds",
        "COALESCE(seconds, base_seconds) AS new_seconds",
    ),
    Mutant(
        "records of one customer in one round",
        "U2",
        "ELSE row_number() OVER (PARTITION BY l.customer_id, r.status IN (7, 8) ORDER BY r.ord)",
        "ELSE 1",
    ),
    # Sessions (U3)
    Mutant(
        "an id used again goes on with the old session",
        "U3",
        "OR COALESCE(rec.start_at > v.last_event_at +",
        "OR COALESCE(false AND rec.start_at > v.last_event_at +",
    ),
    Mutant(
        "a record from before a session is that session's",
        "U3",
        "OR rec.event_at + rec.slack < v.started_at",
        "",
        cohort=4,
    ),
    Mutant(
        "a lower session time begins a session",
        "U3",
        "OR rec.event_at + rec.slack < v.started_at",
        "OR rec.event_at + rec.slack < v.started_at"
        " OR COALESCE(rec.seconds < v.session_seconds, false)",
    ),
    Mutant(
        "clocks are exact to the second",
        "U3",
        "make_interval(secs => r.slack_seconds) AS slack,",
        "interval '0' AS slack,",
    ),
    Mutant(
        "the NAS is no part of a session's identity",
        "U3",
        "AND s.nas_id = rec.nas_id AND s.acct_session_id = rec.acct_session_id",
        "AND s.acct_session_id = rec.acct_session_id",
        cohort=4,
    ),
    Mutant(
        "a record without session time began just then",
        "U3",
        "COALESCE(r.seconds, CASE WHEN r.status = 1 THEN 0 END)",
        "COALESCE(r.seconds, 0)",
    ),
    Mutant(
        "a late Start does not move the beginning",
        "U5",
        "started_at = LEAST(v.started_at, u.start_at),",
        "started_at = v.started_at,",
        cohort=4,
    ),
    # Counters (U4)
    Mutant(
        "a missing counter is zero",
        "U4",
        "CASE WHEN NOT can_wrap OR input IS NULL THEN 0 WHEN input_newer"
        " AND input + input_wraps * c_wrap < base_input"
        " AND input + (input_wraps + 1) * c_wrap",
        "CASE WHEN NOT can_wrap THEN 0 WHEN input_newer"
        " AND COALESCE(input, 0) + input_wraps * c_wrap < base_input"
        " AND COALESCE(input, 0) + (input_wraps + 1) * c_wrap",
    ),
    Mutant(
        "32 bits never wrap",
        "U4",
        "NOT is_new AND NOT (old_has_gigawords OR f.has_gigawords) AS can_wrap",
        "false AS can_wrap",
    ),
    Mutant(
        "64 bits wrap, too",
        "U4",
        "NOT is_new AND NOT (old_has_gigawords OR f.has_gigawords) AS can_wrap",
        "NOT is_new AS can_wrap",
    ),
    Mutant(
        "every fallen counter has wrapped",
        "U4",
        "c_plausible_octets_per_second constant bigint := 125000000",
        "c_plausible_octets_per_second constant bigint := 125000000000",
    ),
    Mutant(
        "only the last wrap counts",
        "U4",
        "CASE WHEN input_derived IS NULL THEN input_wraps + input_rose",
        "CASE WHEN input_derived IS NULL THEN input_rose",
    ),
    Mutant(
        "a late reading of 32 bits is taken by itself",
        "U2",
        "WHEN output_derived IS NOT NULL THEN output_derived[1]",
        "",
    ),
    Mutant(
        "wraps that late readings tell of are not remembered",
        "U2",
        "ELSE input_derived[2] END AS new_input_wraps",
        "ELSE input_wraps END AS new_input_wraps",
    ),
    Mutant(
        "readings are put in the order of their arrival",
        "U2",
        "ORDER BY at_seconds, octets LOOP",
        "LOOP",
        "unwrapped_v1",
    ),
    Mutant(
        "a late reading is not among the others",
        "U2",
        "SELECT p_at_seconds, p_octets, 0",
        "SELECT p_at_seconds, NULL::bigint, 0",
        "unwrapped_v1",
    ),
    Mutant(
        "every counter that fell has wrapped, seen from a late reading",
        "U4",
        "<= GREATEST(v_reading.at_seconds - v_at_seconds, 1) * p_plausible_octets_per_second THEN",
        "<= 1000 * p_plausible_octets_per_second THEN",
        "unwrapped_v1",
    ),
    Mutant(
        "a late reading is compared with the first one",
        "U4",
        "v_at_seconds := v_reading.at_seconds;",
        "",
        "unwrapped_v1",
    ),
    # The end (U5, U7)
    Mutant(
        "a late record reopens a closed session",
        "U5",
        "old_closed_at IS NULL OR NOT old_stopped AND event_at > old_closed_at",
        "old_closed_at IS NULL OR status <> 2",
    ),
    Mutant(
        "whatever comes late reopens a session that ended with its NAS",
        "U5",
        "AND event_at > old_closed_at AND COALESCE(t.seconds > base_seconds, t.status <> 1)",
        "AND event_at > old_closed_at",
    ),
    Mutant(
        "a session that outlived a restart stays closed",
        "U7",
        "old_closed_at IS NULL OR NOT old_stopped AND event_at > old_closed_at",
        "old_closed_at IS NULL OR false",
    ),
    Mutant(
        "a restart closes the sessions of other NAS",
        "U7",
        "l.nas_id = n.nas_id AND l.closed_at IS NULL",
        "l.closed_at IS NULL",
        "close_nas_sessions_v1",
    ),
    Mutant(
        "a restart closes younger sessions",
        "U7",
        "AND l.started_at < p_event_at AND l.last_event_at < p_event_at",
        "",
        "close_nas_sessions_v1",
    ),
    Mutant(
        "sessions end when their NAS restarts",
        "U7",
        "SET closed_at = l.last_event_at,",
        "SET closed_at = p_event_at,",
        "close_nas_sessions_v1",
    ),
    # Days (U9, M3)
    Mutant(
        "days of UTC",
        "M3",
        "(t.from_at AT TIME ZONE v_zone)::date AS from_day,"
        " (t.event_at AT TIME ZONE v_zone)::date AS event_day,",
        "(t.from_at AT TIME ZONE 'UTC')::date AS from_day,"
        " (t.event_at AT TIME ZONE 'UTC')::date AS event_day,",
    ),
    Mutant(
        "everything belongs to the day it is told",
        "U9",
        "(t.from_at AT TIME ZONE v_zone)::date AS from_day,",
        "(t.event_at AT TIME ZONE v_zone)::date AS from_day,",
    ),
    Mutant(
        "the second of two midnights",
        "M3",
        "THEN interval '1 hour' ELSE interval '0' END",
        "THEN interval '0' ELSE interval '0' END",
        "day_shares_v1",
        cohort=6,
    ),
    Mutant(
        "days of 24 hours",
        "M3",
        "(d.local_day + 1)::timestamp AT TIME ZONE p_zone AS ends_at",
        "p_from_day::timestamp AT TIME ZONE p_zone + (d.local_day + 1 - p_from_day)"
        " * interval '24 hours' AS ends_at",
        "day_shares_v1",
        cohort=4,
    ),
    Mutant(
        "input and output are swapped in the slices",
        "U9",
        "s.seconds, s.input, s.octets - s.input,",
        "s.seconds, s.octets - s.input, s.input,",
    ),
    Mutant(
        "input is split anew in each slice",
        "U9",
        "- div(c.d_input::numeric * x.o_from, c.d_octets) END::bigint AS input",
        "- ceil(c.d_input::numeric * x.o_from / c.d_octets) END::bigint AS input",
    ),
    # Packages (Q1, B2, B4)
    Mutant(
        "a package is not charged for what one record uses up",
        "Q1",
        "octets_left = e.octets_left - (c.o_until - c.o_from),",
        "octets_left = CASE WHEN e.octets_left > c.o_until - c.o_from"
        " THEN e.octets_left - (c.o_until - c.o_from) ELSE e.octets_left END,",
    ),
    Mutant(
        "packages are not used up",
        "Q1",
        "ended_at = CASE WHEN e.seconds_left = c.s_until - c.s_from"
        " OR e.octets_left = c.o_until - c.o_from THEN c.event_at END,",
        "",
    ),
    Mutant(
        "a package pays for what came after it",
        "B2",
        "AND (e.valid_until IS NULL OR e.valid_until > u.from_at)",
        "",
    ),
    Mutant(
        "a package pays for what came before it was bought",
        "B4",
        "AND e.purchased_at <= u.bought_by",
        "",
    ),
    Mutant(
        "a waiting package begins when it is charged",
        "B4",
        "valid_from = CASE WHEN c.waiting THEN GREATEST(LEAST(c.event_at, p_now), e.purchased_at)",
        "valid_from = CASE WHEN c.waiting THEN p_now",
    ),
    Mutant(
        "a chained package begins before it was bought",
        "B4",
        "NULLIF(GREATEST(v_cursor, v_next.purchased_at), 'infinity')",
        "NULLIF(v_cursor, 'infinity')",
        "plan_chain_v1",
    ),
    Mutant(
        "packages are used in the order they expire, whatever the plan says",
        "Q1",
        "c.entitlement_id = 0, c.waiting, c.use_order,",
        "c.entitlement_id = 0, c.waiting,",
    ),
    # Tariff windows (Q3)
    Mutant(
        "windows are ignored",
        "Q3",
        "CASE WHEN s.has_tariff_windows THEN windowed_usage_v1(",
        "CASE WHEN false THEN windowed_usage_v1(",
    ),
    Mutant(
        "a window begins a minute late",
        "Q3",
        "local_instant_v1(d.midnight + w.from_time, p_zone) AS begins",
        "local_instant_v1(d.midnight + w.from_time + interval '1 minute', p_zone) AS begins",
        "tariff_pieces_v1",
    ),
    Mutant(
        "a window that passes midnight ends there",
        "Q3",
        "((p_from_at AT TIME ZONE p_zone)::date - 1)::timestamp",
        "((p_from_at AT TIME ZONE p_zone)::date)::timestamp",
        "tariff_pieces_v1",
    ),
    Mutant(
        "windows are read on the clock of UTC",
        "M3",
        "local_instant_v1(d.midnight + w.until_time, p_zone) AS ends",
        "local_instant_v1(d.midnight + w.until_time, 'UTC') AS ends",
        "tariff_pieces_v1",
    ),
    Mutant(
        "the second of two times when the clock goes back",
        "M3",
        "THEN interval '1 hour' ELSE interval '0' END",
        "THEN interval '0' ELSE interval '0' END",
        "local_instant_v1",
        cohort=6,
    ),
    Mutant(
        "weekdays are counted from Sunday",
        "Q3",
        "EXTRACT(isodow FROM d)::int - 1 AS weekday",
        "EXTRACT(dow FROM d)::int AS weekday",
        "tariff_pieces_v1",
    ),
    Mutant(
        "free usage decrements the package",
        "Q3",
        "v_pieces[cardinality(v_pieces)].paid_o_until, v_pieces)",
        "p_octets, v_pieces)",
        "windowed_usage_v1",
    ),
    Mutant(
        "free time is taken from the package",
        "Q3",
        "p.s_paid - CASE WHEN p.is_free THEN 0 ELSE p.s_until - p.s_from END, p.s_paid,",
        "p.s_from, p.s_until,",
        "tariff_pieces_v1",
    ),
    Mutant(
        "windows of the plan, whatever the package says",
        "M6",
        "v_version := COALESCE(v_version, p_plan_version_id);",
        "v_version := p_plan_version_id;",
        "windowed_usage_v1",
    ),
    Mutant(
        "steps in a window are rounded up for each record",
        "P3",
        "SELECT COALESCE(sum(d.seconds), 0) AS seconds,"
        " COALESCE(sum(d.input_octets + d.output_octets), 0) AS octets,"
        " COALESCE(sum(d.charged_micros), 0) AS micros",
        "SELECT 0::numeric AS seconds, 0::numeric AS octets, 0::numeric AS micros",
        "window_charges_v1",
    ),
    Mutant(
        "steps in a window go on under another price",
        "M6",
        "AND d.kind = 'payg' AND d.plan_version_id = p_plan_version_id",
        "AND d.kind = 'payg'",
        "window_charges_v1",
        cohort=3,
    ),
    Mutant(
        "the peak is charged at the plan's price",
        "Q3",
        "- COALESCE(c.charges[1].octets, 0) AS payg_octets",
        "AS payg_octets",
    ),
    Mutant(
        "a window's price is charged to the slices outside of it",
        "Q3",
        "RETURN p_micros - p_charges[1].micros;",
        "RETURN p_micros;",
        "window_micros_v1",
    ),
    Mutant(
        "the input of free usage is lost",
        "Q3",
        "p.o_from - p.paid_o_from + o.since,",
        "o.since,",
        "window_slices_v1",
    ),
    # Money (P3, M6, P8)
    Mutant(
        "steps are rounded up for each record",
        "P3",
        "COALESCE(old_payg_version_id = s.plan_version_id, false) AS same_price",
        "false AS same_price",
    ),
    Mutant(
        "a new price counts what the old one was paid for",
        "M6",
        "NOT is_new AND COALESCE(old_payg_version_id = s.plan_version_id, false) AS same_price",
        "NOT is_new AS same_price",
    ),
    Mutant(
        "a started step is free",
        "P3",
        "COALESCE(ceil(q.payg_octets::numeric / u.payg_octet_step)",
        "COALESCE(floor(q.payg_octets::numeric / u.payg_octet_step)",
    ),
    Mutant(
        "the wallet owes the last record only",
        "P2",
        "SET unposted_micros = w.unposted_micros + m.d_micros",
        "SET unposted_micros = m.d_micros",
    ),
    Mutant(
        "a wallet serves at its limit",
        "P8",
        "THEN w.promised_micros ELSE 0 END > 0",
        "THEN w.promised_micros ELSE 0 END >= 0",
        "is_served_v1",
        cohort=4,
    ),
    Mutant(
        "a cap that is reached serves on",
        "P14",
        "w.posted_micros - w.unposted_micros > w.cap_floor_micros",
        "w.posted_micros - w.unposted_micros >= w.cap_floor_micros",
        "is_served_v1",
    ),
    Mutant(
        "a cap holds after its month",
        "P14",
        "OR w.cap_until <= p_now",
        "",
        "is_served_v1",
    ),
    Mutant(
        "a balance that falls is not noticed",
        "P6",
        "w.reserved_micros < w.look_below_micros",
        "w.reserved_micros < 0",
        "cut_unserved_v1",
        cohort=3,
    ),
    Mutant(
        "a package that is nearly used up is not noticed",
        "P6",
        "OR bool_or(c.used AND c.is_low) OR",
        "OR",
        cohort=4,
    ),
    Mutant(
        "a package is noticed before its level",
        "P6",
        "e.octets_left - (e.o_until - e.o_from) <= e.alert_octets_left AS is_low",
        "e.octets_left - 2 * (e.o_until - e.o_from) <= e.alert_octets_left AS is_low",
        cohort=6,
    ),
    Mutant(
        "nobody is told that all is used up",
        "P8",
        "service_next_change_at = p_now, renews_at",
        "service_next_change_at = s.service_next_change_at, renews_at",
        "cut_unserved_v1",
    ),
    Mutant(
        "the other subscription of an empty wallet goes on",
        "P8",
        "s.plan_version_id WHERE s.customer_id = ANY (p_customer_id)",
        "s.plan_version_id WHERE s.subscription_id = ANY (p_subscription_id)",
        "cut_unserved_v1",
    ),
    # Overspend (Q4, P12)
    Mutant(
        "what packages paid for is overspent",
        "P12",
        "(sum(c.o_until - c.o_from) FILTER (WHERE c.entitlement_id = 0))::bigint AS over_octets",
        "sum(c.o_until - c.o_from)::bigint AS over_octets",
    ),
    Mutant(
        "all overspend belongs to the first exhaustion",
        "P12",
        "IF v_overspend_id IS NULL OR v_ended THEN",
        "IF v_overspend_id IS NULL THEN",
        "note_overspend_v1",
    ),
    Mutant(
        "every record past the limit of a wallet is an exhaustion of its own",
        "P12",
        "IF v_short.micros <= v_short.past_micros THEN",
        "IF false THEN",
        "note_wallet_overspend_v1",
    ),
    Mutant(
        "what the wallet still had is overspent, too",
        "P12",
        "LEAST(v_short.micros, v_short.past_micros)",
        "v_short.micros",
        "note_wallet_overspend_v1",
    ),
    Mutant(
        "a wallet's second exhaustion is its first one",
        "P12",
        "IF v_short.micros <= v_short.past_micros THEN",
        "IF true THEN",
        "note_wallet_overspend_v1",
    ),
    # Orders and journal (C1, U11)
    Mutant(
        "nobody is cut",
        "C1",
        "(c.requires_entitlement OR c.is_payg) AND (NOT bool_or(c.lasts)",
        "(c.requires_entitlement OR c.is_payg) AND (false",
    ),
    Mutant(
        "a session is ordered to end again and again",
        "C1",
        "AND l.closed_at IS NULL AND l.cut_requested_at IS NULL",
        "AND l.closed_at IS NULL",
        "cut_unserved_v1",
    ),
    Mutant(
        "the journal forgets what a late record added",
        "U11",
        "u.d_seconds, u.d_input, u.d_output, COALESCE(m.d_micros, 0), u.plan_version_id,",
        "u.d_seconds, CASE WHEN u.event_at < u.old_last_event_at THEN 0 ELSE u.d_input END,"
        " u.d_output, COALESCE(m.d_micros, 0), u.plan_version_id,",
    ),
    Mutant(
        "records of unknown subscribers are dropped",
        "F5",
        "WHERE r.round = 0 AND (r.status NOT IN (7, 8) OR r.nas_id IS NULL)",
        "WHERE r.round = 0 AND r.nas_id IS NULL",
    ),
)


# What is reserved, posted and given back (Q4): caught by tests/simulation/test_grants.py.
GRANT_MUTANTS = (
    Mutant(
        "a reservation is never released",
        "Q4",
        "AND (x.has_ended OR GREATEST(r.valid_until, v_heard_since) + c_begins_within <= p_now)",
        "AND x.has_ended AND false",
        "settle_grants_v1",
    ),
    Mutant(
        "a reservation is released while it is valid",
        "Q4",
        "GREATEST(r.valid_until, v_heard_since) + c_begins_within <= p_now",
        "r.taken_at <= p_now",
        "settle_grants_v1",
    ),
    Mutant(
        "a running session gives back",
        "Q4",
        "AND r.state = 'held' AND NOT x.runs",
        "AND r.state = 'held'",
        "settle_grants_v1",
    ),
    Mutant(
        "what has ended still holds",
        "Q4",
        "v_has_ended := v_session.closed_at IS NOT NULL",
        "v_has_ended := false",
        "post_grant_v1",
    ),
    Mutant(
        "who is taken for ended gives back by a record that comes again",
        "Q4",
        "AND v_session.terminate_cause IS DISTINCT FROM 'Lost-Stop'",
        "",
        "post_grant_v1",
    ),
    Mutant(
        "released twice: a late record takes the reservation up again",
        "Q4",
        "IF NOT FOUND AND v_session.closed_at IS NULL THEN",
        "IF NOT FOUND THEN",
        "find_grant_v1",
    ),
    Mutant(
        "released twice: what was posted counts as free, too",
        "Q4",
        "GREATEST(r.granted_octets - r.used_input_octets - r.used_output_octets, 0)",
        "r.granted_octets - 2 * r.used_input_octets - 2 * r.used_output_octets",
        "reservable_v1",
    ),
    Mutant(
        "use is not posted",
        "Q4",
        "used_input_octets = v_session.input_octets, used_output_octets = v_session.output_octets,",
        "",
        "post_grant_v1",
    ),
    Mutant(
        "copies of a record are posted each",
        "Q4",
        "used_output_octets = v_session.output_octets,",
        "used_output_octets = r.used_output_octets + v_session.output_octets,",
        "post_grant_v1",
    ),
    Mutant(
        "a top-up without reserving",
        "Q4",
        "LEAST(x.slice_octets, x.octets_left), 0)",
        "x.slice_octets, 0)",
        "top_up_v1",
    ),
    Mutant(
        "a top-up that no NAS can be told of",
        "Q4",
        "AND (g.nas_can & c_moves_octets > 0 OR g.nas_can & c_limits_octets = 0)",
        "",
        "top_up_v1",
    ),
    Mutant(
        "a session is never topped up",
        "Q4",
        "IF NOT (r.seconds_low OR r.octets_low OR r.ends_soon) THEN",
        "IF true THEN",
        "top_up_v1",
    ),
    Mutant(
        "a login reserves what others hold",
        "Q4",
        "LEAST(p.slice_octets, f.octets_left) END AS octets,",
        "p.slice_octets END AS octets,",
        "take_grant_v1",
    ),
    Mutant(
        "packages that follow are not reserved",
        "Q4",
        "AND (e.valid_from IS NULL OR e.valid_from <= p_now OR e.follows)",
        "AND e.valid_from <= p_now",
        "reservable_v1",
    ),
    Mutant(
        "sessions of one station are not told apart",
        "Q4",
        "ORDER BY COALESCE(w.reservation_id = v_hint, false) DESC, w.reservation_id LIMIT 1",
        "ORDER BY w.reservation_id LIMIT 1",
        "find_grant_v1",
    ),
    Mutant(
        "overspend is counted twice",
        "Q4",
        "octets = o.octets + p_octets",
        "octets = o.octets + 2 * p_octets",
        "note_overspend_v1",
    ),
    Mutant(
        "an exhaustion keeps its first overspend only",
        "Q4",
        "octets = o.octets + p_octets",
        "octets = GREATEST(o.octets, p_octets)",
        "note_overspend_v1",
    ),
    Mutant(
        "a reboot of the NAS gives nothing back",
        "Q4",
        "IF v_closed > 0 THEN",
        "IF false THEN",
        "close_nas_sessions_v1",
    ),
)
