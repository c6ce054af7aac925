"""Hypothesis strategies for cells, rows and updates: few timestamps, few keys, so that everything meets everything."""

from hypothesis import strategies as st
from storage_tables import bigint_value, int_value, wide_table

from storage.keys import after, clustering_order_key
from storage.mutation import (
    LIVE,
    NO_LIVENESS,
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    PartitionUpdate,
    RangeTombstone,
    Row,
)

TABLE = wide_table()
ORDER_KEY = clustering_order_key(TABLE)
NOW_S = 1000
KEYS = [bigint_value(n) for n in (1, 200)]
CLUSTERINGS = [int_value(n) for n in range(-3, 9)]

timestamps = st.integers(-2, 6)
local_times = st.integers(NOW_S - 3, NOW_S + 3)
values = st.sampled_from([b"", b"\0", b"\1", b"\1\0", b"\xff"])


def _expiring(draw: st.DrawFn, value: bytes) -> Cell:
    return Cell(draw(timestamps), value, draw(st.integers(1, 3)), draw(local_times))


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    kind = draw(st.sampled_from(["live", "live", "tombstone", "expiring"]))
    if kind == "tombstone":
        return Cell(draw(timestamps), None, 0, draw(local_times))
    if kind == "expiring":
        return _expiring(draw, draw(values))
    return Cell(draw(timestamps), draw(values))


deletions = st.tuples(timestamps, local_times).map(lambda parts: Deletion(*parts))
maybe_deletions = st.one_of(st.just(LIVE), st.just(LIVE), deletions)
complex_columns = (
    st.tuples(maybe_deletions, st.dictionaries(st.sampled_from([b"p", b"q", b"r"]), cells(), max_size=3))
    .filter(lambda parts: bool(parts[1]) or parts[0] != LIVE)
    .map(lambda parts: ComplexColumn(*parts))
)
livenesses = st.one_of(
    st.just(NO_LIVENESS),
    timestamps.map(Liveness),
    st.tuples(timestamps, st.integers(1, 3), local_times).map(lambda parts: Liveness(*parts)),
)


def _fit(name: str, cell: Cell) -> Cell:
    """A value of the column's length: `a` is an int."""
    return cell._replace(value=cell.value.ljust(4, b"\0")) if name == "a" and cell.value else cell


@st.composite
def uniform_rows(draw: st.DrawFn, clustering: tuple[bytes, ...]) -> Row:
    """What an INSERT or UPDATE of simple columns writes: fits a packed row."""
    timestamp_us = draw(timestamps)
    columns = draw(st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1))
    marker = Liveness(timestamp_us) if draw(st.booleans()) else NO_LIVENESS
    return Row(clustering, marker, LIVE, {name: _fit(name, Cell(timestamp_us, value)) for name, value in columns.items()})


@st.composite
def any_rows(draw: st.DrawFn, clustering: tuple[bytes, ...]) -> Row:
    columns: dict[str, Cell | ComplexColumn] = {}
    simple = draw(st.dictionaries(st.sampled_from(["a", "b"]), cells()))
    columns.update((name, _fit(name, cell)) for name, cell in simple.items())
    if draw(st.booleans()):
        columns["m"] = draw(complex_columns)
    return Row(clustering, draw(livenesses), draw(maybe_deletions), columns)


def rows(clustering: tuple[bytes, ...] = (CLUSTERINGS[0],)) -> st.SearchStrategy[Row]:
    return st.one_of(uniform_rows(clustering), any_rows(clustering))


static_rows = st.dictionaries(st.just("s"), cells(), min_size=1).map(lambda columns: Row((), columns=columns))


@st.composite
def range_tombstones(draw: st.DrawFn) -> RangeTombstone:
    bounds: list[tuple[bytes, tuple[bytes, ...]]] = [(b"", ()), (b"\xff", ())]
    for clustering in CLUSTERINGS:
        bounds += ((ORDER_KEY((clustering,)), (clustering,)), (after(ORDER_KEY((clustering,))), (clustering,)))
    bounds.sort()
    first = draw(st.integers(0, len(bounds) - 2))
    last = draw(st.integers(first + 1, len(bounds) - 1))
    (start, start_values), (end, end_values) = bounds[first], bounds[last]
    return RangeTombstone(start, end, draw(deletions), start_values, end_values)


@st.composite
def updates(draw: st.DrawFn) -> PartitionUpdate:
    key = draw(st.sampled_from(KEYS))
    kind = draw(st.sampled_from(["row", "row", "row", "row", "static", "range", "partition", "all"]))
    found = {}
    if kind in ("row", "all"):
        for clustering in draw(st.lists(st.sampled_from(CLUSTERINGS), min_size=1, max_size=3, unique=True)):
            found[ORDER_KEY((clustering,))] = draw(rows((clustering,)))
    return PartitionUpdate(
        TABLE.id,
        key,
        draw(deletions) if kind == "partition" else LIVE,
        draw(static_rows) if kind in ("static", "all") else None,
        found,
        tuple(draw(st.lists(range_tombstones(), min_size=1, max_size=2))) if kind in ("range", "all") else (),
    )
