"""MASKED WITH: finding the masking function and fixing its arguments (cql3/functions/masking/*.java).

The native masking functions are known here by their parameters only; what they do to values is functions/'s.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from cqlserver.assignment import Match
from cqlserver.ddl.context import DdlContext, written_name
from cqlserver.raw_terms import RawTerm
from cqlserver.terms import BindContext, raw_term
from grammar import tree
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import ASCII, BLOB, INT, TEXT, CqlType
from storage.schema import ColumnMask, Schema, TableMetadata

_COLUMN: Final = "column"

# Name -> the parameters behind the column (a type, or _COLUMN for the column's own), how many of them must be there,
# and the signature in messages.
_Parameters = tuple[tuple[CqlType | str, ...], int, str]
_TEXT_SIGNATURE: Final = "([text|varchar|ascii], int, int, [text])"
_FUNCTIONS: Final[Mapping[str, _Parameters]] = MappingProxyType(
    {
        "mask_default": ((), 0, "(any)"),
        "mask_null": ((), 0, "(any)"),
        "mask_replace": ((_COLUMN,), 1, "(any, any)"),
        "mask_inner": ((INT, INT, TEXT), 2, _TEXT_SIGNATURE),
        "mask_outer": ((INT, INT, TEXT), 2, _TEXT_SIGNATURE),
        "mask_hash": ((TEXT,), 0, "(any, [text])"),
    }
)
_NEEDS_TEXT: Final = ("mask_inner", "mask_outer")
_NO_TABLE_ID: Final = UUID(int=0)


def check_masking_enabled(context: DdlContext) -> None:
    if not context.dynamic_data_masking_enabled:
        raise InvalidRequest(
            "Cannot mask columns because dynamic data masking is not enabled. "
            "You can enable it with the dynamic_data_masking_enabled property on cassandra.yaml"
        )


def prepare_mask(mask: tree.ColumnMask, column: str, column_type: CqlType, schema: Schema, keyspace: str) -> ColumnMask:
    """The mask of a column. Raises InvalidRequest when there is no such function or it can't take the arguments."""
    context = BindContext(TableMetadata(keyspace, "", _NO_TABLE_ID, ()), schema, ())
    arguments = [raw_term(argument, context) for argument in mask.arguments]
    written = f"{written_name(mask.function)}({', '.join(map(str, arguments))})"
    name = mask.function.name
    found = _FUNCTIONS.get(name)
    if found is None or mask.function.keyspace not in (None, "system"):
        raise InvalidRequest(
            f"Unable to find masking function for {column}, no declared function matches the signature {written}"
        )
    parameters, count_min, signature = found
    if not count_min <= len(arguments) <= len(parameters):
        raise InvalidRequest(f"Invalid number of arguments for function system.{name}{signature}")
    if name in _NEEDS_TEXT and column_type not in (TEXT, ASCII):
        raise InvalidRequest(
            f"Function system.{name} requires an argument of type [text|varchar|ascii], "
            f"but found argument {column_type.java()} of type {column_type.cql()}"
        )
    types = tuple(column_type if isinstance(p, str) else p for p in parameters[: len(arguments)])
    values = []
    for position, (argument, wanted) in enumerate(zip(arguments, types, strict=True), start=1):
        value = _argument(name, position, argument, wanted, is_own_type=parameters[position - 1] is _COLUMN)
        values.append(None if value is None else wanted.to_text(value))
    if name == "mask_hash" and column_type is not BLOB:
        raise InvalidRequest(
            f"Masking function {written} return type is blob. This is different to the type of the masked column "
            f"{column} of type {column_type.cql()}. Masking functions can only be attached to table columns if they "
            "return the same data type as the masked column."
        )
    return ColumnMask("system", name, tuple(t.cql() for t in types), tuple(values))


def _argument(name: str, position: int, argument: RawTerm, wanted: CqlType, *, is_own_type: bool) -> bytes | None:
    spec = ColumnSpec("system", name, f"arg{position}", wanted)
    if argument.match(spec) is Match.NONE:
        if is_own_type:
            raise InvalidRequest(
                f"Type error: {argument} cannot be passed as argument {position} of function system.{name} "
                f"of type {wanted.cql()}"
            )
        found = argument.maybe_compatible_type()
        raise InvalidRequest(
            f"Function system.{name} requires an argument of type {wanted.cql()}, "
            f"but found argument {argument} of type {found.cql() if found else 'unknown'}"
        )
    value = argument.prepare(spec).bind(())
    return value if isinstance(value, bytes) else None
