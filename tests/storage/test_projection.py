"""Projection: stored rows to wire values, packed rows against exploded ones."""

import struct
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_tables import bigint_value, counter_table, int_value, narrow_table, wide_table

from protocol.types import INT, TEXT, SetType, UserType
from storage.counters.contexts import increment
from storage.keys import clustering_order_key, compose_key
from storage.memtable.packed import StoredRow
from storage.mutation import LIVE, Cell, ComplexColumn, Liveness, PartitionUpdate, Row
from storage.projection import COMPILED_VALUES_MAX, NULL, compiled_cut, complex_serializer, cut_of, wire
from storage.reads import EVERYTHING, TableStore

NOW_S = 1000


def wires(*values: bytes | None) -> bytes:
    return b"".join(wire(value) for value in values)


@pytest.mark.parametrize("wanted", [*permutations(["c", "s", "v"]), ("v",), ("c", "v"), (), ("l", "s"), ("v", "l", "v")])
def test_packed_rows_project_as_exploded_rows_do(wanted: tuple[str, ...]) -> None:
    store = TableStore(narrow_table())
    layout = store.layouts.maybe_layout(("c", "v", "s"), True)
    assert layout is not None
    packed = layout.row(5, wires(int_value(1), b"blob", b"text"))
    projector = store.projector([store.table.by_name[name] for name in wanted])
    exploded = store.layouts.explode(packed)
    assert projector.wire(packed) == projector.wire(exploded)
    mixed: list[StoredRow] = [packed, exploded, packed]
    assert projector.wire_rows(mixed, b"head") == (b"head" + projector.wire(packed)) * 3
    assert projector.wire_rows([packed] * 3, b"head") == (b"head" + projector.wire(packed)) * 3
    assert projector.wire_rows(mixed[::-1]) == projector.wire_rows(mixed)
    assert wires(*projector.values(packed)) == projector.wire(packed)
    assert projector.values(packed) == projector.values(exploded)
    for rows in ([packed] * 3, mixed, mixed[::-1]):
        assert projector.values_of(rows) == [projector.values(packed)] * 3


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=5), min_size=1, max_size=8), st.data())
def test_compiled_cut_equals_the_loop(values: list[bytes], data: st.DataObject) -> None:
    runs = data.draw(
        st.lists(
            st.one_of(
                st.none(),
                st.integers(0, len(values) - 1).flatmap(
                    lambda start: st.tuples(st.just(start), st.integers(start + 1, len(values)))
                ),
            ),
            max_size=5,
        )
    )
    row = bytes(10) + wires(*values)
    expected = b"".join(NULL if run is None else wires(*values[run[0] : run[1]]) for run in runs)
    assert compiled_cut(len(values), tuple(runs))(row) == cut_of(runs)(row) == expected
    assert COMPILED_VALUES_MAX >= 8


def test_list_is_in_the_order_of_its_timeuuids() -> None:
    store = TableStore(narrow_table())
    early = bytes.fromhex("ffffffff00001000" + "8080808080808080")  # time_low large, time_hi smallest
    late = bytes.fromhex("0000000000011000" + "8080808080808080")
    columns = {"l": ComplexColumn(LIVE, {late: Cell(1, int_value(2)), early: Cell(1, int_value(1))})}
    projector = store.projector([store.table.by_name["l"]])
    expected = struct.pack(">i", 2) + wires(int_value(1), int_value(2))
    assert projector.wire(Row((), Liveness(1), LIVE, columns)) == wires(expected)
    assert projector.wire(Row((), Liveness(1))) == NULL


def test_set_and_map_are_in_the_order_of_their_type() -> None:
    cells = {int_value(1): Cell(1, b"x"), int_value(-1): Cell(1, b"")}
    as_set = complex_serializer(SetType(INT, False))
    assert as_set(ComplexColumn(LIVE, cells)) == struct.pack(">i", 2) + wires(int_value(-1), int_value(1))
    store = TableStore(wide_table())
    column = ComplexColumn(LIVE, {b"q": Cell(1, int_value(2)), b"p": Cell(1, int_value(1))})
    projector = store.projector([store.table.by_name["m"]])
    expected = struct.pack(">i", 2) + wires(b"p", int_value(1), b"q", int_value(2))
    assert projector.wire(Row((int_value(1),), columns={"m": column})) == wires(expected)


def test_user_type_has_nulls_for_missing_fields() -> None:
    value = complex_serializer(UserType("ks", "u", ("x", "y", "z"), (INT, TEXT, INT), False))
    assert value(ComplexColumn(LIVE, {b"\0\1": Cell(1, b"y")})) == wires(None, b"y", None)


def test_partition_projector_interleaves_key_static_and_row() -> None:
    store = TableStore(wide_table())
    key, ck = bigint_value(1), clustering_order_key(store.table)((int_value(2),))
    row = Row((int_value(2),), Liveness(1), LIVE, {"a": Cell(1, int_value(3))})
    store.apply(PartitionUpdate(store.table.id, key, static=Row((), columns={"s": Cell(1, b"st")}), rows={ck: row}))
    projector = store.partition_projector(store.table.columns)
    view = store.read(key, EVERYTHING, NOW_S)
    assert view is not None
    bound = projector.bind(key, view.static)
    rows = list(view.rows())
    expected = wires(key, int_value(2), b"st", int_value(3), None, None)
    assert [bound.wire(found) for found in rows] == [expected]
    assert bound.wire_rows(rows) == expected
    assert bound.values(rows[0]) == [key, int_value(2), b"st", int_value(3), None, None]
    assert bound.wire(None) == wires(key, None, b"st", None, None, None)
    assert bound.values(None) == [key, None, b"st", None, None, None]


def test_partition_projector_of_key_and_row_is_head_and_rows() -> None:
    store = TableStore(narrow_table())
    layout = store.layouts.maybe_layout(("c", "s"), True)
    assert layout is not None
    key = compose_key([bigint_value(9)])
    bound = store.partition_projector([store.table.by_name[name] for name in ("k", "c", "s")]).bind(key, None)
    row = layout.row(1, wires(int_value(1), b"x"))
    assert bound.wire_rows([row, row]) == wires(key, int_value(1), b"x") * 2
    only_key = store.partition_projector([store.table.by_name["k"]]).bind(key, None)
    assert only_key.wire_rows([row, row]) == wires(key) * 2


def test_counter_is_read_as_its_total() -> None:
    store = TableStore(counter_table())
    context = increment(None, bytes(16), 42, 1)
    store.apply(PartitionUpdate(store.table.id, b"k", rows={b"": Row((), columns={"n": Cell(1, context)})}))
    row = store.row_at(b"k", b"", NOW_S)
    assert row is not None
    assert store.projector([store.table.by_name["n"]]).wire(row) == wires(bigint_value(42))
