"""Increments through the store: the outcomes are those of Cassandra 5.0.8 with its counter cache on, as by default."""

from storage_tables import counter_table

from storage.counter_writes import incremented_row
from storage.counters import total
from storage.mutation import Cell, Deletion, PartitionUpdate, Row
from storage.reads import TableStore

NODE = b"N" * 16
NOW_S = 1000


class Counts:
    def __init__(self) -> None:
        self.store = TableStore(counter_table())
        self.clock_us = 100

    def add(self, delta: int) -> None:
        self.clock_us += 1
        row = incremented_row(self.store, NODE, b"k", b"", (), {"n": delta}, self.clock_us, self.clock_us, NOW_S)
        self.store.apply(PartitionUpdate(self.store.table.id, b"k", rows={b"": row}))

    def delete_row(self) -> None:
        self.clock_us += 1
        row = Row((), deletion=Deletion(self.clock_us, NOW_S))
        self.store.apply(PartitionUpdate(self.store.table.id, b"k", rows={b"": row}))

    def delete_cell(self) -> None:
        self.clock_us += 1
        row = Row((), columns={"n": Cell(self.clock_us, None, 0, NOW_S)})
        self.store.apply(PartitionUpdate(self.store.table.id, b"k", rows={b"": row}))

    def value(self) -> int | None:
        row = self.store.row_at(b"k", b"", NOW_S)
        if row is None:
            return None
        cell = self.store.maybe_cell(row, "n")
        assert type(cell) is Cell
        assert cell.value is not None
        return total(cell.value)


def test_increments_add_up() -> None:
    counts = Counts()
    counts.add(5)
    counts.add(-2)
    assert counts.value() == 3


def test_increments_go_on_from_the_data_when_nothing_is_cached() -> None:
    counts = Counts()
    counts.add(5)
    counts.store.counter_cache.clear()
    counts.add(2)
    assert counts.value() == 7


def test_increment_after_row_deletion_goes_on_from_the_cached_count() -> None:
    counts = Counts()
    counts.add(5)
    counts.delete_row()
    assert counts.value() is None
    counts.add(2)
    assert counts.value() == 7


def test_increment_after_cell_deletion_stays_invisible_until_a_row_deletion_covers_the_tombstone() -> None:
    counts = Counts()
    counts.add(7)
    counts.delete_cell()
    counts.add(2)
    assert counts.value() is None
    counts.delete_row()
    counts.add(3)
    assert counts.value() == 12


def test_truncate_forgets_counts() -> None:
    counts = Counts()
    counts.add(5)
    counts.store.truncate()
    counts.add(2)
    assert counts.value() == 2
