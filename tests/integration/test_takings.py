"""What each member of staff took on a local day (rule P1), and `tollway bank` and `payment day`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from billing.cli import main
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.taken import Taken
from billing.rules.bank_match import payment_reference
from billing.rules.cycles import day_passed_at, day_start
from billing.services import catalog, payment_calls, payments, sales, shifts, suspense, takings
from billing.services.context import Context
from billing.settings import Settings
from rig.provider import Provider
from tests.factories import Factory, Subscriber
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS, Till

Run = Callable[..., tuple[int, str, str]]
CASH, BANK = MoneyChannel.CASH, MoneyChannel.BANK_TRANSFER
_keys = count(1)
_days = count(1)
DAY = date(2026, 3, 20)


@pytest.fixture
def day() -> date:
    """Each test has a day of its own."""
    return DAY + timedelta(days=3 * next(_days))


@pytest.fixture
def noon(context: Context, day: date) -> datetime:
    return day_start(day, catalog.operator(context).time_zone) + timedelta(hours=12)


@pytest.fixture
def ann(context: Context) -> Context:
    return replace(context, actor="staff:ann")


@pytest.fixture
def bob(context: Context) -> Context:
    return replace(context, actor="staff:bob")


@pytest.fixture
def who(make: Factory) -> Subscriber:
    return make.subscriber(datetime(2026, 3, 1, tzinfo=UTC))


def take(context: Context, who: Subscriber, units: int, by: MoneyChannel, at: datetime) -> None:
    sales.topup(
        context,
        who.customer_id,
        units * UNIT,
        channel=by,
        idempotency_key=f"take {next(_keys)}",
        now=at,
    )


def of(context: Context, day: date) -> list[tuple[str, str, int, int, int, int]]:
    """Actor, channel, payments, units taken, refunds, units given back."""
    return [
        (one.actor, one.channel, one.payments, one.taken_micros // UNIT, one.refunds,
         one.refunded_micros // UNIT)
        for one in takings.of_day(context, day).rows
    ]  # fmt: skip


@pytest.mark.rule("P1")
def test_each_has_what_they_took_by_channel(
    ann: Context, bob: Context, who: Subscriber, day: date, noon: datetime
) -> None:
    take(ann, who, 10, CASH, noon)
    take(ann, who, 5, CASH, noon)
    take(ann, who, 7, BANK, noon)
    take(bob, who, 3, CASH, noon)
    assert of(ann, day) == [
        ("staff:ann", "bank_transfer", 1, 7, 0, 0),
        ("staff:ann", "cash", 2, 15, 0, 0),
        ("staff:bob", "cash", 1, 3, 0, 0),
    ]
    assert takings.of_day(ann, day, org_id=987).rows == ()
    assert takings.today(ann, noon) == day


@pytest.mark.rule("M3")
def test_a_day_is_local(ann: Context, who: Subscriber, day: date) -> None:
    zone = catalog.operator(ann).time_zone
    first, after = day_start(day, zone), day_passed_at(day, zone)
    take(ann, who, 1, CASH, first - timedelta(microseconds=1))
    take(ann, who, 2, CASH, first)
    take(ann, who, 4, CASH, after - timedelta(microseconds=1))
    take(ann, who, 8, CASH, after)
    assert of(ann, day) == [("staff:ann", "cash", 2, 6, 0, 0)]


@pytest.mark.rule("P1")
def test_money_of_nobody_counts_when_it_came_and_for_whoever_took_it(
    ann: Context, bob: Context, who: Subscriber, day: date, noon: datetime
) -> None:
    came = Money(20 * UNIT, "USD")
    assert suspense.receive(ann, came, CASH, reference=f"box {day}", note="", now=noon)
    number = suspense.listed(ann, limit=500)[-1].suspense_id
    later = noon + timedelta(hours=1)
    for units in (5, 8):
        suspense.match(
            bob,
            number,
            who.customer_id,
            amount_micros=units * UNIT,
            idempotency_key=f"match {next(_keys)}",
            now=later,
        )
    suspense.give_back(bob, number, note="to the payer", now=later)
    assert of(ann, day) == [
        ("staff:ann", "cash", 1, 20, 0, 0),
        ("staff:bob", "cash", 0, 0, 1, 7),
    ]


@pytest.mark.rule("P1")
def test_refunds_are_of_who_gave_them(context: Context, make: Factory, noon: datetime) -> None:
    with Provider().serving() as provider:
        till = Till(context, make, provider, noon - timedelta(days=200))
        who = till.customer()
        made = till.pay(who, 30)
        till.now = noon - timedelta(days=150)
        day = takings.today(context, till.now)
        ann = replace(context, actor="staff:ann")
        for units in (4, 6):
            payments.refund(
                ann,
                made.attempt_id,
                reason="a test",
                idempotency_key=f"refund {next(_keys)}",
                now=till.now,
                amount_micros=units * UNIT,
            )
        till.work()
        assert [row[:1] + row[2:] for row in of(context, day)] == [("staff:ann", 0, 0, 2, 10)]


@pytest.mark.rule("R4")
def test_what_an_open_shift_is_to_count_is_not_told_to_its_cashier(
    ann: Context, bob: Context, who: Subscriber, day: date, noon: datetime
) -> None:
    take(ann, who, 1, CASH, noon)
    take(bob, who, 2, CASH, noon)
    shift = shifts.start(ann, 0, noon + timedelta(hours=1))
    assert of(ann, day) == [("staff:bob", "cash", 1, 2, 0, 0)]
    assert takings.of_day(ann, day).is_blind
    assert len(of(bob, day)) == 2 and not takings.of_day(bob, day).is_blind
    # A day that was over before it was opened tells nothing of it.
    assert not takings.of_day(ann, day - timedelta(days=1)).is_blind
    shifts.close(ann, shift.shift_id, 0, noon + timedelta(hours=2))
    assert len(of(ann, day)) == 2 and not takings.of_day(ann, day).is_blind


@pytest.mark.rule("R4")
def test_who_asks_a_provider_has_taken_nothing(
    ann: Context, make: Factory, day: date, noon: datetime
) -> None:
    with Provider().serving() as provider:
        till = Till(ann, make, provider, noon)
        shift = shifts.start(ann, 0, noon)
        made = till.begin(till.customer(), 10)
        payment_calls.carry_out(ann, GATEWAYS, made.customer_id, made.attempt_id, lambda: noon)
    assert of(ann, day) == [(f"gateway:{till.gateway_id}", "card", 1, 10, 0, 0)]
    assert shifts.close(ann, shift.shift_id, 0, noon).lines == ()


def test_what_is_left_is_reckoned() -> None:
    row = Taken(
        org_id=1,
        organisation="x",
        actor="a",
        channel="cash",
        currency="USD",
        payments=2,
        taken_micros=5,
        refunds=1,
        refunded_micros=7,
    )
    assert row.net_micros == -2


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs `tollway ARGUMENTS`; the exit code, and what was printed."""
    monkeypatch.setenv("TOLLWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("TOLLWAY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TOLLWAY_DATABASE_NAME", settings.database_name)

    def tollway(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    yield tollway


def test_the_day_as_table_json_and_csv(
    run: Run, ann: Context, who: Subscriber, day: date, noon: datetime
) -> None:
    take(ann, who, 12, CASH, noon)
    assert "staff:ann" in run("payment", "day", str(day))[1]
    shown = json.loads(run("payment", "day", str(day), "--json")[1])
    assert shown["day"] == str(day) and shown["rows"][0]["net_micros"] == 12 * UNIT
    lines = run("payment", "day", str(day), "--csv")[1].splitlines()
    assert lines[0].startswith("day,organisation,who,channel,currency,payments,taken,refunds")
    assert lines[1].startswith(f"{day},") and lines[1].endswith(
        ",staff:ann,cash,USD,1,12.00,0,0.00,12.00"
    )
    assert run("payment", "day", "--org", "987")[0] == 0
    assert run("payment", "day", "yesterday")[0] == 2


def test_a_statement_is_imported_from_the_command_line(
    run: Run, who: Subscriber, tmp_path: Path
) -> None:
    at = ("--at", "2026-03-20T09:00")
    assert run("bank", "set", "main", "--date-column", "Tag", "--amount-column", "Betrag",
               "--reference-column", "Zweck", "--payer-column", "Name", "--decimal", ",",
               "--date-format", "DD.MM.YYYY", "--separator", ";", "--encoding", "iso-8859-1",
               *at)[0] == 0  # fmt: skip
    assert "DD.MM.YYYY" in run("bank", "list")[1]
    out = run("bank", "reference", str(who.customer_id))[1]
    assert out == f"{payment_reference(who.customer_id)}\n"
    file = tmp_path / "march.csv"
    text = f"Tag;Name;Zweck;Betrag\n19.03.2026;Zoë;{out.strip()};1.012,50\n19.03.2026;;?;1\n"
    file.write_bytes(text.encode("iso-8859-1"))
    asked = ("bank", "import", str(file), "--account", "main", *at)
    code, out, _ = run(*asked, "--dry-run")
    assert code == 0 and "1 would be credited, 1 put in suspense; 0 known already" in out
    code, out, _ = run(*asked)
    assert code == 0 and f"line 2: 1012.50 USD to the wallet of customer {who.customer_id}" in out
    assert "receipt RC-" in out and "line 3: 1.00 USD suspense: names no bill" in out
    assert "0 were credited, 0 put in suspense; 2 known already" in run(*asked)[1]
    lines = json.loads(run("bank", "lines", "main", "--json")[1])
    assert {one["payer"] for one in lines} == {"Zoë", ""}
    assert any(one["receipt_number"] for one in lines)
    file.write_text("Tag;Name;Zweck;Betrag\n19.03.2026;x;y;1.5\n")
    code, _, err = run(*asked)
    assert code == 2 and "line 2: Betrag: '1.5' is no amount with the decimal sign ','" in err
    assert run("bank", "import", "/nowhere", "--account", "main")[0] == 2
    assert run("bank", "import", str(file), "--account", "other")[0] == 3


def test_a_column_that_says_debit_or_credit_is_set_by_its_words(
    run: Run, who: Subscriber, tmp_path: Path
) -> None:
    columns = ("--date-column", "Day", "--amount-column", "Sum", "--reference-column", "Text")
    asked = ("bank", "set", "second", *columns, "--sign-column", "C/D")
    code, _, err = run(*asked)
    assert code == 2 and "when money came in" in err and "when money went out" in err
    assert run(*asked, "--in-word", "CR", "--in-word", "RD", "--out-word", "DR")[0] == 0
    assert "CR is in, RD is in, DR is out" in " ".join(run("bank", "list")[1].split())
    file = tmp_path / "april.csv"
    text = payment_reference(who.customer_id)
    file.write_text(f"Day,Sum,C/D,Text\n2026-04-02,5.00,CR,{text}\n2026-04-02,7.00,DR,{text}\n")
    out = run("bank", "import", str(file), "--account", "second")[1]
    assert f"line 2: 5.00 USD to the wallet of customer {who.customer_id}" in out
    assert "line 3" not in out and "1 not money that came in" in out
