"""Partitions of one plain row each: written, read through and scanned by code of their own, which must not differ from the
general way in anything."""

import random
from itertools import product
from uuid import UUID

import pytest
from sstable_files import FOLDER, contents, data_of, written
from storage_tables import bigint_value, column

from protocol.types import BIGINT, BLOB, INT, TEXT
from storage.environment.memory import MemoryDisk
from storage.keys import clustering_order_key
from storage.memtable.memtable import position_of, split_single
from storage.memtable.merging import memtable_of
from storage.memtable.packed import join_wire_values, timestamp_of
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, Row
from storage.reads import Singles, TableStore
from storage.reconcile import resolver
from storage.schema.metadata import ColumnKind, TableMetadata
from storage.sstable.constants import VERSIONS
from storage.sstable.descriptor import Descriptor
from storage.sstable.writer import SSTableWriter, WriterOptions

NOW_S = 1000
SEED = 11


def table(clustered: bool, with_static: bool) -> TableMetadata:
    columns = [
        column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
        column("a", ColumnKind.REGULAR, INT),
        column("b", ColumnKind.REGULAR, BLOB),
    ]
    if clustered:
        columns += [column("c", ColumnKind.CLUSTERING, INT, 0), column("d", ColumnKind.CLUSTERING, TEXT, 1, reversed=True)]
    if with_static:
        columns.append(column("s", ColumnKind.STATIC, TEXT))
    return TableMetadata("ks", "t", UUID(int=1), tuple(columns))


def put(store: TableStore, rng: random.Random, k: int, timestamp_us: int) -> None:
    """A plain row, of all columns or of one, or now and then something that is not plain."""
    key = bigint_value(k)
    clustering = (rng.randrange(4).to_bytes(4, "big"), rng.choice([b"", b"x", b"y" * 300])) if store.table.clustering else ()
    ck = clustering_order_key(store.table)(clustering)
    kind = rng.random()
    if kind < 0.8:
        names = ("a", "b") if kind < 0.6 else ("b", "a") if kind < 0.7 else ("b",)
        layout = store.layouts.maybe_layout(names, kind < 0.75)
        assert layout is not None
        values = {"a": rng.choice([b"", rng.randbytes(4)]), "b": rng.randbytes(rng.choice([0, 5, 130, 20_000]))}
        store.apply_packed(key, ck, layout.row(timestamp_us, join_wire_values([*clustering, *(values[n] for n in names)])))
    elif kind < 0.9:
        row = Row(clustering, Liveness(timestamp_us, 10, NOW_S + 5), columns={"a": Cell(timestamp_us, None, 0, 5)})
        store.apply(PartitionUpdate(store.table.id, key, rows={ck: row}))
    elif kind < 0.95 and any(c.kind is ColumnKind.STATIC for c in store.table.columns):
        store.apply(PartitionUpdate(store.table.id, key, static=Row((), columns={"s": Cell(timestamp_us, b"static")})))
    else:
        store.apply(PartitionUpdate(store.table.id, key, Deletion(timestamp_us, NOW_S)))


SHAPES = [shape for shape in product([False, True], repeat=2) if shape != (False, True)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_bytes_are_those_of_the_general_way(shape: tuple[bool, bool], version: str) -> None:
    rng = random.Random(SEED)
    store = TableStore(table(*shape))
    for k in range(400):
        put(store, rng, k, rng.choice([-5, 0, 7, 1 << 50]))
    disk = MemoryDisk()
    general = written(disk, store, 1, version)
    assert general is not None
    descriptor = Descriptor(VERSIONS[version], 2)
    writer = SSTableWriter(disk, FOLDER, descriptor, store.table, store.layouts, WriterOptions(len(store.memtable)))
    singles = 0
    for positions, stored in store.memtable.batches():
        for position, partition in zip(positions, stored, strict=True):
            if type(partition) is bytes:
                writer.append_single(position, partition)
                singles += 1
            else:
                writer.append(position[8:], data_of(store.memtable.general(partition)))
    assert singles > 200
    found = writer.finish()
    for component in general.components:
        ours, theirs = (disk.read_file(f"{FOLDER}/{version}-{n}-{VERSIONS[version].format}-{component}") for n in (1, 2))
        assert ours == theirs, component
    assert found.stats.rows == general.statistics.stats.rows


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_what_is_read_through_is_what_is_read_by_key(shape: tuple[bool, bool], version: str) -> None:
    rng = random.Random(SEED)
    store = TableStore(table(*shape))
    for k in range(400):
        put(store, rng, k, rng.choice([-5, 0, 7, 1 << 50]))
    reader = written(MemoryDisk(), store, version=version)
    assert reader is not None
    expected = contents(reader, store)
    singles = 0
    for positions, stored in reader.batches():
        for position, partition in zip(positions, stored, strict=True):
            key = position[8:]
            if type(partition) is bytes:
                singles += 1
                ck, row = split_single(partition)
                assert expected[key][2] == {ck: store.layouts.explode(row)}
                assert expected[key][1] is None
            else:
                assert [ck for cks, _, _ in partition.chunks(b"", b"\xff", False) for ck in cks] == list(expected[key][2])
    assert singles > 150


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_scans_of_several_sources_give_what_one_memtable_gives(shape: tuple[bool, bool], seed: int) -> None:
    rng = random.Random(seed)
    made = table(*shape)
    whole, several = TableStore(made), TableStore(made)
    disk = MemoryDisk()
    timestamps = list(range(1000))
    rng.shuffle(timestamps)
    for generation in range(4):
        for _ in range(120):
            k, state, timestamp_us = rng.randrange(200), rng.getstate(), timestamps.pop()
            put(several, rng, k, timestamp_us)
            rng.setstate(state)
            put(whole, rng, k, timestamp_us)
        if generation < 3:  # the last one stays in memory
            reader = written(disk, several, generation + 1)
            assert reader is not None
            several.memtable = memtable_of(several.layouts, resolver(made))
            several.flushed = (reader, *several.flushed)
    several.flushed = tuple(sorted(several.flushed, key=lambda source: -source.max_timestamp_us))

    def seen(store: TableStore, start: bytes = b"", end: bytes | None = None) -> list[object]:
        return [
            (view.key, view.static, [(ck, store.layouts.explode(row)) for ck, row in view.items()])
            for view in store.scan(NOW_S, start, end)
        ]

    def living(found: list[object]) -> list[object]:
        return [each for each in found if each[1] is not None or each[2]]  # type: ignore[index]

    expected = living(seen(whole))
    assert living(seen(several)) == expected
    middle = position_of(bigint_value(100))
    assert living(seen(several, b"", middle)) + living(seen(several, middle)) == expected
    batches = [found for found in several.scan_batches(NOW_S) if isinstance(found, Singles)]
    assert sum(len(found.positions) for found in batches) > 10
    assert all(timestamp_of(split_single(partition)[1]) < 1000 for found in batches for partition in found.partitions)
