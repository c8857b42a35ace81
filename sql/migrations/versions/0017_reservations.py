"""Sessions hold slices of an allowance, and what is used past its end is stored (rule Q4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import replace_function, run_sql_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TERMS = ("slice_seconds", "slice_octets", "restricted_up_kbps", "restricted_down_kbps")
GOALS = (
    "goal IN ('disconnect', 'suspend', 'restore', 'refresh', 'speed', 'tariff', 'grant',"
    " 'restrict', 'tighten')"
)
NEW = (
    "reservable_v1",
    "settle_grants_v1",
    "release_lapsed_v1",
    "take_grant_v1",
    "find_grant_v1",
    "order_change_v1",
    "top_up_v1",
    "use_up_grant_v1",
    "post_grant_v1",
    "note_overspend_v1",
    "tighten_v1",
    "look_closer_v1",
)
CHANGED = ("charge_usage_v1", "cut_unserved_v1", "close_nas_sessions_v1")
_INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _terms()
    op.add_column(
        "subscription",
        sa.Column("reserves", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.drop_constraint("goal", "coa_intent", type_="check")
    op.create_check_constraint("goal", "coa_intent", GOALS)
    _reservation()
    _overspend()
    for function in NEW:
        run_sql_file(f"functions/{function}.sql")
    op.execute("DROP FUNCTION admit_logins_v1")  # it takes and returns more now
    run_sql_file("functions/admit_logins_v1.sql")
    for function in CHANGED:
        replace_function(function)
    run_sql_file("policies/0017_reservations.sql")
    run_sql_file("policies/0015_report_columns.sql")


def _terms() -> None:
    """How the sessions of a plan share what was bought."""
    op.add_column(
        "plan_version", sa.Column("sharing", sa.Text(), server_default="shared", nullable=False)
    )
    for name in TERMS:
        op.add_column("plan_version", sa.Column(name, sa.BigInteger()))
    op.add_column("plan_version", sa.Column("grant_valid_seconds", sa.Integer()))
    op.add_column("plan_version", sa.Column("final_unit_action", sa.Text()))
    op.create_check_constraint("sharing", "plan_version", "sharing IN ('shared', 'strict')")
    op.create_check_constraint(
        "slices",
        "plan_version",
        "sharing = 'shared' OR slice_seconds > 0 AND slice_octets > 0"
        " AND grant_valid_seconds > 0 AND final_unit_action IS NOT NULL",
    )
    op.create_check_constraint(
        "final_unit_action",
        "plan_version",
        "final_unit_action IN ('terminate', 'redirect', 'restrict-speed')",
    )


def _reservation() -> None:
    whole = [
        *("org_id", "subscription_id", "plan_version_id", "nas_id", "after_session_id"),
        "limit_seconds",
    ]
    maybe = [
        *("session_id", "granted_seconds", "granted_octets"),
        *("limit_input_octets", "limit_output_octets"),
    ]
    used = ("used_seconds", "used_input_octets", "used_output_octets")
    op.create_table(
        "reservation",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reservation_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in whole),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in maybe),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in used
        ),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.Column("valid_until", _INSTANT, nullable=False),
        sa.Column("nas_can", sa.SmallInteger(), nullable=False),
        sa.Column("final_at", _INSTANT, nullable=True),
        sa.Column("restricted_at", _INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('held', 'posted', 'released')", name="state"),
        sa.CheckConstraint("(state = 'held') = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint("state <> 'posted' OR session_id IS NOT NULL", name="posted"),
        sa.CheckConstraint("state <> 'released' OR session_id IS NULL", name="released"),
        sa.CheckConstraint(
            "granted_seconds > 0 AND granted_octets > 0 AND limit_seconds > 0", name="granted"
        ),
        sa.CheckConstraint(
            "used_seconds >= 0 AND used_input_octets >= 0 AND used_output_octets >= 0", name="used"
        ),
        sa.CheckConstraint(
            "limit_input_octets + limit_output_octets = granted_octets", name="directions"
        ),
        sa.PrimaryKeyConstraint("customer_id", "reservation_id"),
        postgresql_with={"fillfactor": 60},
    )
    held = sa.text("state = 'held'")
    for name, columns, unique in (
        ("reservation_held_idx", ["customer_id", "subscription_id"], False),
        ("reservation_session_key", ["customer_id", "session_id"], True),
        ("reservation_lapse_idx", ["valid_until"], False),
    ):
        op.create_index(name, "reservation", columns, unique=unique, postgresql_where=held)


def _overspend() -> None:
    """With one row for what every subscription has overspent so far."""
    op.create_table(
        "overspend",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("overspend_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("entitlement_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("exhausted_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("seconds >= 0 AND octets >= 0", name="quantities"),
        sa.PrimaryKeyConstraint("customer_id", "overspend_id"),
    )
    op.create_index(
        "overspend_subscription_idx",
        "overspend",
        ["customer_id", "subscription_id", "exhausted_at"],
    )
    op.execute(
        "INSERT INTO overspend (customer_id, org_id, subscription_id, entitlement_ids,"
        " exhausted_at, last_at, seconds, octets)"
        " SELECT customer_id, min(org_id), subscription_id, '{}', min(local_day), max(local_day),"
        " sum(seconds), sum(input_octets + output_octets)"
        " FROM daily_usage WHERE kind = 'overspend' GROUP BY customer_id, subscription_id"
    )
