"""The segments in cdc_raw, while they are written: one beside each segment of the commit log that has mutations for it,
under the same id (db/commitlog/CommitLogSegmentManagerCDC.java).

The commit log tells of each section that it has written (`write`), and of each sync (`sync`, maybe in another thread). So a
mutation is in cdc_raw before it is acknowledged, and as durable as commitlog_sync says; what is not there when the process
dies, completion.py brings from the log. Beside each segment its index, `_cdc.idx`, says up to where both are durable, and
COMPLETED once nothing more comes: consumers may remove it then.

Space: where what is there and another segment would be more than `total_bytes`, mutations are refused (`admit`), or, without
`blocks`, the oldest segments are removed. A segment that is begun is filled; consumers make room by removing files, which is
looked for every `check_interval_s`.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from storage.cdc.format import (
    VERSION_40,
    index_name,
    index_text,
    maybe_segment_id,
    section,
    segment_header,
    segment_name,
)
from storage.commitlog.log import CdcFull
from storage.commitlog.records import is_tracked, split_tracked
from storage.environment.environment import AppendFile, Clock, Disk

log = logging.getLogger("cqlserver.cdc")

_TOLD_EVERY_S: Final = 10.0
"""That mutations are refused."""


@dataclass(frozen=True, slots=True)
class CdcOptions:
    """`folder`: cdc_raw_directory. `segment_bytes` is what a segment is reckoned with before it is written
    (commitlog_segment_size). `on_repair`: what streams bring to such tables is captured, too."""

    folder: str
    total_bytes: int
    segment_bytes: int
    check_interval_s: float = 0.25
    blocks: bool = True
    on_repair: bool = True
    version: int = VERSION_40


class _Segment:
    """One that is written, or waits for its last sync. `indexed` and `completed` are set by `sync` alone."""

    __slots__ = ("completed", "file", "id", "indexed", "offset")

    def __init__(self, id: int, file: AppendFile) -> None:
        self.id, self.file = id, file
        self.offset = 0
        self.indexed = 0
        self.completed = False


class CdcSegments:
    """See the module. Single-threaded, but for `sync`."""

    def __init__(self, disk: Disk, clock: Clock, options: CdcOptions) -> None:
        self.options = options
        self._disk, self._now = disk, clock.monotonic
        self._open: list[_Segment] = []  # replaced, never changed in place: `sync` takes it from another thread
        self._size = 0  # of all files, when it was last looked
        self._looked_s, self._looked_for = 0.0, -1
        self._told_s: float | None = None
        self._permitted = -1
        """The id of the commit log's segment whose mutations are taken."""

    def last_id(self) -> int:
        """Of the newest segment; 0 where there is none."""
        names = self._disk.list(self.options.folder)
        return max((i for name in names if (i := maybe_segment_id(name)) is not None), default=0)

    # -- space --------------------------------------------------------------------------------------------------------

    def admit(self, keyspace: str, log_segment: int) -> None:
        """Before a mutation is logged, while the log stands in that segment. Raises CdcFull."""
        if self._permitted == log_segment:
            return
        now = self._now()
        if log_segment != self._looked_for or now - self._looked_s >= self.options.check_interval_s:
            self._look(log_segment)
        if self._has_room(log_segment) or not self.options.blocks:
            self._permitted = log_segment
            return
        text = (
            f"Rejecting mutation to keyspace {keyspace}. Free up space in {self.options.folder} by processing CDC logs. "
            f"Total CDC bytes on disk is {self._size}."
        )
        if self._told_s is None or now - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now
            log.warning("%s", text)
        raise CdcFull(text)

    def _look(self, log_segment: int) -> None:
        self._looked_s, self._looked_for = self._now(), log_segment
        self._size = sum(self._size_of(name) for name in self._disk.list(self.options.folder))

    def _size_of(self, name: str) -> int:
        try:
            return self._disk.size(f"{self.options.folder}/{name}")
        except OSError:
            return 0  # its consumer was faster

    def _has_room(self, log_segment: int) -> bool:
        """For a segment of that id, which may be begun."""
        begun = self._open[-1].offset if self._open and self._open[-1].id == log_segment else 0
        return self._size - begun + self.options.segment_bytes <= self.options.total_bytes

    def _make_room(self, log_segment: int) -> None:
        """Removes the oldest segments, until there is room for that one or none is left that is not written to."""
        folder = self.options.folder
        still_open = {segment.id for segment in self._open}
        found = sorted((i, name) for name in self._disk.list(folder) if (i := maybe_segment_id(name)) is not None)
        for segment_id, name in found:
            if self._has_room(log_segment) or segment_id in still_open:
                return
            for each in (name, index_name(name)):
                self._size -= self._size_of(each)
                with suppress(FileNotFoundError):  # its consumer was faster
                    self._disk.unlink(f"{folder}/{each}")
            log.warning("%s/%s is removed: there may be %d bytes (cdc_total_space)", folder, name, self.options.total_bytes)

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, log_segment: int, records: list[bytes]) -> None:
        """The mutations of records that the commit log has written to a segment of it. Raises OSError."""
        mutations = [mutation for record in records if is_tracked(record) for mutation in split_tracked(record)[0]]
        if not mutations:
            return
        segment = self._open[-1] if self._open and self._open[-1].id == log_segment else self._begin(log_segment)
        data = section(segment.id, segment.offset, mutations)
        segment.file.write(data)
        segment.offset += len(data)

    def _begin(self, segment_id: int) -> _Segment:
        self._open = [segment for segment in self._open if not segment.completed]
        self._look(segment_id)
        if not self.options.blocks:
            self._make_room(segment_id)
        self._permitted = segment_id if self._has_room(segment_id) or not self.options.blocks else -1
        header = segment_header(self.options.version, segment_id)
        segment = _Segment(segment_id, self._disk.open_append(self._path(segment_id)))
        segment.file.write(header)
        segment.offset = len(header)
        self._open = [*self._open, segment]
        return segment

    # -- durability ---------------------------------------------------------------------------------------------------

    def offsets(self) -> list[tuple[_Segment, int]]:
        """How far each segment is written: what the next `sync` of the commit log covers."""
        return [(segment, segment.offset) for segment in self._open]

    def sync(self, offsets: list[tuple[_Segment, int]], log_segment: int) -> None:
        """Makes that much durable, which the commit log has durable up to `log_segment`; what belongs to segments before
        that is complete. Raises OSError."""
        for segment, offset in offsets:
            if segment.completed or segment.id > log_segment:
                continue
            is_complete = segment.id < log_segment
            if offset == segment.indexed and not is_complete:
                continue
            segment.file.sync()
            if not segment.indexed:
                self._disk.sync_folder(self.options.folder)
            self._disk.write_file_atomically(self._index_path(segment.id), index_text(offset, is_complete))
            segment.indexed = offset
            if is_complete:
                segment.file.close()
                segment.completed = True

    def complete(self) -> bool:
        """Whether there were segments that nothing more comes for: the log begins another one, or ends. All of it is
        durable. Raises OSError."""
        was_open = [segment for segment in self._open if not segment.completed]
        for segment in was_open:
            self.sync([(segment, segment.offset)], segment.id + 1)
        self._open = []
        self._permitted = -1
        return bool(was_open)

    def close(self) -> None:
        """After a failure: the files."""
        for segment in self._open:
            if not segment.completed:
                segment.file.close()
        self._open = []

    def _path(self, segment_id: int) -> str:
        return f"{self.options.folder}/{segment_name(self.options.version, segment_id)}"

    def _index_path(self, segment_id: int) -> str:
        return f"{self.options.folder}/{index_name(segment_name(self.options.version, segment_id))}"
