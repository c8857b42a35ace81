"""Vouchers as user names through real FreeRADIUS (rule R3): the first login redeems one, and its
code is in no record."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from sqlalchemy import select

from billing.errors import Refused
from billing.model.vouchers import Alphabet, Code, CodeFormat, VoucherState, login_name
from billing.rules.vouchers import SOURCE_FAILURES_LIMIT, grouped
from billing.services import books, voucher_keys, voucher_runs, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.voucher_codes import new_codes
from billing.services.voucher_logins import READ_AGAIN
from billing.services.voucher_sales import Range
from billing.settings import Settings
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory
from tests.integration.voucher_desk import Desk
from tests.waiting import until

pytestmark = pytest.mark.rule("R3")
PAIR = CodeFormat(length=9, alphabet=Alphabet.LETTERS, prefix="HS", password_length=8)
METHODS = ["pap", "chap", "mschapv2"]


def station() -> str:
    """A device that nobody has seen."""
    return "02-" + "-".join(secrets.token_hex(1) for _ in range(5))


@pytest.fixture
def desk(context: Context, make: Factory, now: datetime) -> Iterator[Desk]:
    """The books agree after each test, and nothing of an earlier one waits."""
    voucher_runs.run(context, now)
    yield Desk(context, make)
    assert books.check_ledger(context, now).findings == ()


def sold(desk: Desk, now: datetime, count: int = 1, **options: object) -> list[Code]:
    """Vouchers for a day that log in."""
    options = {"plan": DAY_PLAN, "as_login": True, "expires_at": now + timedelta(days=9), **options}
    return desk.sold(count, now=now, **options)


def attempts(desk: Desk, name: str, how_many: int = 1) -> list[tuple[str, str]]:
    """Outcome and reason of logins by this name, when so many are written."""
    row = tables.LoginAttempt

    def written() -> list[tuple[str, str]]:
        with desk.context.transaction() as tx:
            found = tx.scalars(select(row).where(row.username == name).order_by(row.at))
            rows = [(one.outcome, one.reason) for one in found]
        return rows if len(rows) >= how_many else []

    return until(written)


@pytest.mark.parametrize("method", METHODS)
def test_a_pin_logs_in_and_the_login_redeems_it(
    desk: Desk, nas: SimulatedNas, now: datetime, method: str
) -> None:
    (code,) = sold(desk, now)
    before = desk.owed()
    typed = grouped(code.code).lower()
    granted = nas.login(typed, typed, method=method, calling_station=station())
    assert granted.result == "accept"
    assert 86_390 <= int(str(granted.first("Session-Timeout"))) <= 86_400
    assert granted.first("User-Name") == login_name(code.serial)
    assert desk.look(code).state is VoucherState.ACTIVE
    assert voucher_runs.run(desk.context, now).logins == 1
    assert voucher_runs.run(desk.context, now).logins == 0
    seen = desk.look(code)
    assert (seen.state, seen.login_name) == (VoucherState.REDEEMED, login_name(code.serial))
    assert before - desk.owed() == 1_000_000
    # It goes on logging in while its package lasts.
    assert nas.login(typed, typed, method=method, calling_station=station()).result == "accept"
    assert attempts(desk, login_name(code.serial), 2) == [("accept", "ok")] * 2


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_needs_its_password(
    desk: Desk, nas: SimulatedNas, now: datetime, method: str
) -> None:
    (code,) = sold(desk, now, code=PAIR)
    time.sleep(READ_AGAIN.total_seconds())  # by then radiusd knows a format that is new
    guest = station()
    assert len(code.code) == 11 and len(code.password) == 8
    for wrong in (code.code, code.password.lower()):
        refused = nas.login(code.code, wrong, method=method, calling_station=guest)
        assert refused.result == "reject"
    assert voucher_runs.run(desk.context, now).logins == 0
    typed = code.code.lower()
    granted = nas.login(typed, code.password, method=method, calling_station=guest)
    assert granted.result == "accept"
    assert attempts(desk, login_name(code.serial), 3)[:2] == [("reject", "bad-password")] * 2


def test_codes_of_one_form_log_in_with_a_password_and_without(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    """Whichever of the two batches was there first: a code's password is its own batch's."""
    (pin,) = sold(desk, now)
    (pair,) = sold(desk, now, code=CodeFormat(length=len(pin.code), password_length=6))
    time.sleep(READ_AGAIN.total_seconds())  # by then radiusd knows both formats
    refused = nas.login(pair.code, pair.code, calling_station=station())
    assert refused.result == "reject"
    assert nas.login(pair.code, pair.password, calling_station=station()).result == "accept"
    assert nas.login(pin.code, pin.code, calling_station=station()).result == "accept"


def test_codes_of_an_earlier_key_log_in_beside_new_ones(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    (old,) = sold(desk, now, code=PAIR)
    voucher_keys.rotate(desk.context, now)
    (new,) = sold(desk, now, code=PAIR)
    time.sleep(READ_AGAIN.total_seconds())  # by then radiusd knows the key
    for code, other in ((old, new), (new, old)):
        refused = nas.login(code.code, other.password, calling_station=station())
        assert refused.result == "reject"
        granted = nas.login(code.code, code.password, calling_station=station())
        assert granted.result == "accept"
        assert granted.first("User-Name") == login_name(code.serial)


def test_what_is_not_for_sale_any_more_is_an_unknown_code(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    """Not sold, replaced, revoked, expired, redeemed for somebody else: one answer for all."""
    who = desk.make.subscriber(now)
    unsold = desk.batch(now=now, plan=DAY_PLAN, as_login=True, expires_at=now + timedelta(days=9))
    (stock,) = desk.codes(unsold, now)
    old, gone, elsewhere, started = sold(desk, now, 4)
    new = vouchers.replace(desk.context, old.serial, now)
    one = Range(batch_id=desk.look(gone).batch_id, first=gone.serial, last=gone.serial)
    voucher_sales.revoke(desk.context, one, now)
    desk.redeem(elsewhere, who, now)
    for code in (stock, old, gone, elsewhere):
        refused = nas.login(code.code, code.code, calling_station=station())
        assert refused.result == "reject"
        assert refused.message == "Wrong user name or password"
    assert nas.login(new.code, new.code, calling_station=station()).result == "accept"
    assert nas.login(started.code, started.code, calling_station=station()).result == "accept"
    with pytest.raises(Refused, match="in use"):
        desk.redeem(started, who, now)
    with pytest.raises(Refused, match="no vouchers to revoke"):
        voucher_sales.revoke(desk.context, replace(one, first=started.serial, last=None), now)


def test_an_expired_voucher_does_not_log_in_before_a_job_was_there(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    made = now - timedelta(days=2)
    late, started = sold(desk, made, 2, expires_at=now - timedelta(seconds=5))
    with desk.context.transaction() as tx:  # its first login was in time
        package = tx.get_one(
            tables.Entitlement,
            {
                "customer_id": desk.look(started).customer_id,
                "entitlement_id": _entitlement(desk, started),
            },
        )
        package.valid_from = now - timedelta(minutes=1)
        package.valid_until = now + timedelta(days=1)
    assert nas.login(late.code, late.code, calling_station=station()).result == "reject"
    assert nas.login(started.code, started.code, calling_station=station()).result == "accept"
    report = voucher_runs.run(desk.context, now)
    assert (report.logins, report.expired) == (1, 1)
    assert desk.look(late).state is VoucherState.EXPIRED
    assert nas.login(late.code, late.code, calling_station=station()).result == "reject"


@pytest.mark.rule("B13", "B3")
def test_who_comes_by_a_voucher_is_daily_without_a_profile(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    """No profile is named anywhere: no bill, and offline when the package ends (no garden)."""
    (code,) = sold(desk, now, profile=None)
    assert nas.login(code.code, code.code, calling_station=station()).result == "accept"
    assert voucher_runs.run(desk.context, now).logins == 1
    customer_id = desk.look(code).customer_id
    with desk.context.transaction() as tx:
        key = {"customer_id": customer_id, "entitlement_id": _entitlement(desk, code)}
        package = tx.get_one(tables.Entitlement, key)
        package.valid_from = now - timedelta(days=1, seconds=1)
        package.valid_until = now - timedelta(seconds=1)
    refused = nas.login(code.code, code.code, calling_station=station())
    assert refused.result == "reject"
    assert desk.rows("SELECT 1 FROM invoice WHERE customer_id = :id", id=customer_id) == []


def test_parallel_first_logins_start_one_package(
    desk: Desk, nas: SimulatedNas, now: datetime
) -> None:
    (code,) = sold(desk, now)
    before = desk.owed()

    def login(_: int) -> str:
        outcome = nas.login(code.code, code.code, calling_station=station())
        return f"{outcome.result}: {outcome.message}"

    with ThreadPoolExecutor(8) as pool:
        done = set(pool.map(login, range(40)))
    assert done == {"accept: "}
    assert voucher_runs.run(desk.context, now).logins == 1
    assert before - desk.owed() == 1_000_000
    payments = desk.rows(
        "SELECT 1 FROM payment WHERE customer_id = :id", id=desk.look(code).customer_id
    )
    assert len(payments) == 1


def test_guesses_are_slowed_down_by_station(desk: Desk, nas: SimulatedNas, now: datetime) -> None:
    (code,) = sold(desk, now)
    guesser = station()
    tried = len(_unknown(desk))
    for guess in new_codes(CodeFormat(length=12), SOURCE_FAILURES_LIMIT):
        assert nas.login(guess, guess, calling_station=guesser).result == "reject"
    assert until(lambda: len(_unknown(desk)) >= tried + SOURCE_FAILURES_LIMIT)
    held = nas.login(code.code, code.code, calling_station=guesser)
    # As for a wrong code: the guesser must not learn that this one is right.
    assert held.message == "Wrong user name or password"
    assert held.result == "reject"
    assert nas.login(code.code, code.code, calling_station=station()).result == "accept"


@pytest.mark.parametrize("nas_takes_the_name", [True, False])
def test_the_code_is_in_no_record(
    desk: Desk, nas: SimulatedNas, now: datetime, settings: Settings, nas_takes_the_name: bool
) -> None:
    (code,) = sold(desk, now)
    granted = nas.login(code.code, code.code, calling_station=station())
    name = login_name(code.serial)
    session = nas.start(
        name if nas_takes_the_name else code.code, session_class=granted.first("Class")
    )
    assert nas.interim(session, seconds=60, input_octets=5_000, output_octets=6_000)
    assert nas.stop(session)
    assert attempts(desk, name) == [("accept", "ok")]
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        (used,) = admin.execute(
            "SELECT sum(input_octets + output_octets) FROM daily_usage WHERE customer_id = %s",
            (desk.look(code).customer_id,),
        ).fetchone() or (None,)
        assert used == 11_000
        for (table,) in admin.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r'"
            " AND c.relnamespace = 'public'::regnamespace"
        ).fetchall():
            text = str(admin.execute(f'SELECT t::text FROM "{table}" t').fetchall())  # noqa: S608
            assert code.code not in text and code.code.lower() not in text, table


def _unknown(desk: Desk) -> list[object]:
    return list(desk.rows("SELECT 1 FROM login_attempt WHERE username = 'voucher-unknown'"))


def _entitlement(desk: Desk, code: Code) -> int:
    (row,) = desk.rows("SELECT entitlement_id FROM voucher WHERE serial = :it", it=code.serial)
    return int(row.entitlement_id)
