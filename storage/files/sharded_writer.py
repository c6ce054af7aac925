"""Several SSTables written as one, cut where shards of the ring begin (db/compaction/unified/ShardedMultiWriter.java)."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from storage.memtable.memtable import Position, position_of
from storage.sstable.descriptor import Descriptor
from storage.sstable.unfiltered import PartitionData
from storage.sstable.writer import SSTableWriter

_BEHIND_ALL: Final = b"\xff" * 9


class ShardedWriter:
    """As an SSTableWriter. `boundaries`: where each shard but the first begins, of two shards and more."""

    def __init__(self, boundaries: Sequence[Position], open_writer: Callable[[], SSTableWriter]) -> None:
        self._boundaries, self._open = boundaries, open_writer
        self._writer = open_writer()
        self._complete: list[SSTableWriter] = []
        self._following = boundaries[0]

    @property
    def partition_count(self) -> int:
        return sum(writer.partition_count for writer in (*self._complete, self._writer))

    @property
    def bytes_written(self) -> int:
        return sum(writer.bytes_written for writer in (*self._complete, self._writer))

    @property
    def descriptors(self) -> list[Descriptor]:
        """Of what was written."""
        return [writer.descriptor for writer in (*self._complete, self._writer)]

    def append(self, key: bytes, partition: PartitionData) -> None:
        self._at(position_of(key)).append(key, partition)

    def append_single(self, position: Position, partition: bytes) -> None:
        self._at(position).append_single(position, partition)

    def _at(self, position: Position) -> SSTableWriter:
        if position >= self._following:
            if self._writer.partition_count:
                self._writer.finish()
                self._complete.append(self._writer)
                self._writer = self._open()
            shard = bisect_right(self._boundaries, position)
            self._following = self._boundaries[shard] if shard < len(self._boundaries) else _BEHIND_ALL
        return self._writer

    def finish(self) -> None:
        """There must be a partition in it."""
        if self._writer.partition_count or not self._complete:
            self._writer.finish()
        else:
            # the last partition held nothing
            self._writer.abort()
            self._writer = self._complete.pop()

    def abort(self) -> None:
        for writer in (*self._complete, self._writer):
            writer.abort()
