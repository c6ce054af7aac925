"""How large values with a storage-attached index may be (guardrails sai_*_term_size; StorageAttachedIndex.validate).

What an index holds is limited for everybody (storage/indexes/attached.py); who is guarded is told.
"""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from cqlserver.guardrails import TERMS, Guarded, Threshold
from storage.indexes.attached import AttachedIndex
from storage.mutation import PartitionUpdate, Row
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind


def guard_terms(guarded: Guarded, stores: Mapping[UUID, TableStore], updates: Iterable[PartitionUpdate]) -> None:
    """Warns, or raises InvalidRequest."""
    for update in updates:
        indexes = stores[update.table_id].indexes
        for index in () if indexes is None else indexes.attached.values():
            threshold, column = TERMS.get(index.term_kind), index.target.column.name
            if threshold is not None:
                for size in _large_sizes(guarded, threshold, index, update):
                    guarded.limit(threshold, size, column)


def _large_sizes(
    guarded: Guarded, threshold: Threshold, index: AttachedIndex, update: PartitionUpdate
) -> Iterator[int]:
    """Of terms of large values."""
    for row in _rows(index, update):
        for value in index.values(update.key, row):
            size = index.size_of(value)
            if guarded.is_beyond(threshold, size):  # what an analyzer makes of it is no larger
                yield from (size,) if index.analyze is None else map(len, index.analyze(value))


def _rows(index: AttachedIndex, update: PartitionUpdate) -> Iterable[Row]:
    if index.target.column.kind is ColumnKind.STATIC:
        return () if update.static is None else (update.static,)
    return update.rows.values()
