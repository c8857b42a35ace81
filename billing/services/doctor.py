"""Checks of an installation, each with the way to mend it (security.md)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

from billing.errors import TollwayError
from billing.model.network import dialect_of, ends_at_octets, has_garden
from billing.model.views import CheckView
from billing.services.context import Context
from billing.store import doctor as store
from billing.store import migrate

MINIMUM_PYTHON = (3, 11)
MINIMUM_FREERADIUS = (3, 2, 7)
CLOCK_WARN_SECONDS = 2
CLOCK_FAIL_SECONDS = 30
JOURNAL_DAYS_WANTED = 3
_HOOKS = ("radius_plugin.authorize", "radius_plugin.accounting")
_HOOKS_TIMEOUT_SECONDS = 30


def machine_checks() -> Iterator[CheckView]:
    """Versions, and whether the hooks load."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield _check(
        "Python",
        sys.version_info >= MINIMUM_PYTHON,
        version,
        "build the environment with Python 3.11 or newer",
    )
    yield _freeradius()
    yield _hooks()


def schema_check(owner_dsn: str) -> CheckView:
    """Whether every migration has run."""
    newest = migrate.revisions()[-1]
    try:
        current = migrate.current_revision(owner_dsn)
    except Exception as error:  # whatever it is, the reader must see it here
        return _check("schema", False, _first_line(error), "start PostgreSQL; `tollway migrate`")
    detail = f"at {current or 'nothing'}, newest is {newest}"
    return _check("schema", current == newest, detail, "run `tollway migrate`")


def database_checks(context: Context, now: datetime) -> Iterator[CheckView]:
    """Server, durability, clock, partitions, and what waits for a person."""
    try:
        with context.transaction() as tx:
            facts = store.facts(tx, now)
    except TollwayError as error:
        yield _check(
            "database", False, error.message, "start PostgreSQL (`./run up`) and try again"
        )
        return
    yield _check(
        "PostgreSQL",
        facts.server_version_num >= migrate.MINIMUM_SERVER_VERSION,
        facts.server_version,
        "use PostgreSQL 15 or newer",
    )
    yield from _durability(facts)
    yield _clock(facts, now)
    yield _check(
        "operator",
        facts.operators == 1,
        "set up" if facts.operators else "missing",
        "run `tollway migrate`",
    )
    yield from _partitions(facts)
    yield from _attention(facts)


def _durability(facts: store.DatabaseFacts) -> Iterator[CheckView]:
    for name, value, allowed in (
        ("fsync", facts.fsync, ("on",)),
        ("full_page_writes", facts.full_page_writes, ("on",)),
        ("synchronous_commit", facts.synchronous_commit, ("on", "remote_apply")),
    ):
        yield _check(
            name,
            value in allowed,
            value,
            f"set {name} = on in postgresql.conf: without it acknowledged usage can be lost",
        )


def _clock(facts: store.DatabaseFacts, now: datetime) -> CheckView:
    off_seconds = abs((facts.clock - now).total_seconds())
    mend = "let both machines keep time by NTP (chrony, systemd-timesyncd)"
    detail = f"{off_seconds:.1f} s between this machine and the database"
    if CLOCK_WARN_SECONDS < off_seconds <= CLOCK_FAIL_SECONDS:
        return CheckView(name="clock", status="warn", detail=detail, mend=mend)
    return _check("clock", off_seconds <= CLOCK_WARN_SECONDS, detail, mend)


def _partitions(facts: store.DatabaseFacts) -> Iterator[CheckView]:
    mend = "start the worker (`tollway worker`), or run `tollway migrate` once"
    days = facts.journal_days_ahead
    detail = f"journal: {days} day(s) from today"
    if not days:
        yield _check("partitions", False, detail, mend)
    else:
        ready = days >= JOURNAL_DAYS_WANTED and facts.history_month_ahead
        yield _warn("partitions", ready, detail, mend)
    octets = facts.default_partition_octets
    yield _warn(
        "default partitions",
        octets == 0,
        "empty" if octets == 0 else f"{octets} octets were stored outside of the partitions made",
        "make partitions in time (above), then move these rows before their days are needed",
    )
    waiting = facts.sessions_to_move
    yield _warn(
        "history",
        not waiting,
        f"{waiting} closed sessions ought to be in it for a day" if waiting else "up to date",
        "start the worker (`tollway worker`), which moves them while accounting is heard",
    )


def _attention(facts: store.DatabaseFacts) -> Iterator[CheckView]:
    yield _warn(
        "dead letters",
        not facts.dead_letters,
        f"{facts.dead_letters} in the last day",
        "accounting that belongs to no session: `tollway dead-letters` tells of which NAS, and why",
    )
    yield _warn(
        "CoA",
        not facts.failed_orders and not facts.stuck_orders,
        f"{facts.failed_orders} given up in the last day, {facts.stuck_orders} waiting for long",
        "check the NAS's CoA port, its secret, and that the worker runs",
    )
    yield _warn(
        "payments",
        not facts.stuck_payments and not facts.in_suspense,
        f"{facts.stuck_payments} without an outcome for an hour, {facts.in_suspense} in suspense",
        "`tollway gateway test` and the provider's own pages; `tollway suspense match` or `return`",
    )
    yield _warn(
        "NAS",
        facts.nas > 0 and not facts.lax_nas,
        f"{facts.nas} registered, {facts.lax_nas} without Message-Authenticator",
        "`tollway nas add`; update a NAS that cannot send Message-Authenticator",
    )
    yield _vendors(facts)
    yield _strict(facts)
    yield _fenced(facts)
    yield _warn(
        "address pools",
        not facts.full_pools,
        f"less than 5 % free: {', '.join(facts.full_pools)}" if facts.full_pools else "have room",
        "`tollway pool extend NAME RANGES`: logins without an address are refused",
    )


def _vendors(facts: store.DatabaseFacts) -> CheckView:
    unknown = [name for name in facts.vendors if name != dialect_of(name)]
    return _warn(
        "NAS vendors",
        not unknown,
        f"not known, spoken to with standard attributes: {', '.join(unknown)}"
        if unknown
        else "known",
        "no speed and no octet limit reach these; `tollway nas set NAME --vendor VENDOR` with one"
        " whose attributes they understand (`tollway nas add --help` lists them)",
    )


def _strict(facts: store.DatabaseFacts) -> CheckView:
    """Whether every NAS enforces what plans with strict sharing reserve (rule Q4)."""
    unable = [name for name in facts.vendors if not ends_at_octets(name)]
    good = not facts.strict_plans or not unable
    detail = "enforced by every NAS" if facts.strict_plans else "no plan wants it"
    return _warn(
        "strict sharing",
        good,
        detail
        if good
        else f"{', '.join(facts.strict_plans)}; no limit of octets at NAS of {', '.join(unable)}",
        "sessions there end by their reports, up to an interval late: shorten the interim interval,"
        " or keep these plans off such NAS (docs/nas.md)",
    )


def _fenced(facts: store.DatabaseFacts) -> CheckView:
    """Whether every NAS fences in who is suspended into a pool (rule B10)."""
    unable = [name for name in facts.vendors if not has_garden(name)]
    profiles = facts.pooling_profiles
    good = not profiles or not unable
    return _warn(
        "suspended pools",
        good,
        ("every NAS has them" if profiles else "none is a pool of the NAS")
        if good
        else f"{', '.join(profiles)} suspend into a pool of the NAS; {', '.join(unable)} have none:"
        " who is suspended there is served, at the speed that was bought",
        "`tollway pool add NAME RANGES --suspended` with the pool's name, and a firewall that"
        " confines these addresses; or a profile that does not suspend into a pool (docs/nas.md)",
    )


def _freeradius() -> CheckView:
    mend = "install FreeRADIUS 3.2.7 or newer (on Debian 12 from bookworm-backports)"
    program = (
        shutil.which("freeradius")
        or shutil.which("radiusd")
        or shutil.which("freeradius", path="/usr/sbin:/usr/local/sbin")
    )
    if program is None:
        return _check("FreeRADIUS", False, "not found", mend)
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [program, "-v"], capture_output=True, text=True, timeout=_HOOKS_TIMEOUT_SECONDS, check=False
    )
    found = re.search(r"Version (\d+)\.(\d+)\.(\d+)", done.stdout)
    if found is None:
        return _check("FreeRADIUS", False, "its version cannot be read", mend)
    version = tuple(map(int, found.groups()))
    return _check("FreeRADIUS", version >= MINIMUM_FREERADIUS, ".".join(found.groups()), mend)


def _hooks() -> CheckView:
    """In a process of their own, as radiusd would."""
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [sys.executable, "-c", "; ".join(f"import {name}" for name in _HOOKS)],
        capture_output=True,
        text=True,
        timeout=_HOOKS_TIMEOUT_SECONDS,
        check=False,
    )
    said = done.stderr.strip().splitlines()
    detail = "load" if done.returncode == 0 else (said[-1] if said else "do not load")
    return _check("hooks", done.returncode == 0, detail, "install the product again (`./run up`)")


def _check(name: str, good: bool, detail: str, mend: str) -> CheckView:
    status = "ok" if good else "fail"
    return CheckView(name=name, status=status, detail=detail, mend="" if good else mend)


def _warn(name: str, good: bool, detail: str, mend: str) -> CheckView:
    status = "ok" if good else "warn"
    return CheckView(name=name, status=status, detail=detail, mend="" if good else mend)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
