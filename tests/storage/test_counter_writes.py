"""Increments through the store: the outcomes are those of Cassandra 5.0.8 with its counter cache on, as by default."""

from random import Random
from typing import Any

import pytest
from storage_tables import counter_table, int_value, wide_counter_table

from protocol.types import INT
from storage.counters.contexts import total
from storage.counters.writes import incremented_row
from storage.memtable.counter_cache import ROWS_OF_DELETION_MAX, CounterCache
from storage.mutation import Cell, Deletion, PartitionUpdate, RangeTombstone, Row
from storage.reads import EVERYTHING, TableStore

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
    counts.store.counter_cache = CounterCache()
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


def test_nothing_is_kept_beside_the_data_where_nothing_was_deleted() -> None:
    counts = Counts()
    counts.add(5)
    counts.add(5)
    assert not counts.store.counter_cache


def test_increments_below_a_deletion_of_the_future_count_unseen() -> None:
    counts = Counts()
    counts.clock_us += 1_000
    counts.delete_row()
    counts.clock_us -= 1_000
    counts.add(5)
    counts.add(2)
    assert counts.value() is None
    counts.clock_us += 2_000
    counts.add(3)
    assert counts.value() == 10


class Twin:
    """Cassandra's cache as it is described: it forgets nothing."""

    def __init__(self) -> None:
        self.cached: dict[tuple[int, str], int] = {}
        self.seen: dict[tuple[int, str], int | None] = {}  # None: below the tombstone of its cell

    def add(self, row: int, name: str, delta: int) -> None:
        place = row, name
        self.cached[place] = self.cached.get(place, 0) + delta
        if self.seen.get(place, 0) is not None:
            self.seen[place] = self.cached[place]

    def delete(self, rows: range) -> None:
        self.seen = {place: count for place, count in self.seen.items() if place[0] not in rows}

    def delete_cell(self, row: int, name: str) -> None:
        self.seen[row, name] = None


@pytest.mark.parametrize("seed", range(40))
def test_counters_with_deletions_count_as_with_a_cache_that_forgets_nothing(seed: int) -> None:
    rng, store, twin, now_us = Random(seed), TableStore(wide_counter_table()), Twin(), 100

    def update(**changes: Any) -> None:
        store.apply(PartitionUpdate(store.table.id, b"k", **changes))

    for _ in range(30):
        now_us += 1
        deletion, row, name = Deletion(now_us, NOW_S), rng.randrange(4), rng.choice("nm")
        ck, clustering = INT.order_key(int_value(row)), (int_value(row),)
        match rng.randrange(8):
            case 0:
                update(deletion=deletion)
                twin.delete(range(4))
            case 1:
                update(rows={ck: Row(clustering, deletion=deletion)})
                twin.delete(range(row, row + 1))
            case 2:
                update(rows={ck: Row(clustering, columns={name: Cell(now_us, None, 0, NOW_S)})})
                twin.delete_cell(row, name)
            case 3:
                update(range_tombstones=(RangeTombstone(ck, b"\xff", deletion),))
                twin.delete(range(row, 4))
            case _:
                names = rng.choice(("n", "m", "nm"))
                deltas = dict.fromkeys(names, rng.randrange(-9, 9))
                written = incremented_row(store, NODE, b"k", ck, clustering, deltas, now_us, now_us, NOW_S)
                update(rows={ck: written})
                for name, delta in deltas.items():
                    twin.add(row, name, delta)
        view = store.read(b"k", EVERYTHING, NOW_S)
        assert view is None or view.static is None
        rows = [store.layouts.explode(row) for row in view.rows()] if view is not None else []
        seen = {
            (int.from_bytes(row.clustering[0], "big"), name): total(cell.value)
            for row in rows
            for name, cell in row.columns.items()
            if type(cell) is Cell and cell.value is not None
        }
        assert seen == {place: count for place, count in twin.seen.items() if count is not None}


def test_a_deletion_of_many_rows_is_remembered_in_part() -> None:
    store = TableStore(wide_counter_table())
    for number in range(ROWS_OF_DELETION_MAX + 5):
        ck = INT.order_key(int_value(number))
        row = incremented_row(store, NODE, b"k", ck, (int_value(number),), {"n": 1}, 1, 1, NOW_S)
        store.apply(PartitionUpdate(store.table.id, b"k", rows={ck: row}))
    store.apply(PartitionUpdate(store.table.id, b"k", Deletion(2, NOW_S)))
    assert len(store.counter_cache) == ROWS_OF_DELETION_MAX


def test_truncate_forgets_counts() -> None:
    counts = Counts()
    counts.add(5)
    counts.store.truncate()
    counts.add(2)
    assert counts.value() == 2
