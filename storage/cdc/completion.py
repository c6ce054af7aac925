"""cdc_raw at a start: it is made to say what the commit log says.

The log has what was acknowledged, and each of its records that is for cdc_raw has the very bytes that go there. A segment
of the log that a later mark calls durable (recovery.py's `settled_before`) has its whole segment in cdc_raw, complete, or it
was removed by a consumer since. Of every other the segment in cdc_raw is read: what is there and in the log, in the log's
order, stays, so that no offset that a consumer has seen moves; what the log has not is cut off, it was never acknowledged;
what is missing is appended. A segment that a consumer has removed too early is there again, whole, as in Cassandra: at least
once.
"""

import logging
from collections.abc import Sequence

from storage.cdc.format import (
    Section,
    index_name,
    index_text,
    is_completed,
    maybe_segment_id,
    read_segment,
    section,
    segment_header,
    segment_name,
)
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.commitlog.records import is_tracked, split_tracked
from storage.commitlog.recovery import RecordHandler
from storage.environment.environment import Disk

log = logging.getLogger("cqlserver.cdc")


class Completion:
    """One start. `settled_before`: segments of the log with smaller ids have all that is theirs in cdc_raw."""

    def __init__(self, disk: Disk, folder: str, version: int, settled_before: int) -> None:
        self._disk, self._folder, self._version, self._settled_before = disk, folder, version, settled_before
        self._segment_id = 0
        self._mutations: list[bytes] = []
        self._done: set[int] = set()

    def following(self, handler: RecordHandler) -> RecordHandler:
        """The same handler of the log's sections, and it takes what is for cdc_raw."""

        def handle(records: list[bytes], position: CommitLogPosition) -> None:
            segment_id = position >> POSITION_SHIFT
            if segment_id != self._segment_id:
                self._complete()
                self._segment_id = segment_id
            if segment_id >= self._settled_before:
                for record in records:
                    if is_tracked(record):
                        self._mutations += split_tracked(record)[0]
            handler(records, position)

        return handle

    def finish(self) -> None:
        """The log has ended. Raises OSError."""
        self._complete()
        for name in self._disk.list(self._folder):
            segment_id = maybe_segment_id(name)
            if segment_id is None or segment_id in self._done or self._is_complete(name):
                continue
            if segment_id < self._settled_before:  # cdc_enabled was false when its log was replayed
                self._end(name, read_segment(self._read(name)).end)
            else:  # of what it has, the log has nothing
                self._remove(name)

    def _complete(self) -> None:
        mutations, self._mutations = self._mutations, []
        if not mutations:
            return
        segment_id = self._segment_id
        self._done.add(segment_id)
        name = segment_name(self._version, segment_id)
        path = f"{self._folder}/{name}"
        data = self._read(name) if self._disk.exists(path) else b""
        found = read_segment(data)
        header = segment_header(self._version, segment_id)
        kept, end = _common(found.sections, mutations, len(header))
        if data and data[: len(header)] != header:
            end = 0
        if len(data) > end:
            self._disk.truncate(path, end)
        missing = mutations[kept:] if end else mutations
        if missing or not end:
            file = self._disk.open_append(path)
            try:
                if not end:
                    file.write(header)
                    end = len(header)
                added = section(segment_id, end, missing)
                file.write(added)
                file.sync()
            finally:
                file.close()
            end += len(added)
            self._disk.sync_folder(self._folder)
            log.info("%s: %d mutations of the commit log were missing", path, len(missing))
        self._end(name, end)

    def _read(self, name: str) -> bytes:
        return self._disk.read_file(f"{self._folder}/{name}")

    def _is_complete(self, name: str) -> bool:
        path = f"{self._folder}/{index_name(name)}"
        return self._disk.exists(path) and is_completed(self._disk.read_file(path))

    def _end(self, name: str, end: int) -> None:
        """Its index; the file is durable, or made so."""
        file = self._disk.open_append(f"{self._folder}/{name}")
        try:
            file.sync()
        finally:
            file.close()
        self._disk.write_file_atomically(f"{self._folder}/{index_name(name)}", index_text(end, is_completed=True))

    def _remove(self, name: str) -> None:
        for each in (index_name(name), name):
            if self._disk.exists(f"{self._folder}/{each}"):
                self._disk.unlink(f"{self._folder}/{each}")
        self._disk.sync_folder(self._folder)


def _common(sections: Sequence[Section], mutations: list[bytes], start: int) -> tuple[int, int]:
    """How many mutations the sections have in common with the log, and where these end; whole sections only."""
    count, end = 0, start if sections else 0
    for found in sections:
        behind = count + len(found.mutations)
        if list(found.mutations) != mutations[count:behind]:
            break
        count, end = behind, found.end
    return count, end
