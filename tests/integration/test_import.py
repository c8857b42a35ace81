"""Subscribers from a CSV file: all or none, bad lines by number."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.errors import BadLines, InvalidInput
from billing.services import catalog, customers, explain, imports, subscribers
from billing.services.context import Context
from billing.services.imports import ImportReport
from billing.store import books, tables
from tests.factories import DAILY, DAY_PLAN, Factory

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HEADER = "username,password,name,profile,plan,framed_ip,mac,valid_until,time_left,data_left,balance"


@pytest.fixture(scope="module", autouse=True)
def catalogue(context: Context) -> None:
    from dataclasses import replace

    catalog.add_profile(context, replace(DAILY, name="Daily"), NOW)
    catalog.add_plan(context, replace(DAY_PLAN, plan_name="Day"), NOW)


def _import(context: Context, path: Path, text: str | bytes, **options: bool) -> ImportReport:
    path = path / "subscribers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return imports.import_subscribers(context, path, NOW, lambda *_: None, **options)


def _count(context: Context) -> int:
    with context.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(tables.Subscription)) or 0


def test_everything_of_a_line_arrives(context: Context, tmp_path: Path) -> None:
    report = _import(
        context,
        tmp_path,
        f"{HEADER}\n"
        'Ann, two words ,"Ann, the ""first""",Daily,Day,10.1.2.3,02:00:5E:00:00:01,'
        "2026-04-01T00:00:00Z,10h,5GB,12.50\n"
        "\n"
        "bob,pw,,Daily,,,,,,,\n",
    )
    assert report == ImportReport(subscribers=2, entitlements=1, balances=1, dry_run=False)
    number = customers.subscription_id_of(context, "ANN")
    view = subscribers.show(context, number, NOW)
    assert view.customer.name == 'Ann, the "first"'
    assert view.wallet.available_micros == 12_500_000
    assert (view.row.seconds_left, view.row.octets_left) == (36_000, 5 * 10**9)
    assert view.row.valid_until == datetime(2026, 4, 1, tzinfo=UTC)
    assert (view.row.framed_ip, view.allowed_macs) == ("10.1.2.3", ("02005e000001",))
    assert view.row.state.rule == "S8"
    bob = customers.subscription_id_of(context, "bob")
    assert explain.why(context, bob, NOW).state.rule == "S7"
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Subscription).where(tables.Subscription.subscription_id == number)
        ).one()
        assert row.secret_sealed is not None
        assert context.box.open(row.secret_sealed, f"subscription:{number}") == " two words "
        assert books.findings(tx) == []


def test_rows_made_later_get_numbers_of_their_own(
    context: Context, make: Factory, tmp_path: Path
) -> None:
    _import(context, tmp_path, f"{HEADER}\nnumbered,pw,,Daily,,,,,,,1.00\n")
    assert make.subscriber(NOW).subscription_id > customers.subscription_id_of(context, "numbered")


def test_bad_lines_are_listed_and_nothing_is_imported(context: Context, tmp_path: Path) -> None:
    _import(context, tmp_path, f"{HEADER}\nexisting,pw,,Daily,,,,,,,\n")
    before = _count(context)
    lines = [
        HEADER.encode(),
        b"fine,pw,,Daily,Day,,,2026-04-01,,,",
        b"FINE,pw,,Daily,,,,,,,",
        b"existing,pw,,Daily,,,,,,,",
        b"\xff\xfe,pw,,Daily,,,,,,,",
        b"a,,,Daily,,,,,,,",
        b"b,pw,,Nothing,,,,,,,",
        b"c,pw,,Daily,None,,,,,,",
        b"d,pw,,Daily,,10.0.0.999,,,,,",
        b"e,pw,,Daily,,,xyz,,,,",
        b"f,pw,,Daily,Day,,,2026-03-10T12:00:00Z,,,",
        b"g,pw,,Daily,Day,,,,-5h,,",
        b"h,pw,,Daily,Day,,,,,9223372036854775808,",
        b"i,pw,,Daily,,,,,,,1.001",
        b"j,pw,,Daily",
        b"k,pw,,Daily,,,,2026-04-01,,,",
        b"l,pw,,Daily,,,,,,,1e400",
    ]
    with pytest.raises(BadLines) as refused:
        _import(context, tmp_path, b"\n".join(lines))
    assert [(line, field) for line, field, _ in refused.value.lines] == [
        (3, "username"),
        (4, "username"),
        (5, "username"),
        (6, "password"),
        (7, "profile"),
        (8, "plan"),
        (9, "framed_ip"),
        (10, "mac"),
        (11, "valid_until"),
        (12, "time_left"),
        (13, "data_left"),
        (14, "balance"),
        (15, "line"),
        (16, "plan"),
        (17, "balance"),
    ]
    assert "line 3: username: 'fine' is on line 2, too" in refused.value.message
    assert _count(context) == before


def test_quoted_line_breaks_keep_the_numbers_right(context: Context, tmp_path: Path) -> None:
    text = f'{HEADER}\nq1,pw,"two\nlines",Daily,,,,,,,\nq2,,,Daily,,,,,,,\n'
    with pytest.raises(BadLines) as refused:
        _import(context, tmp_path, text)
    assert [(line, field) for line, field, _ in refused.value.lines] == [
        (2, "name"),
        (4, "password"),
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "header"),
        ("username,password\n", "header"),
        ("username,password,profile,colour\n", "header"),
        ("username,username,password,profile\n", "header"),
        ("username,password,profile\n", "file"),
    ],
)
def test_unusable_files_are_refused(
    context: Context, tmp_path: Path, text: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        _import(context, tmp_path, text)
    assert refused.value.field == field
    with pytest.raises(InvalidInput):
        imports.import_subscribers(context, tmp_path / "none.csv", NOW, lambda *_: None)


def test_dry_run_stores_nothing(context: Context, tmp_path: Path) -> None:
    before = _count(context)
    report = _import(context, tmp_path, f"{HEADER}\ndry,pw,,Daily,,,,,,,\n", dry_run=True)
    assert report.subscribers == 1
    assert _count(context) == before


def test_semicolons_and_a_byte_order_mark_are_read(context: Context, tmp_path: Path) -> None:
    report = _import(context, tmp_path, "\ufeffUsername;Password;Profile\nsemi;p,w;Daily\n")
    assert report.subscribers == 1


def test_several_chunks_arrive_whole(context: Context, tmp_path: Path) -> None:
    before = _count(context)
    rows = "".join(f"many{n},pw{n},,Daily,Day,,,2026-04-01,,1GB,0.50\n" for n in range(2_500))
    assert _import(context, tmp_path, f"{HEADER}\n{rows}").entitlements == 2_500
    assert _count(context) == before + 2_500
    with context.transaction() as tx:
        assert books.findings(tx) == []
