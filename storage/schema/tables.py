"""The schema as rows of system_schema: what a change writes, and the schema that the rows make.

Writing follows schema/SchemaKeyspace.java: one partition per keyspace in each of the tables, the same columns, the same
texts in them. Columns that Cassandra leaves out are left out here: `memtable`, `allow_auto_snapshot` and
`incremental_backups` at their defaults, and `cdc` on a node without CDC. Only what changed is written, and only what
changed is looked at; what was dropped is deleted by range (a table's columns are one), a dropped keyspace by partition.

Reading is schema_loading.py.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache

from protocol.types import BOOLEAN, TEXT, ListType, SetType, UserType
from storage.environment.strands import paused
from storage.mutation import Deletion, PartitionUpdate, RangeTombstone
from storage.schema.definitions import schema_tables
from storage.schema.elements import differences
from storage.schema.metadata import (
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
from storage.schema.writes import PackedRows, SchemaWrite

Values = Mapping[str, bytes | None]
Columns = tuple[tuple[str, ...], bytes]
"""Names of columns, and their wire values; nulls are left out."""

TEXT_LIST = ListType(TEXT, True)
TEXT_SET = SetType(TEXT, True)
BOOLEAN_LIST = ListType(BOOLEAN, True)

DOUBLE = struct.Struct(">d")
INT = struct.Struct(">i")
LONG = struct.Struct(">q")
_U32 = struct.Struct(">I")

_ZERO_DOUBLE = DOUBLE.pack(0.0)
_BOOLEANS = (b"\x00", b"\x01")


def schema_mutations(old: Schema, new: Schema, timestamp_us: int) -> list[SchemaWrite]:
    """What to write to system_schema so that it holds `new` instead of `old`, at `timestamp_us` microseconds."""
    writes: list[SchemaWrite] = []
    for name in differences(old.keyspaces, new.keyspaces):
        before, after = old.keyspaces.get(name), new.keyspaces.get(name)
        if after is None:
            if before is not None and not before.is_virtual:
                writes += _keyspace_drop(name, timestamp_us)
        elif after is not before and not after.is_virtual:
            writes += keyspace_mutations(before, after, timestamp_us)
    return writes


def keyspace_mutations(old: KeyspaceMetadata | None, new: KeyspaceMetadata, timestamp_us: int) -> list[SchemaWrite]:
    """The same of one keyspace."""
    writer = _KeyspaceWriter(new.name, timestamp_us)
    writer.write(old, new)
    return writer.writes()


def _keyspace_drop(name: str, timestamp_us: int) -> list[SchemaWrite]:
    deletion = Deletion(timestamp_us, timestamp_us // 1_000_000)
    key = name.encode()
    return [PartitionUpdate(table.id, key, deletion) for table in schema_tables().values()]


def _wire(value: bytes) -> bytes:
    return INT.pack(len(value)) + value


def _columns(values: Values) -> Columns:
    present = {name: value for name, value in values.items() if value is not None}
    return tuple(present), b"".join(map(_wire, present.values()))


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
    """Gathers what one keyspace's change writes, by table of system_schema. Deletions are applied before rows."""

    def __init__(self, keyspace: str, timestamp_us: int) -> None:
        self.key = keyspace.encode()
        self.timestamp = LONG.pack(timestamp_us)
        # of what is written at the same time, too, nothing is deleted
        self.deletion = Deletion(timestamp_us - 1, timestamp_us // 1_000_000)
        self.deleted: dict[str, list[RangeTombstone]] = {}
        self.rows: dict[tuple[str, tuple[str, ...]], list[tuple[bytes, bytes]]] = {}
        self.tables = schema_tables()

    def writes(self) -> list[SchemaWrite]:
        writes: list[SchemaWrite] = [
            PartitionUpdate(self.tables[table].id, self.key, range_tombstones=tuple(tombstones))
            for table, tombstones in self.deleted.items()
        ]
        for (table, columns), rows in self.rows.items():
            writes.append(PackedRows(self.tables[table].id, self.key, self.timestamp, columns, rows))
        return writes

    def _put(self, table: str, clustering: tuple[bytes, ...], values: Columns, *, replaces: bool = False) -> None:
        """A row; with `replaces`, columns that it does not name vanish."""
        if replaces:
            self._delete(table, clustering)
        names, wire_values = values
        row = b"".join(map(_wire, clustering)) + wire_values
        self.rows.setdefault((table, names), []).append((self._order_key(table, clustering), row))

    def _delete(self, table: str, clustering: tuple[bytes, ...]) -> None:
        """What begins with that clustering: all parts of a table at once."""
        start = self._order_key(table, clustering)
        tombstone = RangeTombstone(start, start + b"\xff", self.deletion, clustering, clustering)
        self.deleted.setdefault(table, []).append(tombstone)

    def _order_key(self, table: str, clustering: tuple[bytes, ...]) -> bytes:
        return b"".join([c.type.order_key(v) for c, v in zip(self.tables[table].clustering, clustering, strict=False)])

    def write(self, old: KeyspaceMetadata | None, new: KeyspaceMetadata) -> None:
        if old is None or (old.params is not new.params and old.params != new.params):
            durable, replication = _BOOLEANS[new.params.durable_writes], _text_map(new.params.replication)
            self._put("keyspaces", (), _columns({"durable_writes": durable, "replication": replication}))
        before = old or KeyspaceMetadata(new.name, new.params)
        self._write_types(before.types, new.types)
        self._write_tables(before.tables, new.tables)
        self._write_views(before.views, new.views)
        self._write_functions(before, new)

    def _write_types(self, old: Mapping[str, UserType], new: Mapping[str, UserType]) -> None:
        for name in differences(old, new):
            user_type = new.get(name)
            if user_type is None:
                self._delete("types", (name.encode(),))
            elif old.get(name) != user_type:
                types = _text_list([t.cql() for t in paused(user_type.field_types)])
                values = {"field_names": _text_list(user_type.field_names), "field_types": types}
                self._put("types", (name.encode(),), _columns(values))

    def _write_tables(self, old: Mapping[str, TableMetadata], new: Mapping[str, TableMetadata]) -> None:
        for name in differences(old, new):
            before, table = old.get(name), new.get(name)
            if table is None:
                if before is not None:
                    self._delete("tables", (name.encode(),))
                    self._drop_parts(before)
                continue
            if before is not None and before.digest == table.digest:
                continue
            if before is not None and before.id != table.id:
                self._drop_parts(before)
                before = None
            self._put("tables", (name.encode(),), table_columns(table), replaces=name in old)
            self._write_parts(before, table)

    def _drop_parts(self, table: TableMetadata) -> None:
        name = (table.name.encode(),)
        self._delete("columns", name)
        if any(column.mask for column in table.columns):
            self._delete("column_masks", name)
        for schema_table, parts in _parts_of(table):
            if parts:
                self._delete(schema_table, name)

    def _write_parts(self, old: TableMetadata | None, new: TableMetadata) -> None:
        """Columns, dropped columns, triggers and indexes that differ."""
        table = new.name.encode()
        before = {c.name: c for c in paused(old.columns)} if old else {}
        for column in paused(new.columns):
            self._write_column(table, before.pop(column.name, None), column)
        for column in paused(before.values()):
            self._delete("columns", (table, column.name.encode()))
            if column.mask:
                self._delete("column_masks", (table, column.name.encode()))
        old_dropped = old.dropped_columns if old else {}
        for name, dropped in paused(new.dropped_columns.items()):
            if old_dropped.get(name) != dropped:
                self._put("dropped_columns", (table, name.encode()), _columns(_dropped_values(dropped)))
                exact: Values = {"dropped_time_us": LONG.pack(dropped.dropped_time_us)}
                self._put("dropped_times", (table, name.encode()), _columns(exact))
        for name, trigger in new.triggers.items():
            if old is None or old.triggers.get(name) != trigger:
                values: Values = {"options": _text_map({"class": trigger.java_class})}
                self._put("triggers", (table, name.encode()), _columns(values))
        for name, index in new.indexes.items():
            if old is None or old.indexes.get(name) != index:
                values = {"kind": index.kind.encode(), "options": _text_map(index.options)}
                self._put("indexes", (table, name.encode()), _columns(values))
        if old is not None:
            for (schema_table, old_parts), (_, parts) in zip(_parts_of(old), _parts_of(new), strict=True):
                for name in paused(old_parts):
                    if name not in parts:
                        self._delete(schema_table, (table, name.encode()))

    def _write_column(self, table: bytes, old: ColumnMetadata | None, new: ColumnMetadata) -> None:
        if old is not None and (old is new or old.content() == new.content()):
            return
        name = new.name.encode()
        self._put("columns", (table, name), _column_columns(new))
        if new.mask:
            self._put("column_masks", (table, name), _columns(_mask_values(new.mask)))
        elif old is not None and old.mask:
            self._delete("column_masks", (table, name))

    def _write_views(self, old: Mapping[str, ViewMetadata], new: Mapping[str, ViewMetadata]) -> None:
        for name in differences(old, new):
            before, view = old.get(name), new.get(name)
            if view is None:
                if before is not None:
                    self._delete("views", (name.encode(),))
                    self._drop_parts(before.table)
            elif before is None or before.digest != view.digest:
                self._put("views", (name.encode(),), _view_columns(view), replaces=before is not None)
                self._write_parts(before.table if before else None, view.table)

    def _write_functions(self, old: KeyspaceMetadata, new: KeyspaceMetadata) -> None:
        for signature in differences(old.functions, new.functions):
            function = new.functions.get(signature)
            if function is None:
                self._delete("functions", _signature_clustering(signature))
            elif old.functions.get(signature) != function:
                self._put("functions", _signature_clustering(signature), _columns(_function_values(function)))
        for signature in differences(old.aggregates, new.aggregates):
            aggregate = new.aggregates.get(signature)
            if aggregate is None:
                self._delete("aggregates", _signature_clustering(signature))
            elif old.aggregates.get(signature) != aggregate:
                values = _columns(_aggregate_values(aggregate))
                self._put("aggregates", _signature_clustering(signature), values, replaces=True)


def _parts_of(table: TableMetadata) -> tuple[tuple[str, Iterable[str]], ...]:
    return (
        ("dropped_columns", table.dropped_columns),
        ("dropped_times", table.dropped_columns),
        ("triggers", table.triggers),
        ("indexes", table.indexes),
    )


def _signature_clustering(signature: tuple[str, tuple[str, ...]]) -> tuple[bytes, bytes]:
    name, types = signature
    return name.encode(), _text_list(types)


_ID_AND_FLAGS = ("id", "flags")


def table_columns(table: TableMetadata) -> Columns:
    """A table's row in system_schema.tables, keys apart."""
    names, wire_values = _params_columns(table.params)
    return _ID_AND_FLAGS + names, _wire(table.id.bytes) + _wire(_flag_set(table.flags)) + wire_values


@lru_cache(maxsize=64)
def _params_columns(params: TableParams) -> Columns:
    """The columns that a table's and a view's row share."""
    return _columns(params_values(params))


def params_values(params: TableParams) -> dict[str, bytes | None]:
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
        "cdc": (b"\x01" if params.cdc else b"\x00") if params.keeps_cdc else None,
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


_COLUMN_NAMES = ("column_name_bytes", "kind", "position", "clustering_order", "type")


def _column_columns(column: ColumnMetadata) -> Columns:
    """A column's row in system_schema.columns, keys apart."""
    wire_values = (
        _wire(column.name.encode()),
        _wire(column.kind.value.encode()),
        _wire(INT.pack(column.position)),
        _wire(clustering_order_of(column).encode()),
        _wire(column.type.cql().encode()),
    )
    return _COLUMN_NAMES, b"".join(wire_values)


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


def _view_columns(view: ViewMetadata) -> Columns:
    names, wire_values = _columns(
        {
            "include_all_columns": _BOOLEANS[view.include_all_columns],
            "base_table_id": view.base_table_id.bytes,
            "base_table_name": view.base_table_name.encode(),
            "where_clause": view.where_clause.encode(),
            "id": view.table.id.bytes,
        }
    )
    params_names, params_wire = _params_columns(view.table.params)
    return names + params_names, wire_values + params_wire


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
