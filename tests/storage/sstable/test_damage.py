"""Damaged, cut off and missing files: an error that names the file, never another row."""

import random
from dataclasses import replace

import pytest
from sstable_files import FOLDER, contents, written
from storage_tables import bigint_value, int_value, wide_table

from protocol.errors import CorruptionError
from storage.environment.memory import FaultyDisk
from storage.keys import clustering_order_key
from storage.mutation import LIVE, Cell, Liveness, PartitionUpdate, Row
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata
from storage.sstable import big_index
from storage.sstable.caches import Caches
from storage.sstable.constants import (
    CHECKSUMS,
    COMPRESSION_INFO,
    CRC,
    DATA,
    FILTER,
    INDEX,
    STATISTICS,
    SUMMARY,
    TOC,
    VERSIONS,
)
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader
from storage.sstable.verify import verify

TABLE = wide_table()
ORDER_KEY = clustering_order_key(TABLE)
DESCRIPTOR = Descriptor(VERSIONS["nb"], 1)
PLAIN: dict[str, str] = {}
LZ4 = {"class": "LZ4Compressor", "chunk_length_in_kb": "4"}
SEED = 7


def some_store(table: TableMetadata = TABLE) -> TableStore:
    store = TableStore(table)
    for k in range(200):
        rows = {}
        for c in range(k % 5 + 1):
            columns = {"a": Cell(k, int_value(c)), "b": Cell(k, bytes((k, c)) * 20)}
            rows[ORDER_KEY((int_value(c),))] = Row((int_value(c),), Liveness(k), LIVE, columns)
        store.apply(PartitionUpdate(TABLE.id, bigint_value(k), rows=rows))
    return store


def opened(disk: FaultyDisk, store: TableStore) -> SSTableReader:
    return SSTableReader.open(disk, FOLDER, DESCRIPTOR, store.table, store.layouts, Caches())


def path(component: str) -> str:
    return f"{FOLDER}/{DESCRIPTOR.file_name(component)}"


@pytest.mark.parametrize("compression", [LZ4, PLAIN], ids=["lz4", "plain"])
@pytest.mark.parametrize("component", [DATA, STATISTICS])
def test_a_flipped_bit_where_there_are_checksums_is_always_found(component: str, compression: dict[str, str]) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    store = some_store()
    disk = FaultyDisk()
    assert written(disk, store, compression=compression) is not None
    size = disk.size(path(component))
    for _ in range(60):
        offset, mask = rng.randrange(size), 1 << rng.randrange(8)
        disk.damage(path(component), offset, mask)
        with pytest.raises(CorruptionError, match=component):
            contents(opened(disk, store), store)
        disk.damage(path(component), offset, mask)
    assert contents(opened(disk, store), store) == contents(store.memtable, store)


@pytest.mark.parametrize("component", [INDEX, SUMMARY, FILTER, CHECKSUMS, COMPRESSION_INFO])
def test_a_flipped_bit_elsewhere_is_an_error_or_does_not_matter(component: str) -> None:
    """A filter or a summary that is not what was written is left unread: everything is found without it."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    store = some_store()
    expected = contents(store.memtable, store)
    disk = FaultyDisk()
    assert written(disk, store, compression=LZ4) is not None
    size = disk.size(path(component))
    errors = 0
    for _ in range(60):
        offset, mask = rng.randrange(size), 1 << rng.randrange(8)
        disk.damage(path(component), offset, mask)
        try:
            reader = opened(disk, store)
            for k in range(0, 200, 3):
                key = bigint_value(k)
                partition = reader.maybe_partition(key)
                assert partition is not None, k
                assert {ck: store.layouts.explode(row) for ck, row in partition.rows()} == expected[key][2]
        except CorruptionError:
            errors += 1
        disk.damage(path(component), offset, mask)
    assert (errors == 0) == (component in (FILTER, SUMMARY)), errors


def test_a_filter_and_a_summary_that_cassandra_wrote_anew_are_no_damage() -> None:
    store = some_store()
    disk = FaultyDisk()
    assert written(disk, store) is not None
    for component in (FILTER, SUMMARY):
        data = disk.read_file(path(component))
        disk.write_file_atomically(path(component), data[:-1] + bytes((data[-1] ^ 1,)))
    assert contents(opened(disk, store), store) == contents(store.memtable, store)


@pytest.mark.parametrize("longest", [None, 100], ids=["read", "walked"])
def test_a_flipped_bit_in_the_summary_of_a_cassandra_never_hides_a_row(
    longest: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows a checksum of it, and what had another key or another position led past rows that were there. `longest`:
    pieces of the index that are longer are gone through."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    if longest is not None:
        monkeypatch.setattr(big_index, "PIECE_BYTES_MAX", longest)
    store = some_store(replace(TABLE, params=replace(TABLE.params, min_index_interval=16)))
    disk = FaultyDisk()
    reader = written(disk, store, compression=LZ4)
    assert reader is not None
    without_checksums(disk)
    keys = [position[8:] for positions, _ in reader.batches() for position in positions]
    size = disk.size(path(SUMMARY))
    errors: list[str] = []
    for _ in range(100):
        offset, mask = rng.randrange(size), 1 << rng.randrange(8)
        disk.damage(path(SUMMARY), offset, mask)
        damaged = opened(disk, store)
        for key in keys:
            try:
                assert damaged.maybe_partition(key) is not None, (offset, mask)
            except CorruptionError as error:
                errors.append(str(error))
        disk.damage(path(SUMMARY), offset, mask)
    told = sum(path(SUMMARY) in message for message in caplog.messages)
    assert 0 < told < 100
    assert errors
    assert all(path("") in message for message in errors)
    assert contents(opened(disk, store), store) == contents(store.memtable, store)
    assert len(caplog.messages) == told


def without_checksums(disk: FaultyDisk) -> None:
    """As a Cassandra has it."""
    disk.unlink(path(CHECKSUMS))
    toc = disk.read_file(path(TOC))
    disk.write_file_atomically(path(TOC), toc.replace(f"{CHECKSUMS}\n".encode(), b""))


def test_verify_finds_each_flipped_bit_of_index_and_data() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    store = some_store()
    disk = FaultyDisk()
    reader = written(disk, store, compression=LZ4)
    assert reader is not None
    assert list(verify(disk, FOLDER, reader))[-1].partitions == 200
    for _ in range(20):
        component = rng.choice([DATA, INDEX])
        offset, mask = rng.randrange(disk.size(path(component))), 1 << rng.randrange(8)
        disk.damage(path(component), offset, mask)
        with pytest.raises(CorruptionError):
            list(verify(disk, FOLDER, opened(disk, store)))
        disk.damage(path(component), offset, mask)


@pytest.mark.parametrize("component", [DATA, INDEX, STATISTICS, COMPRESSION_INFO])
@pytest.mark.parametrize("with_toc", [True, False])
def test_a_missing_component_is_named(component: str, with_toc: bool) -> None:
    store = some_store()
    disk = FaultyDisk()
    assert written(disk, store) is not None
    disk.unlink(path(component))
    if not with_toc:
        disk.unlink(path(TOC))
    named = component if with_toc or component != COMPRESSION_INFO else CRC  # without both it is taken for uncompressed
    with pytest.raises(CorruptionError, match=named):
        opened(disk, store)


def test_without_a_summary_the_index_is_gone_through() -> None:
    store = some_store()
    disk = FaultyDisk()
    assert written(disk, store) is not None
    disk.unlink(path(SUMMARY))
    disk.unlink(path(TOC))
    assert contents(opened(disk, store), store) == contents(store.memtable, store)


@pytest.mark.parametrize("component", [DATA, INDEX, STATISTICS, CHECKSUMS, COMPRESSION_INFO])
def test_a_file_that_is_cut_off_is_an_error(component: str) -> None:
    store = some_store()
    disk = FaultyDisk()
    assert written(disk, store, compression=LZ4) is not None
    disk.truncate(path(component), disk.size(path(component)) - 3)
    with pytest.raises(CorruptionError):
        list(verify(disk, FOLDER, opened(disk, store)))
