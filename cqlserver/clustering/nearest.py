"""ORDER BY ... ANN OF on a table that other nodes have too: each part of the ring gives the nearest rows of one replica, and
here they are put in order (index/sai/plan/VectorTopKProcessor.java)."""

from collections.abc import Generator, Iterator
from itertools import chain

from cluster.reading.criteria import Criteria, Nearest
from cqlserver.clustering.store import ReplicatedStore
from cqlserver.plans.select_rows import Sink
from cqlserver.plans.select_run import TOKEN_MAX, ReadShape
from storage.indexes.vectors import VectorIndex
from storage.memtable.memtable import position_of, token_position
from storage.memtable.packed import StoredRow
from storage.mutation import Cell, Row
from storage.reads import PartitionView, TableStore
from storage.row_filter import FilterExpression, RowFilter
from storage.schema.metadata import ColumnKind

ROWS_PER_STEP = 200


def read_nearest(
    store: TableStore,
    shape: ReadShape,
    sink: Sink,
    expressions: list[FilterExpression],
    index: VectorIndex,
    wanted: bytes,
    limit: int,
) -> Generator[None, None, None]:
    """Drives the nearest rows into the sink. `store`: of the replicas, `index`: this node's own. Raises InvalidRequest, what
    functions raise, and what the coordinator tells clients."""
    assert isinstance(store, ReplicatedStore), store
    store.seek(Criteria(tuple(expressions), Nearest(index.metadata.name, wanted)), lambda page: None)
    row_filter = RowFilter(store, expressions)
    column = index.target.column
    found: dict[tuple[bytes, bytes], tuple[PartitionView, StoredRow]] = {}
    vectors: list[tuple[bytes, bytes, bytes]] = []
    for view in _views(store, shape):
        if not row_filter.partition(view.key, view.static):
            continue
        position = position_of(view.key)
        for ck, row in view.items():
            holder: Row | None = view.static if column.kind is ColumnKind.STATIC else store.layouts.explode(row)
            cell = None if holder is None else holder.columns.get(column.name)
            if type(cell) is Cell and cell.value is not None and row_filter.takes(row):
                found[position, ck] = view, row
                vectors.append((cell.value, position, ck))
        yield
    for number, (_, position, ck) in enumerate(sorted(index.scored(wanted, vectors))[:limit]):
        view, row = found[position, ck]
        sink.partition(view.key, view.static)
        sink.add([row])
        if number % ROWS_PER_STEP == ROWS_PER_STEP - 1:
            yield
    yield from sink.finish()


def _views(store: ReplicatedStore, shape: ReadShape) -> Iterator[PartitionView]:
    if shape.keys is not None:
        read = (store.read(key, shape.slices, shape.now_s) for key in shape.keys)
        return (view for view in read if view is not None)
    if shape.token_range is None:
        return chain()
    end = None if shape.token_range.end == TOKEN_MAX else token_position(shape.token_range.end + 1)
    return store.scan(shape.now_s, token_position(shape.token_range.start), end, shape.slices)
