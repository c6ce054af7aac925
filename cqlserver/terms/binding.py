"""What the bind markers of a statement are for: the specifications that PREPARED reports.

A context lives as long as one compilation. Compiling a term against a receiver tells the context what each marker in
it stands for; a marker with a name keeps that name (cql3/VariableSpecifications.java).

Literals that the shape cache cut out of a text (`LiteralMarker`) take part at run time as texts behind the bound
values: `values[len(markers) + index]` is the text of literal `index`.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from cqlserver.functions.model import SYSTEM, CallContext, Function
from cqlserver.terms.type_names import resolve_type
from grammar.tree import TypeName
from protocol.responses import ColumnSpec
from protocol.types import CqlType
from storage.schema.metadata import ColumnKind, ColumnMetadata, Schema, TableMetadata

FUNCTIONS = "()"
"""In place of a table's name where a plan depends on a keyspace's functions: no table is called so."""

Values: TypeAlias = Sequence[Any]
"""Bound values (`bytes | None | UNSET`), then the texts (`str`) of cut-out literals."""


def column_spec(table: TableMetadata, column: ColumnMetadata) -> ColumnSpec:
    return ColumnSpec(table.keyspace, table.name, column.name, column.type)


class BindContext:
    """Compiling one statement on `table`. `markers` are the statement's: a name or None for each; `calls` is what
    functions take from the outside when the statement is executed. `shows_masks`: masked columns are selected as masks."""

    def __init__(
        self,
        table: TableMetadata,
        schema: Schema,
        markers: Sequence[str | None],
        calls: CallContext,
        has_literal_markers: bool = False,
        shows_masks: bool = False,
    ) -> None:
        self.shows_masks = shows_masks
        self.table = table
        self.schema = schema
        self.keyspace = table.keyspace
        self.calls = calls
        self.markers = markers
        self.has_literal_markers = has_literal_markers
        self.literal_terms: list[Any] = []
        """What was made of cut-out literals, in the order of compiling (bound_terms.LiteralTerm)."""
        self._specs: list[ColumnSpec | None] = [None] * len(markers)
        self._key_columns: dict[int, str] = {}
        self.used_keyspaces: dict[str, None] = {}
        """Those whose user functions are called."""
        self.called: list[Function] = []
        """The user functions that are called: what one has to be allowed to execute."""
        self.may_take_long = False
        """Whether one of these may."""

    def add(self, index: int, receiver: ColumnSpec) -> None:
        """Marker `index` stands for a value of `receiver`."""
        column = self.table.by_name.get(receiver.name)
        if column is not None and column.kind is ColumnKind.PARTITION_KEY and column.type == receiver.type:
            self._key_columns[index] = column.name
        name = self.markers[index]
        self._specs[index] = receiver if name is None else ColumnSpec(receiver.keyspace, receiver.table, name, receiver.type)

    def for_table(self, table: TableMetadata) -> "BindContext":
        """The same statement's context for a part of it on another table: a batch numbers its markers through."""
        part = BindContext(table, self.schema, self.markers, self.calls, self.has_literal_markers)
        part._specs, part._key_columns, part.literal_terms = self._specs, self._key_columns, self.literal_terms
        part.used_keyspaces = self.used_keyspaces
        return part

    def user_functions(self, keyspace: str | None, name: str) -> Sequence[Function]:
        """Of a keyspace, or of the statement's; the plan becomes one that knows them."""
        found = self.schema.keyspaces.get(self.keyspace if keyspace is None else keyspace)
        if found is None or not found.functions:
            return ()
        functions = self.calls.user_functions(found, name)
        if functions:
            self.used_keyspaces[found.name] = None
            self.may_take_long = self.may_take_long or any(function.may_take_long for function in functions)
        return functions

    def call(self, function: Function, at: int | None = None) -> None:
        """A call of `function` is compiled; it stands after those before it, or as number `at` of them."""
        if function.keyspace != SYSTEM:
            self.called.insert(len(self.called) if at is None else at, function)

    @property
    def function_tables(self) -> tuple[tuple[str, str], ...]:
        """What a plan's `tables` have beside its tables, so that it is dropped when functions that it calls change."""
        return tuple((keyspace, FUNCTIONS) for keyspace in self.used_keyspaces)

    def literal_position(self, index: int) -> int:
        """Where the text of cut-out literal `index` stands among the values."""
        return len(self.markers) + index

    def resolve_type(self, name: TypeName) -> CqlType:
        return resolve_type(name, self.keyspace, self.schema)

    @property
    def specs(self) -> tuple[ColumnSpec, ...]:
        """One for each marker; all of them are known when the whole statement is compiled."""
        return tuple(spec for spec in self._specs if spec is not None)

    @property
    def partition_key_indexes(self) -> tuple[int, ...]:
        """For each column of the partition key the marker that gives it; empty unless all are given by markers."""
        found: dict[str, int] = {name: index for index, name in sorted(self._key_columns.items())}
        if any(column.name not in found for column in self.table.partition_key):
            return ()
        return tuple(found[column.name] for column in self.table.partition_key)
