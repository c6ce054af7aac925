"""Merging cells, complex columns and rows: the algebra, and Cassandra's ties one by one (db/rows/Cells.java)."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from storage_strategies import (
    CLUSTERINGS,
    NOW_S,
    ORDER_KEY,
    cells,
    complex_columns,
    livenesses,
    maybe_deletions,
    range_tombstones,
    rows,
)

from storage.memtable.range_tombstones import RangeTombstones
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, RangeTombstone, Row
from storage.reconcile import (
    EXPIRED_TTL_S,
    live_row,
    merge_complex,
    merge_rows,
    reconcile,
    reconcile_liveness,
    uncovered_complex,
    uncovered_row,
)

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
T, L = 5, NOW_S


@EXAMPLES
@given(cells(), cells(), cells())
def test_cells_form_a_semilattice(a: Cell, b: Cell, c: Cell) -> None:
    assert reconcile(a, b) == reconcile(b, a)
    assert reconcile(reconcile(a, b), c) == reconcile(a, reconcile(b, c))
    assert reconcile(a, a) == a


@EXAMPLES
@given(livenesses, livenesses, livenesses)
def test_livenesses_form_a_semilattice(a: Liveness, b: Liveness, c: Liveness) -> None:
    assert reconcile_liveness(a, b) == reconcile_liveness(b, a)
    assert reconcile_liveness(reconcile_liveness(a, b), c) == reconcile_liveness(a, reconcile_liveness(b, c))
    assert reconcile_liveness(a, a) == a


def _complex(a: ComplexColumn | None, b: ComplexColumn | None, active: Deletion) -> ComplexColumn | None:
    if a is None or b is None:
        one = a if a is not None else b
        return None if one is None else uncovered_complex(one, active)
    return merge_complex(a, b, active)


def _rows(a: Row | None, b: Row | None, active: Deletion) -> Row | None:
    if a is None or b is None:
        one = a if a is not None else b
        return None if one is None else uncovered_row(one, active)
    return merge_rows(a, b, active)


@EXAMPLES
@given(complex_columns, complex_columns, complex_columns, maybe_deletions)
def test_complex_columns_form_a_semilattice(a: ComplexColumn, b: ComplexColumn, c: ComplexColumn, active: Deletion) -> None:
    assert _complex(a, b, active) == _complex(b, a, active)
    assert _complex(_complex(a, b, active), c, active) == _complex(a, _complex(b, c, active), active)
    assert _complex(a, a, active) == uncovered_complex(a, active)


@EXAMPLES
@given(rows(), rows(), rows(), maybe_deletions)
def test_rows_form_a_semilattice(a: Row, b: Row, c: Row, active: Deletion) -> None:
    assert _rows(a, b, active) == _rows(b, a, active)
    assert _rows(_rows(a, b, active), c, active) == _rows(a, _rows(b, c, active), active)
    assert _rows(a, a, active) == uncovered_row(a, active)


@EXAMPLES
@given(st.lists(range_tombstones(), max_size=8), st.randoms(use_true_random=False))
def test_range_tombstones_normalised_equal_brute_force(tombstones: list[RangeTombstone], rng: object) -> None:
    kept = RangeTombstones(tombstones)
    for clustering in CLUSTERINGS:
        ck = ORDER_KEY((clustering,))
        expected = max([t.deletion for t in tombstones if t.start <= ck < t.end], default=LIVE)
        assert kept.covering(ck) == expected
        assert [t for t in kept if t.start <= ck < t.end] == kept.overlapping(ck, ck + b"\0")
    items = list(kept)
    for left, right in pairwise(items):
        assert left.start < left.end <= right.start
        assert left.end < right.start or left.deletion != right.deletion
    assert list(RangeTombstones(reversed(tombstones))) == items


def test_tombstone_wins_over_live_at_equal_timestamp() -> None:
    tombstone = Cell(T, None, 0, L)
    assert reconcile(Cell(T, b"\xff"), tombstone) is tombstone


def test_expiring_wins_over_live_at_equal_timestamp_even_with_smaller_value() -> None:
    expiring = Cell(T, b"a", 10, L)
    assert reconcile(Cell(T, b"b"), expiring) is expiring


def test_tombstone_wins_over_expiring_at_equal_timestamp() -> None:
    tombstone = Cell(T, None, 0, L)
    assert reconcile(Cell(T, b"a", 10, L + 10), tombstone) is tombstone


def test_later_expiry_wins_then_shorter_ttl_then_larger_value() -> None:
    assert reconcile(Cell(T, b"z", 10, L), Cell(T, b"a", 10, L + 1)).value == b"a"
    assert reconcile(Cell(T, b"z", 10, L), Cell(T, b"a", 9, L)).value == b"a"
    assert reconcile(Cell(T, b"z", 10, L), Cell(T, b"a", 10, L)).value == b"z"


def test_larger_value_wins_unsigned() -> None:
    assert reconcile(Cell(T, b"\x7f"), Cell(T, b"\x80")).value == b"\x80"
    assert reconcile(Cell(T, b""), Cell(T, b"\0")).value == b"\0"


def test_deletion_covers_its_own_timestamp() -> None:
    row = Row((), Liveness(T), LIVE, {"a": Cell(T, b"x"), "b": Cell(T + 1, b"y")})
    assert uncovered_row(row, Deletion(T, L)) == Row((), columns={"b": Cell(T + 1, b"y")})


def test_row_with_expired_marker_lives_by_its_cells() -> None:
    row = Row((), Liveness(T, 1, L), LIVE, {"a": Cell(T, b"x"), "b": Cell(T, b"y", 1, L)})
    assert live_row(row, L) == Row((), columns={"a": Cell(T, b"x")})
    assert live_row(row, L - 1) == row


def test_cells_of_a_dropped_column_die_up_to_the_drop() -> None:
    row = Row((), columns={"a": Cell(T, b"x"), "b": Cell(T + 1, b"y")})
    assert live_row(row, L, {"a": T, "b": T}) == Row((), columns={"b": Cell(T + 1, b"y")})


def test_a_marker_that_was_never_live_wins_at_equal_timestamp_and_is_dead_at_any_time() -> None:
    gone = Liveness(T, EXPIRED_TTL_S, L)
    for other in (Liveness(T), Liveness(T, 10, L + 10), Liveness(T, 1, L + 1000)):
        assert reconcile_liveness(other, gone) == reconcile_liveness(gone, other) == gone
    row = Row((), gone, LIVE, {"v": Cell(T, b"x")})
    assert live_row(row, L - 100) == Row((), columns={"v": Cell(T, b"x")})
    assert live_row(row, L - 100, needs_liveness=True) is None


def test_a_row_that_needs_liveness_is_dead_without_a_marker() -> None:
    row = Row((), columns={"v": Cell(T, b"x")})
    assert live_row(row, L, needs_liveness=True) is None
    marked = row._replace(liveness=Liveness(1, 10, L + 1))
    assert live_row(marked, L, needs_liveness=True) == marked
    assert live_row(marked, L + 1, needs_liveness=True) is None
