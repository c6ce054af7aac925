"""Projection: stored rows -> the wire values of the columns that a SELECT wants.

A `Projector` knows the wanted clustering and regular columns and works out once per layout how a packed row answers:
as one slice when the layout holds exactly these columns in this order, else as few slices and nulls. A
`PartitionProjector` takes columns of any kind, in any order: what is constant within a partition (its key's values,
static columns) is bound once per partition.

Multi-cell columns get their one serialised form here, elements in the order of their type: a list by its timeuuid
paths, sets and maps by element and key, a UDT by field (serializeForNativeProtocol of the types in db/marshal). A
multi-cell column without live elements is null. A counter's value is its total.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Final

from protocol.types import TIMEUUID, CqlType, ListType, MapType, SetType, UserType
from storage.counters.contexts import total_value
from storage.environment.strands import ITEMS_PER_GO_MAX, in_turns, paused, sorted_in_turns
from storage.keys import split_key
from storage.memtable.packed import VALUES, Layout, Layouts, StoredRow
from storage.mutation import Cell, ComplexColumn, Row
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

NULL: Final = b"\xff\xff\xff\xff"

_I32 = struct.Struct(">i")
_LENGTH_8: Final = _I32.pack(8)
_unpack_length = _I32.unpack_from
_tag_of = itemgetter(slice(0, 2))
_values_of = itemgetter(slice(VALUES, None))

Run = tuple[int, int]
Value = Callable[[Row], bytes | None]
Cut = Callable[[bytes], bytes]
Pick = Callable[[bytes], list[bytes | None]]

# Layouts with more values are cut by a loop: bounds the source that is compiled.
COMPILED_VALUES_MAX: Final = 64
COMPILED_KEPT: Final = 256
"""Functions of either kind that are kept, of 2 kB: compiling one takes 60 us, and a row filter is made for each request."""


def wire(value: bytes | None) -> bytes:
    """`[i32 length][bytes]`, or the null of length -1."""
    return NULL if value is None else _I32.pack(len(value)) + value


def complex_serializer(column_type: CqlType) -> Callable[[ComplexColumn], bytes]:
    """For a multi-cell type: a column of live cells -> its serialised value."""
    if isinstance(column_type, UserType):
        field_count = len(column_type.field_types)

        def user_type_value(column: ComplexColumn) -> bytes:
            cells = column.cells
            fields = [cells.get(index.to_bytes(2, "big")) for index in range(field_count)]
            return b"".join([NULL if cell is None else wire(cell.value) for cell in fields])

        return user_type_value
    if isinstance(column_type, MapType):
        key_order = column_type.keys.order_key

        def map_value(column: ComplexColumn) -> bytes:
            cells = column.cells
            pieces = (wire(path) + wire(cells[path].value) for path in in_order(cells, key_order))
            return _I32.pack(len(cells)) + _joined(pieces, len(cells))

        return map_value
    if isinstance(column_type, SetType):
        element_order = column_type.elements.order_key

        def set_value(column: ComplexColumn) -> bytes:
            cells = column.cells
            return _I32.pack(len(cells)) + _joined(map(wire, in_order(cells, element_order)), len(cells))

        return set_value
    assert isinstance(column_type, ListType), column_type
    time_order = TIMEUUID.order_key

    def list_value(column: ComplexColumn) -> bytes:
        cells = column.cells
        pieces = (wire(cells[path].value) for path in in_order(cells, time_order))
        return _I32.pack(len(cells)) + _joined(pieces, len(cells))

    return list_value


def in_order(cells: Mapping[bytes, Cell], order: Callable[[bytes], bytes]) -> Iterable[bytes]:
    """The paths in the order of their type."""
    if len(cells) <= ITEMS_PER_GO_MAX:
        return sorted(cells, key=order)
    keyed = [(order(path), path) for path in in_turns(cells)]
    return (path for _, path in paused(sorted_in_turns(keyed)))


def _joined(pieces: Iterable[bytes], count: int) -> bytes:
    """None of them is empty. Many are joined a share at a time: to let go of hundreds of thousands takes a while."""
    if count <= ITEMS_PER_GO_MAX:
        return b"".join(pieces)
    rest = iter(pieces)
    return b"".join(iter(lambda: b"".join(islice(rest, ITEMS_PER_GO_MAX)), b""))


def column_value(column: ColumnMetadata, is_counter: bool) -> Value:
    """For a clustering, static or regular column: live Row -> serialised value, None for null."""
    if column.kind is ColumnKind.CLUSTERING:
        position = column.position
        return lambda row: row.clustering[position] if position < len(row.clustering) else None
    name = column.name
    if column.type.is_multicell:
        serialise = complex_serializer(column.type)

        def complex_value(row: Row) -> bytes | None:
            data = row.columns.get(name)
            return serialise(data) if type(data) is ComplexColumn else None

        return complex_value

    def simple_value(row: Row) -> bytes | None:
        data = row.columns.get(name)
        if type(data) is not Cell:
            return None
        value = data.value
        return total_value(value) if is_counter and value is not None else value

    return simple_value


def counted(wire_context: bytes) -> bytes:
    """A counter's context -> its value, both as wire values."""
    return _LENGTH_8 + total_value(wire_context[4:])


def cut_of(runs: Sequence[Run | None], counters_from: int | None = None) -> Cut:
    """For packed rows of one layout: row -> the runs of its values, None a null. Takes time by the number of values.

    `counters_from`: the first value that is a counter's context, a run by itself; None where there are no counters.
    """
    count = max((run[1] for run in runs if run is not None), default=0)

    def cut(row: bytes) -> bytes:
        at = VALUES
        offsets = [at]
        for _ in range(count):
            at += 4 + _unpack_length(row, at)[0]
            offsets.append(at)
        pieces = [NULL if run is None else row[offsets[run[0]] : offsets[run[1]]] for run in runs]
        if counters_from is not None:
            for index, run in enumerate(runs):
                if run is not None and run[0] >= counters_from:
                    pieces[index] = counted(pieces[index])
        return b"".join(pieces)

    return cut


@lru_cache(COMPILED_KEPT)
def compiled_cut(value_count: int, runs: tuple[Run | None, ...], counters_from: int | None = None) -> Cut:
    """The same, written out as straight Python for just these runs: a third of the time. `SELECT *` of rows that were
    inserted with their columns in another order comes here. Nothing but small numbers enters the source."""
    needed = max((end if end < value_count else start for run in runs if run is not None for start, end in [run]), default=0)
    lines = ["def cut(row):", f" p0 = {VALUES}"]
    lines += [f" p{index + 1} = p{index} + 4 + length(row, p{index})[0]" for index in range(needed)]
    pieces = ["NULL" if run is None else f"row[p{run[0]}:{'' if run[1] == value_count else f'p{run[1]}'}]" for run in runs]
    if counters_from is not None:
        for index, run in enumerate(runs):
            if run is not None and run[0] >= counters_from:
                pieces[index] = f"counted({pieces[index]})"
    lines.append(f" return {' + '.join(pieces) or repr(b'')}")
    scope: dict[str, object] = {"length": _unpack_length, "NULL": NULL, "counted": counted}
    exec("\n".join(lines), scope)
    cut: Cut = scope.pop("cut")  # type: ignore[assignment]  # what the source above defines
    return cut


@lru_cache(COMPILED_KEPT)
def compiled_pick(indexes: tuple[int | None, ...], counters_from: int | None = None) -> Pick:
    """For packed rows of one layout: row -> its values of these indexes, None for null, written out likewise."""
    needed = max((index + 1 for index in indexes if index is not None), default=0)
    lines = ["def pick(row):", f" p0 = {VALUES}"]
    lines += [f" p{index + 1} = p{index} + 4 + length(row, p{index})[0]" for index in range(needed)]
    pieces = []
    for index in indexes:
        piece = "None" if index is None else f"row[p{index} + 4:p{index + 1}]"
        is_counter = index is not None and counters_from is not None and index >= counters_from
        pieces.append(f"total({piece})" if is_counter else piece)
    lines.append(f" return [{', '.join(pieces)}]")
    scope: dict[str, object] = {"length": _unpack_length, "total": total_value}
    exec("\n".join(lines), scope)
    pick: Pick = scope.pop("pick")  # type: ignore[assignment]  # what the source above defines
    return pick


class Projector:
    """For clustering and regular columns of one table, in the order wanted. Rows must be live (PartitionView's)."""

    __slots__ = ("_cuts", "_layouts", "_names", "_picks", "_values", "_whole")

    def __init__(self, table: TableMetadata, layouts: Layouts, columns: Sequence[ColumnMetadata]) -> None:
        self._layouts = layouts
        self._values = [column_value(column, table.is_counter) for column in paused(columns)]
        self._names = [(column.kind is ColumnKind.CLUSTERING, column.position, column.name) for column in paused(columns)]
        self._whole: dict[bytes, bool] = {}  # layout's tag -> whether the row's values are the answer as they are
        self._cuts: dict[bytes, Cut] = {}
        self._picks: dict[bytes, Pick] = {}

    def wire(self, row: StoredRow) -> bytes:
        """The wire values of one row."""
        if type(row) is bytes:
            tag = row[:2]
            whole = self._whole.get(tag)
            if whole:
                return row[10:]
            if whole is None:
                self._learn(tag)
                return self.wire(row)
            return self._cuts[tag](row)
        assert isinstance(row, Row)
        return b"".join([wire(value(row)) for value in self._values])

    def wire_rows(self, rows: Sequence[StoredRow], head: bytes = b"") -> bytes:
        """The wire values of many rows, one after the other, each behind `head`."""
        if not rows:
            return b""
        # A Row among the rows: its slice is a tuple, which is no key here, differs from every tag, and can't be joined.
        tag = rows[0][:2]
        if self._whole.get(tag):  # type: ignore[arg-type]
            if len(self._layouts.all) == 1:
                try:
                    return head + head.join(map(_values_of, rows))
                except TypeError:
                    pass
            elif len(set(map(_tag_of, rows))) == 1:
                return head + head.join(map(_values_of, rows))
        else:
            cut = self._cuts.get(tag)  # type: ignore[arg-type]
            if cut is not None and len(set(map(_tag_of, rows))) == 1:
                return head + head.join(map(cut, rows))  # type: ignore[arg-type]
        one = self.wire
        return head + head.join([one(row) for row in rows])

    def wire_each(self, rows: Sequence[bytes]) -> Iterable[bytes]:
        """The wire values of packed rows, one by one."""
        if len(set(map(_tag_of, rows))) == 1:
            tag = rows[0][:2]
            if tag not in self._whole:
                self._learn(tag)
            return map(_values_of if self._whole[tag] else self._cuts[tag], rows)
        return map(self.wire, rows)

    def values(self, row: StoredRow) -> list[bytes | None]:
        """The serialised values of one row, None for null."""
        if type(row) is bytes:
            tag = row[:2]
            pick = self._picks.get(tag)
            if pick is None:
                pick = self._picks[tag] = self._pick_of(tag)
            return pick(row)
        assert isinstance(row, Row)
        return [value(row) for value in self._values]

    def values_of(self, rows: Sequence[StoredRow]) -> list[list[bytes | None]]:
        """The same of many rows."""
        pick = self._picks.get(rows[0][:2])  # type: ignore[arg-type]  # a Row's slice is no tag
        if pick is not None and len(set(map(_tag_of, rows))) == 1:
            return list(map(pick, rows))  # type: ignore[arg-type]
        return list(map(self.values, rows))

    def _pick_of(self, tag: bytes) -> Pick:
        layout, counters_from = self._layouts.of(tag), self._counters_from
        indexes = self._places(layout)
        if self._layouts.clustering_count + len(layout.columns) <= COMPILED_VALUES_MAX:
            return compiled_pick(tuple(indexes), counters_from)
        explode, values = self._layouts.explode, self._values

        def pick(row: bytes) -> list[bytes | None]:
            exploded = explode(row)
            return [value(exploded) for value in values]

        return pick

    @property
    def _counters_from(self) -> int | None:
        return self._layouts.clustering_count if self._layouts.are_counters else None

    def _places(self, layout: Layout) -> list[int | None]:
        """Which value of a layout's rows each wanted column is."""
        count = self._layouts.clustering_count
        places = {name: count + index for index, name in enumerate(layout.columns)}
        return [position if is_clustering else places.get(name) for is_clustering, position, name in self._names]

    def _learn(self, tag: bytes) -> None:
        """Works out where a layout's packed rows have the wanted columns: runs of value indexes, None for null."""
        layout = self._layouts.of(tag)
        counters_from = self._counters_from
        runs: list[Run | None] = []
        for index in self._places(layout):
            last = runs[-1] if runs else None
            if index is None:
                runs.append(None)
            elif last is not None and last[1] == index and (counters_from is None or index < counters_from):
                runs[-1] = (last[0], index + 1)
            else:
                runs.append((index, index + 1))
        value_count = self._layouts.clustering_count + len(layout.columns)
        self._whole[tag] = runs == [(0, value_count)] and counters_from is None
        if self._whole[tag]:
            return
        if value_count <= COMPILED_VALUES_MAX:
            self._cuts[tag] = compiled_cut(value_count, tuple(runs), counters_from)
        else:
            self._cuts[tag] = cut_of(runs, counters_from)


class PartitionProjector:
    """For columns of any kind. `bind` makes of it, per partition, what turns rows into wire values."""

    __slots__ = ("_groups", "_key_count", "columns")

    def __init__(self, table: TableMetadata, layouts: Layouts, columns: Sequence[ColumnMetadata]) -> None:
        self.columns = tuple(columns)
        self._key_count = len(table.partition_key)
        # alternately constants of the partition (position in the key, or getter from the static row) and row columns
        self._groups: list[list[int | Value] | Projector] = []
        row_columns: list[ColumnMetadata] = []

        def flush() -> None:
            if row_columns:
                self._groups.append(Projector(table, layouts, row_columns))
                row_columns.clear()

        for column in paused(columns):
            if column.kind is ColumnKind.PARTITION_KEY or column.kind is ColumnKind.STATIC:
                flush()
                if not self._groups or isinstance(self._groups[-1], Projector):
                    self._groups.append([])
                constants = self._groups[-1]
                assert isinstance(constants, list)
                is_key = column.kind is ColumnKind.PARTITION_KEY
                constants.append(column.position if is_key else column_value(column, table.is_counter))
            else:
                row_columns.append(column)
        flush()

    def bind(self, key: bytes, static: Row | None) -> "BoundProjector":
        """For one partition; `static` is the view's live static row."""
        key_values = split_key(key, self._key_count)
        parts: list[list[bytes | None] | Projector] = []
        for group in self._groups:
            if isinstance(group, Projector):
                parts.append(group)
            else:
                parts.append([_constant(source, key_values, static) for source in paused(group)])
        return BoundProjector(parts)


    def wire_singles(self, keys: Sequence[bytes], rows: Sequence[bytes]) -> bytes:
        """The wire values of packed rows of partitions that have one each, and no static row."""
        groups = self._groups
        if len(groups) == 2 and groups[0] == [0] and self._key_count == 1 and isinstance(groups[1], Projector):
            values = groups[1].wire_each(rows)
            length = _I32.pack(len(keys[0]))
            if len(set(map(len, keys))) == 1:
                return b"".join([length + key + value for key, value in zip(keys, values, strict=True)])
            return b"".join([wire(key) + value for key, value in zip(keys, values, strict=True)])
        return b"".join([self.bind(key, None).wire(row) for key, row in zip(keys, rows, strict=True)])


def _constant(source: int | Value, key_values: tuple[bytes, ...], static: Row | None) -> bytes | None:
    if isinstance(source, int):
        return key_values[source]
    return source(static) if static is not None else None


NO_ROW: Final = Row(())


class BoundProjector:
    """A PartitionProjector for the rows of one partition. None for a row: the partition has none, but its static
    columns are selected: clustering and regular columns are null."""

    __slots__ = ("_head", "_only", "_parts")

    def __init__(self, parts: list[list[bytes | None] | Projector]) -> None:
        self._parts = parts
        self._head = b""
        self._only: Projector | None = None
        if len(parts) == 2 and isinstance(parts[0], list) and isinstance(parts[1], Projector):
            self._head = b"".join([wire(value) for value in parts[0]])
            self._only = parts[1]
        elif len(parts) == 1 and isinstance(parts[0], Projector):
            self._only = parts[0]

    def wire(self, row: StoredRow | None) -> bytes:
        if row is None:
            row = NO_ROW
        if self._only is not None:
            return self._head + self._only.wire(row)
        return b"".join(
            [
                part.wire(row) if isinstance(part, Projector) else b"".join([wire(value) for value in part])
                for part in self._parts
            ]
        )

    def wire_rows(self, rows: Sequence[StoredRow]) -> bytes:
        """All rows' wire values, one row after the other."""
        if self._only is not None:
            return self._only.wire_rows(rows, self._head)
        return b"".join([self.wire(row) for row in rows])

    def values(self, row: StoredRow | None) -> list[bytes | None]:
        """The serialised values in the wanted order, None for null."""
        values: list[bytes | None] = []
        for part in self._parts:
            values += part.values(NO_ROW if row is None else row) if isinstance(part, Projector) else part
        return values

    def values_of(self, rows: Sequence[StoredRow]) -> list[list[bytes | None]]:
        """The same of many rows."""
        if self._only is None:
            return list(map(self.values, rows))
        found = self._only.values_of(rows)
        if len(self._parts) == 1:
            return found
        head = self._parts[0]
        assert isinstance(head, list)
        return [head + values for values in found]


def wire_values(values: Iterable[bytes | None]) -> bytes:
    return b"".join([wire(value) for value in values])
