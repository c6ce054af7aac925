"""What clients are told of a change of the schema that another node made: the difference of two schemas as events."""

from collections.abc import Iterator, Mapping

from cqlserver.ddl.context import AGGREGATE, CREATED, DROPPED, FUNCTION, KEYSPACE, TABLE, TYPE, UPDATED
from protocol.responses import SchemaChange
from storage.schema.elements import differences
from storage.schema.metadata import KeyspaceMetadata, Schema


def schema_events(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Keyspaces before what is in them; of a keyspace that came or went, what was in it is not told."""
    for name in differences(before.keyspaces, after.keyspaces):
        old, new = before.keyspaces.get(name), after.keyspaces.get(name)
        if old is None or new is None:
            yield SchemaChange(_kind(old, new), KEYSPACE, name)
            if new is not None:
                yield from _elements(KeyspaceMetadata(name, new.params), new)
            continue
        if old.params != new.params:
            yield SchemaChange(UPDATED, KEYSPACE, name)
        yield from _elements(old, new)


def _elements(old: KeyspaceMetadata, new: KeyspaceMetadata) -> Iterator[SchemaChange]:
    plain: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        (TYPE, old.types, new.types),
        (TABLE, old.tables, new.tables),
        (TABLE, old.views, new.views),
    )
    for target, left, right in plain:
        for name in differences(left, right):
            yield SchemaChange(_kind(left.get(name), right.get(name)), target, new.name, name)
    signed = ((FUNCTION, old.functions, new.functions), (AGGREGATE, old.aggregates, new.aggregates))
    for target, before, after in signed:
        for signature in differences(before, after):
            name, arguments = signature
            yield SchemaChange(_kind(before.get(signature), after.get(signature)), target, new.name, name, arguments)


def _kind(old: object, new: object) -> str:
    return CREATED if old is None else DROPPED if new is None else UPDATED
