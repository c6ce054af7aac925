"""A server's answer as readable lines: what a compat script records and compares.

    void
    keyspace $ks
    schema CREATED TABLE $ks.t
    rows of $ks.t: k int, v text
      1, 'a'
      2, null
      -- page --
      3, <empty>
    invalid 0x2200: Undefined column name x in table $ks.t
      required: 3
    warning: ...

A value is its CQL literal; `null` is a null, `<empty>` a value of no bytes, `<invalid 0x...>` bytes that are no value of
the type. A name or type that would not read as one word is quoted.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence

from harness.normaliser import Normaliser
from protocol.errors import ProtocolError, RequestError
from protocol.primitives import Reader
from protocol.responses import (
    ColumnSpec,
    Error,
    PreparedResult,
    Reply,
    Response,
    RowsResult,
    SchemaChangeResult,
    SetKeyspaceResult,
    VoidResult,
)
from protocol.types import ASCII, TEXT, CqlType, ListType, MapType, SetType, TupleType, UserType

_WORD = re.compile(r"[^\s,:\"]+")
_HEX_FIELDS = {"statement_id"}


def reply_lines(pages: Sequence[Reply], prepared: PreparedResult | None, normaliser: Normaliser) -> Iterator[str]:
    """The outcome of one request; `pages` are the replies of its pages, in order."""
    first = pages[0].response
    yield from _response_lines(first, prepared, normaliser)
    for reply in pages[1:]:
        yield "  -- page --"
        if not isinstance(reply.response, RowsResult):
            yield from _response_lines(reply.response, prepared, normaliser)
        else:
            yield from _row_lines(reply.response, _columns(first, prepared), normaliser)
    seen: set[str] = set()
    for reply in pages:
        for warning in normaliser.warnings(reply.warnings):
            if warning not in seen:
                seen.add(warning)
                yield f"warning: {_one_line(warning)}"


def prepared_lines(reply: Reply, normaliser: Normaliser) -> Iterator[str]:
    """What PREPARE says of the bind markers, and its warnings; nothing for a statement that has neither.

    Lines about a preparation that succeeded begin with `?`.
    """
    prepared = reply.response
    if not isinstance(prepared, PreparedResult):
        yield from reply_lines([reply], None, normaliser)
        return
    if prepared.metadata.columns:
        keys = ", ".join(map(str, prepared.metadata.partition_key_indexes))
        yield f"? markers of {_specs(prepared.metadata.columns, normaliser)}{f'; partition key {keys}' if keys else ''}"
    for warning in normaliser.warnings(reply.warnings):
        yield f"? warning: {_one_line(warning)}"


def prepared_result_lines(prepared: PreparedResult, executed: Response, normaliser: Normaliser) -> Iterator[str]:
    """The result metadata of PREPARE where it is not that of EXECUTE."""
    promised = prepared.result_metadata.columns
    if isinstance(executed, RowsResult) and not executed.skip_metadata:
        if promised != executed.metadata.columns:
            yield f"? rows of {_specs(promised, normaliser)}" if promised else "? no columns"
    elif promised and not isinstance(executed, RowsResult):
        yield f"? rows of {_specs(promised, normaliser)}"


def _response_lines(response: Response, prepared: PreparedResult | None, normaliser: Normaliser) -> Iterator[str]:
    if isinstance(response, VoidResult):
        yield "void"
    elif isinstance(response, SetKeyspaceResult):
        yield f"keyspace {normaliser.text(response.keyspace)}"
    elif isinstance(response, SchemaChangeResult):
        change = response.change
        name = f"{change.keyspace}.{change.name}" if change.name else change.keyspace
        arguments = f"({', '.join(change.argument_types)})" if change.argument_types else ""
        yield normaliser.text(f"schema {change.change} {change.target} {name}{arguments}")
    elif isinstance(response, RowsResult):
        columns = _columns(response, prepared)
        skipped = " (metadata skipped)" if response.skip_metadata else ""
        yield f"rows of {_specs(columns, normaliser)}{skipped}" if columns else f"rows without columns{skipped}"
        yield from _row_lines(response, columns, normaliser)
    elif isinstance(response, Error):
        yield from _error_lines(response.error, normaliser)
    else:
        yield f"unexpected {response}"


def _error_lines(error: RequestError, normaliser: Normaliser) -> Iterator[str]:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
    yield f"{words} 0x{error.code:04X}: {_one_line(normaliser.text(error.message))}"
    for name, value in vars(error).items():
        if name != "message":
            shown = "<id>" if name in _HEX_FIELDS else normaliser.text(str(value))
            yield f"  {name}: {shown}"


def _columns(response: Response, prepared: PreparedResult | None) -> Sequence[ColumnSpec]:
    if not isinstance(response, RowsResult):
        return ()
    if response.skip_metadata and prepared is not None:
        return prepared.result_metadata.columns
    return response.metadata.columns


def _row_lines(response: RowsResult, columns: Sequence[ColumnSpec], normaliser: Normaliser) -> Iterator[str]:
    reader = Reader(response.content)
    for _ in range(response.row_count):
        values = [reader.nullable_bytes() for _ in range(response.metadata.column_count)]
        if not columns:  # a simple statement that asked for no metadata: only the bytes are known
            yield "  " + ", ".join("null" if value is None else f"0x{value.hex()}" for value in values)
            continue
        literals = []
        for column, value in zip(columns, values, strict=True):
            literal = value_literal(column.type, value)
            literals.append(normaliser.value(column.name, column.type.cql(), literal))
        yield "  " + ", ".join(literals)
    if reader.remaining:
        yield f"  and {reader.remaining} bytes after the last row"


def value_literal(cql_type: CqlType, data: bytes | None) -> str:
    """The CQL literal of a serialised value on one line."""
    if data is None:
        return "null"
    if not data and cql_type not in (TEXT, ASCII):
        return "<empty>"
    try:
        cql_type.validate(data)
        return _one_line(cql_type.to_literal(data))
    except ValueError:
        with contextlib.suppress(ProtocolError):
            if isinstance(cql_type, ListType):
                return _list_with_nulls(cql_type, data)
        return f"<invalid 0x{data.hex()}>"


def _list_with_nulls(cql_type: ListType, data: bytes) -> str:
    """No column can hold such a list, but functions make them: the TTLs of elements of which some have none."""
    reader = Reader(data)
    elements = [value_literal(cql_type.elements, reader.nullable_bytes()) for _ in range(reader.integer())]
    if reader.remaining:
        raise ProtocolError("bytes after the last element")
    return f"[{', '.join(elements)}]"


def _specs(columns: Sequence[ColumnSpec], normaliser: Normaliser) -> str:
    """`$ks.t: k int, v text`, or with the table at each column where they are not all of one."""
    if not columns:
        return "nothing"
    tables = {(column.keyspace, column.table) for column in columns}
    shown = [f"{_name(column.name)} {type_name(column.type)}" for column in columns]
    if len(tables) > 1:
        shown = [f"{column.keyspace}.{column.table}.{text}" for column, text in zip(columns, shown, strict=True)]
        return normaliser.text(", ".join(shown))
    return normaliser.text(f"{columns[0].keyspace}.{columns[0].table}: {', '.join(shown)}")


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else f'"{_one_line(name)}"'


def type_name(cql_type: CqlType) -> str:
    """The type as metadata has it: user types with their fields, nothing of frozen (metadata does not tell)."""
    if isinstance(cql_type, UserType):
        fields = zip(cql_type.field_names, cql_type.field_types, strict=True)
        inner = ", ".join(f"{_name(name)} {type_name(field)}" for name, field in fields)
        return f"{cql_type.keyspace}.{cql_type.name}{{{inner}}}"
    if isinstance(cql_type, TupleType):
        return f"tuple<{', '.join(map(type_name, cql_type.elements))}>"
    if isinstance(cql_type, ListType):
        return f"list<{type_name(cql_type.elements)}>"
    if isinstance(cql_type, SetType):
        return f"set<{type_name(cql_type.elements)}>"
    if isinstance(cql_type, MapType):
        return f"map<{type_name(cql_type.keys)}, {type_name(cql_type.values)}>"
    return cql_type.cql()


def _one_line(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\x85", "\\x85")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped)
