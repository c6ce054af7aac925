"""Memtable and reads against the dumb twin: the same updates, in another order, spread over several sources."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_strategies import CLUSTERINGS, KEYS, NOW_S, ORDER_KEY, TABLE, updates
from storage_twin import Twin

from storage.memtable import partition
from storage.memtable.memtable import Memtable, position_of
from storage.memtable.packed import VALUES, Layouts
from storage.mutation import LIVE, PartitionUpdate
from storage.reads import ALL_ROWS, EVERYTHING, Slice, TableStore
from storage.reconcile import resolver

histories = st.lists(updates(), max_size=25)
EXAMPLES = settings(max_examples=15, deadline=None, derandomize=True)
CKS = [ORDER_KEY((value,)) for value in CLUSTERINGS]


def apply(memtable: Memtable, layouts: Layouts, update: PartitionUpdate) -> None:
    """By the packed way what is one plain row, else by way of its encoding."""
    if len(update.rows) == 1 and update.static is None and not update.range_tombstones and update.deletion == LIVE:
        ((ck, row),) = update.rows.items()
        packed = layouts.maybe_pack(row)
        if packed is not None:
            memtable.apply_packed_rows(update.key, packed[:VALUES], [ck], [packed[VALUES:]])
            return
    memtable.apply(PartitionUpdate.decode(update.encode()))


def stores(history: list[PartitionUpdate], shuffled: list[PartitionUpdate], source_count: int) -> tuple[TableStore, Twin]:
    store, twin = TableStore(TABLE), Twin()
    flushed = [Memtable(store.layouts, resolver(TABLE)) for _ in range(source_count - 1)]
    sources = [store.memtable, *flushed]
    for update in history:
        twin.apply(update)
    for index, update in enumerate(shuffled):
        apply(sources[index % source_count], store.layouts, update)
    store.flushed = tuple(flushed)
    return store, twin


@pytest.mark.parametrize("source_count", [1, 2, 3])
@EXAMPLES
@given(data=st.data(), history=histories)
def test_reads_equal_the_twins(source_count: int, data: st.DataObject, history: list[PartitionUpdate]) -> None:
    shuffled = data.draw(st.permutations(history))
    with patch.object(partition, "BLOCK_ROWS_MAX", 3):
        store, twin = stores(history, shuffled, source_count)
    for key in KEYS:
        expected = twin.rows(key, NOW_S)
        view = store.read(key, EVERYTHING, NOW_S)
        got = {ck: store.layouts.explode(row) for ck, row in view.items()} if view else {}
        assert got == expected
        assert list(got) == sorted(got)
        assert (view.static if view else None) == twin.static(key, NOW_S)
        backwards = store.read(key, EVERYTHING, NOW_S, reverse=True)
        assert [ck for ck, _ in backwards.items()] == sorted(expected, reverse=True) if backwards else not expected
        for ck in CKS:
            row = store.row_at(key, ck, NOW_S)
            assert (None if row is None else store.layouts.explode(row)) == expected.get(ck)


@pytest.mark.parametrize("source_count", [1, 2])
@pytest.mark.parametrize("reverse", [False, True])
@EXAMPLES
@given(history=histories, bounds=st.lists(st.sampled_from(CKS), min_size=2, max_size=6, unique=True))
def test_slices_equal_the_twins(
    source_count: int, reverse: bool, history: list[PartitionUpdate], bounds: list[bytes]
) -> None:
    bounds.sort()
    slices = [Slice(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=False)]
    with patch.object(partition, "BLOCK_ROWS_MAX", 3):
        store, twin = stores(history, history, source_count)
    for key in KEYS:
        expected = [ck for ck in twin.rows(key, NOW_S) if any(s.start <= ck < s.end for s in slices)]
        view = store.read(key, slices, NOW_S, reverse)
        got = [ck for ck, _ in view.items()] if view else []
        assert got == (expected[::-1] if reverse else expected)


@EXAMPLES
@given(history=histories, source_count=st.integers(1, 3))
def test_scan_meets_every_partition_once_in_token_order(history: list[PartitionUpdate], source_count: int) -> None:
    store, twin = stores(history, history, source_count)
    views = [(view.key, [ck for ck, _ in view.items()]) for view in store.scan(NOW_S)]
    positions = [position_of(key) for key, _ in views]
    assert positions == sorted(set(positions))
    assert dict(views).keys() >= {key for key in KEYS if twin.rows(key, NOW_S) or twin.static(key, NOW_S)}
    assert all(cks == list(twin.rows(key, NOW_S)) for key, cks in views)
    resumed = [view.key for view in store.scan(NOW_S, start=positions[0] + b"\0")] if positions else []
    assert resumed == [key for key, _ in views[1:]]


def test_whole_partition_slice_holds_the_empty_clustering() -> None:
    assert ALL_ROWS.start <= b"" < ALL_ROWS.end
