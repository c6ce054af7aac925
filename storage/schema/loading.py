"""Rows of system_schema -> the schema: the other half of schema_tables.py, used at start and by whoever got rows.

Rows come as `column name -> serialised value`. Nothing in them is trusted: what can't be a schema raises
CorruptionError. Columns name user types bare, so types are made first, each after those that it holds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from protocol.errors import CorruptionError
from protocol.types import CqlType, MarshalError, UserType
from storage.mutation import NO_TIMESTAMP
from storage.schema.definitions import schema_tables
from storage.schema.metadata import (
    DEFAULT_PARAMS,
    AggregateMetadata,
    ColumnKind,
    ColumnMask,
    ColumnMetadata,
    DroppedColumn,
    FunctionMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    Signature,
    TableMetadata,
    TableParams,
    TriggerMetadata,
    ViewMetadata,
    is_local_system_keyspace,
    ordered_columns,
)
from storage.schema.type_text import parse_type

Values = Mapping[str, bytes | None]
RowsOf = Callable[[str], Iterable[Values]]
"""Name of a table of system_schema -> all its live rows."""

Element = TypeVar("Element")


class _Row:
    """One row; columns by name, decoded as the table's definition says."""

    __slots__ = ("_types", "_values")

    def __init__(self, types: Mapping[str, CqlType], values: Values) -> None:
        self._types, self._values = types, values

    def maybe(self, name: str) -> object:
        data = self._values.get(name)
        return None if data is None else self._types[name].decode(data)

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def raw(self, name: str) -> bytes:
        data = self._values.get(name)
        if data is None:
            raise CorruptionError(f"system_schema: column {name} is null")
        return data

    def text(self, name: str) -> str:
        return self._of(name, str)

    def maybe_text(self, name: str) -> str | None:
        return self._of(name, str) if self.has(name) else None

    def boolean(self, name: str, default: bool | None = None) -> bool:
        if default is not None and not self.has(name):
            return default
        return self._of(name, bool)

    def integer(self, name: str) -> int:
        return self._of(name, int)

    def double(self, name: str) -> float:
        return self._of(name, float)

    def uuid(self, name: str) -> UUID:
        return self._of(name, UUID)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.maybe(name)
        return tuple(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else ()

    def text_map(self, name: str) -> Mapping[str, str]:
        value = self.maybe(name)
        items = value.items() if isinstance(value, Mapping) else ()
        return MappingProxyType({str(k): str(v) for k, v in items})

    def blob_map(self, name: str) -> Mapping[str, bytes]:
        value = self.maybe(name)
        items = value.items() if isinstance(value, Mapping) else ()
        return MappingProxyType({str(k): bytes(v) for k, v in items})

    def _of(self, name: str, wanted: type[Element]) -> Element:
        value = self.maybe(name)
        if not isinstance(value, wanted):
            raise CorruptionError(f"system_schema: column {name} holds {value!r}")
        return value


def load_schema(rows_of: RowsOf, built_in: Iterable[KeyspaceMetadata] = ()) -> Schema:
    """The schema of these rows. `built_in`: keyspaces that the program defines; a stored one of the same name wins,
    unless each node keeps it for itself."""
    keyspaces = {keyspace.name: keyspace for keyspace in built_in}
    try:
        gathered = {name: _gather(table, rows_of(name)) for name, table in schema_tables().items()}
        for name, rows in gathered["keyspaces"].items():
            if not is_local_system_keyspace(name):
                found = _keyspace(name, rows[0], {t: by.get(name, []) for t, by in gathered.items()})
                keyspaces[name] = _with_built_in(found, keyspaces.get(name))
    except (MarshalError, ValueError, KeyError) as error:
        raise CorruptionError(f"system_schema holds what is no schema: {error}") from error
    return Schema.of(keyspaces.values())


def _with_built_in(stored: KeyspaceMetadata, built_in: KeyspaceMetadata | None) -> KeyspaceMetadata:
    """A keyspace of the program's has all its tables: nobody can drop one, but a crash may have come between the flushes of
    system_schema's tables, and what they say of these keyspaces is not in the log."""
    if built_in is not None:
        for table in built_in.tables.values():
            if table.name not in stored.tables:
                stored = stored.with_table(table)
    return stored


def _gather(table: TableMetadata, rows: Iterable[Values]) -> dict[str, list[_Row]]:
    """Rows by keyspace."""
    types = {column.name: column.type for column in table.columns}
    by_keyspace: dict[str, list[_Row]] = {}
    for values in rows:
        row = _Row(types, values)
        by_keyspace.setdefault(row.text("keyspace_name"), []).append(row)
    return by_keyspace


def _by_table(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    by_table: dict[str, list[_Row]] = {}
    for row in rows:
        by_table.setdefault(row.text("table_name"), []).append(row)
    return by_table


def _keyspace(name: str, row: _Row, rows: Mapping[str, list[_Row]]) -> KeyspaceMetadata:
    params = KeyspaceParams(row.text_map("replication"), row.boolean("durable_writes"))
    types = _types(name, rows["types"])
    part_names = ("columns", "column_masks", "dropped_columns", "dropped_times", "indexes", "triggers")
    parts = {table: _by_table(rows[table]) for table in part_names}
    tables = {r.text("table_name"): _table(name, r, parts, types) for r in rows["tables"]}
    by_id = {table.id: table for table in tables.values()}
    views = {r.text("view_name"): _view(name, r, parts, types, by_id) for r in rows["views"]}
    functions = [_function(name, r, types) for r in rows["functions"]]
    aggregates = [_aggregate(name, r, types) for r in rows["aggregates"]]
    function_map: dict[Signature, FunctionMetadata] = {f.signature: f for f in functions}
    aggregate_map: dict[Signature, AggregateMetadata] = {a.signature: a for a in aggregates}
    return KeyspaceMetadata(
        name,
        params,
        MappingProxyType(tables),
        MappingProxyType(types),
        views=MappingProxyType(views),
        functions=MappingProxyType(function_map),
        aggregates=MappingProxyType(aggregate_map),
    )


def _types(keyspace: str, rows: list[_Row]) -> dict[str, UserType]:
    """User types in their frozen form, by name; a type comes after those that its fields name."""
    found: dict[str, UserType] = {}
    waiting = rows
    while waiting:
        later = []
        for row in waiting:
            try:
                fields = tuple(parse_type(text, found) for text in row.texts("field_types"))
            except ValueError:
                later.append(row)
                continue
            name = row.text("type_name")
            found[name] = UserType(keyspace, name, row.texts("field_names"), fields, True)
        if len(later) == len(waiting):
            names = ", ".join(row.text("type_name") for row in later)
            raise CorruptionError(f"system_schema: types {names} of keyspace {keyspace} name unknown types")
        waiting = later
    return found


def _table(
    keyspace: str, row: _Row, parts: Mapping[str, Mapping[str, list[_Row]]], types: Mapping[str, UserType]
) -> TableMetadata:
    name = row.text("table_name")
    flags = row.texts("flags")
    return TableMetadata(
        keyspace,
        name,
        row.uuid("id"),
        _columns(keyspace, name, parts, types),
        _params(row),
        is_counter="counter" in flags,
        is_dense="dense" in flags,
        is_compound="compound" in flags,
        dropped_columns=_dropped_columns(name, parts),
        indexes=_indexes(parts["indexes"].get(name, [])),
        triggers=_triggers(parts["triggers"].get(name, [])),
    )


def _columns(
    keyspace: str, table: str, parts: Mapping[str, Mapping[str, list[_Row]]], types: Mapping[str, UserType]
) -> tuple[ColumnMetadata, ...]:
    masks = {r.text("column_name"): _mask(r) for r in parts["column_masks"].get(table, [])}
    columns = []
    for row in parts["columns"].get(table, []):
        name, kind = row.text("column_name"), ColumnKind(row.text("kind"))
        is_reversed = row.text("clustering_order") == "desc"
        column_type = parse_type(row.text("type"), types)
        columns.append(ColumnMetadata(name, kind, column_type, row.integer("position"), is_reversed, masks.get(name)))
    if not any(c.kind is ColumnKind.PARTITION_KEY for c in columns):
        raise CorruptionError(f"No partition columns found for table {keyspace}.{table} in system_schema.columns")
    return ordered_columns(columns)


def _mask(row: _Row) -> ColumnMask:
    nulls = row.maybe("function_argument_nulls")
    are_null = list(nulls) if isinstance(nulls, list | tuple) else []
    values = row.texts("function_argument_values")
    return ColumnMask(
        row.text("function_keyspace"),
        row.text("function_name"),
        row.texts("function_argument_types"),
        tuple(None if is_null else value for is_null, value in zip(are_null, values, strict=True)),
    )


def _dropped_columns(table: str, parts: Mapping[str, Mapping[str, list[_Row]]]) -> Mapping[str, DroppedColumn]:
    exact_us = {r.text("column_name"): r.integer("dropped_time_us") for r in parts["dropped_times"].get(table, [])}
    found = {}
    for row in parts["dropped_columns"].get(table, []):
        name = row.text("column_name")
        kind = ColumnKind(row.maybe_text("kind") or "regular")
        dropped_time_ms = int.from_bytes(row.raw("dropped_time"), "big", signed=True)
        dropped_us = exact_us.get(name, NO_TIMESTAMP)
        if dropped_us // 1000 != dropped_time_ms:  # somebody else wrote it
            dropped_us = dropped_time_ms * 1000
        found[name] = DroppedColumn(name, parse_type(row.text("type")), dropped_us, kind)
    return MappingProxyType(found)


def _indexes(rows: list[_Row]) -> Mapping[str, IndexMetadata]:
    indexes = [IndexMetadata(r.text("index_name"), r.text("kind"), r.text_map("options")) for r in rows]
    return MappingProxyType({index.name: index for index in indexes})


def _triggers(rows: list[_Row]) -> Mapping[str, TriggerMetadata]:
    triggers = [TriggerMetadata(r.text("trigger_name"), r.text_map("options").get("class", "")) for r in rows]
    return MappingProxyType({trigger.name: trigger for trigger in triggers})


def _params(row: _Row) -> TableParams:
    params = TableParams(
        additional_write_policy=row.maybe_text("additional_write_policy") or "99p",
        allow_auto_snapshot=row.boolean("allow_auto_snapshot", True),
        bloom_filter_fp_chance=row.double("bloom_filter_fp_chance"),
        caching=row.text_map("caching"),
        cdc=row.boolean("cdc", False),
        comment=row.text("comment"),
        compaction=row.text_map("compaction"),
        compression=row.text_map("compression"),
        crc_check_chance=row.double("crc_check_chance"),
        default_time_to_live=row.integer("default_time_to_live"),
        extensions=row.blob_map("extensions"),
        gc_grace_seconds=row.integer("gc_grace_seconds"),
        incremental_backups=row.boolean("incremental_backups", True),
        max_index_interval=row.integer("max_index_interval"),
        memtable=row.maybe_text("memtable") or "default",
        memtable_flush_period_in_ms=row.integer("memtable_flush_period_in_ms"),
        min_index_interval=row.integer("min_index_interval"),
        read_repair=row.maybe_text("read_repair") or "BLOCKING",
        speculative_retry=row.text("speculative_retry"),
        keeps_cdc=row.has("cdc"),
    )
    return DEFAULT_PARAMS if params == DEFAULT_PARAMS else params


def _view(
    keyspace: str,
    row: _Row,
    parts: Mapping[str, Mapping[str, list[_Row]]],
    types: Mapping[str, UserType],
    tables: Mapping[UUID, TableMetadata],
) -> ViewMetadata:
    name = row.text("view_name")
    table = TableMetadata(
        keyspace,
        name,
        row.uuid("id"),
        _columns(keyspace, name, parts, types),
        _params(row),
        dropped_columns=_dropped_columns(name, parts),
    )
    base_id, rest = row.uuid("base_table_id"), (row.boolean("include_all_columns"), row.text("where_clause"))
    if base_id in tables:
        return ViewMetadata.of(table, tables[base_id], *rest)
    return ViewMetadata(replace(table, is_view=True), base_id, row.text("base_table_name"), *rest)  # it follows nothing


def _function(keyspace: str, row: _Row, types: Mapping[str, UserType]) -> FunctionMetadata:
    return FunctionMetadata(
        keyspace,
        row.text("function_name"),
        row.texts("argument_names"),
        tuple(parse_type(text, types) for text in row.texts("argument_types")),
        parse_type(row.text("return_type"), types),
        row.boolean("called_on_null_input"),
        row.text("language"),
        row.text("body"),
    )


def _aggregate(keyspace: str, row: _Row, types: Mapping[str, UserType]) -> AggregateMetadata:
    return AggregateMetadata(
        keyspace,
        row.text("aggregate_name"),
        tuple(parse_type(text, types) for text in row.texts("argument_types")),
        parse_type(row.text("return_type"), types),
        row.text("state_func"),
        parse_type(row.text("state_type"), types),
        row.maybe_text("final_func"),
        row.maybe_text("initcond"),
    )
