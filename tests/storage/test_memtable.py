"""The memtable's own promises: compact forms, accounting, order of scans, what survives a change of the schema."""

from hypothesis import given, settings
from hypothesis import strategies as st
from storage_strategies import NOW_S, TABLE, updates
from storage_tables import bigint_value, int_value, narrow_table, wide_table

from protocol.types import INT
from storage.memtable.memtable import (
    PLACED_KEYS,
    SHARD_AT,
    Memtable,
    position_of,
    position_token,
    split_single,
    token_position,
)
from storage.memtable.packed import LAYOUTS_MAX, Layouts, join_wire_values
from storage.memtable.partition import BLOCK_ROWS_MAX, Partition, estimated_bytes
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, Row
from storage.reads import EVERYTHING, Slice, TableStore
from storage.schema.metadata import DroppedColumn
from storage.token import token

KEY = bigint_value(1)


def narrow_row(store: TableStore, timestamp_us: int, columns: tuple[str, ...] = ("c", "s"), text: bytes = b"x") -> bytes:
    layout = store.layouts.maybe_layout(columns, True)
    assert layout is not None
    values = {"c": int_value(1), "s": text, "v": b"blob"}
    return layout.row(timestamp_us, join_wire_values([values[name] for name in columns]))


def test_one_packed_row_stays_bytes_and_the_newer_replaces_it() -> None:
    store = TableStore(narrow_table())
    old, new = narrow_row(store, 1, text=b"old"), narrow_row(store, 2, text=b"new")
    for order in ([old, new], [new, old]):
        store.truncate()
        for row in order:
            store.apply_packed(KEY, b"", row)
        found = store.memtable.get(KEY)
        assert type(found) is bytes
        assert split_single(found) == (b"", new)
        assert store.row_at(KEY, b"", NOW_S) == new


def test_equal_timestamps_are_settled_per_cell_by_the_larger_value() -> None:
    store = TableStore(narrow_table())
    store.apply_packed(KEY, b"", narrow_row(store, 1, text=b"b"))
    store.apply_packed(KEY, b"", narrow_row(store, 1, text=b"a"))
    assert store.row_at(KEY, b"", NOW_S) == narrow_row(store, 1, text=b"b")


def test_negative_timestamp_is_older() -> None:
    store = TableStore(narrow_table())
    store.apply_packed(KEY, b"", narrow_row(store, 0, text=b"a"))
    store.apply_packed(KEY, b"", narrow_row(store, -1, text=b"b"))
    assert store.row_at(KEY, b"", NOW_S) == narrow_row(store, 0, text=b"a")


def test_wider_insert_takes_over_and_the_row_is_packed_again() -> None:
    store = TableStore(narrow_table())
    store.apply_packed(KEY, b"", narrow_row(store, 1, ("c",)))
    store.apply_packed(KEY, b"", narrow_row(store, 2, ("c", "s")))
    assert type(store.memtable.get(KEY)) is bytes
    assert store.row_at(KEY, b"", NOW_S) == narrow_row(store, 2, ("c", "s"))


def test_partial_update_keeps_both_timestamps() -> None:
    store = TableStore(narrow_table())
    store.apply_packed(KEY, b"", narrow_row(store, 1))
    store.apply(PartitionUpdate(store.table.id, KEY, rows={b"": Row((), columns={"s": Cell(2, b"new")})}))
    row = store.row_at(KEY, b"", NOW_S)
    assert row == Row((), Liveness(1), LIVE, {"c": Cell(1, int_value(1)), "s": Cell(2, b"new")})
    assert store.maybe_cell(row, "s") == Cell(2, b"new")


def test_order_key_too_long_for_the_bytes_form_is_kept_apart() -> None:
    store = TableStore(wide_table())
    layout = store.layouts.maybe_layout(("a",), True)
    assert layout is not None
    row = layout.row(1, join_wire_values([int_value(1), int_value(2)]))
    for ck in (b"\1" * 300, b"\1" * 65536):
        store.truncate()
        store.apply_packed(KEY, ck, row)
        assert store.row_at(KEY, ck, NOW_S) == row


def test_delete_then_older_insert_stays_deleted() -> None:
    store = TableStore(narrow_table())
    store.apply(PartitionUpdate(store.table.id, KEY, deletion=Deletion(5, NOW_S)))
    store.apply_packed(KEY, b"", narrow_row(store, 5))
    assert store.row_at(KEY, b"", NOW_S) is None
    store.apply_packed(KEY, b"", narrow_row(store, 6))
    assert store.row_at(KEY, b"", NOW_S) == narrow_row(store, 6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(updates(), max_size=20))
def test_accounting_and_blocks_agree_with_what_is_there(history: list[PartitionUpdate]) -> None:
    store = TableStore(TABLE)
    for update in history:
        store.apply(update)
    for found in map(store.memtable.get, store.memtable.keys()):
        if isinstance(found, Partition):
            assert found.firsts == [cks[0] for cks in found.cks]
            assert found.fulls == [sum(type(row) is not bytes for row in rows) for rows in found.rows]
            expected = sum(
                len(ck) + estimated_bytes(row)
                for cks, rows in zip(found.cks, found.rows, strict=True)
                for ck, row in zip(cks, rows, strict=True)
            )
            static_bytes = 0 if found.static is None else estimated_bytes(found.static)
            assert found.live_bytes == expected + static_bytes
    assert store.memtable.live_bytes >= 0


def test_wide_partition_is_read_in_order_over_many_blocks() -> None:
    store = TableStore(wide_table())
    layout = store.layouts.maybe_layout(("a",), True)
    assert layout is not None
    count = BLOCK_ROWS_MAX * 4
    for number in range(count):
        scattered = (number * 7919 % count).to_bytes(4, "big")
        store.apply_packed(KEY, b"\2" + scattered, layout.row(1, join_wire_values([scattered, scattered])))
    view = store.read(KEY, EVERYTHING, NOW_S)
    assert view is not None
    assert [store.clustering(row)[0] for row in view.rows()] == [n.to_bytes(4, "big") for n in range(count)]
    edges = BLOCK_ROWS_MAX, 2 * BLOCK_ROWS_MAX
    bounds = [Slice(b"\2" + (n - 2).to_bytes(4, "big"), b"\2" + (n + 1).to_bytes(4, "big")) for n in edges]
    view = store.read(KEY, bounds, NOW_S, reverse=True)
    assert view is not None
    expected = [edge - back for edge in reversed(edges) for back in range(3)]
    assert [int.from_bytes(ck[1:], "big") for ck, _ in view.items()] == expected


def test_reading_goes_on_while_rows_come_in() -> None:
    store = TableStore(wide_table())
    layout = store.layouts.maybe_layout(("a",), True)
    assert layout is not None

    def put(number: int) -> None:
        value = number.to_bytes(4, "big")
        store.apply_packed(KEY, b"\2" + value, layout.row(1, join_wire_values([value, value])))

    count = BLOCK_ROWS_MAX * 3
    for number in range(0, count * 2, 2):
        put(number)
    for reverse in (False, True):
        view = store.read(KEY, EVERYTHING, NOW_S, reverse)
        assert view is not None
        seen: list[int] = []
        for cks, _ in view.chunks():
            seen += (int.from_bytes(ck[1:], "big") for ck in cks)
            for number in range(1 + reverse * 10, count * 2, 97):
                put(number)
        assert [number for number in seen if not number % 2] == sorted(range(0, count * 2, 2), reverse=reverse)
        assert seen == sorted(seen, reverse=reverse)


def test_scan_sees_keys_that_came_since_the_last_one() -> None:
    store = TableStore(narrow_table())
    for number in range(300):
        store.apply_packed(bigint_value(number), b"", narrow_row(store, 1))
        if number % 100 == 50:
            assert len(list(store.scan(NOW_S))) == number + 1
    keys = [view.key for view in store.scan(NOW_S)]
    assert keys == sorted(map(bigint_value, range(300)), key=lambda key: (token(key), key))


def test_keys_are_placed_in_steps_while_more_come() -> None:
    store = TableStore(narrow_table())
    row = narrow_row(store, 1)
    for number in range(2 * PLACED_KEYS + 1):
        store.apply_packed(bigint_value(number), b"", row)
    assert not store.prepare_scan()
    store.apply_packed(bigint_value(-1), b"", row)
    assert not store.prepare_scan()
    assert store.prepare_scan()
    scan = store.scan(NOW_S)
    first = next(scan).key
    store.apply_packed(bigint_value(-2), b"", row)
    keys = [first, *(view.key for view in scan)]
    expected = sorted((bigint_value(number) for number in range(-2, 2 * PLACED_KEYS + 1)), key=position_of)
    ahead = position_of(bigint_value(-2)) > position_of(first)
    assert keys == [key for key in expected if ahead or key != bigint_value(-2)]


def test_scan_between_tokens() -> None:
    store = TableStore(narrow_table())
    for number in range(50):
        store.apply_packed(bigint_value(number), b"", narrow_row(store, 1))
    keys = [view.key for view in store.scan(NOW_S)]
    start, end = token(keys[10]), token(keys[20])
    found = [view.key for view in store.scan(NOW_S, token_position(start), token_position(end))]
    assert found == keys[10:20]
    assert position_token(position_of(keys[10])) == start


def test_cells_of_a_dropped_column_are_not_read() -> None:
    store = TableStore(wide_table())
    layout, unmarked = (store.layouts.maybe_layout(("a",), marker) for marker in (True, False))
    assert layout is not None
    assert unmarked is not None
    values = join_wire_values([int_value(1), int_value(2)])
    store.apply_packed(KEY, b"\2a", layout.row(5, values))
    store.apply_packed(KEY, b"\2b", unmarked.row(5, values))
    store.apply_packed(KEY, b"\2c", unmarked.row(6, values))
    store.set_table(wide_table({"a": DroppedColumn("a", INT, 5)}))
    view = store.read(KEY, EVERYTHING, NOW_S)
    assert view is not None
    rows = dict(view.items())
    assert rows == {b"\2a": Row((int_value(1),), Liveness(5)), b"\2c": store.layouts.explode(unmarked.row(6, values))}
    assert store.row_at(KEY, b"\2b", NOW_S) is None
    assert store.row_at(KEY, b"\2a", NOW_S) == rows[b"\2a"]


def test_expiring_row_is_there_until_its_second() -> None:
    store = TableStore(narrow_table())
    row = Row((), Liveness(1, 10, NOW_S), LIVE, {"s": Cell(1, b"x", 10, NOW_S)})
    store.apply(PartitionUpdate(store.table.id, KEY, rows={b"": row}))
    assert store.row_at(KEY, b"", NOW_S - 1) == row
    assert store.row_at(KEY, b"", NOW_S) is None


def test_rows_that_do_not_fit_are_not_packed() -> None:
    layouts = Layouts(narrow_table().id, 0)
    fits = Row((), Liveness(1), LIVE, {"s": Cell(1, b"x")})
    packed = layouts.maybe_pack(fits)
    assert packed is not None
    assert layouts.explode(packed) == fits
    for columns in ({"s": Cell(2, b"x")}, {"s": Cell(1, None, 0, 5)}, {"s": Cell(1, b"x", 1, 5)}):
        assert layouts.maybe_pack(Row((), Liveness(1), LIVE, columns)) is None
    assert layouts.maybe_pack(Row((), deletion=Deletion(1, 1))) is None
    assert layouts.maybe_pack(Row(())) is None


def test_layouts_are_bounded() -> None:
    layouts = Layouts(narrow_table().id, 0)
    for number in range(LAYOUTS_MAX):
        assert layouts.maybe_layout((f"c{number}",), True) is not None
    assert layouts.maybe_layout(("one more",), True) is None
    assert layouts.maybe_layout(("c0",), True) is not None
    assert len(Memtable(layouts, lambda left, right: left)) == 0


def test_many_partitions_are_dealt_to_several_dicts_and_all_are_found() -> None:
    store = TableStore(narrow_table())
    keys = [number.to_bytes(8, "big") for number in range(SHARD_AT + 100)]
    for key in keys:
        store.apply_packed(key, b"", narrow_row(store, 5))
    memtable = store.memtable
    assert len(memtable) == len(keys)
    assert sorted(memtable.keys()) == keys
    assert all(store.row_at(key, b"", NOW_S) is not None for key in keys)
    assert memtable.largest_dict() < SHARD_AT / 16


def test_removed_partitions_are_gone_from_scans_and_may_come_again() -> None:
    store = TableStore(narrow_table())
    memtable = store.memtable
    keys = [bigint_value(number) for number in range(200)]
    for key in keys:
        store.apply_packed(key, b"", narrow_row(store, 1))
    assert len(list(store.scan(NOW_S))) == 200
    for key in keys[::2]:
        memtable.remove(key)
        memtable.remove(key)
    assert {view.key for view in store.scan(NOW_S)} == set(keys[1::2])
    for key in keys:
        store.apply_packed(key, b"", narrow_row(store, 2))
    assert sorted(view.key for view in store.scan(NOW_S)) == sorted(keys)
    for key in keys:
        memtable.remove(key)
    assert (len(memtable), list(store.scan(NOW_S))) == (0, [])


def test_what_is_removed_before_it_has_its_place_costs_no_more_than_a_step() -> None:
    """All that had come since the last scan was placed at once: a second for a million keys."""
    store = TableStore(narrow_table())
    memtable = store.memtable
    keys = [bigint_value(number) for number in range(4 * PLACED_KEYS)]
    for key in keys:
        store.apply_packed(key, b"", narrow_row(store, 1))
    memtable.remove(keys[0])
    assert len(memtable._fresh) == 3 * PLACED_KEYS
    store.apply_packed(keys[0], b"", narrow_row(store, 2))
    memtable.remove(keys[0])
    memtable.remove(keys[1])
    store.apply_packed(keys[1], b"", narrow_row(store, 2))
    assert [view.key for view in store.scan(NOW_S)] == sorted(keys[1:], key=position_of)
    assert not memtable._gone


runs = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3 * BLOCK_ROWS_MAX), min_size=1, max_size=8),  # where stretches begin
        st.integers(1, BLOCK_ROWS_MAX),  # how long they are
        st.integers(-1, 3),  # timestamp
        st.sampled_from([("a",), ("a", "b")]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(runs, st.booleans())
def test_rows_put_in_together_are_those_put_in_one_by_one(
    history: list[tuple[list[int], int, int, tuple[str, ...]]], is_guarded: bool
) -> None:
    together, one_by_one = TableStore(wide_table()), TableStore(wide_table())
    for store in (together, one_by_one):
        if is_guarded:
            store.apply(PartitionUpdate(store.table.id, KEY, deletion=Deletion(1, 1)))
    for begins, length, timestamp_us, columns in history:
        numbers = [begin + step for begin in begins for step in range(length)]
        cks = [b"\2" + int_value(number) for number in numbers]
        values = [join_wire_values([int_value(n), *[int_value(n % 7)] * len(columns)]) for n in numbers]
        for store in (together, one_by_one):
            layout = store.layouts.maybe_layout(columns, True)
            assert layout is not None
            head = layout.row(timestamp_us, b"")
            if store is together:
                store.memtable.apply_packed_rows(KEY, head, cks, values)
                continue
            for ck, wire_values in zip(cks, values, strict=True):
                store.memtable.apply_packed_rows(KEY, head, [ck], [wire_values])
    views = [store.read(KEY, EVERYTHING, NOW_S) for store in (together, one_by_one)]
    found = [list(view.items()) if view is not None else [] for view in views]
    assert found[0] == found[1]
    for store in (together, one_by_one):
        partition = store.memtable.get(KEY)
        if isinstance(partition, Partition):
            size = sum(len(ck) for cks in partition.cks for ck in cks)
            assert partition.live_bytes == size + sum(estimated_bytes(row) for rows in partition.rows for row in rows)
            assert [cks[0] for cks in partition.cks] == partition.firsts
            assert all(len(cks) <= BLOCK_ROWS_MAX for cks in partition.cks)
