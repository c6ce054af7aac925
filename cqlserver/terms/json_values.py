"""INSERT ... JSON: a document whose fields are the values of columns (cql3/Json.java).

A document given as a literal is read when the statement is compiled, one that is bound at each execution: its values are
put behind the bound ones, where the `JsonTerm`s of the columns find them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cqlserver.functions.model import CallContext
from cqlserver.java_order import hash_ordered
from cqlserver.terms.binding import BindContext, Values
from cqlserver.terms.bound_terms import Parts, Term, split_value
from cqlserver.terms.now_texts import json_with_now, mentions_now
from grammar import tree
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.responses import ColumnSpec
from protocol.types import TEXT, MarshalError, quoted_identifier
from protocol.types.duration import DurationError
from protocol.types.json_text import JsonError, parse_json_map
from storage.schema.metadata import ColumnKind, ColumnMetadata


class JsonTerm(Term):
    """The value of one column in the document of this execution, the last of the values."""

    __slots__ = ("column",)

    def __init__(self, column: ColumnMetadata) -> None:
        self.column = column

    def bind(self, values: Values) -> Value:
        found: Value = values[-1][self.column.name]
        return found

    def elements(self, values: Values) -> Parts | None:
        value = self.bind(values)
        return split_value(value, self.column.type) if isinstance(value, bytes) else None


class JsonRow:
    """Reads the document of an execution."""

    __slots__ = ("_calls", "_columns", "_constant", "_marker", "_missing")

    def __init__(
        self,
        columns: Sequence[ColumnMetadata],
        missing: Value,
        constant: Mapping[str, Value] | None,
        marker: int,
        calls: CallContext,
    ) -> None:
        self._calls = calls
        self._columns, self._missing, self._constant, self._marker = columns, missing, constant, marker

    def extend(self, values: Values) -> Values:
        """`values`, and behind them what the document says of each column. Raises InvalidRequest."""
        document = self._constant
        if document is None:
            bound = values[self._marker]
            if bound is UNSET:
                bound = b""
            if not isinstance(bound, bytes):
                raise InvalidRequest("Got null for INSERT JSON values")
            try:
                TEXT.validate(bound)
            except MarshalError:
                # Cassandra decodes the text where nothing translates the failure
                raise ServerError(
                    f"org.apache.cassandra.serializers.MarshalException: Invalid UTF-8 bytes {bound.hex()}"
                ) from None
            document = read_document(bound.decode(), self._columns, self._missing, self._calls)
        return (*values, document)


def compile_json(
    value: tree.Literal | tree.Marker, context: BindContext, default_unset: bool
) -> tuple[JsonRow, dict[str, JsonTerm]]:
    """The document, and a term for each column of the table. Raises InvalidRequest, of several faults for the column that
    is first in Cassandra's hash map."""
    by_name = {column.name: column for column in context.table.columns}
    columns = [by_name[name] for name in hash_ordered(by_name)]
    missing: Value = UNSET if default_unset else None
    terms = {column.name: JsonTerm(column) for column in columns}
    if isinstance(value, tree.Literal):
        document = read_document(value.text, columns, missing, context.calls)
        _refuse_hidden(columns, context)
        return JsonRow(columns, missing, document, -1, context.calls), terms
    _refuse_hidden(columns, context)
    context.add(value.index, ColumnSpec(context.table.keyspace, context.table.name, "[json]", TEXT))
    return JsonRow(columns, missing, None, value.index, context.calls), terms


def _refuse_hidden(columns: Sequence[ColumnMetadata], context: BindContext) -> None:
    """A document is about all columns, and a clustering column that a compact table hides can't be named. A hidden value
    can: it is null like any other of which the document says nothing."""
    hidden = context.table.hidden_columns
    for column in columns:
        if column.kind is ColumnKind.CLUSTERING and column.name in hidden:
            raise InvalidRequest(f"Undefined column name {quoted_identifier(column.name)} in table {context.table}")


def read_document(
    text: str, columns: Sequence[ColumnMetadata], missing: Value, calls: CallContext
) -> Mapping[str, Value]:
    """Column name -> serialised value, None for null, `missing` where the document has none."""
    document = _parse(text)
    if document is None:
        raise InvalidRequest("Got null for INSERT JSON values")
    fields = {_column_name(name): value for name, value in document.items()}
    row: dict[str, Value] = {}
    has_now = mentions_now(text)
    for column in columns:
        if column.name not in fields:
            row[column.name] = missing
            continue
        value = fields.pop(column.name)
        if has_now:
            value = json_with_now(value, column.type, calls)
        try:
            row[column.name] = None if value is None else column.type.from_json(value)
        except DurationError as error:
            raise InvalidRequest(str(error)) from None
        except MarshalError as error:
            raise InvalidRequest(f"Error decoding JSON value for {column.name}: {error}") from None
    if fields:
        raise InvalidRequest(f"JSON values map contains unrecognized column: {next(iter(fields))}")
    return row


def _column_name(name: str) -> str:
    """Quoted names keep their case, others are lower case (JsonUtils.handleCaseSensitivity)."""
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name.lower()


def _parse(text: str) -> dict[str, Any] | None:
    try:
        return parse_json_map(text)
    except JsonError as error:
        raise InvalidRequest(
            f"Could not decode JSON string as a map: {error.java_class}: {error}. (String was: {text})"
        ) from None
