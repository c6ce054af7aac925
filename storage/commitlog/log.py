"""The commit log: what the memtables hold, in the order in which it was written, so that a start finds it again.

Records are opaque bytes here (engine.py knows them). `append` only gathers; `write` hands everything gathered to the
system in one call, as one *section* with one checksum; `sync` makes it durable and may run in another thread. The
format is described in docs/formats/commitlog.md; format.py holds its constants, and reads it; recovery.py is
what a start does with it.

Invariants:
- A record is acknowledged only after the `write` (periodic) or the `sync` (group, batch) that covers it has returned.
- A failed write or sync is final: the state is unknown, nothing is retried, every later `append` raises
  CommitLogFailed. Reads go on. (Cassandra's commit_failure_policy stop_commit, of which this is the whole effect.)
- A segment's file is never written again after a start: a start begins a new segment, and a torn tail is cut off
  durably before, so that "only the newest segment may end early" holds at every start.
- Segments never stall the caller: rotating opens a file, and leaves syncing and closing the old one to `sync`.
- A full segment should be synced at once (`write` says so), and then leaves the system's cache: it is read at a start
  only, and a log that fills memory with itself makes every further page of it dearer.
"""

import logging
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate, takewhile
from sys import byteorder
from typing import TYPE_CHECKING, NoReturn

from protocol.crc32 import crc32
from protocol.errors import StorageError
from storage.commitlog.format import (
    POSITION_SHIFT,
    RECORD_SYNCED,
    SECTION_HEADER,
    SEGMENT_HEADER_BYTES,
    SYNCED_RECORD,
    CommitLogPosition,
    SectionReader,
    section_header_checksum,
    segment_file_name,
    segment_header,
)
from storage.commitlog.records import group_record, split_tracked
from storage.commitlog.recovery import RecordHandler, Recovery, Replayed
from storage.environment.environment import AppendFile, Clock, Disk

if TYPE_CHECKING:
    from storage.cdc.segments import CdcSegments
    from storage.commitlog.archiving import Archiver

log = logging.getLogger("cqlserver.commitlog")

SEGMENT_BYTES_DEFAULT = 32 << 20
"""Cassandra's commitlog_segment_size. Larger segments are discarded later, smaller ones limit a mutation's size."""
SEGMENT_BYTES_MIN = 1 << 10
"""Room for the headers and for a record of half a segment."""
_RECORD_OVERHEAD_BYTES = 4  # its length
_SECTION_OVERHEAD_BYTES = SECTION_HEADER.size + 4
_MARK_BYTES = _SECTION_OVERHEAD_BYTES + _RECORD_OVERHEAD_BYTES + SYNCED_RECORD.size


class SyncMode(Enum):
    """When a write is acknowledged (commitlog_sync of cassandra.yaml)."""

    PERIODIC = "periodic"
    """At once; the log is synced every `sync_period_ms`."""
    GROUP = "group"
    """After a sync, which comes `group_window_ms` after the first write that waits for it."""
    BATCH = "batch"
    """After a sync, which starts as soon as the one before has ended."""


@dataclass(frozen=True, slots=True)
class CommitLogOptions:
    """The settings of cassandra.yaml, units in the names; `mutation_bytes_max` 0 means half a segment, as there."""

    sync: SyncMode = SyncMode.PERIODIC
    sync_period_ms: int = 10_000
    group_window_ms: int = 10
    segment_bytes: int = SEGMENT_BYTES_DEFAULT
    mutation_bytes_max: int = 0
    ignore_replay_errors: bool = False

    def __post_init__(self) -> None:
        if self.segment_bytes < SEGMENT_BYTES_MIN:
            raise ValueError(f"commitlog_segment_size must be at least {SEGMENT_BYTES_MIN} bytes")
        if not self.mutation_bytes_max:
            object.__setattr__(self, "mutation_bytes_max", self.segment_bytes // 2)
        elif self.segment_bytes < 2 * self.mutation_bytes_max:
            raise ValueError("commitlog_segment_size must be at least twice the size of max_mutation_size / 1024")

    @property
    def sync_before_reply(self) -> bool:
        return self.sync is not SyncMode.PERIODIC


class CommitLogFailed(StorageError):
    """The commit log could not be written or synced; this node takes no more writes until it is started anew."""


class CdcFull(StorageError):
    """cdc_raw has no room for what a record is about: nothing was logged (exceptions/CDCWriteException.java)."""


class RecordTooLarge(StorageError):
    """A record of `size` bytes where `limit` are allowed (max_mutation_size); nothing was logged."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a record of {size} bytes is larger than the limit of {limit}")
        self.size, self.limit = size, limit


class _Segment:
    """A segment that is written, or waits for its last sync. `synced` and `named` are set by `sync` alone."""

    __slots__ = ("file", "id", "named", "offset", "synced")

    def __init__(self, id: int, file: AppendFile) -> None:
        self.id, self.file = id, file
        self.offset = 0
        self.synced = False
        self.named = False


class CommitLog:
    """The log in `folder`. Replay first (once), then append and write. Single-threaded, but for `sync`."""

    def __init__(self, disk: Disk, clock: Clock, folder: str, options: CommitLogOptions) -> None:
        self.options = options
        self.written_position = CommitLogPosition(0)
        self.synced_position = CommitLogPosition(0)
        self.is_sync_wanted = False
        """Something in the background waits for a sync: whoever sees to them need not wait for the end of the period."""
        self._lengths: list[int] = []  # of the gathered records, which are _parts, one behind the other
        self._parts: list[bytes] = []
        self._written = 0
        self._disk, self._clock, self._folder = disk, clock, folder
        self._record_bytes_max = options.mutation_bytes_max
        self._failure: str | None = None
        self._segments: dict[int, int] = {}  # by id, oldest first: their lengths; that of the newest may have grown
        self._open: list[_Segment] = []  # replaced, never changed in place: `sync` takes it from another thread
        self._last_length = 0  # of the newest segment, when it is not open
        self._begins_segment = False
        self._durable_before = 0  # all segments before the one with this id are, and the next section has to say so
        # Segments of the process before, which may have been killed before it synced them.
        self._inherited: list[str] = []
        self.archiver: Archiver | None = None
        self.follower: CdcSegments | None = None
        """Gets what was appended by `append_tracked`, and is synced with the log."""
        self._has_tracked = False
        self.recovery = Recovery(disk, folder, options.ignore_replay_errors)

    # --- writing ---------------------------------------------------------------------------------------------------

    @property
    def gathered(self) -> int:
        """How many records wait for the next `write`."""
        return len(self._lengths)

    @property
    def appended(self) -> int:
        """How many records have been appended since the start."""
        return self._written + len(self._lengths)

    def append(self, record: bytes, rest: bytes = b"") -> None:
        """Gather a record, which may come in two parts, for the next `write`. Raises CommitLogFailed, RecordTooLarge."""
        length = len(record) + len(rest)
        if length > self._record_bytes_max:
            raise RecordTooLarge(length, self._record_bytes_max)
        if self._failure is not None:
            raise CommitLogFailed(self._failure)
        self._lengths.append(length)
        self._parts += (record, rest)

    def append_tracked(self, record: bytes) -> None:
        """The same of a tracked record (records.py). The record in it may be as long as any other; with its mutations it has
        to fit into a segment."""
        length, limit = len(record), self._record_bytes_max
        own = len(split_tracked(record)[1])
        if own > limit:
            raise RecordTooLarge(own, limit)
        room = self.options.segment_bytes - SEGMENT_HEADER_BYTES - _SECTION_OVERHEAD_BYTES - _RECORD_OVERHEAD_BYTES
        if length > room:
            raise RecordTooLarge(length, room)
        if self._failure is not None:
            raise CommitLogFailed(self._failure)
        self._has_tracked = True
        self._lengths.append(length)
        self._parts += (record, b"")

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """What is appended meanwhile is one record: all of it or nothing after a crash. No longer than a record may be."""
        count = len(self._lengths)
        yield
        lengths, joined = self._lengths[count:], b"".join(self._parts[2 * count :])
        del self._lengths[count:], self._parts[2 * count :]
        ends = list(accumulate(lengths))
        if lengths:
            self.append(group_record([joined[end - length : end] for length, end in zip(lengths, ends, strict=True)]))

    @property
    def segment(self) -> int:
        """The id of the one that was written to last, 0 where there is none."""
        return self.written_position >> POSITION_SHIFT

    def begin_segment(self) -> None:
        """What is written from here on goes to a new one. To be called when nothing is gathered."""
        self._begins_segment = True

    def write(self) -> bool:
        """Hand all gathered records to the system; whether that made a segment full. Raises CommitLogFailed."""
        lengths, parts = self._lengths, self._parts
        if not lengths:
            return False
        self._lengths, self._parts = [], []
        self._written += len(lengths)
        if self._failure is not None:
            raise CommitLogFailed(self._failure)
        try:
            payload = _payload(lengths, parts)
            room = self.options.segment_bytes - _MARK_BYTES - SECTION_HEADER.size - len(payload)
            if self._open and (segment := self._open[-1]).offset <= room and not self._begins_segment:
                self._write_section(segment, payload)
                return False
            return self._write_rotating(payload)
        except OSError as error:
            self._fail("written", error)
        finally:
            self._has_tracked = False

    def _write_section(self, segment: _Segment, payload: bytes) -> None:
        if self._durable_before:
            self._write_mark(segment)
        offset = segment.offset
        length = len(payload)
        header = SECTION_HEADER.pack(length, section_header_checksum(segment.id, offset, length), crc32(payload))
        segment.file.write(header + payload)
        segment.offset = offset = offset + SECTION_HEADER.size + length
        self.written_position = CommitLogPosition(segment.id << POSITION_SHIFT | offset)
        if self._has_tracked and self.follower is not None:
            self.follower.write(segment.id, parse_payload(payload))

    def _write_mark(self, segment: _Segment) -> None:
        durable_before, self._durable_before = self._durable_before, 0
        record = SYNCED_RECORD.pack(RECORD_SYNCED, durable_before)
        self._write_section(segment, _payload([len(record)], [record]))

    def _write_rotating(self, payload: bytes) -> bool:
        """Write records that the open segment has no room for: to new segments, as many as they need."""
        is_first = not self._open
        records = parse_payload(payload)
        while records:
            segment = self._rotate()
            room = self.options.segment_bytes - segment.offset - _SECTION_OVERHEAD_BYTES
            sizes = accumulate(len(record) + _RECORD_OVERHEAD_BYTES for record in records)
            # a record is at most half a segment, so one always fits
            count = sum(1 for size in sizes if size <= room)
            self._write_section(segment, _payload([len(record) for record in records[:count]], records[:count]))
            records = records[count:]
        return not is_first

    def _rotate(self) -> _Segment:
        """Open the next segment and write its header."""
        self._begins_segment = False
        last_id = max(self._segments, default=self.recovery.losses.freed)
        last_length = self._open[-1].offset if self._open else self._last_length
        if last_id in self._segments:
            self._segments[last_id] = last_length
        newest_id = max(last_id, self.follower.last_id()) if self.follower is not None and not self._open else last_id
        segment_id = max(newest_id + 1, self._clock.wall_us() // 1000, self.written_position >> POSITION_SHIFT)
        segment = _Segment(segment_id, self._disk.open_append(self._path(segment_id)))
        header = segment_header(segment_id, last_id, last_length)
        segment.file.write(header)
        segment.offset = len(header)
        # the old segment's handle stays in the list until `sync` has synced and closed it
        self._open = [*(s for s in self._open if not s.synced), segment]
        self._segments[segment_id] = segment.offset
        return segment

    # --- durability ------------------------------------------------------------------------------------------------

    @property
    def failure(self) -> str | None:
        """Why the log takes no more records; None while it does."""
        return self._failure

    def sync(self) -> CommitLogPosition:
        """Make everything written so far durable and give its position. May run in a thread beside `write`, but not
        beside another `sync`. Raises CommitLogFailed."""
        if self._failure is not None:
            raise CommitLogFailed(self._failure)
        position = self.written_position  # before the segments: what is written meanwhile is not promised
        segments = self._open
        follower = self.follower
        followed = follower.offsets() if follower is not None else []  # no more than what the segments have
        if position <= self.synced_position:
            return position
        has_ended = bool(self._inherited)
        try:
            if self._inherited:
                self._sync_inherited()
            for segment in segments:
                if segment.synced:
                    continue
                segment.file.sync()
                if not segment.named:
                    self._disk.sync_folder(self._folder)
                    segment.named = True
            if follower is not None and segments:  # before a segment counts as synced: it may be freed then
                follower.sync(followed, segments[-1].id)
            for segment in segments[:-1]:
                if not segment.synced:
                    if self.archiver is not None:
                        self.archiver.segment_ended(segment.id)
                    segment.synced = True
                    segment.file.leave_cache()
                    segment.file.close()
                    has_ended = True
        except OSError as error:
            self._fail("synced", error)
        if has_ended and segments:
            self._durable_before = segments[-1].id
        self.synced_position = position
        return position

    def _sync_inherited(self) -> None:
        for path in self._inherited:
            if self._disk.exists(path):
                file = self._disk.open_append(path)
                try:
                    file.sync()
                finally:
                    file.close()
        self._disk.sync_folder(self._folder)
        self._inherited = []

    def _fail(self, verb: str, error: OSError) -> NoReturn:
        self._failure = f"the commit log could not be {verb} ({error}); this node takes no writes until it is restarted"
        self._lengths, self._parts = [], []
        log.error("%s", self._failure)
        raise CommitLogFailed(self._failure) from error

    def close(self) -> None:
        """Write and sync what is left, unless the log has failed, and close the files."""
        try:
            if self._failure is None:
                self.write()
                self.sync()
                if self.follower is not None and self.follower.complete() and self._open:
                    self._durable_before = self._open[-1].id + 1  # nothing more comes to it but the mark
                if self._open and self._durable_before:
                    self._write_mark(self._open[-1])
                    self.sync()
        finally:
            if self.follower is not None:
                self.follower.close()
            for segment in self._open:
                if not segment.synced:
                    segment.file.close()
            if self._open:
                self._last_length = self._open[-1].offset
            self._open = []

    # --- discarding ------------------------------------------------------------------------------------------------

    @property
    def first_position(self) -> CommitLogPosition:
        """All that the log has lies behind it."""
        if not self._segments:
            return self.written_position
        return CommitLogPosition(min(self._segments) << POSITION_SHIFT)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        older = sum(self._segments.values()) - (self._segments[self._open[-1].id] if self._open else 0)
        return older + (self._open[-1].offset if self._open else 0)

    def bytes_before(self, position: CommitLogPosition) -> int:
        """Of the segments that lie wholly before `position`."""
        until = position >> POSITION_SHIFT
        return sum(length for segment_id, length in self._segments.items() if segment_id < until)

    def discard_completed(self, position: CommitLogPosition) -> list[int]:
        """Remove the segments that lie wholly before `position` (everything before it is in SSTables) and give their
        ids. The newest segment stays."""
        gone = self.take_completed(position)
        self.remove_segments(gone)
        return gone

    def take_completed(self, position: CommitLogPosition) -> list[int]:
        """The segments that `discard_completed` would remove: they are no part of the log any more."""
        until = position >> POSITION_SHIFT
        still_open = {segment.id for segment in self._open if not segment.synced}
        older = list(self._segments)[:-1]
        gone = list(takewhile(lambda segment_id: segment_id < until and segment_id not in still_open, older))
        for segment_id in gone:
            del self._segments[segment_id]
        return gone

    def remove_segments(self, gone: list[int]) -> None:
        """Their files. May run in a thread beside everything but `replay`."""
        if gone:
            losses = self.recovery.losses
            losses.freed = max(losses.freed, gone[-1])
            losses.forget_freed()
            losses.save(self._disk, self._folder)
        for segment_id in gone:
            if self.archiver is None or not self.archiver.holds(segment_id):
                self._disk.unlink(self._path(segment_id))

    def empty(self) -> None:
        """Sync and remove all segments: everything is in SSTables. What is written later begins a new one. Raises
        StorageError where they could not be archived before."""
        self.write()
        self.sync()
        if self.follower is not None:
            self.follower.complete()
        if self.archiver is not None:
            self.archiver.archive_all([segment.id for segment in self._open if not segment.synced])
        for segment in self._open:
            if not segment.synced:
                segment.file.close()
        gone = list(self._segments)
        self._open, self._segments = [], {}
        self._inherited = []
        self.remove_segments(gone)

    def refuse(self, reason: str) -> None:
        """From now on it takes no records, as if it had failed."""
        self._failure = reason

    # --- replay ----------------------------------------------------------------------------------------------------

    def read_before_replay(self, handler: RecordHandler) -> None:
        """The same, of what is whole, without a word on what is not. Raises CorruptionError."""
        self.recovery.read(self._wanted(handler))

    def replay(self, handler: RecordHandler) -> Replayed:
        """Give every section's records, oldest first, and the position behind them to `handler` (recovery.py)."""
        if self._segments:
            raise StorageError("the commit log was read already")
        recovery = self.recovery
        replayed = recovery.run(self._wanted(handler))
        self._segments = dict(recovery.lengths)
        if self._segments:
            newest = max(self._segments)
            self._last_length = recovery.lengths[newest]
            self.written_position = CommitLogPosition(newest << POSITION_SHIFT | self._last_length)
            self._inherited = [self._path(segment_id) for segment_id in self._segments]
        else:  # where the next one begins: behind all that there ever was
            segment_id = max(recovery.losses.freed + 1, 1000 * self._clock.now_s())
            self.written_position = self.synced_position = CommitLogPosition(segment_id << POSITION_SHIFT)
        return replayed

    def _wanted(self, handler: RecordHandler) -> RecordHandler:
        return handler if self.archiver is None else self.archiver.wanted(handler)

    def _path(self, segment_id: int) -> str:
        return f"{self._folder}/{segment_file_name(segment_id)}"


def _payload(lengths: list[int], parts: list[bytes]) -> bytes:
    """A section's payload: [u32 count][u32 length of each record][the records]; the records are `parts`, one behind the
    other."""
    numbers = array("I", (len(lengths), *lengths))
    if byteorder == "little":
        numbers.byteswap()
    return b"".join((numbers.tobytes(), *parts))


def parse_payload(payload: bytes) -> list[bytes]:
    """The records of a payload whose checksum was right."""
    return SectionReader.records_of(payload, 0)


__all__ = [
    "SEGMENT_HEADER_BYTES",
    "CommitLog",
    "CommitLogFailed",
    "CommitLogOptions",
    "CommitLogPosition",
    "RecordTooLarge",
    "Replayed",
    "SyncMode",
]
