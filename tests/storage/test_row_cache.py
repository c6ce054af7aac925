"""The row cache: reads through it are what they are without, it is bounded, and nobody else knows of it."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_strategies import KEYS, NOW_S
from test_engine import Harness, table
from test_flush import fill, flush
from test_reads_against_twin import CKS, EXAMPLES, histories, stores

from protocol.types import INT
from storage.commitlog.log import CommitLogOptions
from storage.engine import EngineOptions
from storage.memtable.memtable import Memtable
from storage.merged import SourcePartition
from storage.mutation import PartitionUpdate
from storage.reads import EVERYTHING, Slice
from storage.schema.metadata import TableMetadata
from storage.sought import Sought
from storage.sstable.caches import Generations
from storage.sstable.row_cache import ROWS_MAX, Cached, CachedRows, rows_wanted


class CachedMemtable:
    """What is flushed, seen through the cache."""

    def __init__(self, memtable: Memtable, cache: Generations[tuple[int, bytes], bytes | CachedRows], rows_max: int) -> None:
        self._memtable = memtable
        self.stored = Cached(cache, cache.misses, rows_max, self).stored
        cache.misses += 1

    max_timestamp_us = 1 << 62

    def own_stored(self, sought: Sought) -> bytes | SourcePartition | None:
        stored = self._memtable.get(sought.key)
        return stored if stored is None or type(stored) is bytes else self._memtable.general(stored)

    def maybe_partition(self, key: bytes) -> SourcePartition | None:
        return self._memtable.maybe_partition(key)

    def batches(self, start: bytes = b"") -> Iterator[object]:
        return self._memtable.batches(start)


@pytest.mark.parametrize("rows_max", [1, 2, ROWS_MAX])
@EXAMPLES
@given(data=st.data(), history=histories)
def test_reads_through_it_equal_the_twins(rows_max: int, data: st.DataObject, history: list[PartitionUpdate]) -> None:
    store, twin = stores(history, data.draw(st.permutations(history)), 3)
    cache: Generations[tuple[int, bytes], bytes | CachedRows] = Generations(1 << 20)
    store.flushed = tuple(CachedMemtable(source, cache, rows_max) for source in store.flushed)  # type: ignore[arg-type, misc]
    for _ in range(2):
        for key in KEYS:
            expected = twin.rows(key, NOW_S)
            for reverse in (False, True):
                view = store.read(key, EVERYTHING, NOW_S, reverse)
                got = {ck: store.layouts.explode(row) for ck, row in view.items()} if view else {}
                assert got == expected
                assert list(got) == sorted(got, reverse=reverse)
            assert (view.static if view else None) == twin.static(key, NOW_S)
            for ck in CKS:
                row = store.row_at(key, ck, NOW_S)
                assert (store.layouts.explode(row) if row is not None else None) == expected.get(ck)
                for start, end in ((b"", ck), (ck, b"\xff"), (ck, ck + b"\xff")):
                    view = store.read(key, (Slice(start, end),), NOW_S)
                    found = [each for each, _ in view.items()] if view else []
                    assert found == [each for each in sorted(expected) if start <= each < end]
    assert cache.hits or len(history) < 2  # the first one is in the memtable


def with_caching(made: TableMetadata, rows: str) -> TableMetadata:
    caching = MappingProxyType({"keys": "ALL", "rows_per_partition": rows})
    return replace(made, params=replace(made.params, caching=caching))


OPTIONS = EngineOptions("/d", CommitLogOptions(segment_bytes=1 << 20), row_cache_bytes=1 << 20)


def read(node: Harness, k: int) -> list[bytes]:
    store = node.engine.stores[table().id]
    view = store.read(INT.encode(k), EVERYTHING, 0)
    return [bytes(row)[-3:] for row in view.rows()] if view is not None else []  # type: ignore[arg-type]


def test_what_was_read_is_remembered_as_its_table_wants() -> None:
    node = Harness(OPTIONS)
    made = with_caching(table(), "2")
    other = with_caching(table("u", 2), "NONE")
    node.create(made, other)
    for c in range(5):
        node.insert(made, 1, c, f"a{c}!")
    fill(node, made, 10, 3)
    fill(node, other, 0, 3)
    flush(node)
    cache = node.engine.files.caches.rows
    values = [f"a{c}!".encode() for c in range(5)]
    assert read(node, 1) == values
    assert (cache.hits, cache.misses, len(cache)) == (0, 1, 1)
    assert read(node, 1) == values
    assert (cache.hits, cache.misses, len(cache)) == (1, 1, 1)
    assert read(node, 99) == []
    node.insert(made, 1, 1, "new")
    values[1] = b"new"
    assert read(node, 1) == values
    flush(node)
    assert read(node, 1) == values
    node.engine.compact()
    node.engine.background.finish()
    for _ in range(2):
        assert read(node, 1) == values
    hits, misses = cache.hits, cache.misses
    assert list(node.engine.stores[other.id].scan(0))
    assert node.engine.stores[other.id].row_at(INT.encode(1), INT.order_key(INT.encode(1)), 0) is not None
    assert (cache.hits, cache.misses) == (hits, misses)
    node.create(with_caching(table(), "NONE"))
    assert read(node, 1) == values
    node.create(with_caching(table(), "ALL"))
    node.engine.files.set_row_cache_bytes(0)
    assert read(node, 1) == values
    assert (cache.hits, cache.misses) == (hits, misses)
    node.engine.files.set_row_cache_bytes(1 << 20)
    for _ in range(2):
        assert read(node, 1) == values
    assert (cache.hits, cache.misses) == (hits + 1, misses + 1)


def test_it_takes_no_more_than_it_may_and_keeps_no_sstable() -> None:
    node = Harness(replace(OPTIONS, row_cache_bytes=20_000))
    made = with_caching(table(), "ALL")
    node.create(made)
    fill(node, made, 0, 300)
    for c in range(2_000):
        node.insert(made, 1_000, c, "x" * 50)
    flush(node)
    cache = node.engine.files.caches.rows
    for k in range(300):
        assert read(node, k) == [b"t %d" % k if k < 10 else b" %d" % k if k < 100 else b"%d" % k]
        assert cache.size <= 20_000
    assert 5 < len(cache) < 50
    for _ in range(2):
        assert len(read(node, 1_000)) == 2_000, "too large to be kept"
    gone = [weakref.ref(reader) for reader in node.engine.files.readers_of(made.id)]
    gc.disable()
    try:
        node.engine.compact()
        node.engine.background.finish()
        assert [reader() for reader in gone] == [None]
    finally:
        gc.enable()


def test_what_tables_may_want() -> None:
    assert list(map(rows_wanted, ("NONE", "ALL", "10", "2000000"))) == [0, ROWS_MAX, 10, ROWS_MAX]


def held(node: Harness) -> tuple[int, int]:
    """Partitions in the row cache; reads that were not answered by it."""
    rows = node.engine.files.caches.rows
    return len(rows), rows.misses


def test_a_table_that_is_held_in_memory_is_there_after_a_flush_a_compaction_and_a_start() -> None:
    node = Harness(replace(OPTIONS, loads_row_cache=True))
    made, other = with_caching(table(), "ALL"), with_caching(table("u", 2), "NONE")
    node.create(made, other)
    fill(node, made, 0, 100)
    fill(node, other, 0, 100)
    flush(node)
    assert held(node) == (100, 0)
    fill(node, made, 50, 100)
    flush(node)
    assert held(node) == (200, 0)
    node.engine.compact([made.id])
    node.engine.background.finish()
    assert held(node) == (150, 0), "what the SSTables before had is gone"
    node.kill()
    node.engine.background.finish()
    assert held(node) == (150, 0)
    assert all(read(node, k) for k in range(150))
    assert held(node) == (150, 0)


def test_what_has_no_room_in_memory_is_read_from_the_disk() -> None:
    node = Harness(replace(OPTIONS, loads_row_cache=True, row_cache_bytes=20_000))
    made = with_caching(table(), "ALL")
    node.create(made)
    fill(node, made, 0, 100)
    flush(node)
    there, misses = held(node)
    assert 10 < there < 50
    assert misses == 0
    assert all(read(node, k) for k in range(100))
    assert held(node)[1] > 0
