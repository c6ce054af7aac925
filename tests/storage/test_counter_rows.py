"""Packed rows of counters merge as rows do, and give clients totals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_tables import int_value, wide_counter_table

from protocol.types import INT
from storage.counters.contexts import Shard, context_of, total
from storage.counters.rows import merge_counter_rows
from storage.memtable.memtable import single
from storage.memtable.packed import Layouts
from storage.mutation import LIVE, NO_LIVENESS, Cell, PartitionUpdate, Row, packed_record
from storage.projection import COMPILED_VALUES_MAX, compiled_cut, counted, cut_of, wire
from storage.reads import TableStore
from storage.reconcile import merge_rows, resolver

TABLE = wide_counter_table()
NODES = [bytes([number]) * 16 for number in range(3)]
shards = st.builds(Shard, st.sampled_from(NODES), st.integers(0, 3), st.sampled_from([-1, 0, 5, -(1 << 63)]), st.booleans())
contexts = st.lists(shards, min_size=1, max_size=3, unique_by=lambda shard: shard.node_id).map(context_of)
times = st.sampled_from([-(1 << 62), -5, 0, 7, 1 << 61])


def _row(timestamp_us: int, context_n: bytes, context_m: bytes | None) -> Row:
    cells = {"n": Cell(timestamp_us, context_n)}
    if context_m is not None:
        cells["m"] = Cell(timestamp_us, context_m)
    return Row((int_value(1),), NO_LIVENESS, LIVE, cells)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(times, times, contexts, contexts, st.none() | st.tuples(contexts, contexts))
def test_packed_rows_merge_as_rows_do(
    old_us: int, new_us: int, old: bytes, new: bytes, others: tuple[bytes, bytes] | None
) -> None:
    layouts = Layouts(TABLE.id, 1, are_counters=True)
    old_row = _row(old_us, old, others[0] if others else None)
    new_row = _row(new_us, new, others[1] if others else None)
    packed = [layouts.maybe_pack(row) for row in (old_row, new_row)]
    assert packed[0] is not None
    assert packed[1] is not None
    merged = merge_counter_rows(packed[0], packed[1], 1)
    assert layouts.explode(merged) == merge_rows(old_row, new_row, LIVE, resolver(TABLE))


def test_a_row_whose_counters_have_one_time_is_packed_and_stays_so() -> None:
    store = TableStore(TABLE)
    ck = INT.order_key(int_value(1))
    for clock in (1, 2, 3):
        context = context_of([Shard(NODES[0], clock, clock * 10)])
        store.apply(PartitionUpdate(TABLE.id, b"k", rows={ck: _row(clock, context, context)}))
        row = store.row_at(b"k", ck, 0)
        assert type(row) is bytes
        columns = [TABLE.by_name[name] for name in ("n", "c", "m")]
        value = wire((clock * 10).to_bytes(8, "big"))
        assert store.projector(columns).wire(row) == value + wire(int_value(1)) + value
        assert store.projector([TABLE.by_name["n"]]).wire_rows([row, row]) == value + value


def test_packed_rows_of_counters_are_merged_whatever_the_order() -> None:
    layouts = TableStore(TABLE).layouts
    ck = INT.order_key(int_value(1))
    rows = [_row(clock, context_of([Shard(NODES[clock % 2], clock, clock)]), None) for clock in range(1, 5)]
    for ordered in (rows, rows[::-1]):
        store = TableStore(TABLE)
        for row in ordered:
            packed = store.layouts.maybe_pack(row)
            assert packed is not None
            store.apply_packed(b"k", ck, packed)
        stored = store.row_at(b"k", ck, 0)
        assert stored is not None
        cell = store.maybe_cell(stored, "n")
        assert isinstance(cell, Cell)
        assert cell.value is not None
        assert (cell.timestamp_us, total(cell.value)) == (4, 3 + 4)
    assert layouts.are_counters


@pytest.mark.parametrize("count", [2, COMPILED_VALUES_MAX + 1])
def test_both_ways_of_cutting_give_totals(count: int) -> None:
    layouts = Layouts(TABLE.id, 1, are_counters=True)
    contexts = [context_of([Shard(NODES[0], 1, number), Shard(NODES[1], 1, 1)]) for number in range(count)]
    row = layouts.maybe_pack(
        Row((int_value(7),), NO_LIVENESS, LIVE, {f"n{i}": Cell(1, context) for i, context in enumerate(contexts)})
    )
    assert row is not None
    runs = [(count, count + 1), None, (0, 1), (1, 2)]
    values = [counted(wire(contexts[-1])), wire(None), wire(int_value(7)), counted(wire(contexts[0]))]
    assert cut_of(runs, 1)(row) == compiled_cut(count + 1, tuple(runs), 1)(row) == b"".join(values)


def test_a_packed_record_of_a_counter_is_an_update_like_others() -> None:
    layouts = Layouts(TABLE.id, 1, are_counters=True)
    row = _row(5, context_of([Shard(NODES[0], 1, 1)]), None)
    packed = layouts.maybe_pack(row)
    assert packed is not None
    ck = INT.order_key(int_value(1))
    record = packed_record(layouts.of(packed).record_prefix, b"k", single(ck, packed))
    assert PartitionUpdate.decode(record) == PartitionUpdate(TABLE.id, b"k", rows={ck: row})
