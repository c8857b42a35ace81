"""Direct debits: collected by file, booked, returned, killed, at once (rules P1, P5, P7, M5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import psycopg
import pytest
from psycopg import sql
from sepaxml.validation import try_valid_xml
from sqlalchemy import select
from stdnum.iso7064 import mod_97_10

from billing.errors import BadLines, Conflict, InvalidInput, NotFound, Refused
from billing.model.bank import BankFormat, BankImportReport, LineOutcome
from billing.model.commerce import MoneyChannel
from billing.model.payments import PaymentPurpose, PaymentState, PaymentView
from billing.model.plan import PlanTerms
from billing.model.sepa import MandateState, MandateView, ReturnEffect, RunReport, Sequence
from billing.payments.registry import open_gateway
from billing.rules.cycles import next_month
from billing.services import (
    auto_recharge,
    bank,
    bank_import,
    bills,
    books,
    gateways,
    messages,
    methods,
    payment_calls,
    payment_cancel,
    payments,
    sepa_again,
    sepa_files,
    sepa_mandates,
    sepa_preview,
    sepa_results,
    sepa_returns,
    sepa_run,
)
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.settings import Settings
from billing.store import tables
from tests.factories import MONTHLY, Factory, Subscriber
from tests.integration.talker import UNIT

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
DUE = date(2026, 3, 25)
SCHEMA = "pain.008.001.08"
KNOWN = Gateways(open_gateway)
FORMAT = BankFormat(
    date_column="Date", amount_column="Amount", reference_columns=("Text",), currency="EUR"
)
EURO_PLAN = PlanTerms(
    plan_version_id=0,
    plan_name="",
    price_micros=30_000_000,
    currency="EUR",
    validity_minutes=None,
    validity_months=1,
    pool="pool-normal",
    speed_up_kbps=2_000,
    speed_down_kbps=10_000,
)
DUE_SOON = replace(MONTHLY, due_days=5)
S, E, L = PaymentState, ReturnEffect, LineOutcome
_numbers = count(1)


def iban(number: int) -> str:
    """A German one, its check digits right."""
    body = f"37040044{number:010d}"
    return f"DE{mod_97_10.calc_check_digits(body + 'DE')}{body}"


@dataclass
class Collector:
    """A gateway of direct debits, and customers with a bill and a mandate."""

    context: Context
    make: Factory
    settings: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    cycles: dict[int, date] = field(default_factory=dict)
    gateway_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.gateway_id = gateways.add(
            self.context,
            KNOWN,
            name=f"debit {next(_numbers)}",
            adapter="sepa",
            settings={
                "creditor_name": "Exämple Net & Co",
                "creditor_id": "DE98ZZZ09999999999",
                **self.settings,
            },
            secret_settings={"iban": "DE89370400440532013000"},
            now=self.now,
        ).gateway_id

    def customer(self) -> Subscriber:
        return self.make.subscriber(self.now, profile=DUE_SOON, plan=EURO_PLAN)

    def sign(self, who: Subscriber, **options: object) -> MandateView:
        wanted: dict[str, object] = {
            "iban": iban(next(_numbers)),
            "signed_on": date(2026, 3, 1),
            "now": self.now,
        }
        return sepa_mandates.sign(
            self.context,
            KNOWN,
            who.customer_id,
            self.gateway_id,
            **(wanted | options),  # type: ignore[arg-type]
        )

    def bill(self, who: Subscriber, cents: int = 3000) -> str:
        """Its number; each of another month."""
        first = self.cycles.get(who.subscription_id, date(2026, 3, 1))
        self.cycles[who.subscription_id] = next_month(first)
        return bills.issue_bill(
            self.context,
            who.subscription_id,
            cycle_from=first,
            cycle_until=next_month(first),
            amount_micros=cents * 10_000,
            now=self.now,
        ).number

    def debtor(self, cents: int = 3000) -> tuple[Subscriber, str]:
        who = self.customer()
        self.sign(who)
        return who, self.bill(who, cents)

    def collect(self, *, dry_run: bool = False, on: date | None = None) -> RunReport:
        run = sepa_preview.preview if dry_run else sepa_run.collect
        return run(self.context, KNOWN, self.gateway_id, self.now, collect_on=on)

    def made(self) -> int:
        """The number of the file that is made now."""
        found = self.collect().file
        assert found is not None
        return found.file_id

    def payment(self, who: Subscriber) -> PaymentView:
        return payments.listed(self.context, customer_id=who.customer_id)[0]

    def states(self, who: Subscriber) -> list[PaymentState]:
        """Oldest first."""
        found = payments.listed(self.context, customer_id=who.customer_id)
        return [one.state for one in reversed(found)]

    def left(self, number: str) -> int:
        """Of a bill, in cents."""
        with self.context.transaction() as tx:
            row = tx.scalars(select(tables.Invoice).where(tables.Invoice.number == number)).one()
            return (row.total_micros - row.paid_micros) // 10_000

    def wallet(self, who: Subscriber) -> int:
        """In cents."""
        with self.context.transaction() as tx:
            found = select(tables.Wallet).where(tables.Wallet.customer_id == who.customer_id)
            return tx.scalars(found).one().posted_micros // 10_000

    def statement(self, *lines: str, dry_run: bool = False) -> BankImportReport:
        name = f"account {next(_numbers)}"
        account = bank.set_account(self.context, name, FORMAT, self.now)
        rows = [f"2026-03-27,{one.split()[0]},{' '.join(one.split()[1:])}" for one in lines]
        body = "\n".join(("Date,Amount,Text", *rows)).encode()
        return bank_import.import_statement(self.context, account, body, self.now, dry_run=dry_run)

    def check(self) -> None:
        assert books.check_ledger(self.context, self.now).findings == ()


@pytest.fixture(autouse=True, scope="module")
def euro(settings: Settings) -> None:
    """The operator of this module's database reckons in euro."""
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("UPDATE operator SET currency = 'EUR'")


@pytest.fixture
def desk(context: Context, make: Factory) -> Collector:
    return Collector(context, make)


def parsed(body: bytes) -> tuple[str, list[ET.Element]]:
    """Control sum, and the collections."""
    root = ET.fromstring(body)  # noqa: S314 (our own)
    name = root.tag.partition("}")[0] + "}"
    header = root.find(f".//{name}GrpHdr/{name}CtrlSum")
    assert header is not None and header.text is not None
    return header.text, list(root.iter(f"{name}DrctDbtTxInf"))


def texts(element: ET.Element, tag: str) -> list[str | None]:
    return [one.text for one in element.iter() if one.tag.endswith("}" + tag)]


@pytest.mark.rule("P1", "M5")
@pytest.mark.parametrize("schema", ["pain.008.001.08", "pain.008.001.02"])
def test_due_bills_are_collected_by_a_file_that_the_schema_allows(
    context: Context, make: Factory, schema: str
) -> None:
    desk = Collector(context, make, {"schema": schema, "bic": "COBADEFFXXX"})
    people = [desk.debtor(cents) for cents in (3000, 1, 12_345)]
    desk.sign(people[0][0], bic="COBADEFF")  # a second one: the first is the default
    report = desk.collect()
    assert report.file is not None and report.left_out == ()
    assert report.collect_on == DUE and report.file.collections == 3
    assert report.file.total_micros == 15_346 * 10_000 and report.file.open_count == 3
    body = sepa_files.content(context, report.file.file_id, NOW)
    try_valid_xml(body, schema)
    total, collections = parsed(body)
    assert total == "153.46"
    assert [texts(one, "InstdAmt") for one in collections] == [["30.00"], ["0.01"], ["123.45"]]
    assert {texts(one, "EndToEndId")[0] for one in collections} == {
        one.end_to_end_id for one in report.collections
    }
    assert b"<SeqTp>FRST</SeqTp>" in body and b"<ReqdColltnDt>" in body
    assert f"<PmtInfId>{report.file.message_id}/1</PmtInfId>".encode() in body
    assert b"Example Net" in body and b"DE98ZZZ09999999999" in body
    for who, number in people:
        assert desk.states(who) == [S.PENDING] and desk.left(number) > 0
    later = sepa_files.content(context, report.file.file_id, NOW + timedelta(days=9))
    assert later == body
    again = desk.collect()
    assert again.file is None and again.collections == ()
    desk.check()


def test_what_is_due_later_paid_or_of_nobodys_mandate_is_not_collected(
    desk: Collector, settings: Settings
) -> None:
    (ada, first), (bob, second), (dan, later) = desk.debtor(), desk.debtor(), desk.debtor()
    eve = desk.customer()
    desk.bill(eve)
    bills.pay(
        desk.context, second, idempotency_key="cash", now=NOW, amount_micros=30 * UNIT,
        channel=MoneyChannel.CASH,
    )  # fmt: skip
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for number, due in ((first, DUE), (later, DUE + timedelta(days=1))):
            admin.execute("UPDATE invoice SET due_on = %s WHERE number = %s", (due, number))
    report = desk.collect()
    assert [one.invoice_number for one in report.collections] == [first]
    assert desk.states(ada) == [S.PENDING]
    assert [desk.states(who) for who in (bob, dan, eve)] == [[], [], []]
    assert [one.invoice_number for one in desk.collect(on=date(2026, 3, 26)).collections] == [later]


def test_a_dry_run_shows_what_a_run_does_and_does_nothing(desk: Collector) -> None:
    ada, number = desk.debtor()
    shown = desk.collect(dry_run=True)
    assert shown.dry_run and shown.file is None and shown.total_micros == 30 * UNIT
    assert desk.states(ada) == [] and messages_of(desk, ada) == []
    done = desk.collect()
    assert [one.invoice_number for one in done.collections] == [number]
    assert done.collections[0].amount_micros == shown.collections[0].amount_micros


@pytest.mark.rule("M5")
def test_runs_at_once_make_one_file(desk: Collector) -> None:
    people = [desk.debtor() for _ in range(25)]
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(lambda _: desk.collect(), range(6)))
    numbers = [one.end_to_end_id for report in reports for one in report.collections]
    assert len(numbers) == len(set(numbers)) == 25
    assert [desk.states(who) for who, _ in people] == [[S.PENDING]] * 25
    made = [one.file for one in reports if one.file is not None]
    assert len(made) == 1 and sum(one.collections for one in made) == 25
    desk.check()


KILLED = """
import os, sys
from datetime import datetime
from billing.payments.registry import open_gateway
from billing.services import sepa_run
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store import sepa as store
from billing.store.pool import Database
where, left = sys.argv[3], int(sys.argv[4])
if where == "begun":
    store.waiting = lambda *_: os._exit(9)
elif where == "filled":
    insert = store.insert
    def counted(*rows):
        global left
        insert(*rows)
        left -= 1
        if not left:
            os._exit(9)
    store.insert = counted
else:
    store.mandates_of_file = lambda *_: os._exit(9)
settings = Settings()
context = Context(
    db=Database(settings.dsn("worker")), box=SecretBox(settings.secrets_key()), actor="killed"
)
now = datetime.fromisoformat(sys.argv[2])
sepa_run.collect(context, Gateways(open_gateway), int(sys.argv[1]), now)
"""


@pytest.mark.rule("M5")
@pytest.mark.parametrize(("where", "told"), [("begun", 0), ("filled", 1), ("written", 3)])
def test_a_run_that_is_killed_is_taken_up_by_the_next(
    desk: Collector, settings: Settings, where: str, told: int
) -> None:
    people = [desk.debtor() for _ in range(3)]
    environment = os.environ | {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    # Of "filled": the file, its first collection, and then amid the second.
    arguments = [sys.executable, "-c", KILLED, str(desk.gateway_id), NOW.isoformat(), where, "3"]
    done = subprocess.run(arguments, env=environment, check=False, timeout=120)
    assert done.returncode == 9
    assert [desk.states(who) for who, _ in people] == [[S.PENDING]] * 3
    assert sum(len(messages_of(desk, who)) for who, _ in people) == told
    unseen = {one.file_id for one in sepa_files.files(desk.context, limit=500)}
    report = desk.collect()
    assert report.file is not None and report.file.collections == 3
    assert report.file.file_id not in unseen
    assert [desk.states(who) for who, _ in people] == [[S.PENDING]] * 3
    assert all(len(messages_of(desk, who)) == 1 for who, _ in people)
    try_valid_xml(sepa_files.content(desk.context, report.file.file_id, NOW), SCHEMA)
    assert desk.collect().file is None


def test_a_file_that_was_left_for_days_is_collected_later_and_payers_are_told_anew(
    desk: Collector, settings: Settings
) -> None:
    who, _ = desk.debtor()
    environment = os.environ | {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    arguments = [
        sys.executable,
        "-c",
        KILLED,
        str(desk.gateway_id),
        NOW.isoformat(),
        "written",
        "1",
    ]
    assert subprocess.run(arguments, env=environment, check=False, timeout=120).returncode == 9
    desk.now += timedelta(days=10)
    report = desk.collect()
    assert report.file is not None and report.collect_on == date(2026, 4, 7)
    assert len(messages_of(desk, who)) == 2
    body = sepa_files.content(desk.context, report.file.file_id, NOW)
    assert b"2026-04-07" in body and b"2026-03-25" not in body


def test_the_payer_is_told_before(desk: Collector) -> None:
    who = desk.customer()
    messages.set_alerts(desk.context, who.customer_id, NOW, addresses=["ada@net.example"])
    mandate = desk.sign(who)
    number = desk.bill(who)
    desk.made()
    (told,) = messages_of(desk, who)
    with desk.context.transaction() as tx:
        facts = tx.scalars(
            select(tables.Message.facts).where(
                tables.Message.customer_id == who.customer_id,
                tables.Message.kind == "debit_notice",
                tables.Message.channel == "email",
            )
        ).one()
    assert told == "email"
    assert facts["collect_on"] == "2026-03-25" and facts["amount_micros"] == 30 * UNIT
    assert facts["mandate"] == mandate.reference and facts["account"] == mandate.account
    assert facts["number"] == number


@pytest.mark.rule("P1")
@pytest.mark.parametrize("named", ["file", "batch"])
def test_a_line_of_the_bank_that_names_a_file_pays_its_bills(desk: Collector, named: str) -> None:
    people = [desk.debtor(cents) for cents in (3000, 1250)]
    file_id = desk.made()
    reference = f"TWDD-{file_id}" + ("/1" if named == "batch" else "")
    assert desk.statement(f"42.50 {reference}", dry_run=True).lines[0].outcome is L.COLLECTED
    assert [desk.states(who) for who, _ in people] == [[S.PENDING]] * 2
    (line,) = desk.statement(f"42.50 SAMMELGUTSCHRIFT {reference}").lines
    assert line.outcome is L.COLLECTED and "2 direct debits" in line.words
    assert [desk.states(who) for who, _ in people] == [[S.SUCCEEDED]] * 2
    assert [desk.left(number) for _, number in people] == [0, 0]
    (again,) = desk.statement(f"42.50 {reference} again").lines
    assert again.outcome is L.NOTHING_OPEN
    desk.check()


def test_a_line_pays_one_collection_or_what_is_left_of_a_file(desk: Collector) -> None:
    (ada, _), (bob, _), (eve, _) = desk.debtor(1000), desk.debtor(2000), desk.debtor(4000)
    file_id = desk.made()
    (wrong,) = desk.statement(f"10.01 EREF+TWDD-{file_id}-{desk.payment(ada).attempt_id}").lines
    assert wrong.outcome is L.UNKNOWN and "10.00" in wrong.words
    (one,) = desk.statement(f"10.00 EREF+TWDD-{file_id}-{desk.payment(ada).attempt_id}").lines
    assert one.outcome is L.COLLECTED and one.customer_id == ada.customer_id
    assert desk.states(ada) == [S.SUCCEEDED] and desk.states(bob) == [S.PENDING]
    sepa_returns.returned(desk.context, str(desk.payment(bob).attempt_id), "AM04", NOW)
    (rest,) = desk.statement(f"40.00 TWDD-{file_id}").lines
    assert rest.outcome is L.COLLECTED and desk.states(eve) == [S.SUCCEEDED]
    assert desk.states(bob) == [S.FAILED]
    desk.check()


def test_statements_at_once_credit_a_file_once(desk: Collector) -> None:
    people = [desk.debtor() for _ in range(5)]
    file_id = desk.made()
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda n: desk.statement(f"150.00 TWDD-{file_id} copy {n}"), range(4))
        )
    outcomes = sorted(one.lines[0].outcome for one in found)
    assert outcomes == [L.COLLECTED, *[L.NOTHING_OPEN] * 3]
    assert [desk.states(who) for who, _ in people] == [[S.SUCCEEDED]] * 5
    assert {desk.wallet(who) for who, _ in people} == {0}
    desk.check()


@pytest.mark.rule("P1", "M4")
def test_a_return_before_the_money_fails_and_one_after_it_is_a_chargeback(
    desk: Collector,
) -> None:
    (ada, first), (bob, second) = desk.debtor(), desk.debtor()
    file_id = desk.made()
    reference = f"TWDD-{file_id}-{desk.payment(ada).attempt_id}"
    early = sepa_returns.returned(desk.context, reference, "am04", NOW)
    assert (early.effect, early.mandate_revoked) == (E.FAILED, False)
    assert desk.states(ada) == [S.FAILED] and desk.left(first) == 3000
    assert desk.payment(ada).reason == "AM04: the account had too little"
    assert sepa_results.arrived(desk.context, file_id, NOW)[1] == 1
    assert desk.states(bob) == [S.SUCCEEDED] and desk.left(second) == 0
    late = sepa_returns.returned(desk.context, str(desk.payment(bob).attempt_id), "MD06", NOW)
    assert late.effect is E.CHARGED_BACK and desk.states(bob) == [S.CHARGED_BACK]
    # The bill stays paid; what is missing stands in the wallet.
    assert desk.left(second) == 0 and desk.wallet(bob) == -3000
    for who, code in ((ada, "MD01"), (bob, "MD06")):
        number = str(desk.payment(who).attempt_id)
        assert sepa_returns.returned(desk.context, number, code, NOW).effect is E.KNOWN
    assert desk.wallet(bob) == -3000 and desk.wallet(ada) == 0
    assert sepa_results.arrived(desk.context, file_id, NOW)[1] == 0
    assert desk.collect().file is None  # what came back is not collected by itself
    desk.check()


def test_a_return_told_at_once_has_one_effect(desk: Collector) -> None:
    ada, _ = desk.debtor()
    file_id = desk.made()
    sepa_results.arrived(desk.context, file_id, NOW)
    number = str(desk.payment(ada).attempt_id)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda _: sepa_returns.returned(desk.context, number, "MD06", NOW).effect,
                range(16),
            )
        )
    assert sorted(found) == [E.CHARGED_BACK, *[E.KNOWN] * 15]
    assert desk.wallet(ada) == -3000
    desk.check()


def test_what_was_returned_is_collected_again_when_a_person_says_so(desk: Collector) -> None:
    ada, number = desk.debtor()
    desk.made()
    first = desk.payment(ada).attempt_id
    sepa_returns.returned(desk.context, str(first), "AM04", NOW)
    with pytest.raises(Refused, match=f"tollway sepa again {first}"):
        payments.retry(desk.context, first, idempotency_key="again", now=NOW)
    begun = [sepa_again.collect_again(desk.context, first, NOW).attempt_id for _ in range(2)]
    assert len(set(begun)) == 1
    desk.now += timedelta(days=3)
    payment_calls.run_due(desk.context, KNOWN, lambda: desk.now)
    report = desk.collect()
    assert [one.invoice_number for one in report.collections] == [number]
    assert report.collections[0].sequence is Sequence.RECURRING
    assert desk.states(ada) == [S.FAILED, S.PENDING]
    assert report.file is not None
    sepa_results.arrived(desk.context, report.file.file_id, desk.now)
    assert desk.left(number) == 0
    sepa_returns.returned(desk.context, str(begun[0]), "AM04", desk.now)
    with pytest.raises(Refused, match="came back twice"):
        sepa_again.collect_again(desk.context, begun[0], desk.now)
    desk.check()


@pytest.mark.rule("P5")
def test_a_revoked_or_expired_mandate_is_never_collected(desk: Collector) -> None:
    (ada, _), (bob, _), (eve, _) = desk.debtor(), desk.debtor(), desk.debtor()
    revoked = sepa_mandates.listed(desk.context, NOW, customer_id=ada.customer_id)[0]
    sepa_mandates.revoke(desk.context, revoked.mandate_id, "wrote to us", NOW)
    methods.remove(
        desk.context,
        bob.customer_id,
        sepa_mandates.listed(desk.context, NOW, customer_id=bob.customer_id)[0].method_id,
        NOW,
    )
    states = [
        sepa_mandates.listed(desk.context, NOW, customer_id=who.customer_id)[0].state
        for who in (ada, bob, eve)
    ]
    assert states == [MandateState.REVOKED, MandateState.REVOKED, MandateState.SIGNED]
    with pytest.raises(Refused, match="revoked already"):
        sepa_mandates.revoke(desk.context, revoked.mandate_id, "again", NOW)
    desk.now = datetime(2029, 4, 20, 9, tzinfo=UTC)
    report = desk.collect()
    assert report.file is None and len(report.left_out) == 1
    assert "revoked or expired" in report.left_out[0]
    assert desk.states(ada) == desk.states(bob) == [] and desk.states(eve) == [S.FAILED]


def test_a_mandate_revoked_between_the_payment_and_the_file_is_left_out(desk: Collector) -> None:
    ada, _ = desk.debtor()
    mandate = sepa_mandates.listed(desk.context, NOW, customer_id=ada.customer_id)[0]
    begun = payments.top_up(
        desk.context, ada.customer_id, desk.gateway_id, 5 * UNIT, idempotency_key="x", now=NOW,
        method_id=mandate.method_id,
    )  # fmt: skip
    payment_calls.run_due(desk.context, KNOWN, lambda: NOW)
    assert payments.history(desk.context, begun.attempt_id).payment.state is S.PENDING
    assert payments.history(desk.context, begun.attempt_id).payment.due_at is None
    sepa_mandates.revoke(desk.context, mandate.mandate_id, "wrote to us", NOW)
    report = desk.collect()
    assert report.file is None and "revoked" in report.left_out[0]
    assert payments.history(desk.context, begun.attempt_id).payment.state is S.FAILED


@pytest.mark.parametrize("code", ["MD01", "AC04"])
def test_a_return_for_good_ends_the_mandate(desk: Collector, code: str) -> None:
    ada, _ = desk.debtor()
    desk.made()
    found = sepa_returns.returned(
        desk.context, str(desk.payment(ada).attempt_id), code, NOW
    )  # fmt: skip
    assert found.mandate_revoked
    (mandate,) = sepa_mandates.listed(desk.context, NOW, customer_id=ada.customer_id)
    assert mandate.state is MandateState.REVOKED and (mandate.reason or "").startswith(code)


def test_sequences_follow_each_other_and_the_last_ends_the_mandate(desk: Collector) -> None:
    ada, bob, eve = desk.customer(), desk.customer(), desk.customer()
    desk.sign(ada)
    desk.sign(bob, sequence=Sequence.ONE_OFF)
    desk.sign(eve, sequence=Sequence.FINAL)
    for who in (ada, bob, eve):
        desk.bill(who)
    first = desk.collect()
    kinds = {one.customer_id: one.sequence for one in first.collections}
    assert kinds == {
        ada.customer_id: Sequence.FIRST,
        bob.customer_id: Sequence.ONE_OFF,
        eve.customer_id: Sequence.FINAL,
    }
    assert first.file is not None
    body = sepa_files.content(desk.context, first.file.file_id, NOW)
    assert body.count(b"<PmtInf>") == 3
    assert f"<PmtInfId>{first.file.message_id}/3</PmtInfId>".encode() in body
    (line,) = desk.statement(f"30.00 {first.file.message_id}/2").lines
    assert line.outcome is L.COLLECTED and line.customer_id == bob.customer_id
    for who in (ada, bob, eve):
        desk.bill(who)
    second = desk.collect()
    assert [(one.customer_id, one.sequence) for one in second.collections] == [
        (ada.customer_id, Sequence.RECURRING)
    ]
    states = [
        sepa_mandates.listed(desk.context, NOW, customer_id=who.customer_id)[0].state
        for who in (ada, bob, eve)
    ]
    assert states == [MandateState.SIGNED, MandateState.REVOKED, MandateState.REVOKED]


@pytest.mark.rule("P7")
def test_a_recharge_by_a_mandate_waits_for_the_file_and_there_is_one(desk: Collector) -> None:
    ada = desk.customer()
    mandate = desk.sign(ada)
    auto_recharge.set_up(
        desk.context,
        ada.customer_id,
        method_id=mandate.method_id,
        threshold_micros=20 * UNIT,
        amount_micros=60 * UNIT,
        now=NOW,
    )
    for _ in range(3):
        payment_calls.run_due(desk.context, KNOWN, lambda: desk.now)
    (waiting,) = payments.listed(desk.context, customer_id=ada.customer_id)
    assert waiting.purpose is PaymentPurpose.RECHARGE and waiting.state is S.PENDING
    assert waiting.due_at is None and desk.wallet(ada) == 0
    file_id = desk.made()
    (notice,) = messages_of(desk, ada)
    assert notice
    assert sepa_results.arrived(desk.context, file_id, desk.now)[1] == 1
    assert desk.wallet(ada) == 6000
    sepa_returns.returned(desk.context, str(waiting.attempt_id), "MD06", desk.now)
    (setting,) = auto_recharge.settings(desk.context, ada.customer_id)
    assert setting.paused_at is not None and desk.wallet(ada) == 0
    desk.check()


def test_a_collection_is_taken_back_until_it_is_in_a_file(desk: Collector) -> None:
    ada = desk.customer()
    mandate = desk.sign(ada)
    begun = [
        payments.top_up(
            desk.context, ada.customer_id, desk.gateway_id, 5 * UNIT, idempotency_key=str(n),
            now=NOW, method_id=mandate.method_id,
        ).attempt_id
        for n in range(2)
    ]  # fmt: skip
    payment_calls.run_due(desk.context, KNOWN, lambda: NOW)
    done = payment_cancel.cancel(desk.context, KNOWN, begun[0], lambda: NOW)
    assert done.state is S.CANCELLED
    report = desk.collect()
    assert [one.attempt_id for one in report.collections] == [begun[1]]
    with pytest.raises(Refused):
        payment_cancel.cancel(desk.context, KNOWN, begun[1], lambda: NOW)


def test_returns_of_a_file_count_once_and_a_bad_line_refuses_all(desk: Collector) -> None:
    (ada, _), (bob, _) = desk.debtor(), desk.debtor()
    file_id = desk.made()
    names = [f"TWDD-{file_id}-{desk.payment(who).attempt_id}" for who in (ada, bob)]
    bad = f"Reference;Reason\n{names[0]};AM04\nTWDD-{file_id}-999999;AM04\n{names[1]};no\n"
    with pytest.raises(BadLines) as found:
        sepa_returns.import_returns(desk.context, bad.encode(), NOW)
    assert [(line, name) for line, name, _ in found.value.lines] == [
        (3, "reference"),
        (4, "reason"),
    ]
    assert desk.states(ada) == [S.PENDING]
    good = f"reference,reason\n{names[0]},AM04\n{names[1]},MS03\n{names[0]},AM04\n".encode()
    done = sepa_returns.import_returns(desk.context, good, NOW)
    assert [one.effect for one in done] == [E.FAILED, E.FAILED, E.KNOWN]
    assert {one.effect for one in sepa_returns.import_returns(desk.context, good, NOW)} == {E.KNOWN}
    for wrong in (b"a,b\n1,2\n", b"\xff\xfe"):
        with pytest.raises(InvalidInput):
            sepa_returns.import_returns(desk.context, wrong, NOW)
    desk.check()


def test_what_cannot_be_signed_says_why(desk: Collector, make: Factory) -> None:
    ada = desk.customer()
    for options, field_name in [
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"bic": "NOPE"}, "bic"),
        ({"signed_on": date(2026, 3, 21)}, "signed_on"),
        ({"signed_on": date(2023, 3, 19)}, "signed_on"),
        ({"reference": "ä"}, "reference"),
    ]:
        with pytest.raises(InvalidInput) as found:
            desk.sign(ada, **options)
        assert found.value.field == field_name
    assert sepa_mandates.listed(desk.context, NOW, customer_id=ada.customer_id) == []
    desk.sign(ada, reference="M-1")
    with pytest.raises(Conflict, match="M-1"):
        desk.sign(desk.customer(), reference="M-1")
    with pytest.raises(Refused, match="no page to pay at"):
        payments.top_up(
            desk.context, ada.customer_id, desk.gateway_id, UNIT, idempotency_key="p", now=NOW
        )
    with pytest.raises(InvalidInput, match="too soon"):
        desk.collect(on=date(2026, 3, 24))
    with pytest.raises(NotFound):
        sepa_files.content(desk.context, 2**40, NOW)
    with pytest.raises(NotFound):
        sepa_returns.returned(desk.context, "TWDD-1-99999999", "AM04", NOW)
    with pytest.raises(InvalidInput):
        sepa_returns.returned(desk.context, "INV-7", "AM04", NOW)


def test_a_creditor_without_its_identifier_is_not_set_up(context: Context) -> None:
    for missing in ("creditor_id", "creditor_name"):
        named = {"creditor_id": "DE98ZZZ09999999999", "creditor_name": "Net"}
        del named[missing]
        with pytest.raises(InvalidInput) as found:
            gateways.add(
                context, KNOWN, name="bad", adapter="sepa", settings=named,
                secret_settings={"iban": iban(1)}, now=NOW,
            )  # fmt: skip
        assert found.value.field == missing


@pytest.mark.rule("A2")
def test_account_numbers_are_sealed_at_rest(desk: Collector, settings: Settings) -> None:
    ada = desk.customer()
    number = iban(987_654_321)
    mandate = desk.sign(ada, iban=number)
    desk.bill(ada)
    desk.made()
    assert mandate.account == f"{number[:4]} … {number[-4:]}" and number not in repr(mandate)
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        for table in (
            "sepa_mandate", "sepa_file", "sepa_collection", "payment_method", "message",
            "audit_log", "payment_attempt",
        ):  # fmt: skip
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            rows = admin.execute(query).fetchall()
            assert rows and not [row for row in rows if number in row[0]], table
            as_hex = number.encode().hex()
            assert not [row for row in rows if as_hex in row[0]], table
    assert json.dumps(mandate.reference) and number.encode() in sepa_files.content(
        desk.context, sepa_files.files(desk.context)[0].file_id, NOW
    )


def messages_of(desk: Collector, who: Subscriber) -> list[str]:
    """By which channels the payer was told of collections."""
    return [
        one.channel.value
        for one in messages.listed(desk.context, customer_id=who.customer_id)
        if one.kind == "debit_notice"
    ]
