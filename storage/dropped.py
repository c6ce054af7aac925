"""Rows without what was dropped: cells of columns that the table has not, or that are older than the column's dropping.

SSTables are written without it: once it is gone, it can't come back, whatever is known of the drop later on.
"""

from collections.abc import Iterable, Iterator

from storage.memtable.packed import TIMESTAMP, Layouts, StoredRow
from storage.mutation import LIVE, NO_LIVENESS, Cell, ComplexColumn, Deletion, Row
from storage.schema.metadata import TableMetadata

Rows = Iterable[tuple[bytes, StoredRow]]


class DroppedFilter:
    """For one table as it is now."""

    def __init__(self, table: TableMetadata, layouts: Layouts) -> None:
        self._layouts = layouts
        self._dropped_us = {name: column.dropped_time_us for name, column in table.dropped_columns.items()}
        self._names = {column.name for column in (*table.statics, *table.regulars)}
        self._harmless: dict[bytes, bool] = {}  # by a packed row's first bytes: whether all its columns stay

    def rows(self, rows: Rows) -> Rows:
        return self._filtered(rows) if self._dropped_us else rows

    def row(self, row: Row) -> Row | None:
        return self._row(row) if self._dropped_us else row

    def static(self, row: Row | None) -> Row | None:
        return None if row is None else self.row(row)

    def _filtered(self, rows: Rows) -> Iterator[tuple[bytes, StoredRow]]:
        for ck, row in rows:
            if type(row) is bytes:
                head = row[:TIMESTAMP]
                harmless = self._harmless.get(head)
                if harmless is None:
                    names = self._layouts.of(row).columns
                    harmless = self._harmless[head] = all(n in self._names and n not in self._dropped_us for n in names)
                if harmless:
                    yield ck, row
                    continue
            kept = self._row(self._layouts.explode(row))
            if kept is not None:
                yield ck, self._layouts.maybe_pack(kept) or kept

    def _row(self, row: Row) -> Row | None:
        columns: dict[str, Cell | ComplexColumn] = {}
        for name, data in row.columns.items():
            if name not in self._names:
                continue
            dropped_us = self._dropped_us.get(name)
            kept = data if dropped_us is None else _newer(data, dropped_us)
            if kept is not None:
                columns[name] = kept
        if not columns and row.liveness == NO_LIVENESS and row.deletion == LIVE:
            return None
        return row._replace(columns=columns)


def _newer(data: Cell | ComplexColumn, dropped_us: int) -> Cell | ComplexColumn | None:
    if type(data) is Cell:
        return data if data.timestamp_us > dropped_us else None
    assert isinstance(data, ComplexColumn)
    cells = {path: cell for path, cell in data.cells.items() if cell.timestamp_us > dropped_us}
    deletion: Deletion = data.deletion if data.deletion.timestamp_us > dropped_us else LIVE
    return ComplexColumn(deletion, cells) if cells or deletion != LIVE else None
