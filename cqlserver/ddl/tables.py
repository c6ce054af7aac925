"""CREATE TABLE and DROP TABLE (cql3/statements/schema/CreateTableStatement.java, DropTableStatement.java)."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from cqlserver.ddl.context import (
    CREATED,
    DROPPED,
    TABLE,
    DdlContext,
    DdlResult,
    authorize,
    check_keyspace_name,
    is_word,
    keyspace_of,
    written_name,
)
from cqlserver.ddl.masks import check_masking_enabled, prepare_mask
from cqlserver.ddl.properties import Properties
from cqlserver.ddl.table_params import build_params, check_properties, maybe_table_id
from cqlserver.ddl.type_walk import is_counter_name, references_duration
from cqlserver.java_order import hash_ordered
from cqlserver.terms.type_names import resolve_type, type_text
from grammar.tree import CreateTable, CustomTypeName, DropTable, PrimaryKey, UserTypeName
from protocol.errors import AlreadyExists, ConfigurationError, InvalidRequest, ServerError
from protocol.responses import SchemaChange
from protocol.types import BLOB, COUNTER, EMPTY, TEXT, CqlType, UserType
from storage.environment.strands import paused, sorted_in_turns
from storage.schema.changes import stored_tables
from storage.schema.definitions import schema_tables
from storage.schema.metadata import (
    ColumnKind,
    ColumnMask,
    ColumnMetadata,
    Schema,
    TableMetadata,
    TableParams,
    ordered_columns,
)

TABLE_NAME_LENGTH_MAX: Final = 222

STATIC_WITHOUT_CLUSTERING: Final = (
    "Static columns are only useful (and thus allowed) if the table has at least one clustering column"
)


def create_table(schema: Schema, statement: CreateTable, context: DdlContext) -> DdlResult:
    primary_key = check_shape(statement, context.keyspace)
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "CREATE", f"<all tables in {keyspace_name}>")
    properties = Properties(statement.properties)
    build_params(properties, None, context.memtables)
    if any(column.mask for column in paused(statement.columns)):
        check_masking_enabled(context)
    check_keyspace_name(keyspace_name)
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is None:
        raise InvalidRequest(f"Keyspace '{keyspace_name}' doesn't exist")
    if name in keyspace.tables or name in keyspace.views:
        if statement.if_not_exists:
            return schema, None
        raise AlreadyExists(f'Cannot add already existing table "{name}" to keyspace "{keyspace_name}"', keyspace_name, name)
    params = context.kept(check_properties(properties, context.memtables))
    columns = _Columns(schema, statement, keyspace_name, primary_key, context).columns(params)
    table = TableMetadata(
        keyspace_name,
        name,
        maybe_table_id(properties) or context.new_timeuuid(),
        columns,
        params,
        is_counter=any(is_counter_name(c.type) for c in paused(statement.columns)),
        is_dense=statement.compact_storage and bool(primary_key.clustering),
        is_compound=not statement.compact_storage or len(primary_key.clustering) > 1,
    )
    check_table(table)
    if context.guarded is not None:
        context.guarded.compression(params.compression)
    if "id" in properties:
        check_id(schema, table)
    change = SchemaChange(CREATED, TABLE, keyspace_name, name)
    return schema.with_keyspace(keyspace.with_table(table)), change


def check_id(schema: Schema, table: TableMetadata) -> None:
    """Two tables with one id would share their rows. Cassandra refuses it in these words, for lack of a check, but for the
    tables that each node keeps for itself."""
    stored = chain.from_iterable(map(stored_tables, schema.keyspaces.values()))
    for other in chain(stored, schema_tables().values()):
        if other.id == table.id:
            entries = f"{table.id}={table} and {other.id}={other}"
            raise ServerError(f"java.lang.IllegalArgumentException: Multiple entries with same key: {entries}")


def check_shape(statement: CreateTable, used: str | None) -> PrimaryKey:
    """What is refused while the statement is read or prepared; returns the one primary key. `used`: what USE chose."""
    name = written_name(statement.name)
    seen: set[str] = set()
    for column in paused(statement.columns):
        if column.name in seen:
            raise InvalidRequest(f"Duplicate column '{column.name}' declaration for table '{name}'")
        seen.add(column.name)
    if len(statement.primary_keys) > 1:
        raise InvalidRequest(f"Multiple PRIMARY KEY specified for table '{name}' (exactly one required)")
    ordered: set[str] = set()
    for order in paused(statement.clustering_order):
        if order.column in ordered:
            raise InvalidRequest(f"Duplicate column '{order.column}' in CLUSTERING ORDER BY clause for table '{name}'")
        ordered.add(order.column)
    keyspace_of(statement.name, used)
    if not statement.primary_keys:
        raise InvalidRequest(f"No PRIMARY KEY specifed for table '{name}' (exactly one required)")
    return statement.primary_keys[0]


def check_table(table: TableMetadata) -> None:
    """TableMetadata.validate. Raises ConfigurationError."""
    name = table.name
    if not is_word(name):
        raise ConfigurationError(
            f'{table}: Table name must not be empty or not contain non-alphanumeric-underscore characters (got "{name}")'
        )
    if len(name) > TABLE_NAME_LENGTH_MAX:
        raise ConfigurationError(
            f"{table}: Table name must not be more than {TABLE_NAME_LENGTH_MAX} characters long "
            f'(got {len(name)} characters for "{name}")'
        )
    for column in paused(table.statics + table.regulars):
        if table.is_counter and column.type is not COUNTER:
            raise ConfigurationError(f'{table}: Cannot have a non counter column ("{column.name}") in a counter table')
        if not table.is_counter and column.type is COUNTER:
            raise ConfigurationError(f'{table}: Cannot have a counter column ("{column.name}") in a non counter table')


def check_nested(column_type: CqlType, message: str) -> None:
    """A non-frozen user type must not hold anything that is not frozen."""
    if (
        isinstance(column_type, UserType)
        and column_type.is_multicell
        and any(field.is_multicell for field in column_type.field_types)
    ):
        raise InvalidRequest(message)


class _Columns:
    """The columns of a CREATE TABLE, resolved and checked in Cassandra's order."""

    def __init__(
        self, schema: Schema, statement: CreateTable, keyspace: str, primary_key: PrimaryKey, context: DdlContext
    ) -> None:
        self.statement, self.keyspace, self.key = statement, keyspace, primary_key
        self.table = statement.name.name
        self.definitions = {column.name: column for column in statement.columns}
        self.types: dict[str, CqlType] = {}
        self.masks: dict[str, ColumnMask | None] = {}
        for name in paused(hash_ordered(self.definitions)):
            column = self.definitions[name]
            resolved = resolve_type(column.type, keyspace, schema)
            self.types[column.name] = resolved
            self.masks[column.name] = (
                prepare_mask(column.mask, column.name, resolved, schema, keyspace, context) if column.mask else None
            )

    def columns(self, params: TableParams) -> tuple[ColumnMetadata, ...]:
        nested = "Non-frozen UDTs with nested non-frozen collections are not supported"
        for column_type in paused(self.types.values()):
            check_nested(column_type, nested)
        self._check_key()
        self._check_order()
        keys = {*self.key.partition, *self.key.clustering}
        others = [raw.decode() for raw in sorted_in_turns([n.encode() for n in paused(self.types) if n not in keys])]
        statics = [name for name in paused(others) if self.definitions[name].is_static]
        if self.statement.compact_storage:
            self._check_compact(others, statics)
        elif statics and not self.key.clustering:
            raise InvalidRequest(STATIC_WITHOUT_CLUSTERING)
        if any(is_counter_name(column.type) for column in paused(self.statement.columns)):
            if any(self.types[name] is not COUNTER for name in others):
                raise InvalidRequest("Cannot mix counter and non counter columns in the same table")
            if params.default_time_to_live > 0:
                raise InvalidRequest("Cannot set default_time_to_live on a table with counters")
        made = list(self._key_columns())
        if self.statement.compact_storage:
            made += self._compact_columns(others)
        else:
            for name in paused(others):
                kind = ColumnKind.STATIC if self.definitions[name].is_static else ColumnKind.REGULAR
                made.append(ColumnMetadata(name, kind, self.types[name], mask=self.masks[name]))
        return ordered_columns(made)

    def _check_key(self) -> None:
        seen: set[str] = set()
        for name in paused(self.key.partition + self.key.clustering):
            column_type = self.types.get(name)
            if column_type is None:
                raise InvalidRequest(f"Unknown column '{name}' referenced in PRIMARY KEY for table '{self.table}'")
            if name in seen:
                raise InvalidRequest(f"Duplicate column '{name}' in PRIMARY KEY clause for table '{self.table}'")
            seen.add(name)
            if column_type.is_multicell:
                raise InvalidRequest(self._not_frozen(name, column_type))
            if column_type is COUNTER:
                raise InvalidRequest(f"counter type is not supported for PRIMARY KEY column '{name}'")
            if references_duration(column_type):
                raise InvalidRequest(f"duration type is not supported for PRIMARY KEY column '{name}'")
            if self.definitions[name].is_static:
                raise InvalidRequest(f"Static column '{name}' cannot be part of the PRIMARY KEY")

    def _not_frozen(self, name: str, column_type: CqlType) -> str:
        written = self.definitions[name].type
        if isinstance(written, UserTypeName):
            text = f'"{self.keyspace}.{written.name}"'
            return f"Invalid non-frozen user-defined type {text} for PRIMARY KEY column '{name}'"
        text = type_text(written) if isinstance(written, CustomTypeName) else column_type.cql()
        return f"Invalid non-frozen collection type {text} for PRIMARY KEY column '{name}'"

    def _check_order(self) -> None:
        ordered = [order.column for order in self.statement.clustering_order]
        clustering = self.key.clustering
        strangers = [name for name in ordered if name not in clustering]
        if strangers:
            raise InvalidRequest(
                "Only clustering key columns can be defined in CLUSTERING ORDER directive: "
                f"[{', '.join(strangers)}] are not clustering columns"
            )
        for name, expected in zip(ordered, clustering, strict=False):
            if name == expected:
                continue
            if expected in ordered:
                raise InvalidRequest(
                    "The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns "
                    f"({expected} must appear before {name})"
                )
            raise InvalidRequest(f"Missing CLUSTERING ORDER for column {expected}")

    def _key_columns(self) -> Iterator[ColumnMetadata]:
        for position, name in enumerate(self.key.partition):
            yield ColumnMetadata(name, ColumnKind.PARTITION_KEY, self.types[name], position, mask=self.masks[name])
        descending = {order.column for order in self.statement.clustering_order if order.descending}
        for position, name in paused(enumerate(self.key.clustering)):
            yield ColumnMetadata(
                name, ColumnKind.CLUSTERING, self.types[name], position, name in descending, self.masks[name]
            )

    def _check_compact(self, others: list[str], statics: list[str]) -> None:
        if any(self.types[name].is_multicell for name in others):
            raise InvalidRequest("Non-frozen collections and UDTs are not supported with COMPACT STORAGE")
        if statics:
            raise InvalidRequest("Static columns are not supported in COMPACT STORAGE tables")
        if not self.key.clustering and not others:
            raise InvalidRequest("No definition found that is not part of the PRIMARY KEY")
        if self.key.clustering and len(others) > 1:
            raise InvalidRequest(
                "COMPACT STORAGE with composite PRIMARY KEY allows no more than one column not part of the PRIMARY KEY "
                f"(got: {', '.join(others)})"
            )

    def _compact_columns(self, others: list[str]) -> Iterator[ColumnMetadata]:
        """The columns that are no key, and those that COMPACT STORAGE adds for itself."""
        is_static_compact = not self.key.clustering
        kind = ColumnKind.STATIC if is_static_compact else ColumnKind.REGULAR
        for name in others:
            yield ColumnMetadata(name, kind, self.types[name], mask=self.masks[name])
        value_name = self._free_name("value", 0)
        if is_static_compact:
            is_counter = any(self.types[name] is COUNTER for name in others)
            yield ColumnMetadata(self._free_name("column", 1), ColumnKind.CLUSTERING, TEXT, 0)
            yield ColumnMetadata(value_name, ColumnKind.REGULAR, COUNTER if is_counter else BLOB)
        elif not others:
            yield ColumnMetadata(value_name, ColumnKind.REGULAR, EMPTY)

    def _free_name(self, stem: str, number: int) -> str:
        while (name := f"{stem}{number or ''}") in self.types:
            number += 1
        return name


def drop_table(schema: Schema, statement: DropTable, context: DdlContext) -> DdlResult:
    keyspace_name, name = context.keyspace_of(statement.name), statement.name.name
    authorize(keyspace_name, "DROP", f"<table {keyspace_name}.{name}>")
    check_keyspace_name(keyspace_name)
    if context.guarded is not None:
        context.guarded.drops_tables()
    keyspace = schema.keyspaces.get(keyspace_name)
    if keyspace is not None and name in keyspace.views:
        raise InvalidRequest("Cannot use DROP TABLE on a materialized view. Please use DROP MATERIALIZED VIEW instead.")
    table = keyspace.tables.get(name) if keyspace else None
    if keyspace is None or table is None:
        if statement.if_exists:
            return schema, None
        raise InvalidRequest(f"Table '{keyspace_name}.{name}' doesn't exist")
    if keyspace.views_of(table):
        raise InvalidRequest(f"Cannot drop a table when materialized views still depend on it ({keyspace_name})")
    return schema.with_keyspace(keyspace.without_table(name)), SchemaChange(DROPPED, TABLE, keyspace_name, name)
