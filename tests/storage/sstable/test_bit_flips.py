"""One flipped bit anywhere in an SSTable: an error that names the file, or what was written. Never another row.

Some flips of each format are tried; FLIPS=10000 tries so many in all, FLIP_SEED others.
"""

import os
import random
from collections import Counter

import pytest
from sstable_files import FOLDER, written
from storage_tables import bigint_value, int_value, wide_table

from protocol.errors import CorruptionError
from storage.environment.memory import FaultyDisk
from storage.keys import clustering_order_key
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reads import PartitionView, Slice, TableStore
from storage.sstable.caches import Caches
from storage.sstable.constants import CHECKSUMS, DATA, FILTER, INDEX, PARTITIONS, ROWS, STATISTICS, SUMMARY, VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.reader import SSTableReader

TABLE = wide_table()
ORDER_KEY = clustering_order_key(TABLE)
COMPRESSIONS: dict[str, dict[str, str]] = {
    "plain": {},
    "lz4": {"class": "LZ4Compressor", "chunk_length_in_kb": "4"},
    "odd": {"class": "LZ4Compressor", "chunk_length_in_kb": "4", "min_compress_ratio": "1.5"},
    "zstd": {"class": "ZstdCompressor", "chunk_length_in_kb": "4"},
}
FLIPS = int(os.environ.get("FLIPS", "240"))
SEED = int(os.environ.get("FLIP_SEED", "1"))
KEYS = 160
WIDE = 7
WIDE_ROWS = 400
NOW_S = 1000
VERSIONS_WRITTEN = ("nb", "oa", "da")
EVERYTHING = (Slice(b"", b"\xff"),)
BLOCK_BYTES = 2048

def some_store() -> TableStore:
    """Narrow partitions, one that is wide with range tombstones over its blocks, one of deletions."""
    store = TableStore(TABLE)
    for k in range(KEYS):
        rows = {}
        for c in range(WIDE_ROWS if k == WIDE else k % 4 + 1):
            columns = {"a": Cell(k, int_value(c)), "b": Cell(k, bytes((k, c & 0xFF)) * 12)}
            rows[ORDER_KEY((int_value(c),))] = Row((int_value(c),), Liveness(k), LIVE, columns)
        deletion = Deletion(1000, NOW_S) if k == WIDE + 1 else LIVE
        static = Row((), columns={"s": Cell(k, b"static %d" % k)}) if k % 9 == 0 else None
        tombstones = []
        if k == WIDE:
            low, high = (int_value(100),), (int_value(220),)
            tombstones.append(RangeTombstone(ORDER_KEY(low), ORDER_KEY(high), Deletion(500, NOW_S), low, high))
        store.apply(PartitionUpdate(TABLE.id, bigint_value(k), deletion, static, rows, tuple(tombstones)))
    return store


def scan(store: TableStore, rng: random.Random) -> object:
    return {view.key: contents(view) for view in store.scan(NOW_S)}


def partitions(store: TableStore, rng: random.Random) -> object:
    keys = [bigint_value(k) for k in (WIDE, *rng.sample(range(KEYS), 40))]
    return [contents(store.read(key, EVERYTHING, NOW_S)) for key in keys]


def rows(store: TableStore, rng: random.Random) -> object:
    cks = [ORDER_KEY((int_value(c),)) for c in rng.sample(range(WIDE_ROWS), 12)]
    return [store.row_at(bigint_value(WIDE), ck, NOW_S) for ck in cks]


def slices(store: TableStore, rng: random.Random) -> object:
    low = rng.randrange(WIDE_ROWS)
    some = (Slice(ORDER_KEY((int_value(low),)), ORDER_KEY((int_value(low + 60),))),)
    return [contents(store.read(bigint_value(WIDE), some, NOW_S, reverse)) for reverse in (False, True)]


READS = (scan, partitions, rows, slices)


def contents(view: PartitionView | None) -> object:
    return view and (view.static, list(view.items()))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("version", VERSIONS_WRITTEN)
def test_a_flipped_bit_never_makes_another_row(version: str, compression: str) -> None:
    print(f"FLIP_SEED={SEED}")
    rng = random.Random(f"{SEED} {version} {compression}")
    store = some_store()
    disk = FaultyDisk()
    reader = written(disk, store, version=version, compression=COMPRESSIONS[compression], index_block_bytes=BLOCK_BYTES)
    assert reader is not None
    assert any(stretch.wide for stretch in reader.stretches())
    reader.close()
    names = disk.list(FOLDER)
    tried, told = Counter[str](), Counter[str]()
    for number in range(FLIPS // (len(COMPRESSIONS) * len(VERSIONS_WRITTEN))):
        name = names[number % len(names)]
        component = name.rpartition("-")[2]
        offset, mask = rng.randrange(disk.size(f"{FOLDER}/{name}")), 1 << rng.randrange(8)
        disk.damage(f"{FOLDER}/{name}", offset, mask)
        where = f"bit {mask:#x} of byte {offset} of {name}"
        seed = rng.random()
        try:
            damaged = opened(disk, version, store)
        except CorruptionError as error:
            is_told = f"{FOLDER}/{version}-1-" in str(error)
            assert is_told, where
        else:
            is_told = compared(damaged, store, seed, where)
        told[component] += is_told
        tried[component] += 1
        disk.damage(f"{FOLDER}/{name}", offset, mask)
    assert not compared(opened(disk, version, store), store, 0.5, "no flip")
    # Cassandra may write these anew: one that is not what was written is not used
    silent = {FILTER, SUMMARY}
    for component in tried:
        if component in silent:
            assert not told[component], component
        elif component in (CHECKSUMS, DATA, STATISTICS, INDEX, PARTITIONS, ROWS):
            assert told[component] > tried[component] // 2, (component, told, tried)


def opened(disk: FaultyDisk, version: str, store: TableStore) -> TableStore:
    """A table with the SSTable alone. Raises CorruptionError."""
    found = TableStore(TABLE)
    found.layouts = store.layouts
    descriptor = Descriptor(VERSIONS[version], 1)
    found.flushed = (SSTableReader.open(disk, FOLDER, descriptor, TABLE, store.layouts, Caches()),)
    return found


def compared(damaged: TableStore, store: TableStore, seed: float, where: str) -> bool:
    """Whether a read told of damage. Each says that, or what was written."""
    is_told = False
    for read in READS:
        try:
            found = read(damaged, random.Random(seed))
        except CorruptionError as error:
            is_told = f"{FOLDER}/" in str(error)
            assert is_told, where
        else:
            assert found == read(store, random.Random(seed)), (where, read.__name__)
    return is_told
