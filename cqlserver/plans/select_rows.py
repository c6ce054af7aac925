"""Where the rows of a SELECT go: copied, computed, aggregated, grouped, sorted.

A sink is made per execution. `partition(key, static)` begins a partition, then come its rows in chunks. A sink that
groups says after which row it is full (`LIMIT` and pages count groups then, not rows).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any

from cqlserver.selection.selection import Selection, json_writer
from cqlserver.selection.selectors import Evaluate, InputRow
from cqlserver.terms.binding import Values
from storage.environment.strands import paused, sorting
from storage.mutation import Cell, ComplexColumn, Row
from storage.projection import BoundProjector, PartitionProjector
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind, ColumnMetadata

_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)
Keyed = tuple[bytes, int, bytes]
"""A sort key, the place among equal ones, and what is sent."""
SortKey = Callable[["Row | bytes | None", bytes], bytes]
_ROWS_PER_STEP = 1_000
"""Of sorted rows that are put together."""


def wire_row(values: Sequence[bytes | None]) -> bytes:
    return b"".join([_NULL if value is None else _LENGTH(len(value)) + value for value in values])


class RowSource:
    """Stored rows -> the values and cells that selectors read. One partition at a time."""

    __slots__ = ("_bound", "_columns", "_projector", "_static", "_store", "_wants_cells", "now_s")

    def __init__(self, store: TableStore, columns: Sequence[ColumnMetadata], wants_cells: bool, now_s: int) -> None:
        self._store, self._columns, self._wants_cells, self.now_s = store, tuple(columns), wants_cells, now_s
        self._projector: PartitionProjector = store.partition_projector(columns)
        self._bound: BoundProjector | None = None
        self._static: Row | None = None

    def partition(self, key: bytes, static: Row | None) -> None:
        self._bound = self._projector.bind(key, static)
        self._static = static

    def values(self, row: "Row | bytes | None") -> list[bytes | None]:
        assert self._bound is not None
        return self._bound.values(row)

    def values_of(self, rows: Sequence[Any]) -> list[list[bytes | None]]:
        """The same of many rows, which are there."""
        assert self._bound is not None
        return self._bound.values_of(rows)

    @property
    def wants_cells(self) -> bool:
        return self._wants_cells

    def inputs(self, rows: Sequence[Any]) -> Iterator[InputRow]:
        """What selectors are given of rows; None: the partition has none."""
        if self._wants_cells or rows[0] is None:
            for row in paused(rows):
                yield self._input(row)
        else:
            for values in paused(self.values_of(rows)):
                yield InputRow(values, (), self.now_s)

    def _input(self, row: "Row | bytes | None") -> InputRow:
        return InputRow(self.values(row), self._cells(row) if self._wants_cells else (), self.now_s)

    def _cells(self, row: "Row | bytes | None") -> list[Cell | ComplexColumn | None]:
        regular = {} if row is None else self._store.layouts.explode(row).columns
        static = {} if self._static is None else self._static.columns
        return [(static if column.kind is ColumnKind.STATIC else regular).get(column.name) for column in self._columns]

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the rows is read."""
        return not self._columns

    def empty(self) -> InputRow:
        """Of a group that has no rows."""
        nothing = [None] * len(self._columns)
        return InputRow(nothing, nothing, self.now_s)


class Sink:
    """`add` gives rows of the current partition (None: the partition has none, but static columns). `row_cost`: how much
    dearer a row is than one that is copied; `parts`: the answer's content; `gathered`: bytes of it, as of
    the last `pack`."""

    __slots__ = ("_packed", "gathered", "parts", "row_cost", "row_count")

    def __init__(self, row_cost: int = 1) -> None:
        self.parts: list[bytes] = []
        self._packed = self.gathered = 0
        self.row_count = 0
        self.row_cost = row_cost

    def partition(self, key: bytes, static: Row | None) -> None:
        raise NotImplementedError

    def add(self, rows: Sequence[Any]) -> None:
        raise NotImplementedError

    def add_singles(self, keys: Sequence[bytes], rows: Sequence[bytes]) -> None:
        """Packed rows of partitions that have one each, and no static row."""
        for key, row in zip(keys, rows, strict=True):
            self.partition(key, None)
            self.add([row])

    def pack(self) -> None:
        """Makes one of the parts that have come since the last time: hundreds of thousands would be joined, and let go of,
        in one go at the end."""
        packed = self._packed
        if len(self.parts) > packed + 1:
            self.parts[packed:] = [b"".join(self.parts[packed:])]
        self.gathered += sum(map(len, self.parts[packed:]))
        self._packed = len(self.parts)

    def finish(self) -> Iterable[None]:
        """No more rows come. What is left to do, in steps."""
        return ()


class CopySink(Sink):
    """Columns as they are."""

    __slots__ = ("_bound", "_projector")

    def __init__(self, projector: PartitionProjector) -> None:
        super().__init__()
        self._projector = projector
        self._bound: BoundProjector | None = None

    def partition(self, key: bytes, static: Row | None) -> None:
        self._bound = self._projector.bind(key, static)

    def add(self, rows: Sequence[Any]) -> None:
        bound = self._bound
        assert bound is not None
        self.parts.append(bound.wire(None) if rows[0] is None else bound.wire_rows(rows))
        self.row_count += len(rows)

    def add_singles(self, keys: Sequence[bytes], rows: Sequence[bytes]) -> None:
        self.parts.append(self._projector.wire_singles(keys, rows))
        self.row_count += len(rows)


def _row_cost(selection: Selection) -> int:
    return 10 if selection.uses_timestamps else 4 if selection.is_json else 2


def _output(selection: Selection) -> Callable[[Sequence[bytes | None]], bytes]:
    """The selectors' values of a row -> its wire form."""
    if not selection.is_json:
        return wire_row
    write = json_writer(selection.columns)

    def json_row(values: Sequence[bytes | None]) -> bytes:
        text = write(values)
        return _LENGTH(len(text)) + text

    return json_row


class ComputeSink(Sink):
    """Each row through the selectors."""

    __slots__ = ("_evaluates", "_output", "_source")

    def __init__(self, store: TableStore, selection: Selection, values: Values, now_s: int) -> None:
        super().__init__(_row_cost(selection))
        self._source = RowSource(store, selection.fetched, selection.uses_timestamps, now_s)
        self._evaluates: list[Evaluate] = [selector.bind(values) for selector in selection.selectors]
        self._output = _output(selection)

    def partition(self, key: bytes, static: Row | None) -> None:
        self._source.partition(key, static)

    def add(self, rows: Sequence[Any]) -> None:
        evaluates = self._evaluates
        for given in self._source.inputs(rows):
            self.parts.append(self._output([evaluate(given) for evaluate in evaluates]))
        self.row_count += len(rows)


@dataclass(frozen=True, slots=True)
class Sorting:
    """ORDER BY over several partitions: `key` of a row and of what is sent of it; the first `limit` are kept."""

    key: SortKey
    reverse: bool
    limit: int

    def keyed(self, row: "Row | bytes | None", wire: bytes, number: int) -> Keyed:
        """`number`: how many came before it; equal ones stay as they came."""
        return self.key(row, wire), -number if self.reverse else number, wire

    def steps(self, keyed: list[Keyed]) -> Generator[None, None, list[bytes]]:
        """What is sent of the first ones, in order, as a few parts; `keyed` is used up."""
        in_order = yield from sorting(keyed)
        keyed.clear()
        if not self.reverse:
            in_order.reverse()
        parts, left = [], self.limit
        while in_order:
            taken = in_order[: -_ROWS_PER_STEP - 1 : -1]
            del in_order[-_ROWS_PER_STEP:]
            parts.append(b"".join([wire for _, _, wire in taken[:left]]))
            left = max(0, left - len(taken))
            yield
        return parts


class SortSink(Sink):
    """Keeps the rows of another sink for sorting."""

    __slots__ = ("_inner", "_keyed", "_sorting")

    def __init__(self, inner: Sink, sorting: Sorting) -> None:
        super().__init__(inner.row_cost + 1)
        self._inner, self._sorting = inner, sorting
        self._keyed: list[Keyed] = []

    def partition(self, key: bytes, static: Row | None) -> None:
        self._inner.partition(key, static)

    def add(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self._inner.add([row])
            wire = self._inner.parts.pop()
            self.gathered += len(wire)
            self._keyed.append(self._sorting.keyed(row, wire, len(self._keyed)))

    def finish(self) -> Iterable[None]:
        self.row_count = min(len(self._keyed), self._sorting.limit)
        self.parts = yield from self._sorting.steps(self._keyed)


OrderKey = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Grouping:
    """GROUP BY: the partition and the first `prefix` clustering columns; `function` maps the value of the last one.
    prefix -1: one group of everything (aggregates without GROUP BY)."""

    prefix: int
    function: Evaluate | None = None
    order_keys: tuple[OrderKey | None, ...] = ()
    """For each of the clustering columns, where values that are equal may be different bytes."""
    fault: str | None = None
    """What is wrong with the function."""

    @property
    def is_everything(self) -> bool:
        return self.prefix < 0

    def key(self, clustering: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
        if self.function is None:
            if not any(self.order_keys):
                return clustering[: self.prefix]
            pairs = zip(clustering, self.order_keys, strict=False)
            return tuple([value if order_key is None else order_key(value) for value, order_key in pairs])
        last = self.function(InputRow((clustering[self.prefix - 1] if len(clustering) >= self.prefix else None,)))
        return (*clustering[: self.prefix - 1], last)


class GroupSink(Sink):
    """Aggregates, and the first row of each group, by which groups of several partitions are sorted."""

    __slots__ = ("_is_open", "_output", "_running", "_sort_keys", "_sorting", "_source", "_store", "grouping")

    def __init__(
        self,
        store: TableStore,
        selection: Selection,
        grouping: Grouping,
        values: Values,
        now_s: int,
        sorting: Sorting | None = None,
    ) -> None:
        super().__init__(_row_cost(selection))
        self.grouping = grouping
        self._sorting = sorting
        self._sort_keys: list[Keyed] = []
        self._store = store
        self._source = RowSource(store, selection.fetched, selection.uses_timestamps, now_s)
        empty = self._source.empty()
        self._running = [selector.run(values, empty) for selector in selection.selectors]
        self._output = _output(selection)
        self._is_open = False

    def partition(self, key: bytes, static: Row | None) -> None:
        self._source.partition(key, static)

    def runs(self, rows: Sequence[Any]) -> Iterator[tuple[tuple[bytes | None, ...], int, int]]:
        """Of rows of a partition, in their order: (group, begin, end)."""
        if self.grouping.prefix <= 0:
            if rows:
                yield (), 0, len(rows)
            return
        begin, group = 0, None
        for index, row in enumerate(paused(rows)):
            row_group = self.grouping.key(self._store.clustering(row))
            if row_group != group:
                if group is not None:
                    yield group, begin, index
                begin, group = index, row_group
        if group is not None:
            yield group, begin, len(rows)

    @property
    def is_open(self) -> bool:
        """Whether a group has begun and not been closed."""
        return self._is_open

    def add(self, rows: Sequence[Any]) -> None:
        if self._sorting is not None and not self._is_open:
            self._sort_keys.append(self._sorting.keyed(rows[0], b"", len(self._sort_keys)))
        self._is_open = True
        source = self._source
        if source.wants_cells or rows[0] is None:
            for given in source.inputs(rows):
                for one in self._running:
                    one.add(given)
            return
        values_of_rows = source.values_of(rows)
        for one in self._running:
            one.add_rows(values_of_rows, source.now_s)

    def add_singles(self, keys: Sequence[bytes], rows: Sequence[bytes]) -> None:
        if not self._source.is_empty:
            super().add_singles(keys, rows)
            return
        self._is_open = True
        given = self._source.empty()
        for one in self._running:
            one.add_many(given, len(rows))

    def pack(self) -> None:
        if self._sorting is None:
            super().pack()

    def close_group(self) -> None:
        self.parts.append(self._output([one.output() for one in self._running]))
        self.row_count += 1
        for one in self._running:
            one.reset()
        self._is_open = False

    def finish(self) -> Iterable[None]:
        if self._is_open or (self.grouping.is_everything and not self.row_count):
            self.close_group()
        if self._sorting is not None and self._sort_keys:
            keyed = [(key, number, part) for (key, number, _), part in zip(self._sort_keys, self.parts, strict=True)]
            self.row_count = min(len(keyed), self._sorting.limit)
            self.parts = yield from self._sorting.steps(keyed)
