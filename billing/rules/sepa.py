"""SEPA direct debit: which mandates may be used, when money is collected, what returns mean
(rules P1, P5, P7; the Core Rulebook of the European Payments Council)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from billing.model.payments import DeclineKind
from billing.model.sepa import Creditor, MandateState, Sequence
from billing.rules.cycles import bank_day_from, local_day, local_instant, months_after

UNUSED_MONTHS = 36
"""A mandate that was not used for so long must not be used any more."""

REASONS = {
    "AC01": "the account number is wrong",
    "AC04": "the account is closed",
    "AC06": "the account is blocked",
    "AC13": "the account is not a consumer's",
    "AG01": "the account takes no direct debits",
    "AG02": "the bank does not know this kind of collection",
    "AM04": "the account had too little",
    "AM05": "it was collected twice",
    "BE05": "the creditor identifier is wrong",
    "CNOR": "the creditor's bank cannot be reached",
    "DNOR": "the payer's bank cannot be reached",
    "FF01": "the file was not in order",
    "MD01": "there is no valid mandate",
    "MD02": "details of the mandate are missing",
    "MD06": "the payer wants it back",
    "MD07": "the payer has died",
    "MS02": "the payer refused it",
    "MS03": "the bank gives no reason",
    "RC01": "the bank's BIC is wrong",
    "RR01": "the law asks for the payer's account",
    "RR02": "the law asks for the payer's name or address",
    "RR03": "the law asks for the creditor's name or address",
    "RR04": "the law forbids it",
    "SL01": "the payer has told the bank to refuse it",
}
"""Codes of ISO 20022 that banks give for returns of direct debits, in words."""
NO_REASON = "MS03"
"""What stands for a reason where the bank gives none that is a code."""
_SOFT = frozenset({"AM04", "MS03", "CNOR", "DNOR", "FF01", "AG02", "BE05", "AM05"})
_REVOKING = frozenset({"AC01", "AC04", "AC06", "AC13", "AG01", "MD01", "MD02", "MD07", "SL01"})
_BY_PAYER = frozenset({"AC01", "AC04", "AC06", "AM04", "MD06", "MS02", "MS03", "SL01"})
_DUPLICATE = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"})

# What the European Payments Council allows in identifiers and texts (EPC217-08).
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_REFERENCE = re.compile(
    r"[A-Za-z0-9+?/\-:().,'](?:[A-Za-z0-9+?/\-:().,' ]{0,33}[A-Za-z0-9+?/\-:().,'])?"
)
_CODE = re.compile(r"[A-Z]{2}[A-Z0-9]{2}")
_COLLECTION = re.compile(
    r"(?<![A-Z0-9])TWDD[\s\-]{0,2}(\d{1,18})(?:(/)(\d{1,4})|-(\d{1,18}))?(?![0-9A-Z])",
    re.IGNORECASE | re.ASCII,
)


def mandate_state(
    signed_on: date, used_on: date | None, day: date, *, removed: bool
) -> MandateState:
    """What a mandate is on a local day."""
    if removed:
        return MandateState.REVOKED
    last = max(signed_on, used_on or signed_on)
    is_old = day > months_after(last, UNUSED_MONTHS)
    return MandateState.EXPIRED if is_old else MandateState.SIGNED


def sequence_after(sequence: Sequence) -> Sequence | None:
    """What comes after a collection; None: nothing may be collected any more."""
    if sequence in (Sequence.FIRST, Sequence.RECURRING):
        return Sequence.RECURRING
    return None


def earliest_collection(creditor: Creditor, now: datetime, zone: str) -> date:
    """The first day on which a file made now may collect: the lead after today, or after tomorrow
    where the cut-off has passed, and a day on which banks work (TARGET)."""
    today = local_day(now, zone)
    if now >= local_instant(today, creditor.cut_off_minute, zone):
        today += timedelta(days=1)
    return bank_day_from(today + timedelta(days=creditor.lead_days))


def collection_problem(wanted: date, creditor: Creditor, now: datetime, zone: str) -> str:
    """Why nothing can be collected on a day, in words; empty: it can."""
    earliest = earliest_collection(creditor, now, zone)
    if wanted < earliest:
        return (
            f"is too soon: {earliest} is the first day, {creditor.lead_days} days after the notice"
        )
    if wanted != bank_day_from(wanted):
        return f"is no day on which banks settle; the next is {bank_day_from(wanted)}"
    if wanted > earliest + timedelta(days=_FAR_DAYS):
        return f"is more than {_FAR_DAYS} days after the earliest day, {earliest}"
    return ""


_FAR_DAYS = 60


def reason_problem(code: str) -> str:
    """Why it is no reason code, in words; empty: it is one. Codes that we have no words for may
    come, as banks add some."""
    return "" if _CODE.fullmatch(code) else "a reason has four characters, like AM04 or MD01"


def reason_words(code: str) -> str:
    """`AM04: the account had too little`."""
    return f"{code}: {REASONS[code]}" if code in REASONS else code


def decline_of(code: str) -> DeclineKind:
    """Whether it may go well another day (rule P7)."""
    return DeclineKind.SOFT if code in _SOFT else DeclineKind.HARD


def revokes(code: str) -> bool:
    """Whether the mandate must not be used again."""
    return code in _REVOKING


def costs_a_fee(code: str) -> bool:
    """Whether a payer bears the fee of a return: not where a bank or we erred, where there was no
    mandate, nor where somebody has died."""
    return code in _BY_PAYER


def is_duplicate(code: str) -> bool:
    """Whether a bank refuses a file as it has had it already: then the one before it counts."""
    return code in _DUPLICATE


def masked(iban: str) -> str:
    """`DE89 … 3000`: country, check digits, and the last four."""
    return f"{iban[:4]} … {iban[-4:]}"


def reference_problem(reference: str) -> str:
    """Why it is no reference of a mandate, in words; empty: it is one."""
    if _REFERENCE.fullmatch(reference):
        return ""
    return "must have 1 to 35 letters, digits and signs of / - ? : ( ) . , ' +"


def cleaned(text: str) -> str:
    """Only what files may hold, blanks collapsed."""
    return " ".join(_NOT_ALLOWED.sub(" ", text).split())


def message_id(file_id: int) -> str:
    """What a file is known by at the bank."""
    return f"TWDD-{file_id}"


def end_to_end_id(file_id: int, attempt_id: int) -> str:
    """What a collection is known by, in statements and returns."""
    return f"{message_id(file_id)}-{attempt_id}"


def batch_id(file_id: int, batch: int) -> str:
    """What a batch of a file is known by: one booking at many banks."""
    return f"{message_id(file_id)}/{batch}"


def batches(sequences: Iterable[Sequence]) -> list[Sequence]:
    """The batches of a file that has these: one of each, numbered from 1."""
    there = set(sequences)
    return [sequence for sequence in Sequence if sequence in there]


def collections_named(text: str) -> set[tuple[int, int | None, int | None]]:
    """Files that a text names, each with the batch or the payment, where one is named."""
    return {
        (int(file_id), int(batch) if batch else None, int(attempt_id) if attempt_id else None)
        for file_id, _, batch, attempt_id in _COLLECTION.findall(text)
    }
