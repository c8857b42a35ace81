"""The journal on the local disk: order, bounds, torn and damaged lines (rules U1, A8)."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.events import AccountingRecord, Status, Unusable, UnusableRecord
from billing.services.acct_journal import decoded, encoded
from billing.store.journal import (
    DAMAGED,
    Journal,
    JournalFull,
    JournalInUse,
    damaged_octets,
    frame,
    survey,
    unframe,
)

AT = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
LARGE = 10**9


def opened(directory: Path, **more: int) -> Journal:
    return Journal(directory, **({"octets_max": LARGE} | more))


def payloads(journal: Journal, limit: int = LARGE) -> list[bytes | None]:
    return [entry.payload for entry in journal.read(limit)]


def lines(*numbers: int) -> list[tuple[datetime, bytes]]:
    return [(AT + timedelta(seconds=number), b"record %d" % number) for number in numbers]


def names(*numbers: int) -> list[bytes]:
    return [b"record %d" % number for number in numbers]


def test_records_are_read_in_order_across_segments_and_forgotten_when_done(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_octets=60)
    for number in range(7):
        journal.append(lines(number))
    assert len(list(tmp_path.glob("*.journal"))) > 1
    assert payloads(journal) == names(*range(7))
    first = journal.read(3)
    journal.advance(first)
    assert (journal.waiting, payloads(journal)) == (4, names(3, 4, 5, 6))
    assert journal.oldest_at == AT + timedelta(seconds=3)
    journal.append(lines(7))
    journal.advance(journal.read(LARGE))
    assert (journal.waiting, journal.octets, payloads(journal)) == (0, 0, [])
    assert list(tmp_path.glob("*.journal")) == []
    journal.append(lines(8))
    assert payloads(journal) == names(8)


def test_another_process_finds_what_was_kept_and_goes_on_where_the_first_ended(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    journal.append(lines(1, 2, 3))
    journal.advance(journal.read(1))
    with pytest.raises(JournalInUse):
        opened(tmp_path)
    assert survey(tmp_path).records == 2
    journal.close()
    again = opened(tmp_path)
    assert (again.waiting, payloads(again)) == (2, names(2, 3))
    again.append(lines(4))
    assert payloads(again) == names(2, 3, 4)


def test_without_its_cursor_everything_is_read_again(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(lines(1, 2))
    journal.advance(journal.read(1))
    journal.close()
    (tmp_path / "cursor").write_bytes(b"")
    assert payloads(opened(tmp_path)) == names(1, 2)


@pytest.mark.parametrize("torn", range(1, 20))
def test_a_torn_tail_is_cut_at_the_last_whole_record(tmp_path: Path, torn: int) -> None:
    journal = opened(tmp_path)
    journal.append(lines(1, 2))
    journal.close()
    (segment,) = tmp_path.glob("*.journal")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-torn])
    again = opened(tmp_path)
    assert again.torn_octets > 0
    assert payloads(again) == names(1)
    again.append(lines(3))
    assert payloads(again) == names(1, 3)


@given(st.data())
def test_a_damaged_octet_costs_two_records_at_most(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = opened(directory)
    journal.append(lines(1, 2, 3, 4))
    journal.close()
    (segment,) = directory.glob("*.journal")
    content = bytearray(segment.read_bytes())
    where = data.draw(st.integers(0, len(content) - 1))
    content[where] ^= data.draw(st.integers(1, 255))
    segment.write_bytes(bytes(content))
    again = opened(directory)
    entries = again.read(LARGE)
    good = [entry.payload for entry in entries if entry.payload is not None]
    assert set(good) <= set(names(1, 2, 3, 4))
    assert len(good) >= 2
    for entry in entries:
        if entry.payload is None:
            again.set_aside(entry)
    again.advance(entries)
    assert again.waiting == 0
    assert damaged_octets(directory) == sum(len(e.line) for e in entries if e.payload is None)
    again.close()


def test_it_takes_no_more_than_it_may_hold(tmp_path: Path) -> None:
    journal = opened(tmp_path, octets_max=80)
    journal.append(lines(1, 2))
    with pytest.raises(JournalFull):
        journal.append(lines(3))
    assert payloads(journal) == names(1, 2)
    journal.advance(journal.read(LARGE))
    journal.append(lines(3))
    assert payloads(journal) == names(3)


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_failed_write_leaves_nothing_behind_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = opened(tmp_path)
    journal.append(lines(1))
    real = getattr(os, call)

    def fails(descriptor: int, *content: memoryview) -> int:
        if content:
            real(descriptor, content[0][:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                journal.append(lines(2))
    journal.append(lines(3))
    assert payloads(journal) == names(1, 3)
    assert journal.waiting == 2
    journal.advance(journal.read(LARGE))
    assert (journal.waiting, list(tmp_path.glob("*.journal"))) == (0, [])


@given(st.binary().map(lambda octets: octets.replace(b"\n", b"")), st.datetimes())
def test_a_line_says_what_it_was_given(payload: bytes, at: datetime) -> None:
    at = at.replace(tzinfo=UTC, year=2026)
    line = frame(at, payload)
    found = unframe(line)
    assert found is not None
    assert found[1] == payload
    assert abs(found[0] - at) <= timedelta(microseconds=1)


def test_a_line_feed_in_a_record_is_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        frame(AT, b"a\nb")


_TEXTS = st.text(max_size=20)


@given(
    st.builds(
        AccountingRecord,
        st.sampled_from(Status),
        _TEXTS,
        st.just("10.0.0.1"),
        _TEXTS,
        st.just(AT),
        st.just(AT),
        st.booleans(),
        st.none() | st.integers(0, 2**62),
        st.none() | st.integers(0, 2**62),
        st.none() | st.integers(0, 2**62),
        raw=st.none() | _TEXTS,
        anomalies=st.lists(_TEXTS).map(tuple),
    )
    | st.builds(UnusableRecord, st.sampled_from(Unusable), _TEXTS, st.just(AT), _TEXTS)
)
def test_a_record_comes_back_as_it_was(record: AccountingRecord | UnusableRecord) -> None:
    arrived_at, payload = encoded(record)
    assert arrived_at == AT
    assert b"\n" not in payload
    assert decoded(payload) == record


def test_what_is_no_record_is_none() -> None:
    for payload in (b"", b"record", b"record {}", b"record [1", b"letter {}"):
        assert decoded(payload) is None


def test_the_file_of_damaged_lines_is_kept_apart(tmp_path: Path) -> None:
    assert damaged_octets(tmp_path) == 0
    (tmp_path / DAMAGED).write_bytes(b"x")
    assert survey(tmp_path).records == 0
