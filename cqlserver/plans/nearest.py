"""ORDER BY ... ANN OF: the rows whose vectors are nearest, the nearest first (cql3/statements/SelectStatement.java, what it
calls top-K; index/sai/plan/VectorTopKProcessor.java).

Exact: every vector of the index is compared. From the nearest on they are looked at row by row, whether they are there and
pass the filter. Rows that are equally near come in the order of a scan.
"""

from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Final

from cluster.consistency import Consistency
from cqlserver.paging import NO_LIMIT
from cqlserver.plans.select_rows import Sink
from cqlserver.plans.select_run import TOKEN_MAX, ReadShape
from cqlserver.restrictions.relations import AnnRestriction
from cqlserver.restrictions.restrictions import TOKEN_MIN
from cqlserver.state import ClientState
from cqlserver.terms.binding import Values
from protocol.errors import InvalidRequest
from protocol.primitives import UNSET
from protocol.requests import CONSISTENCY_NAMES
from storage.indexes.reading import Lookup
from storage.indexes.vectors import Scored, VectorIndex
from storage.memtable.memtable import Position, position_of, token_position
from storage.memtable.packed import StoredRow
from storage.mutation import Cell, Row
from storage.reads import TableStore
from storage.row_filter import RowFilter

ROWS_MAX: Final = 1000
"""LIMIT at most."""
TESTS_PER_STEP: Final = 200
LOOKED_UP_MAX: Final = 5_000
"""Entries of another index, for a condition beside: only vectors of these partitions are compared. Of more, some of the
nearest meet the condition."""
_AFTER: Final = b"\xff" * 9
"""Behind every position."""
_ONE_NODE: Final = (Consistency.ONE, Consistency.LOCAL_ONE, Consistency.NODE_LOCAL, Consistency.ANY)
_LOCAL: Final = (Consistency.LOCAL_QUORUM,)

def check_nearest(
    level: int, page_size: int, limit: int, partition_limit: int, is_aggregate: bool, state: ClientState
) -> int:
    """What such a statement may be executed with; the level at which it is. Raises InvalidRequest."""
    if is_aggregate:
        raise InvalidRequest("Top-K queries can not be run with aggregation")
    if level in (Consistency.SERIAL, Consistency.LOCAL_SERIAL):
        raise InvalidRequest(
            "Top-K queries can only be run with consistency level ONE/LOCAL_ONE. Consistency level "
            f"{CONSISTENCY_NAMES[level]} was used."
        )
    lowered = level
    if level not in _ONE_NODE:
        lowered = Consistency.LOCAL_ONE if level in _LOCAL else Consistency.ONE
        state.warn(
            "Top-K queries can only be run with consistency level ONE / LOCAL_ONE / NODE_LOCAL. Consistency level "
            f"{CONSISTENCY_NAMES[level]} was requested. Downgrading the consistency level to {CONSISTENCY_NAMES[lowered]}."
        )
    if limit == NO_LIMIT and partition_limit == NO_LIMIT:
        raise InvalidRequest("Top-K queries must have a limit specified and the limit must be less than the query page size")
    if partition_limit != NO_LIMIT:
        raise InvalidRequest("Top-K queries do not support per-partition limits")
    if 0 < page_size < limit:
        state.warn(
            f"Top-K queries do not support paging and the page size is set to {page_size}, which is less than LIMIT "
            f"{limit}. The page size has been set to {limit} to match the LIMIT."
        )
    return lowered


def wanted_vector(nearest: AnnRestriction, values: Values) -> bytes:
    name = nearest.first.name
    assert nearest.term is not None
    value = nearest.term.bind(values)
    if value is None:
        raise InvalidRequest(f"Unsupported null value for column {name}")
    if value is UNSET:
        raise InvalidRequest(f"Unsupported unset value for column {name}")
    assert isinstance(value, bytes)
    return value


def vector_index(local: TableStore, nearest: AnnRestriction) -> VectorIndex:
    """The one on the column, which there is: else the statement would not have been compiled. `local`: this node's store."""
    assert local.indexes is not None
    found = [i for i in local.indexes.attached.values() if isinstance(i, VectorIndex) and i.target.column == nearest.first]
    return found[0]


def check_limit(limit: int) -> None:
    if limit > ROWS_MAX:
        raise InvalidRequest(
            f"Use of ANN OF in an ORDER BY clause requires a LIMIT that is not greater than {ROWS_MAX}. LIMIT was {limit}"
        )


class NearestReading:
    """Drives the nearest rows into a sink."""

    def __init__(
        self,
        store: TableStore,
        shape: ReadShape,
        sink: Sink,
        row_filter: RowFilter | None,
        limit: int,
        lookup: Lookup | None = None,
    ) -> None:
        """`lookup`: what an index has for a part of the filter."""
        self._store, self._shape, self._sink, self._filter = store, shape, sink, row_filter
        self._lookup = lookup
        self._left = limit
        self._has_statics, self._has_clustering = bool(store.table.statics), bool(store.table.clustering)

    def steps(self, index: VectorIndex, wanted: bytes) -> Generator[None, None, None]:
        """Raises InvalidRequest and what functions raise."""
        indexes = self._store.indexes
        assert indexes is not None
        while not indexes.build_step(index.metadata.name):
            yield
        while self._lookup is not None and not self._lookup.prepare():
            yield
        name = index.target.column.name
        looked_at = 0
        for found in index.nearest(wanted, self._maybe_test()):
            if found is None:
                yield
                continue
            self._take(found, name)
            if not self._left:
                break
            looked_at += 1
            if not looked_at % TESTS_PER_STEP:
                yield
        yield from self._sink.finish()

    def _maybe_test(self) -> Callable[[Position], bool] | None:
        """Which positions are wanted; None: all."""
        keys, wanted = self._shape.keys, self._shape.token_range
        if keys is not None:
            positions = frozenset(map(position_of, keys))
            return positions.__contains__
        if wanted is None:
            return lambda position: False
        start = token_position(wanted.start)
        end = _AFTER if wanted.end >= TOKEN_MAX else token_position(wanted.end + 1)
        if self._lookup is not None:
            hits = list(islice(self._lookup.hits(start, end), LOOKED_UP_MAX + 1))
            if len(hits) <= LOOKED_UP_MAX:
                return frozenset(position for position, _ in hits).__contains__
        if wanted.start <= TOKEN_MIN and wanted.end >= TOKEN_MAX:
            return None
        return lambda position: start <= position < end

    def _take(self, found: Scored, name: str) -> None:
        key = found[1][8:]
        static = self._static(key)
        for row_ck, row in self._rows(key, found[2], name):
            if self._left and self._passes(key, static, row_ck, row):
                self._sink.partition(key, static)
                self._sink.add([row])
                self._left -= 1

    def _static(self, key: bytes) -> Row | None:
        view = self._store.read(key, (), self._shape.now_s) if self._has_statics else None
        return view.static if view is not None else None

    def _rows(self, key: bytes, ck: bytes, name: str) -> Iterator[tuple[bytes, StoredRow]]:
        """The row of an entry, if it has a vector; all rows of the partition where it is static."""
        shape, store = self._shape, self._store
        if self._has_clustering and not ck:
            view = store.read(key, shape.slices, shape.now_s)
            if view is not None and view.static is not None and name in view.static.columns:
                yield from view.items()
            return
        if not any(start <= ck < end for start, end in shape.slices):
            return
        row = store.row_at(key, ck, shape.now_s)
        if row is None:
            return
        cell = store.maybe_cell(row, name)
        if type(cell) is Cell and cell.value is not None:
            yield ck, row

    def _passes(self, key: bytes, static: Row | None, ck: bytes, row: StoredRow) -> bool:
        if self._filter is None:
            return True
        return self._filter.partition(key, static) and bool(self._filter.rows([ck], [row])[0])
