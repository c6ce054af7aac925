"""An open SSTable: a Source of storage/reads.py.

What is held in memory: Statistics, the bloom filter, the index's samples (every 128th key, with its position), the
offsets of the chunks. A point read: token and filter, the index (big_index.py), the chunk, the row. The key stands in
Data.db too: an index that leads to another partition is damaged.

Checksums: Statistics.db's and every chunk's are verified before use. Cassandra gives Filter, Summary and Index none: of what
they say all that can be is checked (order, bounds, that the key stands where they lead). Filter and Summary are done
without where they can't be read.
"""

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.batches import Batch
from storage.environment.environment import Disk, ReadFile
from storage.environment.strands import beside
from storage.memtable.memtable import Position, position_of
from storage.memtable.packed import Layouts
from storage.mutation import NEVER
from storage.schema.metadata import TableMetadata
from storage.sought import Sought
from storage.sstable import checksums, compression, statistics
from storage.sstable.big_index import BigIndex, Found, PathOf
from storage.sstable.bti_index import BtiIndex
from storage.sstable.caches import Caches, key_bytes
from storage.sstable.checksums import Checksums, TrieChecksums
from storage.sstable.chunks import ChecksummedDataFile, CompressedDataFile, DataFile, decode_checksums
from storage.sstable.compression import CompressionParams
from storage.sstable.constants import (
    BTI,
    CHECKSUMS,
    COMPRESSION_INFO,
    CRC,
    DAMAGE,
    DATA,
    DIGEST,
    END_OF_PARTITION,
    FILTER,
    INDEX,
    PARTITIONS,
    ROWS,
    STATISTICS,
    SUMMARY,
    TOC,
    Version,
    corrupted,
    named,
)
from storage.sstable.copied import CopiedRun
from storage.sstable.data_index import DataIndex
from storage.sstable.decoder import RowDecoder
from storage.sstable.descriptor import Descriptor
from storage.sstable.filter import BloomFilter
from storage.sstable.header import header_of
from storage.sstable.partition import ReadBytes, RowPlaces, SSTablePartition
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.read_rate import ReadRate
from storage.sstable.small_files import open_read
from storage.sstable.statistics import LogPosition, Statistics
from storage.sstable.stretch import Stretch

log = logging.getLogger("cqlserver.sstables")

SPARE: Final = frozenset((SUMMARY, FILTER, DIGEST))
"""Components that an SSTable is read without, as Cassandra does."""
INDEXES: Final = frozenset((INDEX, PARTITIONS, ROWS, SUMMARY))
RESIDENT: Final = frozenset(("system.local", "system.peers", "system.peers_v2"))
"""What every client reads when it connects (resident.py)."""
RESIDENT_BYTES_MAX: Final = 32 << 10
"""Of Data.db, plain: a hundred peers."""
FIRST_BYTES: Final = 512
FIRST_BYTES_MAX: Final = 256 * 1024
"""A row's clustering is in so many bytes."""
COPY_BYTES: Final = 256 * 1024
SCAN_BYTES: Final = 256 * 1024
"""As much is read together where a file is read through."""
SINGLE_BYTES_MAX: Final = 16 * 1024
"""A partition that is longer is not tried as one of a single row."""

Content = TypeVar("Content")

if TYPE_CHECKING:
    from storage.sstable.row_cache import Cached


class SSTableReader:
    """See the module. `open` makes one."""

    def __init__(
        self,
        descriptor: Descriptor,
        components: tuple[str, ...],
        found: Statistics,
        bloom: BloomFilter | None,
        index: BigIndex | BtiIndex | DataIndex,
        data: DataFile,
        disk_bytes: int,
        created_ms: int,
        caches: Caches,
    ) -> None:
        self.descriptor, self.components = descriptor, components
        self.statistics = found
        self.disk_bytes, self.created_ms = disk_bytes, created_ms
        self.path = data.path
        self.folder = data.path.rpartition("/")[0]
        self.places = RowPlaces()
        self.row_cache: Cached | None = None
        self._filter, self._index, self._data = bloom, index, data
        self._keys, self._number, self._caches = caches.keys, data.number, caches
        if isinstance(index, BtiIndex):
            index.first_at = self._first_at
        self.first_position, self.last_position = position_of(index.first_key), position_of(index.last_key)
        if isinstance(index, DataIndex):
            self.last_position = index.last_position
        self.max_timestamp_us = found.stats.timestamps_us[1]
        self.reads = 0
        """How often something was looked for, or a scan began."""
        self._read_rate = ReadRate()
        self.faults: tuple[str, ...] = ()
        """Of components that are done without."""
        self._is_of_singles = found.stats.rows <= found.stats.partition_sizes.count

    @classmethod
    def open(
        cls, disk: Disk, folder: str, descriptor: Descriptor, table: TableMetadata, layouts: Layouts, caches: Caches
    ) -> "SSTableReader":
        """Raises CorruptionError naming the file that is damaged or missing, OSError."""
        reader = cls.open_without_schema(disk, folder, descriptor, table.params.min_index_interval, caches)
        return reader._of_table(table, layouts)

    @classmethod
    def open_by_data(
        cls, disk: Disk, folder: str, descriptor: Descriptor, table: TableMetadata, layouts: Layouts, caches: Caches
    ) -> "SSTableReader":
        """The same of one whose index can't be read (data_index.py): all of Data.db is read, with pauses."""
        reader = _open(cls, disk, folder, descriptor, table.params.min_index_interval, caches, None, by_data=True)
        return reader._of_table(table, layouts)

    def _of_table(self, table: TableMetadata, layouts: Layouts) -> "SSTableReader":
        """Itself, closed where it can't be this table's."""
        try:
            self.set_table(table, layouts)
        except BaseException:
            self.close()
            raise
        return self

    @classmethod
    def open_without_schema(
        cls,
        disk: Disk,
        folder: str,
        descriptor: Descriptor,
        min_index_interval: int,
        caches: Caches,
        there: Sequence[str] | None = None,
    ) -> "SSTableReader":
        """The same; nothing can be read before `set_table`. `there`: its components in the folder, where they are known."""
        return _open(cls, disk, folder, descriptor, min_index_interval, caches, there)

    def set_table(self, table: TableMetadata, layouts: Layouts) -> None:
        """The table's schema changed, or is told for the first time. Raises CorruptionError where it does not fit."""
        try:
            self.decoder = _decoder_of(self.statistics, self.descriptor.version, table, layouts, self._caches)
        except CorruptionError as error:
            raise named(error, self.path) from None
        self._table = table
        self._use_row_cache(table.params.caching.get("rows_per_partition", "NONE"))

    def _use_row_cache(self, caching: str) -> None:
        """Where the table wants it another way to partitions is put in place of the class's: others pay nothing for it."""
        for name in ("stored", "batches"):
            self.__dict__.pop(name, None)
        self.row_cache = None
        if str(self._table) in RESIDENT and self._data.size <= RESIDENT_BYTES_MAX:
            from storage.sstable.resident import Resident

            resident = Resident(self)
            self.__dict__.update(stored=resident.stored, batches=resident.batches)
        elif caching != "NONE" and self._caches.rows.capacity:
            from storage.sstable.row_cache import Cached, rows_wanted

            cached = Cached(self._caches.rows, self._caches.file_number(), rows_wanted(caching), self)
            self.__dict__["stored"] = cached.stored
            self.row_cache = cached

    @property
    def is_by_data(self) -> bool:
        """Whether it is read without its index."""
        return isinstance(self._index, DataIndex)

    def prepare(self) -> None:
        """Does what the first read would have to wait for; in a strand with pauses. Raises CorruptionError."""
        self._index.prepare()

    def close(self) -> None:
        self._data.close()
        self._index.close()

    # -- Source -------------------------------------------------------------------------------------------------------

    def may_contain(self, key: bytes) -> bool:
        """Whether the key's range and the bloom filter allow it."""
        return self._may_have(Sought(key))

    def stored(self, sought: Sought) -> bytes | SSTablePartition | None:
        """One packed row comes as a memtable has it, where the file is one of such partitions."""
        return self._looked_for(sought, self._content if self._is_of_singles else self._general)

    own_stored = stored
    """From the file, whatever the row cache has."""

    def maybe_partition(self, key: bytes) -> SSTablePartition | None:
        """In its general form, from the file."""
        return self._looked_for(Sought(key), self._general)

    def _may_have(self, sought: Sought) -> bool:
        position = sought.position or sought.place()
        if not self.first_position <= position <= self.last_position:
            return False
        bloom = self._filter
        return bloom is None or bloom.may_contain(sought.probes(bloom.hash_count))

    def _looked_for(self, sought: Sought, at: "Callable[[Position, Found], Content]") -> "Content | None":
        """A partition by way of cache or index. `at`: what is made of where it is."""
        if not self._may_have(sought):
            return None
        self.reads += 1
        key, position = sought.key, sought.position
        found = self._keys.get((self._number, key))
        if found is not None:
            return at(position, found)
        self._keys.misses += 1
        found = self._index.maybe_find(position)
        if found is None:
            return None
        try:
            content = at(position, found)
        except CorruptionError:
            surely = self._index.find_surely(position)
            if surely is None:
                return None
            if (surely.start, surely.following) == (found.start, found.following):
                raise
            found, content = surely, at(position, surely)
        self._keys.put((self._number, key), found, key_bytes(key, found))
        return content

    def _general(self, position: Position, found: Found) -> SSTablePartition:
        """Raises CorruptionError where another partition stands there."""
        data = self._data
        partition = SSTablePartition(self, position[8:], found.start, found.end(data.size), found.promoted, data.read)
        partition.read_head()
        return partition

    def _content(self, position: Position, found: Found) -> bytes | SSTablePartition:
        """The same, where it is not one packed row."""
        run, start, end = self.decoder.partition_run, found.start, found.end(self._data.size)
        if run is None or found.promoted is not None or end - start > SINGLE_BYTES_MAX:
            return self._general(position, found)
        contents: list[bytes | None] = []
        try:
            run(self._data.read(start, end), start, (position,), (start, end), 0, 1, contents)
        except DAMAGE as error:
            raise named(error, self.path) from None
        (content,) = contents
        return content if content is not None else self._general(position, found)

    def stretches(self, start: Position = b"") -> Iterator[Stretch]:
        """All partitions from a position on, in order."""
        return self._index.stretches(start, self._data.size)

    def batches(self, start: Position = b"") -> Iterator[Batch[bytes | SSTablePartition]]:
        """The same, read. What is read for them does not go into the cache; each is to be used before the next one is asked
        for."""
        self.reads += 1
        read = self.read_through()
        for stretch in self.stretches(start):
            yield stretch.positions, self.contents(stretch, read)

    def partitions(self, start: Position = b"") -> Iterator[tuple[Position, SSTablePartition]]:
        """The same, one by one, in their general form."""
        read = self.read_through()
        for stretch in self.stretches(start):
            for number, position in enumerate(stretch.positions):
                yield position, self._partition(stretch, number, read)

    def read_through(self) -> ReadBytes:
        """Reads Data.db from one end to the other."""
        return _window(self._data)

    def contents(self, stretch: Stretch, read: ReadBytes) -> list[bytes | SSTablePartition]:
        """What a stretch's partitions are: of one packed row, as a memtable has them, or anything."""
        starts, wide = stretch.starts, stretch.wide
        run = self.decoder.partition_run
        count = len(stretch.positions)
        found: list[bytes | None] = []
        first = 0
        while first < count:
            last = first
            end = starts[first] + SCAN_BYTES
            while run is not None and last < count and last not in wide and starts[last + 1] <= end:
                last += 1
            if run is None or last == first:
                found.append(None)
                first += 1
                continue
            try:
                run(read(starts[first], starts[last]), starts[first], stretch.positions, starts, first, last, found)
            except DAMAGE as error:
                raise named(error, self.path) from None
            first = last
        return [
            self._partition(stretch, number, read) if content is None else content for number, content in enumerate(found)
        ]

    def alone(self, stretch: Stretch, number: int) -> SSTablePartition:
        """One of a stretch, for where a neighbour may be damaged."""
        return self._partition(stretch, number, lambda start, end: self._data.read(start, end, keep=False))

    def raw(self, stretch: Stretch, number: int, read: ReadBytes) -> Iterator[bytes]:
        """A partition's bytes, in pieces, for where it is copied."""
        start, end = stretch.starts[number], stretch.starts[number + 1]
        key = stretch.positions[number][8:]
        head = len(key).to_bytes(2, "big") + key
        piece = b""
        for at in range(start, end, COPY_BYTES):
            piece = read(at, min(at + COPY_BYTES, end))
            if at == start and not piece.startswith(head):
                raise corrupted(self.path, f"another partition at {start} than the index says")
            yield piece
        if piece[-1] != END_OF_PARTITION:
            raise corrupted(self.path, f"the partition at {start} does not end at {end}")

    def copied(self, stretch: Stretch, first: int, last: int, read: ReadBytes) -> CopiedRun:
        """The partitions from number `first` of a stretch up to `last` (exclusive), as bytes."""
        starts = stretch.starts
        sizes = [starts[number + 1] - starts[number] for number in range(first, last)]
        wide = {number - first: index.data for number, index in stretch.wide.items() if first <= number < last}
        run = CopiedRun(sizes, read(starts[first], starts[last]), wide)
        for number in (first, last - 1):  # whoever takes them looks at all
            key, at = stretch.positions[number][8:], starts[number] - starts[first]
            if not run.data.startswith(len(key).to_bytes(2, "big") + key, at):
                raise corrupted(self.path, f"another partition than the index says, not {key.hex()}")
        return run

    def _partition(self, stretch: Stretch, number: int, read: ReadBytes) -> SSTablePartition:
        start, end = stretch.starts[number], stretch.starts[number + 1]
        return SSTablePartition(self, stretch.positions[number][8:], start, end, stretch.wide.get(number), read)

    def _first_at(self, position: int) -> Prefix:
        """The clustering or bound of the row or marker that begins there."""
        for size in (FIRST_BYTES, FIRST_BYTES_MAX):
            try:
                return self.decoder.prefix(self._data.read(position, min(position + size, self._data.size)), 0)
            except IndexError:
                continue
        raise corrupted(self.path, f"no row at {position}")

    # -- what it says of itself ---------------------------------------------------------------------------------------

    @property
    def data_bytes(self) -> int:
        """Plain ones."""
        return self._data.size

    @property
    def compression(self) -> CompressionParams | None:
        """How its chunks are compressed, if they are."""
        return self._data.params if isinstance(self._data, CompressedDataFile) else None

    @property
    def data_disk_bytes(self) -> int:
        """Of Data.db as it is."""
        return self._data.disk_bytes

    def droppable_ratio(self, gc_before_s: int) -> float:
        """Of its cells, how many are tombstones of before that time (SSTableReader.getEstimatedDroppableTombstoneRatio)."""
        stats = self.statistics.stats
        cells = stats.cells_per_partition.mean() * stats.cells_per_partition.count
        droppable = sum(count for point, count in stats.tombstones.items() if point <= gc_before_s)
        return droppable / cells if cells else 0.0

    @cached_property
    def key_count(self) -> int:
        return self.statistics.stats.partition_sizes.count

    def note_reads(self, now_s: float) -> None:
        """To be called from time to time, with a clock's seconds: `heat` is of what was read between two of these."""
        self._read_rate.note(self.reads, now_s)

    @property
    def heat(self) -> float:
        """Reads a second, for each of its partitions (SizeTieredCompactionStrategy.hotness)."""
        return self._read_rate.per_s / (self.key_count or 1)

    @property
    def first_key(self) -> bytes:
        return self._index.first_key

    @property
    def last_key(self) -> bytes:
        return self._index.last_key

    @property
    def min_timestamp_us(self) -> int:
        return self.statistics.stats.timestamps_us[0]

    @property
    def min_local_deletion_s(self) -> int:
        return self.statistics.stats.deletions_s[0]

    @property
    def max_local_deletion_s(self) -> int:
        return self.statistics.stats.deletions_s[1]

    @property
    def min_ttl_s(self) -> int:
        return self.statistics.stats.ttls_s[0]

    @property
    def max_ttl_s(self) -> int:
        return self.statistics.stats.ttls_s[1]

    @property
    def level(self) -> int:
        return self.statistics.stats.level

    @property
    def repaired_at_ms(self) -> int:
        return self.statistics.stats.repaired_at_ms

    def mark(self, disk: Disk, repaired_at_ms: int, pending_repair: UUID | None) -> None:
        """Has the SSTable say so of itself, durably. Raises OSError."""
        stats = self.statistics.stats._replace(repaired_at_ms=repaired_at_ms, pending_repair=pending_repair)
        marked = self.statistics._replace(stats=stats)
        path = f"{self.folder}/{self.descriptor.file_name(STATISTICS)}"
        data = statistics.encode(marked, self.descriptor.version)
        beside(lambda: disk.write_file_atomically(path, data))
        self.statistics = marked

    @property
    def pending_repair(self) -> UUID | None:
        """The session of an incremental repair that it waits for the end of."""
        return self.statistics.stats.pending_repair

    @property
    def partition_deletion_possible(self) -> bool:
        return self.statistics.stats.has_partition_deletions

    @property
    def commit_log_intervals(self) -> tuple[tuple[LogPosition, LogPosition], ...]:
        return self.statistics.stats.commit_log_intervals

    @property
    def originating_host(self) -> UUID | None:
        return self.statistics.stats.originating_host

    @property
    def table(self) -> TableMetadata:
        return self._table

    @cached_property
    def is_current(self) -> bool:
        """Whether its partitions may be copied as bytes into an SSTable that is written of the table now."""
        found = self.statistics
        if found.header != header_of(self._table):
            return False
        dropped = self._table.dropped_columns
        return not any(
            name in dropped and found.stats.timestamps_us[0] <= dropped[name].dropped_time_us
            for name, _ in (*found.header.statics, *found.header.regulars)
        )


def _decoder_of(
    found: Statistics, version: Version, table: TableMetadata, layouts: Layouts, caches: Caches
) -> RowDecoder:
    """One for all files of a table that have the same header: what it compiles takes a millisecond and 15 kB. Raises
    CorruptionError."""
    may_have_deletions = found.stats.deletions_s[0] != NEVER
    key = (found.header, version, may_have_deletions, id(table), id(layouts))  # it keeps both
    decoder = caches.decoders.get(key)
    if decoder is None:
        decoder = caches.decoders[key] = RowDecoder(found.header, version, table, layouts, may_have_deletions)
    return decoder


def _window(data: DataFile) -> ReadBytes:
    """Reads Data.db from one end to the other, by the SCAN_BYTES."""
    chunk = data.chunk_bytes
    base = 0
    window = b""

    def read(start: int, end: int) -> bytes:
        nonlocal base, window
        if start < base or end > base + len(window):
            base = start // chunk * chunk
            window = data.read(base, min(max(base + SCAN_BYTES, end), data.size), keep=False)
            if end > data.size:
                return data.read(start, end)  # which says what is wrong
        return window[start - base : end - base]

    return read


# -- opening ----------------------------------------------------------------------------------------------------------


def _open(
    cls: type[SSTableReader],
    disk: Disk,
    folder: str,
    descriptor: Descriptor,
    min_index_interval: int,
    caches: Caches,
    there: Sequence[str] | None,
    by_data: bool = False,
) -> SSTableReader:
    def path(component: str) -> str:
        return f"{folder}/{descriptor.file_name(component)}"

    components = components_of(disk, folder, descriptor, there, INDEXES if by_data else frozenset())
    files: list[ReadFile | BigIndex | BtiIndex] = []
    try:
        found = statistics.decode(_read(disk, path(STATISTICS)), descriptor.version, path(STATISTICS))
        sums: bytes | None = _read(disk, path(CHECKSUMS)) if CHECKSUMS in components else None
        is_trie = descriptor.version.format == BTI
        try:
            of_big = None if sums is None or is_trie else checksums.decode(sums)
            of_trie = None if sums is None or not is_trie else checksums.decode_trie(sums)
        except DAMAGE as error:
            raise named(error, path(CHECKSUMS)) from None
        faults: list[str] = []
        bloom = _maybe_filter(disk, path, components, of_trie or of_big, faults)
        file = _opened(disk, path(DATA))
        files.append(file)
        data = _data_file(disk, path, components, file, caches)
        index: BigIndex | BtiIndex | DataIndex
        codec = PrefixCodec(found.header.clustering)
        if by_data:
            index = DataIndex(data, codec, bool(found.header.statics), descriptor.version)
        elif is_trie:
            index = BtiIndex.open(disk, path, data, descriptor.version, of_trie)
        else:
            keys = found.stats.partition_sizes.count
            index = BigIndex.open(
                disk, path, components, min_index_interval, codec, descriptor.version, of_big, keys, faults
            )
        if not isinstance(index, DataIndex):
            files.append(index)
        sizes = sum(disk.size(path(component)) for component in components)
        reader = cls(descriptor, components, found, bloom, index, data, sizes, disk.modified_ms(path(DATA)), caches)
        for fault in faults:
            log.error("%s: done without", fault)
        reader.faults = tuple(faults)
        return reader
    except BaseException:
        for each in files:
            each.close()
        raise


def _maybe_filter(
    disk: Disk,
    path: PathOf,
    components: tuple[str, ...],
    known: Checksums | TrieChecksums | None,
    faults: list[str],
) -> BloomFilter | None:
    """None where every key may be there: there is no filter, none that can be read, which `faults` gets, or not the one that
    was written (checksums.py)."""
    if FILTER not in components:
        return None
    data = _read(disk, path(FILTER))
    if known is not None and crc32(data) != known.of_filter:
        return None
    try:
        return BloomFilter.decode(data)
    except DAMAGE as error:
        faults.append(str(named(error, path(FILTER))))
        return None


def components_of(
    disk: Disk,
    folder: str,
    descriptor: Descriptor,
    there: Sequence[str] | None = None,
    not_needed: Container[str] = (),
) -> tuple[str, ...]:
    """What TOC.txt lists, all of which must be there but for the spare ones and those that are `not_needed`; without one,
    what there is. Raises CorruptionError, OSError."""
    if there is None:
        prefix = descriptor.file_name("")
        there = [name.removeprefix(prefix) for name in disk.list(folder) if name.startswith(prefix)]
    if TOC not in there:
        return tuple(there)
    path = f"{folder}/{descriptor.file_name(TOC)}"
    listed = _read(disk, path).decode("utf-8", "replace").split()
    for component in listed:
        if component in there:
            continue
        if component not in SPARE and component not in not_needed:
            raise corrupted(path, f"{descriptor.file_name(component)} is missing")
        log.error("Missing component: %s/%s", folder, descriptor.file_name(component))
    return tuple(component for component in there if component in listed)


def _read(disk: Disk, path: str) -> bytes:
    try:
        return disk.read_file(path)
    except FileNotFoundError:
        raise corrupted(path, "the file is missing") from None


def _opened(disk: Disk, path: str) -> ReadFile:
    try:
        return open_read(disk, path)
    except FileNotFoundError:
        raise corrupted(path, "the file is missing") from None


def _data_file(disk: Disk, path: PathOf, components: tuple[str, ...], file: ReadFile, caches: Caches) -> DataFile:
    if COMPRESSION_INFO in components:
        try:
            info = compression.decode_info(_read(disk, path(COMPRESSION_INFO)))
        except DAMAGE as error:
            raise named(error, path(COMPRESSION_INFO)) from None
        return CompressedDataFile(path(DATA), file, caches, info)
    try:
        checksums = decode_checksums(_read(disk, path(CRC)))
    except DAMAGE as error:
        raise named(error, path(CRC)) from None
    return ChecksummedDataFile(path(DATA), file, caches, checksums)
