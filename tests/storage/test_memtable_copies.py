"""Copies of memtables, which share partitions: what one of them is told, the other does not hear."""

from hypothesis import given, settings
from hypothesis import strategies as st
from storage_strategies import NOW_S, TABLE, updates
from storage_tables import bigint_value, int_value, wide_table

from storage.memtable.memtable import SHARD_AT, Memtable
from storage.memtable.packed import join_wire_values
from storage.memtable.partition import Partition
from storage.mutation import Deletion, PartitionUpdate
from storage.reads import EVERYTHING, TableStore

KEY = bigint_value(1)


def contents(store: TableStore) -> list[object]:
    """All that a store holds and a reader sees."""
    explode = store.layouts.explode  # layouts are numbered as they come
    return [
        (view.key, view.static, [(ck, explode(row)) for ck, row in view.items()], _deletions(store.memtable, view.key))
        for view in store.scan(NOW_S)
    ]


def _deletions(memtable: Memtable, key: bytes) -> object:
    partition = memtable.maybe_partition(key)
    assert partition is not None
    return partition.deletion, list(partition.tombstones or ())


@settings(max_examples=200, deadline=None)
@given(st.lists(updates(), max_size=8), st.lists(updates(), min_size=1, max_size=6), st.lists(updates(), max_size=4))
def test_saved_data_stay_as_they_were(
    before: list[PartitionUpdate], after: list[PartitionUpdate], again: list[PartitionUpdate]
) -> None:
    store, twin = TableStore(TABLE), TableStore(TABLE)
    for update in before:
        store.apply(update)
        twin.apply(update)
    expected, size = contents(twin), twin.memtable.live_bytes
    saved = store.save()
    for update in after:
        store.apply(update)
    store.bring_back(saved)
    assert contents(store) == expected
    assert store.memtable.live_bytes == size
    for update in again:
        store.apply(update)
        twin.apply(update)
    assert contents(store) == contents(twin)
    store.bring_back(saved)
    assert contents(store) == expected


def test_a_partition_is_copied_at_the_first_write_and_only_then() -> None:
    store = TableStore(wide_table())
    layout = store.layouts.maybe_layout(("a",), True)
    assert layout is not None

    def put(c: int, timestamp_us: int) -> None:
        store.apply_packed(KEY, bytes([1, c]), layout.row(timestamp_us, join_wire_values([int_value(c), int_value(1)])))

    put(1, 1)
    put(2, 1)
    before = store.memtable.get(KEY)
    assert isinstance(before, Partition)
    saved = store.save()
    assert saved.memtable.get(KEY) is before
    put(3, 2)
    changed = store.memtable.get(KEY)
    assert isinstance(changed, Partition)
    assert changed is not before
    put(4, 3)
    assert store.memtable.get(KEY) is changed
    store.apply(PartitionUpdate(TABLE.id, KEY, deletion=Deletion(9, 9)))
    assert store.memtable.get(KEY) is changed
    assert before.row_count() == 2
    view = store.read(KEY, EVERYTHING, NOW_S)
    assert view is not None
    assert not list(view.rows())


def test_many_partitions_are_copied_shard_by_shard() -> None:
    store = TableStore(wide_table())
    layout = store.layouts.maybe_layout(("a",), True)
    assert layout is not None
    row = layout.row(1, join_wire_values([int_value(1), int_value(1)]))
    for key in range(SHARD_AT + 10):
        store.apply_packed(bigint_value(key), b"\x01", row)
    saved = store.save()
    store.truncate()
    assert not list(store.scan(NOW_S))
    store.bring_back(saved)
    assert len(list(store.scan(NOW_S))) == SHARD_AT + 10
    assert store.memtable.largest_dict() < SHARD_AT
