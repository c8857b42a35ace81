"""Accounting while the database is out, with the local journal switched on: it is answered, and
charged exactly once when the database is back (rules A8, U1, U2; docs/adr/0010)."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from billing.clock import utc_now
from billing.services.acct_journal import survey
from rig.account import service_account, temporary_state_dir
from rig.nas import NasSession, SimulatedNas
from tests.factories import Factory, Subscriber
from tests.radius import meter
from tests.radius.installation import Installation, installation
from tests.radius.outage import Load, SmallDisk, fill, frozen
from tests.waiting import until

ON = {"TOLLWAY_ACCT_JOURNAL": "true"}

# Found before the product's package: the product with one fault. `crash` names the file that, when
# it is there, ends the server at that point, once.
FAULTS = """
    import os, signal
    from pathlib import Path
    __path__.append({product!r} + "/radius_plugin")
    from billing.services import acct_journal
    from billing.store.journal import Journal

    def crash(name):
        try:
            os.unlink({flags!r} + "/" + name)
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    append, meter_batch = Journal.append, acct_journal.meter_batch

    def append_and_crash(journal, records):
        append(journal, records)
        crash("synced")

    def charge_and_crash(lane, records, now):
        done = meter_batch(lane, records, now)
        crash("charged")
        return done

    Journal.append, acct_journal.meter_batch = append_and_crash, charge_and_crash
"""


@pytest.fixture(scope="module")
def flags() -> Iterator[Path]:
    """What says where the server is to crash."""
    with temporary_state_dir("twf-") as directory:
        yield service_account().make_dir(directory / "crash")


@pytest.fixture(scope="module")
def isp(product_copy: Path, flags: Path) -> Iterator[Installation]:
    package = service_account().make_dir(flags.parent / "faults") / "radius_plugin"
    service_account().make_dir(package)
    text = dedent(FAULTS).format(product=str(product_copy), flags=str(flags))
    service_account().write_text(package / "__init__.py", text)
    with installation(product_copy, environment=ON, faults=flags.parent / "faults") as made:
        yield made


@pytest.fixture
def make(isp: Installation) -> Factory:
    return isp.make


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds = 1.0
        yield made


def waiting(isp: Installation) -> int:
    return survey(isp.settings.journal_dir).records


def drained(isp: Installation) -> None:
    until(lambda: waiting(isp) == 0, seconds=60)


@pytest.mark.rule("A8")
@pytest.mark.rule("U1")
@pytest.mark.rule("U2")
def test_records_are_answered_while_postgresql_is_killed_and_charged_once_when_it_is_back(
    isp: Installation,
) -> None:
    with Load(isp) as load:
        load.more(100)
        for _ in range(2):
            isp.cluster.kill()
            until(lambda: waiting(isp) > 0)
            load.more(200)
            isp.cluster.start()
            load.more(100)
    drained(isp)
    load.check()


@pytest.mark.rule("A8")
def test_records_are_answered_while_postgresql_hangs(isp: Installation) -> None:
    with Load(isp, threads=3) as load:
        load.more(50)
        with frozen(isp):
            load.more(100)
            assert waiting(isp) > 0
        load.more(50)
    drained(isp)
    load.check()


@pytest.mark.rule("A8")
@pytest.mark.rule("U2")
def test_kills_of_both_at_random_moments_lose_nothing_and_charge_nothing_twice(
    isp: Installation,
) -> None:
    seed = secrets.randbelow(2**32)
    chance = random.Random(seed)
    print(f"seed {seed}")  # of the pauses only: what falls into them is the machine's
    acct = isp.radius["acct"]
    with Load(isp) as load:
        for _ in range(6):
            isp.cluster.kill()
            pause(chance)
            acct.kill()
            acct.start()
            pause(chance)
            isp.cluster.start()
            pause(chance)
            acct.kill()  # in the middle of the replay, as often as not
            acct.start()
            load.more(50)
    drained(isp)
    load.check()


def pause(chance: random.Random) -> None:
    threading.Event().wait(chance.uniform(0, 0.6))


def session_of(make: Factory, nas: SimulatedNas) -> tuple[Subscriber, NasSession]:
    subscriber = make.subscriber(utc_now())
    make.package(subscriber, utc_now(), octets=10**9)
    return subscriber, nas.start(subscriber.username)


@pytest.mark.rule("U1")
def test_a_crash_between_the_sync_and_the_answer_charges_once(
    isp: Installation, make: Factory, nas: SimulatedNas, flags: Path
) -> None:
    subscriber, session = session_of(make, nas)
    isp.cluster.stop()
    (flags / "synced").touch()
    session.seconds, session.input_octets = 60, 1_000
    assert not nas.account(session, "Interim-Update", resends=0)
    until(lambda: isp.radius["acct"].process() is None)
    assert waiting(isp) == 1
    isp.radius["acct"].start()
    assert nas.account(session, "Interim-Update", resends=5)
    assert waiting(isp) == 2
    isp.cluster.start()
    drained(isp)
    assert meter.totals(isp.context, subscriber) == [(60, 1_000, 0)]
    assert meter.left(isp.context, subscriber) == [(None, 10**9 - 1_000)]


@pytest.mark.rule("U2")
def test_a_crash_in_the_middle_of_the_replay_charges_once(
    isp: Installation, make: Factory, nas: SimulatedNas, flags: Path
) -> None:
    subscriber, session = session_of(make, nas)
    isp.cluster.stop()
    for seconds in range(1, 31):
        session.seconds, session.output_octets = seconds, 1_000 * seconds
        assert nas.account(session, "Interim-Update", resends=2)
    (flags / "charged").touch()
    isp.cluster.start()
    until(lambda: isp.radius["acct"].process() is None)
    # A batch was charged, all or only a part of them, and still waits: the crash came between the
    # two.
    ((seconds, _, octets),) = meter.totals(isp.context, subscriber)
    assert 1 <= seconds <= 30
    assert octets == 1_000 * seconds
    assert waiting(isp) == 30
    isp.radius["acct"].start()
    drained(isp)
    assert meter.totals(isp.context, subscriber) == [(30, 0, 30_000)]
    assert meter.left(isp.context, subscriber) == [(None, 10**9 - 30_000)]


def test_a_torn_tail_and_a_damaged_record_cost_nobody_else(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    first, session = session_of(make, nas)
    second, other = session_of(make, nas)
    isp.cluster.stop()
    session.seconds = session.input_octets = 50
    assert nas.account(session, "Interim-Update", resends=2)
    other.seconds = other.input_octets = 70
    assert nas.account(other, "Interim-Update", resends=2)
    isp.radius["acct"].kill()
    (segment,) = isp.settings.journal_dir.glob("*.journal")
    lines = segment.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2
    segment.write_bytes(lines[0].replace(b"50", b"90") + lines[1] + lines[0][:40])
    isp.cluster.start()
    isp.radius["acct"].start()
    drained(isp)
    assert meter.totals(isp.context, second) == [(70, 70, 0)]
    assert meter.totals(isp.context, first) == [(0, 0, 0)]
    assert b"90" in (isp.settings.journal_dir / "damaged").read_bytes()
    assert "was set aside" in isp.log("radiusd-acct")


@pytest.mark.rule("F5")
def test_what_can_never_be_charged_goes_to_the_dead_letters_and_blocks_nobody(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    subscriber, session = session_of(make, nas)
    isp.cluster.stop()
    session.username = "nobody-at-all"
    assert nas.account(session, "Interim-Update", resends=2)
    session.username, session.seconds = subscriber.username, 9
    assert nas.account(session, "Interim-Update", resends=2)
    isp.cluster.start()
    drained(isp)
    assert meter.totals(isp.context, subscriber) == [(9, 0, 0)]
    (letter,) = meter.dead_letters(isp.context, nas.address)
    assert letter[0] == "unknown-user"


def test_records_that_come_before_the_journal_is_empty_wait_behind_it(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    """A 32-bit counter that wraps twice is read right only in order (rule U4)."""
    subscriber, session = session_of(make, nas)
    nas.sends_gigawords = False
    isp.cluster.stop()
    for minute, gibioctets in enumerate((3, 5, 7), 1):
        session.seconds, session.input_octets = 60 * minute, gibioctets * 2**30
        assert nas.account(session, "Interim-Update", resends=2)
    isp.cluster.start()
    session.seconds, session.input_octets = 240, 9 * 2**30
    assert nas.account(session, "Interim-Update", resends=2)
    drained(isp)
    assert meter.totals(isp.context, subscriber) == [(240, 9 * 2**30, 0)]


@pytest.mark.rule("U1")
def test_a_full_disk_gets_no_record_acknowledged_falsely(product_copy: Path) -> None:
    with (
        SmallDisk("journal", "8m") as disk,
        installation(product_copy, prepare=disk.mount, environment=ON) as made,
    ):
        with Load(made, threads=2) as load:
            load.more(50)
            made.cluster.stop()
            load.more(50)
            filler = made.settings.journal_dir / "filler"
            fill(filler)
            refused = load.refusals
            until(lambda: load.refusals >= refused + 2 * load.threads, seconds=90)
            filler.unlink()
            load.more(50)
            made.cluster.start()
            load.more(50)
        drained(made)
        load.check()
        assert "No space left on device" in made.log("radiusd-acct")
        made.radius["acct"].stop()
        disk.unmount()
