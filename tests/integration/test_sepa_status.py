"""pain.002: what a bank refuses of a file of direct debits has failed, once (rules P1, P5, M5)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from billing.errors import InvalidInput
from billing.model.payments import PaymentState
from billing.model.sepa import MandateState
from billing.model.sepa_status import StatusEffect, StatusImport
from billing.services import sepa_mandates, sepa_results, sepa_status
from billing.services.context import Context
from billing.store import tables
from tests.factories import Factory
from tests.integration.iso20022 import Answer, Entry, Item, camt
from tests.integration.test_bank_camt import collected
from tests.integration.test_sepa import NOW, Collector, euro  # noqa: F401

S, E = PaymentState, StatusEffect
CREDITOR = "DE98ZZZ09999999999"


@pytest.fixture
def desk(context: Context, make: Factory) -> Collector:
    return Collector(context, make)


def take(desk: Collector, answer: Answer, *, dry_run: bool = False) -> StatusImport:
    return sepa_status.import_status(desk.context, answer.xml(), NOW, dry_run=dry_run)


def file_of(name: str) -> str:
    return name.rpartition("-")[0]


def effects(report: StatusImport) -> list[tuple[str, StatusEffect]]:
    return [(one.reference, one.effect) for one in report.lines]


@pytest.mark.rule("P1", "M5")
@pytest.mark.parametrize("version", [3, 10])
def test_what_is_refused_has_failed_once(desk: Collector, version: int) -> None:
    (ada, bob, eve), names = collected(desk, 3)
    items = [
        Item(end_to_end=names[0], reason="AM04", amount="30.00", creditor=CREDITOR),
        Item(end_to_end=names[1], reason="AC04"),
        Item(end_to_end=names[2], status="ACCP"),
    ]
    batch = f"{file_of(names[0])}/1"
    answer = Answer(
        original=file_of(names[0]), count=3, status="PART",
        batches=[(batch, "PART", "", items)], version=version,
    )  # fmt: skip
    planned = take(desk, answer, dry_run=True)
    assert [desk.states(who) for who in (ada, bob, eve)] == [[S.PENDING]] * 3
    report = take(desk, answer)
    assert planned.lines == report.lines and (report.refused, report.known) == (2, 0)
    assert effects(report) == [
        (file_of(names[0]), E.NOTED), (batch, E.NOTED), (names[2], E.NOTED),
        (names[0], E.FAILED), (names[1], E.FAILED),
    ]  # fmt: skip
    assert [one.mandate_revoked for one in report.lines[-2:]] == [False, True]
    assert report.lines[-1].customer_id == bob.customer_id
    assert [desk.states(who) for who in (ada, bob, eve)] == [[S.FAILED], [S.FAILED], [S.PENDING]]
    again = take(desk, answer)
    assert (again.refused, again.known) == (0, 2)
    assert sepa_results.arrived(desk.context, int(batch[5:-2]), NOW)[1] == 1
    desk.check()


@pytest.mark.rule("P1")
@pytest.mark.parametrize("part", ["file", "batch"])
def test_a_file_or_batch_that_is_refused_revokes_no_mandate(desk: Collector, part: str) -> None:
    people, names = collected(desk, 2)
    name = file_of(names[0])
    answer = Answer(original=name, status="RJCT", reason="AC01")
    if part == "batch":
        answer = Answer(original=name, batches=[(f"{name}/1", "RJCT", "AC01", [])])
    report = take(desk, answer)
    assert effects(report) == [(one, E.FAILED) for one in names]
    assert [desk.states(who) for who in people] == [[S.FAILED]] * 2
    for who in people:
        (mandate,) = sepa_mandates.listed(desk.context, NOW, customer_id=who.customer_id)
        assert mandate.state is MandateState.SIGNED
    assert take(desk, answer).known == 2
    desk.check()


@pytest.mark.rule("P1")
def test_what_fits_nothing_is_listed_and_kept(desk: Collector) -> None:
    people, names = collected(desk, 2)
    name = file_of(names[0])
    items = [
        Item(end_to_end=f"{name}-99999", reason="AM04"),
        Item(end_to_end=names[0], reason="AM04", amount="29.00"),
        Item(end_to_end=names[1], status=""),
    ]
    answer = Answer(
        original=name,
        batches=[(f"{name}/2", "RJCT", "MS03", []), (f"{name}/1", "RJCT", "AM05", items)],
    )
    planned, report = take(desk, answer, dry_run=True), take(desk, answer)
    assert planned.lines == report.lines and report.unplaced == 5
    assert [desk.states(who) for who in people] == [[S.PENDING]] * 2
    words = [one.words for one in report.lines]
    assert "no batch of this file" in words[0] and "the bank had it already" in words[1]
    assert words[2:] == [
        "is no collection of this file: look into it",
        "is said to be of 29.00 EUR: nothing was done, look into it",
        "says no status: look into it",
    ]
    with desk.context.transaction() as tx:
        chosen = select(tables.AuditLog.detail).where(tables.AuditLog.action == "sepa.status")
        kept = tx.scalars(chosen.order_by(tables.AuditLog.audit_id.desc())).first()
    assert kept is not None and len(json.loads(kept)["unplaced"]) == 5


def test_an_answer_to_something_else_is_refused(desk: Collector) -> None:
    (ada,), (name,) = collected(desk)
    own = file_of(name)
    wrong = [Item(end_to_end=name, reason="AM04", creditor="FR72ZZZ123456")]
    for answer, said in [
        (Answer(original="MSG-1", status="RJCT"), "'MSG-1', which is no file of direct debits"),
        (Answer(original="TWDD-99999999", status="RJCT"), "no file of direct debits of ours"),
        (Answer(original=f"{own}/1", status="RJCT"), "no file of direct debits of ours"),
        (Answer(original=own, count=2, status="RJCT"), f"speaks of 2 debits; {own} has 1"),
        (Answer(original=own, batches=[("x", "", "", wrong)]), "of the creditor FR72ZZZ123456"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            take(desk, answer)
        assert said in refused.value.message and refused.value.field == "file"
    body = Answer(original=own, status="RJCT").xml()
    for bad, said in [
        (body[:-30], "breaks off"),
        (camt(Entry(amount="1.00")), "it is a statement (camt.053)"),
        (b"reference,reason\n", "is no XML"),
        (body.replace(b"OrgnlMsgId", b"Other"), "of which file it is"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            sepa_status.import_status(desk.context, bad, NOW)
        assert said in refused.value.message
    assert desk.states(ada) == [S.PENDING]
