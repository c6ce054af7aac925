"""What the trace of a request tells of a read (db/SinglePartitionReadCommand.java, PartitionRangeReadCommand)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cqlserver.paging import PagingState
from cqlserver.plans.modification import ReadRow
from cqlserver.restrictions.restrictions import TOKEN_MIN, Restrictions
from cqlserver.state import RequestTrace
from cqlserver.terms.binding import Values
from storage.indexes.reading import IndexedStore
from storage.keys import key_text
from storage.mutation import Row
from storage.reads import TableStore
from storage.schema.metadata import ColumnMetadata, TableMetadata

if TYPE_CHECKING:
    from cqlserver.plans.select_run import ReadShape


_COMPUTING: Final = "Computing ranges to query"


class ReadTrace:
    """Of reading one page: of each partition that is asked for, or of a scan as a whole. `scanned`: of which range, as
    text; `by_name`: the rows are all named, so Cassandra asks memtables first, and SSTables only for what is missing."""

    def __init__(self, trace: RequestTrace, store: TableStore, scanned: str | None, by_name: bool) -> None:
        self._trace, self._store = trace, store
        self._is_scan, self._by_name = scanned is not None, by_name
        self._rows = self._tombstones = self._passed = 0

    def query(self) -> None:
        """One partition is to be read."""
        _tell_query(self._trace, self._store, self._by_name)

    def partition(self, row_count: int, tombstones: int, is_there: bool, passed: int | None) -> None:
        """A partition was read, and gave so many rows; so many tombstones were passed over. `passed`: how many rows a filter
        has looked at by now, where there is one."""
        if passed is not None:
            row_count, self._passed = passed - self._passed, passed
        self._rows += row_count
        self._tombstones += tombstones
        if not self._is_scan:
            if is_there and not self._by_name:
                self._trace.note(f"Merged data from memtables and {len(self._store.flushed)} sstables")
            self._told()

    def end(self) -> None:
        if self._is_scan:
            self._told()

    def _told(self) -> None:
        self._trace.note(f"Read {self._rows} live rows and {self._tombstones} tombstone cells")
        self._rows = self._tombstones = 0


def _tell_query(trace: RequestTrace, store: TableStore, by_name: bool) -> None:
    trace.note(f"Executing single-partition query on {store.table.name}")
    trace.note("Acquiring sstable references")
    if by_name:
        trace.note("Merging memtable contents")
    else:
        count = len(store.flushed)
        trace.note(f"Skipped 0/{count} non-slice-intersecting sstables, included 0 due to tombstones")


def note_refused_scan(trace: RequestTrace | None, shape: "ReadShape") -> None:
    """Too few replicas are there to read; of single partitions nothing is told then."""
    if trace is not None and shape.keys is None:
        trace.note(_COMPUTING)


def traced_reader(trace: RequestTrace, store: TableStore, read_row: ReadRow) -> ReadRow:
    """What a write reads before, told."""

    def read(key: bytes, ck: bytes) -> Row | None:
        row = read_row(key, ck)
        _tell_query(trace, store, by_name=False)
        if row is not None:
            trace.note(f"Merged data from memtables and {len(store.flushed)} sstables")
        trace.note(f"Read {int(row is not None)} live rows and 0 tombstone cells")
        return row

    return read


def read_trace(
    trace: RequestTrace,
    store: TableStore,
    source: TableStore | IndexedStore,
    restrictions: Restrictions,
    values: Values,
    shape: "ReadShape",
    fetched: Sequence[ColumnMetadata],
) -> ReadTrace:
    """Tells where is looked. `source`: the store, or an index of it."""
    table = store.table
    index = source.index if isinstance(source, IndexedStore) else ""
    if table.indexes and restrictions.filtered_columns and not index:
        trace.note("No applicable indexes found")
    scanned = None
    if shape.keys is None:
        trace.note(_COMPUTING)
        scanned = _scanned(table, restrictions.token_bounds(values), shape.state)
    if index:
        trace.note(f"Executing read on {table.keyspace}.{table.name} using index {index}")
    elif scanned is not None and shape.token_range is not None:
        trace.note(f"Executing seq scan across {len(store.flushed)} sstables for {scanned}")
    is_of_rows = not restrictions.is_range or table.is_static_compact
    merges = table.is_counter or shape.is_distinct or any(column.type.is_multicell for column in fetched)
    return ReadTrace(trace, store, scanned, bool(index) or (is_of_rows and not merges))


def _scanned(table: TableMetadata, bounds: tuple[int | None, bool, int | None, bool], state: PagingState | None) -> str:
    """The range as Cassandra's AbstractBounds has it: of positions right before and right behind tokens, from the second
    page on from the last key."""
    start, start_inclusive, end, end_inclusive = bounds
    opening, first = "(", _position(start, not start_inclusive)
    if state is not None and state.key is not None:
        goes_on = state.clustering is not None and state.remaining_in_partition > 0
        opening, first = "[" if goes_on else "(", key_text(table, state.key)
    return f"{opening}{first}, {_position(end, end_inclusive)}]"


def _position(token: int | None, is_behind: bool) -> str:
    if token is None or token == TOKEN_MIN:
        return f"min({TOKEN_MIN})"
    return f"{'max' if is_behind else 'min'}({token})"
