"""Where what a compaction keeps is written: one SSTable, or one after the other, cut by size or at shards of the ring."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from storage.compaction.choices import UNLIMITED, Choice, total_bytes
from storage.compaction.unified import boundaries
from storage.memtable.memtable import Position
from storage.sstable.reader import SSTableReader
from storage.sstable.writer import SSTableWriter


class ApartOutputs:
    """Two of them: one for what `is_inside`, one for the rest."""

    def __init__(self, inside: "Outputs", outside: "Outputs", is_inside: Callable[[Position], bool]) -> None:
        self._inside, self._outside, self._is_inside = inside, outside, is_inside

    def writer(self, position: Position) -> SSTableWriter:
        return (self._inside if self._is_inside(position) else self._outside).writer(position)

    def end(self) -> None:
        self._inside.end()
        self._outside.end()

    @property
    def complete(self) -> list[SSTableWriter]:
        return self._inside.complete + self._outside.complete

    def abort(self) -> None:
        self._inside.abort()
        self._outside.abort()


class Outputs:
    """`open_writer` is given a level and about how many partitions will come."""

    def __init__(
        self, choice: Choice[SSTableReader], key_count: int, open_writer: Callable[[int, int], SSTableWriter]
    ) -> None:
        self._choice, self._open = choice, open_writer
        self._boundaries: Sequence[Position] = boundaries(choice.shards)
        plain = sum(reader.data_bytes for reader in choice.inputs)
        parts = max(choice.shards, -(-plain // choice.sstable_bytes) if choice.sstable_bytes < UNLIMITED else 1)
        self._all_keys, self._key_count = key_count, -(-key_count // max(parts, 1))
        self._shard = -1
        self._in_level = 0
        self._level = choice.level
        self._writer: SSTableWriter | None = None
        self.complete: list[SSTableWriter] = []

    def writer(self, position: Position) -> SSTableWriter:
        """For the partition there, which is the next one."""
        writer = self._writer
        if writer is not None and writer.partition_count and self._is_full(writer, position):
            self.end()
            writer = None
        if writer is None:
            writer = self._writer = self._open(self._level, self._expected_keys())
        if self._boundaries:
            self._shard = bisect_right(self._boundaries, position)
        return writer

    def _expected_keys(self) -> int:
        """Of the output that begins."""
        ends = self._choice.output_bytes
        if not ends:
            return self._key_count
        share = ends[min(len(self.complete), len(ends) - 1)] / max(total_bytes(self._choice.inputs), 1)
        return max(round(self._all_keys * share), 1)

    def _is_full(self, writer: SSTableWriter, position: Position) -> bool:
        ends, number = self._choice.output_bytes, len(self.complete)
        if writer.disk_bytes > (ends[number] if number < len(ends) else self._choice.sstable_bytes):
            return True
        return bool(self._boundaries) and bisect_right(self._boundaries, position) != self._shard

    def end(self) -> None:
        """Nothing more comes into the one that is being written."""
        writer = self._writer
        if writer is None:
            return
        if not writer.partition_count:
            self._writer = None
            writer.abort()
            return
        writer.finish()
        self._writer = None
        self.complete.append(writer)
        self._in_level += writer.disk_bytes
        capacities = self._choice.level_bytes
        if capacities and self._in_level > capacities[min(self._level, len(capacities)) - 1]:
            self._level, self._in_level = self._level + 1, 0

    def abort(self) -> None:
        """Removes all that was written."""
        for writer in ([self._writer] if self._writer is not None else []) + self.complete:
            writer.abort()
