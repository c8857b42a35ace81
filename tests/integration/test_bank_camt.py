"""camt.053 and camt.054: what came in, and debits that came back, once (rules P1, P5, M5)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select

from billing.errors import BadLines, InvalidFields, InvalidInput, Refused
from billing.model.bank import BankAccountView, BankFormat, BankImportReport, LineOutcome
from billing.model.payments import PaymentState
from billing.rules.bank_match import payment_reference
from billing.services import (
    bank,
    bank_import,
    gateways,
    sepa_again,
    sepa_results,
    sepa_returns,
    suspense,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import Factory, Subscriber
from tests.integration.iso20022 import IBAN, Detail, Entry, camt
from tests.integration.test_sepa import KNOWN, NOW, Collector, _numbers, euro  # noqa: F401

S, L = PaymentState, LineOutcome
Take = Callable[..., BankImportReport]


@pytest.fixture
def desk(context: Context, make: Factory) -> Collector:
    return Collector(context, make)


@pytest.fixture
def account(context: Context) -> BankAccountView:
    wanted = BankFormat(currency="EUR", iban="de89 3704 0044 0532 0130 00")
    return bank.set_account(context, f"camt {next(_numbers)}", wanted, NOW)


@pytest.fixture
def take(context: Context, account: BankAccountView) -> Take:
    def imported(body: bytes, *, dry_run: bool = False) -> BankImportReport:
        return bank_import.import_statement(context, account, body, NOW, dry_run=dry_run)

    return imported


def collected(desk: Collector, count: int = 1) -> tuple[list[Subscriber], list[str]]:
    """So many debtors of 30.00 in a file, and their end-to-end ids, in that order."""
    people = [desk.debtor()[0] for _ in range(count)]
    desk.made()
    return people, [name_of(desk, who) for who in people]


def name_of(desk: Collector, who: Subscriber) -> str:
    with desk.context.transaction() as tx:
        found = select(tables.PaymentAttempt.provider_ref).where(
            tables.PaymentAttempt.customer_id == who.customer_id
        )
        return str(tx.scalars(found.order_by(tables.PaymentAttempt.attempt_id.desc())).first())


def came(amount: str, name: str, **options: object) -> Entry:
    detail = Detail(amount=amount, end_to_end=name)
    return Entry(amount=amount, details=(detail,), **options)  # type: ignore[arg-type]


def back(name: str, reason: str = "AM04", amount: str = "30.00", ref: str = "") -> Entry:
    detail = Detail(amount=amount, end_to_end=name, reason=reason)
    return Entry(amount=amount, credit=False, ref=ref, details=(detail,))


def outcomes(report: BankImportReport) -> list[LineOutcome]:
    return [one.outcome for one in report.lines]


@pytest.mark.rule("P1")
@pytest.mark.parametrize(("kind", "version"), [("053", 8), ("053", 2), ("054", 8), ("054", 2)])
def test_money_is_used_as_that_of_a_csv_file(
    desk: Collector, take: Take, kind: str, version: int
) -> None:
    who = desk.customer()
    number = desk.bill(who)
    other = desk.customer()
    body = camt(
        Entry(amount="30.00", ref="1", details=(Detail(texts=("danke", number)),)),
        Entry(
            amount="5.00", ref="2",
            details=(Detail(creditor_reference=payment_reference(other.customer_id)),),
        ),
        Entry(amount="7.00", ref="3", details=(Detail(payer="Eve", texts=("hello",)),)),
        Entry(amount="9.00", ref="4", details=(Detail(texts=(number,), reason="AC04"),)),
        Entry(amount="1.00", ref="5", credit=False, said="fee"),
        kind=kind,
        version=version,
    )  # fmt: skip
    planned = take(body, dry_run=True)
    assert desk.left(number) == 3000
    report = take(body)
    assert outcomes(planned) == outcomes(report) == [L.EXACT, L.CUSTOMER, L.UNKNOWN, L.UNKNOWN]
    assert [one.words for one in planned.lines] == [one.words for one in report.lines]
    assert (report.outgoing, report.credited, report.waiting) == (1, 2, 2)
    assert (desk.left(number), desk.wallet(other)) == (0, 500)
    notes = [one.note for one in suspense.listed(desk.context, limit=500)][-2:]
    assert notes[0] == "Eve: hello (names no bill and no customer)"
    assert "a transfer of yours that came back" in notes[1]
    again = take(body)
    assert (again.lines, again.known) == ((), 4)
    desk.check()


@pytest.mark.rule("P1", "M5")
def test_debits_are_credited_and_taken_back_once(
    desk: Collector, take: Take, account: BankAccountView
) -> None:
    (ada, bob), (first, second) = collected(desk, 2)
    # The return is told of before its money, in the same file.
    body = camt(
        back(second, "MD06", ref="B"), came("30.00", first, ref="1"), came("30.00", second, ref="2")
    )
    planned = take(body, dry_run=True)
    assert [desk.states(who) for who in (ada, bob)] == [[S.PENDING], [S.PENDING]]
    report = take(body)
    assert outcomes(planned) == outcomes(report) == [L.COLLECTED, L.COLLECTED, L.RETURNED]
    words = f"{second} came back: charged back (MD06: the payer wants it back)"
    assert planned.lines[2].words == report.lines[2].words == words
    assert report.lines[2].amount_micros == -30_000_000
    assert report.lines[2].customer_id == bob.customer_id
    assert [desk.states(who) for who in (ada, bob)] == [[S.SUCCEEDED], [S.CHARGED_BACK]]
    assert [desk.wallet(who) for who in (ada, bob)] == [0, -3000]
    assert take(body).lines == ()
    # The notification tells of it, too; and a second file says it under another reference.
    assert take(camt(back(second, "MD06", ref="B"), kind="054")).known == 1
    twice = take(camt(back(second, "AM04", ref="C"), kind="054"))
    assert outcomes(twice) == [L.TOLD_BEFORE]
    assert twice.lines[0].words == f"{second} is known to be back (MD06: the payer wants it back)"
    assert desk.wallet(bob) == -3000
    stored = bank.imported(desk.context, account.account_id)
    assert sorted(one.amount_micros // 10_000 for one in stored) == [-3000, -3000, 3000, 3000]
    desk.check()


@pytest.mark.rule("P1", "M5")
def test_a_return_before_the_money_fails_the_payment(desk: Collector, take: Take) -> None:
    (ada,), (name,) = collected(desk)
    report = take(camt(back(name, "AC04"), kind="054"))
    assert outcomes(report) == [L.RETURNED] and "came back: failed (AC04" in report.lines[0].words
    assert desk.states(ada) == [S.FAILED] and desk.wallet(ada) == 0
    assert take(camt(back(name, "AC04"), kind="054")).lines == ()
    desk.check()


@pytest.mark.rule("P1", "M5")
def test_a_batch_is_one_sum_or_its_parts_but_not_both(desk: Collector, take: Take) -> None:
    (ada, bob), names = collected(desk, 2)
    batch = names[0].rpartition("-")[0] + "/1"
    whole = Entry(amount="60.00", ref="B", batch=batch)
    parts = Entry(
        amount="60.00", ref="B", batch=batch,
        details=tuple(Detail(amount="30.00", end_to_end=one) for one in names),
    )  # fmt: skip
    assert outcomes(take(camt(whole))) == [L.COLLECTED]
    assert [desk.states(who) for who in (ada, bob)] == [[S.SUCCEEDED]] * 2
    later = take(camt(parts, kind="054"))
    assert (later.lines, later.known) == ((), 2)
    (_, _), others = collected(desk, 2)
    batch = others[0].rpartition("-")[0] + "/1"
    details = tuple(Detail(amount="30.00", end_to_end=one) for one in others)
    told = Entry(amount="60.00", ref="C", batch=batch, details=details)
    assert outcomes(take(camt(told, kind="054"))) == [L.COLLECTED] * 2
    later = take(camt(replace(told, details=())))
    assert (later.lines, later.known) == ((), 1)
    desk.check()


@pytest.mark.rule("M5")
def test_a_statement_and_its_notification_at_once_count_once(desk: Collector, take: Take) -> None:
    (_, bob), names = collected(desk, 2)
    batch = names[0].rpartition("-")[0] + "/1"
    details = tuple(Detail(amount="30.00", end_to_end=one) for one in names)
    told = Entry(amount="60.00", ref="B", batch=batch, details=details)
    files = [
        camt(replace(told, details=()), back(names[1], "MD06", ref="R")),
        camt(told, back(names[1], "MD06", ref="R"), kind="054"),
    ] * 3
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(take, files))
    found = [one for report in reports for one in report.lines]
    # The sum, or its two parts, and the return: whichever file was the first to tell of each.
    assert sum(one.amount_micros for one in found) == 30_000_000
    assert sum(one.outcome is L.RETURNED for one in found) == 1
    assert desk.wallet(bob) in (0, -3000)
    desk.check()


@pytest.mark.rule("P1")
def test_what_went_out_and_is_no_collection_is_listed(
    desk: Collector, take: Take, account: BankAccountView
) -> None:
    (ada,), (name,) = collected(desk)
    body = camt(
        back(name, amount="29.00", ref="1"),
        back(f"{name}9", ref="2"),
        back("TWDD-9999999-1", ref="3"),
        Entry(amount="3.00", ref="4", credit=False, reversal=True, said="sorry"),
        back(f"{name} {name}9", ref="5"),
    )
    report = take(body)
    assert outcomes(report) == [L.UNPLACED] * 5
    assert [one.words for one in report.lines] == [
        f"29.00 EUR went out, and {name} is of 30.00 EUR: look into it",
        f"no file of ours collects {name}9, and it went out: look into it",
        "no file of ours collects TWDD-9999999-1, and it went out: look into it",
        "names no collection, and went out: look into it",
        "names several collections, and went out: look into it",
    ]
    assert report.went_out == 5 and desk.states(ada) == [S.PENDING]
    kept = bank.imported(desk.context, account.account_id)
    assert len(kept) == 5 and all(one.outcome is L.UNPLACED for one in kept)
    assert take(body).lines == ()
    more = take(camt(back(name, amount="33.50", ref="6")))
    assert outcomes(more) == [L.RETURNED] and "3.50 EUR more went out, the bank's fee" in (
        more.lines[0].words
    )
    desk.check()


def test_a_file_of_the_wrong_kind_says_so_and_nothing_is_imported(
    desk: Collector, take: Take, account: BankAccountView
) -> None:
    good = camt(Entry(amount="1.00"), Entry(amount="2.00"))
    for body, said in [
        (good[:-40], "breaks off or is damaged"),
        (good.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>'), "has a DTD"),
        (good.replace(b"BkToCstmrStmt", b"BkToCstmrAcctRpt"), "camt.052"),
        (camt(Entry(amount="1.00"), iban="DE02120300000000202051"), "is of DE02 … 2051"),
        (camt(currency="USD"), "is in USD; the account is in EUR"),
        (b"PK\x03\x04...", "ZIP"),
        (b"Date,Amount,Text\n2026-03-27,1.00,x\n", "has no columns of CSV files"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            take(body)
        assert said in refused.value.message and refused.value.field == "file"
    with pytest.raises(BadLines) as bad:
        take(camt(Entry(amount="1.00"), Entry(amount="2.00", currency="USD")))
    assert [(line, field) for line, field, _ in bad.value.lines] == [(2, "entry")]
    assert bank.imported(desk.context, account.account_id) == []
    csv_only = replace(account, format=BankFormat(
        date_column="Date", amount_column="Amount", reference_columns=("Text",), currency="EUR"
    ))  # fmt: skip
    with pytest.raises(InvalidInput, match="set the IBAN"):
        bank_import.import_statement(desk.context, csv_only, good, NOW)
    with pytest.raises(InvalidFields, match="no IBAN"):
        bank.set_account(desk.context, account.name, BankFormat(currency="EUR", iban="DE89"), NOW)
    assert account.format.iban == IBAN


@pytest.mark.rule("R2")
def test_only_collections_of_the_accounts_organisations_come_back(
    desk: Collector, account: BankAccountView
) -> None:
    (ada,), (name,) = collected(desk)
    with desk.context.transaction() as tx:
        row = tables.Organisation(parent_org_id=1, name=f"Shop {name}", created_at=NOW)
        tx.add(row)
        tx.flush()
        org_id = row.org_id
    other = bank.set_account(desk.context, "shop", account.format, NOW, org_id=org_id)
    report = bank_import.import_statement(desk.context, other, camt(back(name)), NOW)
    assert outcomes(report) == [L.UNPLACED] and desk.states(ada) == [S.PENDING]


@pytest.mark.rule("P1", "I1")
@pytest.mark.parametrize(
    ("reason", "charged"), [("AM04", 450), ("MD06", 450), ("MD07", 0), ("FF01", 0)]
)
def test_a_return_costs_its_payer_a_fee_once(
    context: Context, make: Factory, take: Take, reason: str, charged: int
) -> None:
    desk = Collector(context, make, {"return_fee": "4.50"})
    (ada,), (name,) = collected(desk)
    take(camt(came("30.00", name, ref="1")))
    for ref in ("2", "3"):
        take(camt(back(name, reason, ref=ref)))
    with context.transaction() as tx:
        line = tables.InvoiceLine
        found = select(line).where(
            line.customer_id == ada.customer_id, line.text.startswith("Returned")
        )
        rows = [(one.amount_micros // 10_000, one.text) for one in tx.scalars(found)]
    expected = [(450, f"Returned direct debit {name}, 2026-03-20")]
    assert rows == (expected if charged else [])
    desk.check()


def test_a_fee_that_is_no_amount_is_refused(context: Context, make: Factory) -> None:
    for fee in ("-1", "4.505", "101", "x"):
        with pytest.raises(InvalidInput) as refused:
            gateways.add(
                context, KNOWN, name="fee", adapter="sepa", now=NOW,
                settings={
                    "creditor_name": "Net", "creditor_id": "DE98ZZZ09999999999", "return_fee": fee,
                },
                secret_settings={"iban": IBAN},
            )  # fmt: skip
        assert refused.value.field == "return_fee"


@pytest.mark.rule("P1", "P5")
def test_what_was_charged_back_is_collected_again_once(desk: Collector, take: Take) -> None:
    (ada,), (name,) = collected(desk)
    first = desk.payment(ada).attempt_id
    with pytest.raises(Refused, match="did not come back"):
        sepa_again.collect_again(desk.context, first, NOW)
    take(camt(came("30.00", name, ref="1"), back(name, ref="2")))
    assert desk.wallet(ada) == -3000
    with ThreadPoolExecutor(4) as pool:
        numbers = set(
            pool.map(
                lambda _: sepa_again.collect_again(desk.context, first, NOW).attempt_id, range(4)
            )
        )
    (again,) = numbers
    desk.now += timedelta(days=6)
    report = desk.collect()
    # The lead and the bank's days are those of any collection.
    assert report.collect_on == desk.now.date() + timedelta(days=5)
    assert [(one.attempt_id, one.amount_micros) for one in report.collections] == [
        (again, 30_000_000)
    ]
    assert report.file is not None
    sepa_results.arrived(desk.context, report.file.file_id, desk.now)
    assert desk.wallet(ada) == 0
    take(camt(back(name_of(desk, ada), ref="3")))
    with pytest.raises(Refused, match="came back twice"):
        sepa_again.collect_again(desk.context, again, desk.now)
    desk.check()


def test_what_is_not_owed_any_more_or_has_no_mandate_is_not_collected_again(
    desk: Collector, take: Take, settings: Settings
) -> None:
    (ada, bob, eve), names = collected(desk, 3)
    take(camt(*(came("30.00", one, ref=one) for one in names)))
    take(camt(back(names[0]), back(names[1], "AC04"), back(names[2])))
    for who, amount in ((ada, "30.00"), (eve, "20.00")):
        paid = Detail(texts=(payment_reference(who.customer_id),))
        take(camt(Entry(amount=amount, details=(paid,))))
    with pytest.raises(Refused, match="lacks nothing"):
        sepa_again.collect_again(desk.context, desk.payment(ada).attempt_id, NOW)
    with pytest.raises(Refused, match="is revoked: let a new one be signed"):
        sepa_again.collect_again(desk.context, desk.payment(bob).attempt_id, NOW)
    desk.sign(bob)
    signed = sepa_again.collect_again(desk.context, desk.payment(bob).attempt_id, NOW)
    assert (signed.customer_id, signed.amount_micros) == (bob.customer_id, 30_000_000)
    begun = sepa_again.collect_again(desk.context, desk.payment(eve).attempt_id, NOW)
    assert begun.amount_micros == 10_000_000
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        rows = admin.execute(
            "SELECT count(*) FROM audit_log WHERE action = 'sepa.again' AND subject = %s",
            (f"customer:{eve.customer_id}",),
        ).fetchall()
    assert rows == [(1,)]


@pytest.mark.rule("I4", "P5")
def test_what_is_open_of_a_bill_is_collected_again(desk: Collector, take: Take) -> None:
    who, number = desk.debtor()
    desk.made()
    take(camt(back(name_of(desk, who))))
    first = desk.payment(who).attempt_id
    take(camt(Entry(amount="12.00", details=(Detail(texts=(number,)),))))
    begun = sepa_again.collect_again(desk.context, first, NOW)
    assert begun.amount_micros == 18_000_000
    desk.now += timedelta(days=1)
    assert [one.amount_micros for one in desk.collect().collections] == [18_000_000]
    # Of a bill that is being paid, or is paid, nothing is collected again.
    other, second = desk.debtor()
    desk.made()
    take(camt(back(name_of(desk, other))))
    take(camt(Entry(amount="30.00", details=(Detail(texts=(second,)),))))
    with pytest.raises(Refused, match=f"nothing of {second} is open"):
        sepa_again.collect_again(desk.context, desk.payment(other).attempt_id, NOW)
    desk.check()


@pytest.mark.rule("M5")
def test_an_import_of_camt_that_ends_in_the_middle_goes_on(
    desk: Collector, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada, bob), names = collected(desk, 2)
    body = camt(
        *(came("30.00", one, ref=one) for one in names),
        *(back(one, ref=f"b{one}") for one in names),
    )
    real = sepa_returns.take_back

    def take_back(context: Context, customer_id: int, *rest: object) -> object:
        done = real(context, customer_id, *rest)  # type: ignore[arg-type]
        if customer_id == bob.customer_id:
            raise RuntimeError("the power is out")
        return done

    monkeypatch.setattr(sepa_returns, "take_back", take_back)
    with pytest.raises(RuntimeError, match="power"):
        take(body)
    assert [desk.states(who) for who in (ada, bob)] == [[S.CHARGED_BACK], [S.SUCCEEDED]]
    monkeypatch.undo()
    report = take(body)
    assert (outcomes(report), report.known) == ([L.RETURNED], 3)
    assert [desk.wallet(who) for who in (ada, bob)] == [-3000, -3000]
    desk.check()


def test_all_of_a_file_that_came_back_is_collected_again(desk: Collector, take: Take) -> None:
    (ada, bob, _), names = collected(desk, 3)
    take(camt(back(names[0]), back(names[1], "AC04")))
    file_id = int(names[0].split("-")[1])
    begun, left = sepa_again.collect_all_again(desk.context, file_id, NOW)
    assert [one.customer_id for one in begun] == [ada.customer_id]
    assert len(left) == 1 and "is revoked" in left[0][1]
    assert sepa_again.collect_all_again(desk.context, file_id, NOW)[0] == []
    assert desk.states(ada) == [S.FAILED, S.PENDING] and desk.states(bob) == [S.FAILED]
