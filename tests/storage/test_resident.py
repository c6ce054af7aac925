"""Small SSTables of tables that every client reads: kept as a whole, they are read as they are from their files."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from storage_strategies import KEYS, NOW_S
from test_reads_against_twin import EXAMPLES, histories, stores

from storage.memtable.memtable import Memtable, Position, position_of
from storage.merged import SourcePartition
from storage.mutation import PartitionUpdate
from storage.reads import EVERYTHING
from storage.sought import Sought
from storage.sstable.resident import Resident


class ResidentMemtable:
    """What is flushed, kept so; `reads`: how often all of it was read."""

    max_timestamp_us = 1 << 62

    def __init__(self, memtable: Memtable) -> None:
        self._memtable, self.reads = memtable, 0
        resident = Resident(self)
        self.stored, self.batches = resident.stored, resident.batches

    def own_stored(self, sought: Sought) -> bytes | SourcePartition | None:
        raise AssertionError("it is kept as a whole")

    def maybe_partition(self, key: bytes) -> SourcePartition | None:
        return self._memtable.maybe_partition(key)

    def partitions(self) -> Iterator[tuple[Position, SourcePartition]]:
        self.reads += 1
        for positions, _ in self._memtable.batches():
            for position in positions:
                partition = self._memtable.maybe_partition(position[8:])
                assert partition is not None
                yield position, partition


@EXAMPLES
@given(data=st.data(), history=histories)
def test_reads_and_scans_equal_the_twins(data: st.DataObject, history: list[PartitionUpdate]) -> None:
    store, twin = stores(history, data.draw(st.permutations(history)), 3)
    kept = [ResidentMemtable(source) for source in store.flushed]  # type: ignore[arg-type]
    store.flushed = tuple(kept)  # type: ignore[assignment]
    for _ in range(2):
        expected = {key: twin.rows(key, NOW_S) for key in KEYS}
        for key in KEYS:
            view = store.read(key, EVERYTHING, NOW_S)
            assert ({ck: store.layouts.explode(row) for ck, row in view.items()} if view else {}) == expected[key]
            assert (view.static if view else None) == twin.static(key, NOW_S)
        for start in (b"", *map(position_of, KEYS)):
            scanned = {view.key: [ck for ck, _ in view.items()] for view in store.scan(NOW_S, start)}
            wanted = {key: sorted(expected[key]) for key in KEYS if expected[key] and position_of(key) >= start}
            assert {key: cks for key, cks in scanned.items() if cks} == wanted
    assert all(one.reads == 1 for one in kept)
