"""What is written as an SSTable is what is read: any partitions, on a disk in memory, in each way of compression."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sstable_files import FOLDER, contents, written
from storage_strategies import NOW_S, TABLE, updates
from storage_tables import bigint_value, int_value

from protocol.errors import CorruptionError
from storage.environment.memory import MemoryDisk
from storage.keys import clustering_order_key
from storage.memtable.memtable import position_of
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reads import EVERYTHING, TableStore
from storage.sstable import big_index
from storage.sstable.caches import Caches
from storage.sstable.constants import COMPRESSION_INFO, CRC, DATA, INDEX, PARTITIONS, ROWS, VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.writer import SSTableWriter, WriterOptions

ORDER_KEY = clustering_order_key(TABLE)


def store_of(found: Iterable[PartitionUpdate]) -> TableStore:
    store = TableStore(TABLE)
    for update in found:
        store.apply(update)
    return store


def positions_of(reader: SSTableReader, start: bytes = b"") -> list[bytes]:
    return [position for stretch in reader.stretches(start) for position in stretch.positions]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(updates(), min_size=1, max_size=12), st.sampled_from(["na", "nb"]))
def test_what_is_read_is_what_was_written(found: list[PartitionUpdate], version: str) -> None:
    store = store_of(found)
    reader = written(MemoryDisk(), store, version=version)
    assert (reader is None) == (not any(map(bool, contents(store.memtable, store).values())))
    if reader is not None:
        assert contents(reader, store) == {k: v for k, v in contents(store.memtable, store).items() if v}


@pytest.mark.parametrize(
    "compression",
    [
        {"class": "LZ4Compressor", "chunk_length_in_kb": "4"},
        {"class": "LZ4Compressor", "chunk_length_in_kb": "4", "min_compress_ratio": "3"},
        {"class": "SnappyCompressor", "chunk_length_in_kb": "4"},
        {"class": "ZstdCompressor", "chunk_length_in_kb": "4"},
        {"class": "DeflateCompressor", "chunk_length_in_kb": "4"},
        {"class": "NoopCompressor", "chunk_length_in_kb": "4"},
        {},
    ],
    ids=lambda found: "-".join(found.values()) or "none",
)
def test_compressors(compression: dict[str, str]) -> None:
    rows = {ORDER_KEY((int_value(c),)): wide_row(c) for c in range(300)}
    store = store_of([PartitionUpdate(TABLE.id, bigint_value(k), rows=rows) for k in range(3)])
    disk = MemoryDisk()
    reader = written(disk, store, compression=compression)
    assert reader is not None
    assert (COMPRESSION_INFO in reader.components, CRC in reader.components) == (bool(compression), not compression)
    assert reader.data_bytes > 3 * 4096
    assert contents(reader, store) == contents(store.memtable, store)


def wide_row(c: int) -> Row:
    columns = {"a": Cell(c, int_value(c)), "b": Cell(c, bytes(40) + int_value(c))}
    return Row((int_value(c),), Liveness(c), columns=columns)


def wide_update() -> PartitionUpdate:
    """A partition of many blocks, some of them below range tombstones, one of these over several blocks."""
    rows = {ORDER_KEY((int_value(c),)): wide_row(c) for c in range(2000)}

    def tombstone(start: int, end: int, timestamp_us: int) -> RangeTombstone:
        low, high = (int_value(start),), (int_value(end),)
        return RangeTombstone(ORDER_KEY(low), ORDER_KEY(high), Deletion(timestamp_us, NOW_S), low, high)

    tombstones = (tombstone(100, 700, 400), tombstone(700, 900, 800), tombstone(1500, 1510, 10_000))
    static = Row((), columns={"s": Cell(5, b"static")})
    return PartitionUpdate(TABLE.id, bigint_value(1), Deletion(3, NOW_S), static, rows, tombstones)


@pytest.mark.parametrize("version", ["na", "nb", "oa", "da"])
def test_wide_partition_with_an_index(version: str) -> None:
    store = store_of([wide_update()])
    reader = written(MemoryDisk(), store, version=version, index_block_bytes=4096)
    assert reader is not None
    (stretch,) = reader.stretches()
    assert len(stretch.wide[0]) > 20
    assert any(stretch.wide[0][i].open_deletion != LIVE for i in range(len(stretch.wide[0])))
    partition, expected = reader.maybe_partition(bigint_value(1)), store.memtable.maybe_partition(bigint_value(1))
    assert partition is not None
    assert expected is not None
    assert (partition.deletion, partition.static) == (expected.deletion, expected.static)
    assert list(partition.tombstones) == list(expected.range_tombstones(b"", b"\xff"))
    for c in (0, 3, 4, 99, 100, 400, 401, 699, 700, 801, 1499, 1505, 1999, 2000):
        ck = ORDER_KEY((int_value(c),))
        assert partition.get(ck) == expected.get(ck), c
    for start, end in [(0, 2000), (0, 50), (350, 351), (650, 950), (1400, 1600), (1990, 5000), (3000, 4000)]:
        low, high = ORDER_KEY((int_value(start),)), ORDER_KEY((int_value(end),))
        for reverse in (False, True):
            assert _joined(partition.chunks(low, high, reverse)) == _joined(expected.chunks(low, high, reverse))
        pieces = partition.range_tombstones(low, high)
        assert all(left.end <= right.start for left, right in pairwise(pieces))
        for c in range(start, min(end, start + 1000), 7):
            ck = ORDER_KEY((int_value(c),))
            covering = [piece.deletion for piece in pieces if piece.start <= ck < piece.end]
            whole = [each.deletion for each in expected.range_tombstones(ck, ck + b"\0")]
            assert covering == whole, (start, end, c)


def test_an_index_of_a_partition_that_is_longer_than_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same piece of Index.db was read again and again, for ever: a partition of half a gigabyte was never answered."""
    monkeypatch.setattr(big_index, "PIECE_BYTES_MAX", 256)
    monkeypatch.setattr(big_index, "READ_BYTES", 100)
    wide = replace(wide_update(), range_tombstones=())
    several = [replace(wide, key=bigint_value(k), rows=wide.rows if k % 3 else {}) for k in range(12)]
    store = store_of(several)
    reader = written(MemoryDisk(), store, index_block_bytes=4096)
    assert reader is not None
    lengths = [len(index.data) for stretch in reader.stretches() for index in stretch.wide.values()]
    assert len(lengths) == 8
    assert min(lengths) > 4 * big_index.READ_BYTES
    assert contents(reader, store) == contents(store.memtable, store)
    assert reader.maybe_partition(bigint_value(100)) is None


def _joined(chunks: Iterator[tuple[list[bytes], list[object], bool]]) -> list[tuple[bytes, object]]:
    return [item for cks, rows, _ in chunks for item in zip(cks, rows, strict=True)]


def test_many_partitions_are_found_by_key_position_and_scan() -> None:
    found = [
        PartitionUpdate(TABLE.id, bigint_value(k), rows={ORDER_KEY((int_value(k),)): wide_row(k)}) for k in range(1000)
    ]
    store = store_of(found)
    reader = written(MemoryDisk(), store)
    assert reader is not None
    assert reader.key_count == 1000
    for k in range(1000):
        partition = reader.maybe_partition(bigint_value(k))
        assert partition is not None
        assert partition.get(ORDER_KEY((int_value(k),))) is not None
    assert not any(reader.maybe_partition(bigint_value(k)) for k in range(1000, 1500))
    positions = [position_of(bigint_value(k)) for k in range(1000)]
    positions.sort()
    assert positions_of(reader) == positions
    assert positions_of(reader, positions[300]) == positions[300:]
    assert [position for position, _ in reader.partitions(positions[990])] == positions[990:]
    flushed = TableStore(TABLE)
    flushed.layouts = store.layouts
    flushed.flushed = (reader,)
    assert [view.key for view in flushed.scan(NOW_S)] == [position[8:] for position in positions]
    view = flushed.read(bigint_value(7), EVERYTHING, NOW_S)
    assert view is not None
    assert len(list(view.items())) == 1


@pytest.mark.parametrize("version", ["nb", "da"])
def test_partitions_are_copied_as_bytes(version: str) -> None:
    narrow = [
        PartitionUpdate(TABLE.id, bigint_value(k), rows={ORDER_KEY((int_value(k),)): wide_row(k)}) for k in range(2, 60)
    ]
    store = store_of([wide_update(), *narrow])
    disk = MemoryDisk()
    source = written(disk, store, version=version, index_block_bytes=4096)
    assert source is not None
    assert source.is_current
    descriptor = Descriptor(VERSIONS[version], 2)
    writer = SSTableWriter(disk, FOLDER, descriptor, TABLE, store.layouts, WriterOptions(source.key_count))
    read = source.read_through()
    for stretch in source.stretches():
        for number, position in enumerate(stretch.positions):
            index = stretch.wide[number].data if number in stretch.wide else b""
            pieces = source.raw(stretch, number, read)
            writer.append_raw(position, stretch.hashes[number], pieces, index, source.statistics)
    found = writer.finish().stats
    copied = SSTableReader.open(disk, FOLDER, descriptor, TABLE, store.layouts, Caches())
    assert contents(copied, store) == contents(source, store)
    for component in (DATA, INDEX) if version == "nb" else (DATA, PARTITIONS, ROWS):
        names = (each.descriptor.file_name(component) for each in (source, copied))
        before, after = (disk.read_file(f"{FOLDER}/{name}") for name in names)
        assert before == after
        assert before
    stats = source.statistics.stats
    assert (found.rows, found.columns_set, found.tombstones) == (stats.rows, stats.columns_set, stats.tombstones)
    assert found.cells_per_partition.buckets == stats.cells_per_partition.buckets
    assert found.timestamps_us == stats.timestamps_us
    assert (found.min_clustering, found.max_clustering) == (stats.min_clustering, stats.max_clustering)


def test_a_trie_indexed_table_is_found_by_key_position_and_scan() -> None:
    found = [
        PartitionUpdate(TABLE.id, bigint_value(k), rows={ORDER_KEY((int_value(k),)): wide_row(k)}) for k in range(3000)
    ]
    store = store_of([*found, wide_update()])
    reader = written(MemoryDisk(), store, version="da", index_block_bytes=1 << 30)
    assert reader is not None
    assert contents(reader, store) == contents(store.memtable, store)
    assert not any(reader._index.find_surely(position_of(bigint_value(k))) for k in range(3000, 4000))
    positions = sorted(position_of(bigint_value(k)) for k in range(3000))
    assert positions_of(reader) == positions
    assert positions_of(reader, positions[300]) == positions[300:]
    assert positions_of(reader, positions[300] + b"\0") == positions[301:]


def test_a_checksum_of_nothing_behind_the_others_is_cassandras_way() -> None:
    store = store_of([PartitionUpdate(TABLE.id, bigint_value(1), rows={ORDER_KEY((int_value(1),)): wide_row(1)})])
    disk = MemoryDisk()
    reader = written(disk, store, compression={})
    assert reader is not None
    path = f"{FOLDER}/{reader.descriptor.file_name(CRC)}"
    data = disk.read_file(path)
    for more, is_read in ((bytes(4), True), (bytes(8), False)):
        disk.unlink(path)
        disk.open_append(path).write(data + more)
        if not is_read:
            with pytest.raises(CorruptionError):
                SSTableReader.open(disk, FOLDER, reader.descriptor, TABLE, store.layouts, Caches())
            continue
        again = SSTableReader.open(disk, FOLDER, reader.descriptor, TABLE, store.layouts, Caches())
        assert contents(again, store) == contents(store.memtable, store)
