"""Keys of codes are rotated: what was printed stays good, new codes have the new key (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from billing.errors import Conflict, NotFound, Refused
from billing.model.vouchers import Alphabet, CodeFormat
from billing.services import books, voucher_keys, vouchers
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import DAY_PLAN, Factory
from tests.integration.voucher_desk import NOW, Desk

pytestmark = pytest.mark.rule("R3")
PAIR = CodeFormat(length=9, alphabet=Alphabet.LETTERS, password_length=8)


@pytest.fixture
def desk(context: Context, make: Factory) -> Iterator[Desk]:
    yield Desk(context, make)
    assert books.check_ledger(context, NOW).findings == ()


@pytest.fixture(autouse=True)
def first_key_only(settings: Settings) -> Iterator[None]:
    yield
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute(
            "UPDATE voucher SET state = 'revoked', ended_at = now() WHERE ended_at IS NULL"
        )
        admin.execute("DELETE FROM voucher_key")


def hashes(desk: Desk, serial: int) -> bytes:
    ((found,),) = desk.rows("SELECT code_hmac FROM voucher WHERE serial = :serial", serial=serial)
    return bytes(found)


def test_codes_of_every_key_are_redeemed_once(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    old = desk.sold(2)
    assert voucher_keys.rotate(desk.context, NOW) == 1
    middle = desk.sold()
    assert voucher_keys.rotate(desk.context, NOW) == 2
    new = desk.sold()
    with desk.context.transaction() as tx:
        keys = voucher_keys.known(desk.context, tx)
    for code, number in ((old[0], 0), (old[1], 0), (middle[0], 1), (new[0], 2)):
        assert hashes(desk, code.serial) == keys[number].code_hash(code.code)
        assert desk.redeem(code, who).serial == code.serial
        with pytest.raises(Refused, match="redeemed already"):
            desk.redeem(code, who)
    assert len({key.code_hash("X1") for key in keys}) == 3


def test_passwords_go_with_the_key_of_their_code(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    options = {"plan": DAY_PLAN, "as_login": True, "code": PAIR}
    (printed,) = desk.sold(**options)
    waiting = desk.batch(1, **options)
    voucher_keys.rotate(desk.context, NOW)
    # Made before, handed over after it.
    (late,) = desk.codes(waiting)
    desk.activate(waiting)
    (new,) = desk.sold(**options)
    assert len({printed.password, late.password, new.password}) == 3
    for code, other in ((printed, late), (late, new), (new, printed)):
        with pytest.raises(NotFound):
            desk.redeem(code, who, password=other.password)
        assert desk.redeem(code, who, password=code.password).serial == code.serial


def test_a_card_that_is_replaced_gets_the_new_key(desk: Desk) -> None:
    who = desk.make.subscriber(NOW)
    (old,) = desk.sold()
    voucher_keys.rotate(desk.context, NOW)
    card = vouchers.replace(desk.context, old.serial, NOW)
    with pytest.raises(Refused, match="replaced"):
        desk.redeem(old, who)
    assert desk.redeem(card, who).serial == card.serial


def test_no_code_is_given_out_twice_under_two_keys(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = desk.sold()
    voucher_keys.rotate(desk.context, NOW)
    monkeypatch.setattr(vouchers, "new_codes", lambda *_: [old.code])
    with pytest.raises(Conflict, match="exists already"):
        desk.batch()
    assert desk.redeem(old, desk.make.subscriber(NOW)).serial == old.serial


def test_keys_are_sealed_few_and_added_one_by_one(desk: Desk, settings: Settings) -> None:
    def rotated(_: int) -> int:
        try:
            return voucher_keys.rotate(desk.context, NOW)
        except (Conflict, Refused):
            return 0

    with ThreadPoolExecutor(4) as pool:
        made = [number for number in pool.map(rotated, range(24)) if number]
    assert sorted(made) == list(range(1, len(made) + 1))
    while len(made) < voucher_keys.KEYS_MOST - 1:
        made.append(voucher_keys.rotate(desk.context, NOW))
    with pytest.raises(Refused, match="8 keys"):
        voucher_keys.rotate(desk.context, NOW)
    with psycopg.connect(settings.dsn("panel")) as panel:
        assert panel.execute("SELECT count(*) FROM voucher_key").fetchone() == (7,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            panel.execute("INSERT INTO voucher_key VALUES (9, '\\x00', now(), 'me')")
