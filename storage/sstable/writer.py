"""Writes one SSTable, partition by partition, in token order (io/sstable/format/SortedTableWriter.java).

The files get their final names at once; they are durable when `finish` returns, TOC.txt last: an SSTable without it was
never finished. `abort` removes them. What is written while other work waits is up to the caller: rows may come from a
generator that pauses.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain
from operator import lt
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from protocol.errors import CorruptionError
from storage.environment.environment import AppendFile
from storage.environment.strands import beside
from storage.keys import clustering_order_key
from storage.memtable.memtable import Position, hashes_and_positions, position_of
from storage.memtable.packed import Layouts
from storage.mutation import LIVE, Deletion, Row
from storage.schema.metadata import TableMetadata
from storage.sstable import compression, statistics
from storage.sstable.cardinality import Cardinality
from storage.sstable.chunks import ChunkWriter
from storage.sstable.collector import MetadataCollector
from storage.sstable.constants import (
    BTI,
    COMPRESSION_INFO,
    CRC,
    DATA,
    DIGEST,
    END_OF_PARTITION,
    FILTER,
    INDEX_BYTES,
    STATISTICS,
    TOC,
    BoundKind,
)
from storage.sstable.copied import CopiedRun
from storage.sstable.deletions import encode_deletion
from storage.sstable.descriptor import Descriptor
from storage.sstable.encoder import RowEncoder
from storage.sstable.filter import maybe_filter
from storage.sstable.header import SerializationHeader, header_of
from storage.sstable.index import Block
from storage.sstable.index_writers import BigIndexWriter, IndexWriter
from storage.sstable.prefixes import Prefix, place_of
from storage.sstable.statistics import LogPosition, Statistics, Stats
from storage.sstable.unfiltered import Marker, PartitionData, Unfiltered, interleaved
from storage.token import KeyHashes, key_hashes

_END: Final = bytes((END_OF_PARTITION,))
_FIRST_PREFIX: Final = Prefix(BoundKind.EXCL_START, ())
_LAST_PREFIX: Final = Prefix(BoundKind.EXCL_END, ())


PartitionWritten = Callable[[TableMetadata, bytes, int, int, str], None]
"""A partition was written: (table, key, its bytes in Data.db, its tombstones, that file's path). Of those that are copied as
bytes no tombstones are counted."""


class WriterOptions(NamedTuple):
    """What an SSTable says of itself beside its data. `key_count`: about how many partitions will come, for the bloom
    filter. `index_block_bytes`: column_index_size; None: what it is where nothing is set. `written` is told of each
    partition."""

    key_count: int
    level: int = 0
    repaired_at_ms: int = 0
    pending_repair: UUID | None = None
    originating_host: UUID | None = None
    commit_log_intervals: tuple[tuple[LogPosition, LogPosition], ...] = ()
    index_block_bytes: int | None = None
    written: PartitionWritten | None = None


class WriterDisk(Protocol):
    """What a writer needs of a disk; see environment.Disk."""

    def exists(self, path: str) -> bool: ...
    def open_append(self, path: str) -> AppendFile: ...
    def unlink(self, path: str) -> None: ...
    def sync_folder(self, folder: str) -> None: ...


class SSTableWriter:
    """See the module. `partition_count` and `bytes_written` (plain ones) say how far it is."""

    def __init__(
        self,
        disk: WriterDisk,
        folder: str,
        descriptor: Descriptor,
        table: TableMetadata,
        layouts: Layouts,
        options: WriterOptions,
        header: SerializationHeader | None = None,
    ) -> None:
        """`header`: another one than the table's own, for whoever writes what another server wrote."""
        self._disk, self._folder, self._table, self._options = disk, folder, table, options
        self.descriptor = descriptor
        self._version = descriptor.version
        self._header = header or header_of(table)
        self._has_statics = bool(self._header.statics)
        self._order_key = clustering_order_key(table)
        self._clustering_of = layouts.clustering
        self._collector = MetadataCollector()
        self._encoder = RowEncoder(self._header, layouts, self._version, self._collector)
        self._single_head = encode_deletion(LIVE, self._version)
        if self._has_statics:
            self._single_head += self._encoder.static_row(None)
        self._filter = maybe_filter(options.key_count, table.params.bloom_filter_fp_chance)
        self._low: tuple[bytes, Prefix] | None = None
        self._high: tuple[bytes, Prefix] | None = None
        self._last_position: Position = b""
        self._first_key = self._last_key = b""
        self.partition_count = 0
        self._copied: dict[int, tuple[Statistics, int]] = {}
        self._components: list[str] = []
        params = compression.maybe_params(table.params.compression)
        self._data = ChunkWriter(self._open(DATA), params)
        self._index: IndexWriter
        if self._version.format == BTI:
            from storage.sstable.bti_writer import BtiIndexWriter

            self._index = BtiIndexWriter(self._open, self._header, self._version)
        else:
            codec, interval = self._encoder.codec, table.params.min_index_interval
            self._index = BigIndexWriter(self._open, interval, codec, self._version)
        wanted = options.index_block_bytes
        self._block_bytes = INDEX_BYTES[self._version.format] if wanted is None else wanted

    @property
    def bytes_written(self) -> int:
        return self._data.position

    @property
    def disk_bytes(self) -> int:
        """Of Data.db."""
        return self._data.file_bytes

    def append(self, key: bytes, partition: PartitionData) -> None:
        """A partition behind all before. One that holds nothing is left out."""
        unfiltereds = interleaved(partition.rows, partition.tombstones, self._order_key)
        first = next(unfiltereds, None)
        if first is None and partition.static is None and partition.deletion == LIVE:
            return
        start = self._begin(position_of(key))
        self._collector.partition_deletion(partition.deletion)
        head = len(key).to_bytes(2, "big") + key + encode_deletion(partition.deletion, self._version)
        if self._has_statics:
            head += self._encoder.static_row(partition.static)
        self._data.write(head)
        blocks = [] if first is None else self._write_unfiltereds(start, first, unfiltereds)
        promoted = self._index.promoted(len(head), partition.deletion, blocks, self._data.position - start)
        self._data.write(_END)
        self._end(key, key_hashes(key), start, promoted)

    def append_single(self, position: Position, partition: bytes) -> None:
        """A partition of one packed row, as a memtable has it, behind all before."""
        key = position[8:]
        start = self._begin(position)
        head = len(key).to_bytes(2, "big") + key + self._single_head
        ck_end = 2 + (partition[0] << 8 | partition[1])
        size = len(head)
        self._data.write(head + self._encoder.packed_row(partition, size, ck_end) + _END)
        ck = partition[2:ck_end]
        if self._low is None or self._high is None or not self._low[0] <= ck <= self._high[0]:
            self._widen((ck, partition[ck_end:]))
        self._end(key, key_hashes(key), start, b"")

    def append_raw(
        self, position: Position, hashes: KeyHashes, pieces: Iterable[bytes], promoted: bytes, source: Statistics
    ) -> None:
        """A partition of another SSTable of this version, as bytes: of one whose `is_current` holds. `promoted`: its index,
        `source`: the SSTable's statistics.

        What its rows count is not looked at: of each source the share that was copied is added in the end.
        """
        start = self._begin(position)
        for piece in pieces:
            self._data.write(piece)
        self._copied[id(source)] = source, self._copied.get(id(source), (source, 0))[1] + 1
        self._register(position[8:], hashes, start, promoted)
        size = self._data.position - start
        self._collector.end_copy(size)
        if self._options.written is not None:
            self._tell(position[8:], size, 0)

    def append_run(self, run: CopiedRun, source: Statistics) -> None:
        """The same of neighbours. Raises CorruptionError where they are not in order behind all before, or no partitions."""
        keys = run.keys()
        if not keys:
            return
        hashes, positions = hashes_and_positions(keys)
        if not all(map(lt, chain((self._last_position,), positions), positions)):
            raise CorruptionError(f"copied partitions out of order behind {self._last_position.hex()}")
        starts = list(accumulate(run.sizes[:-1], initial=self._data.position))
        self._index.add_run(keys, hashes, starts, run.wide)
        if self._filter is not None:
            self._filter.add_all(hashes)
        self._collector.end_copies(run.sizes)
        self._data.write(run.data)
        if not self.partition_count:
            self._first_key = keys[0]
        self._last_key, self._last_position = keys[-1], positions[-1]
        self.partition_count += len(keys)
        self._copied[id(source)] = source, self._copied.get(id(source), (source, 0))[1] + len(keys)
        if self._options.written is not None:
            for key, size in zip(keys, run.sizes, strict=True):
                self._tell(key, size, 0)

    def _begin(self, position: Position) -> int:
        """Where in Data.db it begins."""
        assert position > self._last_position, (position, self._last_position)
        self._last_position = position
        return self._data.position

    def _write_unfiltereds(self, start: int, first: Unfiltered, rest: Iterator[Unfiltered]) -> list[Block]:
        """Writes rows and markers; the blocks of an index of them, cut where one has reached its size."""
        data, encoder, blocks = self._data, self._encoder, list[Block]()
        packed_row = encoder.packed_row
        block_bytes = self._block_bytes
        open_deletion = LIVE
        previous = 0
        block_start, block_first = data.position - start, first
        item: Unfiltered | None = first
        last = first
        while item is not None:
            offset = data.position - start
            unfiltered = item[1]
            if type(unfiltered) is bytes:
                data.write(packed_row(unfiltered, offset - previous))
            elif type(unfiltered) is Marker:
                data.write(encoder.marker(unfiltered, offset - previous))
                open_deletion = unfiltered.opening or LIVE
            else:
                assert isinstance(unfiltered, Row)
                data.write(encoder.row(unfiltered, offset - previous))
            previous, last = offset, item
            item = next(rest, None)
            width = data.position - start - block_start
            if width >= block_bytes:
                blocks.append(self._block(block_first, last, block_start, width, open_deletion))
                if item is not None:
                    block_start, block_first = data.position - start, item
                else:
                    block_start = -1
        if block_start >= 0 and blocks:
            # the byte that ends the partition counts into the last one
            width = data.position - start - block_start + 1
            blocks.append(self._block(block_first, last, block_start, width, open_deletion))
        self._widen(first)
        self._widen(last)
        return blocks

    def _block(self, first: Unfiltered, last: Unfiltered, offset: int, width: int, open_deletion: Deletion) -> Block:
        return Block(self._prefix(first), self._prefix(last), offset, width, open_deletion)

    def _prefix(self, unfiltered: Unfiltered) -> Prefix:
        what = unfiltered[1]
        if type(what) is Marker:
            return Prefix(what.kind, what.values)
        return Prefix(BoundKind.CLUSTERING, self._clustering_of(what))  # type: ignore[arg-type]

    def _widen_by(self, source: Stats) -> None:
        """Takes another SSTable's range of clusterings in."""
        for prefix, is_low in ((source.min_clustering, True), (source.max_clustering, False)):
            if not prefix.values and self._table.clustering:
                continue  # it has none: only static rows and deletions of partitions
            place = place_of(prefix, self._order_key)
            if is_low and (self._low is None or place < self._low[0]):
                self._low = place, prefix
            if not is_low and (self._high is None or place > self._high[0]):
                self._high = place, prefix

    def _widen(self, unfiltered: Unfiltered) -> None:
        """Takes a first or last unfiltered of a partition into the range of clusterings."""
        place = unfiltered[0]
        if self._low is None or place < self._low[0]:
            self._low = place, self._prefix(unfiltered)
        if self._high is None or place > self._high[0]:
            self._high = place, self._prefix(unfiltered)

    def _end(self, key: bytes, hashes: KeyHashes, start: int, promoted: bytes) -> None:
        self._register(key, hashes, start, promoted)
        size, tombstones = self._data.position - start, self._collector.deleted
        self._collector.end_partition(key, size)
        if self._options.written is not None:
            self._tell(key, size, tombstones)

    def _tell(self, key: bytes, size: int, tombstones: int) -> None:
        assert self._options.written is not None
        path = f"{self._folder}/{self.descriptor.file_name(DATA)}"
        self._options.written(self._table, key, size, tombstones, path)

    def _register(self, key: bytes, hashes: KeyHashes, start: int, promoted: bytes) -> None:
        self._index.add(key, hashes, start, promoted)
        if self._filter is not None:
            self._filter.add(hashes)
        if not self.partition_count:
            self._first_key = key
        self._last_key = key
        self.partition_count += 1

    # -- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> Statistics:
        """Completes the SSTable, durably. There must be a partition in it. A failure leaves it to `abort`. In a strand: with
        pauses, and the disk is waited for beside the loop."""
        assert self.partition_count, "an SSTable without partitions"
        self._data.finish()
        filter_bytes = self._filter.encode() if self._filter is not None else b""
        self._index.finish(self._put, filter_bytes)
        found = self._statistics()
        if self._data.params is not None:
            info = compression.CompressionInfo(self._data.params, self._data.position, self._data.offsets)
            self._put(COMPRESSION_INFO, compression.encode_info(info))
        else:
            self._put(CRC, self._data.encode_checksums())
        if filter_bytes:
            self._put(FILTER, filter_bytes)
        self._put(DIGEST, str(self._data.digest).encode())
        self._put(STATISTICS, statistics.encode(found, self._version))
        beside(lambda: self._disk.sync_folder(self._folder))
        self._put(TOC, "".join(f"{name}\n" for name in [*self._components, TOC]).encode())
        beside(lambda: self._disk.sync_folder(self._folder))
        return found

    def abandon(self) -> None:
        """Closes the files, which somebody else removes."""
        self._data.abandon()
        self._index.abandon()

    def abort(self) -> None:
        """Removes what was written."""
        self.abandon()
        for component in reversed(self._components):
            path = self._path(component)
            if self._disk.exists(path):
                self._disk.unlink(path)
        self._disk.sync_folder(self._folder)

    def _statistics(self) -> Statistics:
        collector, options, data = self._collector, self._options, self._data
        for source, count in self._copied.values():
            stats = source.stats
            collector.absorb(stats, Cardinality.decode(source.cardinality), count / stats.partition_sizes.count)
            self._widen_by(stats)
        compressed = data.params is not None
        stats = Stats(
            partition_sizes=collector.partition_sizes,
            cells_per_partition=collector.cells_per_partition,
            timestamps_us=collector.time_range_us(),
            deletions_s=collector.deletion_range_s(),
            ttls_s=collector.ttl_range_s(),
            compression_ratio=data.compressed_bytes / data.position if compressed else -1.0,
            tombstones=collector.tombstones.points(),
            level=options.level,
            repaired_at_ms=options.repaired_at_ms,
            min_clustering=self._low[1] if self._low is not None else _FIRST_PREFIX,
            max_clustering=self._high[1] if self._high is not None else _LAST_PREFIX,
            columns_set=collector.columns_set,
            rows=collector.rows,
            commit_log_intervals=options.commit_log_intervals,
            pending_repair=options.pending_repair,
            originating_host=options.originating_host,
            has_partition_deletions=collector.has_partition_deletions,
            first_key=self._first_key,
            last_key=self._last_key,
        )
        chance = self._table.params.bloom_filter_fp_chance
        return Statistics(chance, collector.cardinality.encode(), stats, self._header)

    def _path(self, component: str) -> str:
        return f"{self._folder}/{self.descriptor.file_name(component)}"

    def _open(self, component: str) -> AppendFile:
        path = self._path(component)
        if self._disk.exists(path):  # of a process that died: nothing of it counts without its TOC.txt
            self._disk.unlink(path)
        self._components.append(component)
        return self._disk.open_append(path)

    def _put(self, component: str, data: bytes) -> None:
        file = self._open(component)
        try:
            beside(lambda: _written(file, data))
        finally:
            file.close()


def _written(file: AppendFile, data: bytes) -> None:
    file.write(data)
    file.sync()

