"""Schema elements as CREATE statements, to the byte as Cassandra prints them (toCqlString and appendCqlTo of
schema/KeyspaceMetadata.java, TableMetadata.java, TableParams.java, IndexMetadata.java, ViewMetadata.java,
db/marshal/UserType.java, cql3/functions/UDFunction.java, UDAggregate.java)."""

from collections.abc import Iterable, Mapping

from cqlserver.java_order import copied_hash_ordered
from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    TupleType,
    UserType,
    quoted_identifier,
)
from protocol.types.java_floats import double_text
from storage.schema.metadata import (
    AggregateMetadata,
    ColumnKind,
    ColumnMask,
    ColumnMetadata,
    FunctionMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    TableMetadata,
    TableParams,
    ViewMetadata,
)
from storage.schema.type_text import parse_type

_INDENT = "    "
_AND = f"\n{_INDENT}AND "
_LOCATOR = "org.apache.cassandra.locator."


def quoted_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _map(mapping: Mapping[str, str]) -> str:
    pairs = (f"{quoted_text(key)}: {quoted_text(value)}" for key, value in sorted(mapping.items()))
    return "{" + ", ".join(pairs) + "}"


def _names(columns: Iterable[ColumnMetadata]) -> str:
    return ", ".join(quoted_identifier(column.name) for column in columns)


def qualified(keyspace: str, name: str) -> str:
    return f"{quoted_identifier(keyspace)}.{quoted_identifier(name)}"


def keyspace_text(keyspace: KeyspaceMetadata) -> str:
    name = quoted_identifier(keyspace.name)
    if keyspace.is_virtual:
        return (
            f"/*\nWarning: Keyspace {name} is a virtual keyspace and cannot be recreated with CQL.\n"
            f"Structure, for reference:\nVIRTUAL KEYSPACE {name};\n*/"
        )
    replication = keyspace.params.replication
    options = [("class", replication["class"].removeprefix(_LOCATOR))]
    options += [(name, replication[name]) for name in copied_hash_ordered(replication) if name != "class"]
    pairs = ", ".join(f"{quoted_text(key)}: {quoted_text(value)}" for key, value in options)
    durable = _boolean(keyspace.params.durable_writes)
    return f"CREATE KEYSPACE {name} WITH replication = {{{pairs}}}  AND durable_writes = {durable};"


def type_text(user_type: UserType) -> str:
    fields = ",\n".join(
        f"{_INDENT}{quoted_identifier(name)} {field.cql()}"
        for name, field in zip(user_type.field_names, user_type.field_types, strict=True)
    )
    return f"CREATE TYPE {qualified(user_type.keyspace, user_type.name)} (\n{fields}\n);"


def table_text(table: TableMetadata, with_internals: bool) -> str:
    """CREATE TABLE; with internals, its id, and what was dropped from it."""
    name = qualified(table.keyspace, table.name)
    verb = "VIRTUAL" if table.is_virtual else "CREATE"
    parts = []
    if table.is_compact:
        parts.append(
            f"/*\nWarning: Table {name} omitted because it has constructs not compatible with CQL "
            "(was created via legacy API).\nApproximate structure, for reference:\n"
            "(this should not be used to reproduce this schema)\n\n"
        )
    if table.is_virtual:
        parts.append(
            f"/*\nWarning: Table {name} is a virtual table and cannot be recreated with CQL.\nStructure, for reference:\n"
        )
    parts.append(f"{verb} TABLE {name} (\n{_definitions(table, with_internals)}) WITH ")
    parts.append(_options(table, with_internals, is_view=False))
    if table.is_virtual:
        parts.append("\n*/")
    if with_internals:
        parts.append(_drops(table, name))
    if table.is_compact:
        parts.append("\n*/")
    return "".join(parts)


def _create_order(table: TableMetadata) -> list[ColumnMetadata]:
    """Keys first; then statics and regulars, of each the simple ones before those of many cells."""
    columns = [*table.partition_key, *(() if table.is_static_compact else table.clustering)]
    for group in (table.statics, table.regulars):
        visible = [c for c in group if c.name not in table.hidden_columns]
        columns += sorted(visible, key=lambda c: (c.type.is_multicell, c.name.encode()))
    return columns


def _column(table: TableMetadata, name: str, column_type: CqlType, kind: ColumnKind, mask: ColumnMask | None) -> str:
    static = " static" if kind is ColumnKind.STATIC and not table.is_static_compact else ""
    masked = f" MASKED WITH {_mask(mask)}" if mask else ""
    return f"{quoted_identifier(name)} {column_type.cql()}{static}{masked}"


def _mask(mask: ColumnMask) -> str:
    arguments = []
    for type_name, value in zip(mask.argument_types, mask.argument_values, strict=True):
        argument_type = NATIVE_TYPES.get(type_name) or parse_type(type_name)
        arguments.append("null" if value is None else argument_type.to_literal(argument_type.from_text(value)))
    return f"{mask.function_keyspace}.{mask.function_name}({', '.join(arguments)})"


def _definitions(table: TableMetadata, with_internals: bool) -> str:
    """The lines between the parentheses. With internals, dropped columns stand there too; one that was added again
    is told by ALTER TABLE statements instead."""
    has_short_key = len(table.partition_key) == 1 and not table.clustering
    dropped = table.dropped_columns if with_internals else {}
    lines = []
    for column in _create_order(table):
        if column.name not in dropped:
            line = _column(table, column.name, column.type, column.kind, column.mask)
            is_key = has_short_key and column.kind is ColumnKind.PARTITION_KEY
            lines.append(f"{line} PRIMARY KEY" if is_key else line)
    for gone in sorted(dropped.values(), key=lambda d: d.name):
        lines.append(_column(table, gone.name, gone.type, gone.kind, None))
    if not has_short_key:
        lines.append(_primary_key(table))
    return "".join(f"{_INDENT}{line}\n" for line in ",\n".join(lines).split("\n"))


def _primary_key(table: TableMetadata) -> str:
    partition = _names(table.partition_key)
    if len(table.partition_key) > 1:
        partition = f"({partition})"
    clustering = "" if table.is_static_compact else _names(table.clustering)
    return f"PRIMARY KEY ({partition}, {clustering})" if clustering else f"PRIMARY KEY ({partition})"


def _options(table: TableMetadata, with_internals: bool, is_view: bool) -> str:
    options = ["COMPACT STORAGE"] if table.is_compact else []
    if with_internals:
        options.append(f"ID = {table.id}")
    if table.clustering:
        orders = (f"{quoted_identifier(c.name)} {'DESC' if c.reversed else 'ASC'}" for c in table.clustering)
        options.append(f"CLUSTERING ORDER BY ({', '.join(orders)})")
    if table.is_virtual:
        options.append(f"comment = {quoted_text(table.params.comment)}")
    else:
        options += _params(table.params, is_view)
    return _AND.join(options) + ";"


def _params(params: TableParams, is_view: bool) -> list[str]:
    extensions = ", ".join(f"{quoted_text(k)}: 0x{v.hex()}" for k, v in sorted(params.extensions.items()))
    options = [
        f"additional_write_policy = {quoted_text(params.additional_write_policy)}",
        f"allow_auto_snapshot = {_boolean(params.allow_auto_snapshot)}",
        f"bloom_filter_fp_chance = {double_text(params.bloom_filter_fp_chance)}",
        f"caching = {_map(params.caching)}",
        f"cdc = {_boolean(params.cdc)}",
        f"comment = {quoted_text(params.comment)}",
        f"compaction = {_map(params.compaction)}",
        f"compression = {_map(params.compression)}",
        f"memtable = {quoted_text(params.memtable)}",
        f"crc_check_chance = {double_text(params.crc_check_chance)}",
        f"default_time_to_live = {params.default_time_to_live}",
        f"extensions = {{{extensions}}}",
        f"gc_grace_seconds = {params.gc_grace_seconds}",
        f"incremental_backups = {_boolean(params.incremental_backups)}",
        f"max_index_interval = {params.max_index_interval}",
        f"memtable_flush_period_in_ms = {params.memtable_flush_period_in_ms}",
        f"min_index_interval = {params.min_index_interval}",
        f"read_repair = {quoted_text(params.read_repair)}",
        f"speculative_retry = {quoted_text(params.speculative_retry)}",
    ]
    return [o for o in options if not (is_view and o.startswith("default_time_to_live"))]


def _drops(table: TableMetadata, name: str) -> str:
    lines = []
    for dropped in sorted(table.dropped_columns.values(), key=lambda d: d.name):
        column_name = quoted_identifier(dropped.name)
        lines.append(f"\nALTER TABLE {name} DROP {column_name} USING TIMESTAMP {dropped.dropped_time_us};")
        column = table.by_name.get(dropped.name)
        if column is not None:
            definition = _column(table, column.name, column.type, column.kind, column.mask)
            lines.append(f"\nALTER TABLE {name} ADD {definition};")
    return "".join(lines)


def index_text(table: TableMetadata, index: IndexMetadata) -> str:
    table_name, name = qualified(table.keyspace, table.name), quoted_identifier(index.name)
    options = dict(index.options)
    target = options.pop("target", "")
    if index.kind != "CUSTOM":
        return f"CREATE INDEX {name} ON {table_name} ({target});"
    using = quoted_text(options.pop("class_name", ""))
    rest = f" WITH OPTIONS = {_map(options)}" if options else ""
    return f"CREATE CUSTOM INDEX {name} ON {table_name} ({target}) USING {using}{rest};"


def view_text(view: ViewMetadata, with_internals: bool) -> str:
    table = view.table
    selected = "*" if view.include_all_columns else _names(table.columns)
    return (
        f"CREATE MATERIALIZED VIEW {qualified(table.keyspace, table.name)} AS\n"
        f"{_INDENT}SELECT {selected}\n"
        f"{_INDENT}FROM {qualified(table.keyspace, view.base_table_name)}\n"
        f"{_INDENT}WHERE {view.where_clause}\n"
        f"{_INDENT}{_primary_key(table)}\n"
        f" WITH {_options(table, with_internals, is_view=True)}"
    )


def _bare(cql_type: CqlType) -> str:
    """Tuples without the frozen<> around them, as functions have them."""
    text = cql_type.cql()
    return text.removeprefix("frozen<")[:-1] if isinstance(cql_type, TupleType) else text


def signature_text(name: str, types: Iterable[CqlType]) -> str:
    """`name(type, type)`: what functions are called in lists."""
    return f"{quoted_identifier(name)}({', '.join(map(_bare, types))})"


def function_text(function: FunctionMetadata) -> str:
    arguments = ", ".join(
        f"{quoted_identifier(name)} {_bare(argument)}"
        for name, argument in zip(function.argument_names, function.argument_types, strict=True)
    )
    on_null = "CALLED" if function.called_on_null_input else "RETURNS NULL"
    return (
        f"CREATE FUNCTION {qualified(function.keyspace, function.name)}({arguments})\n"
        f"{_INDENT}{on_null} ON NULL INPUT\n"
        f"{_INDENT}RETURNS {_bare(function.return_type)}\n"
        f"{_INDENT}LANGUAGE {function.language}\n"
        f"{_INDENT}AS $${function.body}$$;"
    )


def aggregate_text(aggregate: AggregateMetadata) -> str:
    lines = [
        f"CREATE AGGREGATE {quoted_identifier(aggregate.keyspace)}."
        + signature_text(aggregate.name, aggregate.argument_types),
        f"{_INDENT}SFUNC {quoted_identifier(aggregate.state_function)}",
        f"{_INDENT}STYPE {_bare(aggregate.state_type)}",
    ]
    if aggregate.final_function is not None:
        lines.append(f"{_INDENT}FINALFUNC {quoted_identifier(aggregate.final_function)}")
    if aggregate.initcond is not None:
        lines.append(f"{_INDENT}INITCOND {aggregate.initcond}")
    return "\n".join(lines) + ";"
