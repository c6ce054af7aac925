"""What a change of a base table's row changes in one view (db/view/ViewUpdateGenerator.java).

A view's row is made of one base row, which its key names: the base table's whole primary key is part of the view's, and at
most one other column, the `extra` one. Which row that is may change with the extra column's value; then the old row goes.

A view's row that goes is not deleted, because what deletes it must not hide a later row of the same key by an older write.
It gets a marker that was expired from the beginning (EXPIRED_TTL_S), at the timestamp of what made it live; in views with an
extra column rows live with their markers alone. A deletion of the base row is one of the view's row, too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from storage.keys import KEY_LENGTH_MAX, clustering_order_key, compose_key
from storage.memtable.packed import Layout
from storage.mutation import (
    LIVE,
    NO_LIVENESS,
    NO_TIMESTAMP,
    Cell,
    ComplexColumn,
    Liveness,
    Row,
)
from storage.reconcile import EXPIRED_TTL_S
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata, ViewMetadata

RowFilter: TypeAlias = Callable[[bytes, bytes, Sequence[bytes]], bool]
"""(partition key, order key, clustering) of a base row -> whether the view's WHERE clause takes it."""
FilterOf: TypeAlias = Callable[[ViewMetadata, TableMetadata], RowFilter | None]
"""(view, base table) -> its filter; None: it takes every row."""
Changes: TypeAlias = dict[bytes, dict[bytes, Row]]
"""By the view's partition key, by its order key."""

_COMPOSITE_OVERHEAD: Final = 3


class _Place(NamedTuple):
    """Where a column of the view's key is in a base row."""

    kind: ColumnKind
    position: int
    name: str


class BaseRow(NamedTuple):
    """A row's change: its partition key as values; the row before and after, each with what is deleted over it."""

    key: Sequence[bytes]
    before: Row | None
    after: Row


class TableView:
    """See the module. A row is left out whose partition key in the view would be too long: Cassandra takes it, and loses it
    when it flushes."""

    def __init__(self, base: TableMetadata, metadata: ViewMetadata) -> None:
        table = metadata.table
        self.metadata, self.table = metadata, table
        self._key = [_place(base, column) for column in table.partition_key]
        self._clustering = [_place(base, column) for column in table.clustering]
        self._order_key = clustering_order_key(table)
        extra = [place.name for place in (*self._key, *self._clustering) if place.kind is ColumnKind.REGULAR]
        self.extra = extra[0] if extra else None
        self._compare = base.by_name[extra[0]].type.compare if extra else None
        self.columns = frozenset(column.name for column in table.regulars)
        self._has_all = metadata.include_all_columns

    def add_changes(self, changes: Changes, row: BaseRow, now_s: int) -> None:
        """Adds what a change of a base row that the view takes changes in the view."""
        before, after = row.before, row.after
        is_same = True
        if self.extra is None:
            was = before is not None and _is_live_row(before, now_s)
            is_there = _is_live_row(after, now_s)
        else:
            old = before.columns.get(self.extra) if before is not None else None
            new = after.columns.get(self.extra)
            was, is_there = _is_live(old, now_s), _is_live(new, now_s)
            is_same = not (was and is_there) or self._are_equal(old, new)
        if is_there:
            if was and is_same:
                assert before is not None
                self._put(changes, row.key, after, self._liveness(after, now_s), after, _different(before, after))
                return
            self._put(changes, row.key, after, self._liveness(after, now_s), after, after.columns)
        if was:
            assert before is not None
            self._put(changes, row.key, before, self._gone(before, after, now_s), after, _different(before, after))

    def _are_equal(self, old: object, new: object) -> bool:
        assert isinstance(old, Cell)
        assert isinstance(new, Cell)
        assert old.value is not None
        assert new.value is not None
        assert self._compare is not None
        return old.value == new.value or self._compare(old.value, new.value) == 0

    def _put(
        self,
        changes: Changes,
        key: Sequence[bytes],
        named: Row,
        liveness: Liveness,
        after: Row,
        columns: Mapping[str, Cell | ComplexColumn],
    ) -> None:
        """Adds a change of the view's row that the base row `named` names."""
        kept = {name: data for name, data in columns.items() if name in self.columns}
        if liveness == NO_LIVENESS and after.deletion == LIVE and not kept:
            return
        parts = [_value(place, key, named) for place in self._key]
        if sum(map(len, parts)) + (_COMPOSITE_OVERHEAD * len(parts) if len(parts) > 1 else 0) > KEY_LENGTH_MAX:
            return
        clustering = tuple([_value(place, key, named) for place in self._clustering])
        of_key = changes.setdefault(compose_key(parts), {})
        of_key[self._order_key(clustering)] = Row(clustering, liveness, after.deletion, kept)

    def _liveness(self, row: Row, now_s: int) -> Liveness:
        """The marker of the view's row. Columns that the view has not may be what its row lives by."""
        if self.extra is not None:
            cell = row.columns[self.extra]
            assert isinstance(cell, Cell)
            return Liveness(cell.timestamp_us, cell.ttl_s, cell.local_deletion_s)
        own = row.liveness
        if self._has_all:
            return own
        others = [cell for cell in self._unselected(row) if _is_live(cell, now_s)]
        timestamp_us = max([own.timestamp_us, *(cell.timestamp_us for cell in others)])
        is_own_live = _is_live_marker(own, now_s)
        if (is_own_live and not own.ttl_s) or any(not cell.ttl_s for cell in others):
            return Liveness(timestamp_us)
        longest = max(others, key=lambda cell: cell.local_deletion_s, default=None)
        if longest is not None and (longest.local_deletion_s > own.local_deletion_s or not is_own_live):
            return Liveness(timestamp_us, longest.ttl_s, longest.local_deletion_s)
        return own

    def has_marker(self, layout: Layout) -> bool:
        """Whether the view's row of a base row of that layout has a marker: what `_liveness` says, of packed rows."""
        if self.extra is not None or layout.has_marker:
            return True
        return not self._has_all and any(name not in self.columns for name in layout.columns)

    def _gone(self, before: Row, after: Row, now_s: int) -> Liveness:
        """The marker of a row that goes; none where the base row's deletion is enough."""
        deleted_us = after.deletion.timestamp_us
        if self.extra is not None:
            cell = before.columns[self.extra]
            assert isinstance(cell, Cell)
            timestamp_us = max(cell.timestamp_us, deleted_us)
        else:
            timestamp_us = max(before.liveness.timestamp_us, deleted_us)
            if not self._has_all:  # dead or alive: it is not known what the row lived by
                timestamp_us = max([timestamp_us, *(cell.timestamp_us for cell in self._unselected(before))])
        return gone_marker(timestamp_us, now_s) if timestamp_us > deleted_us else NO_LIVENESS

    def _unselected(self, row: Row) -> Iterable[Cell]:
        for name, data in row.columns.items():
            if name not in self.columns:
                yield from _cells(data)


def gone_marker(timestamp_us: int, now_s: int) -> Liveness:
    """That of a row which goes: what made it live has that timestamp."""
    return Liveness(timestamp_us, EXPIRED_TTL_S, now_s)


def _place(base: TableMetadata, column: ColumnMetadata) -> _Place:
    of = base.by_name[column.name]
    return _Place(of.kind, of.position, of.name)


def _value(place: _Place, key: Sequence[bytes], row: Row) -> bytes:
    kind, position, name = place
    if kind is ColumnKind.PARTITION_KEY:
        return key[position]
    if kind is ColumnKind.CLUSTERING:
        return row.clustering[position]
    cell = row.columns[name]
    assert isinstance(cell, Cell)
    assert cell.value is not None, place
    return cell.value


def _cells(data: Cell | ComplexColumn) -> Iterable[Cell]:
    if type(data) is Cell:
        return (data,)
    assert isinstance(data, ComplexColumn)
    return data.cells.values()


def _is_live(cell: object, now_s: int) -> bool:
    return type(cell) is Cell and cell.value is not None and not (cell.ttl_s and cell.local_deletion_s <= now_s)


def _is_live_marker(liveness: Liveness, now_s: int) -> bool:
    return liveness.timestamp_us != NO_TIMESTAMP and not (liveness.ttl_s and liveness.local_deletion_s <= now_s)


def _is_live_row(row: Row, now_s: int) -> bool:
    return _is_live_marker(row.liveness, now_s) or any(
        _is_live(cell, now_s) for data in row.columns.values() for cell in _cells(data)
    )


def _different(before: Row, after: Row) -> Mapping[str, Cell | ComplexColumn]:
    """What of the row's columns the change wrote."""
    written: dict[str, Cell | ComplexColumn] = {}
    for name, data in after.columns.items():
        old = before.columns.get(name)
        if old == data:
            continue
        if isinstance(old, ComplexColumn) and isinstance(data, ComplexColumn):
            cells = {path: cell for path, cell in data.cells.items() if old.cells.get(path) != cell}
            written[name] = ComplexColumn(data.deletion if data.deletion > old.deletion else LIVE, cells)
        else:
            written[name] = data
    return written
