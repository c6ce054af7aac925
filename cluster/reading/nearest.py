"""A replica finds, of the rows that it has, those whose vectors are nearest, as many as the command limits it to, in the
order of the ring. Whoever asked puts in order what all told (index/sai/plan/VectorTopKProcessor.java)."""

from collections.abc import Sequence
from typing import Final

from cluster.reading.answer import DataAnswer
from cluster.reading.command import ReadCommand
from cluster.reading.criteria import Nearest
from cluster.reading.sifting import ROWS_PER_GO, Sifting, build
from storage.environment.strands import long_work, pause
from storage.indexes.vectors import VectorIndex
from storage.keys import row_end
from storage.memtable.memtable import Position
from storage.merged import SourcePartition
from storage.mutation import Cell
from storage.reads import FIRST_POSITION, Slice, TableStore
from storage.reconcile import live_row
from storage.schema.metadata import ColumnKind

_KEY: Final = slice(8, None)


def find_nearest(store: TableStore, command: ReadCommand) -> DataAnswer:
    """Raises KeyError where the store has not the index that is asked for."""
    assert command.criteria is not None
    wanted = command.criteria.lookup
    assert isinstance(wanted, Nearest)
    indexes = store.indexes
    index = None if indexes is None else indexes.attached.get(wanted.index)
    if indexes is None or not isinstance(index, VectorIndex):
        raise KeyError(wanted.index)
    build(indexes, wanted.index)
    if index.postings.size > ROWS_PER_GO:
        long_work()

    def is_inside(position: Position) -> bool:
        return command.start <= position and (command.end is None or position < command.end)

    reading = Sifting(store, command)
    reading.lift_size_limits()
    told: list[tuple[Position, bytes]] = []
    takes_all = command.start == FIRST_POSITION and command.end is None
    for found in index.nearest(wanted.vector, None if takes_all else is_inside):
        pause()
        if found is None:
            continue
        partition = store.maybe_stored(found[1][_KEY])
        if partition is not None:
            key = found[1][_KEY]
            pieces = _pieces(store, command, index, partition, key, found[2])
            mutation = reading.part(key, partition, pieces, tells_static=False)
            if mutation is not None:
                told.append((found[1], mutation))
        if reading.live_left <= 0:
            break
    told.sort(key=lambda item: item[0])
    return DataAnswer(tuple(mutation for _, mutation in told))


def _pieces(
    store: TableStore, command: ReadCommand, index: VectorIndex, partition: SourcePartition, key: bytes, ck: bytes
) -> Sequence[Slice]:
    """Where rows with the vector are: all that are asked for of the partition where it is static."""
    column = index.target.column
    if column.kind is ColumnKind.STATIC:
        static = None if partition.static is None else live_row(partition.static, command.now_s)
        return command.slices if static is not None and column.name in static.columns else ()
    if not any(start <= ck < end for start, end in command.slices):
        return ()
    row = store.row_at(key, ck, command.now_s)
    cell = None if row is None else store.maybe_cell(row, column.name)
    return (Slice(ck, row_end(ck)),) if type(cell) is Cell and cell.value is not None else ()
