"""A journal of records on the local disk: durable when `append` returns, read again in order.

One line a record: CRC-32 of the rest in hex, when it came (microseconds since 1970), its octets as
one line of text. A line that a crash has torn at the end was never acknowledged and is cut off; a
damaged one in the middle costs itself alone, since the next line is found again (radius.md F8).
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

SEGMENT_OCTETS = 4 * 2**20
DAMAGED = "damaged"
_CURSOR = "cursor"
_LOCK = "lock"
_SUFFIX = ".journal"
_CRC_DIGITS = 8


class JournalFull(Exception):
    """The journal holds as much as it may: nothing was taken."""


class JournalInUse(Exception):
    """Another process has this journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as read. `payload` is None when its line is damaged; `line` is all of it.

    `segment` and `end` say where the next one begins."""

    arrived_at: datetime | None
    payload: bytes | None
    line: bytes
    segment: int
    end: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not read yet; `oldest_at` is None when nothing is, or the oldest is damaged."""

    records: int
    octets: int
    oldest_at: datetime | None


def frame(arrived_at: datetime, payload: bytes) -> bytes:
    """One line. The payload may hold any octet but a line feed."""
    if b"\n" in payload:
        raise ValueError("a record of the journal must be one line")
    rest = b"%d %b" % (int(arrived_at.timestamp() * 1_000_000), payload)
    return b"%08x %b\n" % (zlib.crc32(rest), rest)


def unframe(line: bytes) -> tuple[datetime, bytes] | None:
    """The reverse of `frame`; None when the line is damaged."""
    digest, _, rest = line.removesuffix(b"\n").partition(b" ")
    try:
        if len(digest) != _CRC_DIGITS or int(digest, 16) != zlib.crc32(rest):
            return None
        arrived_us, _, payload = rest.partition(b" ")
        return datetime.fromtimestamp(int(arrived_us) / 1_000_000, UTC), payload
    except (ValueError, OverflowError, OSError):
        return None


class Journal:
    """The journal in a directory of its own; made when missing, one process at a time.

    `append` may be called by any thread, `read` and `advance` by one. Raises JournalInUse, OSError.
    """

    def __init__(
        self, directory: Path, *, octets_max: int, segment_octets: int = SEGMENT_OCTETS
    ) -> None:
        self.directory = directory
        self._octets_max = octets_max
        self._segment_octets = segment_octets
        self._mutex = threading.Lock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise JournalInUse(f"{directory} is used by another process") from error
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._cursor = os.open(directory / _CURSOR, flags, 0o600)
        self.torn_octets = self._cut_torn_tails()
        self._segment, self._offset = _position(directory)
        numbers = _segments(directory)
        self._last = max([self._segment, *numbers])
        self._stream: int | None = None  # of the segment that is written; a new one at every start
        self._end = 0
        found = survey(directory)
        self.waiting = found.records
        self.octets = found.octets
        self.oldest_at = found.oldest_at

    def append(self, records: Sequence[tuple[datetime, bytes]]) -> None:
        """Keep records (when each came, and its octets); returns when all are on the disk.

        Raises JournalFull, or OSError when they are not: then none may be acknowledged, though
        some may be read later.
        """
        block = b"".join(frame(arrived_at, payload) for arrived_at, payload in records)
        with self._mutex:
            if self.octets + len(block) > self._octets_max:
                raise JournalFull(f"{self.directory} holds {self.octets} octets")
            stream = self._writable()
            try:
                _write_all(stream, block)
            except OSError:
                os.ftruncate(stream, self._end)
                raise
            try:
                os.fdatasync(stream)
            except OSError:
                self._abandon(stream)
                raise
            self._end += len(block)
            self.octets += len(block)
            if self.oldest_at is None:
                self.oldest_at = records[0][0]
            self.waiting += len(records)

    def read(self, limit: int) -> list[Entry]:
        """The next records, in order, up to `limit`; the same again until `advance`."""
        with self._mutex:
            last, end = self._last, self._end if self._stream is not None else None
        found: list[Entry] = []
        for number in _segments(self.directory):
            # Nothing is read before it is durable: neither here nor in a segment begun meanwhile.
            if self._segment <= number <= last:
                start = self._offset if number == self._segment else 0
                until = end if number == last else None
                wanted = limit - len(found)
                found += islice(_entries(self.directory, number, start, until), wanted)
        if found:
            self.oldest_at = found[0].arrived_at
        return found

    def advance(self, done: Sequence[Entry]) -> None:
        """Forget what was read and dealt with: the first of what `read` gave."""
        if not done:
            return
        with self._mutex:
            self._segment, self._offset = done[-1].segment, done[-1].end
            self.waiting = max(1, self.waiting - len(done))
            self.octets = max(0, self.octets - sum(len(entry.line) for entry in done))
            if self._segment == self._last and not self._anything_left():
                self._close_stream()
                self._segment, self._offset = self._last + 1, 0
                self._last = self._segment
                self.waiting, self.octets, self.oldest_at = 0, 0, None
            # In place, as a full disk has no room for another file. Without it some records are
            # charged again after a crash, which does no harm.
            with suppress(OSError):
                os.pwrite(self._cursor, b"%020d %020d\n" % (self._segment, self._offset), 0)
            for number in _segments(self.directory):
                if number < self._segment:
                    _file(self.directory, number).unlink()

    def set_aside(self, entry: Entry) -> None:
        """Keep a damaged line, durably, in a file that nothing reads by itself."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        stream = os.open(self.directory / DAMAGED, flags, 0o600)
        try:
            _write_all(stream, entry.line)
            os.fdatasync(stream)
        finally:
            os.close(stream)

    def close(self) -> None:
        """Let another process have it."""
        with self._mutex:
            self._close_stream()
            os.close(self._cursor)
            os.close(self._lock)

    def _writable(self) -> int:
        """The segment to write to, a new one where there is none or it is large enough."""
        if self._stream is not None and self._end >= self._segment_octets:
            self._close_stream()
        if self._stream is None:
            number = self._last + 1
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._stream = os.open(_file(self.directory, number), flags, 0o600)
            self._last, self._end = number, 0
            _sync_directory(self.directory)
        return self._stream

    def _anything_left(self) -> bool:
        entries = _entries(self.directory, self._segment, self._offset, None)
        return next(entries, None) is not None

    def _abandon(self, stream: int) -> None:
        """After a failed sync: cut off what may be there, and never write after it again, as the
        kernel forgets which pages it could not write. Should some of it stay, no harm is done:
        a NAS has sent it, and it is counted once however often it comes."""
        with suppress(OSError):
            os.ftruncate(stream, self._end)
        self._close_stream()
        if self._end == 0:
            _file(self.directory, self._last).unlink(missing_ok=True)

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            os.close(stream)

    def _cut_torn_tails(self) -> int:
        """Cut off unfinished last lines: nothing after them was acknowledged. Octets cut."""
        cut = 0
        for number in _segments(self.directory):
            path = _file(self.directory, number)
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with path.open("r+b") as stream:
                    stream.truncate(whole)
                    os.fsync(stream.fileno())
                cut += len(data) - whole
        return cut


def survey(directory: Path) -> Waiting:
    """What waits in a journal, also while another process works on it."""
    records = octets = 0
    oldest_at: datetime | None = None
    try:
        segment, offset = _position(directory)
        for number in _segments(directory):
            if number < segment:
                continue
            for entry in _entries(directory, number, offset if number == segment else 0, None):
                oldest_at = entry.arrived_at if records == 0 else oldest_at
                records += 1
                octets += len(entry.line)
    except FileNotFoundError:
        pass  # emptied meanwhile
    return Waiting(records, octets, oldest_at)


def damaged_octets(directory: Path) -> int:
    """How much was set aside as damaged."""
    try:
        return (directory / DAMAGED).stat().st_size
    except FileNotFoundError:
        return 0


def _entries(directory: Path, number: int, start: int, until: int | None) -> Iterator[Entry]:
    """Whole lines of one segment from `start` on."""
    try:
        stream = _file(directory, number).open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.seek(start)
        end = start
        while (until is None or end < until) and (line := stream.readline()).endswith(b"\n"):
            end += len(line)
            content = unframe(line)
            if content is None:
                yield Entry(None, None, line, number, end)
            else:
                yield Entry(content[0], content[1], line, number, end)


def _position(directory: Path) -> tuple[int, int]:
    """Segment and offset of the next record. Without a usable cursor everything is read again,
    which does no harm: the meter counts nothing twice (rule U2)."""
    try:
        segment, offset = (directory / _CURSOR).read_text().split()
        return int(segment), int(offset)
    except (FileNotFoundError, ValueError):
        return 0, 0


def _segments(directory: Path) -> list[int]:
    names = (path.name for path in directory.glob(f"*{_SUFFIX}"))
    stems = (name.removesuffix(_SUFFIX) for name in names)
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _file(directory: Path, number: int) -> Path:
    return directory / f"{number:010d}{_SUFFIX}"


def _write_all(stream: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(stream, view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
