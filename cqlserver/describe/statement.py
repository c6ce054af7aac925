"""DESCRIBE in all its forms -> columns and rows (cql3/statements/DescribeStatement.java)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from cqlserver.describe.text import (
    aggregate_text,
    function_text,
    index_text,
    keyspace_text,
    signature_text,
    table_text,
    type_text,
    view_text,
)
from cqlserver.paging import DESCRIBE_PAGE, DESCRIBE_VERSION
from grammar.tree import Describe, DescribeKind
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import TEXT, CqlType, ListType, MapType, UserType, quoted_identifier
from storage.environment.strands import long_work, paused
from storage.schema.metadata import (
    AggregateMetadata,
    FunctionMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    Schema,
    TableMetadata,
    ViewMetadata,
    is_system_keyspace,
)

RANGE_OWNERSHIP: Final = MapType(TEXT, ListType(TEXT, True), True)


def _spec(name: str, column_type: CqlType = TEXT) -> ColumnSpec:
    return ColumnSpec("system", "describe", name, column_type)


_LIST_COLUMNS: Final = (_spec("keyspace_name"), _spec("type"), _spec("name"))
_ELEMENT_COLUMNS: Final = (*_LIST_COLUMNS, _spec("create_statement"))
_CLUSTER_COLUMNS: Final = (_spec("cluster"), _spec("partitioner"), _spec("snitch"))


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What DESCRIBE CLUSTER tells. `range_ownership(keyspace)`: end token of each range -> addresses of its replicas."""

    name: str
    range_ownership: Callable[[str], Mapping[str, Sequence[str]]]
    partitioner: str = "Murmur3Partitioner"
    snitch: str = "DynamicEndpointSnitch"


@dataclass(frozen=True, slots=True)
class Description:
    """Columns, and rows of serialised values."""

    columns: tuple[ColumnSpec, ...]
    rows: list[tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class _Element:
    """A line of the answer; `name` with its quotes, `sort_name` without."""

    keyspace: str
    kind: str
    name: str
    sort_name: str
    text: Callable[[bool], str]


def describe(schema: Schema, statement: Describe, keyspace: str | None, cluster: ClusterFacts) -> Description:
    """The answer. `keyspace`: what USE chose. Raises InvalidRequest for what isn't there."""
    if statement.kind is DescribeKind.CLUSTER:
        return _cluster(keyspace, cluster)
    if statement.kind in _LISTINGS:
        return Description(_LIST_COLUMNS, [_listed(e) for e in _LISTINGS[statement.kind](schema, keyspace)])
    elements = list(_ELEMENTS[statement.kind](schema, statement, keyspace))
    internals = statement.with_internals
    if len(elements) > TEXTS_PER_GO_MAX:
        long_work()
    return Description(_ELEMENT_COLUMNS, [(*_listed(e), e.text(internals).encode()) for e in paused(elements)])


def _listed(element: _Element) -> tuple[bytes, ...]:
    return element.keyspace.encode(), element.kind.encode(), element.name.encode()


def _cluster(keyspace: str | None, cluster: ClusterFacts) -> Description:
    row = (cluster.name.encode(), cluster.partitioner.encode(), cluster.snitch.encode())
    if keyspace is None or is_system_keyspace(keyspace):
        return Description(_CLUSTER_COLUMNS, [row])
    ownership = {token: list(addresses) for token, addresses in cluster.range_ownership(keyspace).items()}
    columns = (*_CLUSTER_COLUMNS, _spec("range_ownership", RANGE_OWNERSHIP))
    return Description(columns, [(*row, bytes(RANGE_OWNERSHIP.encode(ownership)))])


# -- elements ---------------------------------------------------------------------------------------------------------


def _by_name(elements: Iterable[_Element]) -> list[_Element]:
    return sorted(elements, key=lambda e: e.sort_name.lower())


def _keyspace_element(keyspace: KeyspaceMetadata) -> _Element:
    name = quoted_identifier(keyspace.name)
    return _Element(name, "keyspace", name, keyspace.name, lambda _: keyspace_text(keyspace))


def _table_element(table: TableMetadata) -> _Element:
    name = quoted_identifier(table.name)
    return _Element(quoted_identifier(table.keyspace), "table", name, table.name, lambda i: table_text(table, i))


def _index_element(table: TableMetadata, index: IndexMetadata) -> _Element:
    name = quoted_identifier(index.name)
    return _Element(quoted_identifier(table.keyspace), "index", name, index.name, lambda _: index_text(table, index))


def _view_element(view: ViewMetadata) -> _Element:
    keyspace, name = quoted_identifier(view.table.keyspace), quoted_identifier(view.table.name)
    return _Element(keyspace, "materialized_view", name, view.table.name, lambda i: view_text(view, i))


def _type_element(user_type: UserType) -> _Element:
    keyspace, name = quoted_identifier(user_type.keyspace), quoted_identifier(user_type.name)
    return _Element(keyspace, "type", name, user_type.name, lambda _: type_text(user_type))


def _unquoted(signature: str) -> str:
    """A signature as lists are sorted by it: without the quotes around the name."""
    return signature.replace('"', "", 2) if signature.startswith('"') else signature


def _function_element(function: FunctionMetadata) -> _Element:
    name = signature_text(function.name, function.argument_types)
    keyspace = quoted_identifier(function.keyspace)
    return _Element(keyspace, "function", name, _unquoted(name), lambda _: function_text(function))


def _aggregate_element(aggregate: AggregateMetadata) -> _Element:
    name = signature_text(aggregate.name, aggregate.argument_types)
    keyspace = quoted_identifier(aggregate.keyspace)
    return _Element(keyspace, "aggregate", name, _unquoted(name), lambda _: aggregate_text(aggregate))


def types_in_order(keyspace: KeyspaceMetadata) -> list[UserType]:
    """By name, but each type behind those that it holds."""
    ordered: dict[str, UserType] = {}

    def add(cql_type: CqlType) -> None:
        for inner in cql_type.referenced_types:
            add(inner)
        if isinstance(cql_type, UserType):
            ordered.setdefault(cql_type.name, keyspace.types[cql_type.name])

    for name in sorted(keyspace.types, key=str.encode):
        add(keyspace.types[name])
    return list(ordered.values())


def _elements_of(keyspace: KeyspaceMetadata) -> Iterator[_Element]:
    yield _keyspace_element(keyspace)
    yield from map(_type_element, types_in_order(keyspace))
    yield from _by_name(map(_function_element, keyspace.functions.values()))
    yield from _by_name(map(_aggregate_element, keyspace.aggregates.values()))
    for table in sorted(keyspace.tables.values(), key=lambda t: t.name.lower()):
        yield from _elements_of_table(keyspace, table)


def _elements_of_table(keyspace: KeyspaceMetadata, table: TableMetadata) -> Iterator[_Element]:
    yield _table_element(table)
    yield from _by_name(_index_element(table, index) for index in table.indexes.values())
    yield from _by_name(map(_view_element, keyspace.views_of(table)))


# -- lists ------------------------------------------------------------------------------------------------------------


def _found(schema: Schema, name: str) -> KeyspaceMetadata:
    keyspace = schema.keyspaces.get(name)
    if keyspace is None:
        raise InvalidRequest(f"'{name}' not found in keyspaces")
    return keyspace


def _listing(
    of_keyspace: Callable[[KeyspaceMetadata], Iterable[_Element]],
) -> Callable[[Schema, str | None], Iterator[_Element]]:
    def elements(schema: Schema, keyspace: str | None) -> Iterator[_Element]:
        if keyspace is not None:
            keyspaces = [_found(schema, keyspace)]
        else:
            keyspaces = sorted(schema.keyspaces.values(), key=lambda k: k.name.lower())
        for each in keyspaces:
            yield from _by_name(of_keyspace(each))

    return elements


def _keyspaces(schema: Schema, keyspace: str | None) -> list[_Element]:
    return _by_name(map(_keyspace_element, schema.keyspaces.values()))


_LISTINGS: Final[Mapping[DescribeKind, Callable[[Schema, str | None], Iterable[_Element]]]] = MappingProxyType(
    {
        DescribeKind.KEYSPACES: _keyspaces,
        DescribeKind.TABLES: _listing(lambda k: map(_table_element, k.tables.values())),
        DescribeKind.TYPES: _listing(lambda k: map(_type_element, k.types.values())),
        DescribeKind.FUNCTIONS: _listing(lambda k: map(_function_element, k.functions.values())),
        DescribeKind.AGGREGATES: _listing(lambda k: map(_aggregate_element, k.aggregates.values())),
    }
)

# -- single elements --------------------------------------------------------------------------------------------------


def _schema(schema: Schema, statement: Describe, keyspace: str | None) -> Iterator[_Element]:
    is_full = statement.kind is DescribeKind.FULL_SCHEMA
    for each in sorted(schema.keyspaces.values(), key=lambda k: k.name.lower()):
        if is_full or not is_system_keyspace(each.name):
            yield from _elements_of(each)


def _owner(schema: Schema, written: str | None, current: str | None) -> KeyspaceMetadata:
    name = written if written is not None else current
    if name is None:
        raise InvalidRequest("No keyspace specified and no current keyspace")
    return _found(schema, name)


def _keyspace(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner = _owner(schema, statement.keyspace or statement.name, current)
    if statement.kind is DescribeKind.ONLY_KEYSPACE:
        return [_keyspace_element(owner)]
    return _elements_of(owner)


def _table(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    table = owner.tables.get(name)
    if table is None:
        raise InvalidRequest(f"Table '{name}' not found in keyspace '{owner.name}'")
    return _elements_of_table(owner, table)


def _index(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    table = _maybe_indexed_table(owner, name)
    if table is None:
        raise InvalidRequest(f"Table for existing index '{name}' not found in '{owner.name}'")
    return [_index_element(table, table.indexes[name])]


def _maybe_indexed_table(keyspace: KeyspaceMetadata, index: str) -> TableMetadata | None:
    return next((t for t in keyspace.tables.values() if index in t.indexes), None)


def _view(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    if name not in owner.views:
        raise InvalidRequest(f"Materialized view '{name}' not found in '{owner.name}'")
    return [_view_element(owner.views[name])]


def _type(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    if name not in owner.types:
        raise InvalidRequest(f"User defined type '{name}' not found in '{owner.name}'")
    return [_type_element(owner.types[name])]


def _function(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    found = [_function_element(f) for f in owner.functions.values() if f.name == name]
    if not found:
        raise InvalidRequest(f"User defined function '{name}' not found in '{owner.name}'")
    return _by_name(found)


def _aggregate(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    owner, name = _owner(schema, statement.keyspace, current), statement.name or ""
    found = [_aggregate_element(a) for a in owner.aggregates.values() if a.name == name]
    if not found:
        raise InvalidRequest(f"User defined aggregate '{name}' not found in '{owner.name}'")
    return _by_name(found)


def _any(schema: Schema, statement: Describe, current: str | None) -> Iterable[_Element]:
    """A keyspace, a table, an index or a materialized view, in this order."""
    name = statement.name or ""
    owner_name = statement.keyspace
    if owner_name is None:
        if name in schema.keyspaces:
            return _elements_of(schema.keyspaces[name])
        owner_name = current or name
    owner = _found(schema, owner_name)
    if name in owner.tables:
        return _elements_of_table(owner, owner.tables[name])
    indexed = _maybe_indexed_table(owner, name)
    if indexed is not None:
        return [_index_element(indexed, indexed.indexes[name])]
    if name in owner.views:
        return [_view_element(owner.views[name])]
    raise InvalidRequest(f"'{name}' not found in keyspace '{owner_name}'")


_ELEMENTS: Final[Mapping[DescribeKind, Callable[[Schema, Describe, str | None], Iterable[_Element]]]] = MappingProxyType(
    {
        DescribeKind.SCHEMA: _schema,
        DescribeKind.FULL_SCHEMA: _schema,
        DescribeKind.KEYSPACE: _keyspace,
        DescribeKind.ONLY_KEYSPACE: _keyspace,
        DescribeKind.TABLE: _table,
        DescribeKind.INDEX: _index,
        DescribeKind.MATERIALIZED_VIEW: _view,
        DescribeKind.TYPE: _type,
        DescribeKind.FUNCTION: _function,
        DescribeKind.AGGREGATE: _aggregate,
        DescribeKind.ANY: _any,
    }
)

# -- pages ------------------------------------------------------------------------------------------------------------

TEXTS_PER_GO_MAX = 40
"""Of tables that DESCRIBE prints in a go of the loop."""


def describe_page(
    rows: Sequence[tuple[bytes, ...]], page_size: int, paging_state: bytes | None, version: UUID
) -> tuple[Sequence[tuple[bytes, ...]], bytes | None]:
    """One page of the rows and the state that asks for the next, which holds as long as the schema stays the same."""
    offset = 0
    if paging_state is not None:
        if len(paging_state) != DESCRIBE_PAGE.size:
            raise InvalidRequest("Invalid paging state.")
        state_version, schema_version, offset = DESCRIBE_PAGE.unpack(paging_state)
        if state_version != DESCRIBE_VERSION:
            raise InvalidRequest("Incompatible paging state")
        if schema_version != version.bytes:
            raise InvalidRequest(
                "The schema has changed since the previous page of the DESCRIBE statement result. "
                "Please retry the DESCRIBE statement."
            )
    if page_size <= 0:
        return rows[offset:], None
    page = rows[offset : offset + page_size]
    if len(page) < page_size:
        return page, None
    return page, DESCRIBE_PAGE.pack(DESCRIBE_VERSION, version.bytes, offset + page_size)
