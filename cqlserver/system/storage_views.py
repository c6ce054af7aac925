"""Tables of system_views about what a node keeps: sizes, tasks, indexes (db/virtual/TableMetricTables.java,
SSTableTasksTable.java, index/sai/virtual/ColumnIndexesSystemView.java)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from protocol.types import ASCII, TEXT
from storage.background import Lane
from storage.engine import Engine
from storage.indexes.attached import SAI_CLASS, java_class
from storage.indexes.target import CLASS_OPTION, IndexTarget, maybe_target, value_type
from storage.schema.metadata import IndexMetadata, Schema, TableMetadata

if TYPE_CHECKING:
    from storage.sstable.reader import SSTableReader

_MEBIBYTE: Final = 1 << 20
_LANES: Final = {Lane.COMPACTION: "compaction", Lane.VIEW_BUILD: "view_build"}

_ANALYSIS: Final = (
    # an option, what Java calls it, its default
    ("case_sensitive", "caseSensitive", "true"),
    ("normalize", "normalized", "false"),
    ("ascii", "ascii", "false"),
)

Rows = Iterator[Mapping[str, Any]]
Measure = Callable[[list["SSTableReader"]], int]


def disk_usage(schema: Schema, engine: Engine) -> Rows:
    return _of_tables(schema, engine, "mebibytes", lambda found: _mebibytes(sum(reader.disk_bytes for reader in found)))


def max_partition_size(schema: Schema, engine: Engine) -> Rows:
    def largest(found: "list[SSTableReader]") -> int:
        return _mebibytes(max((reader.statistics.stats.partition_sizes.max() for reader in found), default=0))

    return _of_tables(schema, engine, "mebibytes", largest)


def max_sstable_size(schema: Schema, engine: Engine) -> Rows:
    return _of_tables(
        schema, engine, "mebibytes", lambda found: _mebibytes(max((reader.disk_bytes for reader in found), default=0))
    )


def max_sstable_duration(schema: Schema, engine: Engine) -> Rows:
    """Milliseconds between the first and the last write in one file."""

    def longest(found: "list[SSTableReader]") -> int:
        times = [reader.statistics.stats.timestamps_us for reader in found]
        return max((max(0, last - first) // 1000 for first, last in times), default=0)

    return _of_tables(schema, engine, "max_sstable_duration", longest)


def sstable_tasks(engine: Engine) -> Rows:
    """Under way and waiting."""
    for task in engine.background.tasks:
        kind = _LANES.get(task.lane)
        if kind is None:
            continue
        keyspace, _, table = task.subject.partition(".")
        yield {
            "keyspace_name": keyspace,
            "table_name": table,
            "task_id": UUID(fields=(0, 0, 0x1000, 0x80, 0, id(task) & 0xFFFFFFFFFFFF)),
            "completion_ratio": task.completed / task.total if task.total else 0.0,
            "kind": kind,
            "progress": task.completed,
            "total": task.total,
            "unit": task.unit,
        }


def sai_column_indexes(schema: Schema, engine: Engine) -> Rows:
    """Made of the rows at their first use, they can be asked from the begin on."""
    for table in tables(schema):
        for index in table.indexes.values():
            target = maybe_target(table, index)
            if target is not None and java_class(index.options.get(CLASS_OPTION, "")) == SAI_CLASS:
                yield _attached(table, index, target)


def _attached(table: TableMetadata, index: IndexMetadata, target: IndexTarget) -> Mapping[str, Any]:
    return {
        "keyspace_name": table.keyspace,
        "index_name": index.name,
        "analyzer": _analyzer(index.options),
        "column_name": target.column.name,
        "is_building": False,
        "is_queryable": True,
        "is_string": value_type(target) in (TEXT, ASCII),
        "table_name": table.name,
    }


def _analyzer(options: Mapping[str, str]) -> str:
    if not any(name in options for name, _, _ in _ANALYSIS):
        return "NoOpAnalyzer"
    shown = ", ".join(f"{java}={options.get(name, default).lower()}" for name, java, default in _ANALYSIS)
    return f"NonTokenizingAnalyzer{{{shown}}}"


def _mebibytes(size: int) -> int:
    return -(-size // _MEBIBYTE)


def tables(schema: Schema) -> Iterator[TableMetadata]:
    for keyspace in schema.keyspaces.values():
        if not keyspace.is_virtual:
            yield from keyspace.tables.values()
            yield from (view.table for view in keyspace.views.values())


def _of_tables(schema: Schema, engine: Engine, column: str, measure: Measure) -> Rows:
    for table in tables(schema):
        store = engine.stores.get(table.id)
        if store is not None:
            yield {"keyspace_name": table.keyspace, "table_name": table.name, column: measure(readers(store.flushed))}


def readers(sources: Iterable[object]) -> "list[SSTableReader]":
    """The files among a table's sources: none of them is imported before there is one."""
    if not sources:
        return []
    from storage.sstable.reader import SSTableReader

    return [source for source in sources if isinstance(source, SSTableReader)]
