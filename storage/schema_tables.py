"""The schema as rows of system_schema: what a change writes, and the schema that the rows make.

Writing follows schema/SchemaKeyspace.java: one partition per keyspace in each of the tables, the same columns, the same
texts in them. Columns that Cassandra leaves out are left out here: `memtable`, `allow_auto_snapshot` and
`incremental_backups` at their defaults, and `cdc`, since this node has no CDC. Only what changed is written; what was
dropped is deleted by row, a dropped keyspace by partition.

Reading is schema_loading.py.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache

from protocol.types import BOOLEAN, TEXT, ListType, SetType, UserType
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, Row
from storage.schema import (
    AggregateMetadata,
    ColumnMask,
    ColumnMetadata,
    DroppedColumn,
    FunctionMetadata,
    KeyspaceMetadata,
    Schema,
    TableMetadata,
    TableParams,
    ViewMetadata,
)
from storage.schema_definitions import schema_keyspace

Values = Mapping[str, bytes | None]

TEXT_LIST = ListType(TEXT, True)
TEXT_SET = SetType(TEXT, True)
BOOLEAN_LIST = ListType(BOOLEAN, True)

DOUBLE = struct.Struct(">d")
INT = struct.Struct(">i")
LONG = struct.Struct(">q")
_U32 = struct.Struct(">I")

_ZERO_DOUBLE = DOUBLE.pack(0.0)
_BOOLEANS = (b"\x00", b"\x01")


def schema_mutations(old: Schema, new: Schema, timestamp_us: int) -> list[PartitionUpdate]:
    """What to write to system_schema so that it holds `new` instead of `old`, at `timestamp_us` microseconds."""
    updates: list[PartitionUpdate] = []
    for name, keyspace in new.keyspaces.items():
        before = old.keyspaces.get(name)
        if keyspace is before or keyspace.is_virtual:
            continue
        writer = _KeyspaceWriter(name, timestamp_us)
        writer.write(before, keyspace)
        updates += writer.updates()
    for name, keyspace in old.keyspaces.items():
        if name not in new.keyspaces and not keyspace.is_virtual:
            updates += _keyspace_drop(name, timestamp_us)
    return updates


def _keyspace_drop(name: str, timestamp_us: int) -> list[PartitionUpdate]:
    deletion = Deletion(timestamp_us, timestamp_us // 1_000_000)
    key = name.encode()
    return [PartitionUpdate(table.id, key, deletion) for table in schema_keyspace().tables.values()]


@lru_cache(maxsize=256)
def _encoded_map(items: tuple[tuple[str, str], ...]) -> bytes:
    parts = [_U32.pack(len(items))]
    for pair in items:
        for text in pair:
            raw = text.encode()
            parts += (_U32.pack(len(raw)), raw)
    return b"".join(parts)


def _text_map(mapping: Mapping[str, str]) -> bytes:
    """A frozen map<text, text>, its keys in order."""
    return _encoded_map(tuple(sorted(mapping.items())))


def _blob_map(mapping: Mapping[str, bytes]) -> bytes:
    parts = [_U32.pack(len(mapping))]
    for name, value in sorted(mapping.items()):
        raw = name.encode()
        parts += (_U32.pack(len(raw)), raw, _U32.pack(len(value)), value)
    return b"".join(parts)


def _text_list(texts: Iterable[str]) -> bytes:
    return bytes(TEXT_LIST.encode(list(texts)))


@lru_cache(maxsize=16)
def _flag_set(flags: tuple[str, ...]) -> bytes:
    return bytes(TEXT_SET.encode(set(flags)))


def _text(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


class _KeyspaceWriter:
    """Gathers the rows that one keyspace's change writes, by table of system_schema."""

    def __init__(self, keyspace: str, timestamp_us: int) -> None:
        self.key = keyspace.encode()
        self.timestamp_us = timestamp_us
        self.liveness = Liveness(timestamp_us)
        self.deletion = Deletion(timestamp_us, timestamp_us // 1_000_000)
        self.previous = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
        self.rows: dict[str, dict[bytes, Row]] = {}
        self.tables = schema_keyspace().tables

    def updates(self) -> list[PartitionUpdate]:
        return [PartitionUpdate(self.tables[name].id, self.key, rows=rows) for name, rows in self.rows.items()]

    def _put(self, table: str, clustering: tuple[bytes, ...], values: Values, *, replaces: bool = False) -> None:
        """A row; with `replaces`, columns that it does not name vanish."""
        timestamp_us = self.timestamp_us
        columns = {name: Cell(timestamp_us, value) for name, value in values.items() if value is not None}
        row = Row(clustering, self.liveness, self.previous if replaces else LIVE, columns)
        self.rows.setdefault(table, {})[self._order_key(table, clustering)] = row

    def _delete(self, table: str, clustering: tuple[bytes, ...]) -> None:
        self.rows.setdefault(table, {})[self._order_key(table, clustering)] = Row(clustering, deletion=self.deletion)

    def _order_key(self, table: str, clustering: tuple[bytes, ...]) -> bytes:
        columns = self.tables[table].clustering
        return b"".join([c.type.order_key(v) for c, v in zip(columns, clustering, strict=True)])

    def write(self, old: KeyspaceMetadata | None, new: KeyspaceMetadata) -> None:
        if old is None or old.params != new.params:
            durable, replication = _BOOLEANS[new.params.durable_writes], _text_map(new.params.replication)
            self._put("keyspaces", (), {"durable_writes": durable, "replication": replication})
        before = old or KeyspaceMetadata(new.name, new.params)
        self._write_types(before.types, new.types)
        self._write_tables(before.tables, new.tables)
        self._write_views(before.views, new.views)
        self._write_functions(before, new)

    def _write_types(self, old: Mapping[str, UserType], new: Mapping[str, UserType]) -> None:
        if old is new:
            return
        for name in old:
            if name not in new:
                self._delete("types", (name.encode(),))
        for name, user_type in new.items():
            if old.get(name) != user_type:
                types = _text_list(t.cql() for t in user_type.field_types)
                values = {"field_names": _text_list(user_type.field_names), "field_types": types}
                self._put("types", (name.encode(),), values)

    def _write_tables(self, old: Mapping[str, TableMetadata], new: Mapping[str, TableMetadata]) -> None:
        if old is new:
            return
        for name, table in old.items():
            if name not in new:
                self._delete("tables", (name.encode(),))
                self._drop_parts(table)
        for name, table in new.items():
            before = old.get(name)
            if before is table or (before is not None and before.digest == table.digest):
                continue
            if before is not None and before.id != table.id:
                self._drop_parts(before)
                before = None
            values = table_values(table)
            self._put("tables", (name.encode(),), values, replaces=name in old)
            self._write_parts(before, table)

    def _drop_parts(self, table: TableMetadata) -> None:
        name = table.name.encode()
        for column in table.columns:
            self._delete("columns", (name, column.name.encode()))
            if column.mask:
                self._delete("column_masks", (name, column.name.encode()))
        for schema_table, parts in _parts_of(table):
            for part in parts:
                self._delete(schema_table, (name, part.encode()))

    def _write_parts(self, old: TableMetadata | None, new: TableMetadata) -> None:
        """Columns, dropped columns, triggers and indexes that differ."""
        table = new.name.encode()
        before = {c.name: c for c in old.columns} if old else {}
        for column in new.columns:
            self._write_column(table, before.pop(column.name, None), column)
        for column in before.values():
            self._delete("columns", (table, column.name.encode()))
            if column.mask:
                self._delete("column_masks", (table, column.name.encode()))
        old_dropped = old.dropped_columns if old else {}
        for name, dropped in new.dropped_columns.items():
            if old_dropped.get(name) != dropped:
                self._put("dropped_columns", (table, name.encode()), _dropped_values(dropped))
        for name, trigger in new.triggers.items():
            if old is None or old.triggers.get(name) != trigger:
                self._put("triggers", (table, name.encode()), {"options": _text_map({"class": trigger.java_class})})
        for name, index in new.indexes.items():
            if old is None or old.indexes.get(name) != index:
                values = {"kind": index.kind.encode(), "options": _text_map(index.options)}
                self._put("indexes", (table, name.encode()), values)
        if old is not None:
            for (schema_table, old_parts), (_, parts) in zip(_parts_of(old), _parts_of(new), strict=True):
                for name in old_parts:
                    if name not in parts:
                        self._delete(schema_table, (table, name.encode()))

    def _write_column(self, table: bytes, old: ColumnMetadata | None, new: ColumnMetadata) -> None:
        if old is not None and (old is new or old.content() == new.content()):
            return
        name = new.name.encode()
        self._put("columns", (table, name), column_values(new))
        if new.mask:
            self._put("column_masks", (table, name), _mask_values(new.mask))
        elif old is not None and old.mask:
            self._delete("column_masks", (table, name))

    def _write_views(self, old: Mapping[str, ViewMetadata], new: Mapping[str, ViewMetadata]) -> None:
        if old is new:
            return
        for name, view in old.items():
            if name not in new:
                self._delete("views", (name.encode(),))
                self._drop_parts(view.table)
        for name, view in new.items():
            before = old.get(name)
            if before is not None and before.digest == view.digest:
                continue
            self._put("views", (name.encode(),), _view_values(view), replaces=before is not None)
            self._write_parts(before.table if before else None, view.table)

    def _write_functions(self, old: KeyspaceMetadata, new: KeyspaceMetadata) -> None:
        if old.functions is not new.functions:
            for signature in old.functions:
                if signature not in new.functions:
                    self._delete("functions", _signature_clustering(signature))
            for signature, function in new.functions.items():
                if old.functions.get(signature) != function:
                    self._put("functions", _signature_clustering(signature), _function_values(function))
        if old.aggregates is not new.aggregates:
            for signature in old.aggregates:
                if signature not in new.aggregates:
                    self._delete("aggregates", _signature_clustering(signature))
            for signature, aggregate in new.aggregates.items():
                if old.aggregates.get(signature) != aggregate:
                    clustering = _signature_clustering(signature)
                    self._put("aggregates", clustering, _aggregate_values(aggregate), replaces=True)


def _parts_of(table: TableMetadata) -> tuple[tuple[str, Iterable[str]], ...]:
    return (
        ("dropped_columns", table.dropped_columns),
        ("triggers", table.triggers),
        ("indexes", table.indexes),
    )


def _signature_clustering(signature: tuple[str, tuple[str, ...]]) -> tuple[bytes, bytes]:
    name, types = signature
    return name.encode(), _text_list(types)


def table_values(table: TableMetadata) -> dict[str, bytes | None]:
    """The columns of a table's row in system_schema.tables, keys apart."""
    return {"id": table.id.bytes, "flags": _flag_set(table.flags), **params_values(table.params)}


def params_values(params: TableParams) -> dict[str, bytes | None]:
    """The columns that a table's and a view's row share."""
    return {
        "bloom_filter_fp_chance": DOUBLE.pack(params.bloom_filter_fp_chance),
        "comment": params.comment.encode(),
        "dclocal_read_repair_chance": _ZERO_DOUBLE,
        "default_time_to_live": INT.pack(params.default_time_to_live),
        "gc_grace_seconds": INT.pack(params.gc_grace_seconds),
        "max_index_interval": INT.pack(params.max_index_interval),
        "memtable_flush_period_in_ms": INT.pack(params.memtable_flush_period_in_ms),
        "min_index_interval": INT.pack(params.min_index_interval),
        "read_repair_chance": _ZERO_DOUBLE,
        "speculative_retry": params.speculative_retry.encode(),
        "additional_write_policy": params.additional_write_policy.encode(),
        "crc_check_chance": DOUBLE.pack(params.crc_check_chance),
        "caching": _text_map(params.caching),
        "compaction": _text_map(params.compaction),
        "compression": _text_map(params.compression),
        "read_repair": params.read_repair.encode(),
        "extensions": _blob_map(params.extensions),
        "memtable": params.memtable.encode() if params.memtable != "default" else None,
        "allow_auto_snapshot": None if params.allow_auto_snapshot else b"\x00",
        "incremental_backups": None if params.incremental_backups else b"\x00",
    }


def clustering_order_of(column: ColumnMetadata) -> str:
    """The word of system_schema.columns.clustering_order."""
    if column.kind.value != "clustering":
        return "none"
    return "desc" if column.reversed else "asc"


def column_values(column: ColumnMetadata) -> dict[str, bytes | None]:
    """The columns of a column's row in system_schema.columns (and in that of system_virtual_schema), keys apart."""
    return {
        "column_name_bytes": column.name.encode(),
        "kind": column.kind.value.encode(),
        "position": INT.pack(column.position),
        "clustering_order": clustering_order_of(column).encode(),
        "type": column.type.cql().encode(),
    }


def _mask_values(mask: ColumnMask) -> dict[str, bytes | None]:
    return {
        "function_keyspace": mask.function_keyspace.encode(),
        "function_name": mask.function_name.encode(),
        "function_argument_types": _text_list(mask.argument_types),
        "function_argument_values": _text_list(v or "" for v in mask.argument_values),
        "function_argument_nulls": bytes(BOOLEAN_LIST.encode([v is None for v in mask.argument_values])),
    }


def _dropped_values(dropped: DroppedColumn) -> dict[str, bytes | None]:
    return {
        "dropped_time": LONG.pack(dropped.dropped_time_us // 1000),
        "type": dropped.type.cql().encode(),
        "kind": dropped.kind.value.encode(),
    }


def _view_values(view: ViewMetadata) -> dict[str, bytes | None]:
    return {
        "include_all_columns": _BOOLEANS[view.include_all_columns],
        "base_table_id": view.base_table_id.bytes,
        "base_table_name": view.base_table_name.encode(),
        "where_clause": view.where_clause.encode(),
        "id": view.table.id.bytes,
        **params_values(view.table.params),
    }


def _function_values(function: FunctionMetadata) -> dict[str, bytes | None]:
    return {
        "body": function.body.encode(),
        "language": function.language.encode(),
        "return_type": function.return_type.cql().encode(),
        "called_on_null_input": _BOOLEANS[function.called_on_null_input],
        "argument_names": _text_list(function.argument_names),
    }


def _aggregate_values(aggregate: AggregateMetadata) -> dict[str, bytes | None]:
    return {
        "return_type": aggregate.return_type.cql().encode(),
        "state_func": aggregate.state_function.encode(),
        "state_type": aggregate.state_type.cql().encode(),
        "final_func": _text(aggregate.final_function),
        "initcond": _text(aggregate.initcond),
    }
